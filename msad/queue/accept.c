/*
 * A message that is whole and good is handed to the spool, and once it is
 * durable to the schedule; then the front-end hears of it. Runs in msad-queue,
 * called by transaction.c at the end of the data. What the envelope says comes
 * from the grant and the transaction, checked before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"
#include "common/stats.h"
#include "common/verdict.h"

#include "accept.h"
#include "deadline.h"
#include "envelope.h"
#include "grant.h"
#include "history.h"
#include "index.h"
#include "peers.h"
#include "received.h"
#include "schedule.h"
#include "spool.h"
#include "transaction.h"
#include "transaction_priv.h"

/* A message handed to the spool. */
struct commit {
	LIST_ENTRY(commit) entry;
	struct message	*m;
	uint64_t	 epoch;
	uint64_t	 sid;
	uint64_t	 held;		/* octets of memory until then */
	struct limits_taken taken;
	uint8_t		 flags;		/* GRANT_* */
	uint32_t	 rule;		/* that holds it, 0: none */
	char		*why;		/* its reason, or NULL */
	char		*client;	/* behind the label */
	char		 label[];	/* of the credential */
};

static void		(*accepted)(void);
static LIST_HEAD(, commit) commits = LIST_HEAD_INITIALIZER(commits);
static unsigned int	 ncommits;
static uint64_t		 commits_held;

void
accept_init(void (*fn)(void))
{
	accepted = fn;
}

unsigned int
accept_pending(void)
{
	return ncommits;
}

uint64_t
accept_held(void)
{
	return commits_held;
}

uint64_t
accept_future(const char *tenant, const char *user)
{
	const struct commit	*c;
	uint64_t		 n = 0;

	LIST_FOREACH(c, &commits, entry)
		if ((c->m->env_flags & ENVELOPE_FUTURE) &&
		    strcmp(message_user(c->m), user) == 0 &&
		    strcmp(message_tenant(c->m), tenant) == 0)
			n++;
	return n;
}

enum verdict
accept_verdict(enum spool_result result)
{
	switch (result) {
	case SPOOL_OK:
		return VERDICT_OK;
	case SPOOL_NOSPACE:
		return VERDICT_NO_SPACE;
	case SPOOL_TOOBIG:
		return VERDICT_TOO_BIG;
	default:
		return VERDICT_TROUBLE;
	}
}

void
accept_answer(struct ipc *ch, uint64_t sid, enum verdict verdict,
    const char *detail, const char *id)
{
	ipc_start(ch, IPC_SMTP_QUEUED, sid);
	ipc_put_u8(ch, (uint8_t)verdict);
	ipc_put_str(ch, detail);
	ipc_put_str(ch, id);
	ipc_send(ch);
}

/* How the login was proved, for the log: the words of `except`. */
static const char *
proof(uint8_t flags)
{
	return flags & GRANT_SEEN ? "external" :
	    flags & GRANT_ADDRESS ? "address" : "login";
}

static void
accept_message(struct commit *c)
{
	struct message	*m = c->m;

	index_insert(m);
	if (schedule_add(m) == -1)
		fatal("event=transaction error=\"out of memory\"");
	deadline_watch(m);
	stats_inc(STAT_QUEUE_ACCEPTED);
	log_info("q=%llx s=%llx-%llx event=accepted user=%s from=%s nrcpts=%u "
	    "size=%llu msgid=%s mech=%s proof=%s label=%s not-before=%llu "
	    "deliver-by=%u priority=%d", (unsigned long long)m->id,
	    (unsigned long long)c->epoch, (unsigned long long)c->sid,
	    log_q(message_user(m)), log_q(message_sender(m)), m->nrcpts,
	    (unsigned long long)m->size, log_q(message_msgid(m)),
	    log_q(message_mech(m)), proof(c->flags), log_q(c->label),
	    (unsigned long long)m->not_before, m->deliver_by, m->priority);
	history_accepted(m, c->epoch, c->sid, c->client);
	if (c->rule == 0)
		return;
	log_notice("q=%llx s=%llx-%llx event=rule-held rule=%u user=%s "
	    "from=%s reason=%s", (unsigned long long)m->id,
	    (unsigned long long)c->epoch, (unsigned long long)c->sid, c->rule,
	    log_q(message_user(m)), log_q(message_sender(m)),
	    log_q(c->why != NULL ? c->why : ""));
	history_add(m, (time_t)m->arrival, "rule-held", "rule=%u%s%s", c->rule,
	    c->why != NULL && c->why[0] != '\0' ? " reason=" : "",
	    c->why != NULL ? c->why : "");
}

static void
on_commit(void *arg, enum spool_result result)
{
	struct commit	*c = arg;
	struct peer	*p = peers_find(ROLE_FRONTEND, c->epoch);
	struct grant	*g = grant_find(c->epoch, c->sid);
	enum verdict	 v = accept_verdict(result);
	char		 id[32];

	LIST_REMOVE(c, entry);
	ncommits--;
	commits_held -= c->held;
	snprintf(id, sizeof(id), "%llx", (unsigned long long)c->m->id);
	limits_stored(message_tenant(c->m), &c->taken);
	if (v == VERDICT_OK)
		accept_message(c);
	else {
		log_err("q=%s s=%llx-%llx event=not-stored error=%s", id,
		    (unsigned long long)c->epoch, (unsigned long long)c->sid,
		    log_q(spool_result_name(result)));
		message_free(c->m);
	}
	if (p != NULL)
		accept_answer(p->ch, c->sid, v, "", v == VERDICT_OK ? id : "");
	if (g != NULL) {
		g->committing = false;
		if (v != VERDICT_OK)
			limits_return(g, &c->taken);
	}
	free(c->why);
	free(c);
	if (v == VERDICT_OK)
		accepted();
}

/*
 * The recipient as Received shows it: in ASCII if that can be, so that the
 * field alone never needs a next hop with SMTPUTF8 (RFC 6531 section 3.7.3).
 */
static struct slice
for_clause(const char *path, char *buf, size_t size)
{
	struct address	a;
	int		n;

	if (orcpt_is_ascii(SLICE_STR(path)) ||
	    address_parse_utf8(SLICE_STR(path), &a) != ADDRESS_OK ||
	    !orcpt_is_ascii(a.local) ||
	    (n = idna_address_key(&a, buf, size)) == -1)
		return SLICE_STR(path);
	return SLICE(buf, (size_t)n);
}

static int
write_received(const struct grant *g, time_t now, char *buf, size_t size)
{
	const struct transaction *tx = g->tx;
	struct received	r = {
		.login = child_conf()->auth_results && !g->local &&
		    !(g->scope.flags & GRANT_ADDRESS) ? g->user : NULL,
		.by_address = (g->scope.flags & GRANT_ADDRESS) != 0,
		.hostname = child_conf()->hostname,
		.id = spool_message_id(tx->content),
		.esmtp = tx->esmtp,
		.tls = tx->tls,
		.utf8 = tx->utf8,
		.cipher = SLICE_STR(tx->cipher),
		.helo = tx->helo,
		.client = g->client,
		.rcpt = SLICE("", 0),
		.has_priority = tx->terms.has_priority,
		.priority = tx->terms.priority,
		.now = now
	};
	char		rcpt[IDNA_KEY_MAX];

	if (tx->nrcpts == 1)
		r.rcpt = for_clause(tx->rcpts[0].path, rcpt, sizeof(rcpt));
	return received_write(&r, buf, size);
}

/*
 * Until when it is kept back, the latest of what its credential, its sender and
 * his limits say. An operator may release it, but not against its credential,
 * and for a limit not before the sender wants it.
 */
static void
set_not_before(const struct grant *g, time_t now, struct envelope *e)
{
	const struct transaction	*tx = g->tx;
	int64_t				 release;

	release = terms_release(&tx->terms, (int64_t)now);
	e->not_before = g->scope.not_before;
	if (release > (int64_t)now && e->not_before <= (uint64_t)now)
		e->flags |= ENVELOPE_FUTURE;
	if (release > 0 && (uint64_t)release > e->not_before)
		e->not_before = (uint64_t)release;
	if (tx->taken.until > 0 &&
	    (uint64_t)tx->taken.until > e->not_before) {
		if (e->not_before <= (uint64_t)now)
			e->flags |= ENVELOPE_HELD;
		e->not_before = (uint64_t)tx->taken.until;
	}
}

static uint8_t *
write_envelope(const struct grant *g, time_t now, struct envelope *e,
    size_t *len)
{
	const struct transaction	*tx = g->tx;
	struct slice			*rcpts;
	uint8_t				*buf = NULL;
	uint32_t			 i;

	memset(e, 0, sizeof(*e));
	e->flags = tx->check.eightbit ? ENVELOPE_8BITMIME : 0;
	if (tx->utf8header)
		e->flags |= ENVELOPE_UTF8HEADER | ENVELOPE_8BITMIME;
	e->arrival = (uint64_t)now;
	e->header_len = (uint32_t)tx->header_len;
	e->user = SLICE_STR(g->user);
	e->tenant = SLICE_STR(g->tenant);
	e->auth = SLICE_STR(g->auth);
	e->mech = SLICE_STR(g->mech);
	e->relay = SLICE_STR(tx->relay);
	e->sender = SLICE_STR(tx->sender);
	e->msgid = SLICE_STR(tx->check.msgid);
	e->params = SLICE_STR(tx->params);
	e->epoch = g->epoch;
	e->sid = g->sid;
	e->client = SLICE_STR(g->client);
	if (tx->rule != 0)
		e->flags |= ENVELOPE_STOPPED;
	set_not_before(g, now, e);
	/* addresses, then parameters */
	if ((rcpts = reallocarray(NULL, 2 * (size_t)tx->nrcpts,
	    sizeof(*rcpts))) == NULL)
		return NULL;
	for (i = 0; i < tx->nrcpts; i++) {
		rcpts[i] = SLICE_STR(tx->rcpts[i].path);
		rcpts[tx->nrcpts + i] = tx->rcpts[i].params == NULL ?
		    SLICE("", 0) : SLICE_STR(tx->rcpts[i].params);
	}
	buf = envelope_encode(e, rcpts, rcpts + tx->nrcpts, tx->nrcpts, len);
	free(rcpts);
	/* Decoded again: what is in memory is what recovery would find. */
	if (buf != NULL && envelope_decode(buf, *len, e) == -1) {
		free(buf);
		buf = NULL;
	}
	return buf;
}

bool
accept_commit(struct grant *g)
{
	struct transaction	*tx = g->tx;
	struct envelope		 e;
	struct commit		*c;
	time_t			 now = schedule_now();
	char			 prefix[RECEIVED_MAX];
	size_t			 len, label = strlen(g->scope.label) + 1;
	size_t			 client = strlen(g->client) + 1;
	uint8_t			*env;
	int			 n;

	if ((n = write_received(g, now, prefix, sizeof(prefix))) == -1 ||
	    (env = write_envelope(g, now, &e, &len)) == NULL)
		return false;
	if ((c = calloc(1, sizeof(*c) + label + client)) == NULL ||
	    (c->m = message_new(spool_message_id(tx->content), (uint64_t)n +
	    spool_message_size(tx->content), &e)) == NULL) {
		free(c);
		free(env);
		return false;
	}
	c->epoch = g->epoch;
	c->flags = g->scope.flags;
	memcpy(c->label, g->scope.label, label);
	c->client = c->label + label;
	memcpy(c->client, g->client, client);
	c->rule = tx->rule;
	c->why = tx->rule != 0 ? strdup(tx->text) : NULL;
	c->sid = g->sid;
	c->taken = tx->taken;
	c->held = len + (c->m->size > SPOOL_INLINE_MAX ? 0 : c->m->size);
	g->committing = true;
	LIST_INSERT_HEAD(&commits, c, entry);
	ncommits++;
	commits_held += c->held;
	spool_message_commit(tx->content, env, len, prefix, (size_t)n,
	    on_commit, c);
	tx->content = NULL;
	free(env);
	return true;
}
