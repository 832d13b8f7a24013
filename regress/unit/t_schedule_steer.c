/* links: msad/queue/schedule*.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c regress/unit/schedule_side.c */
/*
 * What operators do to messages, as the schedule sees it: held, rerouted,
 * released, and what is paused.
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
held_by_an_operator(void **state)
{
	struct dest	*d = dest("op", 10);
	struct message	*a, *b, *c;

	(void)state;
	began_long_ago();
	schedule_clock(NOW, NOW);
	a = message(1, "op", NOW - 100);
	b = message_for(2, "op", NOW - 50, NOW + 500);
	c = message(3, "op", NOW);
	schedule_hold(a);
	schedule_hold(a);			/* twice is once */
	schedule_hold(b);
	assert_int_equal(schedule_count_held(), 2);
	assert_int_equal(schedule_count_future(), 0);
	assert_true(schedule_is_off(a) && !schedule_is_off(c));
	schedule_flush(NULL, NOW);
	schedule_flush(a, NOW);
	schedule_run(NOW + 600);
	assert_int_equal(nsent, 1);
	assert_true(sent[0] == 3);
	c->flags |= MESSAGE_TRIED;
	message_set_status(c, 0, RCPT_WAITING);
	/* It grows no older, and nobody is told that it waits. */
	d->warn = 1800;
	schedule_warn_old(expire_stub, NOW + 86400);
	schedule_expire_old(NOW + 86400);
	assert_int_equal(nexpired, 1);		/* c was warned of */
	schedule_go_on(a, NOW + 86400);
	schedule_go_on(b, NOW + 86400);
	schedule_go_on(b, NOW + 86400);
	schedule_expire_old(NOW + 86400);
	assert_int_equal(nexpired, 1);
	schedule_clock(NOW + 86400, NOW + 86400);
	schedule_run(NOW + 86400);
	assert_int_equal(nsent, 3);
	assert_int_equal(schedule_count_held(), 0);
	assert_int_equal(schedule_end(a), NOW + 86400 + 3600);
	drop_all();
	d->warn = 0;
	began_long_ago();
}

/* Held while a job of it is under way: that ends as it ends. */
static void
held_in_flight(void **state)
{
	struct dest	*d = dest("op", 10);
	struct message	*m;

	(void)state;
	schedule_clock(NOW, NOW);
	m = message(1, "op", NOW);
	schedule_run(NOW);
	schedule_hold(m);
	done(d, true, NOW);
	message_set_status(m, 0, RCPT_WAITING);
	schedule_update(m);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	schedule_go_on(m, NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 2);
	done(d, true, NOW);
	message_set_status(m, 0, RCPT_DONE);
	schedule_hold(m);
	drop_all();
}

static void
held_by_a_rule_on_arrival(void **state)
{
	struct message	*m;

	(void)state;
	dest("op", 10);
	schedule_clock(NOW, NOW);
	m = message_by("u", 1, "op", NOW, NOW + 100, ENVELOPE_STOPPED);
	assert_true(m->flags & MESSAGE_STOPPED);
	assert_int_equal(schedule_count_held(), 1);
	schedule_run(NOW + 200);
	assert_int_equal(nsent, 0);
	/* It goes on, but not before the time that it has to wait for. */
	schedule_go_on(m, NOW + 50);
	schedule_run(NOW + 99);
	assert_int_equal(nsent, 0);
	assert_int_equal(schedule_count_future(), 1);
	schedule_run(NOW + 100);
	assert_int_equal(nsent, 1);
	drop_all();
}

/* R4865: kept back as was asked; a flush leaves it, a release does not. */
static void
future_release(void **state)
{
	struct message	*m;

	(void)state;
	dest("op", 10);
	schedule_clock(NOW, NOW);
	m = message_by("u", 1, "op", NOW, NOW + 100, ENVELOPE_FUTURE);
	assert_true(schedule_is_future(m) && !schedule_is_held(m));
	assert_int_equal(schedule_count_future(), 1);
	schedule_flush(NULL, NOW);
	schedule_run(NOW + 99);
	assert_int_equal(nsent, 0);
	schedule_release(m, NOW + 99);
	assert_int_equal(schedule_count_future(), 0);
	schedule_run(NOW + 99);
	assert_int_equal(nsent, 1);
	drop_all();
}

static void
moved_to_another_relay(void **state)
{
	struct dest	*d = dest("from", 10), *e = dest("to", 10);
	struct message	*a, *b, *c;

	(void)state;
	schedule_clock(NOW, NOW);
	a = message(1, "from", NOW - 3000);
	b = message_for(2, "from", NOW, NOW + 100);
	c = message(3, "from", NOW);
	schedule_hold(c);
	d->fails = 1;
	d->down_until = NOW + 5000;
	a->rcpts[0].next = NOW + 4000;
	schedule_update(a);
	assert_int_equal(schedule_move(a, "to", NOW), 0);
	assert_int_equal(schedule_move(b, "to", NOW), 0);
	assert_int_equal(schedule_move(c, "to", NOW), 0);
	assert_int_equal(schedule_move(c, "to", NOW), 0);
	assert_int_equal(d->nmessages, 0);
	assert_int_equal(e->nmessages, 3);
	assert_string_equal(message_relay(a), "to");
	assert_int_equal(index_select_count(INDEX_RELAY, SLICE_STR("from")),
	    0);
	assert_int_equal(index_select_count(INDEX_RELAY, SLICE_STR("to")), 3);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	assert_int_equal(e->inflight, 1);
	/* In flight: the job ends where it began. */
	assert_int_equal(schedule_move(a, "from", NOW), 0);
	done(e, true, NOW);
	assert_int_equal(e->inflight, 0);
	schedule_run(NOW + 100);
	schedule_go_on(c, NOW + 100);
	schedule_run(NOW + 100);
	assert_int_equal(nsent, 3);
	drop_all();
}

static void
paused_relays_and_tenants(void **state)
{
	struct dest	*d = dest("p", 10);

	(void)state;
	schedule_pause_relay("p", true);
	schedule_pause_relay("unborn", true);
	assert_true(schedule_relay_paused("p"));
	message(1, "p", NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 0);
	schedule_pause_relay("p", false);
	schedule_pause_relay("p", false);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	assert_true(schedule_dest("unborn")->paused);
	dest("unborn", 1);
	message(2, "unborn", NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	schedule_pause_relay("unborn", false);
	schedule_run(NOW);
	assert_int_equal(nsent, 2);
	done(d, true, NOW);
	tenant = "firm";
	message(3, "p", NOW + 1);
	schedule_pause_tenant("firm", true);
	message(4, "p", NOW + 1);
	tenant = "other";
	message(5, "p", NOW + 1);
	tenant = "";
	assert_true(schedule_is_off(index_find(3)));
	schedule_run(NOW + 1);
	assert_int_equal(nsent, 3);
	assert_true(sent[2] == 5);
	schedule_pause_tenant("firm", false);
	schedule_run(NOW + 1);
	assert_int_equal(nsent, 5);
	drop_all();
}

static void
paused_domains(void **state)
{
	struct message	*m;

	(void)state;
	schedule_now();
	assert_false(schedule_rcpt_paused("a@b.example"));
	schedule_pause_domain("B.Example", true);
	assert_true(schedule_rcpt_paused("a@b.example"));
	assert_true(schedule_rcpt_paused("\"x@y\"@B.EXAMPLE"));
	assert_false(schedule_rcpt_paused("a@c.example"));
	assert_false(schedule_rcpt_paused("b.example"));
	assert_false(schedule_rcpt_paused("a@sub.b.example"));
	/* RFC 5890: one domain, as it may be written */
	schedule_pause_domain("xn--bcher-kva.example", true);
	assert_true(schedule_rcpt_paused("a@b\303\274cher.example"));
	assert_true(schedule_rcpt_paused("a@XN--bcher-kva.example"));
	schedule_pause_domain("B\303\274cher.example", false);
	assert_false(schedule_rcpt_paused("a@b\303\274cher.example"));
	dest("p", 10);
	m = message(1, "p", NOW);
	assert_true(schedule_rcpts_paused(m, NOW, false));
	assert_false(schedule_rcpts_paused(m, NOW - 1, false));
	assert_true(schedule_rcpts_paused(m, NOW - 1, true));
	/* It is not looked at again and again. */
	schedule_put_off(m, schedule_now());
	assert_true((time_t)m->next >= schedule_now() + 60);
	schedule_pause_domain("b.example", false);
	assert_true((time_t)m->next <= schedule_now());
	schedule_run(schedule_now());
	assert_int_equal(nsent, 1);
	drop_all();
	began_long_ago();
}

/* P6: many that were passed over are due again, in steps. */
static void
many_of_a_domain(void **state)
{
	unsigned int	 i, due = 0;
	time_t		 now = schedule_now();

	(void)state;
	dest("q", 1);
	schedule_pause_domain("b.example", true);
	for (i = 1; i <= 6000; i++)
		schedule_put_off(message(i, "q", NOW), now);
	schedule_pause_domain("b.example", false);
	for (i = 1; i <= 6000; i++)
		due += index_find(i)->rcpts[0].next < now + 100;
	assert_in_range(due, 1, 5999);
	schedule_run(schedule_now());
	for (i = 1, due = 0; i <= 6000; i++)
		due += index_find(i)->rcpts[0].next < now + 100;
	assert_int_equal(due, 6000);
	drop_all();
	began_long_ago();
}

/* P-dur-4: what is due stays due when the clock is set back a little. */
static void
clock_stands(void **state)
{
	(void)state;
	began_at(NOW);
	assert_int_equal(schedule_clock(NOW - 30, NOW), NOW);
	assert_int_equal(schedule_clock(NOW - 29, NOW + 1), NOW);
	assert_int_equal(schedule_clock(NOW + 4, NOW + 34), NOW + 4);
	began_long_ago();
}

/* What was released before the clock was set back a day does not wait one. */
static void
released_before_a_clock(void **state)
{
	struct message	*m[200];
	unsigned int	 i;

	(void)state;
	began_at(NOW);
	dest("c", 1);
	for (i = 0; i < 200; i++) {
		m[i] = message(i + 1, "c", NOW - 10);
		schedule_hold(m[i]);
		schedule_go_on(m[i], NOW);
		m[i]->not_before = NOW;		/* as steer.c does */
		schedule_hold(m[i]);
	}
	schedule_clock(NOW - 86400, NOW);
	for (i = 0; i < 200; i++) {
		schedule_go_on(m[i], NOW - 86400);
		assert_false(m[i]->later);
	}
	assert_int_equal(schedule_count_held(), 0);
	/* or a little, unnoticed: there is room for all */
	for (i = 0; i < 200; i++) {
		schedule_hold(m[i]);
		m[i]->not_before = NOW;
		schedule_go_on(m[i], NOW - 1);
		assert_true(m[i]->later);
	}
	assert_int_equal(schedule_count_future(), 200);
	assert_true(m[0]->dest->later.cap >= 200);
	drop_all();
	began_long_ago();
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(held_by_an_operator),
		cmocka_unit_test(held_in_flight),
		cmocka_unit_test(held_by_a_rule_on_arrival),
		cmocka_unit_test(future_release),
		cmocka_unit_test(moved_to_another_relay),
		cmocka_unit_test(paused_relays_and_tenants),
		cmocka_unit_test(paused_domains),
		cmocka_unit_test(many_of_a_domain),
		cmocka_unit_test(clock_stands),
		cmocka_unit_test(released_before_a_clock),
	};

	schedule_init(send_stub, expire_stub);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
