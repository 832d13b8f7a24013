/*
 * Domains with U-labels and mailboxes with UTF-8 (RFC 6531, RFC 5890): what is
 * taken, what it becomes, and which two are the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"

#define U	"m\xc3\xbcnchen.example"
#define UD	"mu\xcc\x88nchen.example"	/* decomposed */
#define A	"xn--mnchen-3ya.example"

/* R6531-3.3-a, R6531-3.2-a */
static void
t_to_ascii(void **state)
{
	static const struct {
		const char	*in, *out;	/* out NULL: refused */
	} cases[] = {
		{ U, A }, { UD, A }, { A, A }, { "XN--MNCHEN-3YA.Example", A },
		{ "M\xc3\xbcnchen.EXAMPLE", A },
		{ "example.ORG", "example.org" }, { "x", "x" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" },	/* not "fass" */
		{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80"
		    "\xd1\x84", "xn--e1afmkfd.xn--p1ai" },
		{ "\xe6\x97\xa5\xe6\x9c\xac.jp", "xn--wgv71a.jp" },
		/* a homograph is another domain */
		{ "ex\xd0\xb0mple.org", "xn--exmple-4nf.org" },
		{ "", NULL }, { ".", NULL }, { "a..b", NULL },
		{ "[192.0.2.1]", NULL }, { "a_b.example", NULL },
		{ "m\xc3\xbc_n.example", NULL },
		{ "m\xc3\xbc n.example", NULL },
		{ "-\xc3\xbc.example", NULL }, { "\xc3\xbc-.example", NULL },
		{ "ab--\xc3\xbc.example", NULL }, { "\xc3\xbc..de", NULL },
		{ ".\xc3\xbc", NULL }, { "\xc3\xbc.", NULL },
		{ "xn--0.\xc3\xbc", NULL },	/* no A-label */
		/* capitals, wide letters and dots, what is dropped silently */
		{ "M\xc3\x9cNCHEN.example", NULL },
		{ "\xef\xbd\x85xample.org", NULL },
		{ "m\xc3\xbcn\xe3\x80\x82""de", NULL },
		{ "m\xc3\xbcn\xef\xbc\x8e""de", NULL },
		{ "m\xc3\xbcn\xef\xbd\xa1""de", NULL },
		{ "exa\xc2\xadmple.org", NULL },
		{ "ex\xe2\x80\x8b""ample.org", NULL },
		{ "\xe2\x98\x83.net", NULL }, { "\xef\xac\x81x.de", NULL },
		{ "\xe2\x84\xaa.example", NULL },	/* Kelvin sign */
		{ "1\xd7\x90.example", NULL },		/* RFC 5893 */
		{ "\xcc\x88""a.example", NULL },
		/* not UTF-8, overlong, surrogate, C1, NUL is below */
		{ "m\xfcn.de", NULL }, { "\xc0\xae.de", NULL },
		{ "\xed\xa0\x80.de", NULL }, { "\xc2\x85.de", NULL },
		{ "\xf5\x80\x80\x80.de", NULL }, { "\xc3", NULL },
	};
	char	buf[IDNA_DOMAIN_MAX + 1];
	size_t	i;
	int	n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		n = idna_to_ascii(SLICE_STR(cases[i].in), buf, sizeof(buf));
		if (cases[i].out == NULL ? n != -1 : n == -1 ||
		    strcmp(buf, cases[i].out) != 0 ||
		    (size_t)n != strlen(buf))
			fail_msg("%s: %d %s", cases[i].in, n,
			    n == -1 ? "" : buf);
		assert_int_equal(idna_domain_ok(SLICE_STR(cases[i].in),
		    false), cases[i].out != NULL);
	}
	assert_int_equal(idna_to_ascii(SLICE("\xc3\xbc\0.de", 6), buf,
	    sizeof(buf)), -1);
	assert_true(idna_domain_ok(SLICE_STR("[192.0.2.1]"), true));
	/* Room: with its NUL it fits or it does not. */
	assert_int_equal(idna_to_ascii(SLICE_STR(U), buf, sizeof(A)),
	    sizeof(A) - 1);
	assert_int_equal(idna_to_ascii(SLICE_STR(U), buf, sizeof(A) - 1), -1);
	assert_int_equal(idna_to_ascii(SLICE_STR("ab"), buf, 2), -1);
}

/* Labels of 63 and domains of 255 octets, as given and as A-labels. */
static void
t_bounds(void **state)
{
	struct address	a;
	char		in[600], buf[IDNA_DOMAIN_MAX + 1];
	size_t		i = 0, n;

	(void)state;
	for (n = 0; n < 60; n++) {
		memset(in, 'a', n);
		memcpy(in + n, "\xc3\xbc", 3);
		if (idna_to_ascii(SLICE_STR(in), buf, sizeof(buf)) == -1)
			break;
		i = strlen(buf);
	}
	assert_int_equal(i, 63);
	/* 20 labels, 219 octets of UTF-8: more than 255 as A-labels */
	for (i = 0, n = 0; i < 20; i++) {
		memcpy(in + n, "\xe6\x97\xa5\xc3\xbc""aaaaa.", 11);
		n += 11;
	}
	assert_int_equal(idna_to_ascii(SLICE(in, n - 1), buf, sizeof(buf)),
	    -1);
	assert_true(idna_to_ascii(SLICE(in, 10 * 11 - 1), buf, sizeof(buf)) >
	    109);
	/* an address that is within 254 octets as given alone */
	memset(in, 'l', 64);
	in[64] = '@';
	for (i = 0, n = 65; i < 12; i++) {
		memcpy(in + n, "\xe6\x97\xa5\xc3\xbc""aaa.", 9);
		n += 9;
	}
	assert_int_equal(address_parse_utf8(SLICE(in, n - 1), &a), ADDRESS_OK);
	n = (size_t)idna_to_ascii(a.domain, buf, sizeof(buf));
	assert_in_range(n, 190, 255);
	assert_false(idna_address_ok(&a));
}

static struct address
parsed(const char *text)
{
	struct address	a;

	if (idna_address_parse(SLICE_STR(text), &a) != ADDRESS_OK)
		fail_msg("not taken: %s", text);
	return a;
}

/* R6531-3.3-a */
static void
t_address(void **state)
{
	static const char *const	good[] = {
		"j\xc3\xb6rg@example.org", "j\xc3\xb6rg@" U, "a@" U, "a@" A,
		"\"j\xc3\xb6 rg\"@" U, "\xe6\x97\xa5.\xe6\x9c\xac@example.org",
		"\xf0\x9f\x98\x80@example.org", "a@[192.0.2.1]",
		/* a wide @ is a letter like others */
		"a\xef\xbc\xa0""b@example.org",
	};
	static const char *const	bad[] = {
		"j\xf6rg@example.org", "j\xc0\xb6rg@example.org",
		"j\xed\xa0\x80rg@example.org", "j\xc2\x85rg@example.org",
		"\"j\xc2\x9f\"@example.org", "\"\\\xc3\xb6\"@example.org",
		"j\xc3@example.org", "a@m\xfcn.de", "a@\xe2\x98\x83.net",
		"a\xef\xbc\xa0""example.org", "a@" U ".", "a@\xc3\xbc..de",
		"a@[\xc3\xbc]", "a@[192.0.2.1]\xc3\xbc", "\xc3\xbc",
		"@\xc3\xbc",
		"j\xc3\xb6rg @x.org", "j\xc3\xb6rg\x7f@x.org",
		"a@M\xc3\x9cNCHEN.example", "a@m\xc3\xbcn\xef\xbc\x8e""de",
	};
	struct address			a;
	char				in[100];
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		parsed(good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (idna_address_parse(SLICE_STR(bad[i]), &a) != ADDRESS_BAD)
			fail_msg("taken: %s", bad[i]);
	/* 64 octets, not characters */
	for (i = 0; i < 32; i++)
		memcpy(in + 2 * i, "\xc3\xb6", 2);
	strlcpy(in + 64, "@x.org", sizeof(in) - 64);
	parsed(in);
	strlcpy(in + 64, "y@x.org", sizeof(in) - 64);
	assert_int_equal(idna_address_parse(SLICE_STR(in), &a), ADDRESS_BAD);
}

/* P3, R8601-5-a: the same mailbox, and never another one. */
static void
t_equal(void **state)
{
	static const struct {
		const char	*a, *b;
		bool		 equal;
	} pairs[] = {
		{ "a@" U, "a@" A, true }, { "a@" U, "a@" UD, true },
		{ "a@" U, "a@XN--MNCHEN-3ya.EXAMPLE", true },
		{ "a@M\xc3\xbcnchen.example", "a@" A, true },
		{ "\"a\"@" U, "a@" A, true },
		{ "j\xc3\xb6rg@" U, "j\xc3\xb6rg@" A, true },
		{ "j\xc3\xb6rg@x.org", "\"j\xc3\xb6rg\"@X.org", true },
		{ "j\xc3\xb6rg@x.org", "jo\xcc\x88rg@x.org", false },
		{ "j\xc3\xb6rg@x.org", "J\xc3\xb6rg@x.org", false },
		{ "j\xc3\xb6rg@x.org", "j\xc3\x96rg@x.org", false },
		{ "j\xc3\xb6rg@x.org", "jorg@x.org", false },
		{ "ann@x.org", "\xd0\xb0nn@x.org", false },
		{ "ann@x.org", "\xef\xbd\x81nn@x.org", false },
		{ "ann@example.org", "ann@ex\xd0\xb0mple.org", false },
		{ "ann@" A, "ann@munchen.example", false },
		{ "a@fa\xc3\x9f.de", "a@fass.de", false },
		{ "a@[192.0.2.1]", "a@" U, false },
	};
	struct address	a, b;
	char		x[IDNA_KEY_MAX], y[IDNA_KEY_MAX];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		a = parsed(pairs[i].a);
		b = parsed(pairs[i].b);
		if (idna_address_equal(&a, &b) != pairs[i].equal ||
		    idna_address_equal(&b, &a) != pairs[i].equal)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
		assert_int_not_equal(idna_address_key(&a, x, sizeof(x)), -1);
		assert_int_not_equal(idna_address_key(&b, y, sizeof(y)), -1);
		if ((strcmp(x, y) == 0) != pairs[i].equal)
			fail_msg("%s and %s: %s and %s", pairs[i].a,
			    pairs[i].b, x, y);
	}
	a = parsed("\"J\xc3\xb6rg\"@" U);
	assert_int_equal(idna_address_key(&a, x, sizeof(x)),
	    strlen("J\xc3\xb6rg@" A));
	assert_string_equal(x, "J\xc3\xb6rg@" A);
	assert_int_equal(idna_address_key(&a, x, strlen("J\xc3\xb6rg@" A)),
	    -1);
	assert_true(idna_domain_equal(SLICE_STR(U), SLICE_STR(A)));
	assert_true(idna_domain_equal(SLICE_STR("A.b"), SLICE_STR("a.B")));
	assert_false(idna_domain_equal(SLICE_STR("\xff"), SLICE_STR("\xff")));
}

/* The environment and the locale change nothing. */
static void
t_locale(void **state)
{
	char	buf[IDNA_DOMAIN_MAX + 1];

	(void)state;
	setenv("LC_ALL", "en_US.ISO-8859-1", 1);
	setenv("CHARSET", "ISO-8859-1", 1);
	setlocale(LC_ALL, "");
	assert_int_equal(idna_to_ascii(SLICE_STR(U), buf, sizeof(buf)),
	    sizeof(A) - 1);
	assert_string_equal(buf, A);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_to_ascii),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_address),
		cmocka_unit_test(t_equal),
		cmocka_unit_test(t_locale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
