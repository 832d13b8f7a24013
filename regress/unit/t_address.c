/* Mailboxes and paths (RFC 5321 section 4.1.2). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"

static struct address
parsed(const char *text)
{
	struct address	a;

	if (address_parse(SLICE_STR(text), &a) != ADDRESS_OK)
		fail_msg("not taken: %s", text);
	return a;
}

static void
t_good(void **state)
{
	static const char *const	good[] = {
		"a@b", "ann@example.org", "a.b+c@x-y.example",
		"!#$%&'*+-/=?^_`{|}~@example.org", "\"a b\"@example.org",
		"\"a\\\"b\"@example.org", "\"\"@example.org",
		"a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a@1.example",
		"a@xn--bcher-kva.example", "\"a@b\"@example.org",
		"\".\"@example.org", "-x@example.org",
	};
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		parsed(good[i]);
}

static void
t_R5321_4_1_2_b(void **state)
{
	static const char *const	bad[] = {
		"", "a", "@", "a@", "@b", "a@b.", "a@.b", "a@b..c", "a@-b",
		"a@b-", "a@b-.c", "a@b_c", "a b@c", "a@b c", ".a@b", "a.@b",
		"a..b@c", "\"a@b", "\"a\"b@c", "a\"b\"@c", "\"a\\\"@b",
		"a@[192.0.2]", "a@[192.0.2.256]", "a@[IPv6:zz]", "a@[]",
		"a@[192.0.2.1", "a@[IPv6:1.2.3.4]", "a\x01@b", "a\x7f@b",
		"\"a\x01\"@b", "\"a\tb\"@c", "a@b@c", "a<@b", "a@b>",
		"\xc3\xa9@b", "a@\xc3\xa9.example", "a@[tag:x]",
	};
	struct address			a;
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse(SLICE_STR(bad[i]), &a) != ADDRESS_BAD)
			fail_msg("taken: \"%s\"", bad[i]);
	assert_int_equal(address_parse(SLICE("a\0b@c", 5), &a), ADDRESS_BAD);
	assert_int_equal(address_parse(SLICE("a@b\0c", 5), &a), ADDRESS_BAD);
}

/* An address with a local part and first label of these lengths. */
static const char *
long_address(size_t local, size_t label, size_t more)
{
	static char	buf[600];
	size_t		n = 0, i;

	for (i = 0; i < local; i++)
		buf[n++] = 'l';
	buf[n++] = '@';
	for (i = 0; i < label; i++)
		buf[n++] = 'd';
	for (i = 0; i < more; i++)
		buf[n++] = i % 50 == 0 ? '.' : 'm';
	buf[n] = '\0';
	return buf;
}

static void
t_R5321_4_5_3_1_a(void **state)
{
	struct address	a;
	struct slice	path;
	char		buf[700];
	size_t		used;

	(void)state;
	parsed(long_address(64, 63, 0));
	assert_int_equal(address_parse(SLICE_STR(long_address(65, 1, 0)), &a),
	    ADDRESS_BAD);
	assert_int_equal(address_parse(SLICE_STR(long_address(1, 64, 0)), &a),
	    ADDRESS_BAD);
	/* 254 octets in brackets are a path of 256. */
	snprintf(buf, sizeof(buf), "<%s>", long_address(64, 60, 129));
	assert_int_equal(strlen(buf), 256);
	assert_int_equal(address_parse_path(SLICE_STR(buf), &a, &path, &used),
	    ADDRESS_OK);
	snprintf(buf, sizeof(buf), "<%s>", long_address(64, 60, 130));
	assert_int_equal(address_parse_path(SLICE_STR(buf), &a, &path, &used),
	    ADDRESS_BAD);
	/* A domain of 255 stands alone, as in EHLO. */
	assert_true(address_domain_ok(SLICE_STR(long_address(0, 55, 200) + 1),
	    false));
	assert_false(address_domain_ok(SLICE_STR(long_address(0, 56, 200) + 1),
	    false));
}

static void
path_is(const char *text, const char *want, size_t want_used)
{
	struct address	a;
	struct slice	path;
	size_t		used = 0;

	if (address_parse_path(SLICE_STR(text), &a, &path, &used) !=
	    ADDRESS_OK)
		fail_msg("not taken: %s", text);
	if (!slice_is(path, want))
		fail_msg("%s gives %.*s", text, SLICE_FMT(path));
	assert_int_equal(used, want_used);
}

static void
t_path(void **state)
{
	static const char *const	bad[] = {
		"", "<", ">", "a@b", "<a@b", "<<a@b>", "< a@b>", "<a@b >",
		"<@a:>", "<@a,b:u@d>", "<@a u@d>", "<@:u@d>", "<@a,:u@d>",
		"<@a", "<@a,", "<postmaster2>", "<@a:postmaster>", "<a>",
	};
	struct address			a;
	struct slice			path;
	size_t				i, used;

	(void)state;
	path_is("<a@b> SIZE=1", "a@b", 5);
	path_is("<\"a>b\"@c>", "\"a>b\"@c", 9);
	path_is("<\"a\\\">b\"@c>x", "\"a\\\">b\"@c", 11);
	/* R5321-3.3-d */
	path_is("<@x.example,@y.example:u@d>", "u@d", 27);
	path_is("<PostMaster>", "PostMaster", 12);	/* R5321-4.5.1-a */
	assert_int_equal(address_parse_path(SLICE_STR("<> X"), &a, &path,
	    &used), ADDRESS_NULL);
	assert_int_equal(used, 2);
	assert_int_equal(path.len, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse_path(SLICE_STR(bad[i]), &a, &path, &used) !=
		    ADDRESS_BAD ||
		    address_parse_path_utf8(SLICE_STR(bad[i]), &a, &path,
		    &used) != ADDRESS_BAD)
			fail_msg("taken: \"%s\"", bad[i]);
}

/* R6531-3.3-a: UTF-8 passes where it is asked for, and well-formed alone. */
static void
t_utf8_path(void **state)
{
	static const char *const	good[] = {
		"<\xc3\xa9@b.example>", "<a@\xc3\xa9.example>",
		"<@\xc3\xa9.example:a@b.example>", "<\"\xc3\xa9>\"@b.example>",
	};
	static const char *const	bad[] = {
		"<\xc3@b.example>", "<a@\xc3.example>", "<\xc2\x85@b.example>",
		"<@\xc3:a@b.example>", "<\"\xc2\x85\"@b.example>",
		"<\"\\\xc3\xa9\"@b.example>", "<@\xc2\x85:a@b.example>",
		"<a@[\xc3\xa9]>",
	};
	struct address			a;
	struct slice			path;
	size_t				i, used;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (address_parse_path_utf8(SLICE_STR(good[i]), &a, &path,
		    &used) != ADDRESS_OK)
			fail_msg("not taken: \"%s\"", good[i]);
		assert_int_equal(used, strlen(good[i]));
		if (i != 2)
			assert_true(slice_eq(path, SLICE(good[i] + 1,
			    used - 2)));
		assert_int_equal(address_parse_path(SLICE_STR(good[i]), &a,
		    &path, &used), ADDRESS_BAD);
		assert_int_equal(used, strlen(good[i]));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse_path_utf8(SLICE_STR(bad[i]), &a, &path,
		    &used) != ADDRESS_BAD)
			fail_msg("taken: \"%s\"", bad[i]);
}

static void
t_R5321_4_1_2_a(void **state)
{
	static const struct {
		const char	*a, *b;
		bool		 equal;
	} pairs[] = {
		{ "ann@example.org", "ann@EXAMPLE.org", true },
		{ "ann@example.org", "Ann@example.org", false },
		{ "\"ann\"@b", "ann@b", true },
		{ "\"a\\nn\"@b", "ann@b", true },
		{ "\"a b\"@c", "\"a\\ b\"@c", true },
		{ "\"a b\"@c", "\"ab\"@c", false },
		{ "a@b", "a@c", false },
		{ "a@b", "aa@b", false },
	};
	struct address	a, b;
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		a = parsed(pairs[i].a);
		b = parsed(pairs[i].b);
		if (address_equal(&a, &b) != pairs[i].equal ||
		    address_equal(&b, &a) != pairs[i].equal)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
	}
}

static void
t_normal(void **state)
{
	static const struct {
		const char	*in, *out;
	} cases[] = {
		{ "\"ann\"@b", "ann@b" },
		{ "\"a\\.b\"@c", "a.b@c" },
		{ "\"a b\"@c", "\"a b\"@c" },
		{ "\"a\\ b\"@c", "\"a b\"@c" },
		{ "\"a\\\"b\"@c", "\"a\\\"b\"@c" },
		{ "\"\\\\\"@c", "\"\\\\\"@c" },
		{ "\"\"@c", "\"\"@c" },
		{ "\"a..b\"@c", "\"a..b\"@c" },
	};
	struct address	a;
	char		buf[300];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a = parsed(cases[i].in);
		assert_int_equal(address_normal(&a, buf, sizeof(buf)),
		    (int)strlen(cases[i].out));
		assert_string_equal(buf, cases[i].out);
	}
	a = parsed("ann@b");
	assert_int_equal(address_normal(&a, buf, 6), 5);
	assert_int_equal(address_normal(&a, buf, 5), -1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_good),
		cmocka_unit_test(t_R5321_4_1_2_b),
		cmocka_unit_test(t_R5321_4_5_3_1_a),
		cmocka_unit_test(t_path),
		cmocka_unit_test(t_utf8_path),
		cmocka_unit_test(t_R5321_4_1_2_a),
		cmocka_unit_test(t_normal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
