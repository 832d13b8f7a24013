/*
 * What follows from the result of an attempt. Runs in msad-queue; job.c brings
 * what relays said, schedule.c what grew too old. Each attempt gives one log
 * line a recipient. A delivery is recorded at once; a transient failure gets
 * its next time; permanent ones of one round of attempts, deliveries that the
 * sender wants to hear of, and delays are gathered for outcome_report.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/params.h"
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

#define AFTER_START	1	/* seconds until one that was owed is */
#define LATE_BUSY	2	/* seconds until a late message in flight, */
#define LATE_STOPPED	60	/* or a held one, is looked at again */
/* What is said of what an operator gave up, when he does not say why. */
#define GIVEN_UP	"the operator of the mail system gave the message up"

static struct spool	*spool;

void
outcome_init(struct spool *s)
{
	spool = s;
	failures_init(s);
}

/* The same for the history of the message, in short. */
static void
remember(const char *event, const struct message *m, const struct result *r,
    time_t now, const char *more)
{
	struct history_attempt	a = { event, message_rcpt(m, r->rcpt),
		r->remote, r->reply, NULL, r->code };

	if (strncmp(more, " dsn=", 5) == 0 && strcmp(more, " dsn=none") != 0)
		a.dsn = more + 5;
	history_attempt(m, now, &a);
}

/* One line a recipient and attempt: what msad-log promises. */
void
result_log(const char *event, const struct message *m,
    const struct result *r, time_t now, const char *more)
{
	log_info("q=%llx event=%s msgid=%s user=%s tenant=%s relay=%s to=%s "
	    "remote=%s tls=%s code=%u status=%s reply=%s delay=%lld%s",
	    (unsigned long long)m->id, event, log_q(message_msgid(m)),
	    log_q(message_user(m)), log_q(message_tenant(m)),
	    log_q(r->by != NULL ? r->by->name : message_relay(m)),
	    log_q(message_rcpt(m, r->rcpt)), log_q(r->remote), log_q(r->tls),
	    r->code, r->enhanced[0] != '\0' ? r->enhanced : "-",
	    log_q(r->reply), (long long)now - (long long)m->arrival, more);
	remember(event, m, r, now, more);
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

size_t
result_encode(const struct message *m, const struct result *r,
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

void
result_record(const struct message *m, const struct result *r,
    enum rcpt_status status, bool owed, time_t now)
{
	uint8_t	buf[RCPT_RECORD_MAX];
	size_t	len;

	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return;
	len = result_encode(m, r, status, owed, STATE_REPLY_MAX, now, buf);
	durable_update(m->id, r->rcpt, buf, len);
}

static void
add_try(struct message *m, uint32_t i)
{
	if (m->rcpts[i].tries < UINT16_MAX)
		m->rcpts[i].tries++;
}

/* --- the end of a message --- */

void
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
	history_forget(m->id);
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

/* What is kept for a report of it is for nobody any more. */
void
outcome_gone(void *arg, uint64_t id)
{
	struct message	*m = index_find(id);

	(void)arg;
	if (m == NULL)
		return;
	m->flags |= MESSAGE_GONE;
	outcome_settle(m, schedule_now());
}

/* --- results --- */

/* Keep a result for the report of this round. */
void
result_keep(struct message *m, struct result *r)
{
	if (m->failures == NULL) {
		if ((m->failures = calloc(1, sizeof(*m->failures))) == NULL)
			fatal("event=outcome error=\"out of memory\"");
		TAILQ_INIT(&m->failures->list);
	}
	message_set_status(m, r->rcpt, RCPT_REPORTING);
	TAILQ_INSERT_TAIL(&m->failures->list, r, entry);
}

/* Was it into a mailbox of ours? The message may go elsewhere by now. */
static bool
is_local(const struct message *m, const struct result *r)
{
	return r->by != NULL ? r->by->maildir : m->dest->maildir;
}

/*
 * Does the sender want to hear of this delivery from us, and not from the next
 * hop (RFC 3461 sections 5.2.1 to 5.2.3)? Or because of its BY: it asked for a
 * trace, or the next hop does not heed the time (RFC 2852 section 4.1.4)?
 */
static bool
owes_success(const struct message *m, const struct result *r)
{
	if (message_sender(m)[0] == '\0' ||
	    (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE)))
		return false;
	if ((m->rcpts[r->rcpt].notify & NOTIFY_SUCCESS) &&
	    (is_local(m, r) || !(r->flags & RESULT_DSN)))
		return true;
	return !is_local(m, r) && report_wants_relayed(m, r->rcpt) &&
	    (m->by_trace || !(r->flags & RESULT_DELIVERBY));
}

static void
keep_success(struct message *m, const struct result *r, time_t now)
{
	struct result	*kept;

	kept = result_new(r->rcpt, r->outcome, SLICE_STR(r->reply));
	kept->code = r->code;
	kept->flags = r->flags;
	kept->by = r->by;
	kept->action = is_local(m, r) ? DSN_DELIVERED : DSN_RELAYED;
	memcpy(kept->enhanced, r->enhanced, sizeof(kept->enhanced));
	memcpy(kept->remote, r->remote, sizeof(kept->remote));
	result_record(m, kept, RCPT_DONE, true, now);
	result_keep(m, kept);
}

void
outcome_delivered(struct message *m, const struct result *r, time_t now)
{
	add_try(m, r->rcpt);
	if (owes_success(m, r)) {
		keep_success(m, r, now);
		stats_inc(STAT_RELAY_DELIVERED);
		result_log("delivered", m, r, now, "");
		return;
	}
	message_set_status(m, r->rcpt, RCPT_DONE);
	stats_inc(STAT_RELAY_DELIVERED);
	result_log("delivered", m, r, now, "");
	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return;
	/* The last one: its removal says it all. */
	if (m->nleft == 0) {
		m->flags |= MESSAGE_ENDING;
		history_end(m, now, NULL);
		durable_remove(m->id, outcome_gone, NULL);
	} else
		result_record(m, r, RCPT_DONE, false, now);
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
	result_log("deferred", m, r, now, more);
	result_record(m, r, RCPT_WAITING, false, now);
}

/* Has the time passed after which it is returned (R2852-4.1.3-a)? */
static bool
is_lapsed(const struct message *m, time_t now)
{
	return m->by_return && m->deliver_by != 0 &&
	    now >= (time_t)m->deliver_by;
}

/* Is nothing of it tried again, whatever the answer? */
static bool
is_last_try(const struct message *m, time_t now)
{
	return (m->flags & MESSAGE_GIVEN_UP) || is_lapsed(m, now) ||
	    schedule_is_expired(m, now);
}

void
outcome_others(struct message *m, struct results *list, time_t retry,
    time_t now)
{
	struct result	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		add_try(m, r->rcpt);
		if (r->outcome == OUTCOME_TRANSIENT && !is_last_try(m, now)) {
			defer(m, r, retry, now);
			free(r);
			continue;
		}
		if (r->outcome == OUTCOME_TRANSIENT &&
		    !(m->flags & MESSAGE_GIVEN_UP))
			strlcpy(r->enhanced, is_lapsed(m, now) ? "5.4.7" :
			    "4.4.7", sizeof(r->enhanced));
		result_keep(m, r);
	}
}

static void
keep_given_up(struct message *m, uint32_t i, const char *reason)
{
	struct result	*r = result_new(i, OUTCOME_PERMANENT,
	    SLICE_STR(reason != NULL ? reason : GIVEN_UP));

	strlcpy(r->enhanced, "5.3.0", sizeof(r->enhanced));
	result_keep(m, r);
}

void
outcome_lost(struct message *m, uint32_t i, time_t now)
{
	struct rcpt	*rcpt = &m->rcpts[i];

	if (m->flags & MESSAGE_GIVEN_UP) {
		keep_given_up(m, i, NULL);
		return;
	}
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

	m->flags &= (uint16_t)~MESSAGE_WARN;
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
		m->rcpts[i].flags |= r->told = RCPT_WARNED;
		result_keep(m, r);
	}
}

/* --- the time by which it was to be delivered (RFC 2852) --- */

/* Mode R: what waits has failed. */
static void
keep_lapsed(struct message *m)
{
	struct result	*r;
	uint32_t	 i;

	for (i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i].status != RCPT_WAITING)
			continue;
		r = last_result(m, i, "");
		strlcpy(r->enhanced, "5.4.7", sizeof(r->enhanced));
		result_keep(m, r);
	}
}

/* Mode N: what waits is late. That says all that a later warning could. */
static void
keep_late(struct message *m)
{
	struct result	*r;
	uint32_t	 i;

	m->flags |= MESSAGE_LATE;
	for (i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (m->rcpts[i].flags & RCPT_LATE))
			continue;
		r = last_result(m, i, "");
		r->action = DSN_DELAYED;
		strlcpy(r->enhanced, "4.4.7", sizeof(r->enhanced));
		r->told = (RCPT_LATE | RCPT_WARNED) & ~m->rcpts[i].flags;
		m->rcpts[i].flags |= r->told;
		if (report_is_due(m, r))
			result_keep(m, r);
		else
			free(r);
	}
}

unsigned int
outcome_late(struct message *m, time_t now)
{
	uint64_t	id = m->id;
	bool		lapsed = is_lapsed(m, now);

	if (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE))
		return 0;
	if (m->flags & MESSAGE_STOPPED)
		return LATE_STOPPED;
	if (m->njobs > 0 ||
	    (m->flags & (MESSAGE_REPORTING | MESSAGE_WAITS_REPORT)))
		return LATE_BUSY;
	if ((m->flags & MESSAGE_PUT_OFF) && (time_t)m->next > now)
		return LATE_STOPPED;
	log_info("q=%llx event=deliver-by-passed msgid=%s user=%s mode=%s",
	    (unsigned long long)m->id, log_q(message_msgid(m)),
	    log_q(message_user(m)), lapsed ? "R" : "N");
	history_add(m, now, "deliver-by-passed", lapsed ? "it is returned" :
	    "it is tried on");
	if (lapsed)
		keep_lapsed(m);
	else
		keep_late(m);
	outcome_settle(m, now);
	/* Its report may have failed to be written. */
	return lapsed && index_find(id) != NULL ? LATE_STOPPED : 0;
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
	struct result	*r = result_new(i, s->status == RCPT_FAILED ?
	    OUTCOME_PERMANENT : OUTCOME_DELIVERED, s->reply);

	r->code = s->code;
	r->action = s->status == RCPT_FAILED ? DSN_FAILED :
	    s->flags & RCPT_RELAYED ? DSN_RELAYED : DSN_DELIVERED;
	/* What is not known of the next hop is not said. */
	r->flags = RESULT_DELIVERBY | RESULT_DSN;
	if (s->enhanced.len > 0 &&
	    s->enhanced.len < sizeof(r->enhanced))
		memcpy(r->enhanced, s->enhanced.p, s->enhanced.len);
	if (s->remote.len > 0 && s->remote.len < sizeof(r->remote))
		memcpy(r->remote, s->remote.p, s->remote.len);
	result_keep(m, r);
	report_wait(m, AFTER_START);
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
		result_keep(m, r);
	}
	outcome_settle(m, now);
}

void
outcome_expire(struct message *m, time_t now)
{
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			result_keep(m, expired_result(m, i));
	outcome_settle(m, now);
}

void
outcome_fail(struct message *m, const char *reason, time_t now)
{
	uint32_t	i;

	m->flags |= MESSAGE_GIVEN_UP;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			keep_given_up(m, i, reason);
	outcome_settle(m, now);
}

void
outcome_tick(time_t now)
{
	report_wait_tick(now, outcome_settle);
	deadline_tick(now, outcome_late);
}

/* Has the round of attempts an end, or does more of it go out at once? */
static bool
round_is_over(const struct message *m, time_t now)
{
	uint32_t	i;

	if (m->njobs > 0)
		return false;
	if (schedule_is_off(m))
		return true;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    (time_t)m->rcpts[i].next <= now)
			return false;
	return true;
}

/*
 * An operator gave it up while some of it was in flight or reported as late:
 * that is over as well. Where the report has no room that is tried again.
 */
static void
keep_rest(struct message *m)
{
	uint32_t	i;

	if ((m->flags & (MESSAGE_GIVEN_UP | MESSAGE_WAITS_REPORT)) !=
	    MESSAGE_GIVEN_UP)
		return;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			keep_given_up(m, i, NULL);
}

void
outcome_settle(struct message *m, time_t now)
{
	keep_rest(m);
	if ((m->flags & MESSAGE_WARN) && m->njobs == 0 &&
	    !(m->flags & (MESSAGE_REPORTING | MESSAGE_WAITS_REPORT |
	    MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE)))
		keep_delays(m);
	if (m->failures != NULL && !(m->flags & MESSAGE_REPORTING) &&
	    ((m->flags & MESSAGE_GONE) ||
	    (!(m->flags & MESSAGE_WAITS_REPORT) && round_is_over(m, now))))
		failures_report(m, now);
	if (m->flags & MESSAGE_GONE) {
		end_if_over(m);
		return;
	}
	if (m->nleft == 0 && !(m->flags & MESSAGE_ENDING)) {
		m->flags |= MESSAGE_ENDING;
		history_end(m, now, NULL);
		durable_remove(m->id, outcome_gone, NULL);
	} else if (!(m->flags & MESSAGE_REPORTING))
		history_settle(m->id);
	schedule_update(m);
}
