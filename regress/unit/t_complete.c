/* links: msad/frontend/complete.c */
/* Paths without a domain get one; all others stay as they are (R6409-4.2-b) */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "msad/frontend/complete.h"

static const struct row {
	const char	*args;
	const char	*sender;	/* what it is in MAIL, NULL: same */
	const char	*rcpt;		/* in RCPT */
} rows[] = {
	{ "FROM:<ann>", "FROM:<ann@d.example>", "FROM:<ann@d.example>" },
	{ "FROM: <ann> SIZE=1", "FROM: <ann@d.example> SIZE=1",
	    "FROM: <ann@d.example> SIZE=1" },
	{ "TO:<\"a@b\">", "TO:<\"a@b\"@d.example>", "TO:<\"a@b\"@d.example>" },
	{ "TO:<\"a\\\"@>\">", "TO:<\"a\\\"@>\"@d.example>",
	    "TO:<\"a\\\"@>\"@d.example>" },
	{ "TO:<PostMaster>", "TO:<PostMaster@d.example>", NULL },
	{ "TO:<postmasters>", "TO:<postmasters@d.example>",
	    "TO:<postmasters@d.example>" },
	{ "TO:<ann@x>", NULL, NULL }, { "TO:<ann@x.example>", NULL, NULL },
	{ "TO:<@a.example:ann>", NULL, NULL }, { "TO:<>", NULL, NULL },
	{ "TO:<ann", NULL, NULL }, { "TO:ann>", NULL, NULL },
	{ "TO:<\"ann>", NULL, NULL }, { "", NULL, NULL },
	{ "TO:<\"ann\\", NULL, NULL },
};

static void
check(const struct row *row, bool rcpt, const char *domain, const char *want)
{
	char		buf[64];
	struct slice	got = complete_bare(SLICE_STR(row->args), rcpt, domain,
			    buf, sizeof(buf));

	if (!slice_is(got, want != NULL ? want : row->args))
		fail_msg("\"%s\": \"%.*s\"", row->args, SLICE_FMT(got));
}

static void
each(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check(&rows[i], false, "d.example", rows[i].sender);
		check(&rows[i], true, "d.example", rows[i].rcpt);
		check(&rows[i], true, NULL, NULL);
	}
}

static void
room(void **state)
{
	static const char	args[] = "FROM:<ann>";
	struct slice		got;
	char			buf[32];
	size_t			n;

	(void)state;
	for (n = 0; n < sizeof(buf); n++) {
		got = complete_bare(SLICE_STR(args), false, "d.example", buf,
		    n);
		assert_true(slice_is(got, n > 20 ? "FROM:<ann@d.example>" :
		    args));
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(each),
		cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
