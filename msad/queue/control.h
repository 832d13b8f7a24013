#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "common/ipc.h"

struct spool;

void	 control_init(struct spool *);
/* Questions still without an answer. */
unsigned int control_pending(void);

/* What msad-control may ask; arg is its struct peer. */
extern const struct ipc_handler control_handlers[];

#endif
