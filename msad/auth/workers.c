/*
 * The pool of msad-pam workers and the queue of logins before it.
 *
 * Runs in msad-auth, called by attempt.c. A worker has one conversation at a
 * time and says when it is idle. Everything is bounded: the queue, the time
 * in it, the time of a conversation, the number of workers. Where a bound is
 * passed the login gets AUTH_BUSY, which the client sees as 454.
 *
 * Workers are trusted with verdicts. They may die: the login is tried once
 * more on another worker. They may hang: msad is asked to kill them. msad
 * starts them; when there is none at all, logins do not wait for long.
 */

#include <sys/queue.h>
#include <sys/time.h>

#include <event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/stats.h"
#include "msad/auth/workers.h"

#define WORKERS_MIN	2
#define WORKERS_MAX	16
#define QUEUE_MAX	1000
#define QUEUE_WAIT_MS	30000	/* longest time in the queue */
#define RUN_MS		30000	/* longest conversation */
#define NO_WORKER_MS	1500	/* longest time without any worker */
#define GROW_WAIT_MS	200	/* more workers when a login waited this long */
#define SHRINK_MS	60000	/* fewer when not needed for this long */
#define TICK_MS		100

struct worker;

struct pam_job {
	TAILQ_ENTRY(pam_job)	 entry;		/* when queued */
	uint64_t		 id;
	char			*service;
	char			*user;
	char			*rhost;
	char			*password;	/* wiped when freed */
	size_t			 password_len;
	int64_t			 since;		/* ms: when queued */
	bool			 retried;
	struct worker		*worker;	/* when it runs */
	void			(*done)(void *, const struct pam_answer *);
	void			*arg;		/* done NULL: cancelled */
};

enum worker_state {
	WORKER_NEW,		/* has not said yet that it is idle */
	WORKER_IDLE,
	WORKER_RUNNING,
	WORKER_ANSWERED,	/* not idle yet */
	WORKER_LEAVING		/* ended by itself or to be killed */
};

struct worker {
	TAILQ_ENTRY(worker)	 entry;
	struct ipc		*ch;
	uint32_t		 index;
	enum worker_state	 state;
	struct pam_job		*job;		/* when RUNNING */
	int64_t			 since;		/* ms: when it began */
};

static TAILQ_HEAD(, worker)	 workers = TAILQ_HEAD_INITIALIZER(workers);
static TAILQ_HEAD(, pam_job)	 jobs = TAILQ_HEAD_INITIALIZER(jobs);
static unsigned int		 nworkers;	/* not leaving */
static unsigned int		 njobs;		/* queued */
static unsigned int		 nrunning;
static struct ipc		*parent;
static struct event_base	*base;
static unsigned int		 wanted;
static unsigned int		 peak;		/* most needed in this period */
static int64_t			 period;	/* ms: when it began */
static int64_t			 last_worker;	/* ms: when there was one */
static struct event		 tick;
static bool			 ticking;

static void	 worker_free(struct worker *, bool);
static void	 on_tick(int, short, void *);

static int64_t
now_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The clock runs while there is something to watch. */
static void
tick_start(void)
{
	struct timeval	 tv = { 0, TICK_MS * 1000 };

	if (ticking || base == NULL)
		return;
	evtimer_assign(&tick, base, on_tick, NULL);
	evtimer_add(&tick, &tv);
	ticking = true;
}

static void
update_stats(void)
{
	stats_set(STAT_AUTH_PENDING, njobs + nrunning);
	stats_set(STAT_AUTH_WORKERS, nworkers);
}

/* --- jobs --- */

static void
job_free(struct pam_job *job)
{
	if (job->password != NULL)
		freezero(job->password, job->password_len);
	free(job->service);
	free(job->user);
	free(job->rhost);
	free(job);
}

/* The end of a job that is in no queue and on no worker. */
static void
job_finish(struct pam_job *job, const struct pam_answer *answer)
{
	if (job->done != NULL)
		job->done(job->arg, answer);
	job_free(job);
}

static void
job_busy(struct pam_job *job, const char *reason)
{
	struct pam_answer	 answer = { .verdict = VERDICT_AUTH_BUSY,
		.user = SLICE("", 0), .reason = SLICE_STR(reason) };

	job_finish(job, &answer);
}

static void
job_unqueue(struct pam_job *job)
{
	TAILQ_REMOVE(&jobs, job, entry);
	njobs--;
}

/* --- the number of workers --- */

static void
want(unsigned int n)
{
	if (n == wanted || parent == NULL)
		return;
	wanted = n;
	ipc_start(parent, IPC_PAM_POOL_WANT, 0);
	ipc_put_u16(parent, (uint16_t)n);
	ipc_send(parent);
}

/* A login has waited although all workers there are have work. */
static void
grow(int64_t now)
{
	struct pam_job	*first = TAILQ_FIRST(&jobs);

	if (first == NULL || now - first->since < GROW_WAIT_MS ||
	    nworkers < wanted || wanted >= WORKERS_MAX)
		return;
	want(wanted + 2 < WORKERS_MAX ? wanted + 2 : WORKERS_MAX);
}

/* msad lets the pool shrink when workers end by themselves. */
static void
shrink(int64_t now)
{
	if (nrunning > peak)
		peak = nrunning;
	if (now - period < SHRINK_MS)
		return;
	if (njobs == 0 && peak < wanted)
		want(peak > WORKERS_MIN ? peak : WORKERS_MIN);
	peak = nrunning;
	period = now;
}

static void
ask_to_kill(struct worker *w)
{
	if (parent == NULL)
		return;
	ipc_start(parent, IPC_PAM_POOL_KILL, 0);
	ipc_put_u32(parent, w->index);
	ipc_send(parent);
}

/* --- workers --- */

static void
worker_run(struct worker *w, struct pam_job *job)
{
	w->state = WORKER_RUNNING;
	w->job = job;
	w->since = now_ms();
	job->worker = w;
	nrunning++;

	ipc_start(w->ch, IPC_PAM_REQUEST, job->id);
	ipc_put_str(w->ch, job->service);
	ipc_put_str(w->ch, job->user);
	ipc_put_bytes(w->ch, job->password, job->password_len);
	ipc_put_str(w->ch, job->rhost);
	ipc_put_str(w->ch, "msad");
	ipc_send(w->ch);
}

/* Give waiting logins to idle workers. */
static void
dispatch(void)
{
	struct pam_job	*job;
	struct worker	*w;

	TAILQ_FOREACH(w, &workers, entry) {
		if (w->state != WORKER_IDLE)
			continue;
		if ((job = TAILQ_FIRST(&jobs)) == NULL)
			break;
		job_unqueue(job);
		worker_run(w, job);
	}
	if (nrunning > peak)
		peak = nrunning;
	update_stats();
}

/* The worker's conversation is over; its job goes to the caller. */
static struct pam_job *
worker_take_job(struct worker *w)
{
	struct pam_job	*job = w->job;

	if (job == NULL)
		return NULL;
	w->job = NULL;
	job->worker = NULL;
	nrunning--;
	return job;
}

static void
worker_leave(struct worker *w)
{
	if (w->state == WORKER_LEAVING)
		return;
	w->state = WORKER_LEAVING;
	last_worker = now_ms();
	nworkers--;
}

/* The job of a worker that died: once more, first of all, or not. */
static void
job_again(struct pam_job *job)
{
	if (job->done == NULL || job->retried) {
		job_busy(job, "PAM worker died");
		return;
	}
	job->retried = true;
	TAILQ_INSERT_HEAD(&jobs, job, entry);
	njobs++;
	tick_start();
}

static void
worker_free(struct worker *w, bool again)
{
	struct pam_job	*job = worker_take_job(w);

	worker_leave(w);
	TAILQ_REMOVE(&workers, w, entry);
	ipc_free(w->ch);
	free(w);
	if (job != NULL && again)
		job_again(job);
	else if (job != NULL)
		job_busy(job, "shutting down");
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct worker	*w = arg;

	(void)ch;
	if (end == IPC_VIOLATION)
		ask_to_kill(w);
	worker_free(w, true);
	dispatch();
}

static int
on_result(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct worker		*w = arg;
	struct pam_answer	 answer;
	struct ipc_reader	 r;

	(void)ch;
	ipc_reader(&r, msg);
	answer.verdict = ipc_get_u8(&r);
	answer.user = ipc_get_str(&r);
	answer.fail_delay = ipc_get_u32(&r);
	answer.reason = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (w->state == WORKER_LEAVING)
		return 0;	/* too late: given up already */
	if (w->state != WORKER_RUNNING || msg->sid != w->job->id)
		return -1;
	switch (answer.verdict) {
	case VERDICT_OK:
	case VERDICT_AUTH_FAILED:
	case VERDICT_AUTH_BUSY:
	case VERDICT_AUTH_DISABLED:
		break;
	default:
		return -1;
	}
	w->state = WORKER_ANSWERED;
	job_finish(worker_take_job(w), &answer);
	return 0;
}

static int
on_idle(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct worker		*w = arg;
	struct ipc_reader	 r;
	unsigned int		 left;

	(void)ch;
	ipc_reader(&r, msg);
	left = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	if (w->state == WORKER_LEAVING)
		return 0;
	if (w->state != WORKER_NEW && w->state != WORKER_ANSWERED)
		return -1;
	if (left == 0)
		worker_leave(w);
	else
		w->state = WORKER_IDLE;
	dispatch();
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ IPC_PAM_RESULT, on_result },
	{ IPC_PAM_IDLE, on_idle },
	{ 0, NULL }
};

int
workers_add(uint32_t index, uint64_t epoch, int fd)
{
	struct worker	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL) {
		close(fd);
		return -1;
	}
	w->ch = ipc_new(fd, ROLE_AUTH, ROLE_PAM, handlers, on_closed, w);
	if (w->ch == NULL) {
		close(fd);
		free(w);
		return -1;
	}
	ipc_set_peer(w->ch, index, epoch);
	w->index = index;
	TAILQ_INSERT_TAIL(&workers, w, entry);
	nworkers++;
	update_stats();
	return 0;
}

/* --- time --- */

static void
end_hanging(int64_t now)
{
	struct pam_job	*job;
	struct worker	*w;

	TAILQ_FOREACH(w, &workers, entry) {
		if (w->state != WORKER_RUNNING || now - w->since < RUN_MS)
			continue;
		log_warn("event=pam-hangs worker=%u seconds=%d", w->index,
		    RUN_MS / 1000);
		ask_to_kill(w);
		job = worker_take_job(w);
		worker_leave(w);
		job_busy(job, "PAM did not answer in time");
	}
}

static void
end_waiting(int64_t now)
{
	bool		 none = nworkers == 0 &&
	    now - last_worker >= NO_WORKER_MS;
	struct pam_job	*job;

	/* The queue is in order of time, but for jobs tried again. */
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		if (!(none && now - job->since >= NO_WORKER_MS) &&
		    now - job->since < QUEUE_WAIT_MS)
			break;
		job_unqueue(job);
		job_busy(job, none ? "no PAM worker" :
		    "waited too long for a PAM worker");
	}
}

static void
on_tick(int fd, short what, void *arg)
{
	int64_t	 now = now_ms();

	(void)fd;
	(void)what;
	(void)arg;
	ticking = false;
	end_hanging(now);
	end_waiting(now);
	grow(now);
	shrink(now);
	update_stats();
	if (njobs > 0 || nrunning > 0 || wanted > WORKERS_MIN)
		tick_start();
}

/* --- for attempt.c and auth.c --- */

void
workers_start(struct ipc *msad, struct event_base *loop)
{
	parent = msad;
	base = loop;
	period = last_worker = now_ms();
	want(WORKERS_MIN);
	if (njobs > 0)
		tick_start();
}

void
workers_stop(void)
{
	struct pam_job	*job;
	struct worker	*w;

	while ((w = TAILQ_FIRST(&workers)) != NULL)
		worker_free(w, false);
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		job_unqueue(job);
		job_busy(job, "shutting down");
	}
	if (ticking)
		evtimer_del(&tick);
	ticking = false;
	parent = NULL;
	base = NULL;
	wanted = 0;
}

static struct pam_job *
job_new(const char *service, const char *user, struct slice password,
    const char *rhost)
{
	struct pam_job	*job;

	if ((job = calloc(1, sizeof(*job))) == NULL)
		return NULL;
	job->service = strdup(service);
	job->user = strdup(user);
	job->rhost = strdup(rhost);
	job->password_len = password.len;
	job->password = malloc(password.len);
	if (job->service == NULL || job->user == NULL || job->rhost == NULL ||
	    job->password == NULL) {
		job_free(job);
		return NULL;
	}
	memcpy(job->password, password.p, password.len);
	return job;
}

struct pam_job *
workers_submit(const char *service, const char *user, struct slice password,
    const char *rhost, void (*done)(void *, const struct pam_answer *),
    void *arg)
{
	static uint64_t	 last_id;
	struct pam_job	*job;

	if (njobs >= QUEUE_MAX ||
	    (job = job_new(service, user, password, rhost)) == NULL)
		return NULL;
	job->id = ++last_id;
	job->since = now_ms();
	job->done = done;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&jobs, job, entry);
	njobs++;
	tick_start();
	dispatch();
	return job;
}

void
workers_cancel(struct pam_job *job)
{
	job->done = NULL;
	if (job->worker != NULL)
		return;		/* freed when the worker has answered */
	job_unqueue(job);
	job_free(job);
	update_stats();
}
