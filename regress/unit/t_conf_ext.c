/* links: regress/unit/conf_side.c */
/*
 * future-release, deliver-by, mt-priority: their words and canonical text, and
 * what they allow of the parameters of MAIL.
 */
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

#define NOW	INT64_C(1795341600)	/* 2026-11-22T10:00:00Z */

/* The statements are wrong; the errors must be exactly these. */
static void
wrong(const char *line, const char *want)
{
	char	 text[1024], lines[1024];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

/* The text as the children get it, which must come back as it is. */
static struct conf *
again(const char *text, const char *has)
{
	struct conf	*c = parse(text), *d;
	char		*printed, *twice;

	assert_non_null(printed = conf_print(c));
	d = parse(printed);
	assert_non_null(twice = conf_print(d));
	assert_string_equal(printed, twice);
	if (has != NULL && strstr(printed, has) == NULL)
		fail_msg("\"%s\" is not in:\n%s", has, printed);
	assert_memory_equal(&c->ext, &d->ext, sizeof(c->ext));
	free(printed);
	free(twice);
	conf_free(c);
	return d;
}

static void
t_words(void **state)
{
	struct conf	*c;

	(void)state;
	c = again("hostname h\n", NULL);
	assert_false(c->ext.future_off || c->ext.by_off ||
	    c->ext.priority_off || c->ext.future_all);
	assert_int_equal(c->ext.future_max, 2592000);
	assert_int_equal(c->ext.future_held, 1000);
	assert_int_equal(c->ext.by_min, 0);
	assert_int_equal(c->ext.floor, -9);
	assert_int_equal(c->ext.urgent_size, 0);
	conf_free(c);
	c = again("hostname h\nfuture-release { max 2d, held 5 port any }\n"
	    "deliver-by { min 1m }\nmt-priority { profile \"MIXER\" floor -4, "
	    "below defer, size 1M above 3 }\n",
	    "future-release { max 172800s, held 5, port any }\n"
	    "deliver-by { min 60s }\nmt-priority { profile \"MIXER\", floor "
	    "-4, below defer, size 1048576, above 3 }\n");
	assert_int_equal(c->ext.future_max, 172800);
	assert_int_equal(c->ext.future_held, 5);
	assert_true(c->ext.future_all);
	assert_int_equal(c->ext.by_min, 60);
	assert_string_equal(c->ext.profile, "MIXER");
	assert_int_equal(c->ext.floor, -4);
	assert_true(c->ext.floor_defer);
	assert_int_equal(c->ext.urgent_size, 1048576);
	assert_int_equal(c->ext.urgent_above, 3);
	conf_free(c);
	c = again("hostname h\nfuture-release off\ndeliver-by off\n"
	    "mt-priority off\n", "future-release off\ndeliver-by off\n"
	    "mt-priority off\n");
	assert_true(c->ext.future_off && c->ext.by_off &&
	    c->ext.priority_off);
	conf_free(c);
}

static void
t_wrong_words(void **state)
{
	char	long_name[80];

	(void)state;
	wrong("future-release on", "unknown word \"on\": future-release is "
	    "off or { ... }");
	wrong("future-release { min 1m }", "unknown word \"min\" in "
	    "future-release");
	wrong("future-release { max 0s }", "max: \"0s\" is not a time such "
	    "as 30s or 5m from 1 to 999999999");
	wrong("future-release { max 99999d }", "max: \"99999d\" is not a "
	    "time such as 30s or 5m from 1 to 999999999");
	wrong("future-release { held 0 }", "held: \"0\" is not a number "
	    "from 1 to 10000");
	wrong("future-release { port 587 }", "unknown word \"587\": port is "
	    "submission or any");
	wrong("future-release { max 1d max 1d }", "max is given twice");
	wrong("deliver-by { min 60 }", "min: \"60\" is not a time such as "
	    "30s or 5m from 1 to 999999999");
	wrong("mt-priority { floor +1 }", "floor: \"+1\" is not a priority "
	    "from -9 to 9");
	wrong("mt-priority { floor 10 }", "floor: \"10\" is not a priority "
	    "from -9 to 9");
	wrong("mt-priority { floor -0 }", "floor: \"-0\" is not a priority "
	    "from -9 to 9");
	wrong("mt-priority { size 1M above 9 }", "above: \"9\" is not a "
	    "priority from -9 to 8");
	wrong("mt-priority { above 3 }", "above stands with size alone");
	wrong("mt-priority { floor 1, above 3 }", "above stands with size "
	    "alone");
	wrong("mt-priority { below hold }", "unknown word \"hold\": below is "
	    "reject or defer");
	wrong("mt-priority { size 1 }", "size: \"1\" is not a size such as "
	    "64K or 25M from 1024 to 4294967296");
	wrong("mt-priority { profile \"a b\" }", "profile: \"a b\" is not a "
	    "name of letters, digits, '-' and '_', 20 at most");
	snprintf(long_name, sizeof(long_name), "mt-priority { profile %s }",
	    "ABCDEFGHIJKLMNOPQRSTU");
	wrong(long_name, "profile: \"ABCDEFGHIJKLMNOPQRSTU\" is not a name "
	    "of letters, digits, '-' and '_', 20 at most");
	wrong("deliver-by no\ndeliver-by off", "unknown word \"no\": "
	    "deliver-by is off or { ... }\nt:3: deliver-by is given twice");
}

static void
t_match(void **state)
{
	static const char	 rest[] = "hostname h\nauth sys { pam service "
	    "msad }\nrelay box { maildir \"/box\" }\n";
	char			 text[512];
	const struct conf_match	*m;
	struct conf		*c;

	(void)state;
	snprintf(text, sizeof(text), "%smatch from auth sender own relay box "
	    "priority 2\nmatch from local user ann sender any from-mismatch "
	    "rewrite relay box priority 9\nmatch from auth sender any relay "
	    "box\n", rest);
	c = again(text, "relay \"box\" priority 9\n");
	assert_int_equal(TAILQ_FIRST(&c->matches)->priority, 2);
	m = TAILQ_NEXT(TAILQ_FIRST(&c->matches), entry);
	assert_int_equal(m->priority, 9);
	assert_int_equal(TAILQ_NEXT(m, entry)->priority, 0);
	conf_free(c);
	wrong("match from auth sender own relay box priority -1",
	    "priority: \"-1\" is not a priority from 0 to 9\nt:2: relay "
	    "\"box\" is not defined");
}

/* R4865-4.2-a: where it is offered; deliver-by and mt-priority everywhere. */
static void
t_R4865_4_2_a(void **state)
{
	struct conf_ext	e;

	(void)state;
	conf_ext_default(&e);
	assert_int_equal(conf_ext_offered(&e, 587), EXT_FUTURERELEASE |
	    EXT_DELIVERBY | EXT_MT_PRIORITY);
	assert_true(conf_ext_offered(&e, 465) & EXT_FUTURERELEASE);
	assert_int_equal(conf_ext_offered(&e, 2525), EXT_DELIVERBY |
	    EXT_MT_PRIORITY);
	assert_false(conf_ext_offered(&e, 0) & EXT_FUTURERELEASE);
	e.future_all = true;
	assert_true(conf_ext_offered(&e, 2525) & EXT_FUTURERELEASE);
	e.future_off = e.by_off = e.priority_off = true;
	assert_int_equal(conf_ext_offered(&e, 587), 0);
}

static const struct {
	const char		*row;
	const char		*params;
	enum ext_verdict	 verdict;
	bool			 possible;
} table[] = {
	{ "R4865-4.2-b", "HOLDFOR=1", EXT_OK, true },
	{ "R4865-4.2-b", "HOLDFOR=86400", EXT_OK, true },
	{ "R4865-4.2-c", "HOLDFOR=86401", EXT_HOLD_FAR, false },
	{ "R4865-4.2-c", "HOLDFOR=999999999", EXT_HOLD_FAR, false },
	{ "R4865-4.2-b", "HOLDUNTIL=2026-11-22T10:00:01Z", EXT_OK, true },
	{ "R4865-4.2-c", "HOLDUNTIL=2026-11-22T10:00:00Z", EXT_HOLD_PAST,
	    true },
	{ "R4865-4.2-c", "HOLDUNTIL=1970-01-01T00:00:00Z", EXT_HOLD_PAST,
	    true },
	{ "R4865-4.2-c", "HOLDUNTIL=1970-01-01T00:00:01Z", EXT_HOLD_PAST,
	    true },
	{ "R4865-4.2-b", "HOLDUNTIL=2026-11-23T10:00:00Z", EXT_OK, true },
	{ "R4865-4.2-c", "HOLDUNTIL=2026-11-23T10:00:01Z", EXT_HOLD_FAR,
	    true },
	{ "R4865-5.2.2-a", "BY=60;R HOLDFOR=60", EXT_OK, true },
	{ "R4865-5.2.2-a", "BY=60;R HOLDFOR=61", EXT_HOLD_BY, false },
	{ "R4865-5.2.2-a", "BY=60;N HOLDFOR=61", EXT_HOLD_BY, false },
	{ "R4865-5.2.2-a", "BY=-1;N HOLDFOR=1", EXT_HOLD_BY, false },
	{ "R4865-5.2.2-a", "BY=60;R HOLDUNTIL=2026-11-22T10:01:00Z", EXT_OK,
	    true },
	{ "R4865-5.2.2-a", "BY=60;R HOLDUNTIL=2026-11-22T10:01:01Z",
	    EXT_HOLD_BY, true },
	{ "R4865-5.2.2-a", "BY=0;N HOLDUNTIL=2026-11-22T10:01:01Z",
	    EXT_HOLD_BY, false },
	{ "R2852-4-a", "BY=60;R", EXT_OK, true },
	{ "R2852-4-a", "BY=59;R", EXT_BY_SHORT, false },
	{ "R2852-4-a", "BY=59;RT HOLDUNTIL=2026-11-22T10:00:01Z",
	    EXT_BY_SHORT, false },
	{ "R2852-4-a", "BY=59;N", EXT_OK, true },
	{ "R2852-4-a", "BY=-999999999;NT", EXT_OK, true },
	{ "R6710-4.1-a", "MT-PRIORITY=9", EXT_OK, true },
	{ "none", "", EXT_OK, true },
};

static void
t_bounds(void **state)
{
	struct mail_params	m;
	struct conf_ext		e;
	size_t			i;

	(void)state;
	conf_ext_default(&e);
	e.future_max = 86400;
	e.by_min = 60;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(params_mail(SLICE_STR(table[i].params),
		    EXT_ALL, &m), PARAMS_OK);
		if (conf_ext_check(&e, &m, NOW) != table[i].verdict ||
		    conf_ext_possible(&e, &m) != table[i].possible)
			fail_msg("%s %s: %d, %d", table[i].row,
			    table[i].params, conf_ext_check(&e, &m, NOW),
			    conf_ext_possible(&e, &m));
	}
}

/* Nobody can have let through what is switched off. */
static void
t_off(void **state)
{
	static const char *const all[] = { "HOLDFOR=1",
		"HOLDUNTIL=2026-11-22T10:00:01Z", "BY=100;N",
		"MT-PRIORITY=0" };
	struct mail_params	m;
	struct conf_ext		e;
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(params_mail(SLICE_STR(all[i]), EXT_ALL, &m),
		    PARAMS_OK);
		conf_ext_default(&e);
		assert_true(conf_ext_possible(&e, &m));
		e.future_off = i < 2;
		e.by_off = i == 2;
		e.priority_off = i == 3;
		assert_false(conf_ext_possible(&e, &m));
	}
}

static void
t_release(void **state)
{
	struct mail_params	m;

	(void)state;
	params_mail(SLICE_STR("HOLDFOR=60"), EXT_ALL, &m);
	assert_int_equal(conf_ext_release(&m, NOW), NOW + 60);
	params_mail(SLICE_STR("HOLDUNTIL=2026-11-22T10:00:01.5Z"), EXT_ALL,
	    &m);
	assert_int_equal(conf_ext_release(&m, NOW), NOW + 2);
	params_mail(SLICE_STR("BY=9;R"), EXT_ALL, &m);
	assert_int_equal(conf_ext_release(&m, NOW), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_words),
		cmocka_unit_test(t_wrong_words),
		cmocka_unit_test(t_match),
		cmocka_unit_test(t_R4865_4_2_a),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_off),
		cmocka_unit_test(t_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
