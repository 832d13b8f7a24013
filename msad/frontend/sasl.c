/*
 * SASL on the wire (RFC 4954): lines of base64 between the client and
 * msad-auth, which decides. Part of the front-end; nothing is understood here
 * but the framing, and nothing that passes is kept: decoded octets are wiped
 * once they are on the channel, lines by session.c.
 */

#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "common/base64.h"
#include "common/conf.h"
#include "common/conf_mech.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/frontend/command.h"
#include "msad/frontend/frontend.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/tls.h"

#define CERT_MAX	8192	/* octets of a client certificate */

/* What the block offers to this client, under TLS. */
static unsigned int
offered(const struct session *s)
{
	unsigned int	 mechs = s->set->mechs;

	if (!s->external)
		mechs &= ~(unsigned int)CONF_MECH_EXTERNAL;
	return mechs;
}

const char *
sasl_mechanisms(const struct session *s)
{
	static char	 buf[CONF_MECH_NAMES_MAX];

	return conf_mech_names(offered(s), buf);
}

/* The mechanism's name as auth knows it, NULL when it is not offered. */
static const char *
mechanism(const struct session *s, struct slice name)
{
	const struct conf_mech	*m = conf_mech_name(name);

	return m != NULL && (offered(s) & m->flag) != 0 ? m->name : NULL;
}

/*
 * What a login may be bound to, once a connection, before its first AUTH.
 * True when there is a client certificate in it, about which auth will answer.
 */
static bool
tell_tls(struct session *s)
{
	struct ipc		*auth = frontend_auth();
	struct tls_bindings	 b;
	const char		*version = tls_conn_version(s->c.tls);
	unsigned char		 cert[CERT_MAX];
	size_t			 n = 0;

	s->tls_told = true;
	server_tls_bindings(s->c.ssl, &b);
	if (s->set->cas != NULL)
		n = server_tls_certificate(s->c.ssl, cert, sizeof(cert));
	ipc_start(auth, IPC_SESSION_TLS, s->sid);
	ipc_put_str(auth, version != NULL ? version : "");
	ipc_put_bytes(auth, b.exporter, b.nexporter);
	ipc_put_bytes(auth, b.unique, b.nunique);
	ipc_put_bytes(auth, b.endpoint, b.nendpoint);
	ipc_put_bytes(auth, cert, n);
	ipc_send(auth);
	explicit_bzero(&b, sizeof(b));
	return n > 0;
}

bool
sasl_certificate(struct session *s)
{
	return frontend_auth() != NULL && tell_tls(s);
}

static void
wait_for_auth(struct session *s)
{
	session_enter(s, SESSION_AUTH_WAIT);
}

/* Decode a response; "=" is the empty one of an AUTH command. */
static int
decode(struct slice text, bool initial, uint8_t *buf, size_t size)
{
	if (initial && slice_is(text, "="))
		return 0;
	if (initial && text.len == 0)
		return -1;
	return base64_decode(text, buf, size);
}

/* auth lets go of the login by address when it reads of the attempt. */
static void
leave_address(struct session *s)
{
	s->auth_begun = true;
	if (!s->by_address)
		return;
	free(s->user);
	s->user = NULL;
	s->by_address = false;
}

static void
send_start(struct session *s, const char *mech, const struct auth_args *a,
    const uint8_t *octets, size_t n)
{
	struct ipc	*auth = frontend_auth();

	leave_address(s);
	if (s->c.tls != NULL && !s->tls_told)
		(void)tell_tls(s);
	ipc_start(auth, IPC_AUTH_START, s->sid);
	ipc_put_u8(auth, s->c.tls != NULL);
	ipc_put_str(auth, mech);
	ipc_put_u8(auth, a->has_initial);
	ipc_put_bytes(auth, octets, n);
	ipc_send(auth);
	s->auth_reply = REPLY_NONE;
	wait_for_auth(s);
}

bool
sasl_open(const struct session *s)
{
	return s->user == NULL || s->by_address;
}

void
sasl_granted(struct session *s, struct slice user)
{
	/* it crossed an AUTH, which counts; or the client knows better */
	if (s->auth_begun || s->user != NULL)
		return;
	if ((s->user = strndup(user.p, user.len)) == NULL) {
		session_drop(s, "out-of-memory");
		return;
	}
	s->by_address = true;
	log_info("s=%s event=auth result=address user=%s client=%s",
	    session_id(s), log_q(s->user), s->peer);
}

void
sasl_start(struct session *s, struct slice args)
{
	uint8_t			 octets[COMMAND_SASL_MAX];
	struct auth_args	 a;
	const char		*mech;
	enum reply		 r;
	int			 n = 0;

	if ((r = command_auth(args, &a)) != REPLY_NONE) {
		session_reply(s, r, NULL);
		return;
	}
	if ((mech = mechanism(s, a.mechanism)) == NULL) {
		session_reply(s, REPLY_BAD_MECHANISM, NULL);
		return;
	}
	if (s->c.tls == NULL) {		/* R4954-6-d: it is not looked at */
		session_reply(s, REPLY_CLEAR_AUTH, NULL);
		return;
	}
	if (a.has_initial && (n = decode(a.initial, true, octets,
	    sizeof(octets))) == -1)
		session_reply(s, REPLY_BAD_BASE64, NULL);
	else if (frontend_auth() == NULL || s->auth_owed > 0) {
		stats_inc(STAT_AUTH_TEMPFAIL);
		session_reply(s, REPLY_AUTH_BUSY, NULL);
	} else
		send_start(s, mech, &a, octets, (size_t)n);
	explicit_bzero(octets, sizeof(octets));
}

/* End the exchange from our side: r is the reply once auth let go. */
static void
cancel(struct session *s, enum reply r)
{
	if (frontend_auth() == NULL) {
		session_enter(s, SESSION_COMMAND);
		session_reply(s, r, NULL);
		return;
	}
	ipc_send_empty(frontend_auth(), IPC_AUTH_CANCEL, s->sid);
	s->auth_reply = r;
	wait_for_auth(s);
}

void
sasl_line(struct session *s, struct slice line)
{
	uint8_t	octets[COMMAND_SASL_MAX];
	int	n;

	if (frontend_auth() == NULL || s->auth_gone) {
		sasl_unavailable(s);
		return;
	}
	if (slice_is(line, "*")) {
		cancel(s, REPLY_AUTH_CANCELLED);
		return;
	}
	if ((n = decode(line, false, octets, sizeof(octets))) == -1) {
		explicit_bzero(octets, sizeof(octets));
		cancel(s, REPLY_BAD_BASE64);
		return;
	}
	ipc_start(frontend_auth(), IPC_AUTH_RESPONSE, s->sid);
	ipc_put_bytes(frontend_auth(), octets, (size_t)n);
	ipc_send(frontend_auth());
	explicit_bzero(octets, sizeof(octets));
	wait_for_auth(s);
}

void
sasl_too_long(struct session *s)
{
	if (frontend_auth() == NULL || s->auth_gone)
		sasl_unavailable(s);
	else
		cancel(s, REPLY_SASL_TOO_LONG);
}

void
sasl_challenge(struct session *s, struct slice challenge)
{
	char	text[12288];
	int	n;

	memcpy(text, "334 ", 4);
	n = base64_encode(challenge.p, challenge.len, text + 4,
	    sizeof(text) - 6);
	if (n == -1) {
		cancel(s, REPLY_AUTH_BUSY);
		return;
	}
	memcpy(text + 4 + n, "\r\n", 2);
	if (conn_put(&s->c, text, (size_t)n + 6) == -1)
		session_drop(s, "out-of-memory");
	else
		session_enter(s, SESSION_SASL);
	s->flush = true;
}

void
sasl_result(struct session *s, unsigned int verdict, struct slice user,
    uint32_t delay)
{
	s->auth_verdict = (uint8_t)verdict;
	if (verdict == VERDICT_OK && s->auth_reply == REPLY_NONE) {
		free(s->user);
		if ((s->user = strndup(user.p, user.len)) == NULL) {
			session_drop(s, "out-of-memory");
			return;
		}
	}
	if (delay == 0) {
		sasl_finish(s);
		return;
	}
	s->until = session_now() + delay;
	session_enter(s, SESSION_AUTH_DELAY);
}

/* A failed login, by the client's doing. */
static bool
is_failure(enum reply r)
{
	return r == REPLY_AUTH_FAILED || r == REPLY_AUTH_DISABLED ||
	    r == REPLY_AUTH_EXPIRED || r == REPLY_AUTH_WEAK;
}

void
sasl_finish(struct session *s)
{
	enum reply	r = reply_of_verdict(s->auth_verdict);
	bool		last = s->auth_verdict == VERDICT_AUTH_LAST;

	if (s->auth_reply != REPLY_NONE)
		r = s->auth_reply;
	else if (s->auth_verdict == VERDICT_OK) {
		r = REPLY_AUTH_OK;
		log_info("s=%s event=auth result=ok user=%s client=%s",
		    session_id(s), log_q(s->user), s->peer);
	} else
		log_info("s=%s event=auth result=%u client=%s",
		    session_id(s), reply_code(r), s->peer);
	session_enter(s, SESSION_COMMAND);
	session_reply(s, r, NULL);
	s->flush = true;
	if (is_failure(r) &&
	    (++s->auth_failures == s->set->limits.failed_logins || last))
		session_end(s, REPLY_TOO_MANY_AUTH, "auth-failures");
}

void
sasl_unavailable(struct session *s)
{
	if (s->state == SESSION_AUTH_WAIT && frontend_auth() != NULL &&
	    !s->auth_gone) {
		ipc_send_empty(frontend_auth(), IPC_AUTH_CANCEL, s->sid);
		s->auth_owed++;
	}
	s->auth_gone = false;
	stats_inc(STAT_AUTH_TEMPFAIL);
	session_enter(s, SESSION_COMMAND);
	session_reply(s, REPLY_AUTH_BUSY, NULL);
	s->flush = true;
}
