/* links: msad/lookup/filter.c */
/* A login in an LDAP filter is a value, whatever is in it (RFC 4515). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "msad/lookup/filter.h"

static const struct {
	const char	*filter, *login, *want;
} table[] = {
	{ "(uid=%u)", "ann", "(uid=ann)" },
	{ "(|(uid=%u)(mail=%u))", "a@b.c", "(|(uid=a@b.c)(mail=a@b.c))" },
	{ "(x=100%%)(uid=%u)", "a", "(x=100%)(uid=a)" },
	{ "(uid=%u)", "*", "(uid=\\2a)" },
	{ "(uid=%u)", "a)(uid=*", "(uid=a\\29\\28uid=\\2a)" },
	{ "(uid=%u)", "a\\2a", "(uid=a\\5c2a)" },
	{ "(uid=%u)", " a b ", "(uid=\\20a\\20b\\20)" },
	{ "(uid=%u)", "a\tb\x7f\x01", "(uid=a\\09b\\7f\\01)" },
	{ "(uid=%u)", "J\xc3\xbc", "(uid=J\\c3\\bc)" },
	{ "(uid=%u)", "%u", "(uid=%u)" },
	{ "(uid=%u)", "&|!=~<>", "(uid=&|!=~<>)" },
};

static void
escaped(void **state)
{
	char	buf[256];
	size_t	i;
	int	n;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		n = filter_write(table[i].filter, table[i].login, buf,
		    sizeof(buf));
		assert_int_equal(n, strlen(table[i].want));
		assert_string_equal(buf, table[i].want);
	}
}

static void
bounded(void **state)
{
	char	buf[32];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(buf); i++) {
		memset(buf, 'x', sizeof(buf));
		if (filter_write("(uid=%u)", "a*b", buf, i) !=
		    (i > 11 ? 11 : -1))
			fail_msg("size %zu", i);
		assert_int_equal(buf[i], 'x');
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(escaped),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
