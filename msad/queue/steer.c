/*
 * What operators do to messages: hold, release, flush, expire, fail, drop,
 * reroute, by selection. Runs in msad-queue, in answer to msad-control, which
 * is believed as to who asks; what is asked is checked.
 *
 * A question is answered step by step, so that the loop goes on meanwhile:
 * each answer ends with the id behind which the next question goes on. What has
 * to outlive a restart is answered when the disk has it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"

#include "control.h"
#include "durable.h"
#include "history.h"
#include "mark.h"
#include "outcome.h"
#include "peers.h"
#include "schedule.h"
#include "select.h"
#include "show.h"
#include "status.h"
#include "steer.h"

#define LIST_MAX	200		/* messages of one answer */
#define CHANGE_MAX	1000		/* changed in one step */
#define PENDING_MAX	(1024 * 1024)	/* octets under way to control */
#define ARGUMENT_MAX	1024
#define SHOWN_MAX	256		/* octets of a selection in the log */

/* The end of a step, which may wait for the disk. */
struct answer {
	uint64_t	 epoch;		/* of control's channel */
	uint64_t	 sid;
	enum ctl_status	 status;
	uint32_t	 matched;
	uint64_t	 next;
	const char	*reason;
	uint32_t	 left;		/* changes not yet on disk, and one */
};

/* One step of a question. */
struct step {
	struct ipc		*ch;
	uint64_t		 sid;
	uint32_t		 uid;		/* who asks */
	enum steer_verb		 verb;
	enum steer_verb		 counted;	/* the same, but of COUNT */
	uint64_t		 after;
	uint32_t		 max;
	char			 argument[ARGUMENT_MAX + 1];
	struct selection	 sel;
	time_t			 now;
	struct answer		*answer;
	const struct message	*last;	/* changed, but not marked for it */
	bool			 stop;		/* memory is out */
};

/* --- the end of a step --- */

static void
answer_part(struct answer *a)
{
	struct peer	*p;

	if (--a->left > 0)
		return;
	if ((p = peers_find(ROLE_CONTROL, a->epoch)) != NULL)
		control_end(p->ch, a->sid, a->status, a->matched, a->next,
		    a->reason);
	free(a);
}

static void
on_marked(void *arg, uint64_t id)
{
	(void)id;
	answer_part(arg);
}

static void
on_dropped(void *arg, uint64_t id)
{
	outcome_gone(NULL, id);
	stats_inc(STAT_QUEUE_REMOVED);
	answer_part(arg);
}

static void
mark(struct step *s, const struct message *m)
{
	s->answer->left++;
	mark_write(m, on_marked, s->answer);
}

/* --- what becomes of one message: true when it is changed --- */

/* Is there a recipient that neither was served nor is in flight? */
static bool
waits(const struct message *m)
{
	return m->nleft > m->nbusy;
}

/* A line for each message and change: what msad-log(5) promises. */
static void
log_change(const struct step *s, const struct message *m, const char *event,
    const char *more)
{
	log_notice("q=%llx event=%s uid=%u msgid=%s user=%s from=%s relay=%s "
	    "nrcpts=%u%s", (unsigned long long)m->id, event, s->uid,
	    log_q(message_msgid(m)), log_q(message_user(m)),
	    log_q(message_sender(m)), log_q(message_relay(m)), m->nrcpts,
	    more);
}

/* With the reason the operator gave, if any. */
static void
record(const struct step *s, struct message *m, const char *event,
    const char *key)
{
	char	more[600] = "";

	if (s->argument[0] != '\0')
		snprintf(more, sizeof(more), " %s=%s", key,
		    log_q(s->argument));
	log_change(s, m, event, more);
	history_add(m, s->now, event, "uid=%u%s", s->uid, more);
}

static bool
list_one(struct step *s, struct message *m)
{
	show_message(s->ch, s->sid, m);
	return true;
}

/* --- would it be changed? --- */

static bool
may_hold(const struct step *s, const struct message *m)
{
	(void)s;
	return (m->flags & MESSAGE_STOPPED) == 0;
}

static bool
may_release(const struct step *s, const struct message *m)
{
	(void)s;
	return (m->flags & MESSAGE_STOPPED) != 0 || (m->later &&
	    (m->env_flags & (ENVELOPE_HELD | ENVELOPE_FUTURE)) != 0);
}

/* What is held, or has to wait for a time, is not tried. */
static bool
may_flush(const struct step *s, const struct message *m)
{
	(void)s;
	return waits(m) && !m->later && (m->flags & MESSAGE_STOPPED) == 0;
}

static bool
may_give_up(const struct step *s, const struct message *m)
{
	(void)s;
	return waits(m);
}

static bool
may_reroute(const struct step *s, const struct message *m)
{
	return strcmp(message_relay(m), s->argument) != 0;
}

/* --- change it --- */

static bool
hold_one(struct step *s, struct message *m)
{
	schedule_hold(m);
	/* what failed of it is told now: it has no other try */
	if (m->failures != NULL)
		outcome_settle(m, s->now);
	record(s, m, "held", "reason");
	mark(s, m);
	return true;
}

/* Its days begin now, and do so after a restart as well. */
static void
begin_anew(struct step *s, struct message *m)
{
	if (m->not_before < (uint64_t)s->now)
		m->not_before = (uint32_t)s->now;
}

/*
 * What an operator or a rule held goes on as it was: it may still have to wait
 * for a time, which another release takes away.
 */
static bool
release_one(struct step *s, struct message *m)
{
	if (m->flags & MESSAGE_STOPPED) {
		schedule_go_on(m, s->now);
		begin_anew(s, m);
	} else
		schedule_release(m, s->now);
	record(s, m, "released", "reason");
	mark(s, m);
	return true;
}

static bool
flush_one(struct step *s, struct message *m)
{
	schedule_flush(m, s->now);
	record(s, m, "flushed", "reason");
	s->last = m;
	return true;
}

static bool
expire_one(struct step *s, struct message *m)
{
	record(s, m, "expired-by", "reason");
	m->flags |= MESSAGE_GIVEN_UP;	/* what is in flight too */
	outcome_expire(m, s->now);
	s->last = m;
	return true;
}

static bool
fail_one(struct step *s, struct message *m)
{
	record(s, m, "failed-by", "reason");
	outcome_fail(m, s->argument[0] != '\0' ? s->argument : NULL, s->now);
	s->last = m;
	return true;
}

static bool
drop_one(struct step *s, struct message *m)
{
	record(s, m, "removed", "reason");
	history_end(m, s->now, NULL);
	m->flags |= MESSAGE_REMOVED;
	schedule_update(m);
	s->answer->left++;
	durable_remove(m->id, on_dropped, s->answer);
	return true;
}

/* What is in flight ends where it is. */
static bool
reroute_one(struct step *s, struct message *m)
{
	char	from[ARGUMENT_MAX + 1];

	strlcpy(from, message_relay(m), sizeof(from));
	if (schedule_move(m, s->argument, s->now) == -1) {
		s->stop = true;
		return false;
	}
	m->flags |= MESSAGE_REROUTED;
	begin_anew(s, m);
	log_notice("q=%llx event=rerouted uid=%u msgid=%s user=%s relay=%s "
	    "old-relay=%s", (unsigned long long)m->id, s->uid,
	    log_q(message_msgid(m)), log_q(message_user(m)),
	    log_q(message_relay(m)), log_q(from));
	history_add(m, s->now, "rerouted", "uid=%u relay=%s old-relay=%s",
	    s->uid, log_q(s->argument), log_q(from));
	mark(s, m);
	return true;
}

static const struct {
	const char	*name;
	bool		(*one)(struct step *, struct message *);
	/* NULL: any */
	bool		(*may)(const struct step *, const struct message *);
	const char	*nothing;	/* none of them can be so changed */
	uint32_t	 max;
} verbs[STEER_VERBS] = {
	[STEER_LIST] = { "list", list_one, NULL, NULL, LIST_MAX },
	[STEER_COUNT] = { "count", NULL, NULL, NULL, SELECT_LOOKED_MAX },
	[STEER_HOLD] = { "hold", hold_one, may_hold,
	    "they are held already", CHANGE_MAX },
	[STEER_RELEASE] = { "release", release_one, may_release,
	    "they are not held", CHANGE_MAX },
	[STEER_FLUSH] = { "flush", flush_one, may_flush,
	    "they are held or in flight", CHANGE_MAX },
	[STEER_EXPIRE] = { "expire", expire_one, may_give_up,
	    "they are in flight", CHANGE_MAX },
	[STEER_FAIL] = { "fail", fail_one, may_give_up, "they are in flight",
	    CHANGE_MAX },
	[STEER_DROP] = { "drop", drop_one, NULL, NULL, CHANGE_MAX },
	[STEER_REROUTE] = { "reroute", reroute_one, may_reroute,
	    "they go by this relay already", CHANGE_MAX }
};

/* --- a step --- */

static bool
on_message(void *arg, struct message *m)
{
	struct step	*s = arg;

	if ((verbs[s->counted].may == NULL || verbs[s->counted].may(s, m)) &&
	    (s->verb == STEER_COUNT || verbs[s->verb].one(s, m)))
		s->answer->matched++;
	return !s->stop && ipc_pending(s->ch) < PENDING_MAX;
}

/* One line a step, so that it is seen who did what in the large. */
static void
log_step(const struct step *s, struct slice text, uint32_t matched)
{
	char	shown[SHOWN_MAX];
	size_t	i;

	if (text.len > sizeof(shown))
		text.len = sizeof(shown);
	for (i = 0; i < text.len; i++)
		shown[i] = text.p[i] == '\n' ? ',' : text.p[i];
	log_notice("event=steered uid=%u verb=%s messages=%u selection=%s",
	    s->uid, verbs[s->verb].name, matched, log_qn(shown, text.len));
}

static void
run(struct step *s, struct slice text)
{
	struct answer	*a = s->answer;
	uint64_t	 after = s->after;
	uint32_t	 selected;

	selected = select_step(&s->sel, &after, s->max, s->now, on_message, s);
	a->next = after;
	/*
	 * Their reports and history are on their way: the next step waits until
	 * they are there, as the disk keeps the order.
	 */
	if (s->last != NULL)
		mark(s, s->last);
	if (s->stop) {
		a->status = CTL_ERROR;
		a->reason = "out of memory";
		a->next = 0;
	} else if (a->matched == 0 && s->after == 0 && a->next == 0 &&
	    s->verb > STEER_COUNT) {
		a->status = CTL_NO_MATCH;
		a->reason = selected == 0 ? "no such message" :
		    verbs[s->verb].nothing;
	}
	if (s->verb <= STEER_COUNT)
		return;
	if (a->matched > 0)
		log_step(s, text, a->matched);
	schedule_run(s->now);
}

/* Does the argument suit the verb? NULL, or why not. */
static const char *
check_argument(const struct step *s)
{
	static char	reason[ARGUMENT_MAX + 64];

	if (s->counted != STEER_REROUTE ||
	    conf_relay_find(child_conf(), s->argument) != NULL)
		return NULL;
	snprintf(reason, sizeof(reason), "the configuration has no relay "
	    "\"%s\"", s->argument);
	return reason;
}

/* Counted is what the verb that the argument begins with would change. */
static void
read_counted(struct step *s)
{
	size_t	n = strcspn(s->argument, " ");
	int	i;

	s->counted = s->verb;
	for (i = STEER_HOLD; s->verb == STEER_COUNT && i < STEER_VERBS; i++) {
		if (strlen(verbs[i].name) != n ||
		    strncmp(verbs[i].name, s->argument, n) != 0)
			continue;
		s->counted = (enum steer_verb)i;
		n += s->argument[n] == ' ';
		memmove(s->argument, s->argument + n,
		    strlen(s->argument + n) + 1);
		return;
	}
}

static int
begin(struct step *s, const struct peer *p, struct slice text, char *err,
    size_t size)
{
	const char	*why = check_argument(s);

	if (why != NULL) {
		strlcpy(err, why, size);
		return -1;
	}
	if (selection_parse(&s->sel, text, err, size) == -1)
		return -1;
	if ((s->answer = calloc(1, sizeof(*s->answer))) == NULL) {
		strlcpy(err, "out of memory", size);
		selection_free(&s->sel);
		return -1;
	}
	*s->answer = (struct answer){ .epoch = p->epoch, .sid = s->sid,
		.status = CTL_OK, .reason = "", .left = 1 };
	return 0;
}

int
steer_select(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct step		 s = { .ch = ch, .sid = msg->sid,
		.now = schedule_now() };
	struct ipc_reader	 r;
	struct slice		 text;
	char			 err[512];
	uint8_t			 verb;
	bool			 may;

	ipc_reader(&r, msg);
	s.uid = control_uid(&r);
	may = control_caller(&r);
	verb = ipc_get_u8(&r);
	s.after = ipc_get_u64(&r);
	s.max = ipc_get_u16(&r);
	ipc_copy_str(&r, s.argument, sizeof(s.argument));
	text = ipc_get_str(&r);
	if (!ipc_done(&r) || verb >= STEER_VERBS)
		return -1;
	s.verb = (enum steer_verb)verb;
	read_counted(&s);
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (s.max == 0 || s.max > verbs[verb].max || verb == STEER_COUNT)
		s.max = verbs[verb].max;
	if (begin(&s, arg, text, err, sizeof(err)) == -1) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, err);
		return 0;
	}
	run(&s, text);
	selection_free(&s.sel);
	answer_part(s.answer);
	return 0;
}
