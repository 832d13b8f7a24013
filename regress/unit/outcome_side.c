/* See outcome_side.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "history_none.h"
#include "regress/unit/outcome_side.h"

struct conf	 conf;
char		*report;
bool		 full, removes;
unsigned int	 nbegun, nupdates, nunder_way;
struct rcpt_record last_update;
spool_done	 txn_done;
void		*txn_arg;
const char	*notify;
static spool_done update_done[8];
static void	*update_arg[8];

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
	return REPORT_ID;
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

void
updates_end(enum spool_result result)
{
	unsigned int	i;

	for (i = 0; i < nunder_way; i++)
		update_done[i](update_arg[i], result);
	nunder_way = 0;
}

int
send_stub(struct dest *d, struct message *m, time_t now, bool probe)
{
	(void)d;
	(void)m;
	(void)now;
	(void)probe;
	return 0;
}

struct message *
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

int
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

int
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

void
drop_report(void)
{
	struct message	*m = index_find(REPORT_ID);

	assert_non_null(m);
	schedule_remove(m);
	index_remove(m);
	message_free(m);
}
