#ifndef QUEUE_CONTROL_RULES_H
#define QUEUE_CONTROL_RULES_H

#include "common/ipc.h"

struct spool;

/* Answers to msactl by way of control_handlers (control.c). */
void	 control_rules_init(struct spool *);
int	 control_cat(struct ipc *, struct ipc_msg *, void *);
int	 control_log(struct ipc *, struct ipc_msg *, void *);
int	 control_rule_add(struct ipc *, struct ipc_msg *, void *);
int	 control_rule_remove(struct ipc *, struct ipc_msg *, void *);
int	 control_rules(struct ipc *, struct ipc_msg *, void *);
int	 control_pause(struct ipc *, struct ipc_msg *, void *);
int	 control_pauses(struct ipc *, struct ipc_msg *, void *);

#endif
