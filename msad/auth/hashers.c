/*
 * The pool of hashers and the queue of passwords before it. Runs in msad-auth,
 * called by verify.c.
 *
 * A hasher has one password at a time. The queue is bounded, and so is the
 * time until an answer; where a bound is passed the login gets 454. Hashers
 * are trusted with their answers: a wrong one ends its pool. None can be
 * started anew within the sandbox, so msad-auth goes with the last of them, and
 * msad starts it again.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <event.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "msad/auth/hasher.h"
#include "msad/auth/hashers.h"

#define HASHERS_MIN	2
#define HASHERS_MAX	16
#define QUEUE_MAX	1000
#define WAIT_MS		10000	/* from the question to the answer */
#define TICK_MS		250

struct hash_job {
	TAILQ_ENTRY(hash_job)	 entry;		/* when queued */
	struct hash_request	*req;		/* wiped when freed */
	struct credential	*list[HASHER_ENTRIES_MAX];
	size_t			 n;
	int64_t			 since;		/* ms: when it was asked */
	void			(*done)(void *, int);	/* NULL: cancelled */
	void			*arg;
};

struct hasher {
	struct event	 ev;
	int		 fd;		/* -1: gone */
	struct hash_job	*job;		/* or NULL */
	uint64_t	 id;		/* of what it works on; 0: idle */
	int64_t		 since;		/* ms: when it began */
};

static TAILQ_HEAD(, hash_job)	 jobs = TAILQ_HEAD_INITIALIZER(jobs);
static struct hasher		 hashers[HASHERS_MAX];
static unsigned int		 nhashers, njobs;
static struct event_base	*base;
static struct event		 tick;
static bool			 ticking;
static uint64_t			 last_id;

static void	 on_tick(int, short, void *);

static void
tick_start(void)
{
	struct timeval	 tv = { 0, TICK_MS * 1000 };

	if (ticking || base == NULL)
		return;
	event_assign(&tick, base, -1, 0, on_tick, NULL);
	event_add(&tick, &tv);
	ticking = true;
}

/* --- jobs --- */

static void
job_free(struct hash_job *job)
{
	size_t	 i;

	for (i = 0; i < job->n; i++)
		credential_release(job->list[i]);
	if (job->req != NULL)
		freezero(job->req, sizeof(*job->req));
	free(job);
}

static void
job_finish(struct hash_job *job, int match)
{
	if (job->done != NULL)
		job->done(job->arg, match);
	job_free(job);
}

/* The verifier of a credential that is best for a password: its strongest. */
static void
entry_fill(struct hash_entry *e, const struct credential *c)
{
	if (c->sha256 != NULL) {
		e->kind = HASH_SCRAM_SHA256;
		e->u.scram = *c->sha256;
	} else if (c->crypt != NULL) {
		e->kind = HASH_CRYPT;
		strlcpy(e->u.crypt, c->crypt, sizeof(e->u.crypt));
	} else if (c->sha1 != NULL) {
		e->kind = HASH_SCRAM_SHA1;
		e->u.scram = *c->sha1;
	}
}

static struct hash_job *
job_new(struct credential *const *list, size_t n, struct slice password)
{
	struct hash_job	*job;
	size_t		 i;

	if ((job = calloc(1, sizeof(*job))) == NULL ||
	    (job->req = calloc(1, sizeof(*job->req))) == NULL) {
		free(job);
		return NULL;
	}
	job->req->id = ++last_id;
	job->req->npassword = (uint32_t)password.len;
	memcpy(job->req->password, password.p, password.len);
	for (i = 0; i < n; i++) {
		entry_fill(&job->req->entries[i], list[i]);
		job->list[i] = credential_ref(list[i]);
	}
	job->req->nentries = (uint32_t)n;
	job->n = n;
	return job;
}

/* --- hashers --- */

static void
hasher_lost(struct hasher *h)
{
	struct hash_job	*job = h->job;
	unsigned int	 i;

	log_err("event=hasher-lost error=%s", log_q(strerror(errno)));
	event_del(&h->ev);
	close(h->fd);
	h->fd = -1;
	h->job = NULL;
	if (job != NULL)
		job_finish(job, HASHERS_BUSY);
	for (i = 0; i < nhashers; i++)
		if (hashers[i].fd != -1)
			return;
	fatal("event=hasher-lost error=\"no hasher is left\"");
}

static void
hasher_run(struct hasher *h, struct hash_job *job)
{
	struct hash_request	*req = job->req;
	size_t			 n;

	n = offsetof(struct hash_request, entries) +
	    req->nentries * sizeof(req->entries[0]);
	h->job = job;
	h->id = req->id;
	h->since = clock_ms();
	if (send(h->fd, req, n, MSG_NOSIGNAL) == (ssize_t)n)
		return;
	h->job = NULL;
	TAILQ_INSERT_HEAD(&jobs, job, entry);
	njobs++;
	hasher_lost(h);
}

static void
dispatch(void)
{
	struct hash_job	*job;
	unsigned int	 i;

	for (i = 0; i < nhashers; i++) {
		if (hashers[i].fd == -1 || hashers[i].id != 0)
			continue;
		if ((job = TAILQ_FIRST(&jobs)) == NULL)
			return;
		TAILQ_REMOVE(&jobs, job, entry);
		njobs--;
		hasher_run(&hashers[i], job);
	}
}

static void
on_answer(int fd, short what, void *arg)
{
	struct hasher		*h = arg;
	struct hash_job		*job = h->job;
	struct hash_answer	 answer;
	ssize_t			 n;

	(void)what;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(answer) || h->id == 0 ||
	    answer.id != h->id || (job != NULL &&
	    (answer.match < HASHER_NONE || answer.match >= (int)job->n))) {
		hasher_lost(h);
		return;
	}
	h->id = 0;
	h->job = NULL;
	if (job != NULL)
		job_finish(job, answer.match);
	dispatch();
}

/* --- time --- */

static void
on_tick(int fd, short what, void *arg)
{
	int64_t		 now = clock_ms();
	struct hash_job	*job;
	unsigned int	 i;

	(void)fd;
	(void)what;
	(void)arg;
	ticking = false;
	while ((job = TAILQ_FIRST(&jobs)) != NULL &&
	    now - job->since >= WAIT_MS) {
		TAILQ_REMOVE(&jobs, job, entry);
		njobs--;
		job_finish(job, HASHERS_BUSY);
	}
	for (i = 0; i < nhashers; i++) {
		/* It works on, for nobody, and is used again then. */
		if ((job = hashers[i].job) == NULL ||
		    now - job->since < WAIT_MS)
			continue;
		hashers[i].job = NULL;
		job_finish(job, HASHERS_BUSY);
	}
	for (i = 0; i < nhashers && hashers[i].job == NULL; i++)
		;
	if (i < nhashers || njobs > 0)
		tick_start();
}

/* --- for auth.c and verify.c --- */

int
hashers_early(void)
{
	long		 n = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int	 want;

	want = n < HASHERS_MIN ? HASHERS_MIN : n > HASHERS_MAX ? HASHERS_MAX :
	    (unsigned int)n;
	for (nhashers = 0; nhashers < want; nhashers++) {
		memset(&hashers[nhashers], 0, sizeof(hashers[nhashers]));
		if ((hashers[nhashers].fd = hasher_start()) == -1)
			return -1;
	}
	return 0;
}

void
hashers_init(struct event_base *loop)
{
	unsigned int	 i;

	base = loop;
	for (i = 0; i < nhashers; i++) {
		event_assign(&hashers[i].ev, base, hashers[i].fd,
		    EV_READ | EV_PERSIST, on_answer, &hashers[i]);
		event_add(&hashers[i].ev, NULL);
	}
}

struct hash_job *
hashers_submit(struct credential *const *list, size_t n, struct slice password,
    void (*done)(void *, int), void *arg)
{
	struct hash_job	*job;

	if (base == NULL || njobs >= QUEUE_MAX || n > HASHER_ENTRIES_MAX ||
	    password.len > SASL_PASSWORD_MAX ||
	    (job = job_new(list, n, password)) == NULL)
		return NULL;
	job->since = clock_ms();
	job->done = done;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&jobs, job, entry);
	njobs++;
	tick_start();
	dispatch();
	return job;
}

bool
hashers_begun(const struct hash_job *job)
{
	unsigned int	 i;

	for (i = 0; i < nhashers; i++)
		if (hashers[i].job == job)
			return true;
	return false;
}

void
hashers_cancel(struct hash_job *job)
{
	job->done = NULL;
	if (hashers_begun(job))
		return;		/* freed when it has answered */
	TAILQ_REMOVE(&jobs, job, entry);
	njobs--;
	job_free(job);
}

void
hashers_stop(void)
{
	struct hash_job	*job;
	unsigned int	 i;

	base = NULL;
	if (ticking)
		event_del(&tick);
	ticking = false;
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		TAILQ_REMOVE(&jobs, job, entry);
		njobs--;
		job_finish(job, HASHERS_BUSY);
	}
	for (i = 0; i < nhashers; i++) {
		job = hashers[i].job;
		hashers[i].job = NULL;
		if (job != NULL)
			job_finish(job, HASHERS_BUSY);
		if (hashers[i].fd == -1)
			continue;
		event_del(&hashers[i].ev);
		close(hashers[i].fd);
		hashers[i].fd = -1;
	}
	nhashers = 0;
}
