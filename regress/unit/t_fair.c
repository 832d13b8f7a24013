/* links: msad/queue/schedule*.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c */
/*
 * Who is next: rounds of equal size, priorities, who may take how much of what
 * is scarce, and that nothing of it gets slower the more wait. FAIR_SEEDS: how
 * many courses of random events, 200 unless given.
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

/* --- rounds --- */

#define TURNS	8

static struct fair	fair;
static struct fair_turn	turn[TURNS];

static void
begin(unsigned int n)
{
	unsigned int	i;

	fair_init(&fair);
	memset(turn, 0, sizeof(turn));
	for (i = 0; i < n; i++)
		fair_enter(&fair, &turn[i], false);
}

/* The next one pays so much; its number. */
static unsigned int
next(const uint64_t *costs)
{
	struct fair_turn	*t = fair_first(&fair, 1);
	unsigned int		 i;

	assert_non_null(t);
	i = (unsigned int)(t - turn);
	fair_charge(t, costs[i]);
	return i;
}

static void
octets_are_shared_equally(void **state)
{
	/* a large message costs a thousand times a small one */
	static const uint64_t	costs[] = { 5000, 5000000, 70000, 65536 };
	uint64_t		got[4] = { 0 }, max = 0, min = UINT64_MAX;
	unsigned int		i, k;

	(void)state;
	begin(4);
	for (i = 0; i < 200000; i++) {
		k = next(costs);
		got[k] += costs[k];
	}
	for (k = 0; k < 4; k++) {
		max = got[k] > max ? got[k] : max;
		min = got[k] < min ? got[k] : min;
	}
	assert_true(max - min <= 5000000 + 2 * FAIR_QUANTUM);
}

/* Rounds in which nobody has a turn cost nothing. */
static void
empty_rounds_are_passed_over(void **state)
{
	static const uint64_t	costs[] = { INT32_MAX, INT32_MAX };
	unsigned int		i;

	(void)state;
	begin(2);
	for (i = 0; i < 1000; i++)
		assert_int_equal(next(costs), i % 2);
	assert_true(fair.round[0] > 1000000);
}

/* One who comes waits for the rest of one round. */
static void
newcomer_waits_one_round(void **state)
{
	static const uint64_t	costs[] = { 10000, 10000, 10000, 10000,
		10000 };
	unsigned int		i, n = 0;

	(void)state;
	begin(4);
	for (i = 0; i < 1234; i++)
		next(costs);
	fair_enter(&fair, &turn[4], false);
	while (next(costs) != 4)
		n++;
	/* a turn is of seven of these */
	assert_in_range(n, 0, 4 * 7);
	/* Who leaves and comes again gains nothing by it. */
	for (i = 0; i < 6; i++) {
		fair_leave(&turn[4]);
		fair_enter(&fair, &turn[4], false);
		assert_int_equal(next(costs), 4);
	}
	fair_leave(&turn[4]);
	fair_enter(&fair, &turn[4], false);
	assert_int_not_equal(next(costs), 4);
}

static void
debts_are_not_forgotten(void **state)
{
	static const uint64_t	costs[] = { 1000000, 60000 };
	unsigned int		n = 0;

	(void)state;
	begin(2);
	assert_int_equal(next(costs), 0);
	fair_leave(&turn[0]);
	fair_enter(&fair, &turn[0], true);	/* nor in the other line */
	fair_leave(&turn[0]);
	fair_enter(&fair, &turn[0], false);
	while (next(costs) != 0)
		n++;
	assert_in_range(n, 15, 18);
}

static void
urgent_ones_leave_a_fifth(void **state)
{
	static const uint64_t	costs[] = { 4096, 4096, 4096 };
	unsigned int		i, k, n[3] = { 0 }, streak = 0;

	(void)state;
	begin(2);
	fair_enter(&fair, &turn[1], true);
	fair_enter(&fair, &turn[2], true);
	for (i = 0; i < 1000; i++) {
		n[k = next(costs)]++;
		streak = k == 0 ? 0 : streak + 1;
		assert_true(streak <= FAIR_URGENT);
	}
	assert_in_range(n[0], 200, 201);
	assert_in_range(n[1], 380, 420);
	/* Alone they have all. */
	fair_leave(&turn[0]);
	for (i = 0; i < 100; i++)
		assert_int_not_equal(next(costs), 0);
	/* And the other does not pay for what he could not have. */
	fair_enter(&fair, &turn[0], false);
	for (i = 0; i < 5 && next(costs) != 0; i++)
		;
	assert_true(i < 5);
}

static void
set_aside_until_there_is_room(void **state)
{
	(void)state;
	begin(3);
	fair_set_need(&turn[0], 5);
	fair_set_need(&turn[1], 3);
	assert_ptr_equal(fair_first(&fair, 2), &turn[2]);
	assert_true(turn[0].aside && turn[1].aside);
	assert_null(fair_first(&fair, 0));
	fair_leave(&turn[2]);
	assert_null(fair_first(&fair, 2));
	assert_false(fair_is_empty(&fair));
	assert_false(fair_wake(&fair, 2));
	assert_true(fair_wake(&fair, 4));
	assert_ptr_equal(fair_first(&fair, 4), &turn[1]);
	assert_false(fair_wake(&fair, 4));
	/* One that needs less now stands in line again, in its old place. */
	fair_set_need(&turn[0], 1);
	assert_ptr_equal(fair_first(&fair, 4), &turn[0]);
	fair_leave(&turn[0]);
	fair_leave(&turn[0]);
	fair_leave(&turn[1]);
	assert_true(fair_is_empty(&fair));
}

/* How many places one gets that nobody else wants. */
static uint32_t
alone(uint32_t places, uint32_t share)
{
	uint32_t	n = 0;

	while (fair_need(n, share) <= places - n)
		n++;
	return n;
}

static void
a_quarter_is_left(void **state)
{
	uint32_t	places;

	(void)state;
	assert_int_equal(alone(1, 3), 1);
	assert_int_equal(alone(2, 3), 1);
	assert_int_equal(alone(3, 3), 2);
	assert_int_equal(alone(4, 3), 3);
	assert_int_equal(alone(20, 3), 15);
	assert_int_equal(alone(20, 7), 17);
	for (places = 2; places < 1000; places++) {
		assert_true(alone(places, 3) < places);
		assert_true(alone(places, 3) * 4 <= places * 3);
		assert_true((alone(places, 3) + 2) * 4 > places * 3 - 3);
	}
}

/* --- the schedule --- */

#define JOBS_MAX	200000

struct job {
	struct dest	*d;
	struct lane	*lane;
	struct message	*m;
	uint32_t	 round;
};

static struct job	*jobs;		/* under way */
static unsigned int	 njobs, nsent;
static uint64_t		*sent;		/* ids in order */
static time_t		 start;
static uint64_t		 last_id;
static uint32_t		 octets = 1000;
static struct conf	 conf;
static struct conf_relay relay[3];
static struct conf_tenant one_tenant;

static int
send_stub(struct dest *d, struct message *m, time_t now, bool probe)
{
	(void)now;
	(void)probe;
	if (njobs == JOBS_MAX)
		return 0;
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	message_set_status(m, 0, RCPT_INFLIGHT);
	jobs[njobs].d = d;
	jobs[njobs].lane = d->turn;
	jobs[njobs].round = d->round;
	jobs[njobs++].m = m;
	sent[nsent++ % JOBS_MAX] = m->id;
	return 1;
}

static void
expire_stub(struct message *m, time_t now)
{
	(void)m;
	(void)now;
}

static struct message *
message(const char *tenant, const char *user, const char *to, int priority,
    time_t when)
{
	struct envelope	 e = { .arrival = (uint64_t)when,
		.user = SLICE_STR(user), .tenant = SLICE_STR(tenant),
		.relay = SLICE_STR(to), .auth = SLICE_STR(""),
		.mech = SLICE_STR(""), .sender = SLICE_STR(""),
		.msgid = SLICE_STR("") };
	struct slice	 rcpt = SLICE_STR("a@b.example");
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	assert_non_null(p = envelope_encode(&e, &rcpt, NULL, 1, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(++last_id, octets, &e));
	free(p);
	m->priority = (int8_t)priority;
	m->rcpts[0].next = (uint32_t)when;
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	return m;
}

static void
drop(struct message *m)
{
	schedule_remove(m);
	index_remove(m);
	message_free(m);
}

/* That job ends; its message is done, or waits again from then on. */
static void
end(unsigned int i, time_t again)
{
	struct job	j = jobs[i];

	jobs[i] = jobs[--njobs];
	schedule_job_done(j.d, j.lane, j.round, true, start);
	if (again == 0) {
		drop(j.m);
		return;
	}
	message_set_status(j.m, 0, RCPT_WAITING);
	j.m->rcpts[0].next = (uint32_t)again;
	schedule_update(j.m);
}

/* The first that is under way. */
static void
end_first(void)
{
	struct job	j = jobs[0];

	memmove(jobs, jobs + 1, --njobs * sizeof(jobs[0]));
	schedule_job_done(j.d, j.lane, j.round, true, start);
	drop(j.m);
}

/* Relays r0, r1, r2 with so many places each; tenants or none. */
static int
configure(unsigned int concurrency, bool tenants)
{
	static char	 names[3][3] = { "r0", "r1", "r2" };
	unsigned int	 i;

	memset(&conf, 0, sizeof(conf));
	memset(relay, 0, sizeof(relay));
	TAILQ_INIT(&conf.relays);
	TAILQ_INIT(&conf.tenants);
	for (i = 0; i < 3; i++) {
		relay[i].name = names[i];
		relay[i].concurrency = concurrency;
		TAILQ_INSERT_TAIL(&conf.relays, &relay[i], entry);
	}
	if (tenants)
		TAILQ_INSERT_TAIL(&conf.tenants, &one_tenant, entry);
	schedule_conf(&conf);
	schedule_set_places(0);
	start = schedule_now();
	nsent = 0;
	octets = 1000;
	return 0;
}

/* As it was before: also after a test that failed. */
static int
clean_up(void **state)
{
	struct message	*m;

	(void)state;
	while (njobs > 0)
		end(0, 0);
	while ((m = index_after(0)) != NULL)
		drop(m);
	return 0;
}

static void
clean(void)
{
	struct dest	*d = NULL;

	clean_up(NULL);
	while ((d = schedule_dest_next(d)) != NULL) {
		assert_int_equal(d->inflight, 0);
		assert_int_equal(d->nawake, 0);
		assert_int_equal(d->nmessages, 0);
		assert_null(RB_ROOT(&d->lanes));
		assert_null(RB_ROOT(&d->shares));
		assert_true(fair_is_empty(&d->wants));
	}
}

/* How many of the messages sent before this one is. */
static unsigned int
sent_before(uint64_t id)
{
	unsigned int	i;

	for (i = 0; i < nsent && sent[i] != id; i++)
		;
	assert_true(i < nsent);
	return i;
}

static unsigned int
of_tenant(const char *tenant, const struct dest *d)
{
	unsigned int	i, n = 0;

	for (i = 0; i < njobs; i++)
		n += jobs[i].d == d &&
		    strcmp(message_tenant(jobs[i].m), tenant) == 0;
	return n;
}

static unsigned int
of_user(const char *user, const struct dest *d)
{
	unsigned int	i, n = 0;

	for (i = 0; i < njobs; i++)
		n += (d == NULL || jobs[i].d == d) &&
		    strcmp(message_user(jobs[i].m), user) == 0;
	return n;
}

/* Each tenant gets his messages out in turn, whoever has how many. */
static void
backlog_delays_by_one_round(void **state)
{
	struct message	*m;
	unsigned int	 i, before;

	(void)state;
	configure(20, true);
	for (i = 0; i < 10000; i++)
		message("a", "u", "r0", 0, start - 1000);
	schedule_run(start);
	/* what is under way comes and goes for a while */
	for (i = 0; i < 300; i++) {
		end_first();
		schedule_run(start);
	}
	/* The places left to others are taken by some, too. */
	for (i = 0; i < 5; i++)
		message("c", "u", "r0", 0, start);
	schedule_run(start);
	m = message("b", "u", "r0", 0, start);
	before = nsent;
	while (m->rcpts[0].status == RCPT_WAITING) {
		end_first();
		schedule_run(start);
		assert_true(nsent - before < 100);
	}
	/* 64 KiB of messages that cost 6,120 each are 11 */
	assert_in_range(sent_before(m->id) - before, 0, 11 + 5);
	clean();
}

static void
hanging_mail_leaves_places(void **state)
{
	struct dest	*d;
	struct message	*m;
	unsigned int	 i;

	(void)state;
	configure(20, true);
	d = schedule_dest("r0");
	for (i = 0; i < 1000; i++)
		message("a", "u", "r0", 0, start);
	schedule_run(start);
	/* nothing ends; another user, another tenant, and another */
	assert_int_equal(njobs, 15);
	m = message("a", "v", "r0", 0, start);
	schedule_run(start);
	assert_int_equal(m->rcpts[0].status, RCPT_INFLIGHT);
	for (i = 0; i < 10; i++)
		message("b", "u", "r0", 0, start);
	schedule_run(start);
	assert_in_range(of_tenant("b", d), 1, 3);
	m = message("c", "u", "r0", 0, start);
	schedule_run(start);
	assert_int_equal(m->rcpts[0].status, RCPT_INFLIGHT);
	assert_true(d->inflight <= 20);
	clean();
}

/* The same of the places at the relay processes, over three destinations. */
static void
hanging_mail_leaves_relays(void **state)
{
	struct message	*m;
	unsigned int	 i;

	(void)state;
	configure(20, false);
	schedule_set_places(40);
	for (i = 0; i < 300; i++)
		message("", "u", i % 3 == 0 ? "r0" : i % 3 == 1 ? "r1" : "r2",
		    0, start);
	schedule_run(start);
	assert_int_equal(njobs, 30);	/* of 45 that three times 15 would be */
	assert_int_equal(of_user("u", NULL), 30);
	for (i = 0; i < 3; i++)
		assert_in_range(of_user("u", schedule_dest(relay[i].name)),
		    8, 11);
	m = message("", "v", "r0", 0, start);
	schedule_run(start);
	assert_int_equal(m->rcpts[0].status, RCPT_INFLIGHT);
	for (i = 0; i < 15; i++)
		end(0, 0);
	schedule_run(start);
	assert_in_range(njobs, 28, 31);
	schedule_set_places(0);
	clean();
}

static void
configured_bounds(void **state)
{
	struct dest	*d;
	unsigned int	 i;
	char		 user[16];

	(void)state;
	configure(20, true);
	relay[0].per_tenant = 6;
	relay[0].per_user = 2;
	schedule_conf(&conf);
	d = schedule_dest("r0");
	for (i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "u%u", i % 5);
		message("a", i < 50 ? "u0" : user, "r0", 0, start);
	}
	schedule_run(start);
	assert_int_equal(njobs, 6);
	assert_int_equal(of_user("u0", d), 2);
	message("b", "x", "r0", 0, start);
	message("b", "x", "r0", 0, start);
	message("b", "x", "r0", 0, start);
	schedule_run(start);
	assert_int_equal(njobs, 8);
	/* They last: with each that ends one goes out. */
	for (i = 0; i < 30; i++) {
		end_first();
		schedule_run(start);
		assert_true(of_tenant("a", d) <= 6 && of_user("u0", d) <= 2);
	}
	assert_int_equal(of_tenant("a", d), 6);
	clean();
}

/* R6710-4.2-a */
static void
priorities_within_a_tenant(void **state)
{
	unsigned int	i;

	(void)state;
	configure(1, false);
	/* In one user's mail a step is worth ten minutes. */
	message("", "u", "r0", 0, start - 500);
	message("", "u", "r0", 1, start);
	message("", "u", "r0", -9, start - 5800);
	message("", "u", "r0", 0, start - 700);
	schedule_run(start);
	while (njobs > 0) {
		end_first();
		schedule_run(start);
	}
	assert_int_equal(nsent, 4);
	assert_int_equal(sent[0], last_id);	/* 700, 600, 500, 400 */
	assert_int_equal(sent[1], last_id - 2);
	assert_int_equal(sent[2], last_id - 3);
	assert_int_equal(sent[3], last_id - 1);
	/* Of several users those with something urgent: four in five. */
	nsent = 0;
	for (i = 0; i < 100; i++) {
		message("", "plain", "r0", 0, start - 100);
		message("", "urgent", "r0", 3, start);
	}
	schedule_run(start);
	for (i = 0; i < 50; i++) {
		end_first();
		schedule_run(start);
	}
	assert_in_range(of_user("plain", NULL) + of_user("urgent", NULL),
	    1, 1);
	for (i = 0; i < 5; i++)
		end_first(), schedule_run(start);
	assert_in_range(index_select_count(INDEX_USER, SLICE_STR("plain")),
	    100 - 12, 100 - 10);
	clean();
}

/* No tenant gains over another by what he marks urgent. */
static void
priorities_are_not_for_tenants(void **state)
{
	unsigned int	i;

	(void)state;
	configure(1, true);
	for (i = 0; i < 200; i++) {
		message("a", "u", "r0", 9, start);
		message("b", "u", "r0", 0, start);
	}
	schedule_run(start);
	for (i = 0; i < 220; i++) {
		end_first();
		schedule_run(start);
	}
	assert_in_range(index_select_count(INDEX_TENANT, SLICE_STR("b")),
	    200 - 110 - 12, 200 - 110 + 12);
	clean();
}

/*
 * The users of a tenant share what is his, and no more: but for the places that
 * he leaves for those of them who have nothing under way.
 */
static void
users_share_what_is_their_tenants(void **state)
{
	unsigned int	i;
	char		user[16];

	(void)state;
	configure(4, true);
	octets = 20000;
	for (i = 0; i < 1000; i++) {
		snprintf(user, sizeof(user), "u%u", i % 10);
		message("many", user, "r0", 0, start);
		message("one", "u", "r0", 0, start);
	}
	schedule_run(start);
	for (i = 0; i < 400; i++) {
		end_first();
		schedule_run(start);
	}
	assert_in_range(index_select_count(INDEX_TENANT, SLICE_STR("many")),
	    770, 810);
	for (i = 0; i < 10; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		assert_in_range(index_select_count(INDEX_USER,
		    SLICE_STR(user)), 74, 84);
	}
	clean();
}

static uint32_t
rnd(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*seed >> 1) * n) >> 31);
}

/* What must be true whatever happens. */
static void
check(bool tenants, unsigned int places)
{
	static const char *const	names[] = { "t0", "t1", "t2" };
	struct dest			*d = NULL;
	unsigned int			 i;

	if (places != 0)
		assert_true(njobs <= places);
	while ((d = schedule_dest_next(d)) != NULL) {
		assert_true(d->inflight + d->nawake <= d->concurrency);
		for (i = 0; tenants && i < 3; i++)
			if (d->concurrency > 1)
				assert_true(of_tenant(names[i], d) <=
				    (d->concurrency > 4 ?
				    d->concurrency * 7 / 8 :
				    d->concurrency - 1));
	}
}

/* Nothing that could go stays: with places free at a relay nobody wants one. */
static void
nothing_is_left(void)
{
	struct message	*m;
	uint64_t	 id;

	for (id = 0; (m = index_after(id)) != NULL; id = m->id) {
		if (m->rcpts[0].status != RCPT_WAITING ||
		    (time_t)m->rcpts[0].next > start)
			continue;
		if (m->dest->inflight == 0 && !schedule_is_off(m))
			fail_msg("message %u could go",
			    (unsigned int)(m->id));
	}
}

static void
something(uint32_t *seed, bool tenants)
{
	struct message	*m;
	char		 tenant[8] = "", user[16];
	uint32_t	 what = rnd(seed, 100);

	if (what < 40 && index_messages() < 300) {
		if (tenants)
			snprintf(tenant, sizeof(tenant), "t%u", rnd(seed, 3));
		snprintf(user, sizeof(user), "%su%u", tenant, rnd(seed, 5));
		octets = rnd(seed, 10) == 0 ? 3000000 : rnd(seed, 90000);
		message(tenant, user, relay[rnd(seed, 3)].name,
		    (int)rnd(seed, 19) - 9, start - 100 +
		    (time_t)rnd(seed, 150));
	} else if (what < 85 && njobs > 0)
		end(rnd(seed, njobs), rnd(seed, 4) == 0 ?
		    start + (time_t)rnd(seed, 30) : 0);
	else if (what < 95) {
		if ((m = index_after(rnd(seed, (uint32_t)last_id))) == NULL)
			return;
		if (what < 88)
			schedule_hold(m);
		else if (what < 91)
			schedule_go_on(m, start);
		else if (what < 93)
			assert_int_equal(schedule_move(m,
			    relay[rnd(seed, 3)].name, start), 0);
		else if (m->rcpts[0].status == RCPT_WAITING)
			drop(m);
	} else if (what < 97)
		schedule_pause_relay("r1", rnd(seed, 2) == 0);
	else if (what < 98)
		schedule_pause_tenant("t1", rnd(seed, 2) == 0);
	else
		start++;
}

static void
all_goes_in_the_end(void)
{
	unsigned int	i = 0;
	struct message	*m;
	uint64_t	id;

	schedule_pause_relay("r1", false);
	schedule_pause_tenant("t1", false);
	for (id = 0; (m = index_after(id)) != NULL; id = m->id)
		schedule_go_on(m, start);
	start += 100;
	for (schedule_run(start); njobs > 0; schedule_run(start)) {
		end_first();
		assert_true(i++ < 10000);
	}
	assert_int_equal(index_messages(), 0);
}

static void
whatever_happens(void **state)
{
	const char	*n = getenv("FAIR_SEEDS");
	uint32_t	 seeds = n == NULL ? 200 : (uint32_t)strtonum(n, 1,
	    1000000, NULL), s, seed;
	unsigned int	 i, places;
	bool		 tenants;

	(void)state;
	for (s = 0; s < seeds; s++) {
		seed = s * 7919 + 1;
		tenants = rnd(&seed, 2) == 0;
		configure(1 + rnd(&seed, 24), tenants);
		places = rnd(&seed, 2) == 0 ? 0 : 1 + rnd(&seed, 40);
		schedule_set_places(places);
		for (i = 0; i < 1000; i++) {
			something(&seed, tenants);
			schedule_run(start);
			check(tenants, places);
			if (places == 0 && i % 50 == 0)
				nothing_is_left();
		}
		all_goes_in_the_end();
		clean();
	}
}

/* --- cost --- */

static double
processor(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nanoseconds of a job from end to end, when so many users wait for it. */
static double
cost_with(unsigned int lanes, bool full)
{
	double		from;
	unsigned int	i;
	char		user[32];

	configure(20, false);
	for (i = 0; i < lanes; i++) {
		snprintf(user, sizeof(user), "user%u@firm.example", i);
		message("", user, full ? "r1" : "r0", 0, start);
	}
	if (full)	/* r1 takes no more: others must not notice */
		for (i = 0; i < 3000; i++)
			message("", "u", "r0", 0, start);
	schedule_run(start);
	from = processor();
	for (i = 0; i < 2000; i++) {
		end(full ? njobs - 1 : 0, 0);
		schedule_run(start);
	}
	from = (processor() - from) / 2000;
	clean();
	return from;
}

static void
cost_does_not_grow(void **state)
{
	double	few, many, full;

	(void)state;
	cost_with(3000, false);			/* memory is there */
	few = cost_with(3000, false);
	many = cost_with(100000, false);
	full = cost_with(100000, true);
	print_message("          ns a job: %.0f with 3,000 lanes, %.0f with "
	    "100,000, %.0f beside 100,000 at a full relay\n", few, many, full);
	/* a walk would be 33 times as much */
	assert_true(many < 10 * few);
	assert_true(full < 10 * few);
}

#define T(f)	cmocka_unit_test_teardown(f, clean_up)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(octets_are_shared_equally),
		cmocka_unit_test(empty_rounds_are_passed_over),
		cmocka_unit_test(newcomer_waits_one_round),
		cmocka_unit_test(debts_are_not_forgotten),
		cmocka_unit_test(urgent_ones_leave_a_fifth),
		cmocka_unit_test(set_aside_until_there_is_room),
		cmocka_unit_test(a_quarter_is_left),
		T(backlog_delays_by_one_round),
		T(hanging_mail_leaves_places),
		T(hanging_mail_leaves_relays),
		T(configured_bounds),
		T(priorities_within_a_tenant),
		T(priorities_are_not_for_tenants),
		T(users_share_what_is_their_tenants),
		T(whatever_happens),
		T(cost_does_not_grow),
	};

	jobs = calloc(JOBS_MAX, sizeof(*jobs));
	sent = calloc(JOBS_MAX, sizeof(*sent));
	if (jobs == NULL || sent == NULL)
		return 1;
	schedule_init(send_stub, expire_stub);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
