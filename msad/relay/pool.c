/*
 * The connections of a relay block and the jobs that wait for one, in
 * msad-relay.
 *
 * relay.c makes a pool for each block at every reload and submits jobs;
 * clients report here. A job takes the connection that was used last, so
 * that those no longer needed fall idle and end; when none is free a new one
 * is opened, as far as the block's concurrency allows. Credentials come with
 * the jobs: a connection serves only jobs with those it logged in with, and
 * none that needs an extension which another address of the host may have.
 */

#include <sys/types.h>
#include <sys/queue.h>

#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/child.h"
#include "common/log.h"
#include "msad/relay/client.h"
#include "msad/relay/downgrade.h"
#include "msad/relay/pool.h"
#include "msad/relay/trust.h"

/* After a failed setup beside working connections; seconds. */
#define POOL_PAUSE	5

TAILQ_HEAD(client_list, client);

struct pool {
	TAILQ_ENTRY(pool)	 entry;
	struct pool_conf	 conf;
	struct client_list	 list[PLACE_MAX]; /* idle: last used first */
	unsigned int		 n[PLACE_MAX];
	unsigned int		 nsetup;	/* of the active ones */
	struct job_list		 waiting;
	unsigned int		 nwaiting;
	time_t			 pause_until;	/* monotonic; no new ones */
	struct event		 pause_over;
	int			 retired;
};

/* Dead clients are freed when nothing of them is on the stack any more. */
static struct event		 reaper;
/* Set when msad ends. */
static void			(*stopped)(void);

static TAILQ_HEAD(, pool)	 pools = TAILQ_HEAD_INITIALIZER(pools);

static void	 pool_run(struct pool *);

static time_t
now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

const struct pool_conf *
pool_conf(const struct pool *p)
{
	return &p->conf;
}

static void
pool_free(struct pool *p)
{
	TAILQ_REMOVE(&pools, p, entry);
	event_del(&p->pause_over);
	trust_free(p->conf.trust);
	free(p->conf.name);
	free(p->conf.host);
	free(p->conf.helo);
	free(p->conf.hostname);
	free(p);
}

static void
reap(int fd, short what, void *arg)
{
	struct pool	*p, *next;
	struct client	*c;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH_SAFE(p, &pools, entry, next) {
		while ((c = TAILQ_FIRST(&p->list[PLACE_DEAD])) != NULL) {
			TAILQ_REMOVE(&p->list[PLACE_DEAD], c, entry);
			client_free(c);
		}
		p->n[PLACE_DEAD] = 0;
		if (p->retired && p->nwaiting + p->n[PLACE_ACTIVE] +
		    p->n[PLACE_IDLE] + p->n[PLACE_LEAVING] == 0)
			pool_free(p);
	}
}

static void
reap_soon(void)
{
	if (!event_initialized(&reaper)) {
		evtimer_set(&reaper, reap, NULL);
		event_base_set(child_base(), &reaper);
	}
	event_active(&reaper, EV_TIMEOUT, 1);
}

/* Put a client on another list of its pool; idle ones in front. */
static void
pool_place(struct pool *p, struct client *c, enum client_place place)
{
	TAILQ_REMOVE(&p->list[c->place], c, entry);
	p->n[c->place]--;
	if (c->place == PLACE_ACTIVE && c->setting_up) {
		c->setting_up = 0;
		p->nsetup--;
	}
	c->place = place;
	if (place == PLACE_IDLE)
		TAILQ_INSERT_HEAD(&p->list[place], c, entry);
	else
		TAILQ_INSERT_TAIL(&p->list[place], c, entry);
	p->n[place]++;
}

static void
pool_on_pause_over(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pool_run(arg);
}

static char *
dup_or_die(const char *s)
{
	char	*p = strdup(s);

	if (p == NULL)
		fatal("out of memory");
	return p;
}

struct pool *
pool_new(const struct conf *conf, const struct conf_relay *r, const void *ca,
    size_t calen, unsigned int connections, char *reason, size_t size)
{
	struct trust	*trust = NULL;
	struct pool	*p;
	const char	*why;
	int		 i;

	if (r->tls != CONF_TLS_NONE &&
	    (trust = trust_new(r->verify, ca, calen, &why)) == NULL) {
		snprintf(reason, size, "relay \"%s\": %s", r->name, why);
		return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatal("out of memory");
	p->conf.name = dup_or_die(r->name);
	p->conf.host = dup_or_die(r->host);
	p->conf.port = r->port;
	p->conf.tls = r->tls;
	p->conf.verify = r->verify;
	p->conf.hostname = dup_or_die(conf->hostname);
	p->conf.helo = dup_or_die(r->helo != NULL ? r->helo : conf->hostname);
	p->conf.trust = trust;
	p->conf.connections = connections;
	for (i = 0; i < PLACE_MAX; i++)
		TAILQ_INIT(&p->list[i]);
	TAILQ_INIT(&p->waiting);
	TAILQ_INSERT_TAIL(&pools, p, entry);
	evtimer_set(&p->pause_over, pool_on_pause_over, p);
	event_base_set(child_base(), &p->pause_over);
	return p;
}

/* --- jobs and clients brought together --- */

static void
waiting_remove(struct pool *p, struct job *job)
{
	TAILQ_REMOVE(&p->waiting, job, entry);
	p->nwaiting--;
}

static int
client_is_used_up(const struct client *c)
{
	return c->messages >= CLIENT_MESSAGES_MAX ||
	    now() - c->born >= CLIENT_AGE_MAX;
}

static int
client_suits(const struct client *c, const struct job *job)
{
	return client_same_credentials(c, job) &&
	    !downgrade_other_address(c, job);
}

static struct client *
idle_for(struct pool *p, const struct job *job)
{
	struct client	*c;

	TAILQ_FOREACH(c, &p->list[PLACE_IDLE], entry)
		if (client_suits(c, job))
			return c;
	return NULL;
}

/* Jobs to idle connections. */
static void
pool_match(struct pool *p)
{
	struct job	*job, *next;
	struct client	*c;

	TAILQ_FOREACH_SAFE(job, &p->waiting, entry, next) {
		while ((c = idle_for(p, job)) != NULL && client_is_used_up(c))
			client_quit(c);
		if (p->n[PLACE_IDLE] == 0)
			return;
		if (c == NULL)
			continue;
		waiting_remove(p, job);
		if (client_send(c, job) == 0)
			pool_place(p, c, PLACE_ACTIVE);
	}
}

/* New connections for jobs that found none. */
static void
pool_grow(struct pool *p)
{
	struct client	*c;
	struct job	*job;
	unsigned int	 skip = p->nsetup;

	if (p->pause_until > now() && p->n[PLACE_ACTIVE] > 0)
		return;
	TAILQ_FOREACH(job, &p->waiting, entry) {
		if (skip > 0) {
			skip--;
			continue;
		}
		if (p->n[PLACE_ACTIVE] + p->n[PLACE_IDLE] >=
		    p->conf.connections) {
			/* an idle one with other credentials makes room */
			c = TAILQ_LAST(&p->list[PLACE_IDLE], client_list);
			if (c == NULL)
				return;
			client_quit(c);
		}
		c = client_new(p, job);
		c->place = PLACE_ACTIVE;
		c->setting_up = 1;
		TAILQ_INSERT_TAIL(&p->list[PLACE_ACTIVE], c, entry);
		p->n[PLACE_ACTIVE]++;
		p->nsetup++;
	}
}

static void
pool_run(struct pool *p)
{
	if (stopped != NULL || p->nwaiting == 0)
		return;
	pool_match(p);
	pool_grow(p);
}

void
pool_submit(struct pool *p, struct job *job)
{
	job->state = JOB_WAITING;
	job->pool = p;
	TAILQ_INSERT_TAIL(&p->waiting, job, entry);
	p->nwaiting++;
	pool_run(p);
}

int
pool_withdraw(struct job *job)
{
	if (job->state != JOB_WAITING || job->pool == NULL)
		return -1;
	waiting_remove(job->pool, job);
	return 0;
}

int
pools_are_quiet(void)
{
	struct client	*c;
	struct pool	*p;

	TAILQ_FOREACH(p, &pools, entry)
		TAILQ_FOREACH(c, &p->list[PLACE_ACTIVE], entry)
			if (c->job != NULL)
				return 0;
	return 1;
}

/* Idle connections say QUIT. */
static void
pool_quit_idle(struct pool *p)
{
	struct client	*c;

	while ((c = TAILQ_FIRST(&p->list[PLACE_IDLE])) != NULL)
		client_quit(c);
}

void
pools_stop(void (*done)(void))
{
	struct pool	*p;

	stopped = done;
	TAILQ_FOREACH(p, &pools, entry)
		pool_quit_idle(p);
}

void
pool_retire(struct pool *p, struct pool *heir)
{
	struct client	*c, *next;
	struct job	*job;

	p->retired = 1;
	while (heir != NULL && (job = TAILQ_FIRST(&p->waiting)) != NULL) {
		waiting_remove(p, job);
		pool_submit(heir, job);
	}
	pool_quit_idle(p);
	TAILQ_FOREACH_SAFE(c, &p->list[PLACE_ACTIVE], entry, next)
		if (c->setting_up && p->nwaiting == 0)
			pool_gone(p, c);
	reap_soon();
}

/* --- from the clients --- */

/* An idle client takes what waits, or waits itself, or ends. */
void
pool_ready(struct pool *p, struct client *c)
{
	struct job	*job, *next;

	pool_place(p, c, PLACE_IDLE);
	if (stopped != NULL || client_is_used_up(c) ||
	    (p->retired && p->nwaiting == 0)) {
		client_quit(c);
		if (stopped != NULL)
			stopped();
		pool_run(p);
		return;
	}
	/* the first in the row is not to starve behind those that suit */
	job = TAILQ_FIRST(&p->waiting);
	if (job != NULL && p->nsetup == 0 && !client_suits(c, job)) {
		pool_grow(p);
		if (c->place != PLACE_IDLE)
			return;
	}
	TAILQ_FOREACH_SAFE(job, &p->waiting, entry, next) {
		if (!client_suits(c, job))
			continue;
		waiting_remove(p, job);
		if (client_send(c, job) == 0) {
			pool_place(p, c, PLACE_ACTIVE);
			return;
		}
	}
	conn_shrink(c->conn);
	conn_timeout(c->conn, CLIENT_IDLE_SECONDS);
	pool_grow(p);		/* for those that need another one */
}

/*
 * As long as there is another session, at work or still on its way, the jobs
 * stay for that one, and no further connection is tried for a while. When it
 * was the last, all that wait get the reason, so that a dead host costs one
 * attempt, not one a message.
 */
void
pool_setup_failed(struct pool *p, struct client *c, const struct result *res)
{
	struct timeval	 tv = { POOL_PAUSE, 0 };
	struct job	*job, *next;

	if (p->n[PLACE_IDLE] > 0 || p->n[PLACE_ACTIVE] > 1) {
		p->pause_until = now() + POOL_PAUSE;
		evtimer_add(&p->pause_over, &tv);
		pool_gone(p, c);
		return;
	}
	TAILQ_FOREACH_SAFE(job, &p->waiting, entry, next) {
		if (!client_same_credentials(c, job))
			continue;
		waiting_remove(p, job);
		job_all_results(job, res, c->host, "");
		job_done(job, res->outcome == OUTCOME_TRANSIENT);
	}
	pool_gone(p, c);
}

void
pool_requeue(struct pool *p, struct job *job)
{
	job->state = JOB_WAITING;
	job->pool = p;
	TAILQ_INSERT_HEAD(&p->waiting, job, entry);
	p->nwaiting++;
}

void
pool_leaves(struct pool *p, struct client *c)
{
	pool_place(p, c, PLACE_LEAVING);
}

void
pool_gone(struct pool *p, struct client *c)
{
	pool_place(p, c, PLACE_DEAD);
	client_close(c);
	reap_soon();
	if (stopped != NULL)
		stopped();
	pool_run(p);
}
