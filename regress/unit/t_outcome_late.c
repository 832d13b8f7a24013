/* links: msad/queue/outcome*.c msad/queue/result.c msad/queue/schedule*.c */
/* links: msad/queue/index*.c */
/* links: msad/queue/fair.c regress/unit/outcome_side.c */
/* links: msad/queue/envelope.c msad/queue/dsn*.c msad/queue/durable.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/report*.c msad/queue/wakes.c msad/queue/deadline.c */
/* libs: idn2 */
/*
 * Messages that are to be delivered by a time (RFC 2852): what is told when it
 * passes, and to whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/params.h"
#include "msad/queue/deadline.h"
#include "regress/unit/outcome_side.h"

static struct message *
with_by(char mode, bool trace)
{
	struct message	*m = message(1);

	m->deliver_by = NOW + 100;
	m->by_return = mode == 'R';
	m->by_trace = trace;
	m->rcpts[0].next = m->rcpts[1].next = NOW + 5000;
	deadline_watch(m);
	return m;
}

static void
tick(time_t t)
{
	deadline_tick(t, outcome_late);
}

/* R2852-4.1.3-a: mode R */
static void
late_is_returned(void **state)
{
	struct message	*m = with_by('R', false);

	(void)state;
	m->rcpts[1].notify = NOTIFY_DELAY;
	tick(NOW + 99);
	assert_int_equal(nbegun, 0);
	tick(NOW + 100);
	assert_int_equal(nbegun, 1);
	assert_true(removes);
	assert_non_null(strstr(report, "Final-Recipient: rfc822; a@x\r\n"
	    "Action: failed\r\nStatus: 5.4.7\r\n"));
	assert_non_null(strstr(report, "Deliver-By-Date: "));
	assert_null(strstr(report, "b@x"));
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
	tick(NOW + 1000);
	assert_int_equal(nbegun, 1);
}

/* R2852-4.1.3-a: mode N, told once; that it is delayed is not told again. */
static void
late_is_told_once(void **state)
{
	struct message	*m = with_by('N', false);

	(void)state;
	m->rcpts[1].notify = NOTIFY_NEVER;
	tick(NOW + 100);
	assert_int_equal(nbegun, 1);
	assert_false(removes);
	assert_int_equal(nupdates, 1);
	assert_int_equal(last_update.status, RCPT_WAITING);
	assert_int_equal(last_update.flags, RCPT_LATE | RCPT_WARNED);
	assert_non_null(strstr(report, "a@x\r\nAction: delayed\r\n"
	    "Status: 4.4.7\r\n"));
	assert_null(strstr(report, "b@x"));
	txn_done(txn_arg, SPOOL_OK);
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	assert_int_equal(m->rcpts[0].next, NOW + 5000);
	tick(NOW + 1000);
	outcome_warn(m, NOW + 1000);
	assert_int_equal(nbegun, 1);
	/* what recovery finds of it says the same */
	deadline_watch(m);
	tick(NOW + 2000);
	assert_int_equal(nbegun, 1);
}

/* RFC 2852 section 4: mode N, and late when it came. */
static void
late_when_it_came(void **state)
{
	struct message	*m = message(11);

	(void)state;
	m->deliver_by = NOW;
	deadline_watch(m);
	tick(NOW + 10);
	assert_int_equal(nbegun, 0);
	assert_int_equal(m->flags & MESSAGE_LATE, 0);
}

/* What is in flight decides; what an operator holds is left alone. */
static void
late_in_flight_or_held(void **state)
{
	struct message	*m = with_by('R', false);
	struct results	 list = TAILQ_HEAD_INITIALIZER(list);
	struct result	*r;

	(void)state;
	m->njobs = 1;
	m->flags |= MESSAGE_STOPPED;
	message_set_status(m, 1, RCPT_DONE);
	message_set_status(m, 0, RCPT_INFLIGHT);
	tick(NOW + 100);
	tick(NOW + 102);
	assert_int_equal(nbegun, 0);
	m->njobs = 0;
	r = result_new(0, OUTCOME_TRANSIENT, SLICE_STR("later"));
	r->code = 450;
	TAILQ_INSERT_TAIL(&list, r, entry);
	outcome_others(m, &list, 0, NOW + 103);
	assert_int_equal(m->rcpts[0].status, RCPT_REPORTING);
	outcome_settle(m, NOW + 103);
	assert_int_equal(nbegun, 1);
	assert_non_null(strstr(report, "Status: 5.4.7\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	drop_report();
	m = with_by('R', false);
	m->flags |= MESSAGE_STOPPED;
	tick(NOW + 200);
	m->flags &= (uint16_t)~MESSAGE_STOPPED;
	assert_int_equal(nbegun, 1);
	tick(NOW + 260);
	assert_int_equal(nbegun, 2);
	txn_done(txn_arg, SPOOL_OK);
}

/* No room for its report: it is tried again, and nothing is lost. */
static void
late_without_room(void **state)
{
	struct message	*m = with_by('R', false);

	(void)state;
	full = true;
	tick(NOW + 100);
	assert_int_equal(nbegun, 1);
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	full = false;
	tick(NOW + 159);
	assert_int_equal(nbegun, 1);
	tick(NOW + 161);
	assert_int_equal(nbegun, 2);
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* The clock is set: the time moves along with it. */
static void
late_by_a_clock_that_was_set(void **state)
{
	struct message	*m = message(9);	/* ids are used once */

	(void)state;
	m->rcpts[0].next = m->rcpts[1].next = NOW + 5000;
	schedule_clock(NOW, 1);
	m->deliver_by = NOW + 100;
	m->by_return = true;
	deadline_watch(m);
	schedule_clock(NOW + 86401, 2);
	tick(NOW + 86400 + 50);
	assert_int_equal(nbegun, 0);
	assert_int_equal(m->deliver_by, NOW + 86400 + 100);
	schedule_clock(NOW + 3, 4);
	tick(NOW + 99);
	assert_int_equal(nbegun, 0);
	assert_int_equal(m->deliver_by, NOW + 100);
	tick(NOW + 100);
	assert_int_equal(nbegun, 1);
	txn_done(txn_arg, SPOOL_OK);
}

static void
relay(struct message *m, uint32_t i, uint8_t flags)
{
	struct result	*r = result_new(i, OUTCOME_DELIVERED,
	    SLICE_STR("ok"));

	r->code = 250;
	r->flags = flags;
	outcome_delivered(m, r, NOW);
	free(r);
}

/* R2852-4.1.4-a */
static void
relayed_by_time(void **state)
{
	struct message	*m;

	(void)state;
	notify = "NOTIFY=FAILURE";
	m = with_by('N', false);
	relay(m, 0, RESULT_DSN);	/* it does not heed the time */
	m->rcpts[1].notify = NOTIFY_NEVER;
	relay(m, 1, RESULT_DSN);
	outcome_settle(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_non_null(strstr(report, "a@x\r\nAction: relayed\r\n"));
	assert_null(strstr(report, "b@x"));
	txn_done(txn_arg, SPOOL_OK);
	drop_report();
	m = with_by('N', false);
	relay(m, 0, RESULT_DSN | RESULT_DELIVERBY);
	assert_null(m->failures);
	m->by_trace = true;
	relay(m, 1, RESULT_DSN | RESULT_DELIVERBY);
	outcome_settle(m, NOW);
	assert_int_equal(nbegun, 2);
	assert_non_null(strstr(report, "b@x\r\nAction: relayed\r\n"));
	txn_done(txn_arg, SPOOL_OK);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(late_is_returned),
		T(late_is_told_once),
		T(late_when_it_came),
		T(late_in_flight_or_held),
		T(late_without_room),
		T(late_by_a_clock_that_was_set),
		T(relayed_by_time),
	};

	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	schedule_init(send_stub, outcome_expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
