/* links: msad/queue/kept_record.c */
/* links: msad/queue/rules.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Rules for mail still to come: what is refused when, what is held, and that
 * they outlive a restart and end by themselves. The spool is played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kept_spool.h"
#include "msad/queue/registers.h"
#include "msad/queue/rules.h"

#define NOW	1000000
#define MIB	(UINT64_C(1) << 20)

static char	text[RULE_TEXT_MAX];

static const char *
add(enum rule_action action, const char *selection, const char *reason,
    uint64_t until, uint32_t *number)
{
	struct rule_record	r = { action, 0, 7, NOW, until,
		SLICE_STR(reason), SLICE_STR(selection) };

	return rules_add(&r, on_answer, NULL, number);
}

/* It is there, and durable. */
static uint32_t
added(enum rule_action action, const char *selection, const char *reason)
{
	uint32_t	n = 0;

	assert_null(add(action, selection, reason, 0, &n));
	disk_answer(SPOOL_OK);
	assert_string_equal(answered, "ok");
	assert_true(n > 0);
	return n;
}

static struct rules_mail
mail(uint64_t size, bool whole)
{
	return (struct rules_mail){ 1, 2, "ann", "acme", "ann@example.org",
		"smart", size, whole };
}

static bool
at_mail(uint64_t size)
{
	struct rules_mail	m = mail(size, false);

	text[0] = '\0';
	return rules_at_mail(&m, text) == VERDICT_OK;
}

static bool
at_rcpt(const char *addr)
{
	struct rules_mail	m = mail(0, false);

	text[0] = '\0';
	return rules_at_rcpt(&m, addr, text) == VERDICT_OK;
}

static const char *
one_of(const void *arg, uint32_t i)
{
	const char *const	*list = arg;

	return list[i];
}

/* With these two recipients; the rule that holds it. */
static bool
at_end(uint64_t size, const char *a, const char *b, uint32_t *held)
{
	const char		*list[] = { a, b };
	struct rules_mail	 m = mail(size, true);

	text[0] = '\0';
	return rules_at_end(&m, one_of, list, b == NULL ? 1 : 2, held, text) ==
	    VERDICT_OK;
}

static int
setup(void **state)
{
	(void)state;
	nanswers = 0;
	answered[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(rules_remove(0, 7, on_answer, NULL, &n));
	if (n > 0)
		disk_answer(SPOOL_OK);
	assert_int_equal(ntxns, 0);
	assert_int_equal(disk_count(), 0);
	return 0;
}

static void
as_early_as_it_can_be_told(void **state)
{
	uint32_t	held;

	(void)state;
	added(RULE_REJECT, "user ann\nfrom *@example.org", "Away with it");
	assert_false(at_mail(0));
	assert_string_equal(text, "Away with it");
	assert_int_equal(teardown(NULL), 0);

	added(RULE_REJECT, "tenant acme\ndomain evil.example", "");
	assert_true(at_mail(0));
	assert_true(at_rcpt("a@good.example"));
	assert_false(at_rcpt("a@Evil.Example"));
	assert_string_equal(text, "Mail like this is not accepted at present");
	assert_true(at_end(10, "a@good.example", NULL, &held));
	assert_int_equal(teardown(NULL), 0);

	added(RULE_REJECT, "relay smart\nsize 1M", "");
	assert_true(at_mail(0));
	assert_true(at_mail(MIB - 1));
	assert_false(at_mail(MIB));
	assert_true(at_end(MIB - 1, "a@x.example", NULL, &held));
	assert_false(at_end(MIB, "a@x.example", NULL, &held));
	assert_int_equal(teardown(NULL), 0);

	/* what MAIL says of its size may be too small */
	added(RULE_REJECT, "size <1M", "");
	assert_true(at_mail(100));
	assert_false(at_end(100, "a@x.example", NULL, &held));
	assert_true(at_end(MIB, "a@x.example", NULL, &held));
	assert_int_equal(teardown(NULL), 0);

	added(RULE_REJECT, "all", "");
	assert_false(at_mail(0));
}

/* A size that is known too late refuses it for all its recipients. */
static void
size_and_recipient(void **state)
{
	struct rules_mail	m = mail(2 * MIB, false);
	uint32_t		held;

	(void)state;
	added(RULE_REJECT, "size 1M\nto bob@*", "");
	assert_true(at_mail(2 * MIB));
	assert_true(at_rcpt("bob@x.example"));
	assert_int_equal(rules_at_rcpt(&m, "bob@x.example", text),
	    VERDICT_RULE);
	assert_int_equal(rules_at_rcpt(&m, "eve@x.example", text), VERDICT_OK);
	assert_true(at_end(2 * MIB, "eve@x.example", "eve@y.example", &held));
	assert_false(at_end(2 * MIB, "eve@x.example", "bob@x.example",
	    &held));
}

static void
terms(void **state)
{
	(void)state;
	/* of one key one, of several keys all */
	added(RULE_REJECT, "user eve\nuser ann\nrelay other", "");
	assert_true(at_mail(0));
	added(RULE_REJECT, "user eve\nuser ann\nrelay s*", "");
	assert_false(at_mail(0));
	assert_int_equal(teardown(NULL), 0);
	/* to and domain are of one recipient */
	added(RULE_REJECT, "to a@*\ndomain x.example", "");
	assert_true(at_rcpt("a@y.example"));
	assert_true(at_rcpt("b@x.example"));
	assert_false(at_rcpt("a@x.example"));
	assert_int_equal(teardown(NULL), 0);
	/* users are as they are */
	added(RULE_REJECT, "user Ann", "");
	assert_true(at_mail(0));
}

/* Written in either form a domain is the same. */
static void
domains_of_other_scripts(void **state)
{
	(void)state;
	added(RULE_REJECT, "domain b\303\274cher.example", "");
	assert_false(at_rcpt("a@b\303\274cher.example"));
	assert_false(at_rcpt("a@xn--bcher-kva.example"));
	assert_false(at_rcpt("a@XN--bcher-KVA.example"));
	assert_false(at_rcpt("\303\274@b\303\274cher.example"));
	assert_true(at_rcpt("a@bucher.example"));
	assert_int_equal(teardown(NULL), 0);
	added(RULE_REJECT, "domain xn--bcher-kva.example", "");
	assert_false(at_rcpt("a@b\303\274cher.example"));
	assert_int_equal(teardown(NULL), 0);
	added(RULE_REJECT, "to a@b\303\274cher.example", "");
	assert_false(at_rcpt("a@b\303\274cher.example"));
	assert_false(at_rcpt("a@xn--bcher-kva.example"));
	assert_true(at_rcpt("b@xn--bcher-kva.example"));
}

static void
holding(void **state)
{
	uint32_t	held, a, b;

	(void)state;
	a = added(RULE_HOLD, "domain x.example", "To be looked at");
	b = added(RULE_HOLD, "user ann", "");
	assert_true(at_mail(0));
	assert_true(at_rcpt("a@x.example"));
	/* the first of them, by any of its recipients */
	assert_true(at_end(5, "a@y.example", "a@x.example", &held));
	assert_int_equal(held, a);
	assert_string_equal(text, "To be looked at");
	assert_true(at_end(5, "a@y.example", NULL, &held));
	assert_int_equal(held, b);
	/* one that rejects goes before */
	added(RULE_REJECT, "size 1", "");
	assert_false(at_end(5, "a@y.example", NULL, &held));
	assert_int_equal(held, 0);
}

static void
not_a_rule(void **state)
{
	char		long_reason[RULE_REASON_MAX + 2];
	uint32_t	n;

	(void)state;
	memset(long_reason, 'x', sizeof(long_reason));
	long_reason[sizeof(long_reason) - 1] = '\0';
	assert_string_equal(add(RULE_REJECT, "age 1h", "", 0, &n),
	    "a rule cannot select by age: mail still to come has none");
	assert_non_null(add(RULE_REJECT, "user ann\nstate held", "", 0, &n));
	assert_non_null(add(RULE_REJECT, "id 1a", "", 0, &n));
	assert_non_null(add(RULE_REJECT, "error x", "", 0, &n));
	assert_non_null(add(RULE_REJECT, "", "", 0, &n));
	assert_non_null(add(RULE_REJECT, "users ann", "", 0, &n));
	assert_non_null(add(RULE_REJECT, "user ann", long_reason, 0, &n));
	/* a reason stands in a reply: one line of ASCII */
	assert_non_null(add(RULE_REJECT, "user ann", "a\r\nb", 0, &n));
	assert_non_null(add(RULE_REJECT, "user ann", "\303\274", 0, &n));
	assert_int_equal(ntxns, 0);
	no_txn = true;
	assert_non_null(add(RULE_REJECT, "user ann", "", 0, &n));
	no_txn = false;
	assert_true(at_mail(0));
}

struct seen {
	unsigned int	n;
	uint32_t	number;
	uint64_t	hits;
	char		selection[64], reason[64];
};

static void
see(void *arg, const struct rule_record *r, uint64_t hits)
{
	struct seen	*s = arg;

	assert_true(r->number > s->number);
	s->n++;
	s->number = r->number;
	s->hits = hits;
	snprintf(s->selection, sizeof(s->selection), "%.*s",
	    SLICE_FMT(r->selection));
	snprintf(s->reason, sizeof(s->reason), "%.*s", SLICE_FMT(r->reason));
}

/* P8: what msactl says is done is on the disk, and in force. */
static void
durable_first(void **state)
{
	struct seen	s = { 0 };
	uint32_t	n, gone;

	(void)state;
	assert_null(add(RULE_REJECT, "user ann", "", 0, &n));
	assert_true(at_mail(0));
	assert_int_equal(nanswers, 0);
	disk_answer(SPOOL_OK);
	assert_int_equal(nanswers, 1);
	assert_int_equal(disk_register, REGISTER_RULES);
	assert_false(at_mail(0));
	assert_null(rules_remove(n, 7, on_answer, NULL, &gone));
	assert_int_equal(gone, 1);
	assert_false(at_mail(0));
	/* it is going already */
	assert_null(rules_remove(n, 7, on_answer, NULL, &gone));
	assert_int_equal(gone, 0);
	disk_answer(SPOOL_IO);
	assert_string_equal(answered, "the disk failed");
	assert_false(at_mail(0));
	assert_null(rules_remove(n, 7, on_answer, NULL, &gone));
	disk_answer(SPOOL_OK);
	assert_true(at_mail(0));
	assert_null(rules_remove(n, 7, on_answer, NULL, &gone));
	assert_int_equal(gone, 0);
	/* one that the disk did not take is none */
	assert_null(add(RULE_REJECT, "user ann", "", 0, &n));
	disk_answer(SPOOL_NOSPACE);
	assert_true(at_mail(0));
	assert_int_equal(rules_each(see, &s), 0);
}

static void
listing(void **state)
{
	struct seen	s = { 0 };
	uint32_t	held, n;

	(void)state;
	added(RULE_REJECT, "user eve", "");
	n = added(RULE_HOLD, "user ann\nsize 10", "why");
	assert_true(at_end(10, "a@x", NULL, &held));
	assert_true(at_end(10, "a@x", NULL, &held));
	assert_true(at_end(9, "a@x", NULL, &held));
	assert_int_equal(rules_each(see, &s), 2);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.number, n);
	assert_int_equal(s.hits, 2);
	assert_string_equal(s.selection, "user ann\nsize 10");
	assert_string_equal(s.reason, "why");
}

static void
until_then(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(RULE_REJECT, "user ann", "", NOW + 10, &n));
	disk_answer(SPOOL_OK);
	rules_tick(NOW + 9);
	assert_false(at_mail(0));
	rules_tick(NOW + 10);
	assert_true(at_mail(0));
	assert_int_equal(ntxns, 1);
	disk_answer(SPOOL_IO);
	rules_tick(NOW + 11);
	disk_answer(SPOOL_OK);
	assert_int_equal(disk_count(), 0);
}

static void
restart(void **state)
{
	struct rule_record	r = { RULE_REJECT, 5000, 7, NOW, 0,
		SLICE_STR("no"), SLICE_STR("user ann") };
	uint8_t			buf[RULE_RECORD_MAX];
	size_t			n;

	(void)state;
	n = rule_record_encode(&r, buf);
	assert_false(rules_recover(REGISTER_PAUSES, 3, buf, n));
	assert_true(rules_recover(REGISTER_RULES, 3, buf, n));
	assert_true(rules_recover(REGISTER_RULES, 4, "", 0));
	assert_true(rules_recover(REGISTER_RULES, 5, buf, n - 1));
	assert_true(rules_recover(REGISTER_RULES, KEPT_MAX, buf, n));
	r.selection = SLICE_STR("age 1h");	/* none of ours */
	n = rule_record_encode(&r, buf);
	assert_true(rules_recover(REGISTER_RULES, 6, buf, n));
	assert_false(at_mail(0));
	assert_string_equal(text, "no");
	/* numbers go on behind */
	assert_true(added(RULE_HOLD, "all", "") > 5000);
}

static void
records(void **state)
{
	struct rule_record	r = { RULE_HOLD, 12, 501, NOW, NOW + 5,
		SLICE_STR("why"), SLICE_STR("user ann") }, back;
	uint8_t			buf[RULE_RECORD_MAX + 1];
	size_t			n, i;

	(void)state;
	n = rule_record_encode(&r, buf);
	assert_int_equal(rule_record_decode(buf, n, &back), 0);
	assert_int_equal(back.action, RULE_HOLD);
	assert_int_equal(back.number, 12);
	assert_int_equal(back.uid, 501);
	assert_int_equal(back.since, NOW);
	assert_int_equal(back.until, NOW + 5);
	assert_true(slice_is(back.reason, "why"));
	assert_true(slice_is(back.selection, "user ann"));
	for (i = 0; i < n; i++)
		assert_int_equal(rule_record_decode(buf, i, &back), -1);
	buf[n] = 0;
	assert_int_equal(rule_record_decode(buf, n + 1, &back), -1);
	buf[1] = 3;
	assert_int_equal(rule_record_decode(buf, n, &back), -1);
	/* the largest fits into a state */
	assert_true(RULE_RECORD_MAX <= SPOOL_STATE_MAX);
}

/* As many as there may be: a message costs some microseconds. */
static void
many(void **state)
{
	struct timespec	a, b;
	char		selection[128];
	uint32_t	n, held;
	int		i;

	(void)state;
	for (i = 0; i < KEPT_MAX; i++) {
		snprintf(selection, sizeof(selection), "%s%d\n%s%d.example",
		    i % 4 == 0 ? "from *@other" : "user u", i,
		    i % 2 == 0 ? "domain d" : "to *@d", i);
		added(i % 3 == 0 ? RULE_HOLD : RULE_REJECT, selection, "");
	}
	assert_non_null(add(RULE_HOLD, "all", "", 0, &n));
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 1000; i++) {
		assert_true(at_mail(0));
		assert_true(at_rcpt("bob@somewhere.example"));
		assert_true(at_end(10, "bob@somewhere.example", NULL, &held));
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("# %d rules: %.1f us a message\n", KEPT_MAX,
	    ((double)(b.tv_sec - a.tv_sec) * 1e9 +
	    (double)(b.tv_nsec - a.tv_nsec)) / 1e6);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(as_early_as_it_can_be_told,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(size_and_recipient, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(terms, setup, teardown),
		cmocka_unit_test_setup_teardown(domains_of_other_scripts,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(holding, setup, teardown),
		cmocka_unit_test_setup_teardown(not_a_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(durable_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(listing, setup, teardown),
		cmocka_unit_test_setup_teardown(until_then, setup, teardown),
		cmocka_unit_test_setup_teardown(restart, setup, teardown),
		cmocka_unit_test_setup_teardown(records, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};
	int			failed;

	rules_init(NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	disk_clear();
	return failed;
}
