/*
 * When what is tried. Runs in msad-queue. Each destination has a heap of the
 * messages that have a recipient waiting, by the time of their next attempt,
 * and a list of all its messages by age, for their expiry. What is due moves on
 * to the lane of its user, where it waits for its turn (schedule_lane.c).
 * schedule_run() is called after each change that may let something go, and
 * once a second; it looks at those destinations alone where something changed
 * or the time has come.
 *
 * A destination that could not be reached is left alone for the interval of
 * its retry list; then one job goes out as a probe. When that connects, all
 * that waited because of the destination follows at once (R5321-4.5.4.1-b).
 * A refusal of one message says nothing about others (R5321-4.5.4.1-c).
 *
 * What a credential keeps back until a date, a sender until a time, or a limit
 * holds, is in a list of its own, by that date, and nothing looks at it before:
 * neither a flush nor its age. From then on it is as if it had just come in.
 * What an operator or a rule holds is in another list, until it goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "schedule_priv.h"

/* What a job costs in a turn, beside the octets of the message. */
#define COST_JOB	4096
#define COST_RCPT	1024
#define COST_RCPTS	100	/* at most so many of them, and in all: */
#define COST_MAX	(64 * FAIR_QUANTUM)

struct dest_list		schedule_dests =
    TAILQ_HEAD_INITIALIZER(schedule_dests);
static schedule_send		send_job;
static bool			stopped;
static time_t			current;	/* of this run */
static uint32_t			nheld, nfuture;

static int
compare_names(const struct dest *a, const struct dest *b)
{
	return strcmp(a->name, b->name);
}

static int
compare_wakes(const struct dest *a, const struct dest *b)
{
	if (a->wake != b->wake)
		return a->wake < b->wake ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

RB_HEAD(dest_names, dest);
RB_PROTOTYPE(dest_names, dest, by_name, compare_names)
RB_GENERATE(dest_names, dest, by_name, compare_names)
RB_HEAD(dest_wakes, dest);
RB_PROTOTYPE(dest_wakes, dest, by_wake, compare_wakes)
RB_GENERATE(dest_wakes, dest, by_wake, compare_wakes)

static struct dest_names		names = RB_INITIALIZER(&names);
static struct dest_wakes		wakes = RB_INITIALIZER(&wakes);
static TAILQ_HEAD(, dest)	touched = TAILQ_HEAD_INITIALIZER(touched);
static TAILQ_HEAD(, dest)	stalled = TAILQ_HEAD_INITIALIZER(stalled);

void
schedule_init(schedule_send send, schedule_expire expire)
{
	send_job = send;
	time_init(expire);
	lane_init();
}

void
schedule_stop(void)
{
	stopped = true;
}

/* --- destinations --- */

void
dest_touch(struct dest *d)
{
	if (d->touched)
		return;
	d->touched = true;
	TAILQ_INSERT_TAIL(&touched, d, by_touch);
}

bool
dest_is_open(const struct dest *d)
{
	return !stopped && d->known && !d->paused && !d->stalled &&
	    (d->fails == 0 || current >= d->down_until);
}

uint32_t
dest_room(const struct dest *d)
{
	unsigned int	used = d->inflight + d->nawake;

	if (used >= d->concurrency)
		return 0;
	if (d->fails > 0)	/* one finds out for all */
		return d->probing || d->nawake > 0 ? 0 : UINT32_MAX;
	return d->concurrency - used;
}

struct dest *
schedule_dest_next(const struct dest *d)
{
	return d == NULL ? TAILQ_FIRST(&schedule_dests) :
	    TAILQ_NEXT(d, entry);
}

struct dest *
schedule_dest(const char *name)
{
	static uint32_t	 ndests;
	struct dest	*d, key;

	key.name = (char *)(uintptr_t)name;
	if ((d = RB_FIND(dest_names, &names, &key)) != NULL)
		return d;
	if ((d = calloc(1, sizeof(*d))) == NULL ||
	    (d->name = strdup(name)) == NULL) {
		free(d);
		return NULL;
	}
	d->number = ndests++;
	d->paused = schedule_relay_paused(name);
	TAILQ_INIT(&d->messages);
	TAILQ_INIT(&d->held);
	RB_INIT(&d->lanes);
	RB_INIT(&d->shares);
	fair_init(&d->wants);
	TAILQ_INSERT_TAIL(&schedule_dests, d, entry);
	RB_INSERT(dest_names, &names, d);
	return d;
}

/* It is taken to be up, until it shows otherwise. */
static void
forgive(struct dest *d)
{
	d->fails = 0;
	d->down_until = 0;
	d->probing = false;
	dest_touch(d);
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
	bool	maildir = r->kind == CONF_RELAY_MAILDIR;

	if (d->maildir != maildir)
		lane_empty_all(d);	/* their places are others */
	d->known = true;
	d->maildir = maildir;
	d->concurrency = r->concurrency != 0 ? r->concurrency :
	    DEST_CONCURRENCY;
	d->per_tenant = r->per_tenant;
	d->per_user = r->per_user;
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
	forgive(d);
	d->seen_down = false;
	lane_refresh_all(d);
}

/*
 * Nobody waits longer than the longest of the intervals. A time further away
 * was written by a clock that was ahead, or for another list; and nothing came
 * later than now.
 */
static void
bound_waits(struct message_list *list, time_t last, time_t now)
{
	struct message	*m;
	uint32_t	 i;

	TAILQ_FOREACH(m, list, by_dest) {
		if (m->since > (uint64_t)now)
			m->since = (uint32_t)now;
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
	time_t			 now = schedule_now(), last;

	TAILQ_FOREACH(r, &conf->relays, entry)
		if (schedule_dest(r->name) == NULL)
			fatal("event=schedule error=\"out of memory\"");
	lane_set_tenants(TAILQ_FIRST(&conf->tenants) != NULL);
	TAILQ_FOREACH(d, &schedule_dests, entry) {
		if ((r = conf_relay_find(conf, d->name)) != NULL) {
			configure(d, r);
			last = now + (time_t)retry_longest(d) +
			    (time_t)retry_longest(d) / 10;
			bound_waits(&d->messages, last, now);
			bound_waits(&d->held, last, now);
			continue;
		}
		d->known = false;
		if (d->nmessages > 0)
			log_warn("event=no-relay relay=%s reason=\"messages "
			    "wait for a relay that is not configured\"",
			    log_q(d->name));
	}
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

/* Out of the heap it is in, if any. */
static void
take_out(struct message *m)
{
	if (m->heap == HEAP_NONE)
		return;
	if (m->ready)
		lane_take(m);
	else
		heap_remove(m->later ? &m->dest->later : &m->dest->due, m);
}

void
schedule_update(struct message *m)
{
	uint32_t	next = 0;

	if (m->later || (m->flags & MESSAGE_STOPPED))
		return;
	if ((m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING)) ||
	    m->nleft == m->nbusy || !earliest(m, &next)) {
		take_out(m);
		return;
	}
	if (m->ready && next == m->next)
		return;
	take_out(m);
	m->next = next;
	if ((time_t)next <= time_last() && lane_put(m) == 0)
		return;
	heap_insert(&m->dest->due, m);
	if (m->heap == 0)
		dest_touch(m->dest);
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

/*
 * To those that wait for their time. There is room, but for what a clock that
 * was set back makes wait again.
 */
static void
keep_back(struct dest *d, struct message *m)
{
	if (heap_reserve(&d->later, d->later.n + 1) == -1)
		fatal("event=schedule error=\"out of memory\"");
	m->later = true;
	m->next = m->not_before;
	heap_insert(&d->later, m);
	if (m->heap == 0)
		dest_touch(d);
}

/* Of those that are held or future ones: one more, or one less. */
static void
count(const struct message *m, uint32_t n)
{
	if ((m->flags & MESSAGE_STOPPED) || schedule_is_held(m))
		nheld += n;
	else if (m->later)
		nfuture += n;
}

uint32_t
schedule_count_held(void)
{
	return nheld;
}

uint32_t
schedule_count_future(void)
{
	return nfuture;
}

/* Room in d's heaps for one more, wherever it goes: inserting cannot fail. */
static int
reserve(struct dest *d)
{
	uint32_t	held = 0;

	if (d->later.n > 0 || !TAILQ_EMPTY(&d->held))
		held = d->nmessages;
	return heap_reserve(&d->due, d->nmessages + 1) == -1 ||
	    heap_reserve(&d->later, held + 1) == -1 ? -1 : 0;
}

/* Into d as what it is. */
static void
join(struct dest *d, struct message *m, time_t now)
{
	m->dest = d;
	d->nmessages++;
	if (m->flags & MESSAGE_STOPPED)
		TAILQ_INSERT_TAIL(&d->held, m, by_dest);
	else if (now < 0 || m->not_before > (uint64_t)now)
		keep_back(d, m);
	else
		take_up(d, m);
	count(m, 1);
}

/* Out of its destination. */
static void
part(struct message *m)
{
	struct dest	*d = m->dest;

	count(m, (uint32_t)-1);
	take_out(m);
	d->nmessages--;
	if (m->flags & MESSAGE_STOPPED)
		TAILQ_REMOVE(&d->held, m, by_dest);
	else if (!m->later) {
		if (d->unwarned == m)
			d->unwarned = TAILQ_NEXT(m, by_dest);
		TAILQ_REMOVE(&d->messages, m, by_dest);
	}
	m->later = false;
}

int
schedule_add(struct message *m)
{
	struct dest	*d;

	/* Those in flight have room too: later inserting cannot fail. */
	if ((d = schedule_dest(message_relay(m))) == NULL ||
	    reserve(d) == -1)
		return -1;
	join(d, m, time_last());
	return 0;
}

void
schedule_remove(struct message *m)
{
	part(m);
}

/* Its time has come. */
static void
let_go(struct message *m)
{
	struct dest	*d = m->dest;

	part(m);
	m->dest = d;
	d->nmessages++;
	take_up(d, m);
}

bool
schedule_is_held(const struct message *m)
{
	return m->later && (m->env_flags & ENVELOPE_HELD);
}

bool
schedule_is_future(const struct message *m)
{
	return m->later && !(m->env_flags & ENVELOPE_HELD);
}

void
schedule_release(struct message *m, time_t now)
{
	if (!(m->env_flags & (ENVELOPE_HELD | ENVELOPE_FUTURE)) ||
	    (time_t)m->not_before <= now)
		return;
	m->not_before = (uint32_t)now;
	if (m->later)
		let_go(m);
}

void
schedule_select_held(void (*fn)(void *, struct message *), void *arg)
{
	struct dest	*d;
	uint32_t	 i;

	TAILQ_FOREACH(d, &schedule_dests, entry)
		for (i = 0; i < d->later.n; i++)
			if (schedule_is_held(d->later.m[i]))
				fn(arg, d->later.m[i]);
}

void
schedule_bring_forward(struct message *m, time_t until, time_t now)
{
	if (until <= now) {
		schedule_release(m, now);
		return;
	}
	if (!schedule_is_held(m))
		return;
	take_out(m);
	m->not_before = (uint32_t)until;
	keep_back(m->dest, m);
}

void
schedule_hold(struct message *m)
{
	struct dest	*d = m->dest;

	if (m->flags & MESSAGE_STOPPED)
		return;
	part(m);
	m->flags |= MESSAGE_STOPPED;
	join(d, m, 0);
}

void
schedule_go_on(struct message *m, time_t now)
{
	struct dest	*d = m->dest;

	if (!(m->flags & MESSAGE_STOPPED))
		return;
	part(m);
	m->flags &= (uint16_t)~(MESSAGE_STOPPED | MESSAGE_TRIED);
	m->since = (uint32_t)now;
	join(d, m, now);
}

int
schedule_move(struct message *m, const char *relay, time_t now)
{
	struct dest	*d;
	uint32_t	 i;

	if ((d = schedule_dest(relay)) == m->dest)
		return 0;
	if (d == NULL || reserve(d) == -1 ||
	    message_set_relay(m, SLICE_STR(relay)) == -1)
		return -1;
	part(m);
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			m->rcpts[i].next = (uint32_t)now;
	m->flags &= (uint16_t)~MESSAGE_TRIED;
	m->since = (uint32_t)now;
	join(d, m, now);
	return 0;
}

bool
schedule_is_off(const struct message *m)
{
	const struct dest	*d = m->dest;

	return (m->flags & MESSAGE_STOPPED) || d->fails > 0 || !d->known ||
	    d->paused || pause_has_tenant(message_tenant(m));
}

/* --- handing out --- */

/* What is to be paid for a job of this message. */
static uint64_t
cost(const struct message *m)
{
	uint64_t	rcpts = (uint64_t)(m->nleft - m->nbusy), n;

	n = m->size + COST_JOB +
	    COST_RCPT * (rcpts < COST_RCPTS ? rcpts : COST_RCPTS);
	return n < COST_MAX ? n : COST_MAX;
}

/* One job, of the message whose turn it is. */
static void
run_one(struct lane *l, time_t now)
{
	struct dest	*d = lane_dest(l);
	struct message	*m = lane_head(l);
	bool		 probe = d->fails > 0;
	uint64_t	 price = cost(m);
	int		 result;

	d->turn = l;
	result = send_job(d, m, now, probe);
	d->turn = NULL;
	if (result == 0) {
		if (!d->stalled)
			TAILQ_INSERT_TAIL(&stalled, d, by_stall);
		d->stalled = true;
		lane_end(l);
		return;
	}
	schedule_update(m);
	/* A long list goes out in several jobs. */
	if (m->heap == HEAP_NONE || m->next > now)
		m->flags |= MESSAGE_TRIED;
	if (result == 1) {
		d->probing = d->probing || probe;
		lane_charge(l, price);
	} else
		lane_end(l);
	dest_touch(d);
}

/* Look at it again when something of it comes due, or it is tried again. */
static void
set_wake(struct dest *d, time_t now)
{
	time_t	t = 0;

	if (d->due.n > 0)
		t = d->due.m[0]->next;
	if (d->later.n > 0 && (t == 0 || (time_t)d->later.m[0]->next < t))
		t = d->later.m[0]->next;
	if (d->fails > 0 && d->down_until > now &&
	    (t == 0 || d->down_until < t))
		t = d->down_until;
	if (t != 0 && t <= now)
		t = now + 1;		/* memory was out */
	if (t == d->wake)
		return;
	if (d->wake != 0)
		RB_REMOVE(dest_wakes, &wakes, d);
	if ((d->wake = t) != 0)
		RB_INSERT(dest_wakes, &wakes, d);
}

/* What has come due, and who gets a place for it. */
static void
look_at(struct dest *d, time_t now)
{
	struct message	*m;
	struct lane	*l;

	while (d->later.n > 0 && (time_t)d->later.m[0]->next <= now)
		let_go(d->later.m[0]);
	while (d->due.n > 0 && (time_t)(m = d->due.m[0])->next <= now) {
		heap_remove(&d->due, m);
		if (lane_put(m) == -1) {
			heap_insert(&d->due, m);
			break;
		}
	}
	if (d->maildir)
		while (dest_is_open(d) && (l = lane_next_of(d)) != NULL)
			run_one(l, now);
	else
		while (dest_is_open(d) && lane_grant(d))
			;
	set_wake(d, now);
}

static void
look_at_touched(time_t now)
{
	struct dest	*d;

	while ((d = TAILQ_FIRST(&touched)) != NULL) {
		look_at(d, now);
		/* what it did itself changes nothing for it */
		d->touched = false;
		TAILQ_REMOVE(&touched, d, by_touch);
	}
}

/* Those that wait for their time, and those that no relay process took. */
static void
touch_due(time_t now)
{
	struct dest	*d;

	while ((d = RB_MIN(dest_wakes, &wakes)) != NULL && d->wake <= now) {
		RB_REMOVE(dest_wakes, &wakes, d);
		d->wake = 0;
		dest_touch(d);
	}
	while ((d = TAILQ_FIRST(&stalled)) != NULL) {
		TAILQ_REMOVE(&stalled, d, by_stall);
		d->stalled = false;
		dest_touch(d);
	}
}

void
schedule_run(time_t now)
{
	struct lane	*l;

	if (stopped)
		return;
	/* what is in a lane was due by the clock when last looked at */
	if (now < time_last())
		now = time_last();
	current = now;
	pause_resume(now);
	touch_due(now);
	look_at_touched(now);
	while ((l = lane_next()) != NULL) {
		run_one(l, now);
		look_at_touched(now);
	}
}

/* --- what became of it --- */

void
schedule_job_lost(struct dest *d, struct lane *l, uint32_t round)
{
	if (round == d->round)
		d->probing = false;
	lane_end(l);
}

void
schedule_blame(struct dest *d, const char *reason)
{
	strlcpy(d->failure, reason, sizeof(d->failure));
}

const char *
schedule_failure(const struct dest *d)
{
	static char	both[DEST_FAILURE_MAX + 64];

	if (!d->known)
		return "no relay of this name is configured";
	if (d->fails == 0)
		return d->paused ? "the relay is paused" : "";
	if (!d->paused)
		return d->failure;
	snprintf(both, sizeof(both), "the relay is paused, and it was down: "
	    "%s", d->failure);
	return both;
}

/* A job that began before it was seen down tells nothing of now. */
static void
is_up(struct dest *d, uint32_t round)
{
	if (round != d->round && d->fails > 0)
		return;
	if (d->fails > 0)
		log_notice("event=relay-up relay=%s", log_q(d->name));
	forgive(d);
	d->seen_down = false;
}

static void
is_down(struct dest *d, uint32_t round, time_t now)
{
	d->seen_down = true;
	/* Jobs that began together tell of one and the same failure. */
	if (round != d->round)
		return;
	d->round++;
	d->fails++;
	d->probing = false;
	d->down_until = now + (time_t)schedule_backoff(d, d->fails);
	log_warn("event=relay-down relay=%s attempts=%u next=%lld",
	    log_q(d->name), d->fails, (long long)d->down_until);
}

time_t
schedule_job_done(struct dest *d, struct lane *l, uint32_t round,
    bool connected, time_t now)
{
	if (connected)
		is_up(d, round);
	else
		is_down(d, round, now);
	lane_end(l);
	return connected || d->down_until < now ? now : d->down_until;
}

static void
flush_message(struct message *m, time_t now)
{
	if (m->later || (m->flags & MESSAGE_STOPPED))
		return;
	try_at_once(m, now);
	forgive(m->dest);
}

void
schedule_flush(struct message *m, time_t now)
{
	struct dest	*d;

	if (m != NULL) {
		flush_message(m, now);
		return;
	}
	TAILQ_FOREACH(d, &schedule_dests, entry) {
		forgive(d);
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

	TAILQ_FOREACH(d, &schedule_dests, entry) {
		select_due(d, 0, when, fn, arg);
		lane_each(d, when, fn, arg);
	}
}
