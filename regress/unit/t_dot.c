/* links: msad/relay/dot.c */
/* Dot-stuffing and line ends: R5321-4.5.2-a, R5321-2.3.8-a. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/relay/dot.h"

typedef ssize_t	writer(struct dot *, const char *, size_t, char *);
typedef ssize_t	ender(struct dot *, char *);

/* Run the pieces [0, a), [a, b), [b, len) through; -1 or octets in out. */
static ssize_t
run(writer *w, ender *e, const char *s, size_t a, size_t b, char *out)
{
	const size_t	 cuts[] = { 0, a, b, strlen(s) };
	struct dot	 d;
	ssize_t		 n, total = 0;
	char		*piece, *in;
	size_t		 i, len;

	dot_init(&d);
	for (i = 0; i < 3; i++) {
		/* exact allocations, so that sanitizers see every overrun */
		len = cuts[i + 1] - cuts[i];
		in = malloc(len + 1);
		piece = malloc(DOT_ROOM(len));
		memcpy(in, s + cuts[i], len);
		n = w(&d, in, len, piece);
		if (n > 0)
			memcpy(out + total, piece, (size_t)n);
		free(in);
		free(piece);
		if (n == -1)
			return -1;
		total += n;
	}
	piece = malloc(DOT_ROOM(0));
	n = e(&d, piece);
	if (n > 0)
		memcpy(out + total, piece, (size_t)n);
	free(piece);
	return n == -1 ? -1 : total + n;
}

static void
check(writer *w, ender *e, const char *in, const char *want)
{
	char	 out[512];
	size_t	 a, b, len = strlen(in);
	ssize_t	 n;

	for (a = 0; a <= len; a++)
		for (b = a; b <= len; b++) {
			n = run(w, e, in, a, b, out);
			if (want == NULL) {
				assert_int_equal(n, -1);
				continue;
			}
			assert_int_equal(n, strlen(want));
			assert_memory_equal(out, want, (size_t)n);
		}
}

static void
stuffing(void **state)
{
	(void)state;
	check(dot_stuff, dot_end, "", ".\r\n");
	check(dot_stuff, dot_end, "a\r\n", "a\r\n.\r\n");
	check(dot_stuff, dot_end, ".\r\n", "..\r\n.\r\n");
	check(dot_stuff, dot_end, "a\r\n.b\r\n..\r\nc.\r\n",
	    "a\r\n..b\r\n...\r\nc.\r\n.\r\n");
	check(dot_stuff, dot_end, "\r\n\r\n.", "\r\n\r\n..\r\n.\r\n");
	check(dot_stuff, dot_end, "no end", "no end\r\n.\r\n");
}

static void
bare_ends_are_refused(void **state)
{
	static const char *const bad[] = {
		"a\nb\r\n", "a\rb\r\n", "\n.\r\n", "\r\n.\n", "a\r\r\n",
		"a\r", "\r", "\n", "a\r\n\n", "a\r\n.\rb", "x\n\r\n",
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check(dot_stuff, dot_end, bad[i], NULL);
		check(dot_lf, dot_lf_end, bad[i], NULL);
	}
}

static void
maildir_lines(void **state)
{
	(void)state;
	check(dot_lf, dot_lf_end, "", "");
	check(dot_lf, dot_lf_end, "a\r\n.b\r\n\r\n", "a\n.b\n\n");
	check(dot_lf, dot_lf_end, "a", "a\n");
	check(dot_lf, dot_lf_end, "\r\n", "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stuffing),
		cmocka_unit_test(bare_ends_are_refused),
		cmocka_unit_test(maildir_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
