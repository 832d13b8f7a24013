/*
 * Selections: each key, what is refused and how it is said, patterns, bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/selection.h"

static struct selection	sel;
static char		err[256];

static void
parse(const char *text)
{
	selection_free(&sel);
	if (selection_parse(&sel, SLICE_STR(text), err, sizeof(err)) == -1)
		fail_msg("%s: %s", text, err);
}

static void
refused(const char *text, const char *why)
{
	selection_free(&sel);
	if (selection_parse(&sel, SLICE_STR(text), err, sizeof(err)) == 0)
		fail_msg("%s is taken", text);
	if (strstr(err, why) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err, why);
	assert_null(sel.terms);
	assert_int_equal(sel.nterms, 0);
}

static bool
text(const char *t, enum selection_key key, const char *value)
{
	parse(t);
	return selection_text(&sel, key, value);
}

static bool
number(const char *t, enum selection_key key, uint64_t n)
{
	parse(t);
	return selection_number(&sel, key, n);
}

static bool
rcpt(const char *t, const char *addr)
{
	parse(t);
	return selection_rcpt(&sel, addr);
}

static void
t_all(void **state)
{
	(void)state;
	parse("all");
	assert_true(sel.all);
	assert_int_equal(sel.nterms, 0);
	assert_true(selection_text(&sel, SELECTION_USER, "u"));
	assert_true(selection_rcpt(&sel, "a@b"));
	assert_true(selection_number(&sel, SELECTION_AGE, 0));
	assert_true(selection_states(&sel, 0));
	refused("", "say \"all\"");
	refused("all\nuser x", "all stands alone");
	refused("user x\nall", "all stands alone");
	refused("all x", "all stands alone");
	refused("all\n", "all stands alone");
}

static void
t_names(void **state)
{
	int	k;

	(void)state;
	for (k = 0; k < SELECTION_KEYS; k++)
		assert_int_equal(selection_key_find(
		    selection_key_name((enum selection_key)k)), k);
	assert_int_equal(selection_key_find("all"), -1);
	assert_int_equal(selection_key_find(""), -1);
	assert_string_equal(selection_key_name(SELECTION_KEYS), "");
}

static void
t_ids(void **state)
{
	(void)state;
	assert_true(number("id 1a2B000003", SELECTION_ID, 0x1a2b000003));
	assert_false(number("id 1a2b000003", SELECTION_ID, 0x1a2b000004));
	assert_true(number("id ffffffffffffffff", SELECTION_ID, UINT64_MAX));
	assert_true(number("id 2\nid 1", SELECTION_ID, 2));
	assert_int_equal(sel.terms[0].number, 1);
	assert_int_equal(sel.terms[1].number, 2);
	refused("id 0", "not a message's id");
	refused("id 10000000000000000", "not a message's id");
	refused("id 0x12", "not a message's id");
	refused("id 12 ", "not a message's id");
	refused("id g", "\"id g\": not");
	refused("id -1", "not a message's id");
}

static void
t_texts(void **state)
{
	(void)state;
	assert_true(text("user bob", SELECTION_USER, "bob"));
	assert_false(text("user bob", SELECTION_USER, "Bob"));
	assert_false(text("user bob", SELECTION_USER, "bob2"));
	assert_true(text("user b*b", SELECTION_USER, "bob"));
	assert_true(text("user bob", SELECTION_TENANT, "x"));
	assert_true(text("tenant T 1", SELECTION_TENANT, "T 1"));
	assert_true(text("relay out", SELECTION_RELAY, "out"));
	assert_true(text("relay a\nrelay b", SELECTION_RELAY, "b"));
	assert_false(text("relay a\nrelay b", SELECTION_RELAY, "c"));
	/* case does not count in addresses */
	assert_true(text("from A@B.example", SELECTION_FROM, "a@b.Example"));
	assert_true(text("from <>", SELECTION_FROM, ""));
	assert_false(text("from <>", SELECTION_FROM, "a@b"));
	assert_false(text("from a@b", SELECTION_FROM, ""));
	assert_true(text("from *", SELECTION_FROM, ""));
	assert_true(text("error mailbox FULL", SELECTION_ERROR,
	    "452 4.2.2 Mailbox full, try later"));
	assert_true(text("error 4*full", SELECTION_ERROR,
	    "x 452 4.2.2 Mailbox full, try later"));
	assert_false(text("error full*4", SELECTION_ERROR, "452 full"));
	assert_false(text("error full", SELECTION_ERROR, ""));
	refused("user", "a value is missing");
	refused("user ", "a value is missing");
	refused(" user x", "a key is one of");
	refused("User x", "a key is one of");
	refused("user\tx", "control");
	refused("user x\n", "are expected");
	refused("\nuser x", "are expected");
	refused("user x\n\ntenant y", "are expected");
	refused("user a\x01", "\"user a?\": control");
	refused("user a\x7f", "control");
}

static void
t_rcpts(void **state)
{
	(void)state;
	assert_true(rcpt("to a@b.example", "A@B.Example"));
	assert_false(rcpt("to a@b.example", "c@b.example"));
	assert_true(rcpt("to *@b.example", "x@b.example"));
	assert_true(rcpt("domain B.example", "x@b.EXAMPLE"));
	assert_true(rcpt("domain *.example", "x@b.example"));
	assert_false(rcpt("domain *.example", "x@example"));
	assert_true(rcpt("domain b", "\"a@c\"@b"));
	assert_false(rcpt("domain b", "b"));
	assert_true(rcpt("to postmaster", "postmaster"));
	/* both of one and the same */
	assert_false(rcpt("to a@*\ndomain b", "a@c"));
	assert_true(rcpt("to a@*\ndomain b", "a@b"));
	assert_true(rcpt("user x", "a@b"));
	refused("domain @b.example", "a domain has no @");
}

static void
t_bounds(void **state)
{
	(void)state;
	assert_true(number("age 5m", SELECTION_AGE, 300));
	assert_false(number("age 5m", SELECTION_AGE, 299));
	assert_true(number("age <5m", SELECTION_AGE, 299));
	assert_false(number("age <5m", SELECTION_AGE, 300));
	assert_true(number("age 1s", SELECTION_AGE, 1));
	assert_true(number("age 2h", SELECTION_AGE, 7200));
	assert_true(number("age 2d", SELECTION_AGE, 172800));
	assert_false(number("age 1w", SELECTION_AGE, 604799));
	/* all of age and size must hold */
	assert_true(number("age 1h\nage <2h", SELECTION_AGE, 5000));
	assert_false(number("age 1h\nage <2h", SELECTION_AGE, 8000));
	assert_false(number("age 1h\nage <2h", SELECTION_AGE, 100));
	assert_true(number("size 100", SELECTION_SIZE, 100));
	assert_true(number("size <1k", SELECTION_SIZE, 1023));
	assert_false(number("size <1k", SELECTION_SIZE, 1024));
	assert_true(number("size 1K", SELECTION_SIZE, 1024));
	assert_true(number("size 1M", SELECTION_SIZE, 1048576));
	assert_true(number("size 1G", SELECTION_SIZE, 1073741824));
	assert_true(number("size 1G", SELECTION_AGE, 0));
	refused("age 5", "an age is a number and");
	refused("age 5 m", "an age is a number and");
	refused("age m", "an age is a number and");
	refused("age 5x", "an age is a number and");
	refused("age >5m", "an age is a number and");
	refused("age <<5m", "an age is a number and");
	refused("age 99999999999999999999s", "an age is");
	refused("age 9999999999999999999w", "an age is");
	refused("size 1T", "a size is a number");
	refused("size <", "a size is a number");
	refused("size 1kk", "a size is a number");
	refused("size 18446744073709551615k", "a size is a number");
}

static void
t_states(void **state)
{
	static const char *const	list[] = { "state waiting",
		"state deferred", "state inflight", "state held",
		"state future", "state failed" };
	unsigned int			i;

	(void)state;
	for (i = 0; i < SELECTION_STATES; i++) {
		parse(list[i]);
		assert_true(selection_states(&sel, 1U << i));
		assert_false(selection_states(&sel, 0));
		assert_false(selection_states(&sel, ~(1U << i)));
	}
	parse("state held\nstate future");
	assert_true(selection_states(&sel, 1U << SELECTION_FUTURE));
	assert_true(selection_states(&sel, 1U << SELECTION_HELD));
	assert_false(selection_states(&sel, 1U << SELECTION_FAILED));
	refused("state done", "a state is one of");
	refused("state Held", "a state is one of");
}

static void
t_globs(void **state)
{
	static const struct {
		const char	*pattern, *text;
		bool		 fold, want;
	} list[] = {
		{ "", "", false, true }, { "", "a", false, false },
		{ "*", "", false, true }, { "*", "abc", false, true },
		{ "**", "abc", false, true }, { "a*", "abc", false, true },
		{ "*c", "abc", false, true }, { "*b", "abc", false, false },
		{ "a*c", "ac", false, true }, { "a*c", "acc", false, true },
		{ "a*c", "acb", false, false }, { "A*C", "abc", false, false },
		{ "A*C", "abc", true, true },
		{ "*ab*ab*", "xabyab", false, true },
		{ "*ab*ab*", "xab", false, false },
		{ "*aab", "aaaab", false, true },
		{ "a*b*c", "aXbXbXc", false, true },
		{ "*.*.*", "a.b", false, false },
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (selection_glob(list[i].pattern, list[i].text,
		    list[i].fold) != list[i].want)
			fail_msg("%s %s", list[i].pattern, list[i].text);
}

/* Terms of different keys stand beside each other. */
static void
t_combined(void **state)
{
	(void)state;
	parse("user a\ntenant t\nuser b\nsize 10\nage <1h\nstate held");
	assert_int_equal(sel.nterms, 6);
	assert_false(sel.all);
	assert_int_equal(sel.keys, 1U << SELECTION_USER |
	    1U << SELECTION_TENANT | 1U << SELECTION_SIZE |
	    1U << SELECTION_AGE | 1U << SELECTION_STATE);
	assert_true(selection_text(&sel, SELECTION_USER, "b"));
	assert_false(selection_text(&sel, SELECTION_TENANT, "b"));
}

static void
t_limits(void **state)
{
	static char	big[SELECTION_TEXT_MAX + 2];
	size_t		i, n = 0;

	(void)state;
	memset(big, 'x', sizeof(big));
	memcpy(big, "user ", 5);
	big[5 + SELECTION_VALUE_MAX] = '\0';
	parse(big);
	big[5 + SELECTION_VALUE_MAX] = 'x';
	big[5 + SELECTION_VALUE_MAX + 1] = '\0';
	refused(big, "...\": more than 1024 octets");
	big[5 + SELECTION_VALUE_MAX + 1] = 'x';
	big[SELECTION_TEXT_MAX + 1] = '\0';
	refused(big, "more than 8000 octets");
	for (i = 0; i < SELECTION_TERMS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "%sid %zx",
		    i > 0 ? "\n" : "", i + 1);
	parse(big);
	assert_int_equal(sel.nterms, SELECTION_TERMS_MAX);
	snprintf(big + n, sizeof(big) - n, "\nid fff");
	refused(big, "more than 256 terms");
	/* cut, never overrun, whatever the room */
	for (i = 1; i < sizeof(err); i++) {
		memset(err, 'e', sizeof(err));
		assert_int_equal(selection_parse(&sel, SLICE_STR("x y"), err,
		    i), -1);
		assert_true(strlen(err) < i);
	}
	selection_free(&sel);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_all),
		cmocka_unit_test(t_names),
		cmocka_unit_test(t_ids),
		cmocka_unit_test(t_texts),
		cmocka_unit_test(t_rcpts),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_states),
		cmocka_unit_test(t_globs),
		cmocka_unit_test(t_combined),
		cmocka_unit_test(t_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
