/* links: msad/queue/schedule*.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c */
/*
 * Courses of random events: mail comes, jobs end in all ways, relays fail, go
 * away with the configuration and come back, operators hold, reroute, drop and
 * pause, the clock is set. After each event every message is in one place,
 * and what is in flight is counted right; when all obstacles are gone all is
 * delivered. SCHEDULE_SEEDS: how many courses, 60 unless given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/schedule.h"

#define EVENTS		1500
#define MESSAGES	200
#define RELAYS		4		/* the last one is a Maildir */
#define RCPTS		5
#define JOB_RCPTS	2
#define JOBS_MAX	1000
#define BEGIN		1700000000

struct job {
	struct dest	*d;
	struct lane	*lane;
	struct message	*m;
	uint32_t	 round;
	uint32_t	 rcpts[JOB_RCPTS], n;
	bool		 own;		/* at a Maildir's relay process */
};

static struct job	 jobs[JOBS_MAX];
static unsigned int	 njobs, nnetwork;	/* of these: not own */
static unsigned int	 nsent;
static uint64_t		 last_id;
static uint32_t		 course, seed;
static unsigned int	 places;
static bool		 refuse, tenants;
static time_t		 wall, passed;
static struct conf	 conf;
static struct conf_relay relay[RELAYS];
static struct conf_tenant one_tenant;
static char		 names[RELAYS][4] = { "r0", "r1", "r2", "box" };

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed >> 1) * n) >> 31);
}

/* --- the clocks, and chance, for what is tested --- */

time_t
time(time_t *t)
{
	if (t != NULL)
		*t = wall;
	return wall;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = passed;
	ts->tv_nsec = 0;
	return 0;
}

uint32_t
arc4random_uniform(uint32_t n)
{
	return n < 2 ? 0 : rnd(n);
}

/* --- jobs --- */

/* What is so wrong that the course is told. */
#define must(what, m)	do {						\
	if (!(what))							\
		fail_msg("course %u: message %llu: %s", course,		\
		    (unsigned long long)((m) == NULL ? 0 : (m)->id), #what); \
} while (0)

static void
check_sent(const struct dest *d, const struct message *m, time_t now,
    bool probe)
{
	must(m->dest == d, m);
	must(!(m->flags & (MESSAGE_STOPPED | MESSAGE_REMOVED)), m);
	must(!m->later, m);
	must(m->not_before <= now, m);
	must(d->known && !d->paused && !d->stalled, m);
	must(probe == (d->fails > 0), m);
	must(!probe || (now >= d->down_until && !d->probing), m);
	must(d->inflight <= d->concurrency, m);
	must(places == 0 || d->maildir || nnetwork < places, m);
	must(m->next <= now, m);
}

static int
send_job(struct dest *d, struct message *m, time_t now, bool probe)
{
	struct job	*j = &jobs[njobs];
	uint32_t	 i;

	check_sent(d, m, now, probe);
	if (schedule_rcpts_paused(m, now, probe)) {
		schedule_put_off(m, now);
		return -1;
	}
	if (refuse || njobs == JOBS_MAX)
		return 0;
	if (rnd(40) == 0) {		/* it cannot be read now */
		for (i = 0; i < m->nrcpts; i++)
			if (m->rcpts[i].status == RCPT_WAITING)
				m->rcpts[i].next = (uint32_t)now + 300;
		return -1;
	}
	*j = (struct job){ .d = d, .lane = d->turn, .m = m,
		.round = d->round, .own = d->maildir };
	for (i = 0; i < m->nrcpts && j->n < JOB_RCPTS; i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (!probe && (time_t)m->rcpts[i].next > now) ||
		    schedule_rcpt_paused(message_rcpt(m, i)))
			continue;
		message_set_status(m, i, RCPT_INFLIGHT);
		j->rcpts[j->n++] = i;
	}
	must(j->n > 0, m);
	m->njobs++;
	njobs++;
	nnetwork += !j->own;
	nsent++;
	return 1;
}

static void
expire(struct message *m, time_t now)
{
	uint32_t	i;

	must(schedule_is_expired(m, now), m);
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING)
			message_set_status(m, i, RCPT_FAILED);
	m->flags |= MESSAGE_ENDING;	/* it goes with a later event */
	schedule_update(m);
}

/* Nothing of it is left, or it was dropped: it goes, unless it is in flight. */
static void
settle(struct message *m)
{
	if (m->nleft > 0 && !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING))) {
		schedule_update(m);
		return;
	}
	m->flags |= MESSAGE_ENDING;
	if (m->njobs > 0) {
		schedule_update(m);
		return;
	}
	schedule_remove(m);
	index_remove(m);
	message_free(m);
}

enum how { LOST, UNREACHABLE, DELIVERED, MIXED, DEFERRED, HOWS };

static void
end_job(unsigned int which, enum how how)
{
	struct job	 j = jobs[which];
	time_t		 retry = wall;
	uint32_t	 i;
	struct rcpt	*r;

	jobs[which] = jobs[--njobs];
	nnetwork -= !j.own;
	if (how == LOST)
		schedule_job_lost(j.d, j.lane, j.round);
	else
		retry = schedule_job_done(j.d, j.lane, j.round,
		    how != UNREACHABLE, wall);
	if (j.m->dest != j.d)
		retry = wall;
	for (i = 0; i < j.n; i++) {
		r = &j.m->rcpts[j.rcpts[i]];
		must(r->status == RCPT_INFLIGHT, j.m);
		if (how == DELIVERED || (how == MIXED && i == 0)) {
			message_set_status(j.m, j.rcpts[i], RCPT_DONE);
			continue;
		}
		if (how == MIXED || how == DEFERRED)
			retry = wall + (time_t)schedule_backoff(j.m->dest,
			    r->tries);
		r->tries++;
		r->next = (uint32_t)retry;
		message_set_status(j.m, j.rcpts[i], RCPT_WAITING);
	}
	j.m->njobs--;
	settle(j.m);
}

/* --- events --- */

static void
mail_comes(void)
{
	struct envelope	 e = { .arrival = (uint64_t)wall,
		.auth = SLICE_STR(""), .mech = SLICE_STR(""),
		.sender = SLICE_STR(""), .msgid = SLICE_STR("") };
	struct slice	 rcpts[RCPTS];
	struct message	*m;
	const char	*to_relay;
	char		 tenant[8] = "", user[16], to[RCPTS][24];
	uint32_t	 i, n = rnd(4) == 0 ? 1 + rnd(RCPTS) : 1;
	size_t		 len;
	uint8_t		*p;

	if (index_messages() >= MESSAGES)
		return;
	if (tenants || rnd(10) == 0)
		snprintf(tenant, sizeof(tenant), "t%u", rnd(3));
	snprintf(user, sizeof(user), "%su%u", tenant, rnd(4));
	for (i = 0; i < n; i++) {
		snprintf(to[i], sizeof(to[i]), "a@D%u.example", rnd(5));
		rcpts[i] = SLICE_STR(to[i]);
	}
	e.user = SLICE_STR(user);
	e.tenant = SLICE_STR(tenant);
	to_relay = names[rnd(RELAYS)];
	e.relay = SLICE_STR(to_relay);
	e.flags = (uint8_t)(rnd(12) == 0 ? ENVELOPE_STOPPED : 0);
	if (rnd(8) == 0) {
		e.flags |= rnd(2) == 0 ? ENVELOPE_HELD : ENVELOPE_FUTURE;
		e.not_before = (uint64_t)wall + rnd(4000);
	}
	assert_non_null(p = envelope_encode(&e, rcpts, NULL, n, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(++last_id, rnd(100000), &e));
	free(p);
	m->priority = (int8_t)((int)rnd(19) - 9);
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
}

static void
jobs_end(void)
{
	struct dest	*d;
	unsigned int	 i, n;

	if (njobs == 0)
		return;
	if (rnd(30) > 0) {
		end_job(rnd(njobs), (enum how)(rnd(6) > 0 ?
		    UNREACHABLE + 1 + rnd(HOWS - 2) : rnd(2)));
		return;
	}
	/* a relay process dies with all it had, or a relay with all of its */
	d = jobs[rnd(njobs)].d;
	n = rnd(2);
	for (i = njobs; i-- > 0;)
		if (n == 0 || jobs[i].d == d)
			end_job(i, n == 0 ? LOST : UNREACHABLE);
}

static void
operator_acts(void)
{
	struct message	*m = index_after(rnd((uint32_t)last_id + 1));

	if (m == NULL || (m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING)))
		return;
	switch (rnd(9)) {
	case 0:
	case 1:
		schedule_hold(m);
		break;
	case 2:
	case 3:
		schedule_go_on(m, wall);
		break;
	case 4:
	case 5:
		assert_int_equal(schedule_move(m, names[rnd(RELAYS)], wall),
		    0);
		break;
	case 6:
		m->flags |= MESSAGE_REMOVED;
		settle(m);
		break;
	case 7:
		if (rnd(2) == 0)
			schedule_release(m, wall);
		else
			schedule_bring_forward(m, wall + (time_t)rnd(100),
			    wall);
		break;
	default:
		schedule_flush(rnd(5) == 0 ? NULL : m, wall);
	}
}

static void
pause_something(void)
{
	char	name[16];

	switch (rnd(3)) {
	case 0:
		schedule_pause_relay(names[rnd(RELAYS)], rnd(3) == 0);
		break;
	case 1:
		snprintf(name, sizeof(name), "t%u", rnd(3));
		schedule_pause_tenant(name, rnd(3) == 0);
		break;
	default:
		snprintf(name, sizeof(name), "d%u.example", rnd(5));
		schedule_pause_domain(name, rnd(3) == 0);
	}
}

/* One that names all relays, or some of them, with tenants or without. */
static void
reload(bool all)
{
	unsigned int	i;

	TAILQ_INIT(&conf.relays);
	TAILQ_INIT(&conf.tenants);
	memset(relay, 0, sizeof(relay));
	for (i = 0; i < RELAYS; i++) {
		if (!all && rnd(5) == 0)
			continue;
		relay[i].name = names[i];
		relay[i].concurrency = 1 + rnd(rnd(2) == 0 ? 3 : 30);
		relay[i].per_tenant = rnd(3) == 0 ? 1 + rnd(3) : 0;
		relay[i].per_user = rnd(3) == 0 ? 1 + rnd(2) : 0;
		relay[i].retry[0] = 60 + rnd(1000);
		relay[i].nretry = 1;
		relay[i].expire = 40000;
		if (i == RELAYS - 1 ? rnd(6) > 0 : rnd(12) == 0)
			relay[i].kind = CONF_RELAY_MAILDIR;
		else
			relay[i].kind = CONF_RELAY_HOST;
		TAILQ_INSERT_TAIL(&conf.relays, &relay[i], entry);
	}
	if (tenants)
		TAILQ_INSERT_TAIL(&conf.tenants, &one_tenant, entry);
	schedule_conf(&conf);
}

static void
time_goes_on(void)
{
	uint32_t	n = rnd(20) == 0 ? rnd(2000) : 1 + rnd(50), step;

	wall += (time_t)n;
	passed += (time_t)n;
	if (rnd(20) == 0) {
		step = rnd(100000);
		wall += rnd(2) == 0 ? (time_t)step : -(time_t)step;
	}
	schedule_now();
}

static void
something(void)
{
	uint32_t	what = rnd(1000);

	if (what < 400)
		mail_comes();
	else if (what < 730)
		jobs_end();
	else if (what < 840)
		operator_acts();
	else if (what < 880)
		pause_something();
	else if (what < 980)
		time_goes_on();
	else if (what < 990)
		refuse = rnd(3) == 0;
	else if (what < 995) {
		places = rnd(3) == 0 ? 0 : 1 + rnd(20);
		/* those there are go on; the fewer take no more */
		schedule_set_places(places);
	} else {
		tenants = rnd(4) == 0 ? !tenants : tenants;
		reload(false);
	}
}

/* --- what must be true --- */

static uint64_t	seen[MESSAGES * 2];
static size_t	nseen;

static void
see(void *arg, struct message *m)
{
	(void)arg;
	must(nseen < sizeof(seen) / sizeof(seen[0]), m);
	seen[nseen++] = m->id;
	must(m->heap != HEAP_NONE, m);
}

static bool
is_in(const struct message_list *list, const struct message *m)
{
	const struct message	*p;

	TAILQ_FOREACH(p, list, by_dest)
		if (p == m)
			return true;
	return false;
}

/* So often it is in a heap or a lane that something goes out of. */
static unsigned int
times_due(const struct message *m)
{
	unsigned int	n = 0;
	size_t		i;

	for (i = 0; i < nseen; i++)
		n += seen[i] == m->id;
	return n;
}

static void
check_place(const struct message *m)
{
	const struct dest	*d = m->dest;
	bool			 waits = m->nleft > m->nbusy && !m->later &&
	    !(m->flags & (MESSAGE_STOPPED | MESSAGE_REMOVED |
	    MESSAGE_ENDING));

	must(strcmp(d->name, message_relay(m)) == 0, m);
	must(is_in(&d->held, m) == !!(m->flags & MESSAGE_STOPPED), m);
	must(is_in(&d->messages, m) ==
	    (!(m->flags & MESSAGE_STOPPED) && !m->later), m);
	must(!m->later || (m->heap < d->later.n &&
	    d->later.m[m->heap] == m), m);
	must(times_due(m) == waits, m);
	must(waits || m->later || m->heap == HEAP_NONE, m);
	must(m->ready || !waits || d->due.m[m->heap] == m, m);
}

static void
check_dest(const struct dest *d)
{
	const struct message	*m;
	uint32_t		 n = d->later.n, i;
	unsigned int		 inflight = 0;

	TAILQ_FOREACH(m, &d->messages, by_dest)
		n++;
	TAILQ_FOREACH(m, &d->held, by_dest)
		n++;
	must(n == d->nmessages, TAILQ_FIRST(&d->messages));
	for (i = 0; i < njobs; i++)
		inflight += jobs[i].d == d;
	must(inflight == d->inflight, TAILQ_FIRST(&d->messages));
	must(d->later.n <= d->later.cap && d->due.n <= d->due.cap,
	    TAILQ_FIRST(&d->messages));
}

static void
check(void)
{
	const struct message	*m;
	const struct dest	*d;
	uint32_t		 held = 0, future = 0;

	nseen = 0;
	schedule_select_due((time_t)UINT32_MAX, see, NULL);
	for (m = index_after(0); m != NULL; m = index_after(m->id)) {
		check_place(m);
		held += (m->flags & MESSAGE_STOPPED) || schedule_is_held(m);
		future += !(m->flags & MESSAGE_STOPPED) &&
		    schedule_is_future(m);
	}
	assert_int_equal(held, schedule_count_held());
	assert_int_equal(future, schedule_count_future());
	for (d = schedule_dest_next(NULL); d != NULL;
	    d = schedule_dest_next(d))
		check_dest(d);
}

/* Where nothing is under way, nothing that could go waits. */
static void
nothing_is_left(void)
{
	const struct message	*m;

	if (refuse || places != 0)
		return;
	for (m = index_after(0); m != NULL; m = index_after(m->id))
		must(!m->ready || m->dest->inflight > 0 ||
		    schedule_is_off(m), m);
}

static void
all_goes_in_the_end(void)
{
	struct message	*m;
	struct dest	*d;
	uint64_t	 id;
	char		 name[16];
	unsigned int	 i, rounds = 0;

	refuse = false;
	reload(true);
	for (i = 0; i < RELAYS; i++)
		schedule_pause_relay(names[i], false);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		schedule_pause_tenant(name, false);
		snprintf(name, sizeof(name), "d%u.example", i);
		schedule_pause_domain(name, false);
	}
	for (id = 0; (m = index_after(id)) != NULL;) {
		id = m->id;
		schedule_go_on(m, wall);
		schedule_release(m, wall);
		if ((m->flags & MESSAGE_ENDING) && m->njobs == 0)
			settle(m);
	}
	while (index_messages() > 0) {
		if (rounds++ > 5000)
			must(false, index_after(0));
		schedule_run(wall);
		check();
		while (njobs > 0)
			end_job(njobs - 1, DELIVERED);
		wall += 10;
		passed += 10;
		schedule_now();
	}
	for (d = schedule_dest_next(NULL); d != NULL;
	    d = schedule_dest_next(d)) {
		assert_int_equal(d->nmessages, 0);
		assert_int_equal(d->inflight + d->nawake, 0);
		assert_true(RB_EMPTY(&d->lanes) && RB_EMPTY(&d->shares));
	}
}

static void
whatever_happens(void **state)
{
	const char	*n = getenv("SCHEDULE_SEEDS");
	uint32_t	 courses = n == NULL ? 60 : (uint32_t)strtonum(n, 1,
	    10000000, NULL);
	unsigned int	 i;

	(void)state;
	for (course = 0; course < courses; course++) {
		seed = course * 7919 + 1;
		tenants = rnd(2) == 0;
		places = rnd(2) == 0 ? 0 : 1 + rnd(40);
		schedule_set_places(places);
		reload(true);
		for (i = 0; i < EVENTS; i++) {
			something();
			if (rnd(10) == 0)
				schedule_expire_old(wall);
			schedule_run(wall);
			check();
			nothing_is_left();
		}
		all_goes_in_the_end();
	}
	print_message("          %u jobs\n", nsent);
	assert_true(nsent > courses * 100);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(whatever_happens),
	};

	wall = BEGIN;
	passed = 1000;
	schedule_init(send_job, expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
