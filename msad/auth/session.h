#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdint.h>

#include "common/ipc.h"
#include "common/slice.h"
#include "msad/auth/blocks.h"

#define SESSIONS_MAX	65536	/* of one front-end */

/* Where a login stands; attempt.c is the only one that moves it. */
enum attempt_state {
	ATTEMPT_NONE,		/* no login under way */
	ATTEMPT_PLAIN,		/* waits for PLAIN's message */
	ATTEMPT_LOGIN_USER,	/* waits for LOGIN's user name */
	ATTEMPT_LOGIN_PASSWORD,	/* waits for LOGIN's password */
	ATTEMPT_PAM,		/* waits for PAM */
	ATTEMPT_GRANT,		/* waits for the queue */
	ATTEMPT_GRANTED		/* logged in */
};

struct frontend;
struct pam_job;

struct session {
	RB_ENTRY(session)	 node;
	struct frontend		*frontend;
	uint64_t		 sid;
	struct auth_block	*block;		/* NULL: unknown listener */
	char			*client;	/* numeric address */
	uint16_t		 client_port;
	uint16_t		 listener;

	enum attempt_state	 state;
	const char		*mech;
	char			*user;		/* NULL: none fit yet */
	struct pam_job		*job;		/* in ATTEMPT_PAM */
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
/* Ends a login under way and revokes the grant. */
void	 session_close(struct session *);
/* Close all of a front-end that is gone. */
void	 session_close_all(struct frontend *);

#endif
