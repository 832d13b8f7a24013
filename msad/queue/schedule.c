/*
 * When what is tried. Runs in msad-queue. Each destination has a heap of the
 * messages that have a recipient waiting, by the time of their next attempt,
 * and a list of all its messages by age, for their expiry. schedule_run() is
 * called after each change that may let something go, and once a second.
 *
 * A destination that could not be reached is left alone for the interval of
 * its retry list; then one job goes out as a probe. When that connects, all
 * that waited because of the destination follows at once (R5321-4.5.4.1-b).
 * A refusal of one message says nothing about others (R5321-4.5.4.1-c).
 *
 * What a credential keeps back until a date, or a limit holds, is in a list of
 * its own, by that date, and nothing looks at it before: neither a flush nor
 * its age. From then on it is as if it had just come in.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "schedule.h"

/* 30 min, 30 min, then doubling up to 3 h (R5321-4.5.4.1-a). */
static const unsigned int default_retry[] = {
	1800, 1800, 3600, 7200, 10800
};

#define STEP_MAX	60	/* seconds; more: the wall clock was set */
#define PAUSE_MAX	60	/* seconds; more: this process was stopped */
#define LAST_TRY_MAX	(24 * 60 * 60)	/* seconds to wait for a last try */

static TAILQ_HEAD(, dest)	dests = TAILQ_HEAD_INITIALIZER(dests);
static schedule_send		send_job;
static schedule_expire		expire_message;
static bool			stopped;

/* The clocks as they were when last asked. */
static bool			clock_runs;
static time_t			last_wall, last_monotonic;
/* When this process began, or went on after a pause. */
static time_t			began;

void
schedule_init(schedule_send send, schedule_expire expire)
{
	send_job = send;
	expire_message = expire;
}

void
schedule_stop(void)
{
	stopped = true;
}

/* --- the heap: by next attempt, then by id --- */

static bool
before(const struct message *a, const struct message *b)
{
	return a->next != b->next ? a->next < b->next : a->id < b->id;
}

static void
place(struct message_heap *h, uint32_t i, struct message *m)
{
	h->m[i] = m;
	m->heap = i;
}

static void
sift_up(struct message_heap *h, uint32_t i)
{
	struct message	*m = h->m[i];

	for (; i > 0 && before(m, h->m[(i - 1) / 2]); i = (i - 1) / 2)
		place(h, i, h->m[(i - 1) / 2]);
	place(h, i, m);
}

static void
sift_down(struct message_heap *h, uint32_t i)
{
	struct message	*m = h->m[i];
	uint32_t	 child;

	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && before(h->m[child + 1], h->m[child]))
			child++;
		if (!before(h->m[child], m))
			break;
		place(h, i, h->m[child]);
	}
	place(h, i, m);
}

/* Out of the heap it is in, if any. */
static void
heap_remove(struct message *m)
{
	struct message_heap	*h;
	struct message		*last;
	uint32_t		 i = m->heap;

	if (i == HEAP_NONE)
		return;
	h = m->later ? &m->dest->later : &m->dest->due;
	m->heap = HEAP_NONE;
	last = h->m[--h->n];
	if (last == m)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->heap);
}

static void
heap_insert(struct message_heap *h, struct message *m)
{
	place(h, h->n++, m);
	sift_up(h, m->heap);
}

/* Room for n messages. */
static int
heap_reserve(struct message_heap *h, uint32_t n)
{
	struct message	**p;
	uint32_t	  cap = h->cap == 0 ? 64 : h->cap;

	if (n <= h->cap)
		return 0;
	while (cap < n)
		cap += cap / 2;
	if ((p = reallocarray(h->m, cap, sizeof(struct message *))) == NULL)
		return -1;
	h->m = p;
	h->cap = cap;
	return 0;
}

/*
 * --- the clock ---
 *
 * Times are the wall clock's, for they outlive the process; but it may be set.
 * Whenever someone asks for the time, its progress is held against that of the
 * monotonic clock. Where they differ by more than a minute it was set, and all
 * times in memory move along: what was due in ten minutes still is, and no
 * message has aged by it (P-dur-4). Times on the disk stay as they were
 * written; of those schedule_conf() bounds how far ahead they may be.
 */

static uint64_t
moved(uint64_t t, time_t step, uint64_t max)
{
	if (step < 0)
		return t < (uint64_t)-step ? 0 : t - (uint64_t)-step;
	return max - t < (uint64_t)step ? max : t + (uint64_t)step;
}

static void
move_message(struct message *m, time_t step)
{
	uint32_t	i;

	m->since = (uint32_t)moved(m->since, step, UINT32_MAX);
	m->next = (uint32_t)moved(m->next, step, UINT32_MAX);
	for (i = 0; i < m->nrcpts; i++)
		m->rcpts[i].next = (uint32_t)moved(m->rcpts[i].next, step,
		    UINT32_MAX);
}

static void
clock_was_set(time_t step)
{
	struct dest	*d;
	struct message	*m;
	uint32_t	 i;

	log_warn("event=clock-set seconds=%lld", (long long)step);
	began += step;
	TAILQ_FOREACH(d, &dests, entry) {
		if (d->down_until != 0)
			d->down_until += step;
		TAILQ_FOREACH(m, &d->messages, by_dest)
			move_message(m, step);
		/* Bounded times may have become equal: order them anew. */
		for (i = d->due.n / 2; i-- > 0;)
			sift_down(&d->due, i);
	}
}

/* What was tried before the pause says nothing of now. */
static void
go_on(time_t wall)
{
	struct dest	*d;
	struct message	*m;

	began = wall;
	TAILQ_FOREACH(d, &dests, entry) {
		d->seen_down = false;
		TAILQ_FOREACH(m, &d->messages, by_dest)
			m->flags &= (uint8_t)~MESSAGE_TRIED;
	}
}

time_t
schedule_clock(time_t wall, time_t monotonic)
{
	time_t	passed = monotonic - last_monotonic;
	time_t	step = wall - last_wall - passed;

	if (clock_runs && (step > STEP_MAX || step < -STEP_MAX))
		clock_was_set(step);
	if (!clock_runs || passed > PAUSE_MAX)
		go_on(wall);
	clock_runs = true;
	last_wall = wall;
	last_monotonic = monotonic;
	return wall;
}

time_t
schedule_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return schedule_clock(time(NULL), ts.tv_sec);
}

/* --- destinations --- */

struct dest *
schedule_dest(const char *name)
{
	struct dest	*d;

	TAILQ_FOREACH(d, &dests, entry)
		if (strcmp(d->name, name) == 0)
			return d;
	if ((d = calloc(1, sizeof(*d))) == NULL ||
	    (d->name = strdup(name)) == NULL) {
		free(d);
		return NULL;
	}
	TAILQ_INIT(&d->messages);
	TAILQ_INSERT_TAIL(&dests, d, entry);
	return d;
}

static char *
copy_str(const char *s)
{
	char	*p = NULL;

	if (s != NULL && (p = strdup(s)) == NULL)
		fatal("event=schedule error=\"out of memory\"");
	return p;
}

static void
configure(struct dest *d, const struct conf_relay *r)
{
	d->known = true;
	d->maildir = r->kind == CONF_RELAY_MAILDIR;
	d->concurrency = r->concurrency != 0 ? r->concurrency :
	    DEST_CONCURRENCY;
	d->expire = r->expire != 0 ? r->expire : DEST_EXPIRE;
	d->warn = r->warn != 0 ? r->warn : DEST_WARN;
	d->nretry = r->nretry;
	memcpy(d->retry, r->retry, sizeof(d->retry));
	free(d->auth_table);
	free(d->auth_label);
	d->auth_table = copy_str(r->auth_table);
	d->auth_label = copy_str(r->auth_label);
	d->has_auth = d->auth_table != NULL;
	/* What held it up may be what was changed. */
	d->fails = 0;
	d->down_until = 0;
	d->seen_down = false;
}

static const unsigned int *
retry_list(const struct dest *d, unsigned int *n)
{
	*n = d->nretry;
	if (d->nretry > 0)
		return d->retry;
	*n = sizeof(default_retry) / sizeof(default_retry[0]);
	return default_retry;
}

/*
 * Nobody waits longer than the longest of the intervals. A time further away
 * was written by a clock that was ahead, or for another list; and nothing came
 * later than now.
 */
static void
bound_waits(struct dest *d, time_t now)
{
	const unsigned int	*list;
	struct message		*m;
	unsigned int		 i, n, longest = 0;
	time_t			 last;

	list = retry_list(d, &n);
	for (i = 0; i < n; i++)
		if (list[i] > longest)
			longest = list[i];
	last = now + (time_t)longest + (time_t)longest / 10;
	TAILQ_FOREACH(m, &d->messages, by_dest) {
		if (m->since > (uint64_t)now)
			m->since = (uint64_t)now;
		for (i = 0; i < m->nrcpts; i++)
			if ((time_t)m->rcpts[i].next > last)
				m->rcpts[i].next = (uint32_t)last;
		if (m->heap != HEAP_NONE && (time_t)m->next > last)
			schedule_update(m);
	}
}

void
schedule_conf(const struct conf *conf)
{
	const struct conf_relay	*r;
	struct dest		*d;

	TAILQ_FOREACH(r, &conf->relays, entry)
		if (schedule_dest(r->name) == NULL)
			fatal("event=schedule error=\"out of memory\"");
	TAILQ_FOREACH(d, &dests, entry) {
		if ((r = conf_relay_find(conf, d->name)) != NULL) {
			configure(d, r);
			bound_waits(d, schedule_now());
			continue;
		}
		d->known = false;
		if (d->nmessages > 0)
			log_warn("event=no-relay relay=%s reason=\"messages "
			    "wait for a relay that is not configured\"",
			    log_q(d->name));
	}
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

/* --- messages --- */

static bool
earliest(const struct message *m, uint32_t *next)
{
	uint32_t	i;
	bool		any = false;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    (!any || m->rcpts[i].next < *next)) {
			*next = m->rcpts[i].next;
			any = true;
		}
	return any;
}

void
schedule_update(struct message *m)
{
	uint32_t	next = 0;

	if (m->later)
		return;
	heap_remove(m);
	if ((m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING)) ||
	    m->nleft == m->nbusy || !earliest(m, &next))
		return;
	m->next = next;
	heap_insert(&m->dest->due, m);
}

/*
 * Into the list by age. That is its end, but for those that were kept back and
 * are recovered among others.
 */
static void
take_up(struct dest *d, struct message *m)
{
	struct message	*p = TAILQ_LAST(&d->messages, message_list);

	if (m->not_before > m->since)
		m->since = m->not_before;	/* its days begin there */
	while (p != NULL && p->since > m->since && p->not_before != 0)
		p = TAILQ_PREV(p, message_list, by_dest);
	if (p != NULL)
		TAILQ_INSERT_AFTER(&d->messages, p, m, by_dest);
	else
		TAILQ_INSERT_HEAD(&d->messages, m, by_dest);
	if (TAILQ_NEXT(m, by_dest) == d->unwarned)
		d->unwarned = m;
	schedule_update(m);
}

/* To those that wait for their time. */
static int
keep_back(struct dest *d, struct message *m)
{
	if (heap_reserve(&d->later, d->later.n + 1) == -1)
		return -1;
	m->later = true;
	m->next = m->not_before;
	heap_insert(&d->later, m);
	return 0;
}

int
schedule_add(struct message *m)
{
	struct dest	*d;

	/* Those in flight have room too: later inserting cannot fail. */
	if ((d = schedule_dest(message_relay(m))) == NULL ||
	    heap_reserve(&d->due, d->nmessages + 1) == -1)
		return -1;
	m->dest = d;
	if (m->not_before > (uint64_t)last_wall) {
		if (keep_back(d, m) == -1)
			return -1;
	} else
		take_up(d, m);
	d->nmessages++;
	return 0;
}

/* Its time has come. */
static void
let_go(struct message *m)
{
	heap_remove(m);
	m->later = false;
	take_up(m->dest, m);
}

/* The times of those that were kept back have come. */
static void
release(struct dest *d, time_t now)
{
	while (d->later.n > 0 && d->later.m[0]->not_before <= (uint64_t)now)
		let_go(d->later.m[0]);
}

bool
schedule_is_held(const struct message *m)
{
	return m->later && (m->env_flags & ENVELOPE_HELD);
}

void
schedule_release(struct message *m, time_t now)
{
	if (!schedule_is_held(m))
		return;
	m->not_before = (uint32_t)now;
	let_go(m);
}

void
schedule_remove(struct message *m)
{
	heap_remove(m);
	m->dest->nmessages--;
	if (m->later)
		return;
	if (m->dest->unwarned == m)
		m->dest->unwarned = TAILQ_NEXT(m, by_dest);
	TAILQ_REMOVE(&m->dest->messages, m, by_dest);
}

/* --- handing out --- */

/* One job of this destination. False when no more can go now. */
static bool
run_one(struct dest *d, time_t now)
{
	struct message	*m;
	bool		 probe = d->fails > 0;

	if (d->due.n == 0 || d->inflight >= d->concurrency)
		return false;
	if (probe && (now < d->down_until || d->inflight > 0))
		return false;
	m = d->due.m[0];
	if (m->next > now)
		return false;
	switch (send_job(d, m, now, probe)) {
	case 1:
		d->inflight++;
		break;
	case 0:
		return false;
	default:
		break;
	}
	schedule_update(m);
	/* A long list goes out in several jobs. */
	if (m->heap == HEAP_NONE || m->next > now)
		m->flags |= MESSAGE_TRIED;
	return true;
}

void
schedule_run(time_t now)
{
	struct dest	*d;
	bool		 more = !stopped;

	TAILQ_FOREACH(d, &dests, entry)
		release(d, now);
	/* A job each in turn, so that none keeps the relays for itself. */
	while (more) {
		more = false;
		TAILQ_FOREACH(d, &dests, entry)
			if (d->known && run_one(d, now))
				more = true;
	}
}

void
schedule_job_lost(struct dest *d)
{
	d->inflight--;
}

void
schedule_blame(struct dest *d, const char *reason)
{
	strlcpy(d->failure, reason, sizeof(d->failure));
}

const char *
schedule_failure(const struct dest *d)
{
	return d->fails > 0 ? d->failure : "";
}

time_t
schedule_job_done(struct dest *d, uint32_t round, bool connected, time_t now)
{
	d->inflight--;
	if (connected) {
		if (d->fails > 0)
			log_notice("event=relay-up relay=%s", log_q(d->name));
		d->fails = 0;
		d->down_until = 0;
		d->seen_down = false;
		return now;
	}
	d->seen_down = true;
	/* Jobs that began together tell of one and the same failure. */
	if (round == d->round) {
		d->round++;
		d->fails++;
		d->down_until = now + (time_t)schedule_backoff(d, d->fails);
		log_warn("event=relay-down relay=%s attempts=%u next=%lld",
		    log_q(d->name), d->fails, (long long)d->down_until);
	}
	return d->down_until > now ? d->down_until : now;
}

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

static void
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

	TAILQ_FOREACH(d, &dests, entry)
		for (m = TAILQ_FIRST(&d->messages); m != NULL; m = next) {
			if (!schedule_is_expired(m, now))
				break;
			next = TAILQ_NEXT(m, by_dest);
			if (!is_at_rest(m) || is_put_off(m, now))
				continue;
			if (had_its_try(m, now))
				expire_message(m, now);
			else
				try_at_once(m, now);
		}
}

void
schedule_warn_old(schedule_expire fn, time_t now)
{
	struct dest	*d;
	struct message	*m;

	TAILQ_FOREACH(d, &dests, entry)
		while ((m = d->unwarned) != NULL &&
		    (uint64_t)now >= (uint64_t)m->since +
		    (d->warn == 0 ? DEST_WARN : d->warn)) {
			/* It may be us who were away, as for expiry. */
			if (!had_its_try(m, now)) {
				try_at_once(m, now);
				break;
			}
			d->unwarned = TAILQ_NEXT(m, by_dest);
			fn(m, now);
		}
}

static void
flush_message(struct message *m, time_t now)
{
	if (m->later)
		return;
	try_at_once(m, now);
	m->dest->fails = 0;
	m->dest->down_until = 0;
}

void
schedule_flush(struct message *m, time_t now)
{
	struct dest	*d;

	if (m != NULL) {
		flush_message(m, now);
		return;
	}
	TAILQ_FOREACH(d, &dests, entry) {
		d->fails = 0;
		d->down_until = 0;
		TAILQ_FOREACH(m, &d->messages, by_dest)
			flush_message(m, now);
	}
}

/* In a heap those that are due are at the top. */
static void
select_due(const struct dest *d, uint32_t i, time_t when,
    void (*fn)(void *, struct message *), void *arg)
{
	for (; i < d->due.n && (time_t)d->due.m[i]->next <= when;
	    i = 2 * i + 2) {
		fn(arg, d->due.m[i]);
		select_due(d, 2 * i + 1, when, fn, arg);
	}
}

void
schedule_select_due(time_t when, void (*fn)(void *, struct message *),
    void *arg)
{
	struct dest	*d;

	TAILQ_FOREACH(d, &dests, entry)
		select_due(d, 0, when, fn, arg);
}
