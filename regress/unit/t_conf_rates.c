/* links: regress/unit/conf_side.c */
/* "limit user" and "limit default" of the configuration. */
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

static void
refuse_line(const char *line, const char *want)
{
	char	 text[1024], lines[1024];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

/* How much a user may send, and what is wrong with it. */
static void
test_rates(void **state)
{
	static const char	 text[] = "hostname h\n"
	    "limit default { messages 200/hour, recipients 1000/hour\n"
	    "\tsize 25M bytes 1G/day, over hold }\n"
	    "limit user { messages 300/minute recipients off, "
	    "bytes 2048/day }\n"
	    "limit login { user 9 }\n";
	struct conf		*c = parse(text), *again;
	struct conf_rates	 r;
	char			*printed, *twice;

	(void)state;
	printed = conf_print(c);
	again = parse(printed);
	twice = conf_print(again);
	assert_string_equal(printed, twice);
	assert_non_null(strstr(printed, "limit default { messages 200/hour, "
	    "recipients 1000/hour, bytes 1073741824/day, size 26214400, "
	    "over hold }\nlimit user { messages 300/minute, recipients off, "
	    "bytes 2048/day }\n"));
	conf_rates_user(again, "", &r);
	assert_int_equal(r.rate[CONF_RATE_MESSAGES].n, 300);
	assert_int_equal(r.rate[CONF_RATE_MESSAGES].period, 60);
	assert_int_equal(r.rate[CONF_RATE_RECIPIENTS].period, 0);
	assert_int_equal(r.rate[CONF_RATE_BYTES].n, 2048);
	assert_int_equal(r.rate[CONF_RATE_BYTES].period, 86400);
	assert_int_equal(r.size, 26214400);
	assert_int_equal(r.over, CONF_OVER_HOLD);
	assert_int_equal(again->login.user, 9);
	conf_free(c);
	conf_free(again);
	free(printed);
	free(twice);
	c = parse("hostname h\nlimit user { size off over reject }\n");
	conf_rates_user(c, "", &r);
	assert_int_equal(r.size, 0);
	assert_int_equal(r.over, CONF_OVER_REJECT);
	printed = conf_print(c);
	assert_non_null(strstr(printed,
	    "limit user { size off, over reject }\n"));
	free(printed);
	conf_free(c);
	/* as little as nothing is said */
	c = parse("hostname h\n");
	conf_rates_user(c, "", &r);
	assert_int_equal(r.rate[CONF_RATE_MESSAGES].period, 0);
	assert_int_equal(r.size, 0);
	printed = conf_print(c);
	assert_null(strstr(printed, "limit"));
	free(printed);
	conf_free(c);
}

static void
test_rates_errors(void **state)
{
	static const char *const	bad[] = { "300", "0/hour", "/hour",
		"300/", "300/week", "3 00/hour", "300/hour/day", "-1/hour",
		"1000000001/hour", "3K/hour", "1e3/hour",
		"000000000000000000000000000000000300/hour" };
	char				line[256], want[512];
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line),
		    "limit user { messages \"%s\" }", bad[i]);
		snprintf(want, sizeof(want), "messages: \"%s\" is not off or "
		    "a rate such as 300/hour or 2000/day", bad[i]);
		refuse_line(line, want);
	}
	refuse_line("limit default { bytes 65G/day }", "bytes: \"65G/day\" is "
	    "not off or a rate such as 500M/hour or 2G/day");
	refuse_line("limit user { size 1 }", "size: \"1\" is not off or a "
	    "size such as 64K or 25M from 1K to 4G");
	refuse_line("limit user { over drop }",
	    "unknown word \"drop\": over is reject or hold");
	refuse_line("limit user { mails 3/hour }",
	    "unknown word \"mails\" in limit user");
	refuse_line("limit default { user 9 }",
	    "unknown word \"user\" in limit default");
	refuse_line("limit default { over hold over hold }",
	    "over is given twice");
	refuse_line("limit user { size 1M size 2M }", "size is given twice");
	refuse_line("limit default off",
	    "unknown word \"off\": limit default is { ... }");
	refuse("hostname h\nlimit user { size 1M }\nlimit user { size 1M }\n",
	    "t:3: limit user is given twice\nt:3: size is given twice\n");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rates_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
