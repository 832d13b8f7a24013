/* links: msad/queue/outcome*.c msad/queue/result.c msad/queue/schedule*.c */
/* links: msad/queue/index*.c */
/* links: msad/queue/fair.c regress/unit/outcome_side.c */
/* links: msad/queue/envelope.c msad/queue/dsn*.c msad/queue/durable.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/report*.c msad/queue/wakes.c msad/queue/deadline.c */
/* libs: idn2 */
/*
 * What operators do to a message while some of it is in flight, or its report
 * is due: what is given up ends, and what is dropped leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "regress/unit/outcome_side.h"

/* A job with that recipient alone ends so. */
static void
answered(struct message *m, uint32_t i, enum outcome outcome)
{
	struct results	 list = TAILQ_HEAD_INITIALIZER(list);
	struct result	*r = result_new(i, outcome, SLICE_STR("busy"));

	r->code = outcome == OUTCOME_TRANSIENT ? 450 : 550;
	strlcpy(r->enhanced, outcome == OUTCOME_TRANSIENT ? "4.2.1" :
	    "5.1.1", sizeof(r->enhanced));
	TAILQ_INSERT_TAIL(&list, r, entry);
	outcome_others(m, &list, 0, NOW);
	m->njobs--;
	outcome_settle(m, NOW);
}

static struct message *
one_in_flight(void)
{
	struct message	*m = message(1);

	message_set_status(m, 1, RCPT_INFLIGHT);
	m->njobs = 1;
	return m;
}

/* Its last try was that: one report tells of both. */
static void
given_up_in_flight(void **state)
{
	struct message	*m = one_in_flight();

	(void)state;
	outcome_fail(m, "for a reason", NOW);
	assert_int_equal(nbegun, 0);
	answered(m, 1, OUTCOME_TRANSIENT);
	assert_int_equal(nbegun, 1);
	assert_true(removes);
	assert_non_null(strstr(report, "a@x\r\nAction: failed\r\n"
	    "Status: 5.3.0\r\n"));
	assert_non_null(strstr(report, "b@x\r\nAction: failed\r\n"
	    "Status: 4.2.1\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* The relay died with it. */
static void
given_up_and_lost(void **state)
{
	struct message	*m = one_in_flight();

	(void)state;
	outcome_fail(m, "for a reason", NOW);
	outcome_lost(m, 1, NOW);
	m->njobs--;
	outcome_settle(m, NOW);
	assert_true(removes);
	assert_non_null(strstr(report, "b@x\r\nAction: failed\r\n"
	    "Status: 5.3.0\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* Held, and its report has no room: it is written a minute later. */
static void
given_up_without_room(void **state)
{
	struct message	*m = message(1);
	unsigned int	 i;

	(void)state;
	schedule_hold(m);
	full = true;
	outcome_fail(m, "for a reason", NOW);
	assert_int_equal(nbegun, 1);
	full = false;
	for (i = 0; i < 60; i++)
		outcome_tick(NOW + i);
	assert_int_equal(nbegun, 2);
	assert_true(removes);
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

static void
drop(struct message *m)
{
	m->flags |= MESSAGE_REMOVED;
	schedule_update(m);
	outcome_gone(NULL, m->id);
}

/* One failed while another is due: its report would have waited for that. */
static void
dropped_in_a_round(void **state)
{
	struct message	*m = one_in_flight();

	(void)state;
	answered(m, 1, OUTCOME_PERMANENT);
	assert_int_equal(nbegun, 0);
	drop(m);
	assert_null(index_find(1));
	assert_int_equal(nbegun, 0);
}

/* The same while it is in flight. */
static void
dropped_in_flight(void **state)
{
	struct message	*m = one_in_flight();

	(void)state;
	drop(m);
	assert_non_null(index_find(1));
	answered(m, 1, OUTCOME_PERMANENT);
	assert_null(index_find(1));
	assert_int_equal(nbegun, 0);
}

/* It does not stay until its report's turn comes. */
static void
dropped_before_its_turn(void **state)
{
	struct message	*m, *other;

	(void)state;
	conf.bounce.reports = (struct conf_rate){ .n = 1, .period = 86400 };
	other = message(2);
	outcome_unreadable(other, NOW);
	txn_done(txn_arg, SPOOL_OK);
	m = message(1);
	outcome_unreadable(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_true(m->flags & MESSAGE_WAITS_REPORT);
	updates_end(SPOOL_OK);
	drop(m);
	assert_null(index_find(1));
	memset(&conf.bounce.reports, 0, sizeof(conf.bounce.reports));
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(given_up_in_flight),
		T(given_up_and_lost),
		T(given_up_without_room),
		T(dropped_in_a_round),
		T(dropped_in_flight),
		T(dropped_before_its_turn),
	};

	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	schedule_init(send_stub, outcome_expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
