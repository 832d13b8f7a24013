#ifndef FRONTEND_SESSION_H
#define FRONTEND_SESSION_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "msad/frontend/arrival.h"
#include "msad/frontend/connection.h"
#include "msad/frontend/listener.h"
#include "msad/frontend/reply.h"
#include "msad/frontend/transaction.h"

enum session_state {
	SESSION_HANDSHAKE = 0,
	SESSION_PROXY,		/* a header of the PROXY protocol is due */
	SESSION_CERT_WAIT,	/* auth looks at the client's certificate */
	SESSION_COMMAND,	/* a command line is due */
	SESSION_SASL,		/* a SASL response line is due */
	SESSION_AUTH_WAIT,	/* auth has the word */
	SESSION_AUTH_DELAY,	/* its verdict is held back */
	SESSION_MAIL_WAIT,	/* the queue has the word */
	SESSION_RCPT_WAIT,
	SESSION_DATA,
	SESSION_CHUNK,		/* octets of BDAT are due */
	SESSION_DATA_END,	/* all is read, the queue has to give credit */
	SESSION_QUEUE_WAIT,	/* after the last piece */
	SESSION_CLOSING,	/* write what is owed, then close */
	SESSION_LINGER		/* let the client read our last words */
};

struct session {
	RB_ENTRY(session)	 entry;
	TAILQ_ENTRY(session)	 turn;	/* see waits_turn */
	struct conn		 c;
	struct event		 timer;
	uint64_t		 sid;
	struct settings		*set;	/* of its listener; counted */
	struct arrival		 arrival;
	struct transaction	*tx;	/* from MAIL on, or NULL */
	char			*helo;
	char			*user;	/* logged in as; NULL: not */
	enum session_state	 state;

	int64_t			 opened;	/* ms, monotonic, as all here */
	int64_t			 since;		/* when the state was entered */
	int64_t			 last;		/* last octet or command */
	int64_t			 stuck;		/* replies unread since; 0 */
	int64_t			 armed;		/* when the timer fires; 0 */
	int64_t			 until;		/* end of an auth delay */
	int64_t			 window;	/* begin of a rate window */
	uint64_t		 window_size;	/* data.size then */

	uint64_t		 chunk_left;	/* of this BDAT, to come */
	uint64_t		 chunk_seen;	/* those that came */
	enum reply		 chunk_refused;	/* reply behind its end */
	bool			 chunk_last;
	bool			 binary;	/* MAIL had BODY=BINARYMIME */
	bool			 utf8;		/* MAIL had SMTPUTF8 */

	uint32_t		 scanned;	/* input known without CRLF */
	enum reply		 discard;	/* reply for a line too long */
	enum reply		 auth_reply;	/* instead of auth's verdict */
	uint8_t			 auth_verdict;
	uint8_t			 auth_failures;
	uint8_t			 auth_owed;	/* results to be ignored */
	uint8_t			 owed;		/* verdicts to be ignored */
	uint8_t			 bad;		/* bad commands */
	bool			 local;		/* passed by auth, no TLS */
	bool			 esmtp;
	bool			 starttls;	/* handshake once flushed */
	bool			 flush;		/* do not hold replies back */
	bool			 auth_gone;	/* channel broke in between */
	bool			 dead;		/* to be freed */
	bool			 waits_turn;	/* for the channel */
	bool			 begun;		/* auth was told of it */
	bool			 tls_told;	/* and of its TLS */
	bool			 external;	/* its certificate is good */
	bool			 barred;	/* QUIT is all it may say */
	bool			 by_address;	/* user: who its address is */
	bool			 auth_begun;	/* AUTH was tried */
	bool			 banned;	/* 421 once TLS is up */

	uint32_t		 ncommands;
	uint32_t		 nmessages;
	uint32_t		 nmails;	/* MAIL commands */
	uint32_t		 nrefused;	/* replies of 4xx and 5xx */
	uint16_t		 port;
	char			 peer[46];
	const char		*why;		/* of the end, for the log */
};

#define SESSION_ID_MAX	40

int64_t	 session_now(void);
/* The session id as logs and replies show it, in a static buffer. */
const char *session_id(const struct session *);
/* Take an accepted socket; owns fd and what was counted, and counts set. */
void	 session_new(struct settings *set, int fd, const struct sockaddr *,
    struct arrival *);
/* The client's address is known: greet it, or begin with TLS. */
void	 session_begin(struct session *, const struct sockaddr *);
/*
 * Take a connection of a local program that auth has accepted: user is logged
 * in from the start, by the grant that the queue has for sid. Owns fd.
 */
void	 session_new_local(struct settings *set, int fd, uint64_t sid,
    struct slice user);
/* The same with 421; the grant ends. set may be NULL. */
void	 session_refuse_local(struct settings *set, uint64_t sid, int fd);
/* Refuse an accepted socket: greeting 421 and close. */
void	 session_refuse(struct settings *set, int fd);
unsigned int session_count(void);
/* Of them, those of a local user. */
unsigned int session_count_local(struct slice user);
struct session *session_find(uint64_t sid);
/* Go on: input, replies, events. After anything changed from outside. */
void	 session_run(struct session *);
void	 session_enter(struct session *, enum session_state);
void	 session_reply(struct session *, enum reply, const char *detail);
/* The reply, and then the end. */
void	 session_end(struct session *, enum reply, const char *why);
/* Auth does not serve this client: 421, as soon as it can be said. */
void	 session_banned(struct session *);
/* The end without words. */
void	 session_drop(struct session *, const char *why);
/* Auth has looked at the client's certificate, or will not. */
void	 session_certificate(struct session *, bool good);
/* A fresh channel to auth: tell it of all sessions in order. */
void	 session_tell_auth(void);
/* The channel to auth is gone: who waits gets 454. */
void	 session_auth_gone(void);
/* Say 421 to all that are idle; done is called when none is left. */
void	 session_shutdown(void (*done)(void));

#endif
