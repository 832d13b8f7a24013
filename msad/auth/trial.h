#ifndef AUTH_TRIAL_H
#define AUTH_TRIAL_H

#include "common/ipc.h"

/* Logins that an operator tries by msactl, and its view of the guard. */

int	 trial_auth(struct ipc *, struct ipc_msg *, void *);
int	 trial_session(struct ipc *, struct ipc_msg *, void *);
/* Nobody waits at that channel any more. */
void	 trial_channel_gone(struct ipc *);

#endif
