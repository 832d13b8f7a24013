#ifndef FUZZ_SESSION_FUZZ_H
#define FUZZ_SESSION_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc.h"

/*
 * What f_session.c is made of: the front-end under test between three that it
 * talks to, each of which knows what it may be told and ends the program
 * (abort) when it is told something else.
 */

void	 broken(const char *rule, const char *detail)
	    __attribute__((__noreturn__));

/* --- session_peers.c: queue and auth as the fuzzer plays them --- */

#define QID_MAX	32

struct peers {
	unsigned int	 moves;		/* messages received */
	uint64_t	 sid;		/* of the session under test */
	bool		 closed;	/* SMTP_CLOSE came */
	/* Verdicts given and not yet seen by the client. */
	unsigned int	 mail_ok;
	unsigned int	 rcpt_ok;
	char		 qid[QID_MAX];	/* of a message made durable, or "" */
};

extern struct peers	 peers;

/* Begin: the channels' far ends; the front-end's ends are the caller's. */
void	 peers_queue(int fd);
void	 peers_auth(int fd);
void	 peers_auth_end(void);
/* A session of its own; local: logged in, passed with the descriptor. */
void	 peers_begin(uint64_t sid);
void	 peers_local(uint64_t sid, int fd);
/* The end of an input: nothing of it may be left. */
void	 peers_end(void);
/* Answer the oldest question; false: none is open. */
bool	 peers_answer(unsigned int verdict);
/* The queue takes octets; false: it has taken all. */
bool	 peers_credit(size_t);
/* auth decides, or asks on; false: nobody waits for it. */
bool	 peers_login(unsigned int verdict, uint32_t delay);
bool	 peers_challenge(const void *, size_t);

/* --- session_client.c: what a client may be told --- */

/* Begin; proxied: a PROXY header comes first. */
void	 client_begin(bool proxied);
void	 client_end(void);
/* Octets that were written to the session. */
void	 client_sent(const void *, size_t);
/* Octets that came from it. */
void	 client_got(const void *, size_t);
/* The TLS handshake is due; then, that it was begun. */
bool	 client_wants_tls(void);
void	 client_began_tls(void);
/* Was a last word said, after which the connection may be closed? */
bool	 client_is_over(void);
/* Nothing is under way any more: has every command got its reply? */
void	 client_settled(void);

#endif
