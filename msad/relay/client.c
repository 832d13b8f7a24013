/*
 * The SMTP client of msad-relay: mail transactions on a session that is set
 * up (setup.c), for the jobs that pool.c gives it.
 *
 * The envelope is a row of commands, [RSET] MAIL RCPT... DATA, of which
 * `sent` are out and `answered` have their reply; with PIPELINING all go out
 * in one write, without it one at a time (R2920-3.1-a). Replies are matched
 * by count. Nothing that the next hop sends is trusted: a reply out of turn
 * or broken ends the session, and what had no final answer is transient.
 *
 * SMTPUTF8 is asked for where the message needs it (R6531-3.2-b); a next hop
 * without it gets what can be said in ASCII (downgrade.c), and the rest fails.
 * Recipients with NOTIFY=NEVER have a transaction of their own with the null
 * sender where the next hop lacks DSN (R3461-5.2.2-b).
 */

#include <sys/types.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"
#include "msad/relay/client.h"
#include "msad/relay/deliverby.h"
#include "msad/relay/downgrade.h"
#include "msad/relay/pool.h"

#define TX_RCPTS_MAX	1000	/* recipients of one transaction */
#define COMMAND_MAX	4096
#define CHUNK		65536	/* content octets read at once */
#define CHUNKS_A_ROUND	16	/* then other connections have their turn */
#define RESTARTS_MAX	2

static char	 chunk[CHUNK];

static int	 tx_begin(struct client *);
static void	 content_pump(struct client *);

void
client_command(struct client *c, unsigned int timeout, const char *fmt, ...)
{
	va_list	 ap;
	char	*line;
	int	 n;

	if ((line = conn_reserve(c->conn, COMMAND_MAX)) == NULL)
		fatal("out of memory");
	va_start(ap, fmt);
	n = vsnprintf(line, COMMAND_MAX - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= COMMAND_MAX - 2)
		fatal("event=relay error=\"command too long\"");
	memcpy(line + n, "\r\n", 2);
	conn_commit(c->conn, (size_t)n + 2);
	if (timeout != 0) {
		conn_timeout(c->conn, timeout);
		conn_flush(c->conn);
	}
}

uint8_t
client_flags(const struct client *c)
{
	return (uint8_t)((c->caps & CAP_DSN ? RESULT_DSN : 0) |
	    (c->caps & CAP_SMTPUTF8 ? RESULT_SMTPUTF8 : 0) |
	    (c->caps & CAP_8BITMIME ? 0 : RESULT_7BIT) |
	    (c->job != NULL && deliverby_is_told(c, c->job) ?
	    RESULT_DELIVERBY : 0));
}

void
client_result(const struct client *c, struct result *res)
{
	unsigned int	 class = c->reply.code / 100;

	res->outcome = class == 2 ? OUTCOME_DELIVERED :
	    class == 5 ? OUTCOME_PERMANENT : OUTCOME_TRANSIENT;
	res->code = (uint16_t)c->reply.code;
	res->flags = client_flags(c);
	reply_enhanced(&c->reply, res->enhanced, sizeof(res->enhanced));
	reply_text(&c->reply, res->text, sizeof(res->text));
}

void
client_refusal(const struct client *c, struct result *res)
{
	client_result(c, res);
	if (res->outcome == OUTCOME_DELIVERED || c->reply.code / 100 == 3) {
		res->outcome = OUTCOME_TRANSIENT;
		strlcpy(res->enhanced, "4.5.0", sizeof(res->enhanced));
	}
}

/* --- the end of transactions, jobs and sessions --- */

static void
client_end(struct client *c)
{
	c->state = CLIENT_CLOSED;
	pool_gone(c->pool, c);
}

/* All that have no result get this one; the job is over. */
static void
job_finish(struct client *c, const struct result *res)
{
	struct job	*job = c->job;

	c->job = NULL;
	c->ntx = 0;
	if (res != NULL)
		job_all_results(job, res, c->host, c->tls);
	job_done(job, 0);
}

/* The session is of no use any more; the job, if there is one, fails. */
static void
client_break(struct client *c, const struct result *res)
{
	if (c->job != NULL)
		job_finish(c, res);
	client_end(c);
}

/*
 * The session ended before the next hop said anything about this job, and it
 * had worked before: the next hop had closed it meanwhile. Try another one.
 */
static int
client_restart(struct client *c)
{
	struct job	*job = c->job;

	if (c->messages == 0 || c->got_reply || job->restarts >= RESTARTS_MAX)
		return 0;
	job->restarts++;
	c->job = NULL;
	c->ntx = 0;
	/* ended first, so that the job does not come back to this one */
	c->state = CLIENT_CLOSED;
	pool_requeue(c->pool, job);
	pool_gone(c->pool, c);
	return 1;
}

/* The transaction is over: the rest of the recipients, or the next job. */
static void
tx_end(struct client *c)
{
	size_t	 len;

	c->messages++;
	(void)conn_input(c->conn, &len);
	if (len == 0 && tx_begin(c) == 0)
		return;
	if (len > 0) {		/* it says more than it was asked */
		result_set(&c->trouble, OUTCOME_TRANSIENT, "4.5.0",
		    "a reply that nothing was asked for");
		client_break(c, &c->trouble);
		return;
	}
	job_finish(c, NULL);
	c->state = CLIENT_IDLE;
	pool_ready(c->pool, c);
}

/*
 * A result of the transaction for one of its recipients. A refusal where MAIL
 * said <> may be about that: once more then, with the sender.
 */
static void
tx_rcpt_result(struct client *c, struct rcpt *rcpt, const struct result *res)
{
	if (!c->null_sender || res->outcome != OUTCOME_PERMANENT) {
		job_rcpt_result(c->job, rcpt, res, c->host, c->tls);
		return;
	}
	c->job->with_sender = 1;
	rcpt->state = RCPT_PENDING;
}

/* The result for the recipients that the next hop had accepted. */
static void
tx_accepted_result(struct client *c, const struct result *res)
{
	size_t	 i;

	for (i = 0; i < c->ntx; i++)
		if (c->tx[i]->state == RCPT_ACCEPTED)
			tx_rcpt_result(c, c->tx[i], res);
}

/* MAIL or RSET was refused: that concerns all of the transaction. */
static void
tx_refused(struct client *c)
{
	size_t	 i;

	for (i = 0; i < c->ntx; i++)
		if (c->tx[i]->state != RCPT_DONE)
			tx_rcpt_result(c, c->tx[i], &c->trouble);
}

/* --- the envelope --- */

/* " KEY=value", or "" without a value. */
static void
put_param(char *buf, size_t size, const char *key, struct slice value)
{
	buf[0] = '\0';
	if (value.p != NULL && value.len > 0)
		snprintf(buf, size, " %s=%.*s", key, SLICE_FMT(value));
}

/* A path as this transaction says it; buf has room for any. */
static const char *
tx_path(const struct client *c, const char *path, char *buf, size_t size)
{
	if (c->utf8 || idna_path_to_ascii(path, buf, size) == -1)
		return path;
	return buf;
}

static void
envelope_mail(struct client *c)
{
	const struct mail_params *m = &c->job->params;
	char	 size[40] = "", ret[80] = "", envid[PARAMS_ENVID_MAX + 8] = "";
	char	 path[JOB_PATH_MAX], by[DELIVERBY_PARAM_MAX], priority[20] = "";

	if (c->caps & CAP_DSN) {	/* as given: R3461-5.2.1-a */
		put_param(ret, sizeof(ret), "RET", m->ret_text);
		put_param(envid, sizeof(envid), "ENVID", m->envid);
	}
	if (c->caps & CAP_SIZE)
		snprintf(size, sizeof(size), " SIZE=%llu",
		    (unsigned long long)c->job->size);
	if (m->has_priority && (c->caps & CAP_MT_PRIORITY))
		snprintf(priority, sizeof(priority), " MT-PRIORITY=%d",
		    m->priority);
	deliverby_param(c, c->job, by);
	client_command(c, 0, "MAIL FROM:<%s>%s%s%s%s%s%s%s%s",
	    c->null_sender ? "" :
	    tx_path(c, c->job->from, path, sizeof(path)), size,
	    c->job->eightbit && (c->caps & CAP_8BITMIME) ?
	    " BODY=8BITMIME" : "", c->utf8 ? " SMTPUTF8" : "",
	    c->user != NULL && (c->caps & CAP_AUTH) ? " AUTH=<>" : "", ret,
	    envid, by, priority);
}

/*
 * The ORCPT of a recipient, octet for octet; what is not ASCII is escaped in
 * it already (R6533-3-a), and one that got too long by that is left out. A
 * missing one is added: the next hop would not know what was asked.
 */
static void
put_orcpt(const struct client *c, const struct rcpt *rcpt, char *buf,
    size_t size)
{
	struct slice	 given = rcpt->params.orcpt;
	char		 value[PARAMS_ORCPT_MAX + 1];
	int		 n;

	if (given.p != NULL) {
		if (given.len <= PARAMS_ORCPT_MAX)
			put_param(buf, size, "ORCPT", given);
		return;
	}
	n = orcpt_encode(SLICE_STR(rcpt->path), c->utf8, value, sizeof(value));
	if (n > 0)
		put_param(buf, size, "ORCPT", SLICE(value, (size_t)n));
}

static void
envelope_rcpt(struct client *c, const struct rcpt *rcpt)
{
	char	 notify[PARAMS_VALUE_MAX + 10] = "";
	char	 orcpt[PARAMS_ORCPT_MAX + 8] = "", path[JOB_PATH_MAX];

	if (c->caps & CAP_DSN) {
		put_param(notify, sizeof(notify), "NOTIFY",
		    rcpt->params.notify_text);
		put_orcpt(c, rcpt, orcpt, sizeof(orcpt));
	}
	client_command(c, 0, "RCPT TO:<%s>%s%s",
	    tx_path(c, rcpt->path, path, sizeof(path)), notify, orcpt);
}

static size_t
envelope_total(const struct client *c)
{
	return (c->rset_first ? 1 : 0) + c->ntx + 2;
}

/* Put command number i of the envelope into the output. */
static void
envelope_command(struct client *c, size_t i)
{
	if (c->rset_first && i-- == 0)
		client_command(c, 0, "RSET");
	else if (i == 0)
		envelope_mail(c);
	else if (i <= c->ntx)
		envelope_rcpt(c, c->tx[i - 1]);
	else
		client_command(c, 0, "DATA");
}

static void
envelope_pump(struct client *c)
{
	size_t	 total = envelope_total(c);
	int	 put = 0;

	while (c->sent < total &&
	    ((c->caps & CAP_PIPELINING) || c->sent == c->answered)) {
		envelope_command(c, c->sent++);
		put = 1;
	}
	conn_timeout(c->conn, c->answered + 1 == total ? TIMEOUT_DATA :
	    TIMEOUT_COMMAND);
	if (put)
		conn_flush(c->conn);
}

/* Can it go to this next hop? Else it has its result. */
static int
rcpt_suits(struct client *c, struct rcpt *rcpt)
{
	struct result	 res;

	if (downgrade_rcpt(c, rcpt, &res) == 0 &&
	    deliverby_suits(c, c->job, &res) == 0)
		return 1;
	job_rcpt_result(c->job, rcpt, &res, c->host, c->tls);
	return 0;
}

/* Gather recipients that go together. */
static void
tx_gather(struct client *c)
{
	struct job	*job = c->job;
	struct rcpt	**tx, *rcpt;
	size_t		 i, want;

	want = job->nrcpts < TX_RCPTS_MAX ? job->nrcpts : TX_RCPTS_MAX;
	if (c->txsize < want) {
		tx = reallocarray(c->tx, want, sizeof(*tx));
		if (tx == NULL)
			fatal("out of memory");
		c->tx = tx;
		c->txsize = want;
	}
	c->ntx = 0;
	for (i = 0; i < job->nrcpts && c->ntx < want; i++) {
		rcpt = &job->rcpts[i];
		if (rcpt->state != RCPT_PENDING || !rcpt_suits(c, rcpt))
			continue;
		if (c->ntx == 0)
			c->null_sender = downgrade_null_sender(c, rcpt);
		if (downgrade_null_sender(c, rcpt) == c->null_sender)
			c->tx[c->ntx++] = rcpt;
	}
	c->utf8 = downgrade_utf8(c);
}

/* Begin with recipients that are still to be sent; -1: there is none. */
static int
tx_begin(struct client *c)
{
	tx_gather(c);
	if (c->ntx == 0)
		return -1;
	c->sent = c->answered = c->accepted = 0;
	c->mail_refused = 0;
	c->offset = 0;
	dot_init(&c->dot);
	c->state = CLIENT_ENVELOPE;
	envelope_pump(c);
	return 0;
}

static void
envelope_rcpt_reply(struct client *c, struct rcpt *rcpt)
{
	struct result	 res;

	if (c->mail_refused)
		return;
	if (c->reply.code / 100 == 2) {
		rcpt->state = RCPT_ACCEPTED;
		c->accepted++;
		return;
	}
	/* too many for one transaction: R5321-4.5.3.1.10-a */
	if ((c->reply.code == 452 || c->reply.code == 552) && c->accepted > 0)
		return;
	client_refusal(c, &res);
	tx_rcpt_result(c, rcpt, &res);
}

/* MAIL or RSET was refused. */
static void
envelope_refused(struct client *c)
{
	client_refusal(c, &c->trouble);
	c->mail_refused = 1;
}

static void
envelope_data_reply(struct client *c)
{
	struct result	 res;

	if (c->reply.code == 354) {
		if (c->accepted > 0) {
			c->state = CLIENT_CONTENT;
			content_pump(c);
			return;
		}
		c->state = CLIENT_END;
		client_command(c, TIMEOUT_END, ".");
		return;
	}
	if (c->reply.code / 100 == 2 || c->reply.code / 100 == 3) {
		client_refusal(c, &res);
		client_break(c, &res);
		return;
	}
	client_refusal(c, &res);
	tx_accepted_result(c, &res);
	if (c->mail_refused)
		tx_refused(c);
	c->rset_first = 1;
	tx_end(c);
}

/*
 * Without pipelining the row may end early: after a refused MAIL, and before
 * DATA when no recipient is left.
 */
static int
envelope_ends_early(struct client *c, size_t i)
{
	if (c->sent != c->answered)
		return 0;
	if (c->mail_refused) {
		tx_refused(c);
		c->rset_first = 1;
		tx_end(c);
		return 1;
	}
	if (i == c->ntx && c->accepted == 0) {
		c->rset_first = 1;
		tx_end(c);
		return 1;
	}
	return 0;
}

static void
envelope_reply(struct client *c)
{
	size_t	 i = c->answered++;

	if (c->rset_first && i-- == 0) {
		if (c->reply.code / 100 != 2)
			envelope_refused(c);
		if (c->mail_refused && envelope_ends_early(c, i))
			return;
	} else if (i == 0) {
		if (c->reply.code / 100 != 2)
			envelope_refused(c);
		if (envelope_ends_early(c, i))
			return;
	} else if (i <= c->ntx) {
		envelope_rcpt_reply(c, c->tx[i - 1]);
		if (envelope_ends_early(c, i))
			return;
	} else {
		c->rset_first = 0;
		envelope_data_reply(c);
		return;
	}
	envelope_pump(c);
}

/* --- the content --- */

static void
content_failed(struct client *c, enum outcome outcome, const char *enhanced,
    const char *reason)
{
	struct result	 res;

	log_warn("q=%s event=relay-content reason=%s", c->job->id,
	    log_q(reason));
	result_set(&res, outcome, enhanced, "%s", reason);
	client_break(c, &res);
}

/* Put the next piece into the output. 0, or -1: the client is gone. */
static int
content_piece(struct client *c)
{
	ssize_t	 n, written;
	char	*out;

	n = job_read(c->job, c->offset, chunk, sizeof(chunk));
	if (n == -1) {
		content_failed(c, OUTCOME_TRANSIENT, "4.3.0", errno == 0 ?
		    "the message is shorter than it should be" :
		    "the message could not be read");
		return -1;
	}
	if ((out = conn_reserve(c->conn, DOT_ROOM((size_t)n) + 8)) == NULL)
		fatal("out of memory");
	written = dot_stuff(&c->dot, chunk, (size_t)n, out);
	if (written != -1) {
		conn_commit(c->conn, (size_t)written);
		c->offset += (uint64_t)n;
		if (c->offset < c->job->size)
			return 0;
		written = dot_end(&c->dot, out + written);
	}
	if (written == -1) {
		content_failed(c, OUTCOME_PERMANENT, "5.6.0",
		    "the message holds a bare CR or LF");
		return -1;
	}
	conn_commit(c->conn, (size_t)written);
	c->state = CLIENT_END;
	return 0;
}

/* Write as much of the content as the socket takes. */
static void
content_pump(struct client *c)
{
	int	 rounds;

	for (rounds = 0; c->state == CLIENT_CONTENT; rounds++) {
		if (conn_pending(c->conn) > 0)
			break;
		if (rounds == CHUNKS_A_ROUND) {
			conn_defer(c->conn);
			break;
		}
		if (content_piece(c) == -1)
			return;
		conn_flush(c->conn);
	}
	conn_timeout(c->conn, c->state == CLIENT_END &&
	    conn_pending(c->conn) == 0 ? TIMEOUT_END : TIMEOUT_BLOCK);
}

static void
content_reply(struct client *c)
{
	struct result	 res;

	if (c->accepted == 0) {		/* that was the lone dot */
		if (c->mail_refused)
			tx_refused(c);
		tx_end(c);
		return;
	}
	client_result(c, &res);
	if (c->reply.code / 100 == 3)
		client_refusal(c, &res);
	tx_accepted_result(c, &res);
	tx_end(c);
}

/* A reply before the content was out: it can only be the end. */
static void
content_interrupted(struct client *c)
{
	struct result	 res;

	client_refusal(c, &res);
	tx_accepted_result(c, &res);
	result_set(&res, OUTCOME_TRANSIENT, "4.4.2", "the session ended with "
	    "another transaction");
	client_break(c, &res);
}

/* --- events --- */

static void
client_reply(struct client *c)
{
	struct result	 res;

	if (c->state < CLIENT_IDLE) {
		setup_reply(c);
		return;
	}
	if (c->reply.code == 421 && c->job != NULL) {
		if (client_restart(c))
			return;
		client_result(c, &res);
		client_break(c, &res);
		return;
	}
	if (!c->got_reply && c->job != NULL)
		job_wipe_password(c->job);	/* no restart any more */
	c->got_reply = 1;
	switch (c->state) {
	case CLIENT_ENVELOPE:
		envelope_reply(c);
		return;
	case CLIENT_CONTENT:
		content_interrupted(c);
		return;
	case CLIENT_END:
		if (conn_pending(c->conn) > 0)
			content_interrupted(c);
		else
			content_reply(c);
		return;
	default:		/* idle: 421 most likely; after QUIT: 221 */
		client_end(c);
	}
}

/* No command awaits a reply. */
static int
client_owed_nothing(const struct client *c)
{
	return c->state == CLIENT_IDLE || c->state == CLIENT_CONTENT ||
	    (c->state == CLIENT_ENVELOPE && c->answered == c->sent);
}

static void
client_broken(struct client *c, const char *reason)
{
	result_set(&c->trouble, OUTCOME_TRANSIENT, "4.5.0",
	    "the next hop does not speak SMTP: %s", reason);
	log_info("event=relay-protocol host=%s reason=%s", log_q(c->host),
	    log_q(reason));
	if (c->state >= CLIENT_IDLE)
		client_break(c, &c->trouble);
	else
		setup_abandon(c);
}

/* Take the replies that are there. */
static void
client_input(struct client *c)
{
	enum reply_status	 st;
	const char		*p;
	size_t			 len, used;
	int			 early;

	while (c->state != CLIENT_CLOSED && c->conn != NULL) {
		p = conn_input(c->conn, &len);
		if (len == 0)
			return;
		if (c->state == CLIENT_TLS || c->state == CLIENT_CONNECT) {
			client_broken(c, "octets before the handshake");
			return;
		}
		early = client_owed_nothing(c);
		st = reply_feed(&c->reply, p, len, &used);
		conn_consume(c->conn, used);
		if (st == REPLY_MORE)
			return;
		if (st == REPLY_BROKEN) {
			client_broken(c, c->reply.reason);
			return;
		}
		if (early && c->state == CLIENT_ENVELOPE &&
		    c->reply.code != 421) {
			client_broken(c, "more replies than commands");
			return;
		}
		if (c->state < CLIENT_IDLE && used < len) {
			client_broken(c, "octets behind a reply that ends "
			    "a group");
			return;
		}
		client_reply(c);
		reply_reset(&c->reply);
	}
}

static void
client_lost(struct client *c, enum conn_event ev)
{
	static const char *const what[] = {
		[CLIENT_ENVELOPE] = "sending the envelope",
		[CLIENT_CONTENT] = "sending the message",
		[CLIENT_END] = "waiting for the answer to the message",
	};
	struct result	 res;

	if (c->state == CLIENT_IDLE && ev == CONN_TIMEOUT) {
		client_quit(c);
		return;
	}
	if (c->job == NULL) {
		client_end(c);
		return;
	}
	if (ev == CONN_LOST && c->state == CLIENT_ENVELOPE &&
	    client_restart(c))
		return;
	result_set(&res, OUTCOME_TRANSIENT, "4.4.2", "%s while %s",
	    ev == CONN_TIMEOUT ? "timed out" : conn_reason(c->conn),
	    what[c->state]);
	client_break(c, &res);
}

void
client_event(enum conn_event ev, void *arg)
{
	struct client	*c = arg;

	if (c->state == CLIENT_CLOSED)
		return;
	if (ev == CONN_INPUT)
		client_input(c);
	else if (ev == CONN_DRAINED) {
		if (c->state == CLIENT_CONTENT)
			content_pump(c);
		else if (c->state == CLIENT_END)
			conn_timeout(c->conn, TIMEOUT_END);
	} else if (c->state < CLIENT_IDLE)
		setup_event(c, ev);
	else
		client_lost(c, ev);
}

/* --- from the pool --- */

int
client_send(struct client *c, struct job *job)
{
	struct result	 res;

	job->state = JOB_RUNNING;
	if (downgrade_job(c, job, &res) == -1) {
		job_all_results(job, &res, c->host, c->tls);
		job_done(job, 0);
		return 1;
	}
	c->job = job;
	c->got_reply = 0;
	if (tx_begin(c) == 0)
		return 0;
	job_finish(c, NULL);
	return 1;
}

void
client_quit(struct client *c)
{
	c->state = CLIENT_QUIT;
	pool_leaves(c->pool, c);
	client_command(c, TIMEOUT_QUIT, "QUIT");
}
