/*
 * What a request needs to be answered: questions to the queue and to msad, and
 * the pages of counters.
 *
 * Runs in msad-control, called by client.c with a parsed request, and by the
 * channels with what the other processes answer. An answer whose client is
 * gone meanwhile is read and forgotten. The queue's content is listed a page
 * at a time: the next page is asked for when the client has read the last, so
 * that a listing of any length takes a bounded amount of memory here.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/log.h"
#include "common/stats.h"
#include "common/version.h"
#include "msad/control/answer.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"
#include "msad/control/stats.h"

/* More processes than this msad never has. */
#define PROCESSES_MAX	1024

#define PATIENCE_RELOAD	60

/* Of CTL_QUEUE_RCPT. */
enum rcpt_state {
	RCPT_WAITING, RCPT_INFLIGHT, RCPT_DONE, RCPT_FAILED, RCPT_HELD
};

static const char *const rcpt_states[] = {
	[RCPT_WAITING] = "waiting",
	[RCPT_INFLIGHT] = "inflight",
	[RCPT_DONE] = "done",
	[RCPT_FAILED] = "failed",
	[RCPT_HELD] = "held"
};
#define RCPT_STATES	(sizeof(rcpt_states) / sizeof(rcpt_states[0]))

static struct ipc	*queue, *auth;
static uint64_t		 last_sid;

void
question_clear(struct question *q)
{
	json_decref(q->processes);
	json_decref(q->message);
	json_decref(q->facts);
	explicit_bzero(q, sizeof(*q));	/* there may be a password in it */
	q->role = ROLE_MAX;
}

/* --- show stats --- */

static void
stats_begin(struct client *c)
{
	uint64_t	 sums[STAT_MAX];
	unsigned int	 i;
	json_t		*o = json_object();

	pages_sum(sums);
	for (i = 0; o != NULL && i < STAT_MAX; i++)
		json_object_set_new(o, stats_name((enum counter)i),
		    answer_number(sums[i]));
	client_line(c, o);
	client_end(c, 0, "", NULL);
}

/* --- msad --- */

static void
parent_begin(struct client *c)
{
	struct ipc	*ch = child_parent();

	c->question.role = ROLE_PARENT;
	client_patience(c, PATIENCE);
	switch (c->question.req.cmd) {
	case REQUEST_RELOAD:
		client_patience(c, PATIENCE_RELOAD);
		ipc_send_empty(ch, IPC_CTL_RELOAD, c->question.sid);
		break;
	case REQUEST_LOGLEVEL:
		ipc_start(ch, IPC_CTL_LOGLEVEL, c->question.sid);
		ipc_put_u8(ch, (uint8_t)c->question.req.level);
		ipc_send(ch);
		break;
	default:
		c->question.processes = json_array();
		ipc_send_empty(ch, IPC_CTL_STATUS, c->question.sid);
		break;
	}
}

int
question_process(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_PARENT);
	struct ipc_reader	 r;
	struct slice		 name;
	uint32_t		 index, pid, uid, restarts;
	uint64_t		 started;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	name = ipc_get_str(&r);
	index = ipc_get_u32(&r);
	pid = ipc_get_u32(&r);
	uid = ipc_get_u32(&r);
	started = ipc_get_u64(&r);
	restarts = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (c == NULL || c->question.processes == NULL ||
	    json_array_size(c->question.processes) >= PROCESSES_MAX)
		return 0;
	json_array_append_new(c->question.processes, json_pack(
	    "{sosIsIsIsosI}", "name", answer_text(name),
	    "index", (json_int_t)index, "pid", (json_int_t)pid,
	    "uid", (json_int_t)uid, "started", answer_number(started),
	    "restarts", (json_int_t)restarts));
	return 0;
}

/* Is a process of that name there? */
static bool
runs(const json_t *processes, const char *name)
{
	const json_t	*value;
	const char	*s;
	size_t		 i;

	json_array_foreach(processes, i, value) {
		s = json_string_value(json_object_get(value, "name"));
		if (s != NULL && strcmp(s, name) == 0 &&
		    json_integer_value(json_object_get(value, "pid")) > 0)
			return true;
	}
	return false;
}

/* What a message passes on its way in is there, and the spool takes it. */
static bool
accepting(const json_t *processes)
{
	uint64_t	 sums[STAT_MAX];

	pages_sum(sums);
	return sums[STAT_QUEUE_STOPPED] == 0 && queue != NULL &&
	    runs(processes, "frontend") && runs(processes, "auth") &&
	    runs(processes, "keys") && runs(processes, "queue");
}

static void
status_end(struct client *c)
{
	struct question	*q = &c->question;

	client_line(c, json_pack("{sssbsO}", "version", MSAD_VERSION,
	    "accepting", (int)accepting(q->processes),
	    "processes", q->processes));
	client_end(c, 0, "", NULL);
}

int
question_parent_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_PARENT);
	struct ipc_reader	 r;
	struct slice		 text;
	json_t			*extra = NULL;
	char			 reason[2048];
	uint8_t			 ok;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	ok = ipc_get_u8(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r) || text.len >= sizeof(reason))
		return -1;
	if (c == NULL)
		return 0;
	if (!ok) {
		memcpy(reason, text.p, text.len);
		reason[text.len] = '\0';
		client_end(c, 1, reason[0] != '\0' ? reason : "msad refused",
		    NULL);
	} else if (c->question.req.cmd == REQUEST_STATUS)
		status_end(c);
	else {
		if (text.len > 0)
			extra = json_pack("{so}", "text", answer_text(text));
		client_end(c, 0, "", extra);
	}
	return 0;
}

/* --- the queue and auth: questions --- */

struct ipc *
question_start(struct client *c, enum ipc_role role, unsigned int type)
{
	struct ipc	*ch = role == ROLE_QUEUE ? queue : auth;

	if (ch == NULL) {
		client_end(c, 1, role == ROLE_QUEUE ?
		    "the queue cannot be reached now" :
		    "the authenticator cannot be reached now", NULL);
		return NULL;
	}
	c->question.role = role;
	ipc_start(ch, type, c->question.sid);
	peer_put(&c->peer, ch);
	client_patience(c, PATIENCE);
	return ch;
}

struct client *
question_client(const struct ipc_msg *msg, enum ipc_role role)
{
	struct client	*c = client_asking(msg->sid);

	return c != NULL && c->question.role == role ? c : NULL;
}

static const unsigned int	 queue_types[REQUEST_CMDS] = {
	[REQUEST_QUEUE_LIST] = IPC_CTL_QUEUE_LIST,
	[REQUEST_QUEUE_SHOW] = IPC_CTL_QUEUE_SHOW,
	[REQUEST_QUEUE_FLUSH] = IPC_CTL_QUEUE_FLUSH,
	[REQUEST_QUEUE_REMOVE] = IPC_CTL_QUEUE_REMOVE,
	[REQUEST_QUEUE_RELEASE] = IPC_CTL_QUEUE_RELEASE,
	[REQUEST_LIMITS] = IPC_CTL_LIMITS,
	[REQUEST_USER_LIMITS] = IPC_CTL_LIMITS,
	[REQUEST_LIMITS_RESET] = IPC_CTL_LIMITS_RESET
};

/* Is it listed a page at a time? */
static bool
is_list(enum request_cmd cmd)
{
	return cmd == REQUEST_QUEUE_LIST || cmd == REQUEST_LIMITS ||
	    cmd == REQUEST_USER_LIMITS;
}

static void
queue_begin(struct client *c)
{
	const struct request	*req = &c->question.req;
	struct ipc		*ch;

	if ((ch = question_start(c, ROLE_QUEUE, queue_types[req->cmd])) ==
	    NULL)
		return;
	if (req->cmd == REQUEST_QUEUE_LIST) {
		ipc_put_u64(ch, c->question.after);
		ipc_put_u16(ch, LIST_PAGE);
	} else if (is_list(req->cmd)) {
		ipc_put_u32(ch, (uint32_t)c->question.after);
		ipc_put_u16(ch, LIST_PAGE);
		ipc_put_str(ch, req->user);
	} else if (req->cmd == REQUEST_LIMITS_RESET) {
		ipc_put_str(ch, req->user);
	} else {
		if (req->cmd != REQUEST_QUEUE_SHOW)
			ipc_put_u8(ch, req->all);
		ipc_put_u64(ch, req->id);
	}
	ipc_send(ch);
}

/* --- the queue: answers --- */

static bool
is_state(const json_t *rcpt, enum rcpt_state state)
{
	const char	*s = json_string_value(json_object_get(rcpt, "state"));

	return s != NULL && strcmp(s, rcpt_states[state]) == 0;
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
		if (is_state(r, RCPT_INFLIGHT))
			return r;
		if (is_state(r, RCPT_WAITING) && (best == NULL ||
		    !is_state(best, RCPT_WAITING) ||
		    member(r, "next") < member(best, "next")))
			best = r;
		else if (best == NULL)
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
	uint64_t	 id, when, size;

	id = ipc_get_u64(r);
	when = ipc_get_u64(r);
	size = ipc_get_u64(r);
	user = ipc_get_str(r);
	tenant = ipc_get_str(r);
	from = ipc_get_str(r);
	ipc_get_u32(r);		/* how many: they follow */
	if (!ipc_done(r))
		return NULL;
	return json_pack("{sososososososo}", "id", answer_id(id),
	    "time", answer_number(when), "size", answer_number(size),
	    "user", answer_text(user), "tenant", answer_text(tenant),
	    "from", answer_text(from), "rcpts", json_array());
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
	    "state", rcpt_states[state], "tries", (json_int_t)tries,
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

static json_t *
limit_read(struct ipc_reader *r)
{
	static const char *const kinds[] = {
		NULL, "credential", "messages", "recipients", "bytes"
	};
	struct slice	 space, user, label;
	uint64_t	 used, limit, wait;
	uint32_t	 period;
	uint8_t		 kind;
	bool		 credential;

	kind = ipc_get_u8(r);
	space = ipc_get_str(r);
	user = ipc_get_str(r);
	label = ipc_get_str(r);
	used = ipc_get_u64(r);
	limit = ipc_get_u64(r);
	period = ipc_get_u32(r);
	wait = ipc_get_u64(r);
	if (kind == 0 || kind >= sizeof(kinds) / sizeof(kinds[0]))
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	credential = kind == 1;
	return json_pack("{sosososssososIso}", "user", answer_text(user),
	    "tenant", answer_text(credential ? SLICE("", 0) : space),
	    "label", answer_text(label), "limit", kinds[kind],
	    "used", answer_number(used), "max", answer_number(limit),
	    "period", (json_int_t)period, "wait", answer_number(wait));
}

static int
on_limit(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	json_t			*line;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	line = limit_read(&r);
	if (!ipc_done(&r)) {
		json_decref(line);
		return -1;
	}
	if (c == NULL)
		json_decref(line);
	else
		client_line(c, line);
	return 0;
}

void
question_next(struct client *c)
{
	c->question.paused = true;
	evtimer_del(c->timer);
	question_resume(c);
}

static void
queue_end(struct client *c, int status, uint64_t after, const char *reason)
{
	enum request_cmd	 cmd = c->question.req.cmd;
	json_t			*extra = NULL;

	message_end(c);
	if (cmd == REQUEST_USERS && status == 0 && after != 0) {
		question_next(c);
		return;
	}
	if (cmd == REQUEST_TEST_SESSION && status == 0)
		question_facts(c);
	if (is_list(cmd)) {
		if (status == 0 && after != 0) {
			c->question.after = after;
			question_next(c);
			return;
		}
		if (status == 5)
			status = 0;	/* an empty queue is no failure */
	}
	if (status == 0)
		reason = "";
	else if (*reason == '\0')
		reason = status == 5 ? "no message matches" :
		    "the queue refused";
	if (cmd == REQUEST_QUEUE_FLUSH || cmd == REQUEST_QUEUE_REMOVE ||
	    cmd == REQUEST_QUEUE_RELEASE || cmd == REQUEST_LIMITS_RESET)
		extra = json_pack("{so}", "matched",
		    answer_number(c->question.matched));
	client_end(c, status, reason, extra);
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	uint32_t		 matched;
	uint64_t		 after;
	uint8_t			 status;
	char			 reason[1024];

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	status = ipc_get_u8(&r);
	matched = ipc_get_u32(&r);
	after = ipc_get_u64(&r);
	ipc_copy_str(&r, reason, sizeof(reason));
	if (!ipc_done(&r))
		return -1;
	if (c == NULL)
		return 0;
	c->question.matched += matched;
	queue_end(c, status, after, reason);
	return 0;
}

const struct ipc_handler	 question_queue_handlers[] = {
	{ IPC_CTL_QUEUE_MESSAGE, on_message },
	{ IPC_CTL_QUEUE_RCPT, on_rcpt },
	{ IPC_CTL_LIMIT, on_limit },
	{ IPC_CTL_QUEUE_USER, question_user },
	{ IPC_CTL_QUEUE_FACT, question_queue_fact },
	{ IPC_CTL_QUEUE_END, on_end },
	{ 0, NULL }
};

/* --- all --- */

void
question_set_channel(enum ipc_role role, struct ipc *ch)
{
	struct client	*c;

	*(role == ROLE_QUEUE ? &queue : &auth) = ch;
	TAILQ_FOREACH(c, &clients, entry)
		if (c->asking && c->question.role == role)
			client_end(c, 1, role == ROLE_QUEUE ?
			    "the queue went away" :
			    "the authenticator went away", NULL);
}

void
question_timeout(struct client *c)
{
	client_end(c, 1, c->question.role == ROLE_QUEUE ?
	    "the queue did not answer in time" :
	    c->question.role == ROLE_AUTH ?
	    "the authenticator did not answer in time" :
	    "msad did not answer in time", NULL);
}

static void (*const beginnings[REQUEST_CMDS])(struct client *) = {
	[REQUEST_STATUS] = parent_begin,
	[REQUEST_STATS] = stats_begin,
	[REQUEST_QUEUE_LIST] = queue_begin,
	[REQUEST_QUEUE_SHOW] = queue_begin,
	[REQUEST_QUEUE_FLUSH] = queue_begin,
	[REQUEST_QUEUE_REMOVE] = queue_begin,
	[REQUEST_QUEUE_RELEASE] = queue_begin,
	[REQUEST_LIMITS] = queue_begin,
	[REQUEST_USER_LIMITS] = queue_begin,
	[REQUEST_LIMITS_RESET] = queue_begin,
	[REQUEST_RELOAD] = parent_begin,
	[REQUEST_LOGLEVEL] = parent_begin,
	[REQUEST_USERS] = question_users_begin,
	[REQUEST_BANS] = question_auth_begin,
	[REQUEST_BAN] = question_auth_begin,
	[REQUEST_UNBAN] = question_auth_begin,
	[REQUEST_AUTH_FLUSH] = question_auth_begin,
	[REQUEST_GRANTS] = question_auth_begin,
	[REQUEST_GRANT] = question_auth_begin,
	[REQUEST_UNGRANT] = question_auth_begin,
	[REQUEST_TEST_AUTH] = question_auth_begin,
	[REQUEST_TEST_SESSION] = question_auth_begin
};

void
question_resume(struct client *c)
{
	if (!c->question.paused || !client_drained(c))
		return;
	c->question.paused = false;
	beginnings[c->question.req.cmd](c);
}

void
question_begin(struct client *c)
{
	c->question.sid = ++last_sid;
	beginnings[c->question.req.cmd](c);
}
