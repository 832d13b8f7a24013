/* links: msad/queue/kept_record.c */
/* links: msad/queue/rules.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Fuzz: what is found in the spool as a rule, and mail held against it. What is
 * read is written back alike.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/registers.h"
#include "msad/queue/rules.h"
#include "msad/queue/spool.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static spool_done	 done;
static void		*done_arg;

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	(void)flags;
	return (struct spool_txn *)&done;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	(void)t;
	(void)key;
	(void)p;
	if (id != REGISTER_RULES || len != 0)
		abort();
	return SPOOL_OK;
}

void
spool_txn_abort(struct spool_txn *t)
{
	(void)t;
}

void
spool_txn_commit(struct spool_txn *t, spool_done fn, void *arg)
{
	(void)t;
	done = fn;
	done_arg = arg;
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

static void
on_done(void *arg, const char *error)
{
	(void)arg;
	(void)error;
}

static const char *
rcpt(const void *arg, uint32_t i)
{
	static const char *const	list[] = { "a@x.example",
		"\303\274@b\303\274cher.example", "\"a@b\"@[192.0.2.1]" };

	(void)arg;
	return list[i];
}

static void
match(void)
{
	struct rules_mail	m = { 1, 2, "ann", "acme", "ann@example.org",
		"smart", 1000, false };
	char			text[RULE_TEXT_MAX];
	uint32_t		i, held;

	rules_at_mail(&m, text);
	for (i = 0; i < 3; i++)
		rules_at_rcpt(&m, rcpt(NULL, i), text);
	m.whole = true;
	rules_at_end(&m, rcpt, NULL, 3, &held, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rule_record	r;
	uint8_t			buf[RULE_RECORD_MAX];
	uint32_t		gone;

	if (rule_record_decode(data, n, &r) == -1)
		return 0;
	if (rule_record_encode(&r, buf) != n || memcmp(buf, data, n) != 0)
		abort();
	rules_recover(REGISTER_RULES, data[2], data, n);
	match();
	if (rules_remove(0, 0, on_done, NULL, &gone) != NULL)
		abort();
	if (gone > 0)
		done(done_arg, SPOOL_OK);
	return 0;
}
