/* links: msad/queue/outcome.c msad/queue/schedule.c msad/queue/index*.c */
/* links: msad/queue/envelope.c msad/queue/dsn.c msad/queue/durable.c */
/* links: msad/queue/report.c */
/* libs: idn2 */
/*
 * What becomes of failures: reported in one transaction with their states, put
 * off when the disk has no room, at once when the message itself was lost. The
 * spool is played here.
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
#include "msad/queue/durable.h"
#include "msad/queue/outcome.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"

#define NOW	1000000

static struct conf	 conf;
static char		*report;	/* what was written */
static bool		 full;
static unsigned int	 nbegun, nupdates;
static struct rcpt_record last_update;	/* of one recipient's state */
static bool		 removes;
static spool_done	 txn_done, update_done[8];
static void		*txn_arg, *update_arg[8];
static unsigned int	 nunder_way;	/* updates */

struct conf *
child_conf(void)
{
	return &conf;
}

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	assert_int_equal(flags, SPOOL_TXN_RESERVE);
	nbegun++;
	return full ? NULL : (struct spool_txn *)&nbegun;
}

enum spool_result
spool_txn_message(struct spool_txn *t, struct spool_message *sm,
    const void *env, size_t envlen, const void *prefix, size_t prefixlen)
{
	(void)t;
	(void)sm;
	(void)env;
	(void)envlen;
	(void)prefix;
	(void)prefixlen;
	return SPOOL_OK;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	(void)t;
	(void)id;
	(void)key;
	assert_int_equal(rcpt_record_decode(p, len, &last_update), 0);
	nupdates++;
	return SPOOL_OK;
}

enum spool_result
spool_txn_remove(struct spool_txn *t, uint64_t id)
{
	(void)t;
	(void)id;
	removes = true;
	return SPOOL_OK;
}

void
spool_txn_abort(struct spool_txn *t)
{
	(void)t;
}

void
spool_txn_commit(struct spool_txn *t, spool_done done, void *arg)
{
	(void)t;
	txn_done = done;
	txn_arg = arg;
}

struct spool_message *
spool_message_begin(struct spool *sp, int flags, enum spool_result *result)
{
	(void)sp;
	assert_int_equal(flags, SPOOL_MESSAGE_RESERVE);
	*result = SPOOL_OK;
	return (struct spool_message *)&nbegun;
}

uint64_t
spool_message_id(const struct spool_message *sm)
{
	(void)sm;
	return 77;
}

enum spool_result
spool_message_append(struct spool_message *sm, const void *p, size_t len)
{
	(void)sm;
	free(report);
	assert_non_null(report = strndup(p, len));
	return SPOOL_OK;
}

void
spool_message_abort(struct spool_message *sm)
{
	(void)sm;
}

enum spool_result
spool_content_open(struct spool *sp, uint64_t id, struct spool_content *c)
{
	(void)sp;
	(void)id;
	(void)c;
	return SPOOL_CORRUPT;
}

ssize_t
spool_content_read(const struct spool_content *c, uint64_t off, void *p,
    size_t len)
{
	(void)c;
	(void)off;
	(void)p;
	(void)len;
	return -1;
}

void
spool_content_close(struct spool_content *c)
{
	(void)c;
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **p,
    size_t *len)
{
	(void)sp;
	(void)id;
	(void)key;
	*p = NULL;
	*len = 0;
	return SPOOL_NOENT;
}

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t len, spool_done done, void *arg)
{
	(void)sp;
	(void)id;
	(void)key;
	assert_int_equal(rcpt_record_decode(p, len, &last_update), 0);
	assert_true(nunder_way < 8);
	update_done[nunder_way] = done;
	update_arg[nunder_way++] = arg;
}

void
spool_remove(struct spool *sp, uint64_t id, spool_done done, void *arg)
{
	(void)sp;
	(void)id;
	(void)done;
	(void)arg;
	fail();
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

static void
updates_end(enum spool_result result)
{
	unsigned int	i;

	for (i = 0; i < nunder_way; i++)
		update_done[i](update_arg[i], result);
	nunder_way = 0;
}

static int
send_stub(struct dest *d, struct message *m, time_t now, bool probe)
{
	(void)d;
	(void)m;
	(void)now;
	(void)probe;
	return 0;
}

static const char	*notify;	/* parameters of both recipients */

static struct message *
message(uint64_t id)
{
	struct envelope	 e = { .user = SLICE_STR("u"), .relay = SLICE_STR("r"),
		.tenant = SLICE_STR(""), .auth = SLICE_STR(""),
		.mech = SLICE_STR(""), .sender = SLICE_STR("u@x.example"),
		.msgid = SLICE_STR("") };
	struct slice	 rcpts[] = { SLICE_STR("a@x"), SLICE_STR("b@x") };
	struct slice	 params[2];
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	e.arrival = NOW;
	params[0] = params[1] = SLICE_STR(notify);
	p = envelope_encode(&e, rcpts, params, 2, &len);
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, 10, &e));
	free(p);
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	return m;
}

static int
setup(void **state)
{
	(void)state;
	schedule_dest("r")->known = true;
	schedule_dest("r")->expire = 3600;
	full = removes = false;
	nbegun = nupdates = 0;
	txn_done = NULL;
	notify = "";
	return 0;
}

static int
teardown(void **state)
{
	struct message	*m;

	(void)state;
	updates_end(SPOOL_OK);
	free(report);
	report = NULL;
	while ((m = index_after(0)) != NULL) {
		schedule_remove(m);
		index_remove(m);
		message_free(m);
	}
	return 0;
}

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
	assert_non_null(index_find(77));
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

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(lost_text_is_reported), T(report_without_room),
		T(reported_states_stay), T(success_is_reported),
		T(success_is_passed_on), T(owed_after_a_crash),
		T(success_without_room), T(delay_is_reported_once),
		T(failure_that_nobody_wants),
	};

	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	schedule_init(send_stub, outcome_expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
