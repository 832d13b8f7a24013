/* links: msad/queue/schedule*.c msad/queue/index*.c msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c regress/unit/schedule_side.c */
/*
 * Places that come free, and places that are gone when it is somebody's turn;
 * how much that grew too old is done with at once; why something waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "regress/unit/schedule_side.h"

static uint64_t	last_id;

static void
mail(const char *user, unsigned int n)
{
	while (n-- > 0)
		message_by(user, ++last_id, "r", NOW, 0, 0);
}

static unsigned int
sent_of(const char *user)
{
	struct message	*m;
	unsigned int	 i, n = 0;

	for (i = 0; i < nsent; i++)
		n += (m = index_find(sent[i])) != NULL &&
		    strcmp(message_user(m), user) == 0;
	return n;
}

static struct dest *
relay(unsigned int concurrency, uint32_t places)
{
	struct dest	*d = dest("r", 1);

	schedule_clock(NOW, NOW);
	d->concurrency = concurrency;
	d->warn = 1800;
	schedule_set_places(places);
	return d;
}

static int
clean_up(void **state)
{
	(void)state;
	drop_all();
	schedule_set_places(0);
	schedule_pause_tenant("t", false);
	tenant = "";
	began_long_ago();
	return 0;
}

/* Who needed more places at the relay processes gets them when others end. */
static void
others_leave_places_at_relays(void **state)
{
	struct dest	*d = relay(100, 8);
	unsigned int	 i;

	(void)state;
	mail("b1", 1), mail("b2", 1), mail("b3", 1), mail("b4", 1);
	schedule_run(NOW);
	assert_int_equal(nsent, 4);
	mail("a", 20);
	schedule_run(NOW);
	assert_int_equal(sent_of("a"), 3);
	for (i = 0; i < 4; i++)
		done(d, true, NOW);
	schedule_run(NOW);
	assert_int_equal(sent_of("a"), 6);
}

/* The same at a destination. */
static void
others_leave_places_at_destination(void **state)
{
	struct dest	*d = relay(8, 0);
	unsigned int	 i;

	(void)state;
	mail("b1", 1), mail("b2", 1), mail("b3", 1), mail("b4", 1);
	schedule_run(NOW);
	mail("a", 20);
	schedule_run(NOW);
	assert_int_equal(sent_of("a"), 3);
	for (i = 0; i < 4; i++)
		done(d, true, NOW);
	schedule_run(NOW);
	assert_int_equal(sent_of("a"), 6);
}

/*
 * Between his turn at the destination and that at a relay process others got
 * places, too: so few are left that he is to leave them.
 */
static void
places_went_meanwhile(void **state)
{
	(void)state;
	relay(8, 4);
	mail("a", 20);
	schedule_run(NOW);
	assert_int_equal(sent_of("a"), 3);
	mail("b", 1), mail("c", 1), mail("d", 1), mail("e", 1);
	schedule_run(NOW);
	schedule_set_places(100);
	schedule_run(NOW);
	assert_int_equal(nsent, 7);
	assert_int_equal(sent_of("a"), 3);
}

/* Or it is down by then. */
static void
down_meanwhile(void **state)
{
	struct dest	*d = relay(8, 1);

	(void)state;
	mail("a", 1);
	schedule_run(NOW);
	mail("b", 1);
	schedule_run(NOW);
	assert_int_equal(d->nawake, 1);
	done(d, false, NOW);
	schedule_run(NOW);
	assert_int_equal(nsent, 1);
	assert_int_equal(d->nawake, 0);
}

/* The loop goes on when very many expire at once. */
static void
many_expire(void **state)
{
	struct dest	*d = relay(8, 0);

	(void)state;
	d->seen_down = true;
	d->fails = 1;
	d->down_until = NOW + 100000;
	mail("a", 1200);
	schedule_expire_old(NOW + 3599);
	assert_int_equal(nexpired, 0);
	schedule_expire_old(NOW + 3600);
	assert_int_equal(nexpired, 500);
	schedule_expire_old(NOW + 3601);
	assert_int_equal(nexpired, 1000);
	schedule_expire_old(NOW + 3602);
	schedule_expire_old(NOW + 3603);
	assert_int_equal(nexpired, 1200);
}

/* What failed of them waits to be told: that keeps none of the others. */
static void
expired_ones_that_wait_for_their_report(void **state)
{
	struct dest	*d = relay(8, 0);
	struct message	*m;

	(void)state;
	d->seen_down = true;
	d->fails = 1;
	d->down_until = NOW + 100000;
	mail("a", 501);
	for (m = index_after(0); m->id < last_id; m = index_after(m->id)) {
		message_set_status(m, 0, RCPT_REPORTING);
		m->flags |= MESSAGE_WAITS_REPORT;
		schedule_update(m);
	}
	schedule_expire_old(NOW + 3600);
	assert_int_equal(nexpired, 1);
	assert_int_equal(m->rcpts[0].status, RCPT_FAILED);
}

static unsigned int	nwarned;

static void
warn(struct message *m, time_t now)
{
	(void)m;
	(void)now;
	nwarned++;
}

static void
many_are_late(void **state)
{
	struct dest	*d = relay(8, 0);

	(void)state;
	nwarned = 0;
	d->seen_down = true;
	d->fails = 1;
	d->down_until = NOW + 100000;
	mail("a", 700);
	schedule_warn_old(warn, NOW + 1800);
	assert_int_equal(nwarned, 500);
	schedule_warn_old(warn, NOW + 1801);
	assert_int_equal(nwarned, 700);
	schedule_warn_old(warn, NOW + 1802);
	assert_int_equal(nwarned, 700);
}

/* One who is paused has no try to wait for, and others are told meanwhile. */
static void
paused_tenant_keeps_no_warnings(void **state)
{
	struct message	*m;

	(void)state;
	relay(8, 0);
	began_at(NOW);
	nwarned = 0;
	tenant = "t";
	schedule_pause_tenant("t", true);
	mail("a", 1);
	tenant = "";
	mail("b", 1);
	schedule_run(NOW);
	assert_int_equal(sent_of("b"), 1);
	m = index_find(last_id);
	m->flags |= MESSAGE_TRIED;
	schedule_warn_old(warn, NOW + 1800);
	assert_int_equal(nwarned, 2);
}

/* What an operator sees of it. */
static void
why_it_waits(void **state)
{
	struct dest	*d = relay(8, 0);
	struct message	*m;

	(void)state;
	tenant = "t";
	mail("a", 1);
	m = index_find(last_id);
	assert_string_equal(schedule_why(m, 0), "");
	d->fails = 1;
	schedule_blame(d, "connection refused");
	assert_string_equal(schedule_why(m, 0), "connection refused");
	schedule_pause_relay("r", true);
	assert_string_equal(schedule_why(m, 0), "the relay is paused, and it "
	    "was down: connection refused");
	d->fails = 0;
	assert_string_equal(schedule_why(m, 0), "the relay is paused");
	schedule_pause_domain("b.example", true);
	assert_string_equal(schedule_why(m, 0), "the domain is paused");
	schedule_pause_tenant("t", true);
	assert_string_equal(schedule_why(m, 0), "the tenant is paused");
	schedule_pause_domain("b.example", false);
	schedule_pause_relay("r", false);
}

/* P-dur-4: what was due then still is, also of what waited for a date. */
static void
clock_set_while_it_waits(void **state)
{
	struct message	*m;

	(void)state;
	relay(8, 0);
	m = message_by("a", ++last_id, "r", NOW, NOW + 100, ENVELOPE_FUTURE);
	schedule_clock(NOW - 5000, NOW + 1);
	schedule_release(m, NOW - 5000);
	schedule_run(NOW - 5000);
	assert_int_equal(nsent, 1);
	/* nor has it become younger */
	assert_in_range(schedule_end(m), NOW - 5000, NOW - 5000 + 3600);
}

#define T(f)	cmocka_unit_test_teardown(f, clean_up)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(others_leave_places_at_relays),
		T(others_leave_places_at_destination),
		T(places_went_meanwhile),
		T(down_meanwhile),
		T(many_expire),
		T(expired_ones_that_wait_for_their_report),
		T(many_are_late),
		T(paused_tenant_keeps_no_warnings),
		T(why_it_waits),
		T(clock_set_while_it_waits),
	};

	schedule_init(send_stub, expire_stub);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
