/* links: msad/queue/outcome.c msad/queue/schedule.c msad/queue/index.c */
/* links: msad/queue/envelope.c msad/queue/dsn.c msad/queue/durable.c */
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
#include "msad/queue/durable.h"
#include "msad/queue/outcome.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"

#define NOW	1000000

static struct conf	 conf;
static char		*report;	/* what was written */
static bool		 full;
static unsigned int	 nbegun;
static spool_done	 txn_done, update_done;
static void		*txn_arg, *update_arg;

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
	(void)p;
	(void)len;
	return SPOOL_OK;
}

enum spool_result
spool_txn_remove(struct spool_txn *t, uint64_t id)
{
	(void)t;
	(void)id;
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
	(void)p;
	(void)len;
	update_done = done;
	update_arg = arg;
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

static int
send_stub(struct dest *d, struct message *m, time_t now, bool probe)
{
	(void)d;
	(void)m;
	(void)now;
	(void)probe;
	return 0;
}

static struct message *
message(uint64_t id)
{
	struct envelope	 e = { .user = SLICE_STR("u"), .relay = SLICE_STR("r"),
		.tenant = SLICE_STR(""), .auth = SLICE_STR(""),
		.mech = SLICE_STR(""), .sender = SLICE_STR("u@x.example"),
		.msgid = SLICE_STR("") };
	struct slice	 rcpts[] = { SLICE_STR("a@x"), SLICE_STR("b@x") };
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	e.arrival = NOW;
	p = envelope_encode(&e, rcpts, 2, &len);
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
	full = false;
	nbegun = 0;
	txn_done = NULL;
	return 0;
}

static int
teardown(void **state)
{
	struct message	*m;

	(void)state;
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
	update_done(update_arg, SPOOL_IO);
	assert_int_equal(durable_pending(), 0);
	txn_done(txn_arg, SPOOL_OK);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(lost_text_is_reported), T(report_without_room),
		T(reported_states_stay),
	};

	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	schedule_init(send_stub, outcome_expire);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
