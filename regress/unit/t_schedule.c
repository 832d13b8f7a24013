/* links: msad/queue/schedule*.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c regress/unit/schedule_side.c */
/*
 * When what is tried: order, limits, backoff, dead destinations, expiry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "regress/unit/schedule_side.h"

static void
in_order_of_time_then_age(void **state)
{
	(void)state;
	dest("r", 100);
	message(1, "r", NOW);
	message(2, "r", NOW - 5);
	message(3, "r", NOW + 5);
	message(4, "r", NOW - 5);
	schedule_run(NOW);
	assert_int_equal(nsent, 3);
	assert_int_equal(sent[0], 2);
	assert_int_equal(sent[1], 4);
	assert_int_equal(sent[2], 1);
	schedule_run(NOW + 5);
	assert_int_equal(sent[3], 3);
	drop_all();
}

static void
heap_holds_order_under_change(void **state)
{
	struct message	*m;
	uint32_t	 last = 0;
	unsigned int	 i;

	(void)state;
	dest("r", 10000);
	for (i = 1; i <= 2000; i++)
		message(i, "r", NOW + arc4random_uniform(500));
	for (i = 1; i <= 2000; i += 3)
		drop(index_find(i));
	for (i = 2; i <= 2000; i += 3) {
		m = index_find(i);
		m->rcpts[0].next = NOW + arc4random_uniform(500);
		schedule_update(m);
	}
	schedule_run(NOW + 500);
	assert_int_equal(nsent, 1333);
	for (i = 0; i < nsent; i++) {
		m = index_find(sent[i]);
		assert_true(m->rcpts[0].next >= last);
		last = m->rcpts[0].next;
	}
	drop_all();
}

/* What is in flight comes back: there must be room for it. */
static void
heap_has_room_for_all(void **state)
{
	struct dest	*d = dest("room", 50);
	unsigned int	 i;

	(void)state;
	for (i = 1; i <= 64; i++)
		message(i, "room", NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 50);
	for (i = 65; i <= 114; i++)
		message(i, "room", NOW + 10000);
	assert_int_equal(d->due.n, 50);
	assert_true(d->due.cap >= 114);
	for (i = 0; i < 50; i++) {
		message_set_status(index_find(sent[i]), 0, RCPT_WAITING);
		index_find(sent[i])->rcpts[0].next = NOW + 10000;
		schedule_update(index_find(sent[i]));
	}
	assert_int_equal(d->due.n, 100);
	drop_all();
	assert_int_equal(d->nmessages, 0);
}

static void
concurrency_and_full_relays(void **state)
{
	struct dest	*d = dest("r", 2), *e = dest("s", 1);

	(void)state;
	message(1, "r", NOW);
	message(2, "r", NOW);
	message(3, "r", NOW);
	message(4, "s", NOW);
	refuse = 1;
	schedule_run(NOW);
	assert_int_equal(nsent, 0);
	refuse = 0;
	schedule_run(NOW);
	assert_int_equal(nsent, 3);
	assert_int_equal(d->inflight, 2);
	assert_int_equal(e->inflight, 1);
	done(d, true, NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 4);
	e->known = false;
	message(5, "s", NOW);
	done(e, true, NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 4);
	drop_all();
}

/* R5321-4.5.4.1-b: one attempt for a dead host, not one a message. */
static void
dead_host_costs_one_attempt(void **state)
{
	struct dest	*d = dest("r", 3);
	time_t		 retry, again;
	unsigned int	 i;

	(void)state;
	for (i = 1; i <= 50; i++)
		message(i, "r", NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 3);
	/* Three jobs of one round fail: that is one failure. */
	retry = done(d, false, NOW);
	assert_true(retry >= NOW + 1800 && retry <= NOW + 1980);
	assert_int_equal(done(d, false, NOW), retry);
	assert_int_equal(done(d, false, NOW), retry);
	assert_int_equal(d->fails, 1);
	schedule_run(retry - 1);
	assert_int_equal(nsent, 3);
	assert_int_equal(schedule_next(index_find(50), 0), retry);
	schedule_run(retry);
	assert_int_equal(nsent, 4);
	assert_int_equal(probes, 1);
	again = done(d, false, retry);
	assert_int_equal(d->fails, 2);
	schedule_run(again);
	assert_int_equal(nsent, 5);
	/* It answers: all that waited goes, as far as it takes it. */
	done(d, true, again);
	schedule_run(again);
	assert_int_equal(nsent, 8);
	drop_all();
}

static void
flush_forgives(void **state)
{
	struct dest	*d = dest("r", 10);
	struct message	*m = message(1, "r", NOW);

	(void)state;
	schedule_run(NOW);
	done(d, false, NOW);
	message_set_status(m, 0, RCPT_WAITING);
	m->rcpts[0].next = NOW + 5000;
	schedule_update(m);
	schedule_run(NOW + 1);
	assert_int_equal(nsent, 1);
	schedule_flush(NULL, NOW + 1);
	schedule_run(NOW + 1);
	assert_int_equal(nsent, 2);
	assert_int_equal(probes, 0);
	drop_all();
}

/* R5321-4.5.4.1-a */
static void
backoff_follows_the_list(void **state)
{
	static const unsigned int want[] = { 1800, 1800, 3600, 7200, 10800,
		10800, 10800 };
	struct dest	*d = dest("r", 1);
	unsigned int	 i, t, k;

	(void)state;
	for (i = 0; i < 7; i++)
		for (k = 0; k < 50; k++) {
			t = schedule_backoff(d, i + 1);
			assert_in_range(t, want[i], want[i] * 11 / 10);
		}
	d->retry[0] = 60;
	d->retry[1] = 120;
	d->nretry = 2;
	t = schedule_backoff(d, 1);
	assert_true(t >= 60 && t <= 66);
	t = schedule_backoff(d, 9);
	assert_true(t >= 120 && t <= 132);
}

static void
old_messages_expire(void **state)
{
	struct message	*m;

	(void)state;
	dest("r", 1);
	message(1, "r", NOW);
	m = message(2, "r", NOW);
	message(3, "r", NOW + 100);
	message_set_status(m, 0, RCPT_INFLIGHT);
	schedule_expire_old(NOW + 3599);
	assert_int_equal(nexpired, 0);
	schedule_expire_old(NOW + 3600);
	assert_int_equal(nexpired, 1);
	message_set_status(m, 0, RCPT_WAITING);
	schedule_expire_old(NOW + 3600);
	assert_int_equal(nexpired, 2);
	/* A failure that waits for the end of its round does not keep it. */
	message_set_status(m, 0, RCPT_REPORTING);
	schedule_expire_old(NOW + 3600);
	assert_int_equal(nexpired, 3);
	drop_all();
}

/* P-dur-4: the clock is set by a day; what waits notices nothing. */
static void
clock_is_set(time_t step)
{
	struct dest	*d = dest("r", 1);
	struct message	*m, *later;
	time_t		 then = NOW + step;

	schedule_clock(NOW, NOW);
	m = message(1, "r", NOW);
	later = message(2, "r", NOW);
	m->flags |= MESSAGE_TRIED;
	later->rcpts[0].next = NOW + 600;
	schedule_update(later);
	d->fails = 1;
	d->down_until = NOW + 300;
	assert_int_equal(schedule_clock(then + 1, NOW + 1), then + 1);
	assert_int_equal(schedule_next(later, 0), then + 600);
	schedule_expire_old(then + 3599);
	assert_int_equal(nexpired, 0);
	schedule_run(then + 299);
	assert_int_equal(nsent, 0);
	schedule_run(then + 300);
	assert_int_equal(nsent, 1);
	done(d, true, then + 300);
	schedule_run(then + 599);
	assert_int_equal(nsent, 1);
	schedule_run(then + 600);
	assert_int_equal(nsent, 2);
	/* An adjustment is none. */
	schedule_clock(then + 40, NOW + 10);
	assert_int_equal(later->rcpts[0].next, then + 600);
	assert_int_equal(m->arrival, NOW);
	drop_all();
	began_long_ago();
}

static void
clock_is_set_forward(void **state)
{
	(void)state;
	clock_is_set(86400);
}

static void
clock_is_set_back(void **state)
{
	(void)state;
	clock_is_set(-86400);
}

/* A time that a wrong clock wrote to the disk. */
static void
waits_are_bounded(void **state)
{
	struct conf		 conf;
	struct conf_relay	 relay;
	time_t			 now = schedule_now();
	struct message		*m, *n;

	(void)state;
	memset(&conf, 0, sizeof(conf));
	memset(&relay, 0, sizeof(relay));
	TAILQ_INIT(&conf.relays);
	relay.name = (char *)(uintptr_t)"r";
	relay.retry[0] = 100;
	relay.retry[1] = 1000;
	relay.nretry = 2;
	TAILQ_INSERT_TAIL(&conf.relays, &relay, entry);
	m = message(1, "r", (uint64_t)now + 86400);
	n = message(2, "r", (uint64_t)now + 900);
	schedule_conf(&conf);
	assert_in_range(m->next, now + 1000, now + 1110);
	assert_int_equal(m->next, m->rcpts[0].next);
	assert_int_equal(n->next, now + 900);
	assert_false(schedule_is_expired(m, now + DEST_EXPIRE - 1));
	assert_true(schedule_is_expired(m, now + DEST_EXPIRE + 5));
	drop_all();
	began_long_ago();
}

/* After a restart or a pause nothing expires untried. */
static void
last_try_before_expiry(void **state)
{
	struct dest	*d = dest("r", 1);
	struct message	*m;

	(void)state;
	began_at(NOW);
	m = message(1, "r", NOW - 4000);
	m->rcpts[0].next = NOW + 2000;
	schedule_update(m);
	schedule_expire_old(NOW);
	assert_int_equal(nexpired, 0);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	message_set_status(m, 0, RCPT_WAITING);
	schedule_update(m);
	schedule_expire_old(NOW);
	assert_int_equal(nexpired, 1);
	/* A pause: the same again. */
	message_set_status(m, 0, RCPT_WAITING);
	schedule_update(m);
	began_at(NOW + 7200);
	schedule_expire_old(NOW + 7200);
	assert_int_equal(nexpired, 1);
	/* The failure of the destination counts for each that waits. */
	done(d, false, NOW + 7200);
	schedule_expire_old(NOW + 7200);
	assert_int_equal(nexpired, 2);
	drop_all();
	/* No relay process takes it: not for ever. */
	dest("r", 1)->seen_down = false;
	message(2, "r", NOW);
	schedule_expire_old(NOW + 7200 + 86400);
	assert_int_equal(nexpired, 0);
	schedule_expire_old(NOW + 7200 + 86401);
	assert_int_equal(nexpired, 1);
	drop_all();
	began_long_ago();
}

/* The disk is full: a report is not tried again each second. */
static void
report_is_put_off(void **state)
{
	struct message	*m;

	(void)state;
	dest("r", 1);
	m = message(1, "r", NOW);
	m->flags |= MESSAGE_TRIED | MESSAGE_PUT_OFF;
	m->rcpts[0].next = NOW + 5060;
	schedule_update(m);
	schedule_expire_old(NOW + 5059);
	assert_int_equal(nexpired, 0);
	schedule_expire_old(NOW + 5060);
	assert_int_equal(nexpired, 1);
	drop_all();
}

/* P8: why a message waits that was never tried itself. */
static void
failure_of_a_destination(void **state)
{
	struct dest	*d = dest("r", 1);

	(void)state;
	message(1, "r", NOW);
	schedule_run(NOW);
	schedule_blame(d, "connection refused");
	done(d, false, NOW);
	assert_string_equal(schedule_failure(d), "connection refused");
	message(2, "r", NOW);
	schedule_run(d->down_until);
	done(d, true, NOW);
	assert_string_equal(schedule_failure(d), "");
	drop_all();
}

/* What its credential keeps back: no try, flush, warning or end before then. */
static void
kept_back_until_its_time(void **state)
{
	struct dest	*d = dest("later", 10);
	struct message	*a, *b, *c, *e;
	time_t		 then = NOW + 2 * 86400;

	(void)state;
	began_long_ago();
	schedule_clock(NOW, NOW);
	a = message_for(1, "later", NOW - 10, (uint64_t)then + 50);
	b = message_for(2, "later", NOW - 9, (uint64_t)then);
	c = message(3, "later", NOW - 8);
	e = message_for(4, "later", NOW - 7, NOW - 100);	/* was then */
	assert_int_equal(schedule_next(a, 0), then + 50);
	schedule_run(NOW);
	assert_int_equal(nsent, 2);
	assert_true(sent[0] == 3 && sent[1] == 4);
	schedule_flush(NULL, NOW);
	schedule_flush(a, NOW);
	schedule_run(then - 1);
	schedule_expire_old(then - 1);
	schedule_warn_old(expire_stub, then - 1);
	assert_int_equal(nsent, 2);
	nexpired = 0;
	schedule_run(then);
	assert_int_equal(nsent, 3);
	assert_true(sent[2] == 2);
	schedule_run(then + 50);
	assert_int_equal(nsent, 4);
	assert_true(sent[3] == 1);
	/* its days begin there: an hour's lifetime, from then on */
	assert_true(schedule_end(b) == (uint64_t)then + 3600);
	assert_true(schedule_end(c) == NOW - 8 + 3600);
	drop(c);
	assert_int_equal(d->nmessages, 3);
	(void)e;
	drop_all();
	assert_int_equal(d->nmessages, 0);
}

/* What a limit holds: a flush leaves it, a release does not. */
static void
held_until_released(void **state)
{
	struct dest	*d = dest("held", 10);
	struct message	*a, *b, *c;

	(void)state;
	began_long_ago();
	schedule_clock(NOW, NOW);
	a = message_by("u", 1, "held", NOW, NOW + 500, ENVELOPE_HELD);
	b = message_by("u", 2, "held", NOW, NOW + 900, ENVELOPE_HELD);
	c = message_for(3, "held", NOW, NOW + 200);
	assert_true(schedule_is_held(a) && schedule_is_held(b));
	assert_false(schedule_is_held(c));	/* its credential says so */
	schedule_flush(NULL, NOW);
	schedule_release(c, NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 0);
	schedule_release(b, NOW + 1);
	assert_false(schedule_is_held(b));
	schedule_run(NOW + 1);
	assert_int_equal(nsent, 1);
	assert_true(sent[0] == 2);
	schedule_release(b, NOW + 1);		/* again: nothing */
	assert_int_equal(d->nmessages, 3);
	schedule_run(NOW + 200);
	schedule_run(NOW + 500);
	assert_int_equal(nsent, 3);
	assert_true(sent[1] == 3 && sent[2] == 1);
	assert_false(schedule_is_held(a));
	/* an hour's lifetime from when it was released */
	assert_true(schedule_end(b) == NOW + 1 + 3600);
	drop_all();
}

/* After a restart they are among others, in the order of their age. */
static void
kept_back_over_a_restart(void **state)
{
	struct dest	*d = dest("again", 10);
	struct message	*a, *m;
	uint64_t	 last = 0;

	(void)state;
	began_long_ago();
	schedule_clock(NOW, NOW);
	message_for(1, "again", NOW - 9000, NOW - 100);
	message(2, "again", NOW - 8000);
	message_for(3, "again", NOW - 7000, NOW - 50);
	message(4, "again", NOW - 6000);
	a = message_for(5, "again", NOW - 5000, NOW + 500);
	TAILQ_FOREACH(m, &d->messages, by_dest) {
		assert_true(m->since >= last);
		last = m->since;
	}
	assert_int_equal(d->later.n, 1);
	assert_ptr_equal(d->later.m[0], a);
	/* one that is removed while it waits is gone */
	drop(a);
	assert_int_equal(d->later.n, 0);
	drop_all();
}

/* Many times in any order: each is let go at its own, and age keeps order. */
static void
many_are_kept_back(void **state)
{
	struct dest	*d = dest("many", 1000);
	struct message	*m;
	uint64_t	 last = 0;
	uint32_t	 i;

	(void)state;
	began_long_ago();
	schedule_clock(NOW, NOW);
	nsent = 0;
	for (i = 1; i <= 500; i++)
		message_for(i, "many", NOW - 10, NOW + 1 + i * 7919 % 500);
	for (i = 1; i <= 500; i += 5)
		drop(index_find(i));
	assert_int_equal(d->later.n, 400);
	for (i = 0; i < 250; i++)
		schedule_run(NOW + i);
	TAILQ_FOREACH(m, &d->messages, by_dest) {
		assert_true(m->since >= last && m->since <= NOW + 249);
		last = m->since;
	}
	assert_int_equal(d->later.n + nsent, 400);
	assert_true(d->later.m[0]->not_before > NOW + 249);
	schedule_run(NOW + 501);
	assert_int_equal(d->later.n, 0);
	assert_int_equal(nsent, 400);
	drop_all();
}

/* A job that began before the host was seen down says nothing of now. */
static void
old_jobs_do_not_count(void **state)
{
	struct dest	*d = dest("r", 3);
	time_t		 retry;

	(void)state;
	message(1, "r", NOW);
	message(2, "r", NOW);
	message(3, "r", NOW);
	schedule_run(NOW);
	retry = done(d, false, NOW);
	assert_int_equal(d->fails, 1);
	done(d, true, NOW);			/* it hung, and gave up */
	assert_int_equal(d->fails, 1);
	message(4, "r", NOW);
	/* And what still hangs does not keep the host from being tried. */
	schedule_run(retry);
	assert_int_equal(probes, 1);
	assert_int_equal(d->inflight, 2);
	schedule_run(retry + 1);
	assert_int_equal(probes, 1);
	done(d, false, retry);
	assert_int_equal(d->fails, 1);
	assert_true(d->probing);
	done(d, true, retry);
	assert_int_equal(d->fails, 0);
	drop_all();
}

/* R5321-4.5.4.1-a: those that failed together do not come back together. */
static void
intervals_are_spread(void **state)
{
	struct dest	*d = dest("r", 1);
	unsigned int	 i, t, least = UINT32_MAX, most = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		t = schedule_backoff(d, 1);
		least = t < least ? t : least;
		most = t > most ? t : most;
	}
	assert_in_range(least, 1800, 1810);
	assert_in_range(most, 1970, 1980);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(in_order_of_time_then_age),
		cmocka_unit_test(heap_holds_order_under_change),
		cmocka_unit_test(heap_has_room_for_all),
		cmocka_unit_test(concurrency_and_full_relays),
		cmocka_unit_test(dead_host_costs_one_attempt),
		cmocka_unit_test(flush_forgives),
		cmocka_unit_test(backoff_follows_the_list),
		cmocka_unit_test(old_messages_expire),
		cmocka_unit_test(clock_is_set_forward),
		cmocka_unit_test(clock_is_set_back),
		cmocka_unit_test(waits_are_bounded),
		cmocka_unit_test(last_try_before_expiry),
		cmocka_unit_test(report_is_put_off),
		cmocka_unit_test(failure_of_a_destination),
		cmocka_unit_test(kept_back_until_its_time),
		cmocka_unit_test(kept_back_over_a_restart),
		cmocka_unit_test(held_until_released),
		cmocka_unit_test(many_are_kept_back),
		cmocka_unit_test(old_jobs_do_not_count),
		cmocka_unit_test(intervals_are_spread),
	};

	schedule_init(send_stub, expire_stub);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
