/*
 * The queue's answers to msactl, by way of msad-control: list, show, flush,
 * remove, release, limits, who is logged in. Runs in msad-queue. Each question
 * carries the caller's uid and groups as the kernel told msad-control, and the
 * queue decides (DESIGN section 7).
 *
 * Root may. The socket's group may as well, where the configuration names one:
 * the socket is 0660 root:group then, so that whoever could connect is one of
 * both; an empty root has no group database to look the number up again.
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
#include "envelope.h"
#include "grant.h"
#include "index.h"
#include "limits.h"
#include "outcome.h"
#include "peers.h"
#include "schedule.h"
#include "spool.h"
#include "trial.h"

#define GIDS_MAX	64
#define LIST_MAX	200		/* messages of one answer */
#define PENDING_MAX	(1024 * 1024)	/* octets under way to control */
#define REPLY_MAX	1024		/* of a reply shown */
#define STATE_HELD	4		/* of CTL_QUEUE_RCPT */

/* A removal that waits for the disk. */
struct removal {
	uint64_t	 epoch;		/* of control's channel */
	uint64_t	 sid;
	uint32_t	 matched;
	uint32_t	 left;
};

static struct spool	*spool;
static unsigned int	 nremovals;

void
control_init(struct spool *s)
{
	spool = s;
}

unsigned int
control_pending(void)
{
	return nremovals;
}

void
control_end(struct ipc *ch, uint64_t sid, enum ctl_status status,
    uint32_t matched, uint64_t next, const char *reason)
{
	ipc_start(ch, IPC_CTL_QUEUE_END, sid);
	ipc_put_u8(ch, (uint8_t)status);
	ipc_put_u32(ch, matched);
	ipc_put_u64(ch, next);
	ipc_put_str(ch, reason);
	ipc_send(ch);
}

/* Read the caller; true when it may ask and steer. */
bool
control_caller(struct ipc_reader *r)
{
	uint32_t	uid = ipc_get_u32(r);
	uint16_t	n = ipc_get_u16(r);

	if (n > GIDS_MAX)
		r->bad = 1;
	while (n-- > 0 && !r->bad)
		ipc_get_u32(r);
	return uid == 0 || child_conf()->socket_group != NULL;
}

/* Answer a caller that may not; false then. */
bool
control_admit(struct ipc *ch, uint64_t sid, bool may)
{
	if (!may)
		control_end(ch, sid, CTL_DENIED, 0, 0, "permission denied");
	return may;
}

/* --- list and show --- */

static uint8_t
shown_state(const struct message *m, uint8_t status)
{
	if (status == RCPT_WAITING && schedule_is_held(m))
		return STATE_HELD;
	return status == RCPT_REPORTING ? RCPT_FAILED : status;
}

/* "550 5.1.1 text" of the last attempt, into buf; "" when there was none. */
static void
last_reply(const struct message *m, uint32_t i, char *buf, size_t size)
{
	struct rcpt_record	 s;
	void			*p = NULL;
	size_t			 len = 0;

	buf[0] = '\0';
	if (m->later) {
		strlcpy(buf, schedule_is_held(m) ? "held, as its user was "
		    "over a limit" : "not relayed before then, as its "
		    "credential says", size);
		return;
	}
	/* Not tried itself: what keeps it is what keeps its destination. */
	if (m->rcpts[i].tries == 0 && m->rcpts[i].status == RCPT_WAITING)
		strlcpy(buf, schedule_failure(m->dest), size);
	if (m->rcpts[i].tries == 0 ||
	    spool_state_read(spool, m->id, i, &p, &len) != SPOOL_OK ||
	    rcpt_record_decode(p, len, &s) == -1) {
		free(p);
		return;
	}
	if (s.reply.len > REPLY_MAX)
		s.reply.len = REPLY_MAX;
	/* the remote's words as they came: its status code is among them */
	if (s.code != 0)
		snprintf(buf, size, "%u %.*s", s.code, SLICE_FMT(s.reply));
	else
		snprintf(buf, size, "%.*s", SLICE_FMT(s.reply));
	free(p);
}

static void
send_rcpt(struct ipc *ch, uint64_t sid, const struct message *m, uint32_t i)
{
	char	last[REPLY_MAX + 64];

	last_reply(m, i, last, sizeof(last));
	ipc_start(ch, IPC_CTL_QUEUE_RCPT, sid);
	ipc_put_str(ch, message_rcpt(m, i));
	ipc_put_u8(ch, shown_state(m, m->rcpts[i].status));
	ipc_put_u32(ch, m->rcpts[i].tries);
	ipc_put_u64(ch, m->rcpts[i].status == RCPT_WAITING ?
	    (uint64_t)schedule_next(m, i) : 0);
	ipc_put_str(ch, last);
	ipc_put_str(ch, message_relay(m));
	ipc_send(ch);
}

/* Strings are cut so that the message always fits its bound. */
static void
put_cut(struct ipc *ch, const char *s)
{
	struct slice	cut = SLICE_STR(s);

	if (cut.len > 512)
		cut.len = 512;
	ipc_put_slice(ch, cut);
}

static void
send_message(struct ipc *ch, uint64_t sid, const struct message *m)
{
	uint32_t	i;

	ipc_start(ch, IPC_CTL_QUEUE_MESSAGE, sid);
	ipc_put_u64(ch, m->id);
	ipc_put_u64(ch, m->arrival);
	ipc_put_u64(ch, m->size);
	put_cut(ch, message_user(m));
	put_cut(ch, message_tenant(m));
	put_cut(ch, message_sender(m));
	ipc_put_u32(ch, m->nrcpts);
	ipc_send(ch);
	for (i = 0; i < m->nrcpts; i++)
		send_rcpt(ch, sid, m, i);
}

/* Is it, to an operator, still in the queue? */
static bool
is_shown(const struct message *m)
{
	return m != NULL &&
	    !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE));
}

static int
on_list(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct message		*m;
	uint64_t		 after;
	uint32_t		 n = 0, max;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	after = ipc_get_u64(&r);
	max = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (max == 0 || max > LIST_MAX)
		max = LIST_MAX;
	for (m = index_after(after); m != NULL && n < max &&
	    ipc_pending(ch) < PENDING_MAX; m = index_after(after)) {
		after = m->id;
		if (!is_shown(m))
			continue;
		send_message(ch, msg->sid, m);
		n++;
	}
	control_end(ch, msg->sid, CTL_OK, n, m == NULL ? 0 : after, "");
	return 0;
}

static int
on_show(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct message		*m;
	uint64_t		 id;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	id = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (!is_shown(m = index_find(id))) {
		control_end(ch, msg->sid, CTL_NO_MATCH, 0, 0,
		    "no such message");
		return 0;
	}
	send_message(ch, msg->sid, m);
	control_end(ch, msg->sid, CTL_OK, 1, 0, "");
	return 0;
}

/* --- flush and remove --- */

/* all and id of a steering question; 0, or -1: malformed. */
static int
read_selection(struct ipc_reader *r, bool *may, bool *all, uint64_t *id)
{
	uint8_t	flag;

	*may = control_caller(r);
	flag = ipc_get_u8(r);
	*id = ipc_get_u64(r);
	*all = flag == 1;
	return ipc_done(r) && flag <= 1 ? 0 : -1;
}

static int
on_flush(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct message		*m = NULL;
	time_t			 now = schedule_now();
	uint64_t		 id;
	bool			 may, all;

	(void)arg;
	ipc_reader(&r, msg);
	if (read_selection(&r, &may, &all, &id) == -1)
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (!all && !is_shown(m = index_find(id))) {
		control_end(ch, msg->sid, CTL_NO_MATCH, 0, 0,
		    "no such message");
		return 0;
	}
	log_notice("q=%llx event=flush", (unsigned long long)(all ? 0 : id));
	schedule_flush(m, now);
	control_end(ch, msg->sid, CTL_OK, all ? (uint32_t)index_messages() : 1,
	    0, "");
	schedule_run(now);
	return 0;
}

static void
on_removed(void *arg, uint64_t id)
{
	struct removal	*rm = arg;
	struct peer	*p;

	outcome_gone(NULL, id);
	stats_inc(STAT_QUEUE_REMOVED);
	if (--rm->left > 0)
		return;
	if ((p = peers_find(ROLE_CONTROL, rm->epoch)) != NULL)
		control_end(p->ch, rm->sid, CTL_OK, rm->matched, 0, "");
	nremovals--;
	free(rm);
}

static void
remove_one(struct message *m, struct removal *rm)
{
	rm->matched++;
	rm->left++;
	m->flags |= MESSAGE_REMOVED;
	schedule_update(m);
	log_notice("q=%llx event=removed msgid=%s user=%s from=%s nrcpts=%u",
	    (unsigned long long)m->id, log_q(message_msgid(m)),
	    log_q(message_user(m)), log_q(message_sender(m)), m->nrcpts);
	durable_remove(m->id, on_removed, rm);
}

static int
on_remove(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*p = arg;
	struct ipc_reader	 r;
	struct removal		*rm;
	struct message		*m;
	uint64_t		 id;
	bool			 may, all;

	ipc_reader(&r, msg);
	if (read_selection(&r, &may, &all, &id) == -1)
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if ((rm = calloc(1, sizeof(*rm))) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	rm->epoch = p->epoch;
	rm->sid = msg->sid;
	for (m = all ? index_after(0) : index_find(id); m != NULL;
	    m = all ? index_after(m->id) : NULL)
		if (is_shown(m))
			remove_one(m, rm);
	if (rm->matched > 0) {
		nremovals++;
		return 0;
	}
	free(rm);
	control_end(ch, msg->sid, all ? CTL_OK : CTL_NO_MATCH, 0, 0,
	    all ? "" : "no such message");
	return 0;
}

/* --- release, limits --- */

static void
release_one(struct message *m, uint32_t uid, time_t now)
{
	uint8_t	buf[RELEASE_RECORD_SIZE];

	log_notice("q=%llx event=released uid=%u user=%s",
	    (unsigned long long)m->id, uid, log_q(message_user(m)));
	schedule_release(m, now);
	release_record_encode((uint64_t)now, buf);
	durable_update(m->id, RELEASE_KEY, buf, sizeof(buf));
}

/* The caller's uid, for the log; the reader stays where it is. */
static uint32_t
caller(const struct ipc_reader *r)
{
	struct ipc_reader	copy = *r;

	return ipc_get_u32(&copy);
}

static int
on_release(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct message		*m;
	time_t			 now = schedule_now();
	uint64_t		 id;
	uint32_t		 uid, n = 0;
	bool			 may, all;

	(void)arg;
	ipc_reader(&r, msg);
	uid = caller(&r);
	if (read_selection(&r, &may, &all, &id) == -1)
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	for (m = all ? index_after(0) : index_find(id); m != NULL;
	    m = all ? index_after(m->id) : NULL)
		if (is_shown(m) && schedule_is_held(m)) {
			release_one(m, uid, now);
			n++;
		}
	control_end(ch, msg->sid, n > 0 || all ? CTL_OK : CTL_NO_MATCH, n, 0,
	    n > 0 || all ? "" : "no such message, or it is not held");
	schedule_run(now);
	return 0;
}

/* For whom the lines of limits are. */
struct asking {
	struct ipc	*ch;
	uint64_t	 sid;
};

static void
send_limit(void *arg, const struct limits_line *line)
{
	const struct asking	*a = arg;
	const struct rate_state	*s = &line->state;

	ipc_start(a->ch, IPC_CTL_LIMIT, a->sid);
	ipc_put_u8(a->ch, (uint8_t)s->key.kind);
	ipc_put_str(a->ch, s->key.space);
	ipc_put_str(a->ch, s->key.user);
	ipc_put_str(a->ch, s->key.label);
	ipc_put_u64(a->ch, s->used);
	ipc_put_u64(a->ch, s->rate.n);
	ipc_put_u32(a->ch, s->rate.period);
	ipc_put_u64(a->ch, (line->wait + 999) / 1000);
	ipc_send(a->ch);
}

static int
on_limits(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct asking		 a = { ch, msg->sid };
	struct ipc_reader	 r;
	char			 user[RATE_KEY_MAX];
	uint32_t		 place, max, n;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	place = ipc_get_u32(&r);
	max = ipc_get_u16(&r);
	ipc_copy_str(&r, user, sizeof(user));
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (max == 0 || max > LIST_MAX)
		max = LIST_MAX;
	n = limits_each(&place, user, max, send_limit, &a);
	control_end(ch, msg->sid, CTL_OK, n, place == RATE_NONE ? 0 : place,
	    "");
	return 0;
}

static int
on_limits_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	char			 user[RATE_KEY_MAX];
	uint32_t		 uid, n;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	uid = caller(&r);
	may = control_caller(&r);
	ipc_copy_str(&r, user, sizeof(user));
	if (!ipc_done(&r) || user[0] == '\0')
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	n = limits_reset(user);
	log_notice("event=limits-reset uid=%u user=%s limits=%u", uid,
	    log_q(user), n);
	control_end(ch, msg->sid, n > 0 ? CTL_OK : CTL_NO_MATCH, n, 0,
	    n > 0 ? "" : "this user has used nothing of a limit");
	return 0;
}

/* --- who is logged in --- */

static void
send_user(struct ipc *ch, uint64_t sid, const struct grant *g)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ipc_start(ch, IPC_CTL_QUEUE_USER, sid);
	ipc_put_u64(ch, g->epoch);
	ipc_put_u64(ch, g->sid);
	put_cut(ch, g->user);
	put_cut(ch, g->tenant);
	put_cut(ch, g->auth);
	put_cut(ch, g->mech);
	put_cut(ch, g->client);
	put_cut(ch, g->scope.label);
	ipc_put_u64(ch, (uint64_t)(time(NULL) - (ts.tv_sec - g->since)));
	ipc_put_u8(ch, g->scope.flags);
	ipc_send(ch);
}

static int
on_users(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g;
	uint64_t		 epoch, sid;
	uint32_t		 n = 0, max;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	epoch = ipc_get_u64(&r);
	sid = ipc_get_u64(&r);
	max = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (max == 0 || max > LIST_MAX)
		max = LIST_MAX;
	for (g = grant_after(epoch, sid); g != NULL && n < max &&
	    ipc_pending(ch) < PENDING_MAX; g = grant_after(g->epoch, g->sid)) {
		if (g->revoked)
			continue;
		send_user(ch, msg->sid, g);
		n++;
	}
	control_end(ch, msg->sid, CTL_OK, n, g != NULL, "");
	return 0;
}

const struct ipc_handler control_handlers[] = {
	{ IPC_CTL_QUEUE_LIST, on_list },
	{ IPC_CTL_QUEUE_SHOW, on_show },
	{ IPC_CTL_QUEUE_FLUSH, on_flush },
	{ IPC_CTL_QUEUE_REMOVE, on_remove },
	{ IPC_CTL_QUEUE_RELEASE, on_release },
	{ IPC_CTL_LIMITS, on_limits },
	{ IPC_CTL_LIMITS_RESET, on_limits_reset },
	{ IPC_CTL_QUEUE_USERS, on_users },
	{ IPC_CTL_QUEUE_TEST, trial_message },
	{ 0, NULL }
};
