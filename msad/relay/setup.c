/*
 * From a host name to an SMTP session that takes mail, in msad-relay.
 *
 * Called by pool.c (client_new) and by client.c for what happens before
 * CLIENT_IDLE. All addresses of the host are tried in order; what goes wrong
 * before the login moves on to the next one, and what went wrong where it got
 * furthest is the reason when none is left. An address that lacks an extension
 * which the job needs is passed by while there are others. TLS, once the relay
 * block asks for it, is never done without. Every failure here is transient,
 * save a next hop that turns out to be ourselves.
 */

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base64.h"
#include "common/log.h"
#include "common/slice.h"
#include "common/stats.h"
#include "msad/relay/client.h"
#include "msad/relay/pool.h"

static void	 setup_next_address(struct client *);

static time_t
now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void
setup_wipe(struct client *c)
{
	freezero(c->password, c->password_len + 1);
	c->password = NULL;
	c->password_len = 0;
}

/* No further address is tried: c->trouble says why. */
static void
setup_fail(struct client *c)
{
	log_info("event=relay-setup-failed relay=%s host=%s reason=%s",
	    log_q(pool_conf(c->pool)->name), log_q(c->host),
	    log_q(c->trouble.text));
	stats_inc(STAT_RELAY_CONNECT_FAILED);
	pool_setup_failed(c->pool, c, &c->trouble);
}

static void
setup_disconnect(struct client *c)
{
	if (c->counted)
		stats_dec(STAT_RELAY_CONNECTIONS_ACTIVE);
	c->counted = 0;
	conn_free(c->conn);
	c->conn = NULL;
}

/* Of all addresses the one that got furthest gives the reason. */
static void
setup_note(struct client *c)
{
	enum client_state	 reached = c->state;

	if (reached == CLIENT_CONNECT && c->conn != NULL &&
	    conn_has_tls(c->conn))
		reached = CLIENT_TLS;
	if (reached < c->worst_state)
		return;
	c->worst_state = reached;
	c->worst = c->trouble;
	strlcpy(c->worst_host, c->host, sizeof(c->worst_host));
}

void
setup_abandon(struct client *c)
{
	setup_note(c);
	setup_disconnect(c);
	reply_reset(&c->reply);
	setup_next_address(c);
}

/*
 * What the reply says is about us or the host and not about a message, so
 * that it counts as transient whatever its class.
 */
static void
setup_take_refusal(struct client *c)
{
	client_refusal(c, &c->trouble);
	c->trouble.outcome = OUTCOME_TRANSIENT;
	c->trouble.enhanced[0] = '4';
}

static void
setup_refused(struct client *c)
{
	setup_take_refusal(c);
	setup_abandon(c);
}

static void
setup_next_address(struct client *c)
{
	const struct pool_conf	*conf = pool_conf(c->pool);
	const char		*reason;

	while (c->iaddr < c->naddr) {
		snprintf(c->host, sizeof(c->host), "%.200s[%s]:%u", conf->host,
		    c->addr[c->iaddr], conf->port);
		c->state = CLIENT_CONNECT;
		c->conn = conn_open(c->addr[c->iaddr++], conf->port,
		    conf->tls == CONF_TLS_IMPLICIT ? conf->trust : NULL,
		    conf->host, client_event, c, &reason);
		if (c->conn != NULL) {
			conn_timeout(c->conn, conf->tls == CONF_TLS_IMPLICIT ?
			    TIMEOUT_HANDSHAKE : TIMEOUT_CONNECT);
			return;
		}
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.4.1",
		    "cannot connect: %s", reason);
		setup_note(c);
	}
	if (c->fallback != 0 && !c->searched) {
		c->searched = 1;
		c->iaddr = c->fallback - 1;
		setup_next_address(c);
		return;
	}
	c->trouble = c->worst;
	strlcpy(c->host, c->worst_host, sizeof(c->host));
	setup_fail(c);
}

static void
setup_resolved(struct resolved *answer, void *arg)
{
	static const char *const why[] = {
		"has no address", "no such host name", "has no address",
		"host name not resolved in time"
	};
	struct client	*c = arg;

	c->query = NULL;
	if (answer->status != RESOLVE_OK || answer->n == 0) {
		result_set(&c->trouble, OUTCOME_TRANSIENT,
		    answer->status == RESOLVE_TRANSIENT ? "4.4.3" : "4.4.4",
		    "%.255s: %s", pool_conf(c->pool)->host,
		    why[answer->status]);
		setup_fail(c);
		return;
	}
	memcpy(c->addr, answer->addr, sizeof(c->addr));
	c->naddr = answer->n;
	answer->n = 0;
	setup_next_address(c);
}

struct client *
client_new(struct pool *pool, const struct job *job)
{
	struct client	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("out of memory");
	c->pool = pool;
	c->born = now();
	c->wants = job->needs;
	reply_init(&c->reply);
	strlcpy(c->host, pool_conf(pool)->host, sizeof(c->host));
	if (job->user != NULL) {
		c->user = strdup(job->user);
		c->password = malloc(job->password_len + 1);
		if (c->user == NULL || c->password == NULL)
			fatal("out of memory");
		memcpy(c->password, job->password, job->password_len + 1);
		c->password_len = job->password_len;
		memcpy(c->cred, job->cred, sizeof(c->cred));
	}
	c->query = resolve_start(pool_conf(pool)->host, setup_resolved, c);
	if (c->query == NULL)
		fatal("out of memory");
	return c;
}

void
client_close(struct client *c)
{
	resolve_cancel(c->query);
	c->query = NULL;
	setup_disconnect(c);
	setup_wipe(c);
	c->state = CLIENT_CLOSED;
}

void
client_free(struct client *c)
{
	unsigned int	 i;

	for (i = 0; i < c->naddr; i++)
		free(c->addr[i]);
	free(c->user);
	free(c->tx);
	reply_free(&c->reply);
	free(c);
}

int
client_same_credentials(const struct client *c, const struct job *job)
{
	return memcmp(c->cred, job->cred, sizeof(c->cred)) == 0;
}

/* Ready to take mail. */
static void
setup_done(struct client *c)
{
	setup_wipe(c);
	c->tls[0] = '\0';
	if (conn_has_tls(c->conn))
		snprintf(c->tls, sizeof(c->tls), "%s %s", conn_tls(c->conn),
		    pool_conf(c->pool)->verify ? "verified" : "unverified");
	log_debug("event=relay-connected relay=%s host=%s tls=%s caps=%x",
	    log_q(pool_conf(c->pool)->name), log_q(c->host), log_q(c->tls),
	    c->caps);
	c->state = CLIENT_IDLE;
	pool_ready(c->pool, c);
}

/* The login failed in a way that other addresses will not cure. */
static void
setup_auth_failed(struct client *c, const char *reason)
{
	if (reason == NULL)
		setup_take_refusal(c);
	else
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.7.0", "%s",
		    reason);
	setup_fail(c);
}

/*
 * Send a line that ends with base64 of what may be a secret. The output
 * buffer is wiped as soon as it is written.
 */
static void
setup_send_secret(struct client *c, const char *verb, const char *p,
    size_t len)
{
	size_t	 vlen = strlen(verb), size = len * 4 / 3 + 8;
	char	*line;
	int	 n;

	if ((line = conn_reserve(c->conn, vlen + size + 2)) == NULL)
		fatal("out of memory");
	conn_wipe_output(c->conn);
	memcpy(line, verb, vlen);
	if ((n = base64_encode(p, len, line + vlen, size)) < 0)
		fatal("event=relay error=\"base64\"");
	memcpy(line + vlen + n, "\r\n", 2);
	conn_commit(c->conn, vlen + (size_t)n + 2);
	conn_timeout(c->conn, TIMEOUT_COMMAND);
	conn_flush(c->conn);
}

static void
setup_auth_plain(struct client *c)
{
	size_t	 ulen = strlen(c->user), len = ulen + c->password_len + 2;
	char	*plain;

	if ((plain = malloc(len)) == NULL)
		fatal("out of memory");
	plain[0] = '\0';
	memcpy(plain + 1, c->user, ulen + 1);
	memcpy(plain + ulen + 2, c->password, c->password_len);
	c->state = CLIENT_AUTH;
	setup_send_secret(c, "AUTH PLAIN ", plain, len);
	freezero(plain, len);
}

static void
setup_auth(struct client *c)
{
	if (!conn_has_tls(c->conn) && !conn_is_loopback(c->conn))
		setup_auth_failed(c, "credentials are not sent without TLS");
	else if (c->caps & CAP_PLAIN)
		setup_auth_plain(c);
	else if (c->caps & CAP_LOGIN) {
		c->state = CLIENT_LOGIN_USER;
		client_command(c, TIMEOUT_COMMAND, "AUTH LOGIN");
	} else
		setup_auth_failed(c, "the next hop offers neither AUTH PLAIN "
		    "nor AUTH LOGIN");
}

/* One word of an EHLO line; moves *s past it. */
static struct slice
next_word(struct slice *s)
{
	struct slice	 w;
	size_t		 n = 0, skip = 0;

	while (skip < s->len && (s->p[skip] == ' ' || s->p[skip] == '='))
		skip++;
	*s = slice_from(*s, skip);
	while (n < s->len && s->p[n] != ' ' && s->p[n] != '=')
		n++;
	w = SLICE(s->p, n);
	*s = slice_from(*s, n);
	return w;
}

static uint64_t
size_limit(struct slice w)
{
	uint64_t	 n = 0;
	size_t		 i;

	for (i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9' || n > UINT64_MAX / 20)
			return 0;
		n = n * 10 + (uint64_t)(w.p[i] - '0');
	}
	return n;
}

/* The same of DELIVERBY, in seconds; what cannot be read is too long a time. */
static uint32_t
by_minimum(struct slice w)
{
	uint32_t	 n = 0;
	size_t		 i;

	if (w.len > 9)
		return UINT32_MAX;
	for (i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return UINT32_MAX;
		n = n * 10 + (uint32_t)(w.p[i] - '0');
	}
	return n;
}

static void
setup_capability(struct client *c, struct slice line)
{
	struct slice	 word = next_word(&line);

	if (slice_is_nocase(word, "PIPELINING"))
		c->caps |= CAP_PIPELINING;
	else if (slice_is_nocase(word, "8BITMIME"))
		c->caps |= CAP_8BITMIME;
	else if (slice_is_nocase(word, "STARTTLS"))
		c->caps |= CAP_STARTTLS;
	else if (slice_is_nocase(word, "DSN"))
		c->caps |= CAP_DSN;
	else if (slice_is_nocase(word, "SMTPUTF8"))
		c->caps |= CAP_SMTPUTF8;
	else if (slice_is_nocase(word, "MT-PRIORITY"))
		c->caps |= CAP_MT_PRIORITY;
	else if (slice_is_nocase(word, "DELIVERBY")) {
		c->caps |= CAP_DELIVERBY;
		c->by_min = by_minimum(next_word(&line));
	} else if (slice_is_nocase(word, "SIZE")) {
		c->caps |= CAP_SIZE;
		c->size_limit = size_limit(next_word(&line));
	} else if (slice_is_nocase(word, "AUTH")) {
		c->caps |= CAP_AUTH;
		while ((word = next_word(&line)).len > 0) {
			if (slice_is_nocase(word, "PLAIN"))
				c->caps |= CAP_PLAIN;
			else if (slice_is_nocase(word, "LOGIN"))
				c->caps |= CAP_LOGIN;
		}
	}
}

static void
setup_capabilities(struct client *c)
{
	const char	*p;
	size_t		 len;
	unsigned int	 i;

	c->caps = 0;
	c->size_limit = 0;
	c->by_min = 0;
	for (i = 1; reply_line(&c->reply, i, &p, &len) == 0; i++)
		setup_capability(c, SLICE(p, len));
	if ((c->caps & CAP_8BITMIME) == 0)	/* RFC 6531 section 3.1 */
		c->caps &= ~(unsigned int)CAP_SMTPUTF8;
}

/* Does the reply begin with our own name (R5321-6.3-b)? */
static int
setup_is_loop(struct client *c)
{
	struct slice	 line = { "", 0 }, name;

	if (reply_line(&c->reply, 0, &line.p, &line.len) == -1)
		return 0;
	name = next_word(&line);
	if (!slice_is_nocase(name, pool_conf(c->pool)->hostname))
		return 0;
	result_set(&c->trouble, OUTCOME_PERMANENT, "5.4.6",
	    "mail loop: the next hop is this host, %.255s",
	    pool_conf(c->pool)->hostname);
	setup_fail(c);
	return 1;
}

static void
setup_ehlo(struct client *c)
{
	c->state = CLIENT_EHLO;
	client_command(c, TIMEOUT_COMMAND, "EHLO %s",
	    pool_conf(c->pool)->helo);
}

/*
 * This address lacks an extension that the job needs: go on to the next one.
 * When none has it, one that lacks it will do, to say so (R6531-3.2-b).
 */
static int
setup_looks_on(struct client *c)
{
	if ((c->wants & ~c->caps) == 0 || c->searched)
		return 0;
	if (c->iaddr == c->naddr) {
		c->searched = 1;
		return 0;
	}
	if (c->fallback == 0)
		c->fallback = c->iaddr;
	client_command(c, TIMEOUT_QUIT, "QUIT");
	setup_disconnect(c);
	reply_reset(&c->reply);
	setup_next_address(c);
	return 1;
}

/* EHLO or HELO was taken: what comes next? */
static void
setup_greeted(struct client *c)
{
	if (setup_is_loop(c))
		return;
	if (pool_conf(c->pool)->tls == CONF_TLS_STARTTLS &&
	    !conn_has_tls(c->conn)) {
		if ((c->caps & CAP_STARTTLS) == 0) {
			result_set(&c->trouble, OUTCOME_TRANSIENT, "4.7.4",
			    "TLS is required and the next hop does not offer "
			    "STARTTLS");
			setup_abandon(c);
			return;
		}
		c->state = CLIENT_STARTTLS;
		client_command(c, TIMEOUT_COMMAND, "STARTTLS");
	} else if (setup_looks_on(c))
		return;
	else if (c->user != NULL)
		setup_auth(c);
	else
		setup_done(c);
}

static void
setup_ehlo_reply(struct client *c, unsigned int class)
{
	if (class == 2) {
		setup_capabilities(c);
		setup_greeted(c);
	} else if (class == 5 && c->reply.code != 554) {
		c->state = CLIENT_HELO;
		client_command(c, TIMEOUT_COMMAND, "HELO %s",
		    pool_conf(c->pool)->helo);
	} else
		setup_refused(c);
}

static void
setup_starttls_reply(struct client *c)
{
	const struct pool_conf	*conf = pool_conf(c->pool);

	if (c->reply.code != 220) {
		setup_refused(c);
		return;
	}
	c->state = CLIENT_TLS;
	conn_timeout(c->conn, TIMEOUT_HANDSHAKE);
	if (conn_starttls(c->conn, conf->trust, conf->host) == -1) {
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.7.5", "%s",
		    conn_reason(c->conn));
		setup_abandon(c);
	}
}

void
setup_reply(struct client *c)
{
	unsigned int	 class = c->reply.code / 100;

	switch (c->state) {
	case CLIENT_GREETING:
		if (class != 2)
			setup_refused(c);
		else if (!setup_is_loop(c))
			setup_ehlo(c);
		return;
	case CLIENT_EHLO:
		setup_ehlo_reply(c, class);
		return;
	case CLIENT_HELO:
		c->caps = 0;
		c->size_limit = 0;
		if (class == 2)
			setup_greeted(c);
		else
			setup_refused(c);
		return;
	case CLIENT_STARTTLS:
		setup_starttls_reply(c);
		return;
	case CLIENT_LOGIN_USER:
		if (c->reply.code != 334) {
			setup_auth_failed(c, NULL);
			return;
		}
		c->state = CLIENT_LOGIN_PASS;
		setup_send_secret(c, "", c->user, strlen(c->user));
		return;
	case CLIENT_LOGIN_PASS:
		if (c->reply.code != 334) {
			setup_auth_failed(c, NULL);
			return;
		}
		c->state = CLIENT_AUTH;
		setup_send_secret(c, "", c->password, c->password_len);
		return;
	case CLIENT_AUTH:
		if (class == 2)
			setup_done(c);
		else
			setup_auth_failed(c, NULL);
		return;
	default:	/* octets before it was our turn to listen */
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.5.0",
		    "a reply that nothing was asked for");
		setup_abandon(c);
	}
}

/* CONN_UP, CONN_LOST and CONN_TIMEOUT before CLIENT_IDLE. */
void
setup_event(struct client *c, enum conn_event ev)
{
	static const char *const what[] = {
		[CLIENT_CONNECT] = "connecting",
		[CLIENT_GREETING] = "waiting for the greeting",
		[CLIENT_EHLO] = "sending EHLO",
		[CLIENT_HELO] = "sending HELO",
		[CLIENT_STARTTLS] = "sending STARTTLS",
		[CLIENT_TLS] = "in the TLS handshake",
		[CLIENT_AUTH] = "logging in",
		[CLIENT_LOGIN_USER] = "logging in",
		[CLIENT_LOGIN_PASS] = "logging in",
	};
	int	 tls = c->state == CLIENT_TLS ||
	    (c->state == CLIENT_CONNECT && conn_has_tls(c->conn));

	if (ev == CONN_UP) {
		if (conn_has_tls(c->conn))
			stats_inc(STAT_RELAY_TLS);
		if (c->state == CLIENT_TLS) {
			c->caps = 0;
			setup_ehlo(c);
			return;
		}
		stats_inc(STAT_RELAY_CONNECTIONS);
		stats_inc(STAT_RELAY_CONNECTIONS_ACTIVE);
		c->counted = 1;
		c->state = CLIENT_GREETING;
		conn_timeout(c->conn, TIMEOUT_GREETING);
		return;
	}
	if (ev == CONN_TIMEOUT)
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.4.1",
		    "timed out %s", what[c->state]);
	else if (c->state == CLIENT_CONNECT || tls)
		result_set(&c->trouble, OUTCOME_TRANSIENT,
		    tls ? "4.7.5" : "4.4.1", "%s", conn_reason(c->conn));
	else
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.4.2",
		    "%s while %s", conn_reason(c->conn), what[c->state]);
	setup_abandon(c);
}
