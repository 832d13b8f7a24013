/*
 * The queue's answers to msactl, by way of msad-control, on what an operator
 * ordered for a while (rules, pauses), and on one message: its octets and its
 * history. Runs in msad-queue, reached through control_handlers. Who may ask is
 * decided as for all other questions (control.c). What changes something is
 * answered when it is on the disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "control.h"
#include "control_rules.h"
#include "history.h"
#include "pause.h"
#include "peers.h"
#include "rules.h"
#include "schedule.h"
#include "spool.h"

#define CAT_PAGE	(256U * 1024)	/* octets of one answer, about */
#define CAT_PIECE	16000U		/* of one message of it */
#define PENDING_MAX	(1024 * 1024)	/* octets under way to control */
#define EVENT_MAX	1990		/* of an event's text */

/* A question that waits for the disk. */
struct waiting {
	uint64_t	 epoch;		/* of control's channel */
	uint64_t	 sid;
	uint32_t	 matched;
	uint64_t	 next;
};

static struct spool	*spool;

void
control_rules_init(struct spool *s)
{
	spool = s;
}

static struct waiting *
waiting_new(const struct peer *p, const struct ipc_msg *msg)
{
	struct waiting	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->epoch = p->epoch;
	w->sid = msg->sid;
	w->matched = 1;
	return w;
}

/* It is on the disk and in force, or is not to be. */
static void
on_done(void *arg, const char *error)
{
	struct waiting	*w = arg;
	struct peer	*p;

	if ((p = peers_find(ROLE_CONTROL, w->epoch)) != NULL)
		control_end(p->ch, w->sid, error == NULL ? CTL_OK : CTL_ERROR,
		    error == NULL ? w->matched : 0,
		    error == NULL ? w->next : 0, error == NULL ? "" : error);
	free(w);
	schedule_run(schedule_now());
}

/* It was not begun: nothing is there to be changed, or it cannot be. */
static void
refuse(struct ipc *ch, struct waiting *w, const char *error,
    const char *nothing)
{
	control_end(ch, w->sid, error != NULL ? CTL_ERROR : CTL_NO_MATCH, 0, 0,
	    error != NULL ? error : nothing);
	free(w);
}

/* --- rules --- */

int
control_rule_add(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct rule_record	 rule = { 0 };
	struct ipc_reader	 r;
	struct waiting		*w;
	const char		*error;
	time_t			 now = schedule_now();
	uint32_t		 seconds, number = 0;
	uint8_t			 action;
	bool			 may;

	ipc_reader(&r, msg);
	rule.uid = control_uid(&r);
	may = control_caller(&r);
	action = ipc_get_u8(&r);
	seconds = ipc_get_u32(&r);
	rule.reason = ipc_get_str(&r);
	rule.selection = ipc_get_str(&r);
	if (!ipc_done(&r) || (action != RULE_HOLD && action != RULE_REJECT))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	rule.action = (enum rule_action)action;
	rule.since = (uint64_t)now;
	rule.until = seconds == 0 ? 0 : (uint64_t)now + seconds;
	if ((w = waiting_new(arg, msg)) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	if ((error = rules_add(&rule, on_done, w, &number)) != NULL)
		refuse(ch, w, error, "");
	else
		w->next = number;
	return 0;
}

int
control_rule_remove(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct waiting		*w;
	const char		*error;
	uint32_t		 uid, number;
	bool			 may;

	ipc_reader(&r, msg);
	uid = control_uid(&r);
	may = control_caller(&r);
	number = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if ((w = waiting_new(arg, msg)) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	error = rules_remove(number, uid, on_done, w, &w->matched);
	if (error != NULL || w->matched == 0)
		refuse(ch, w, error, number == 0 ? "there are no rules" :
		    "there is no rule of that number");
	return 0;
}

/* For whom the lines of a list are. */
struct asking {
	struct ipc	*ch;
	uint64_t	 sid;
	uint64_t	 now;
};

/* Seconds until then; 0 is said of what has no end. */
static uint32_t
left(uint64_t until, uint64_t now)
{
	return until == 0 ? 0 : until <= now ? 1 : until - now > UINT32_MAX ?
	    UINT32_MAX : (uint32_t)(until - now);
}

static void
send_rule(void *arg, const struct rule_record *r, uint64_t hits)
{
	const struct asking	*a = arg;

	ipc_start(a->ch, IPC_CTL_RULE, a->sid);
	ipc_put_u32(a->ch, r->number);
	ipc_put_u8(a->ch, (uint8_t)r->action);
	ipc_put_u32(a->ch, left(r->until, a->now));
	ipc_put_u32(a->ch, r->uid);
	ipc_put_u64(a->ch, r->since);
	ipc_put_u64(a->ch, hits);
	ipc_put_slice(a->ch, r->reason);
	ipc_put_slice(a->ch, r->selection);
	ipc_send(a->ch);
}

/* A question that is the caller alone: may he ask? -1: malformed. */
static int
read_plain(struct ipc *ch, struct ipc_msg *msg)
{
	struct ipc_reader	r;
	bool			may;

	ipc_reader(&r, msg);
	may = control_caller(&r);
	if (!ipc_done(&r))
		return -1;
	return control_admit(ch, msg->sid, may);
}

int
control_rules(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct asking	a = { ch, msg->sid, (uint64_t)schedule_now() };
	int		n;

	(void)arg;
	if ((n = read_plain(ch, msg)) == 1)
		control_end(ch, msg->sid, CTL_OK, rules_each(send_rule, &a),
		    0, "");
	return n == -1 ? -1 : 0;
}

/* --- pauses --- */

/* What a resume changes, or a pause. */
static int
pause_or_resume(struct ipc *ch, struct waiting *w, bool on,
    const struct pause_record *p)
{
	const char	*error;

	error = on ? pause_add(p, on_done, w) : pause_remove(p->kind, p->name,
	    p->uid, on_done, w, &w->matched);
	if (error != NULL || w->matched == 0)
		refuse(ch, w, error, "it is not paused");
	return 0;
}

int
control_pause(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct pause_record	 p = { .kind = PAUSE_ACCEPT };
	struct ipc_reader	 r;
	struct waiting		*w;
	uint32_t		 seconds;
	uint8_t			 on, kind;
	bool			 may;

	ipc_reader(&r, msg);
	p.uid = control_uid(&r);
	may = control_caller(&r);
	on = ipc_get_u8(&r);
	kind = ipc_get_u8(&r);
	seconds = ipc_get_u32(&r);
	p.name = ipc_get_str(&r);
	if (!ipc_done(&r) || on > 1 || kind >= PAUSE_KINDS)
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	p.kind = (enum pause_kind)kind;
	p.since = (uint64_t)schedule_now();
	p.until = seconds == 0 ? 0 : p.since + seconds;
	if ((w = waiting_new(arg, msg)) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	return pause_or_resume(ch, w, on == 1, &p);
}

static void
send_pause(void *arg, const struct pause_record *p)
{
	const struct asking	*a = arg;

	ipc_start(a->ch, IPC_CTL_PAUSED, a->sid);
	ipc_put_u8(a->ch, (uint8_t)p->kind);
	ipc_put_u32(a->ch, left(p->until, a->now));
	ipc_put_u32(a->ch, p->uid);
	ipc_put_u64(a->ch, p->since);
	ipc_put_slice(a->ch, p->name);
	ipc_send(a->ch);
}

int
control_pauses(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct asking	a = { ch, msg->sid, (uint64_t)schedule_now() };
	int		n;

	(void)arg;
	if ((n = read_plain(ch, msg)) == 1)
		control_end(ch, msg->sid, CTL_OK, pause_each(send_pause, &a),
		    0, "");
	return n == -1 ? -1 : 0;
}

/* --- one message --- */

static void
send_event(void *arg, time_t when, const char *event, const char *text)
{
	const struct asking	*a = arg;
	struct slice		 s = SLICE_STR(text);

	if (s.len > EVENT_MAX)
		s.len = EVENT_MAX;
	ipc_start(a->ch, IPC_CTL_QUEUE_EVENT, a->sid);
	ipc_put_u64(a->ch, (uint64_t)when);
	ipc_put_str(a->ch, event);
	ipc_put_slice(a->ch, s);
	ipc_send(a->ch);
}

int
control_log(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct asking		a = { ch, msg->sid, 0 };
	struct ipc_reader	r;
	uint64_t		id;
	unsigned int		n;
	bool			may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	id = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	n = history_each(id, send_event, &a);
	control_end(ch, msg->sid, n > 0 ? CTL_OK : CTL_NO_MATCH, n, 0,
	    n > 0 ? "" : "no such message is known (any more)");
	return 0;
}

/*
 * The octets from offset on, as many as one answer takes; *next is where to go
 * on, 0: that was the end.
 */
static enum spool_result
send_octets(struct ipc *ch, uint64_t sid, const struct spool_content *c,
    uint64_t offset, uint64_t *next)
{
	static uint8_t	buf[CAT_PIECE];
	uint64_t	size = c->prefixlen + c->bodylen, from = offset;
	ssize_t		n;

	while (offset < size && (offset == from ||
	    (offset - from < CAT_PAGE && ipc_pending(ch) < PENDING_MAX))) {
		n = spool_content_read(c, offset, buf, sizeof(buf));
		if (n <= 0)
			return SPOOL_IO;
		ipc_start(ch, IPC_CTL_QUEUE_OCTETS, sid);
		ipc_put_bytes(ch, buf, (size_t)n);
		ipc_send(ch);
		offset += (uint64_t)n;
	}
	*next = offset < size ? offset : 0;
	return SPOOL_OK;
}

int
control_cat(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct spool_content	c;
	struct ipc_reader	r;
	enum spool_result	result;
	uint64_t		id, offset, next = 0;
	char			why[128];
	bool			may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	id = ipc_get_u64(&r);
	offset = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	result = id < SPOOL_REGISTERS ? SPOOL_NOENT :
	    spool_content_open(spool, id, &c);
	if (result == SPOOL_OK) {
		if (offset == 0)
			result = spool_content_verify(&c);
		if (result == SPOOL_OK)
			result = send_octets(ch, msg->sid, &c, offset, &next);
		spool_content_close(&c);
	}
	snprintf(why, sizeof(why), "the message cannot be read: %s",
	    spool_result_name(result));
	control_end(ch, msg->sid, result == SPOOL_OK ? CTL_OK :
	    result == SPOOL_NOENT ? CTL_NO_MATCH : CTL_ERROR,
	    result == SPOOL_OK, next, result == SPOOL_OK ? "" :
	    result == SPOOL_NOENT ? "no such message" : why);
	return 0;
}
