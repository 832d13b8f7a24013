#ifndef QUEUE_SUMMARY_H
#define QUEUE_SUMMARY_H

#include "common/ipc.h"

/* CTL_QUEUE_SUMMARY: how much there is, and what most of it has in common. */
int	 summary_queue(struct ipc *, struct ipc_msg *, void *arg);
/* CTL_QUEUE_AGE: how old the messages of a selection are, by relay. */
int	 summary_age(struct ipc *, struct ipc_msg *, void *arg);

#endif
