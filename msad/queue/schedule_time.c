/*
 * Time, as the schedule sees it: the clock, how long to wait, when a message is
 * too old. Runs in msad-queue.
 */
#include <stdlib.h>

#include "common/log.h"

#include "schedule_priv.h"

/* 30 min, 30 min, then doubling up to 3 h (R5321-4.5.4.1-a). */
static const unsigned int default_retry[] = {
	1800, 1800, 3600, 7200, 10800
};

#define STEP_MAX	60	/* seconds; more: the wall clock was set */
#define PAUSE_MAX	60	/* seconds; more: this process was stopped */
#define AT_ONCE_MAX	500	/* that grew too old, in one turn of the loop */
#define LAST_TRY_MAX	(24 * 60 * 60)	/* seconds to wait for a last try */

/* The clocks as they were when last asked. */
static bool			clock_runs;
static time_t			last_wall, last_monotonic;
static time_t			steps;	/* of the wall clock, in all */
/* When this process began, or went on after a pause. */
static time_t			began;
static schedule_expire		expire_message;

void
time_init(schedule_expire expire)
{
	expire_message = expire;
}

time_t
time_last(void)
{
	return last_wall;
}

/*
 * --- the clock ---
 *
 * Times are the wall clock's, for they outlive the process; but it may be set.
 * Whenever someone asks for the time, its progress is held against that of the
 * monotonic clock. Where they differ by more than a minute it was set, and all
 * times in memory move along: what was due in ten minutes still is, and no
 * message has aged by it (P-dur-4). Set back by less it stands still here, so
 * that what was due stays so. Times on the disk stay as they were written; of
 * those schedule_conf() bounds how far ahead they may be.
 */

static uint64_t
moved(uint64_t t, time_t step, uint64_t max)
{
	if (step < 0)
		return t < (uint64_t)-step ? 0 : t - (uint64_t)-step;
	return max - t < (uint64_t)step ? max : t + (uint64_t)step;
}

static void
move_tries(struct message *m, time_t step)
{
	uint32_t	i;

	m->since = (uint32_t)moved(m->since, step, UINT32_MAX);
	for (i = 0; i < m->nrcpts; i++)
		m->rcpts[i].next = (uint32_t)moved(m->rcpts[i].next, step,
		    UINT32_MAX);
}

/* What was waited for until then has come, and does not come again. */
static void
move_message(struct message *m, time_t step, time_t then)
{
	if (m->not_before != 0 && (time_t)m->not_before <= then)
		m->not_before = (uint32_t)moved(m->not_before, step,
		    UINT32_MAX);
	m->next = (uint32_t)moved(m->next, step, UINT32_MAX);
	move_tries(m, step);
}

static void
clock_was_set(time_t step, time_t then)
{
	struct dest	*d;
	struct message	*m;
	uint32_t	 i;

	log_warn("event=clock-set seconds=%lld", (long long)step);
	began += step;
	steps += step;
	TAILQ_FOREACH(d, &schedule_dests, entry) {
		if (d->down_until != 0)
			d->down_until += step;
		TAILQ_FOREACH(m, &d->messages, by_dest)
			move_message(m, step, then);
		TAILQ_FOREACH(m, &d->held, by_dest)
			move_message(m, step, then);
		/* That they wait for is a date. */
		for (i = 0; i < d->later.n; i++)
			move_tries(d->later.m[i], step);
		/* Bounded times may have become equal: order them anew. */
		heap_order(&d->due);
		lane_order(d);
		dest_touch(d);
	}
}

/* What was tried before the pause says nothing of now. */
static void
go_on(time_t wall)
{
	struct dest	*d;
	struct message	*m;

	began = wall;
	TAILQ_FOREACH(d, &schedule_dests, entry) {
		d->seen_down = false;
		TAILQ_FOREACH(m, &d->messages, by_dest)
			m->flags &= (uint16_t)~MESSAGE_TRIED;
	}
}

time_t
schedule_clock(time_t wall, time_t monotonic)
{
	time_t	passed = monotonic - last_monotonic;
	time_t	step = wall - last_wall - passed;

	if (clock_runs && (step > STEP_MAX || step < -STEP_MAX))
		clock_was_set(step, last_wall + passed);
	else if (clock_runs && wall < last_wall)
		wall = last_wall;	/* it stands until it is that again */
	if (!clock_runs || passed > PAUSE_MAX)
		go_on(wall);
	clock_runs = true;
	last_wall = wall;
	last_monotonic = monotonic;
	return wall;
}

time_t
schedule_clock_steps(void)
{
	return steps;
}

time_t
schedule_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return schedule_clock(time(NULL), ts.tv_sec);
}

/* --- intervals --- */

static const unsigned int *
retry_list(const struct dest *d, unsigned int *n)
{
	*n = d->nretry;
	if (d->nretry > 0)
		return d->retry;
	*n = sizeof(default_retry) / sizeof(default_retry[0]);
	return default_retry;
}

unsigned int
retry_longest(const struct dest *d)
{
	const unsigned int	*list;
	unsigned int		 i, n, longest = 0;

	list = retry_list(d, &n);
	for (i = 0; i < n; i++)
		if (list[i] > longest)
			longest = list[i];
	return longest;
}

unsigned int
schedule_backoff(const struct dest *d, unsigned int tries)
{
	const unsigned int	*list;
	unsigned int		 n, t;

	list = retry_list(d, &n);
	if (tries == 0)
		tries = 1;
	t = list[tries > n ? n - 1 : tries - 1];
	return t + arc4random_uniform(t / 10 + 1);
}

bool
schedule_is_expired(const struct message *m, time_t now)
{
	return now >= 0 && (uint64_t)now >= schedule_end(m);
}

uint64_t
schedule_end(const struct message *m)
{
	unsigned int	expire = m->dest->expire;

	return (uint64_t)m->since + (expire == 0 ? DEST_EXPIRE : expire);
}

time_t
schedule_next(const struct message *m, uint32_t i)
{
	time_t	next = m->rcpts[i].next;

	if (m->later)
		return (time_t)m->not_before;
	return next < m->dest->down_until ? m->dest->down_until : next;
}

/* --- age --- */

/*
 * Is nothing of it under way? Failures that wait for the end of their round do
 * not count: when the rest is never tried again, they are reported with it.
 */
static bool
is_at_rest(const struct message *m)
{
	uint32_t	i;

	if (m->njobs > 0 || m->nleft == 0 || (m->flags & (MESSAGE_REMOVED |
	    MESSAGE_ENDING | MESSAGE_REPORTING)))
		return false;
	/* All of it is given up, and that waits to be told. */
	if ((m->flags & MESSAGE_WAITS_REPORT) && m->nleft == m->nbusy)
		return false;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_INFLIGHT)
			return false;
	return true;
}

/* Did it have its last try, as far as one can be had? */
static bool
had_its_try(const struct message *m, time_t now)
{
	const struct dest	*d = m->dest;

	return (m->flags & MESSAGE_TRIED) || d->seen_down || !d->known ||
	    now - began > LAST_TRY_MAX;
}

/* Does its report wait for space? One retry a minute is enough. */
static bool
is_put_off(const struct message *m, time_t now)
{
	return (m->flags & MESSAGE_PUT_OFF) && m->heap != HEAP_NONE &&
	    m->next > now;
}

void
try_at_once(struct message *m, time_t now)
{
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    m->rcpts[i].next > now)
			m->rcpts[i].next = (uint32_t)now;
	if (m->heap != HEAP_NONE && m->next > now)
		schedule_update(m);
}

void
schedule_expire_old(time_t now)
{
	struct dest	*d;
	struct message	*m, *next;
	unsigned int	 n = 0;

	TAILQ_FOREACH(d, &schedule_dests, entry)
		for (m = TAILQ_FIRST(&d->messages); m != NULL; m = next) {
			if (!schedule_is_expired(m, now))
				break;
			next = TAILQ_NEXT(m, by_dest);
			if (!is_at_rest(m) || is_put_off(m, now))
				continue;
			if (!had_its_try(m, now)) {
				try_at_once(m, now);
				continue;
			}
			if (n++ == AT_ONCE_MAX)
				return;
			expire_message(m, now);
		}
}

void
schedule_warn_old(schedule_expire fn, time_t now)
{
	struct dest	*d;
	struct message	*m;
	unsigned int	 n = 0;

	TAILQ_FOREACH(d, &schedule_dests, entry)
		while (n < AT_ONCE_MAX && (m = d->unwarned) != NULL &&
		    (uint64_t)now >= (uint64_t)m->since +
		    (d->warn == 0 ? DEST_WARN : d->warn)) {
			/* It may be us who were away, as for expiry. */
			if (!had_its_try(m, now) &&
			    !pause_has_tenant(message_tenant(m))) {
				try_at_once(m, now);
				break;
			}
			d->unwarned = TAILQ_NEXT(m, by_dest);
			fn(m, now);
			n++;
		}
}
