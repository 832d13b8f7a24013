#ifndef QUEUE_STEER_H
#define QUEUE_STEER_H

#include "common/ipc.h"

/* CTL_QUEUE_SELECT: do something with the messages of a selection. */
int	 steer_select(struct ipc *, struct ipc_msg *, void *arg);

#endif
