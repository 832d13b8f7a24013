/*
 * The pool of msad-pam workers.
 *
 * Runs in msad-auth, called by verify.c. A worker has one conversation at a
 * time and says when it is idle; who is next waiting.c decides. Everything is
 * bounded: the queue, the time in it, the time of a conversation, the number
 * of workers, those of one service. Where a bound is passed the login gets
 * AUTH_BUSY, which the client sees as 454.
 *
 * Conversations that take long wait for something that is not here. For those
 * the pool grows at once, so that as many workers as at least there are stay
 * for the others. Workers are trusted with verdicts. They may die: the login
 * is tried once more on another worker. They may hang: msad is asked to kill
 * them. msad starts them; when there is none at all, logins do not wait long.
 */

#include <sys/queue.h>
#include <sys/time.h>

#include <event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/auth/waiting.h"
#include "msad/auth/workers.h"

#define NO_WORKER_MS	1500	/* longest time without any worker */
#define GROW_WAIT_MS	200	/* more workers when a login waited this long */
#define SLOW_MS		300	/* a conversation that waits for others */
#define SHRINK_MS	60000	/* fewer when not needed for this long */
#define TICK_MS		100

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
	bool			 slow;		/* so is that */
	int64_t			 since;		/* ms: when it began */
};

static TAILQ_HEAD(, worker)	 workers = TAILQ_HEAD_INITIALIZER(workers);
/* Had to go for others, and will be told so. */
static TAILQ_HEAD(, pam_job)	 refused = TAILQ_HEAD_INITIALIZER(refused);
static unsigned int		 nworkers;	/* not leaving */
static unsigned int		 nidle;
static unsigned int		 nrunning;
static unsigned int		 nslow;		/* of these */
static struct conf_pool		 bounds;
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
	stats_set(STAT_AUTH_PENDING, waiting_count() + nrunning);
	stats_set(STAT_AUTH_WORKERS, nworkers);
}

/* --- jobs --- */

static void
job_free(struct pam_job *job)
{
	if (job->password != NULL)
		freezero(job->password, job->password_len);
	if (job->service != NULL)
		waiting_release(job->service);
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

/*
 * Those who had to go for others: told from the loop alone, since what follows
 * may come back with a login that makes another one go.
 */
static void
end_refused(void)
{
	struct pam_job	*job;

	while ((job = TAILQ_FIRST(&refused)) != NULL) {
		TAILQ_REMOVE(&refused, job, entry);
		job_busy(job, "too many logins wait");
	}
}

/* --- the number of workers --- */

static void
want(unsigned int n)
{
	if (n < bounds.min)
		n = bounds.min;
	if (n > bounds.max)
		n = bounds.max;
	if (n == wanted || parent == NULL)
		return;
	wanted = n;
	ipc_start(parent, IPC_PAM_POOL_WANT, 0);
	ipc_put_u16(parent, (uint16_t)n);
	ipc_send(parent);
}

/* What is needed now: the least there is beside what waits for others. */
static unsigned int
needed(void)
{
	unsigned int	 n = nslow + bounds.min;

	return n > nrunning ? n : nrunning;
}

/*
 * More where conversations are slow, where a login has waited for want of a
 * worker, and where only the idle one that is kept for other services is left.
 */
static void
grow(int64_t now)
{
	int64_t	 since;

	if (nslow > 0 && nslow + bounds.min > wanted)
		want(nslow + bounds.min);
	if (nworkers >= wanted && wanted < bounds.max &&
	    waiting_oldest(&since) &&
	    (nidle > 0 || now - since >= GROW_WAIT_MS))
		want(wanted + 2);
}

/* msad lets the pool shrink when workers end by themselves. */
static void
shrink(int64_t now)
{
	if (needed() > peak)
		peak = needed();
	if (now - period < SHRINK_MS)
		return;
	if (waiting_count() == 0 && peak < wanted)
		want(peak);
	peak = needed();
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

/* Every change of what a worker does, so that the idle ones are counted. */
static void
worker_set(struct worker *w, enum worker_state state)
{
	nidle -= w->state == WORKER_IDLE;
	nidle += state == WORKER_IDLE;
	w->state = state;
}

static void
send_job(struct ipc *ch, const struct pam_job *job)
{
	ipc_start(ch, job->service->account ? IPC_PAM_ACCOUNT : IPC_PAM_REQUEST,
	    job->id);
	ipc_put_str(ch, job->service->name);
	ipc_put_str(ch, job->user);
	if (!job->service->account)
		ipc_put_bytes(ch, job->password, job->password_len);
	ipc_put_str(ch, job->rhost);
	ipc_put_str(ch, "msad");
	ipc_send(ch);
}

static void
worker_run(struct worker *w, struct pam_job *job)
{
	worker_set(w, WORKER_RUNNING);
	w->job = job;
	w->since = clock_ms();
	job->worker = w;
	nrunning++;
	send_job(w->ch, job);
}

/* Give waiting logins to idle workers. */
static void
dispatch(void)
{
	struct pam_job	*job;
	struct worker	*w = TAILQ_FIRST(&workers);

	while (w != NULL && nidle > 0) {
		if (w->state != WORKER_IDLE) {
			w = TAILQ_NEXT(w, entry);
			continue;
		}
		if ((job = waiting_next(nidle)) == NULL)
			break;
		worker_run(w, job);
	}
	if (needed() > peak)
		peak = needed();
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
	nslow -= w->slow;
	w->slow = false;
	waiting_ran(job->service);
	return job;
}

static void
worker_leave(struct worker *w)
{
	if (w->state == WORKER_LEAVING)
		return;
	worker_set(w, WORKER_LEAVING);
	last_worker = clock_ms();
	nworkers--;
}

/* The job of a worker that died: once more, first of all, or not. */
static void
job_again(struct pam_job *job)
{
	if (job->done == NULL || job->retried || waiting_again(job) == -1) {
		job_busy(job, "PAM worker died");
		return;
	}
	job->retried = true;
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
	case VERDICT_AUTH_EXPIRED:
		break;
	default:
		return -1;
	}
	worker_set(w, WORKER_ANSWERED);
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
		worker_set(w, WORKER_IDLE);
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
end_hanging(struct worker *w)
{
	struct pam_job	*job;

	log_warn("event=pam-hangs worker=%u service=%s user=%s seconds=%u",
	    w->index, log_q(w->job->service->name), log_q(w->job->user),
	    bounds.time);
	ask_to_kill(w);
	job = worker_take_job(w);
	worker_leave(w);
	job_busy(job, "PAM did not answer in time");
}

static void
look_at_running(int64_t now)
{
	struct worker	*w;

	TAILQ_FOREACH(w, &workers, entry) {
		if (w->state != WORKER_RUNNING)
			continue;
		if (now - w->since >= (int64_t)bounds.time * 1000)
			end_hanging(w);
		else if (!w->slow && now - w->since >= SLOW_MS) {
			w->slow = true;
			nslow++;
		}
	}
}

static void
end_waiting(int64_t now)
{
	struct pam_job	*job;
	bool		 none = nworkers == 0 &&
	    now - last_worker >= NO_WORKER_MS;

	while (none && (job = waiting_late(now - NO_WORKER_MS + 1)) != NULL)
		job_busy(job, "no PAM worker");
	while ((job = waiting_late(now - (int64_t)bounds.wait * 1000)) != NULL)
		job_busy(job, job->service->running >= job->service->limit ?
		    "waited too long: the PAM service has all the workers it "
		    "may have" : "waited too long for a PAM worker");
}

static void
on_tick(int fd, short what, void *arg)
{
	int64_t	 now = clock_ms();

	(void)fd;
	(void)what;
	(void)arg;
	ticking = false;
	end_refused();
	look_at_running(now);
	end_waiting(now);
	dispatch();
	grow(now);
	shrink(now);
	update_stats();
	if (waiting_count() > 0 || nrunning > 0 || wanted > bounds.min ||
	    !TAILQ_EMPTY(&refused))
		tick_start();
}

/* --- for verify.c and auth.c --- */

int
workers_configure(const struct conf *conf)
{
	bounds = conf->pool;
	if (wanted != 0)
		want(wanted);
	return waiting_configure(conf);
}

void
workers_start(struct ipc *msad, struct event_base *loop)
{
	if (bounds.max == 0)
		conf_pool_default(&bounds);
	parent = msad;
	base = loop;
	period = last_worker = clock_ms();
	want(bounds.min);
	if (waiting_count() > 0)
		tick_start();
}

void
workers_stop(void)
{
	struct pam_job	*job;
	struct worker	*w;

	while ((w = TAILQ_FIRST(&workers)) != NULL)
		worker_free(w, false);
	end_refused();
	while ((job = waiting_any()) != NULL)
		job_busy(job, "shutting down");
	if (ticking)
		evtimer_del(&tick);
	ticking = false;
	parent = NULL;
	base = NULL;
	wanted = 0;
}

static struct pam_job *
job_new(const char *service, bool account, const char *user,
    struct slice password, const char *rhost)
{
	static uint64_t	 last_id;
	struct pam_job	*job;

	if ((job = calloc(1, sizeof(*job))) == NULL)
		return NULL;
	job->id = ++last_id;
	job->user = strdup(user);
	job->rhost = strdup(rhost);
	job->password_len = password.len;
	job->password = malloc(password.len + 1);
	if (job->user == NULL || job->rhost == NULL || job->password == NULL ||
	    (job->service = waiting_service(service, account)) == NULL) {
		job_free(job);
		return NULL;
	}
	if (password.len > 0)
		memcpy(job->password, password.p, password.len);
	return job;
}

/* Into the queue; what must go for it may be another login. */
static struct pam_job *
submit(struct pam_job *job)
{
	struct pam_job	*goes;

	job->since = clock_ms();
	if ((goes = waiting_add(job, bounds.queue)) == job) {
		job_free(job);
		return NULL;
	}
	if (goes != NULL)
		TAILQ_INSERT_TAIL(&refused, goes, entry);
	tick_start();
	dispatch();
	if (job->worker == NULL && nidle > 0)
		grow(clock_ms());
	return job;
}

struct pam_job *
workers_submit(const char *service, const char *user, struct slice password,
    const char *rhost, void (*done)(void *, const struct pam_answer *),
    void *arg)
{
	struct pam_job	*job;

	if ((job = job_new(service, false, user, password, rhost)) == NULL)
		return NULL;
	job->done = done;
	job->arg = arg;
	return submit(job);
}

struct pam_job *
workers_submit_account(const char *service, const char *user,
    const char *rhost, void (*done)(void *, const struct pam_answer *),
    void *arg)
{
	struct pam_job	*job;

	job = job_new(service, true, user, SLICE("", 0), rhost);
	if (job == NULL)
		return NULL;
	job->done = done;
	job->arg = arg;
	return submit(job);
}

bool
workers_begun(const struct pam_job *job)
{
	return job->worker != NULL;
}

void
workers_cancel(struct pam_job *job)
{
	job->done = NULL;
	if (job->worker != NULL)
		return;		/* freed when the worker has answered */
	if (job->client != NULL)
		waiting_remove(job);
	else
		TAILQ_REMOVE(&refused, job, entry);
	job_free(job);
	update_stats();
}
