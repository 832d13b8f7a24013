/* links: msad/queue/outcome*.c msad/queue/result.c msad/queue/schedule*.c */
/* links: msad/queue/index*.c */
/* links: msad/queue/fair.c regress/unit/outcome_side.c */
/* links: msad/queue/envelope.c msad/queue/dsn*.c msad/queue/durable.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/report*.c msad/queue/wakes.c msad/queue/deadline.c */
/* libs: idn2 */
/*
 * What becomes of failures: reported in one transaction with their states, put
 * off when the disk has no room, at once when the message itself was lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/params.h"
#include "msad/queue/deadline.h"
#include "msad/queue/durable.h"
#include "msad/queue/report.h"
#include "regress/unit/outcome_side.h"

/* A message whose text is gone from the spool: the sender learns that now. */
static void
lost_text_is_reported(void **state)
{
	struct message	*m = message(1);

	(void)state;
	outcome_unreadable(m, NOW);
	assert_non_null(txn_done);
	assert_non_null(strstr(report, "was lost by the mail system"));
	assert_non_null(strstr(report, "Final-Recipient: rfc822; b@x\r\n"
	    "Action: failed\r\nStatus: 5.3.0\r\n"));
	assert_null(strstr(report, "Diagnostic-Code"));
	assert_null(strstr(report, "Remote-MTA"));
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
	assert_non_null(index_find(REPORT_ID));
}

/* No room for the report: the next try is a minute later. */
static void
report_without_room(void **state)
{
	struct message	*m = message(1);
	time_t		 t = NOW + 4000;

	(void)state;
	m->flags |= MESSAGE_TRIED;
	full = true;
	for (; t < NOW + 4180; t++)
		schedule_expire_old(t);
	assert_int_equal(nbegun, 3);
	assert_int_equal(m->nleft, 2);
	full = false;
	schedule_expire_old(t);
	assert_int_equal(nbegun, 4);
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* A state that fails on its way is not written over what was reported. */
static void
reported_states_stay(void **state)
{
	struct message	*m = message(1);
	struct results	 list = TAILQ_HEAD_INITIALIZER(list);
	struct result	*r;

	(void)state;
	r = result_new(0, OUTCOME_TRANSIENT, SLICE_STR("later"));
	TAILQ_INSERT_TAIL(&list, r, entry);
	outcome_others(m, &list, 0, NOW);
	assert_int_equal(durable_pending(), 1);
	outcome_unreadable(m, NOW);
	updates_end(SPOOL_IO);
	assert_int_equal(durable_pending(), 0);
	txn_done(txn_arg, SPOOL_OK);
}

static void
deliver(struct message *m, uint32_t i, bool dsn)
{
	struct result	*r = result_new(i, OUTCOME_DELIVERED,
	    SLICE_STR("ok"));

	r->code = 250;
	r->flags = dsn ? RESULT_DSN : 0;
	strlcpy(r->remote, "mx.example", sizeof(r->remote));
	outcome_delivered(m, r, NOW);
	free(r);
}

/* R3461-5.2.2-a, R3461-5.2.8-a: recorded at once, reported in one. */
static void
success_is_reported(void **state)
{
	struct message	*m;

	(void)state;
	notify = "NOTIFY=SUCCESS";
	m = message(1);
	deliver(m, 0, false);
	assert_int_equal(last_update.status, RCPT_DONE);
	assert_int_equal(last_update.flags, RCPT_OWED | RCPT_RELAYED);
	deliver(m, 1, false);
	assert_int_equal(m->nleft, 2);
	outcome_settle(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_true(removes);
	assert_non_null(strstr(report, "Final-Recipient: rfc822; a@x\r\n"
	    "Action: relayed\r\n"));
	assert_non_null(strstr(report, "rfc822; b@x\r\nAction: relayed\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* It went to a mailbox, and was rerouted to a host while it did. */
static void
success_of_another_relay(void **state)
{
	struct dest	*box = schedule_dest("box");
	struct message	*m;
	struct result	*r;
	uint32_t	 i;

	(void)state;
	box->maildir = true;
	notify = "NOTIFY=SUCCESS";
	m = message(1);
	for (i = 0; i < 2; i++) {
		r = result_new(i, OUTCOME_DELIVERED, SLICE_STR("ok"));
		r->by = box;
		r->flags = RESULT_DSN;
		outcome_delivered(m, r, NOW);
		free(r);
	}
	assert_int_equal(last_update.flags, RCPT_OWED);
	outcome_settle(m, NOW);
	assert_non_null(strstr(report, "a@x\r\nAction: delivered\r\n"));
	txn_done(txn_arg, SPOOL_OK);
}

/* R3461-5.2.1-a: the next hop lists DSN, so it is not ours to tell. */
static void
success_is_passed_on(void **state)
{
	struct message	*m;

	(void)state;
	notify = "NOTIFY=SUCCESS";
	m = message(1);
	deliver(m, 0, true);
	assert_int_equal(last_update.flags, 0);
	assert_int_equal(m->nleft, 1);
	assert_null(m->failures);
}

/* R3461-5.2.8-a: what was owed when the machine went down is told after. */
static void
owed_after_a_crash(void **state)
{
	struct rcpt_record	 s = { .status = RCPT_DONE, .code = 250,
		.flags = RCPT_OWED | RCPT_RELAYED,
		.enhanced = SLICE_STR("2.1.5"), .remote = SLICE_STR("mx"),
		.reply = SLICE_STR("ok") };
	struct message		*m;

	(void)state;
	notify = "NOTIFY=SUCCESS";
	m = message(1);
	message_set_status(m, 0, RCPT_DONE);
	outcome_owed(m, 0, &s);
	outcome_settle(m, NOW);
	assert_int_equal(nbegun, 0);
	m->rcpts[1].next = NOW + 100;
	outcome_tick(NOW);
	assert_int_equal(nbegun, 1);
	assert_false(removes);
	assert_int_equal(nupdates, 1);
	assert_int_equal(last_update.status, RCPT_DONE);
	assert_int_equal(last_update.flags, 0);
	assert_non_null(strstr(report, "Status: 2.1.5\r\nRemote-MTA: dns; mx"));
	assert_null(strstr(report, "b@x"));
	txn_done(txn_arg, SPOOL_OK);
	assert_int_equal(m->nleft, 1);
	assert_int_equal(m->rcpts[0].status, RCPT_DONE);
}

/* A delivery whose report has no room stays done; it is told a minute later. */
static void
success_without_room(void **state)
{
	struct message	*m;
	unsigned int	 i;

	(void)state;
	notify = "NOTIFY=SUCCESS";
	m = message(1);
	full = true;
	deliver(m, 0, false);
	deliver(m, 1, false);
	outcome_settle(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_int_equal(m->rcpts[0].status, RCPT_REPORTING);
	full = false;
	for (i = 0; i < 59; i++)
		outcome_tick(NOW + i);
	assert_int_equal(nbegun, 1);
	outcome_tick(NOW + 60);
	assert_int_equal(nbegun, 2);
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(1));
}

/* R3461-5.2.5-a, R3464-2.3.9-a */
static void
delay_is_reported_once(void **state)
{
	struct message	*m = message(1);
	time_t		 t = NOW + DEST_WARN;

	(void)state;
	schedule_dest("r")->expire = 5 * 86400;
	m->flags |= MESSAGE_TRIED;
	m->rcpts[0].next = m->rcpts[1].next = (uint32_t)t + 9;
	m->rcpts[1].notify = NOTIFY_FAILURE;
	schedule_warn_old(outcome_warn, t - 1);
	assert_int_equal(nbegun, 0);
	schedule_warn_old(outcome_warn, t);
	assert_int_equal(nbegun, 1);
	assert_int_equal(nupdates, 1);
	assert_int_equal(last_update.status, RCPT_WAITING);
	assert_int_equal(last_update.flags, RCPT_WARNED);
	assert_non_null(strstr(report, "Action: delayed\r\nStatus: 4.0.0\r\n"
	    "Will-Retry-Until: "));
	assert_null(strstr(report, "b@x"));
	txn_done(txn_arg, SPOOL_OK);
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	outcome_warn(m, t + 1);
	assert_int_equal(nbegun, 1);
	assert_int_equal(m->nbusy, 0);
}

/* R3461-5.2.6-a: nobody asked for the failure. */
static void
failure_that_nobody_wants(void **state)
{
	struct message	*m;

	(void)state;
	notify = "NOTIFY=NEVER";
	m = message(1);
	m->flags |= MESSAGE_ENDING;	/* its removal is under way */
	outcome_unreadable(m, NOW);
	assert_int_equal(nbegun, 0);
	assert_int_equal(m->nleft, 0);
}

/* --- reports that fail, and reports that wait --- */

static struct message *
a_report(const char *mech)
{
	struct envelope	 e = { .user = SLICE_STR("u"), .relay = SLICE_STR("r"),
		.tenant = SLICE_STR("t"), .auth = SLICE_STR(""),
		.mech = SLICE_STR(mech), .sender = SLICE_STR(""),
		.msgid = SLICE_STR(""), .flags = ENVELOPE_DSN,
		.arrival = NOW };
	struct slice	 to = SLICE_STR("u@x.example");
	struct slice	 params = SLICE_STR("NOTIFY=NEVER");
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	p = envelope_encode(&e, &to, &params, 1, &len);
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(5, 10, &e));
	free(p);
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	return m;
}

/* By default it ends there; a removal is under way already, for the test. */
static void
report_fails_in_silence(void **state)
{
	struct message	*m = a_report("dsn");

	(void)state;
	m->flags |= MESSAGE_ENDING;
	outcome_unreadable(m, NOW);
	assert_int_equal(nbegun, 0);
}

static void
double_bounce_goes_once(void **state)
{
	struct message	*m = a_report("dsn"), *dsn;
	struct result	*r;

	(void)state;
	conf.bounce.postmaster = (char *)(uintptr_t)"root@y.example";
	conf.bounce.relay = (char *)(uintptr_t)"other";
	outcome_unreadable(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_non_null(strstr(report, "To: <root@y.example>\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	assert_non_null(dsn = index_find(REPORT_ID));
	assert_string_equal(message_rcpt(dsn, 0), "root@y.example");
	assert_string_equal(message_sender(dsn), "");
	assert_string_equal(message_mech(dsn), "double-bounce");
	assert_string_equal(message_relay(dsn), "other");
	assert_string_equal(message_tenant(dsn), "");
	/* and that one, failing, ends */
	r = result_new(0, OUTCOME_PERMANENT, SLICE_STR("no"));
	r->action = DSN_FAILED;
	assert_false(report_is_due(dsn, r));
	free(r);
	conf.bounce.postmaster = conf.bounce.relay = NULL;
}

/* R6710-4.1-a: a report is as urgent as what it is about. */
static void
report_inherits_priority(void **state)
{
	struct message	*m = message(1), *dsn;

	(void)state;
	m->priority = -4;
	outcome_unreadable(m, NOW);
	txn_done(txn_arg, SPOOL_OK);
	assert_non_null(dsn = index_find(REPORT_ID));
	assert_int_equal(dsn->priority, -4);
}

/* It waits for its turn with what has failed on the disk, and is one report. */
static void
report_waits_for_its_turn(void **state)
{
	struct message	*m;
	unsigned int	 i;

	(void)state;
	conf.bounce.reports = (struct conf_rate){ 1, 60 };
	outcome_tick(NOW);
	outcome_unreadable(message(1), NOW);
	assert_int_equal(nbegun, 1);
	txn_done(txn_arg, SPOOL_OK);
	drop_report();
	m = message(2);
	m->flags |= MESSAGE_TRIED;
	m->rcpts[1].next = NOW + 5000;
	outcome_unreadable(m, NOW);
	assert_int_equal(nbegun, 1);
	assert_int_equal(last_update.status, RCPT_FAILED);
	assert_int_equal(last_update.flags, RCPT_OWED);
	assert_int_equal(nunder_way, 2);
	for (i = 0; i < 59; i++)
		outcome_tick(NOW + i);
	assert_int_equal(nbegun, 1);
	outcome_tick(NOW + 60);
	outcome_tick(NOW + 61);
	assert_int_equal(nbegun, 2);
	updates_end(SPOOL_OK);
	txn_done(txn_arg, SPOOL_OK);
	assert_null(index_find(2));
	conf.bounce.reports = (struct conf_rate){ 0, 0 };
	outcome_tick(NOW);
}

/* Attempts go on while the report of a delay waits. */
static void
delays_wait_for_their_turn(void **state)
{
	struct message	*m;
	unsigned int	 i;

	(void)state;
	conf.bounce.reports = (struct conf_rate){ 1, 60 };
	outcome_tick(NOW);
	outcome_unreadable(message(1), NOW);
	txn_done(txn_arg, SPOOL_OK);
	drop_report();
	m = message(10);
	m->rcpts[0].next = NOW + 5000;
	m->rcpts[1].next = NOW + 5000;
	m->rcpts[1].notify = NOTIFY_FAILURE;
	m->deliver_by = NOW + 10;
	deadline_watch(m);
	deadline_tick(NOW + 10, outcome_late);
	assert_int_equal(nbegun, 1);
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	assert_int_equal(m->rcpts[0].flags, 0);
	assert_null(m->failures);
	assert_int_equal(m->next, NOW + 5000);
	for (i = 0; i < 60; i++)
		outcome_tick(NOW + 10 + i);
	outcome_tick(NOW + 80);
	outcome_tick(NOW + 90);
	assert_int_equal(nbegun, 2);
	assert_non_null(strstr(report, "a@x\r\nAction: delayed\r\n"
	    "Status: 4.4.7\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	outcome_tick(NOW + 100);
	assert_int_equal(nbegun, 2);
	conf.bounce.reports = (struct conf_rate){ 0, 0 };
	outcome_tick(NOW);
}

/* A failure whose report was owed when the machine went down. */
static void
owed_failure_after_a_crash(void **state)
{
	struct rcpt_record	 s = { .status = RCPT_FAILED, .code = 550,
		.flags = RCPT_OWED, .enhanced = SLICE_STR("5.1.1"),
		.remote = SLICE_STR("mx"), .reply = SLICE_STR("no") };
	struct message		*m = message(1);

	(void)state;
	message_set_status(m, 0, RCPT_FAILED);
	outcome_owed(m, 0, &s);
	m->rcpts[1].next = NOW + 5000;
	outcome_settle(m, NOW);
	outcome_tick(NOW);
	assert_int_equal(nbegun, 1);
	assert_non_null(strstr(report, "a@x\r\nAction: failed\r\n"
	    "Status: 5.1.1\r\nRemote-MTA: dns; mx\r\n"));
	txn_done(txn_arg, SPOOL_OK);
	assert_int_equal(m->rcpts[0].status, RCPT_FAILED);
	assert_int_equal(m->nleft, 1);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(lost_text_is_reported),
		T(report_without_room),
		T(reported_states_stay),
		T(success_is_reported),
		T(success_of_another_relay),
		T(success_is_passed_on),
		T(owed_after_a_crash),
		T(success_without_room),
		T(delay_is_reported_once),
		T(failure_that_nobody_wants),
		T(report_fails_in_silence),
		T(double_bounce_goes_once),
		T(report_inherits_priority),
		T(report_waits_for_its_turn),
		T(delays_wait_for_their_turn),
		T(owed_failure_after_a_crash),
	};

	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	schedule_init(send_stub, outcome_expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
