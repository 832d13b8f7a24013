/*
 * How long a session may take for what it is at, and what becomes of it then.
 * Part of the front-end; session.c arms one timer a session with
 * timeouts_due() and calls timeouts_expired() when that moment is there.
 */

#include "msad/frontend/frontend.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/smtp.h"
#include "msad/frontend/timeouts.h"

/* Milliseconds. */
#define HANDSHAKE_MS	60000
#define PROXY_MS	5000		/* PX-1 */
#define CERT_MS		5000
#define RATE_WINDOW_MS	300000
#define AUTH_MS		60000
#define ANSWER_MS	110000		/* R6409-5.3-a */
#define UNREAD_MS	300000		/* X-slow-3 */
#define CLOSING_MS	30000
#define LINGER_MS	2000

/* A limit of the configuration, in ms. */
static int64_t
limit_ms(uint64_t seconds)
{
	return (int64_t)seconds * 1000;
}

/* When the state ends by itself, in ms. */
static int64_t
state_due(const struct session *s)
{
	int64_t	due;

	switch (s->state) {
	case SESSION_HANDSHAKE:
		return s->since + HANDSHAKE_MS;
	case SESSION_PROXY:
		return s->since + PROXY_MS;
	case SESSION_CERT_WAIT:
		return s->since + CERT_MS;
	case SESSION_AUTH_WAIT:
		return s->since + AUTH_MS;
	case SESSION_AUTH_DELAY:
		return s->until;
	case SESSION_MAIL_WAIT:
	case SESSION_RCPT_WAIT:
	case SESSION_DATA_END:
	case SESSION_QUEUE_WAIT:
		return s->since + ANSWER_MS;
	case SESSION_DATA:
	case SESSION_CHUNK:
		due = s->last + limit_ms(s->set->limits.data_time);
		return s->window + RATE_WINDOW_MS < due ?
		    s->window + RATE_WINDOW_MS : due;
	case SESSION_CLOSING:
		return s->since + CLOSING_MS;
	case SESSION_LINGER:
		return s->since + LINGER_MS;
	default:
		return s->last + limit_ms(s->set->limits.idle_time);
	}
}

int64_t
timeouts_due(const struct session *s)
{
	int64_t	due = state_due(s);
	int64_t	login = s->opened + limit_ms(s->set->limits.login_time);

	if (s->user == NULL && s->state < SESSION_CLOSING &&
	    login < due)
		due = login;
	if (s->stuck != 0 && s->stuck + UNREAD_MS < due)
		due = s->stuck + UNREAD_MS;
	return due;
}

/* The queue did not answer MAIL or RCPT: nothing of it counts. */
static void
answer_late(struct session *s)
{
	s->owed++;
	if (s->tx != NULL)
		smtp_reset(s);
	else if (frontend_queue() != NULL)
		ipc_send_empty(frontend_queue(), IPC_SMTP_RESET, s->sid);
	session_enter(s, SESSION_COMMAND);
	session_reply(s, REPLY_TROUBLE, NULL);
	s->flush = true;
}

/* DATA or BDAT: too slow, or is the rate window just over? */
static void
data_late(struct session *s, int64_t now)
{
	uint64_t	size = s->state == SESSION_CHUNK ? s->chunk_seen :
	    s->tx->data.size;
	uint64_t	n = size - s->window_size;

	if (s->waits_turn) {		/* it is us who are slow */
		s->window = s->last = now;
		s->window_size = size;
		return;
	}
	if (now < s->last + limit_ms(s->set->limits.data_time) &&
	    n >= s->set->limits.data_rate * RATE_WINDOW_MS / 1000) {
		s->window = now;
		s->window_size = size;
		return;
	}
	session_end(s, REPLY_TIMEOUT, "data-timeout");
}

void
timeouts_expired(struct session *s, int64_t now)
{
	if (s->stuck != 0 && now >= s->stuck + UNREAD_MS) {
		session_drop(s, "replies-unread");
		return;
	}
	if (s->user == NULL && s->state < SESSION_CLOSING &&
	    s->state != SESSION_HANDSHAKE && s->state != SESSION_PROXY &&
	    now >= s->opened + limit_ms(s->set->limits.login_time)) {
		session_end(s, REPLY_TIMEOUT, "no-login");
		return;
	}
	switch (s->state) {
	case SESSION_COMMAND:
	case SESSION_SASL:
		session_end(s, REPLY_TIMEOUT, "idle");
		break;
	case SESSION_CERT_WAIT:
		session_certificate(s, false);
		break;
	case SESSION_AUTH_WAIT:
		sasl_unavailable(s);
		break;
	case SESSION_AUTH_DELAY:
		sasl_finish(s);
		break;
	case SESSION_MAIL_WAIT:
	case SESSION_RCPT_WAIT:
		answer_late(s);
		break;
	case SESSION_DATA:
	case SESSION_CHUNK:
		data_late(s, now);
		break;
	default:
		session_drop(s, "timeout");
	}
}
