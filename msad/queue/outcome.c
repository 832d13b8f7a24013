/*
 * What follows from the result of an attempt. Runs in msad-queue; job.c brings
 * what relays said, schedule.c what grew too old. Each attempt gives one log
 * line a recipient. A delivery is recorded at once; a transient failure gets
 * its next time; permanent ones of one round of attempts, deliveries that the
 * sender wants to hear of, and delays are gathered and reported in one DSN,
 * which is committed together with the state of the recipients it reports: a
 * crash leaves both or none (R3461-5.2.8-a). A delivery is recorded before, as
 * one whose report is owed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/params.h"
#include "common/stats.h"

#include "durable.h"
#include "outcome.h"
#include "report.h"
#include "schedule.h"
#include "spool.h"

#define REPORT_RETRY	60	/* seconds until a DSN is tried again */
#define AFTER_START	1	/* seconds until one that was owed is */
#define STATE_REPLY_MAX	1024	/* octets of a reply kept with the state */
/* Of all states that one report changes: they share a transaction. */
#define REPORT_REPLIES	(128 * 1024)

/* A DSN on its way to the disk. */
struct report {
	struct message	*m;		/* busy, so it stays */
	struct message	*dsn;
	struct failures	*failures;	/* that it reports */
	uint32_t	 nfailures;
	bool		 removes;	/* the transaction removes m */
	char		*msgid;		/* m's, for the log afterwards */
};

static struct spool	*spool;
static unsigned int	 nreports;

/* A message whose report cannot be written now. */
struct held {
	TAILQ_ENTRY(held) entry;
	uint64_t	 id;
	unsigned int	 seconds;	/* until it is tried again */
};
static TAILQ_HEAD(, held) held = TAILQ_HEAD_INITIALIZER(held);

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

/* What is kept of a recipient; owed: its report is not written yet. */
static uint8_t
state_flags(const struct message *m, const struct result *r, bool owed)
{
	uint8_t	flags = m->rcpts[r->rcpt].flags;

	if (owed)
		flags |= RCPT_OWED;
	if (owed && r->action == DSN_RELAYED)
		flags |= RCPT_RELAYED;
	return flags;
}

static size_t
encode_state(const struct message *m, const struct result *r,
    enum rcpt_status status, bool owed, size_t reply_max, time_t now,
    uint8_t *buf)
{
	struct rcpt_record	 s = {
		.status = (uint8_t)status,
		.code = r->code,
		.tries = m->rcpts[r->rcpt].tries,
		.next = m->rcpts[r->rcpt].next,
		.last = (uint64_t)now,
		.enhanced = SLICE_STR(r->enhanced),
		.remote = SLICE_STR(r->remote),
		.reply = SLICE_STR(r->reply),
		.flags = state_flags(m, r, owed)
	};

	if (s.reply.len > reply_max)
		s.reply.len = reply_max;
	return rcpt_record_encode(&s, buf);
}

static void
record(const struct message *m, const struct result *r,
    enum rcpt_status status, bool owed, time_t now)
{
	uint8_t	buf[RCPT_RECORD_MAX];
	size_t	len;

	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return;
	len = encode_state(m, r, status, owed, STATE_REPLY_MAX, now, buf);
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

/* Leave its report alone for so many seconds. */
static void
hold(struct message *m, unsigned int seconds)
{
	struct held	*h;

	if (m->flags & MESSAGE_HELD)
		return;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		fatal("event=outcome error=\"out of memory\"");
	h->id = m->id;
	h->seconds = seconds;
	m->flags |= MESSAGE_HELD;
	TAILQ_INSERT_TAIL(&held, h, entry);
}

/* --- results --- */

/* Keep a result for the report of this round. */
static void
keep_result(struct message *m, struct result *r)
{
	if (m->failures == NULL) {
		if ((m->failures = calloc(1, sizeof(*m->failures))) == NULL)
			fatal("event=outcome error=\"out of memory\"");
		TAILQ_INIT(&m->failures->list);
	}
	message_set_status(m, r->rcpt, RCPT_REPORTING);
	TAILQ_INSERT_TAIL(&m->failures->list, r, entry);
}

/*
 * Does the sender want to hear of this delivery from us, and not from the next
 * hop (RFC 3461 sections 5.2.1 to 5.2.3)?
 */
static bool
owes_success(const struct message *m, const struct result *r)
{
	return (m->rcpts[r->rcpt].notify & NOTIFY_SUCCESS) &&
	    message_sender(m)[0] != '\0' &&
	    (m->dest->maildir || !(r->flags & RESULT_DSN)) &&
	    !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE));
}

static void
keep_success(struct message *m, const struct result *r, time_t now)
{
	struct result	*kept;

	kept = result_new(r->rcpt, r->outcome, SLICE_STR(r->reply));
	kept->code = r->code;
	kept->flags = r->flags;
	kept->action = m->dest->maildir ? DSN_DELIVERED : DSN_RELAYED;
	memcpy(kept->enhanced, r->enhanced, sizeof(kept->enhanced));
	memcpy(kept->remote, r->remote, sizeof(kept->remote));
	record(m, kept, RCPT_DONE, true, now);
	keep_result(m, kept);
}

void
outcome_delivered(struct message *m, const struct result *r, time_t now)
{
	add_try(m, r->rcpt);
	if (owes_success(m, r)) {
		keep_success(m, r, now);
		stats_inc(STAT_RELAY_DELIVERED);
		log_attempt("delivered", m, r, now, "");
		return;
	}
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
		record(m, r, RCPT_DONE, false, now);
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
	record(m, r, RCPT_WAITING, false, now);
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
		keep_result(m, r);
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

/*
 * The last answer a recipient got, as a result with that reply code; reason
 * when there is none.
 */
static struct result *
last_result(const struct message *m, uint32_t i, const char *reason)
{
	struct rcpt_record	 s;
	struct result		*r;
	void			*buf = NULL;
	size_t			 len = 0;

	if (spool_state_read(spool, m->id, i, &buf, &len) != SPOOL_OK ||
	    rcpt_record_decode(buf, len, &s) == -1)
		memset(&s, 0, sizeof(s));
	if (s.reply.len == 0)
		s.reply = SLICE_STR(reason);
	r = result_new(i, OUTCOME_PERMANENT, s.reply);
	r->code = s.code;
	if (s.enhanced.len > 0 && s.enhanced.len < sizeof(r->enhanced))
		memcpy(r->enhanced, s.enhanced.p, s.enhanced.len);
	if (s.remote.len > 0 && s.remote.len < sizeof(r->remote))
		memcpy(r->remote, s.remote.p, s.remote.len);
	free(buf);
	return r;
}

static struct result *
expired_result(const struct message *m, uint32_t i)
{
	struct result	*r;

	r = last_result(m, i, "the message could not be delivered within its "
	    "lifetime");
	strlcpy(r->enhanced, "4.4.7", sizeof(r->enhanced));
	return r;
}

/* Recipients that wait, and whose sender is to be told so, once. */
static void
keep_delays(struct message *m)
{
	const char	*why = schedule_failure(m->dest);
	struct result	*r;
	uint32_t	 i;

	m->flags &= (uint8_t)~MESSAGE_WARN;
	if (why[0] == '\0')
		why = "the message could not be delivered so far";
	for (i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (m->rcpts[i].flags & RCPT_WARNED))
			continue;
		r = last_result(m, i, why);
		r->action = DSN_DELAYED;
		if (!report_is_due(m, r)) {
			free(r);
			continue;
		}
		m->rcpts[i].flags |= RCPT_WARNED;
		keep_result(m, r);
	}
}

void
outcome_warn(struct message *m, time_t now)
{
	m->flags |= MESSAGE_WARN;
	outcome_settle(m, now);
}

void
outcome_owed(struct message *m, uint32_t i, const struct rcpt_record *s)
{
	struct result	*r = result_new(i, OUTCOME_DELIVERED, s->reply);

	r->code = s->code;
	r->action = s->flags & RCPT_RELAYED ? DSN_RELAYED : DSN_DELIVERED;
	if (s->enhanced.len > 0 &&
	    s->enhanced.len < sizeof(r->enhanced))
		memcpy(r->enhanced, s->enhanced.p, s->enhanced.len);
	if (s->remote.len > 0 && s->remote.len < sizeof(r->remote))
		memcpy(r->remote, s->remote.p, s->remote.len);
	keep_result(m, r);
	hold(m, AFTER_START);
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
		keep_result(m, r);
	}
	outcome_settle(m, now);
}

void
outcome_expire(struct message *m, time_t now)
{
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			keep_result(m, expired_result(m, i));
	outcome_settle(m, now);
}

/* --- reports --- */

static void
report_free(struct report *rep)
{
	failures_free(rep->failures);
	free(rep->msgid);
	free(rep);
}

/*
 * The report cannot be written now: those that failed go back to waiting, the
 * next attempt fails again; what is done or delayed is told later.
 */
static void
report_put_off(struct report *rep, time_t now)
{
	struct message	*m = rep->m;
	struct result	*r, *next;

	log_err("q=%llx event=dsn-failed reason=\"cannot be written now\"",
	    (unsigned long long)m->id);
	TAILQ_FOREACH_SAFE(r, &rep->failures->list, entry, next) {
		if (r->action != DSN_FAILED) {
			TAILQ_REMOVE(&rep->failures->list, r, entry);
			if (r->action != DSN_DELAYED)
				record(m, r, RCPT_DONE, true, now);
			keep_result(m, r);
			continue;
		}
		m->rcpts[r->rcpt].next = (uint32_t)(now + REPORT_RETRY);
		message_set_status(m, r->rcpt, RCPT_WAITING);
	}
	if (m->failures != NULL)
		hold(m, REPORT_RETRY);
	message_free(rep->dsn);
	report_free(rep);
	m->flags &= (uint8_t)~MESSAGE_REPORTING;
	m->flags |= MESSAGE_PUT_OFF;
	outcome_settle(m, now);
}

void
outcome_tick(time_t now)
{
	struct held	*h, *next;
	struct message	*m;

	for (h = TAILQ_FIRST(&held); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		if (--h->seconds > 0)
			continue;
		TAILQ_REMOVE(&held, h, entry);
		if ((m = index_find(h->id)) != NULL) {
			m->flags &= (uint8_t)~MESSAGE_HELD;
			outcome_settle(m, now);
		}
		free(h);
	}
}

/* What a recipient is once its result is reported. */
static enum rcpt_status
status_after(const struct result *r)
{
	return r->action == DSN_FAILED ? RCPT_FAILED :
	    r->action == DSN_DELAYED ? RCPT_WAITING : RCPT_DONE;
}

/* The results are final, save for delays: log and count them. */
static void
reported(struct message *m, const struct failures *f, const char *dsn,
    time_t now)
{
	static const char *const	events[] = { "bounced",
		"reported-delayed", "reported-relayed", "reported-delivered" };
	struct result			*r;
	char				 more[64];

	TAILQ_FOREACH(r, &f->list, entry) {
		snprintf(more, sizeof(more), " dsn=%s",
		    report_is_due(m, r) ? dsn : "none");
		message_set_status(m, r->rcpt, status_after(r));
		if (r->action == DSN_FAILED)
			stats_inc(STAT_RELAY_BOUNCED);
		log_attempt(events[r->action], m, r, now, more);
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
	if (rep->msgid != NULL)
		index_keep_msgid(m->id, SLICE_STR(rep->msgid));
	reported(m, rep->failures, id, now);
	m->flags &= (uint8_t)~MESSAGE_REPORTING;
	if (rep->removes) {
		m->flags |= MESSAGE_ENDING;
		outcome_gone(NULL, m->id);
	} else
		outcome_settle(m, now);
	report_free(rep);
	schedule_run(now);
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
		len = encode_state(rep->m, r, status_after(r), false, max,
		    now, buf);
		if (spool_txn_update(txn, rep->m->id, r->rcpt, buf, len) !=
		    SPOOL_OK)
			return -1;
	}
	return 0;
}

static bool
has_delays(const struct report *rep)
{
	const struct result	*r;

	TAILQ_FOREACH(r, &rep->failures->list, entry)
		if (r->action == DSN_DELAYED)
			return true;
	return false;
}

/* Hand the results of this round to a report. */
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
	rep->removes = m->nleft == rep->nfailures && !has_delays(rep);
	if ((txn = spool_txn_begin(spool, SPOOL_TXN_RESERVE)) == NULL) {
		report_put_off(rep, now);
		return;
	}
	if ((rep->dsn = report_add(spool, txn, m, &rep->failures->list,
	    now)) == NULL ||
	    add_states(txn, rep, now) == -1) {
		spool_txn_abort(txn);
		report_put_off(rep, now);
		return;
	}
	TAILQ_FOREACH(r, &rep->failures->list, entry)
		durable_forget(m->id, r->rcpt);
	nreports++;
	rep->msgid = strdup(message_msgid(m));
	spool_txn_commit(txn, on_report, rep);
}

/*
 * No report is due: the sender is null or did not ask for one, or the operator
 * removed the message.
 */
static void
fail_silently(struct message *m, time_t now)
{
	struct result	*r;

	TAILQ_FOREACH(r, &m->failures->list, entry)
		record(m, r, status_after(r), false, now);
	reported(m, m->failures, "none", now);
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

/* Is none of the results for the sender to know? */
static bool
is_silent(const struct message *m)
{
	const struct result	*r;

	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return true;
	TAILQ_FOREACH(r, &m->failures->list, entry)
		if (report_is_due(m, r))
			return false;
	return true;
}

void
outcome_settle(struct message *m, time_t now)
{
	if ((m->flags & MESSAGE_WARN) && m->njobs == 0 &&
	    !(m->flags & (MESSAGE_REPORTING | MESSAGE_HELD |
	    MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE)))
		keep_delays(m);
	if (m->failures != NULL &&
	    !(m->flags & (MESSAGE_REPORTING | MESSAGE_HELD)) &&
	    round_is_over(m, now)) {
		if (is_silent(m))
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
