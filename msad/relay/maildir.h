#ifndef RELAY_MAILDIR_H
#define RELAY_MAILDIR_H

#include "msad/relay/job.h"

/* Make tmp, new and cur below the (changed) root where missing. 0 or -1. */
int	 maildir_init(void);
/* The name of this host, as it appears in file names. */
void	 maildir_set_host(const char *hostname);
/* Deliver; results come from the loop, many messages a flush. */
void	 maildir_submit(struct job *);
int	 maildir_withdraw(struct job *);

#endif
