#ifndef QUEUE_SHOW_H
#define QUEUE_SHOW_H

#include <stdint.h>

#include "common/ipc.h"

#include "index.h"

/* CTL_QUEUE_MESSAGE and a CTL_QUEUE_RCPT for each of its recipients. */
void	 show_message(struct ipc *, uint64_t sid, const struct message *);
/* CTL_QUEUE_SHOW: one message. */
int	 show_one(struct ipc *, struct ipc_msg *, void *arg);

#endif
