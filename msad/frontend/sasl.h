#ifndef FRONTEND_SASL_H
#define FRONTEND_SASL_H

#include "common/slice.h"
#include "msad/frontend/session.h"

/*
 * The handshake is done: has the client shown a certificate? Then auth is
 * asked about it, and session_certificate() follows.
 */
bool	 sasl_certificate(struct session *);
/* May it log in (again)? By a password once, over its address's login. */
bool	 sasl_open(const struct session *);
/* AUTH with its arguments: an exchange begins, or is refused. */
void	 sasl_start(struct session *, struct slice args);
/* A response line of the client. */
void	 sasl_line(struct session *, struct slice line);
/* The line was too long: the exchange is over. */
void	 sasl_too_long(struct session *);
/* auth wants a response. */
void	 sasl_challenge(struct session *, struct slice challenge);
/* auth decided; the reply is due after delay ms. */
void	 sasl_result(struct session *, unsigned int verdict,
    struct slice user, uint32_t delay);
/*
 * The client's address stands for this login; AUTH by the client, now or
 * later, takes its place.
 */
void	 sasl_granted(struct session *, struct slice user);
/* The delay is over. */
void	 sasl_finish(struct session *);
/* No answer in time, or the channel broke: 454. */
void	 sasl_unavailable(struct session *);
/* The mechanisms of a listener as EHLO lists them ("PLAIN LOGIN"). */
const char *sasl_mechanisms(const struct session *);

#endif
