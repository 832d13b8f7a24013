#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/slice.h"
#include "msad/auth/blocks.h"
#include "msad/auth/guard.h"

#define SESSIONS_MAX	65536	/* of one front-end */

/* Where a login stands; attempt.c is the only one that moves it. */
enum attempt_state {
	ATTEMPT_NONE,		/* no login under way */
	ATTEMPT_RESPONSE,	/* waits for the client's response */
	ATTEMPT_HOLD,		/* waits for another login of the client */
	ATTEMPT_VERIFY,		/* waits for the password's verification */
	ATTEMPT_GRANT,		/* waits for the queue */
	ATTEMPT_GRANTED		/* logged in */
};

struct byaddress;
struct exchange;
struct frontend;
struct hold;
struct tls_facts;
struct verification;

struct session {
	RB_ENTRY(session)	 node;
	struct frontend		*frontend;
	uint64_t		 sid;
	struct auth_block	*block;		/* NULL: unknown listener */
	char			*client;	/* numeric address */
	uint16_t		 client_port;
	uint16_t		 listener;
	char			 local[64];	/* where it came to; or "" */
	uint16_t		 local_port;

	struct tls_facts	*tls;		/* NULL: not told (yet) */

	enum attempt_state	 state;
	struct exchange		*exchange;	/* NULL: no login under way */
	struct verification	*verification;	/* in ATTEMPT_VERIFY */
	struct guard_ticket	 ticket;	/* likewise */
	struct hold		*hold;		/* in ATTEMPT_HOLD */
	struct byaddress	*standin;	/* its address is a login */
	bool			 standin_asked;	/* the queue, no answer yet */
	unsigned int		 taken_owed;	/* its answers to be ignored */
	int64_t			 began;		/* ms: when the client spoke */
	unsigned int		 failures;
};

RB_HEAD(session_tree, session);
int	 session_cmp(const struct session *, const struct session *);
RB_PROTOTYPE(session_tree, session, node, session_cmp)

/* A front-end's channel and what is open on it. */
struct frontend {
	struct ipc		*ch;
	uint64_t		 epoch;
	uint64_t		 last_sid;
	unsigned int		 nsessions;
	struct session_tree	 sessions;
};

/*
 * A new session. sids must grow on a channel. Returns NULL when this one does
 * not, when it is one of a local session, which only auth may open (local.c),
 * or when there are too many: the front-end broke the rules.
 */
struct session *session_open(struct frontend *, uint64_t sid,
	    uint16_t listener, struct slice client, uint16_t port);
struct session *session_find(struct frontend *, uint64_t sid);
/*
 * What the session's handshake was (SESSION_TLS). -1: told twice, told while a
 * login is under way, or of a size that no handshake gives.
 */
int	 session_take_tls(struct session *, struct slice version,
	    struct slice exporter, struct slice unique, struct slice endpoint,
	    struct slice cert);
/* Ends a login under way and revokes the grant. */
void	 session_close(struct session *);
/* Close all of a front-end that is gone. */
void	 session_close_all(struct frontend *);

#endif
