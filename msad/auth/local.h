#ifndef AUTH_LOCAL_H
#define AUTH_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

/*
 * Sessions of local programs. msad makes the socket and hands it to auth;
 * auth accepts, asks the kernel who connected, has the queue take a grant and
 * only then passes the connection to a front-end.
 */

struct event_base;

/*
 * Before anything else: the channel for questions of names, the loop, and the
 * epoch of this process, which session ids are made of.
 */
void	 local_init(struct ipc *parent, struct event_base *, uint64_t epoch);
/* The name that refusals begin with; copied. 0 or -1. */
int	 local_hostname(const char *);
/* The listening socket, in place of one there was; owned. */
void	 local_listen(int fd);
/* There is none any more; connections under way go on. */
void	 local_unlisten(void);
/* Accept from now on. */
void	 local_start(void);
/* End: 421 to those that wait. */
void	 local_stop(void);

/* GRANT_TAKEN for a session id with IPC_SID_LOCAL. */
void	 local_granted(uint64_t epoch, uint64_t sid, bool taken);
/* That front-end is gone: another one gets what waited for it. */
void	 local_frontend_gone(uint64_t epoch);
void	 local_queue_gone(void);

/* USER_NAME; ends with type 0. */
extern const struct ipc_handler local_handlers[];

#endif
