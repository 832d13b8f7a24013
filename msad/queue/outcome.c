/*
 * What follows from the result of an attempt. Runs in msad-queue; job.c brings
 * what relays said, schedule.c what grew too old. Each attempt gives one log
 * line a recipient. A delivery is recorded at once; a transient failure gets
 * its next time; permanent ones of one round of attempts are gathered and
 * reported to the sender in one DSN, which is committed together with the state
 * of the recipients it reports: a crash leaves both or none (R3461-5.2.8-a).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"

#include "dsn.h"
#include "durable.h"
#include "outcome.h"
#include "schedule.h"
#include "spool.h"

#define REPORT_RETRY	60	/* seconds until a DSN is tried again */
#define STATE_REPLY_MAX	1024	/* octets of a reply kept with the state */
/* Of all states that one report changes: they share a transaction. */
#define REPORT_REPLIES	(128 * 1024)

/* A DSN on its way to the disk. */
struct report {
	struct message	*m;		/* that failed; busy, so it stays */
	struct message	*dsn;
	struct failures	*failures;	/* that it reports */
	uint32_t	 nfailures;
	bool		 removes;	/* the transaction removes m */
};

static struct spool	*spool;
static unsigned int	 nreports;

void
outcome_init(struct spool *s)
{
	spool = s;
}

unsigned int
outcome_pending(void)
{
	return nreports;
}

struct result *
result_new(uint32_t rcpt, enum outcome outcome, struct slice reply)
{
	struct result	*r;

	if (reply.len > RCPT_REPLY_MAX)
		reply.len = RCPT_REPLY_MAX;
	if ((r = calloc(1, sizeof(*r) + reply.len + 1)) == NULL)
		fatal("event=outcome error=\"out of memory\"");
	r->rcpt = rcpt;
	r->outcome = outcome;
	if (reply.len > 0)
		memcpy(r->reply, reply.p, reply.len);
	return r;
}

void
results_free(struct results *list)
{
	struct result	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		free(r);
	}
}

/* One line a recipient and attempt: what msad-log promises. */
static void
log_attempt(const char *event, const struct message *m,
    const struct result *r, time_t now, const char *more)
{
	log_info("q=%llx event=%s msgid=%s user=%s tenant=%s relay=%s to=%s "
	    "remote=%s tls=%s code=%u status=%s reply=%s delay=%lld%s",
	    (unsigned long long)m->id, event, log_q(message_msgid(m)),
	    log_q(message_user(m)), log_q(message_tenant(m)),
	    log_q(message_relay(m)), log_q(message_rcpt(m, r->rcpt)),
	    log_q(r->remote), log_q(r->tls), r->code,
	    r->enhanced[0] != '\0' ? r->enhanced : "-", log_q(r->reply),
	    (long long)now - (long long)m->arrival, more);
}

static size_t
encode_state(const struct message *m, const struct result *r,
    enum rcpt_status status, size_t reply_max, time_t now, uint8_t *buf)
{
	struct rcpt_record	 s = {
		.status = (uint8_t)status,
		.code = r->code,
		.tries = m->rcpts[r->rcpt].tries,
		.next = m->rcpts[r->rcpt].next,
		.last = (uint64_t)now,
		.enhanced = SLICE_STR(r->enhanced),
		.remote = SLICE_STR(r->remote),
		.reply = SLICE_STR(r->reply)
	};

	if (s.reply.len > reply_max)
		s.reply.len = reply_max;
	return rcpt_record_encode(&s, buf);
}

static void
record(const struct message *m, const struct result *r,
    enum rcpt_status status, time_t now)
{
	uint8_t	buf[RCPT_RECORD_MAX];
	size_t	len;

	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return;
	len = encode_state(m, r, status, STATE_REPLY_MAX, now, buf);
	durable_update(m->id, r->rcpt, buf, len);
}

static void
add_try(struct message *m, uint32_t i)
{
	if (m->rcpts[i].tries < UINT16_MAX)
		m->rcpts[i].tries++;
}

/* --- the end of a message --- */

static void
failures_free(struct failures *f)
{
	if (f != NULL)
		results_free(&f->list);
	free(f);
}

static void
message_end(struct message *m)
{
	failures_free(m->failures);
	schedule_remove(m);
	index_remove(m);
	message_free(m);
}

static void
end_if_over(struct message *m)
{
	if ((m->flags & MESSAGE_GONE) && m->njobs == 0 && m->nbusy == 0)
		message_end(m);
}

void
outcome_gone(void *arg, uint64_t id)
{
	struct message	*m = index_find(id);

	(void)arg;
	if (m == NULL)
		return;
	m->flags |= MESSAGE_GONE;
	end_if_over(m);
}

/* --- results --- */

void
outcome_delivered(struct message *m, const struct result *r, time_t now)
{
	add_try(m, r->rcpt);
	message_set_status(m, r->rcpt, RCPT_DONE);
	stats_inc(STAT_RELAY_DELIVERED);
	log_attempt("delivered", m, r, now, "");
	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return;
	/* The last one: its removal says it all. */
	if (m->nleft == 0) {
		m->flags |= MESSAGE_ENDING;
		durable_remove(m->id, outcome_gone, NULL);
	} else
		record(m, r, RCPT_DONE, now);
}

static void
defer(struct message *m, struct result *r, time_t retry, time_t now)
{
	struct rcpt	*rcpt = &m->rcpts[r->rcpt];
	char		 more[64];

	if (retry == 0 || r->code != 0)
		retry = now + (time_t)schedule_backoff(m->dest, rcpt->tries);
	rcpt->next = (uint32_t)retry;
	rcpt->lost = 0;
	message_set_status(m, r->rcpt, RCPT_WAITING);
	stats_inc(STAT_RELAY_DEFERRED);
	snprintf(more, sizeof(more), " tries=%u next=%lld", rcpt->tries,
	    (long long)retry);
	log_attempt("deferred", m, r, now, more);
	record(m, r, RCPT_WAITING, now);
}

/* Keep a permanent failure for the report of this round. */
static void
keep_failure(struct message *m, struct result *r)
{
	if (m->failures == NULL) {
		if ((m->failures = calloc(1, sizeof(*m->failures))) == NULL)
			fatal("event=outcome error=\"out of memory\"");
		TAILQ_INIT(&m->failures->list);
	}
	message_set_status(m, r->rcpt, RCPT_REPORTING);
	TAILQ_INSERT_TAIL(&m->failures->list, r, entry);
}

void
outcome_others(struct message *m, struct results *list, time_t retry,
    time_t now)
{
	struct result	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		add_try(m, r->rcpt);
		if (r->outcome == OUTCOME_TRANSIENT &&
		    !schedule_is_expired(m, now)) {
			defer(m, r, retry, now);
			free(r);
			continue;
		}
		if (r->outcome == OUTCOME_TRANSIENT)
			strlcpy(r->enhanced, "4.4.7", sizeof(r->enhanced));
		keep_failure(m, r);
	}
}

void
outcome_lost(struct message *m, uint32_t i, time_t now)
{
	struct rcpt	*rcpt = &m->rcpts[i];

	/* Once is an accident; a message that kills relays has to wait. */
	rcpt->next = (uint32_t)now;
	if (rcpt->lost > 0)
		rcpt->next += schedule_backoff(m->dest, rcpt->lost);
	if (rcpt->lost < UINT8_MAX)
		rcpt->lost++;
	message_set_status(m, i, RCPT_WAITING);
}

/* The last answer a recipient got, as a permanent result. */
static struct result *
expired_result(const struct message *m, uint32_t i)
{
	struct rcpt_record	 s;
	struct result		*r;
	void			*buf = NULL;
	size_t			 len = 0;

	if (spool_state_read(spool, m->id, i, &buf, &len) != SPOOL_OK ||
	    rcpt_record_decode(buf, len, &s) == -1)
		memset(&s, 0, sizeof(s));
	if (s.reply.len == 0)
		s.reply = SLICE_STR("the message could not be delivered "
		    "within its lifetime");
	r = result_new(i, OUTCOME_PERMANENT, s.reply);
	r->code = s.code;
	strlcpy(r->enhanced, "4.4.7", sizeof(r->enhanced));
	if (s.remote.len > 0 && s.remote.len < sizeof(r->remote))
		memcpy(r->remote, s.remote.p, s.remote.len);
	free(buf);
	return r;
}

void
outcome_unreadable(struct message *m, time_t now)
{
	struct slice	 why = SLICE_STR("the text of the message was lost "
	    "by the mail system that accepted it from you");
	struct result	*r;
	uint32_t	 i;

	log_err("q=%llx event=message-lost msgid=%s user=%s reason=\"the "
	    "spool does not hold what was written\"",
	    (unsigned long long)m->id, log_q(message_msgid(m)),
	    log_q(message_user(m)));
	for (i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i].status != RCPT_WAITING)
			continue;
		r = result_new(i, OUTCOME_PERMANENT, why);
		strlcpy(r->enhanced, "5.3.0", sizeof(r->enhanced));
		keep_failure(m, r);
	}
	outcome_settle(m, now);
}

void
outcome_expire(struct message *m, time_t now)
{
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			keep_failure(m, expired_result(m, i));
	outcome_settle(m, now);
}

/* --- reports --- */

static void
report_free(struct report *rep)
{
	failures_free(rep->failures);
	free(rep);
}

/*
 * The report cannot be written now: its recipients go back to waiting; the
 * next attempt fails again.
 */
static void
report_put_off(struct report *rep, time_t now)
{
	struct message	*m = rep->m;
	struct result	*r;

	log_err("q=%llx event=dsn-failed reason=\"cannot be written now\"",
	    (unsigned long long)m->id);
	TAILQ_FOREACH(r, &rep->failures->list, entry) {
		m->rcpts[r->rcpt].next = (uint32_t)(now + REPORT_RETRY);
		message_set_status(m, r->rcpt, RCPT_WAITING);
	}
	message_free(rep->dsn);
	report_free(rep);
	m->flags &= (uint8_t)~MESSAGE_REPORTING;
	m->flags |= MESSAGE_PUT_OFF;
	outcome_settle(m, now);
}

/* The failures are final: log and count them. */
static void
bounced(struct message *m, const struct failures *f, const char *dsn,
    time_t now)
{
	struct result	*r;
	char		 more[64];

	snprintf(more, sizeof(more), " dsn=%s", dsn);
	TAILQ_FOREACH(r, &f->list, entry) {
		message_set_status(m, r->rcpt, RCPT_FAILED);
		stats_inc(STAT_RELAY_BOUNCED);
		log_attempt("bounced", m, r, now, more);
	}
}

static void
on_report(void *arg, enum spool_result result)
{
	struct report	*rep = arg;
	struct message	*m = rep->m;
	time_t		 now = schedule_now();
	char		 id[32];

	nreports--;
	if (result != SPOOL_OK && result != SPOOL_NOENT) {
		report_put_off(rep, now);
		return;
	}
	index_insert(rep->dsn);
	if (schedule_add(rep->dsn) == -1)
		fatal("event=outcome error=\"out of memory\"");
	stats_inc(STAT_QUEUE_DSN);
	snprintf(id, sizeof(id), "%llx", (unsigned long long)rep->dsn->id);
	bounced(m, rep->failures, id, now);
	m->flags &= (uint8_t)~MESSAGE_REPORTING;
	if (rep->removes) {
		m->flags |= MESSAGE_ENDING;
		outcome_gone(NULL, m->id);
	} else
		outcome_settle(m, now);
	report_free(rep);
	schedule_run(now);
}

static const char *
status_of(const struct result *r)
{
	if (r->enhanced[0] == '4' || r->enhanced[0] == '5')
		return r->enhanced;
	return "5.0.0";
}

/* Prefix and header of the message; malloc'd, NULL when not to be had. */
static char *
read_header(const struct message *m, size_t *len)
{
	struct spool_content	 c;
	char			*buf;
	size_t			 want;
	ssize_t			 n;

	*len = 0;
	if (spool_content_open(spool, m->id, &c) != SPOOL_OK)
		return NULL;
	want = c.prefixlen + m->header_len;
	if ((buf = malloc(want)) != NULL)
		/* a read ends where the prefix does */
		while (*len < want && (n = spool_content_read(&c, *len,
		    buf + *len, want - *len)) > 0)
			*len += (size_t)n;
	spool_content_close(&c);
	return buf;
}

static char *
write_dsn(const struct report *rep, uint64_t dsn_id, time_t now, size_t *len,
    size_t *header_len, int *eightbit)
{
	const struct message *m = rep->m;
	struct dsn	 d = { .id = m->id, .dsn_id = dsn_id, .now = now,
		.arrival = (time_t)m->arrival, .sender = message_sender(m) };
	struct dsn_rcpt	*rcpts;
	struct result	*r;
	size_t		 hlen;
	char		*header, *text = NULL;

	d.hostname = child_conf()->hostname;
	if ((rcpts = calloc(rep->nfailures, sizeof(*rcpts))) == NULL)
		return NULL;
	TAILQ_FOREACH(r, &rep->failures->list, entry)
		rcpts[d.nrcpts++] = (struct dsn_rcpt){
			.addr = message_rcpt(m, r->rcpt),
			.status = status_of(r), .remote = r->remote,
			.code = r->code, .reply = r->reply };
	d.rcpts = rcpts;
	header = read_header(m, &hlen);
	d.header = SLICE(header, hlen);
	text = dsn_write(&d, len, header_len, eightbit);
	free(header);
	free(rcpts);
	return text;
}

/* The DSN into the transaction. Returns it as a message of ours, or NULL. */
static struct message *
add_dsn(struct spool_txn *txn, const struct report *rep, time_t now)
{
	const struct message	*m = rep->m;
	struct slice		 to = SLICE_STR(message_sender(m));
	struct envelope		 e = { .arrival = (uint64_t)now };
	struct spool_message	*sm;
	struct message		*dsn = NULL;
	enum spool_result	 result;
	size_t			 len = 0, hlen = 0, envlen;
	uint64_t		 id;
	uint8_t			*env = NULL;
	char			*text, msgid[320];
	int			 eightbit = 0;

	if ((sm = spool_message_begin(spool, SPOOL_MESSAGE_RESERVE,
	    &result)) == NULL)
		return NULL;
	id = spool_message_id(sm);
	text = write_dsn(rep, id, now, &len, &hlen, &eightbit);
	snprintf(msgid, sizeof(msgid), "<%llx.dsn@%s>",
	    (unsigned long long)id, child_conf()->hostname);
	e.flags = ENVELOPE_DSN | (eightbit ? ENVELOPE_8BITMIME : 0);
	e.header_len = (uint32_t)hlen;
	e.user = SLICE_STR(message_user(m));
	e.tenant = SLICE_STR(message_tenant(m));
	e.auth = SLICE_STR(message_auth(m));
	e.mech = SLICE_STR("dsn");
	e.relay = SLICE_STR(message_relay(m));
	e.sender = SLICE("", 0);
	e.msgid = SLICE_STR(msgid);
	if (text == NULL || spool_message_append(sm, text, len) != SPOOL_OK ||
	    (env = envelope_encode(&e, &to, 1, &envlen)) == NULL ||
	    envelope_decode(env, envlen, &e) == -1 ||
	    (dsn = message_new(id, len, &e)) == NULL)
		spool_message_abort(sm);
	else if (spool_txn_message(txn, sm, env, envlen, "", 0) != SPOOL_OK) {
		message_free(dsn);
		dsn = NULL;
	}
	if (dsn != NULL)
		dsn->rcpts[0].next = dsn->next = (uint32_t)now;
	free(env);
	free(text);
	return dsn;
}

/* The recipients' states, or the end of the message, into the transaction. */
static int
add_states(struct spool_txn *txn, const struct report *rep, time_t now)
{
	uint8_t			 buf[RCPT_RECORD_MAX];
	struct result		*r;
	size_t			 len, max = STATE_REPLY_MAX;

	/* The report itself has them whole. */
	if (max > REPORT_REPLIES / rep->nfailures)
		max = REPORT_REPLIES / rep->nfailures;
	if (rep->removes)
		return spool_txn_remove(txn, rep->m->id) == SPOOL_OK ? 0 : -1;
	TAILQ_FOREACH(r, &rep->failures->list, entry) {
		len = encode_state(rep->m, r, RCPT_FAILED, max, now, buf);
		if (spool_txn_update(txn, rep->m->id, r->rcpt, buf, len) !=
		    SPOOL_OK)
			return -1;
	}
	return 0;
}

/* Hand the failures of this round to a report. */
static void
report(struct message *m, time_t now)
{
	struct report		*rep;
	struct spool_txn	*txn;
	struct result		*r;

	if ((rep = calloc(1, sizeof(*rep))) == NULL)
		fatal("event=outcome error=\"out of memory\"");
	rep->m = m;
	rep->failures = m->failures;
	m->failures = NULL;
	m->flags |= MESSAGE_REPORTING;
	m->flags &= (uint8_t)~MESSAGE_PUT_OFF;
	TAILQ_FOREACH(r, &rep->failures->list, entry)
		rep->nfailures++;
	rep->removes = m->nleft == rep->nfailures;
	if ((txn = spool_txn_begin(spool, SPOOL_TXN_RESERVE)) == NULL) {
		report_put_off(rep, now);
		return;
	}
	if ((rep->dsn = add_dsn(txn, rep, now)) == NULL ||
	    add_states(txn, rep, now) == -1) {
		spool_txn_abort(txn);
		report_put_off(rep, now);
		return;
	}
	TAILQ_FOREACH(r, &rep->failures->list, entry)
		durable_forget(m->id, r->rcpt);
	nreports++;
	spool_txn_commit(txn, on_report, rep);
}

/* No report is due: the sender is null, or the operator removed the message. */
static void
fail_silently(struct message *m, time_t now)
{
	struct result	*r;

	TAILQ_FOREACH(r, &m->failures->list, entry)
		record(m, r, RCPT_FAILED, now);
	bounced(m, m->failures, "none", now);
	failures_free(m->failures);
	m->failures = NULL;
}

/* Has the round of attempts an end, or does more of it go out at once? */
static bool
round_is_over(const struct message *m, time_t now)
{
	uint32_t	i;

	if (m->njobs > 0)
		return false;
	if (m->dest->fails > 0 || !m->dest->known)
		return true;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    (time_t)m->rcpts[i].next <= now)
			return false;
	return true;
}

void
outcome_settle(struct message *m, time_t now)
{
	bool	silent = message_sender(m)[0] == '\0' ||
	    (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE));

	if (m->failures != NULL && !(m->flags & MESSAGE_REPORTING) &&
	    round_is_over(m, now)) {
		if (silent)
			fail_silently(m, now);
		else
			report(m, now);
	}
	if (m->flags & MESSAGE_GONE) {
		end_if_over(m);
		return;
	}
	if (m->nleft == 0 && !(m->flags & MESSAGE_ENDING)) {
		m->flags |= MESSAGE_ENDING;
		durable_remove(m->id, outcome_gone, NULL);
	}
	schedule_update(m);
}
