#ifndef QUEUE_TRIAL_H
#define QUEUE_TRIAL_H

#include "common/ipc.h"

#include "tables.h"

/* What would become of a message, for "msactl test session". */
int	 trial_message(struct ipc *, struct ipc_msg *, void *);
void	 trial_set_tables(const struct tables *);

#endif
