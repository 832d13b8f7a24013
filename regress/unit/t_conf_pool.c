/* The words of the configuration for the workers of PAM. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* Errors of the text; the configuration where there is none. */
static struct conf *
parse(const char *text, char **errors)
{
	struct conf	*conf;
	FILE		*f;
	size_t		 len;

	*errors = NULL;
	assert_non_null(f = open_memstream(errors, &len));
	conf = conf_parse_text(text, strlen(text), "t", f);
	fclose(f);
	return conf;
}

static void
refuse(const char *text, const char *want)
{
	char	*got;

	assert_null(parse(text, &got));
	assert_string_equal(got, want);
	free(got);
}

/* A line in a configuration that is right but for that. */
static void
refuse_line(const char *line, const char *want)
{
	char	 text[2048], lines[2048];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

static void
check(const struct conf *c)
{
	const struct conf_auth	*a;

	assert_non_null(c);
	assert_int_equal(c->pool.min, 4);
	assert_int_equal(c->pool.max, 40);
	assert_int_equal(c->pool.recycle, 50);
	assert_int_equal(c->pool.queue, 99);
	assert_int_equal(c->pool.wait, 9);
	assert_int_equal(c->pool.time, 8);
	a = conf_auth_find(c, "workers");
	assert_int_equal(a->pam_limit, 0);
	assert_false(a->expired_hide);
	a = conf_auth_find(c, "one");
	assert_string_equal(a->pam_service, "other");
	assert_int_equal(a->pam_limit, 7);
	assert_true(a->expired_hide);
}

/* Each word has its effect, and the canonical text says the same. */
static void
words(void **state)
{
	struct conf	*c;
	char		*errors, *text;

	(void)state;
	c = parse("hostname h\n"
	    "auth workers { min 4, max 40 recycle 50\n\tqueue 99, wait 9s "
	    "time 8s, }\n"
	    "auth \"workers\" { pam service x expired-password say }\n"
	    "auth one { pam service other limit 7 expired-password hide }\n",
	    &errors);
	assert_string_equal(errors, "");
	free(errors);
	check(c);
	text = conf_print(c);
	conf_free(c);
	check(c = parse(text, &errors));
	conf_free(c);
	free(errors);
	free(text);
}

static void
defaults(void **state)
{
	struct conf	*c;
	char		*errors, *text;

	(void)state;
	assert_non_null(c = parse("hostname h\n", &errors));
	free(errors);
	assert_int_equal(c->pool.min, 2);
	assert_int_equal(c->pool.max, 32);
	/* a front-end waits for a minute */
	assert_true(c->pool.wait + c->pool.time < 60);
	text = conf_print(c);
	assert_null(strstr(text, "auth workers"));
	free(text);
	conf_free(c);
}

static void
bad_words(void **state)
{
	(void)state;
	refuse_line("auth a { pam service x limit 0 }",
	    "limit: \"0\" is not a number from 1 to 256");
	refuse_line("auth a { pam service x expired-password show }",
	    "unknown word \"show\": expired-password is say or hide");
	refuse_line("auth workers { min 3, max 2 }",
	    "auth workers: min 3 is more than max 2");
	refuse_line("auth workers { min 0 }",
	    "min: \"0\" is not a number from 1 to 256");
	refuse_line("auth workers { max 1, max 3, min 1 }",
	    "max is given twice");
	refuse_line("auth workers { time 31s }",
	    "time: \"31s\" is not a time from 1s to 30s");
	refuse_line("auth workers { time 30 }",
	    "time: \"30\" is not a time from 1s to 30s");
	refuse_line("auth workers { speed 9 }",
	    "unknown word \"speed\" in auth workers");
	refuse("hostname h\nauth workers { max 8 }\n"
	    "auth workers { min 2 }\n",
	    "t:3: auth workers is given twice\n");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(defaults),
		cmocka_unit_test(bad_words)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
