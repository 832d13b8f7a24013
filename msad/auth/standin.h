#ifndef AUTH_STANDIN_H
#define AUTH_STANDIN_H

#include <stdbool.h>

struct byaddress;
struct session;

/*
 * Sessions that are logged in by their address (byaddress.h): the queue has a
 * grant for them with GRANT_ADDRESS, and the front-end was told.
 */

/* The session is open: does its address stand for somebody? */
void	 standin_opened(struct session *);
/* The queue answered the grant that was asked for. */
void	 standin_granted(struct session *, bool taken);
/* It logs in by other means, or ends: the grant is taken back. */
void	 standin_drop(struct session *);
/* For byaddress_init(): all sessions of that one are logged in no more. */
void	 standin_gone(const struct byaddress *);

#endif
