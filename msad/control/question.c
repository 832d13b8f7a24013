/*
 * What a request needs to be answered: questions to the queue, to auth and to
 * msad, and the pages of counters.
 *
 * Runs in msad-control, called by client.c with a parsed request, and by the
 * channels with what the other processes answer. An answer whose client is
 * gone meanwhile is read and forgotten. The queue's content is listed, and
 * changed, a page at a time: the next page is asked for when the client has
 * read the last, so that a listing of any length takes a bounded amount of
 * memory here, and not at all when the client is gone.
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

static struct ipc	*queue, *auth;
static uint64_t		 last_sid;

void
question_clear(struct question *q)
{
	json_decref(q->processes);
	json_decref(q->message);
	json_decref(q->facts);
	json_decref(q->ages);
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
	return sums[STAT_QUEUE_STOPPED] == 0 &&
	    sums[STAT_QUEUE_PAUSED] == 0 && queue != NULL &&
	    runs(processes, "frontend") && runs(processes, "auth") &&
	    runs(processes, "keys") && runs(processes, "queue");
}

/* Has an operator paused the acceptance of mail? */
static bool
is_paused(void)
{
	uint64_t	 sums[STAT_MAX];

	pages_sum(sums);
	return sums[STAT_QUEUE_PAUSED] != 0;
}

static void
status_end(struct client *c)
{
	struct question	*q = &c->question;

	client_line(c, json_pack("{sssbsOsb}", "version", MSAD_VERSION,
	    "accepting", (int)accepting(q->processes),
	    "processes", q->processes, "paused", (int)is_paused()));
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

void
question_next(struct client *c)
{
	if (client_gone(c)) {
		client_end(c, 1, "the caller went away", NULL);
		return;
	}
	c->question.paused = true;
	evtimer_del(c->timer);
	question_resume(c);
}

int
question_end(const struct ipc_msg *msg, enum ipc_role role, struct client **c,
    int *status, uint64_t *place, char *reason)
{
	struct ipc_reader	 r;
	uint32_t		 matched;

	*c = question_client(msg, role);
	ipc_reader(&r, msg);
	*status = ipc_get_u8(&r);
	matched = ipc_get_u32(&r);
	*place = ipc_get_u64(&r);
	ipc_copy_str(&r, reason, QUESTION_REASON_MAX);
	if (!ipc_done(&r))
		return -1;
	if (*c == NULL)
		return 0;
	(*c)->question.matched += matched;
	return 1;
}

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
	[REQUEST_QUEUE_LIST] = question_queue_begin,
	[REQUEST_QUEUE_AGE] = question_queue_begin,
	[REQUEST_QUEUE_SUMMARY] = question_queue_begin,
	[REQUEST_QUEUE_SHOW] = question_queue_begin,
	[REQUEST_QUEUE_CAT] = question_queue_begin,
	[REQUEST_QUEUE_LOG] = question_queue_begin,
	[REQUEST_QUEUE_HOLD] = question_queue_begin,
	[REQUEST_QUEUE_RELEASE] = question_queue_begin,
	[REQUEST_QUEUE_FLUSH] = question_queue_begin,
	[REQUEST_QUEUE_EXPIRE] = question_queue_begin,
	[REQUEST_QUEUE_FAIL] = question_queue_begin,
	[REQUEST_QUEUE_DROP] = question_queue_begin,
	[REQUEST_QUEUE_REROUTE] = question_queue_begin,
	[REQUEST_RULE_ADD] = question_queue_begin,
	[REQUEST_RULE_LIST] = question_queue_begin,
	[REQUEST_RULE_REMOVE] = question_queue_begin,
	[REQUEST_PAUSE] = question_queue_begin,
	[REQUEST_RESUME] = question_queue_begin,
	[REQUEST_PAUSES] = question_queue_begin,
	[REQUEST_LIMITS] = question_queue_begin,
	[REQUEST_USER_LIMITS] = question_queue_begin,
	[REQUEST_LIMITS_RESET] = question_queue_begin,
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
