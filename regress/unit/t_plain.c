/* SASL PLAIN, names and passwords, slowness of failures. */
/* links: msad/auth/plain.c msad/auth/sasl_text.c msad/auth/throttle.c */
/* links: msad/auth/exchange.c msad/auth/credential.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "msad/auth/plain.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/throttle.h"

/* A literal with NULs in it. */
#define OCTETS(s)	SLICE((s), sizeof(s) - 1)

static bool
parses(struct slice message, const char *user, const char *password)
{
	const char	*reason = "unset";
	struct slice	 u, p;
	char		*copy = test_malloc(message.len + 1);
	bool		 ok;

	/* Exactly as long, so that a sanitizer sees a read past the end. */
	memcpy(copy + 1, message.p, message.len);
	ok = plain_parse(SLICE(copy + 1, message.len), &u, &p, &reason) == 0;
	if (ok) {
		assert_null(reason);
		assert_true(slice_is(u, user));
		assert_true(slice_is(p, password));
	} else
		assert_non_null(reason);
	test_free(copy);
	return ok;
}

/* [authzid] NUL authcid NUL passwd with parts of so many octets. */
static struct slice
long_message(size_t authzid, size_t authcid, size_t passwd)
{
	static char	 buf[4096];
	char		*p = buf;

	memset(p, 'u', authzid);
	p += authzid;
	*p++ = '\0';
	memset(p, 'u', authcid);
	p += authcid;
	*p++ = '\0';
	memset(p, 'p', passwd);
	p += passwd;
	return SLICE(buf, p - buf);
}

/* R4616-2-a */
static void
plain_good(void **state)
{
	const char	*reason;
	struct slice	 u, p;

	(void)state;
	assert_true(parses(OCTETS("\0ann\0secret"), "ann", "secret"));
	assert_true(parses(OCTETS("ann\0ann\0secret"), "ann", "secret"));
	assert_true(parses(OCTETS("\0ann@example.org\0a b\tc"),
	    "ann@example.org", "a b\tc"));
	assert_true(parses(OCTETS("\0j\303\274rgen\0\342\202\254"),
	    "j\303\274rgen", "\342\202\254"));
	assert_int_equal(plain_parse(long_message(255, 255, 255), &u, &p,
	    &reason), 0);
	assert_int_equal(u.len, 255);
	assert_int_equal(p.len, 255);
	assert_int_equal(plain_parse(long_message(0, 255, 1024), &u, &p,
	    &reason), 0);
}

/* R4616-2-a: another's name; R4616-2-b */
static void
plain_bad(void **state)
{
	const char	*reason;
	struct slice	 u, p;

	(void)state;
	assert_false(parses(OCTETS("bob\0ann\0secret"), "", ""));
	assert_false(parses(OCTETS("an\0ann\0secret"), "", ""));
	assert_false(parses(OCTETS(""), "", ""));
	assert_false(parses(OCTETS("\0"), "", ""));
	assert_false(parses(OCTETS("\0\0"), "", ""));
	assert_false(parses(OCTETS("ann"), "", ""));
	assert_false(parses(OCTETS("ann\0secret"), "", ""));
	assert_false(parses(OCTETS("\0ann\0secret\0"), "", ""));
	assert_false(parses(OCTETS("\0ann\0sec\0ret"), "", ""));
	assert_false(parses(OCTETS("\0\0secret"), "", ""));
	assert_false(parses(OCTETS("\0ann\0"), "", ""));
	assert_false(parses(OCTETS("\0ann\0secr\377t"), "", ""));
	assert_false(parses(OCTETS("\0a\300nn\0secret"), "", ""));
	assert_false(parses(OCTETS("\300\0ann\0secret"), "", ""));
	assert_int_equal(plain_parse(long_message(0, 256, 8), &u, &p,
	    &reason), -1);
	assert_int_equal(plain_parse(long_message(0, 8, 1025), &u, &p,
	    &reason), -1);
}

/* R4954-4-j, X-utf8-1 */
static void
names(void **state)
{
	static const char *const good[] = {
		"a", "ann", "ann smith", "ann+tag@example.org", "-", "~",
		"\303\251", "\344\270\255\346\226\207", "\360\237\231\202"
	};
	static const char *const bad[] = {
		"", "a\nb", "a\rb", "\t", "\x01", "\x7f", "a/b", "../../etc",
		"\302\200", "\302\205",		/* C1 */
		"\302\240",			/* no-break space */
		"\302\255",			/* soft hyphen, maps to "" */
		"\342\200\213",			/* zero width space */
		"\342\200\256ann",		/* right-to-left override */
		"\357\273\277ann",		/* byte order mark */
		"\356\200\200",			/* private use */
		"\357\277\275", "\357\277\276",	/* U+FFFD, U+FFFE */
		"\363\240\201\201",		/* a tag */
		"\300\257", "\340\200\257", "\301\201",	/* overlong */
		"\355\240\200",			/* surrogate */
		"\364\220\200\200",		/* over U+10FFFF */
		"\200", "ann\303", "ann\342\202", "\360\237\231", "\370"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!sasl_name_ok(SLICE_STR(good[i])))
			fail_msg("refused: %zu %s", i, good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sasl_name_ok(SLICE_STR(bad[i])))
			fail_msg("taken: %zu %s", i, bad[i]);
	assert_false(sasl_name_ok(OCTETS("a\0b")));
}

static void
passwords(void **state)
{
	char	 octets[SASL_PASSWORD_MAX + 1];

	memset(octets, 0xe4, sizeof(octets));
	(void)state;
	assert_true(sasl_password_ok(SLICE_STR("/\x01\x7f\302\255")));
	assert_false(sasl_password_ok(SLICE_STR("")));
	assert_false(sasl_password_ok(OCTETS("a\0b")));
	assert_false(sasl_password_ok(SLICE_STR("\377")));
	/* LOGIN says nothing of UTF-8. */
	assert_true(sasl_octets_ok(SLICE_STR("p\344ss:w\366rd \377")));
	assert_true(sasl_octets_ok(SLICE(octets, SASL_PASSWORD_MAX)));
	assert_false(sasl_octets_ok(SLICE(octets, SASL_PASSWORD_MAX + 1)));
	assert_false(sasl_octets_ok(SLICE_STR("")));
	assert_false(sasl_octets_ok(OCTETS("a\0b")));
}

/* R4954-9-a, R4954-6-a */
static void
slowness(void **state)
{
	unsigned int	 i, ms, before = 0;

	(void)state;
	for (i = 1; i <= 100; i++) {
		ms = throttle_answer_ms(i, 1000, 0);
		assert_true(ms >= 1000);
		assert_true(ms > before || ms == THROTTLE_MAX_MS);
		before = ms;
	}
	assert_int_equal(before, THROTTLE_MAX_MS);
	assert_int_equal(throttle_answer_ms(UINT32_MAX, 1000, 0),
	    THROTTLE_MAX_MS);
	assert_int_equal(throttle_answer_ms(UINT32_MAX, 0, 0), 0);
	assert_int_equal(throttle_answer_ms(1, 1000, 2500000), 2500);
	assert_int_equal(throttle_answer_ms(3, 1000, 2500000), 3000);
	assert_int_equal(throttle_answer_ms(1, 1000, UINT32_MAX),
	    THROTTLE_MAX_MS);

	assert_int_equal(throttle_remaining_ms(2000, 0), 2000);
	assert_int_equal(throttle_remaining_ms(2000, 24), 1976);
	assert_int_equal(throttle_remaining_ms(2000, 2000), 0);
	assert_int_equal(throttle_remaining_ms(2000, INT64_MAX), 0);
	assert_int_equal(throttle_remaining_ms(2000, -5), 2000);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(plain_good),
		cmocka_unit_test(plain_bad),
		cmocka_unit_test(names),
		cmocka_unit_test(passwords),
		cmocka_unit_test(slowness)
	};

	return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}
