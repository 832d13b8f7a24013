#ifndef AUTH_ATTEMPT_H
#define AUTH_ATTEMPT_H

#include <stdbool.h>

#include "common/ipc.h"
#include "common/slice.h"

struct session;

/*
 * Each AUTH_START gets exactly one AUTH_RESULT, with AUTH_CHALLENGEs before
 * it. An AUTH_CANCEL while an attempt is under way makes that result
 * AUTH_CANCELLED; without one it is passed over, since it may have crossed
 * the result.
 */

/* The channel to the queue; NULL when there is none. */
void	 attempt_set_queue(struct ipc *);
/* SESSION_OPEN: is the client served at all? */
void	 attempt_opened(struct session *);
/* SESSION_TLS with a client certificate: does it count? */
void	 attempt_certificate(struct session *);
/*
 * AUTH_START. Returns -1 when there is an attempt under way: the front-end
 * broke the rules.
 */
int	 attempt_start(struct session *, bool tls, struct slice mech,
	    bool has_initial, struct slice initial);
/* AUTH_RESPONSE. -1: nothing was asked. */
int	 attempt_response(struct session *, struct slice response);
/* AUTH_CANCEL. */
void	 attempt_cancel(struct session *);
/* GRANT_TAKEN. */
void	 attempt_granted(struct session *, bool taken);
/* The session goes: drop the attempt without an answer, revoke the grant. */
void	 attempt_end(struct session *);
/* The queue is gone and will not answer this session's GRANT. */
void	 attempt_queue_gone(struct session *);

#endif
