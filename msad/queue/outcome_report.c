/*
 * The report of what became of a message: permanent failures of one round of
 * attempts, deliveries that the sender wants to hear of, and delays. Runs in
 * msad-queue, for outcome.c. One DSN tells of all of them, and is committed
 * together with the state of the recipients it reports: a crash leaves both or
 * none (R3461-5.2.8-a). A delivery is recorded before, as one whose report is
 * owed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stats.h"

#include "deadline.h"
#include "durable.h"
#include "history.h"
#include "outcome.h"
#include "outcome_priv.h"
#include "report.h"
#include "report_wait.h"
#include "schedule.h"
#include "spool.h"

#define REPORT_RETRY	60	/* seconds until a DSN is tried again */
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

void
failures_init(struct spool *s)
{
	spool = s;
}

unsigned int
outcome_pending(void)
{
	return nreports;
}

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
				result_record(m, r, RCPT_DONE, true, now);
			result_keep(m, r);
			continue;
		}
		m->rcpts[r->rcpt].next = (uint32_t)(now + REPORT_RETRY);
		message_set_status(m, r->rcpt, RCPT_WAITING);
	}
	/* what is given up has no next attempt, held or not */
	if (m->failures != NULL || (m->flags & MESSAGE_GIVEN_UP))
		report_wait(m, REPORT_RETRY);
	message_free(rep->dsn);
	report_free(rep);
	m->flags &= (uint16_t)~MESSAGE_REPORTING;
	m->flags |= MESSAGE_PUT_OFF;
	outcome_settle(m, now);
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
		result_log(events[r->action], m, r, now, more);
	}
}

/* One line for each report: about what, to whom. */
static void
log_written(const struct report *rep)
{
	const struct message	*dsn = rep->dsn;

	log_info("q=%llx event=%s about=%llx from=\"\" to=%s relay=%s "
	    "size=%llu", (unsigned long long)dsn->id,
	    strcmp(message_mech(dsn), REPORT_DOUBLE) == 0 ? REPORT_DOUBLE :
	    "report", (unsigned long long)rep->m->id,
	    log_q(message_rcpt(dsn, 0)), log_q(message_relay(dsn)),
	    (unsigned long long)dsn->size);
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
	log_written(rep);
	stats_inc(STAT_QUEUE_DSN);
	snprintf(id, sizeof(id), "%llx", (unsigned long long)rep->dsn->id);
	if (rep->msgid != NULL)
		index_keep_msgid(m->id, SLICE_STR(rep->msgid));
	reported(m, rep->failures, id, now);
	m->flags &= (uint16_t)~(MESSAGE_REPORTING | MESSAGE_REPORT_PAID);
	if (rep->removes) {
		m->flags |= MESSAGE_ENDING;
		history_end(m, now, NULL);
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
		len = result_encode(rep->m, r, status_after(r), false, max,
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
	m->flags &= (uint16_t)~MESSAGE_PUT_OFF;
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
	if (rep->removes)
		history_keep(m->id);
	spool_txn_commit(txn, on_report, rep);
}

/*
 * Who is only to be told of a delay is tried on meanwhile, and told when the
 * report's turn has come if it is still true then.
 */
static void
put_delays_back(struct message *m)
{
	struct result	*r, *next;

	TAILQ_FOREACH_SAFE(r, &m->failures->list, entry, next) {
		if (r->action != DSN_DELAYED)
			continue;
		m->rcpts[r->rcpt].flags &= (uint8_t)~r->told;
		message_set_status(m, r->rcpt, RCPT_WAITING);
		if (!(r->told & RCPT_LATE))
			m->flags |= MESSAGE_WARN;
		else if (m->flags & MESSAGE_LATE) {
			m->flags &= (uint16_t)~MESSAGE_LATE;
			deadline_watch(m);
		}
		TAILQ_REMOVE(&m->failures->list, r, entry);
		free(r);
	}
	if (TAILQ_EMPTY(&m->failures->list)) {
		failures_free(m->failures);
		m->failures = NULL;
	}
}

/*
 * Has its turn come? Else what failed or succeeded is written down, so that a
 * restart knows of it, and it waits.
 */
static bool
report_may_go(struct message *m, time_t now)
{
	struct result	*r;
	unsigned int	 seconds;

	if (m->flags & MESSAGE_REPORT_PAID)
		return true;
	m->flags |= MESSAGE_REPORT_PAID;
	if ((seconds = report_turn_of(m, report_to(m), clock_ms())) == 0)
		return true;
	log_notice("q=%llx event=report-waits user=%s tenant=%s to=%s "
	    "seconds=%u", (unsigned long long)m->id, log_q(message_user(m)),
	    log_q(message_tenant(m)), log_q(report_to(m)), seconds);
	history_add(m, now, "report-waits", "%s gets too many: %u seconds",
	    report_to(m), seconds);
	TAILQ_FOREACH(r, &m->failures->list, entry)
		if (r->action != DSN_DELAYED)
			result_record(m, r, status_after(r),
			    report_is_due(m, r), now);
	report_wait(m, seconds);
	put_delays_back(m);
	return false;
}

/* It had no sender, and nobody gets a report of it. */
static void
log_dropped(const struct message *m)
{
	if (message_sender(m)[0] == '\0' &&
	    !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE)))
		log_notice("q=%llx event=report-dropped msgid=%s to=%s "
		    "relay=%s mech=%s", (unsigned long long)m->id,
		    log_q(message_msgid(m)),
		    log_q(message_rcpt(m, TAILQ_FIRST(
		    &m->failures->list)->rcpt)), log_q(message_relay(m)),
		    log_q(message_mech(m)));
}

/*
 * No report is due: the sender is null or did not ask for one, or the operator
 * removed the message.
 */
static void
fail_silently(struct message *m, time_t now)
{
	struct result	*r;

	log_dropped(m);
	TAILQ_FOREACH(r, &m->failures->list, entry)
		result_record(m, r, status_after(r), false, now);
	reported(m, m->failures, "none", now);
	failures_free(m->failures);
	m->failures = NULL;
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
failures_report(struct message *m, time_t now)
{
	if (is_silent(m))
		fail_silently(m, now);
	else if (report_may_go(m, now))
		report(m, now);
}
