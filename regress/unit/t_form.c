/* links: msad/queue/form.c */
/* The form in which addresses are compared, and what an entry covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/form.h"

static const struct form_rules	 exact;
static const struct form_rules	 plus = { false, "+" };
static const struct form_rules	 both = { false, "+-" };
static const struct form_rules	 fold = { true, "+" };

/* Entry, address, rules: covered? */
static const struct {
	const char		*row;
	const struct form_rules	*rules;
	const char		*entry;
	const char		*address;
	bool			 covers;
} table[] = {
	{ "R5321-4.1.2-a", &exact, "ann@d.example", "ann@D.EXAMPLE", true },
	{ "R5321-4.1.2-a", &exact, "ann@d.example", "Ann@d.example", false },
	{ "R5321-4.1.2-a", &exact, "ann@d.example", "\"ann\"@d.example", true },
	{ "R5321-4.1.2-a", &exact, "\"a b\"@d.example", "\"a\\ b\"@d.example",
	    true },
	{ "domain", &exact, "@d.example", "x@D.example", true },
	{ "domain", &exact, "@d.example", "x@sub.d.example", false },
	{ "domain", &exact, "@d.example", "\"x@d.example\"@e.example", false },
	{ "any", &exact, "*", "x@y.example", true },
	/* sub-addresses are off unless asked for */
	{ "off", &exact, "ann@d.example", "ann+x@d.example", false },
	{ "on", &plus, "ann@d.example", "ann+x@d.example", true },
	{ "on", &plus, "ann@d.example", "ann+x+y@d.example", true },
	{ "on", &plus, "ann@d.example", "ann+@d.example", true },
	{ "on", &plus, "ann@d.example", "ann+x@e.example", false },
	{ "on", &plus, "ann@d.example", "\"ann+x y\"@d.example", true },
	{ "on", &plus, "ann@d.example", "\"ann\\+x\"@d.example", true },
	{ "on", &plus, "ann@d.example", "\"an\\n+x\"@d.example", true },
	{ "on", &plus, "\"a n\"@d.example", "\"a n+x\"@d.example", true },
	/* a backslash that is one, then the separator */
	{ "on", &plus, "\"an\\\\\"@d.example", "\"an\\\\+x\"@d.example", true },
	{ "on", &plus, "ann@d.example", "\"ann +x\"@d.example", false },
	{ "on", &plus, "ann@d.example", "anna+x@d.example", false },
	{ "on", &plus, "ann@d.example", "x+ann@d.example", false },
	{ "empty", &plus, "ann@d.example", "+ann@d.example", false },
	{ "empty", &plus, "ann@d.example", "+@d.example", false },
	{ "empty", &plus, "\"\"@d.example", "\"+a b\"@d.example", false },
	/* an entry with a separator is meant as it stands */
	{ "entry", &plus, "ann+x@d.example", "ann+x@d.example", true },
	{ "entry", &plus, "ann+x@d.example", "ann+y@d.example", false },
	{ "entry", &plus, "ann+x@d.example", "ann+x+y@d.example", false },
	{ "entry", &plus, "ann+x@d.example", "ann@d.example", false },
	{ "set", &both, "ann@d.example", "ann-x+y@d.example", true },
	{ "set", &both, "ann@d.example", "ann+x-y@d.example", true },
	{ "set", &plus, "ann@d.example", "ann-x@d.example", false },
	{ "fold", &fold, "Ann@d.example", "aNN@d.example", true },
	{ "fold", &fold, "Ann@d.example", "ANN+X@d.example", true },
	{ "fold", &fold, "\"A b\"@d.example", "\"a B\"@d.example", true },
};

static void
entries(void **state)
{
	char		 entry[FORM_MAX];
	struct forms	 f;
	size_t		 i;
	int		 n;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		n = form_entry(table[i].rules, SLICE_STR(table[i].entry),
		    true, entry);
		if (n == -1 || !form_mailbox(table[i].rules,
		    SLICE_STR(table[i].address), &f))
			fail_msg("%s: %s %s: unread", table[i].row,
			    table[i].entry, table[i].address);
		if (form_covers(SLICE(entry, (size_t)n), &f, true) !=
		    table[i].covers)
			fail_msg("%s: %s covers %s: not %d", table[i].row,
			    table[i].entry, table[i].address,
			    table[i].covers);
		/* without leave a sub-address counts as itself alone */
		if (f.plain.len > 0 && form_covers(f.plain, &f, false))
			fail_msg("%s", table[i].address);
	}
}

static void
no_entries(void **state)
{
	static const char *const	bad[] = { "", "ann", "@", "@-d.example",
		"ann@", "@d example", "ann@d.example,", "*x", "**", "a b@d",
		"ann@d.example\n", "<ann@d.example>", "*@d.example" };
	char				 buf[FORM_MAX];
	struct forms			 f;
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (form_entry(&plus, SLICE_STR(bad[i]), true, buf) != -1 &&
		    strcmp(bad[i], "*@d.example") != 0)
			fail_msg("taken: \"%s\"", bad[i]);
		if (bad[i][0] != '*' &&
		    form_mailbox(&plus, SLICE_STR(bad[i]), &f))
			fail_msg("a mailbox: \"%s\"", bad[i]);
	}
	/* "*" is a local part like others, and no pattern */
	assert_int_equal(form_entry(&plus, SLICE_STR("*@d.example"), true,
	    buf), 11);
	assert_int_equal(form_entry(&plus, SLICE_STR("*"), false, buf), -1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(entries),
		cmocka_unit_test(no_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
