/* links: regress/unit/conf_side.c */
/* "bounce { ... }" of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "regress/unit/conf_side.h"

#define RELAY	"relay \"out\" { host \"mx\" }\n"

/* What it prints again must be this, and mean the same. */
static void
takes(const char *line, const char *want)
{
	struct conf	*c, *again;
	char		 text[1024], *printed, *twice;

	snprintf(text, sizeof(text), "hostname h\n" RELAY "%s\n", line);
	c = parse(text);
	printed = conf_print(c);
	again = parse(printed);
	twice = conf_print(again);
	assert_string_equal(printed, twice);
	if (want == NULL)
		assert_null(strstr(printed, "bounce"));
	else if (strstr(printed, want) == NULL)
		fail_msg("%s", printed);
	assert_int_equal(c->bounce.reports.n, again->bounce.reports.n);
	assert_int_equal(c->bounce.reports.period,
	    again->bounce.reports.period);
	conf_free(c);
	conf_free(again);
	free(printed);
	free(twice);
}

static void
wrong(const char *line, const char *want)
{
	char	 text[1024], lines[1024];

	snprintf(text, sizeof(text), "hostname h\n" RELAY "%s\n", line);
	snprintf(lines, sizeof(lines), "t:3: %s\n", want);
	refuse(text, lines);
}

static void
words(void **state)
{
	(void)state;
	takes("", NULL);
	takes("bounce { reports 100/hour }", NULL);
	takes("bounce { reports 20/minute }",
	    "\nbounce { reports 20/minute }\n");
	takes("bounce { reports off }", "\nbounce { reports off }\n");
	takes("bounce { postmaster root@h.example relay out }",
	    "\nbounce { postmaster \"root@h.example\", relay \"out\", "
	    "reports 100/hour }\n");
	takes("bounce { relay \"out\", reports 5/day,\n postmaster "
	    "\"\\\"a b\\\"@h.example\", }",
	    "\nbounce { postmaster \"\\\"a b\\\"@h.example\", relay \"out\", "
	    "reports 5/day }\n");
}

static void
errors(void **state)
{
	(void)state;
	wrong("bounce { postmaster root relay out }",
	    "postmaster: \"root\" is not an address\n"
	    "t:3: bounce: postmaster and relay stand together");
	wrong("bounce { postmaster a@b.example }",
	    "bounce: postmaster and relay stand together");
	wrong("bounce { relay out }",
	    "bounce: postmaster and relay stand together");
	wrong("bounce { postmaster a@b.example relay none }",
	    "relay \"none\" is not defined");
	wrong("bounce { reports 0/hour }", "reports: \"0/hour\" is not off or "
	    "a rate such as 100/hour");
	wrong("bounce { reports many }", "reports: \"many\" is not off or "
	    "a rate such as 100/hour");
	wrong("bounce { reports off reports off }",
	    "reports is given twice");
	wrong("bounce { loop on }", "unknown word \"loop\" in bounce");
	wrong("bounce { postmaster a@b.example postmaster a@b.example relay "
	    "out }", "postmaster is given twice");
}

static void
given_twice(void **state)
{
	static const char	text[] = "hostname h\nbounce { reports off }\n"
	    "bounce { reports off }\n";
	char			*got = NULL;
	size_t			 len;
	FILE			*f;

	(void)state;
	assert_non_null(f = open_memstream(&got, &len));
	assert_null(conf_parse_text(text, strlen(text), "t", f));
	fclose(f);
	assert_non_null(strstr(got, "t:3: bounce is given twice\n"));
	free(got);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(words), cmocka_unit_test(errors),
		cmocka_unit_test(given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
