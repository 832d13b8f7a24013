/*
 * Questions to the queue about its messages: list, show, cat, log, and all that
 * changes them. Runs in msad-control, called by question.c, and by the channel
 * with the answers. The queue decides who may, and parses the selection, which
 * goes to it as the caller wrote it.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "msad/control/answer.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"

/* Of CTL_QUEUE_RCPT; with how much each says of its message. */
enum rcpt_state {
	RCPT_WAITING, RCPT_INFLIGHT, RCPT_DONE, RCPT_FAILED, RCPT_HELD,
	RCPT_FUTURE
};

static const struct {
	const char	*name;
	int		 rank;
} rcpt_states[] = {
	[RCPT_WAITING] = { "waiting", 4 },
	[RCPT_INFLIGHT] = { "inflight", 5 },
	[RCPT_DONE] = { "done", 0 },
	[RCPT_FAILED] = { "failed", 1 },
	[RCPT_HELD] = { "held", 3 },
	[RCPT_FUTURE] = { "future", 2 }
};
#define RCPT_STATES	(sizeof(rcpt_states) / sizeof(rcpt_states[0]))

static const unsigned int	 types[REQUEST_CMDS] = {
	[REQUEST_QUEUE_LIST] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_AGE] = IPC_CTL_QUEUE_AGE,
	[REQUEST_QUEUE_SUMMARY] = IPC_CTL_QUEUE_SUMMARY,
	[REQUEST_QUEUE_SHOW] = IPC_CTL_QUEUE_SHOW,
	[REQUEST_QUEUE_CAT] = IPC_CTL_QUEUE_CAT,
	[REQUEST_QUEUE_LOG] = IPC_CTL_QUEUE_LOG,
	[REQUEST_QUEUE_HOLD] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_RELEASE] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_FLUSH] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_EXPIRE] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_FAIL] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_DROP] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_QUEUE_REROUTE] = IPC_CTL_QUEUE_SELECT,
	[REQUEST_RULE_ADD] = IPC_CTL_RULE_ADD,
	[REQUEST_RULE_LIST] = IPC_CTL_RULES,
	[REQUEST_RULE_REMOVE] = IPC_CTL_RULE_REMOVE,
	[REQUEST_PAUSE] = IPC_CTL_PAUSE,
	[REQUEST_RESUME] = IPC_CTL_PAUSE,
	[REQUEST_PAUSES] = IPC_CTL_PAUSES,
	[REQUEST_LIMITS] = IPC_CTL_LIMITS,
	[REQUEST_USER_LIMITS] = IPC_CTL_LIMITS,
	[REQUEST_LIMITS_RESET] = IPC_CTL_LIMITS_RESET
};

/* Does it change messages? */
static bool
steers(enum request_cmd cmd)
{
	return cmd >= REQUEST_QUEUE_HOLD && cmd <= REQUEST_QUEUE_REROUTE;
}

/* Is it answered a page at a time? */
static bool
is_paged(enum request_cmd cmd)
{
	return cmd == REQUEST_QUEUE_LIST || cmd == REQUEST_QUEUE_AGE ||
	    cmd == REQUEST_QUEUE_CAT || cmd == REQUEST_LIMITS ||
	    cmd == REQUEST_USER_LIMITS || steers(cmd);
}

/* Is it one that may find nothing without having failed? */
static bool
is_list(enum request_cmd cmd)
{
	return cmd == REQUEST_QUEUE_LIST || cmd == REQUEST_QUEUE_AGE ||
	    cmd == REQUEST_QUEUE_SUMMARY || cmd == REQUEST_RULE_LIST ||
	    cmd == REQUEST_PAUSES || cmd == REQUEST_LIMITS ||
	    cmd == REQUEST_USER_LIMITS;
}

/* --- questions --- */

static enum steer_verb
verb(const struct request *req)
{
	static const enum steer_verb	 verbs[REQUEST_CMDS] = {
		[REQUEST_QUEUE_LIST] = STEER_LIST,
		[REQUEST_QUEUE_HOLD] = STEER_HOLD,
		[REQUEST_QUEUE_RELEASE] = STEER_RELEASE,
		[REQUEST_QUEUE_FLUSH] = STEER_FLUSH,
		[REQUEST_QUEUE_EXPIRE] = STEER_EXPIRE,
		[REQUEST_QUEUE_FAIL] = STEER_FAIL,
		[REQUEST_QUEUE_DROP] = STEER_DROP,
		[REQUEST_QUEUE_REROUTE] = STEER_REROUTE
	};

	return req->count ? STEER_COUNT : verbs[req->cmd];
}

static const char *
selection(const struct request *req)
{
	return req->select[0] != '\0' ? req->select : "all";
}

/* Of a count: "VERB" or "reroute RELAY", which is what is counted for. */
static const char *
argument(const struct request *req, char *buf, size_t size)
{
	const char	*name = strrchr(request_name(req->cmd), ' ');
	const char	*what = req->cmd == REQUEST_QUEUE_REROUTE ? req->to :
			    req->reason;

	if (!req->count)
		return what;
	strlcpy(buf, name != NULL ? name + 1 : "", size);
	if (req->cmd == REQUEST_QUEUE_REROUTE) {
		strlcat(buf, " ", size);
		strlcat(buf, what, size);
	}
	return buf;
}

static void
put_select(struct ipc *ch, const struct question *q)
{
	const struct request	*req = &q->req;
	char			 buf[sizeof(req->to)];

	ipc_put_u8(ch, (uint8_t)verb(req));
	ipc_put_u64(ch, q->after);
	ipc_put_u16(ch, req->cmd == REQUEST_QUEUE_LIST ? LIST_PAGE :
	    STEER_PAGE);
	ipc_put_str(ch, argument(req, buf, sizeof(buf)));
	ipc_put_str(ch, selection(req));
}

/* What follows the caller (ipc_types.h). */
static void
put_question(struct ipc *ch, const struct question *q)
{
	const struct request	*req = &q->req;

	switch (req->cmd) {
	case REQUEST_QUEUE_AGE:
		ipc_put_u64(ch, q->after);
		ipc_put_str(ch, selection(req));
		break;
	case REQUEST_QUEUE_SUMMARY:
		ipc_put_u8(ch, req->what);
		ipc_put_u16(ch, GROUPS_MAX);
		break;
	case REQUEST_QUEUE_SHOW:
	case REQUEST_QUEUE_LOG:
		ipc_put_u64(ch, req->id);
		break;
	case REQUEST_QUEUE_CAT:
		ipc_put_u64(ch, req->id);
		ipc_put_u64(ch, q->after);
		break;
	case REQUEST_LIMITS:
	case REQUEST_USER_LIMITS:
		ipc_put_u32(ch, (uint32_t)q->after);
		ipc_put_u16(ch, LIST_PAGE);
		ipc_put_str(ch, req->user);
		break;
	case REQUEST_LIMITS_RESET:
		ipc_put_str(ch, req->user);
		ipc_put_str(ch, req->name);
		break;
	case REQUEST_RULE_ADD:
	case REQUEST_RULE_REMOVE:
		question_put_rule(ch, req);
		break;
	case REQUEST_PAUSE:
	case REQUEST_RESUME:
		question_put_pause(ch, req);
		break;
	case REQUEST_RULE_LIST:
	case REQUEST_PAUSES:
		break;
	default:
		put_select(ch, q);
		break;
	}
}

void
question_queue_begin(struct client *c)
{
	struct question	*q = &c->question;
	struct ipc	*ch;

	ch = question_start(c, ROLE_QUEUE, types[q->req.cmd]);
	if (ch == NULL)
		return;
	if (q->req.cmd == REQUEST_QUEUE_AGE && q->ages == NULL)
		q->ages = json_object();
	put_question(ch, q);
	ipc_send(ch);
}

/* --- answers --- */

int
question_line(const struct ipc_msg *msg, struct ipc_reader *r, json_t *value)
{
	struct client	*c = question_client(msg, ROLE_QUEUE);

	if (!ipc_done(r) || c == NULL) {
		json_decref(value);
		return ipc_done(r) ? 0 : -1;
	}
	client_line(c, value);
	return 0;
}

static int
rank(const json_t *rcpt)
{
	const char	*s = json_string_value(json_object_get(rcpt, "state"));
	size_t		 i;

	for (i = 0; s != NULL && i < RCPT_STATES; i++)
		if (strcmp(s, rcpt_states[i].name) == 0)
			return rcpt_states[i].rank;
	return -1;
}

static json_int_t
member(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* The recipient that speaks for the message: in flight, else due first. */
static json_t *
foremost(const json_t *rcpts)
{
	json_t	*best = NULL, *r;
	size_t	 i;

	json_array_foreach(rcpts, i, r) {
		if (best == NULL || rank(r) > rank(best) ||
		    (rank(r) == rank(best) &&
		    rank(r) == rcpt_states[RCPT_WAITING].rank &&
		    member(r, "next") < member(best, "next")))
			best = r;
	}
	return best;
}

/* A message and its recipients are complete: one line of the answer. */
static void
message_end(struct client *c)
{
	static const char *const names[] = { "state", "tries", "next", "last" };
	json_t		*message = c->question.message, *r;
	size_t		 i;

	if (message == NULL)
		return;
	c->question.message = NULL;
	r = foremost(json_object_get(message, "rcpts"));
	for (i = 0; r != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set(message, names[i], json_object_get(r,
		    names[i]));
	client_line(c, message);
}

static json_t *
message_read(struct ipc_reader *r)
{
	struct slice	 user, tenant, from;
	uint64_t	 id, when, size, by;
	uint8_t		 priority, by_return;

	id = ipc_get_u64(r);
	when = ipc_get_u64(r);
	size = ipc_get_u64(r);
	user = ipc_get_str(r);
	tenant = ipc_get_str(r);
	from = ipc_get_str(r);
	ipc_get_u32(r);		/* how many: they follow */
	priority = ipc_get_u8(r);
	by = ipc_get_u64(r);
	by_return = ipc_get_u8(r);
	if (priority > 18 || by_return > 1)
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	return json_pack("{sososososososisosbso}", "id", answer_id(id),
	    "time", answer_number(when), "size", answer_number(size),
	    "user", answer_text(user), "tenant", answer_text(tenant),
	    "from", answer_text(from), "priority", (int)priority - 9,
	    "by", answer_number(by), "return", (int)by_return,
	    "rcpts", json_array());
}

static int
on_message(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	json_t			*message;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	message = message_read(&r);
	if (!ipc_done(&r)) {
		json_decref(message);
		return -1;
	}
	if (c == NULL) {
		json_decref(message);
		return 0;
	}
	message_end(c);
	c->question.message = message;
	return 0;
}

static json_t *
rcpt_read(struct ipc_reader *r)
{
	struct slice	 to, last, relay;
	uint32_t	 tries;
	uint64_t	 next;
	uint8_t		 state;

	to = ipc_get_str(r);
	state = ipc_get_u8(r);
	tries = ipc_get_u32(r);
	next = ipc_get_u64(r);
	last = ipc_get_str(r);
	relay = ipc_get_str(r);
	if (state >= RCPT_STATES)
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	return json_pack("{sosssIsososo}", "to", answer_text(to),
	    "state", rcpt_states[state].name, "tries", (json_int_t)tries,
	    "next", answer_number(next), "last", answer_text(last),
	    "relay", answer_text(relay));
}

static int
on_rcpt(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	json_t			*rcpt;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	rcpt = rcpt_read(&r);
	if (!ipc_done(&r)) {
		json_decref(rcpt);
		return -1;
	}
	if (c == NULL || c->question.message == NULL) {
		json_decref(rcpt);
		return 0;
	}
	json_array_append_new(json_object_get(c->question.message, "rcpts"),
	    rcpt);
	return 0;
}

/* A piece of a message, which is any octets: base64. */
static int
on_octets(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	char			 text[IPC_PAYLOAD_MAX / 3 * 4 + 8];
	struct ipc_reader	 r;
	struct slice		 s;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	s = ipc_get_bytes(&r);
	if (!ipc_done(&r) ||
	    base64_encode(s.p, s.len, text, sizeof(text)) == -1)
		return -1;
	return question_line(msg, &r, json_pack("{ss}", "octets", text));
}

static int
on_event(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 event, text;
	uint64_t		 when;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	when = ipc_get_u64(&r);
	event = ipc_get_str(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	return question_line(msg, &r, json_pack("{sososo}",
	    "time", answer_number(when), "event", answer_text(event),
	    "text", answer_text(text)));
}

/* --- the end of an answer --- */

/* What the last line says beside the status. */
static json_t *
extra(const struct client *c, uint64_t place)
{
	const struct request	*req = &c->question.req;

	if (req->cmd == REQUEST_RULE_ADD)
		return json_pack("{so}", "number", answer_number(place));
	if (steers(req->cmd) || req->cmd == REQUEST_RULE_REMOVE ||
	    req->cmd == REQUEST_LIMITS_RESET)
		return json_pack("{so}", "matched",
		    answer_number(c->question.matched));
	return NULL;
}

/* Of all pages: what was the status of the whole? */
static int
judge(const struct client *c, int status)
{
	const struct request	*req = &c->question.req;

	if (status != 0 && status != 5)
		return status;
	if (is_list(req->cmd))
		return 0;	/* an empty queue is no failure */
	if (steers(req->cmd))
		return c->question.matched > 0 ||
		    strcmp(req->select, "all") == 0 ? 0 : 5;
	return status;
}

static void
queue_end(struct client *c, int status, uint64_t after, const char *reason)
{
	enum request_cmd	 cmd = c->question.req.cmd;

	message_end(c);
	if (status == 0 && after != 0 &&
	    (is_paged(cmd) || cmd == REQUEST_USERS)) {
		/* of users, the last line says where */
		if (cmd != REQUEST_USERS)
			c->question.after = after;
		question_next(c);
		return;
	}
	status = judge(c, status);
	if (status == 0 && cmd == REQUEST_TEST_SESSION)
		question_facts(c);
	if (status == 0 && cmd == REQUEST_QUEUE_AGE)
		question_ages_end(c);
	if (status == 0)
		reason = "";
	else if (*reason == '\0')
		reason = status == 5 ? "no message matches" :
		    "the queue refused";
	client_end(c, status, reason, extra(c, after));
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client	*c;
	char		 reason[QUESTION_REASON_MAX];
	uint64_t	 place;
	int		 status, n;

	(void)ch;
	(void)arg;
	n = question_end(msg, ROLE_QUEUE, &c, &status, &place, reason);
	if (n == 1)
		queue_end(c, status, place, reason);
	return n == -1 ? -1 : 0;
}

const struct ipc_handler	 question_queue_handlers[] = {
	{ IPC_CTL_QUEUE_MESSAGE, on_message },
	{ IPC_CTL_QUEUE_RCPT, on_rcpt },
	{ IPC_CTL_QUEUE_OCTETS, on_octets },
	{ IPC_CTL_QUEUE_EVENT, on_event },
	{ IPC_CTL_QUEUE_TOTAL, question_total },
	{ IPC_CTL_QUEUE_GROUP, question_group },
	{ IPC_CTL_QUEUE_AGES, question_ages },
	{ IPC_CTL_RULE, question_rule },
	{ IPC_CTL_PAUSED, question_paused },
	{ IPC_CTL_LIMIT, question_limit },
	{ IPC_CTL_QUEUE_USER, question_user },
	{ IPC_CTL_QUEUE_FACT, question_queue_fact },
	{ IPC_CTL_QUEUE_END, on_end },
	{ 0, NULL }
};
