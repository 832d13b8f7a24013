/* links: msad/frontend/reply.c */
/*
 * The whole table of replies as lines: codes, enhanced codes, lengths,
 * continuation lines; what clients put into details does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/frontend/reply.h"

static const char	host[] = "mail.example.org";

/* Replies without enhanced code: greetings, EHLO and HELO, and all 3xx. */
static bool
is_bare(enum reply r)
{
	return reply_code(r) / 100 == 3 || r == REPLY_GREETING ||
	    r == REPLY_HELO || r == REPLY_BAD_HELO ||
	    strstr(reply_text(r), "connections, try") != NULL ||
	    (reply_enhanced(r)[0] == '\0' &&
	    (reply_code(r) == 554 || reply_code(r) == 421) &&
	    strncmp(reply_text(r), "%h", 2) == 0);
}

static void
test_classes(void **state)
{
	const char	*e;
	unsigned int	 code, class, subject, detail;
	char		 again[16];
	int		 r, n;

	(void)state;
	for (r = REPLY_NONE + 1; r < REPLY_MAX; r++) {
		code = reply_code((enum reply)r);
		e = reply_enhanced((enum reply)r);
		/* R5321-4.2-a, R6409-7-c */
		assert_in_range(code, 200, 599);
		assert_int_not_equal(code, 521);
		if (is_bare((enum reply)r)) {
			assert_string_equal(e, "");
			continue;
		}
		/* R2034-3-a: the class is the reply's, R3463-2-a: its form */
		n = 0;
		assert_int_equal(sscanf(e, "%1u.%3u.%3u%n", &class, &subject,
		    &detail, &n), 3);
		assert_int_equal(n, strlen(e));
		assert_int_equal(class, code / 100);
		snprintf(again, sizeof(again), "%u.%u.%u", class, subject,
		    detail);
		assert_string_equal(e, again);
		assert_in_range(subject, 0, 7);
	}
}

/* Every line of the n octets at buf: one code, one enhanced code, 512. */
static unsigned int
check_lines(const char *buf, size_t n, enum reply r)
{
	const char	*e = reply_enhanced(r), *end;
	char		 code[4];
	unsigned int	 lines = 0;
	size_t		 len, i;

	snprintf(code, sizeof(code), "%u", reply_code(r));
	while (n > 0) {
		end = memchr(buf, '\n', n);
		assert_non_null(end);
		len = (size_t)(end - buf) + 1;
		assert_in_range(len, 6, REPLY_LINE_MAX);
		assert_int_equal(buf[len - 2], '\r');
		assert_memory_equal(buf, code, 3);
		assert_int_equal(buf[3], len == n ? ' ' : '-');
		assert_memory_equal(buf + 4, e, strlen(e));
		if (e[0] != '\0')
			assert_int_equal(buf[4 + strlen(e)], ' ');
		for (i = 0; i < len - 2; i++)
			assert_in_range(buf[i], ' ', '~');
		buf += len;
		n -= len;
		lines++;
	}
	return lines;
}

/* R5321-4.2-a, R2034-4-a, R6531-3.7.4-a, X-ctl-1 */
static void
test_lines(void **state)
{
	static const char *const	details[] = {
		NULL, "", "x", "a\r\n250 2.0.0 forged", "\xc3\xa9\x1b[31m\x7f",
		"%h %d %s %n"
	};
	struct reply_args		a = { host, NULL, "1-2f" };
	char				buf[REPLY_TEXT_MAX], big[900];
	size_t				i;
	int				r;

	(void)state;
	for (i = 0; i < sizeof(big) - 1; i++)
		big[i] = i % 70 == 69 ? ' ' : 'x';
	big[sizeof(big) - 1] = '\0';
	for (r = REPLY_NONE + 1; r < REPLY_MAX; r++) {
		for (i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
			a.detail = details[i];
			check_lines(buf, reply_format(buf, (enum reply)r, &a),
			    (enum reply)r);
		}
		a.detail = big;
		i = check_lines(buf, reply_format(buf, (enum reply)r, &a),
		    (enum reply)r);
		assert_in_range(i, strstr(reply_text((enum reply)r), "%d") !=
		    NULL ? 2 : 1, 3);
	}
}

/* R6531-3.7.4-a, X-utf8-1: addresses in replies are escaped, all of them. */
static void
test_escapes(void **state)
{
	static const struct {
		const char	*in, *out;
	} cases[] = {
		{ "j\xc3\xb6rg@m\xc3\xbcn.de", "j\\x{F6}rg@m\\x{FC}n.de" },
		{ "\xe6\x97\xa5 \xf0\x9f\x98\x80", "\\x{65E5} \\x{1F600}" },
		{ "\xc3", "?" }, { "a\xc3(", "a?(" }, { "\xff\xc3\xa9",
		    "?\\x{E9}" },
		{ "\xc2\x85", "??" }, { "\xed\xa0\x80", "???" },
		{ "\xf0\x9f\x98", "???" }, { "\x7f\t\r\n", "????" },
	};
	struct reply_args	a = { host, NULL, "1-2f" };
	char			buf[REPLY_TEXT_MAX + 1], want[100];
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a.detail = cases[i].in;
		buf[reply_format(buf, REPLY_FROM_DENIED, &a)] = '\0';
		snprintf(want, sizeof(want), "name: %s; use", cases[i].out);
		if (strstr(buf, want) == NULL)
			fail_msg("%s: %s", want, buf);
	}
}

/* P4: what fails ends with the session's id, what does not is without. */
static void
test_session_id(void **state)
{
	struct reply_args	a = { host, "x", "1-2f" };
	char			buf[REPLY_TEXT_MAX];
	size_t			n;
	int			r;

	(void)state;
	for (r = REPLY_NONE + 1; r < REPLY_MAX; r++) {
		n = reply_format(buf, (enum reply)r, &a);
		assert_int_equal(memmem(buf, n, " (1-2f)\r\n", 9) != NULL,
		    reply_code((enum reply)r) >= 400);
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_session_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
