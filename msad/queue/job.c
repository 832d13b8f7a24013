/*
 * Jobs: one message for some of its recipients, in the hands of one relay
 * process. Runs in msad-queue. schedule.c asks for a job; the relay gets
 * descriptors of that message alone, and the password of its smart host with
 * the job. The relay meets strangers and is not trusted: a result is taken only
 * for a job of its own channel, for a recipient of that job, and once.
 */
#include <sys/types.h>
#include <sys/tree.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/params.h"
#include "common/stats.h"

#include "content.h"
#include "job.h"
#include "outcome.h"
#include "schedule.h"

#define TROUBLE_RETRY	300	/* seconds, when a message cannot be read */
#define ADDRESS_ROOM	(4 + 2 + ENVELOPE_PATH_MAX + 2 + PARAMS_TEXT_MAX)

struct job_rcpt {
	uint32_t	 index;
	bool		 reported;
};

struct job {
	RB_ENTRY(job)	 by_id;
	uint64_t	 id;
	struct peer	*peer;
	struct message	*m;
	struct dest	*dest;
	struct lane	*lane;		/* in whose turn it went out */
	uint32_t	 round;
	uint64_t	 size;		/* octets of the message */
	unsigned int	 silent;	/* seconds without a word about it */
	struct results	 others;	/* not delivered, until the job's end */
	uint32_t	 n, max;	/* recipients */
	struct job_rcpt	*rcpts;
};

static int	compare(const struct job *, const struct job *);

RB_HEAD(job_tree, job);
RB_PROTOTYPE(job_tree, job, by_id, compare)

static struct job_tree		 jobs = RB_INITIALIZER(&jobs);
static uint64_t			 last_id;
static unsigned int		 njobs;
static struct spool		*spool;
static const struct tables	*tables;

static int
compare(const struct job *a, const struct job *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(job_tree, job, by_id, compare)

void
job_init(struct spool *s)
{
	spool = s;
}

void
job_set_tables(const struct tables *t)
{
	tables = t;
}

unsigned int
job_count(void)
{
	return njobs;
}

static struct job *
job_new(struct peer *peer, struct dest *d, struct message *m)
{
	struct job	*j;

	uint32_t	 n = m->nleft < JOB_RCPTS_MAX ? m->nleft + 1U :
	    JOB_RCPTS_MAX;

	if ((j = calloc(1, sizeof(*j))) == NULL ||
	    (j->rcpts = calloc(n, sizeof(j->rcpts[0]))) == NULL) {
		free(j);
		return NULL;
	}
	j->max = n;
	j->id = ++last_id;
	j->peer = peer;
	j->dest = d;
	j->m = m;
	j->lane = d->turn;
	j->round = d->round;
	TAILQ_INIT(&j->others);
	RB_INSERT(job_tree, &jobs, j);
	njobs++;
	peers_job(peer, d->number, 1);
	m->njobs++;
	stats_inc(STAT_QUEUE_INFLIGHT);
	return j;
}

/* Forget the job; what it held of its message is settled by the caller. */
static void
job_free(struct job *j)
{
	RB_REMOVE(job_tree, &jobs, j);
	njobs--;
	peers_job(j->peer, j->dest->number, -1);
	j->m->njobs--;
	stats_dec(STAT_QUEUE_INFLIGHT);
	results_free(&j->others);
	free(j->rcpts);
	free(j);
}

/*
 * Its content cannot be had now: all that waits has to wait longer. That ends
 * the round: what failed in it is reported now.
 */
static int
put_off(struct message *m, time_t now, const char *reason)
{
	uint32_t	i;

	log_err("q=%llx event=job-failed reason=%s",
	    (unsigned long long)m->id, log_q(reason));
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			m->rcpts[i].next = (uint32_t)(now + TROUBLE_RETRY);
	outcome_settle(m, now);
	return -1;
}

/* Why its content cannot be had: later, or never? */
static int
put_aside(struct message *m, time_t now, enum spool_result result)
{
	if (result != SPOOL_CORRUPT)
		return put_off(m, now, spool_result_name(result));
	outcome_unreadable(m, now);
	return -1;
}

static void
send_message(struct job *j, int fd[2], struct slice params, struct slice user,
    struct slice password)
{
	struct ipc	*ch = j->peer->ch;
	struct message	*m = j->m;
	char		 id[32];

	snprintf(id, sizeof(id), "%llx", (unsigned long long)m->id);
	ipc_start(ch, IPC_RELAY_JOB, j->id);
	ipc_put_str(ch, id);
	ipc_put_str(ch, j->dest->name);
	ipc_put_str(ch, message_sender(m));
	ipc_put_u64(ch, j->size);
	ipc_put_u8(ch, (m->env_flags & ENVELOPE_8BITMIME ? JOB_8BIT : 0) |
	    (m->env_flags & ENVELOPE_UTF8HEADER ? JOB_UTF8HEADER : 0));
	ipc_put_slice(ch, params);
	ipc_put_slice(ch, user);
	ipc_put_bytes(ch, password.p, password.len);
	ipc_put_u64(ch, m->deliver_by);
	ipc_send_fd(ch, fd[0]);
	if (fd[1] != -1) {
		ipc_start(ch, IPC_RELAY_BODY, j->id);
		ipc_send_fd(ch, fd[1]);
	}
}

/* Choose recipients that are due, mark and send them. */
static void
send_rcpts(struct job *j, struct envelope *e, time_t now, bool probe)
{
	struct ipc	*ch = j->peer->ch;
	struct message	*m = j->m;
	struct slice	 addr, params[JOB_RCPTS_MAX];
	uint32_t	 i;
	size_t		 room = IPC_PAYLOAD_MAX - 2;

	for (i = 0; i < m->nrcpts && j->n < j->max &&
	    room >= ADDRESS_ROOM && envelope_rcpt(e, &addr, &params[j->n]);
	    i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (!probe && (time_t)m->rcpts[i].next > now) ||
		    schedule_rcpt_paused(message_rcpt(m, i)))
			continue;
		message_set_status(m, i, RCPT_INFLIGHT);
		room -= 4 + 2 + addr.len + 2 + params[j->n].len;
		j->rcpts[j->n++].index = i;
	}
	ipc_start(ch, IPC_RELAY_RCPTS, j->id);
	ipc_put_u16(ch, (uint16_t)j->n);
	for (i = 0; i < j->n; i++) {
		ipc_put_u32(ch, j->rcpts[i].index);
		ipc_put_str(ch, message_rcpt(m, j->rcpts[i].index));
		ipc_put_slice(ch, params[i]);
	}
	ipc_send(ch);
	ipc_send_empty(ch, IPC_RELAY_GO, j->id);
}

int
job_send(struct dest *d, struct message *m, time_t now, bool probe)
{
	struct slice		 user = SLICE("", 0), password = SLICE("", 0);
	struct peer		*peer;
	struct job		*j;
	struct envelope		 e;
	enum spool_result	 result;
	uint64_t		 size;
	uint8_t			*env;
	size_t			 envlen = 0;
	int			 fd[2];

	/* The report that says so could not be written then. */
	if (m->flags & MESSAGE_GIVEN_UP) {
		outcome_fail(m, NULL, now);
		return -1;
	}
	if (schedule_rcpts_paused(m, now, probe)) {
		schedule_put_off(m, now);
		outcome_settle(m, now);
		return -1;
	}
	if ((peer = peers_relay(d->maildir ? d->name : NULL, d->number,
	    JOBS_PER_RELAY)) == NULL)
		return 0;
	if (d->has_auth && !tables_secret(tables, d->auth_table,
	    d->auth_label, &user, &password))
		return put_off(m, now, "no such label in the table of secrets");
	result = content_descriptors(spool, m->id, &size, fd, &env, &envlen);
	if (result != SPOOL_OK)
		return put_aside(m, now, result);
	if (envelope_decode(env, envlen, &e) == -1 ||
	    e.nrcpts != m->nrcpts || (j = job_new(peer, d, m)) == NULL) {
		free(env);
		close(fd[0]);
		if (fd[1] != -1)
			close(fd[1]);
		return put_off(m, now, "out of memory, or a bad envelope");
	}
	j->size = size;
	send_message(j, fd, e.params, user, password);
	send_rcpts(j, &e, now, probe);
	free(env);
	return 1;
}

/* --- answers --- */

/* The job of this channel, or NULL: it is another's, or none. */
static struct job *
job_of(struct peer *peer, uint64_t id)
{
	struct job	 key;
	struct job	*j;

	key.id = id;
	j = RB_FIND(job_tree, &jobs, &key);
	return j != NULL && j->peer == peer ? j : NULL;
}

/* Mark a recipient's result as come; false when it is none that we wait for. */
static bool
mark_reported(struct job *j, uint32_t index)
{
	uint32_t	i;

	for (i = 0; i < j->n; i++)
		if (j->rcpts[i].index == index && !j->rcpts[i].reported) {
			j->rcpts[i].reported = true;
			return true;
		}
	return false;
}

/* Three numbers with dots, each of at most three digits (RFC 3463). */
static bool
enhanced_ok(const char *s)
{
	unsigned int	part, digits;

	for (part = 0; part < 3; part++) {
		for (digits = 0; *s >= '0' && *s <= '9'; s++)
			digits++;
		if (digits == 0 || digits > 3 ||
		    *s++ != (part < 2 ? '.' : '\0'))
			return false;
	}
	return true;
}

static int
on_result(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 reply, enhanced;
	struct result		 head, *res;
	struct job		*j;
	uint8_t			 outcome, flags;

	(void)ch;
	memset(&head, 0, sizeof(head));
	ipc_reader(&r, msg);
	head.rcpt = ipc_get_u32(&r);
	outcome = ipc_get_u8(&r);
	head.code = ipc_get_u16(&r);
	enhanced = ipc_get_str(&r);
	ipc_copy_str(&r, head.remote, sizeof(head.remote));
	reply = ipc_get_str(&r);
	ipc_copy_str(&r, head.tls, sizeof(head.tls));
	flags = ipc_get_u8(&r);
	if (!ipc_done(&r) || (flags & ~RESULT_FLAGS) ||
	    outcome > OUTCOME_PERMANENT || head.code > 999 ||
	    (j = job_of(arg, msg->sid)) == NULL || !mark_reported(j, head.rcpt))
		return -1;
	j->silent = 0;
	res = result_new(head.rcpt, (enum outcome)outcome, reply);
	res->code = head.code;
	res->by = j->dest;
	res->flags = flags;
	if (enhanced.len < sizeof(res->enhanced))
		memcpy(res->enhanced, enhanced.p, enhanced.len);
	if (!enhanced_ok(res->enhanced))
		res->enhanced[0] = '\0';
	memcpy(res->remote, head.remote, sizeof(res->remote));
	memcpy(res->tls, head.tls, sizeof(res->tls));
	if (res->outcome != OUTCOME_DELIVERED) {
		TAILQ_INSERT_TAIL(&j->others, res, entry);
		return 0;
	}
	outcome_delivered(j->m, res, schedule_now());
	free(res);
	return 0;
}

/* Recipients about which the relay said nothing. */
static void
lose_silent(struct job *j, time_t now)
{
	uint32_t	i;

	for (i = 0; i < j->n; i++)
		if (!j->rcpts[i].reported)
			outcome_lost(j->m, j->rcpts[i].index, now);
}

static void
job_end(struct job *j, time_t retry, time_t now)
{
	struct message	*m = j->m;

	outcome_others(m, &j->others, retry, now);
	lose_silent(j, now);
	job_free(j);
	outcome_settle(m, now);
}

/* What it says of the destination as a whole. */
static void
blame(const struct job *j)
{
	const struct result	*r = TAILQ_FIRST(&j->others);
	char			 reason[DEST_FAILURE_MAX];

	if (r == NULL)
		return;
	if (r->code != 0)
		snprintf(reason, sizeof(reason), "%u %s", r->code, r->reply);
	else
		strlcpy(reason, r->reply, sizeof(reason));
	schedule_blame(j->dest, reason);
}

static int
on_done(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct job		*j;
	time_t			 now = schedule_now(), retry;
	uint8_t			 state;

	(void)ch;
	ipc_reader(&r, msg);
	state = ipc_get_u8(&r);
	if (!ipc_done(&r) || state > 1 || (j = job_of(arg, msg->sid)) == NULL)
		return -1;
	if (state != 0)
		blame(j);
	retry = schedule_job_done(j->dest, j->lane, j->round, state == 0,
	    now);
	if (j->m->dest != j->dest)
		retry = now;		/* rerouted meanwhile */
	job_end(j, state == 0 ? 0 : retry, now);
	schedule_run(now);
	return 0;
}

struct peer *
job_tick(void)
{
	struct job	*j;
	struct peer	*hangs = NULL;

	RB_FOREACH(j, job_tree, &jobs) {
		if (++j->silent <= JOB_SILENCE_MAX + j->n * JOB_SILENCE_RCPT +
		    j->size / JOB_SILENCE_RATE)
			continue;
		if (hangs == NULL)
			log_err("q=%llx event=relay-hangs relay=%s "
			    "peer=relay[%u] silent=%u",
			    (unsigned long long)j->m->id,
			    log_q(j->dest->name), j->peer->index, j->silent);
		hangs = j->peer;
	}
	return hangs;
}

void
job_drop_peer(struct peer *peer, time_t now)
{
	struct job	*j, *next;

	for (j = RB_MIN(job_tree, &jobs); j != NULL; j = next) {
		next = RB_NEXT(job_tree, &jobs, j);
		if (j->peer != peer)
			continue;
		schedule_job_lost(j->dest, j->lane, j->round);
		job_end(j, 0, now);
	}
}

const struct ipc_handler job_handlers[] = {
	{ IPC_RELAY_RESULT, on_result },
	{ IPC_RELAY_DONE, on_done },
	{ 0, NULL }
};
