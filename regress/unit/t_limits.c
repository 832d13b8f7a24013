/* links: msad/queue/limits.c msad/queue/rate.c */
/* What a user and a credential may send, as transaction.c asks it (P-ses-5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/queue/grant.h"
#include "msad/queue/limits.h"

static struct conf	 conf;
static char		 text[LIMITS_TEXT_MAX];

struct conf *
child_conf(void)
{
	return &conf;
}

/* Limits as the configuration would have them. */
static void
configure(const char *words)
{
	struct conf	*c;
	char		 buf[256];

	snprintf(buf, sizeof(buf), "hostname h\nlimit user { %s }\n", words);
	c = conf_parse_text(buf, strlen(buf), "t", stderr);
	assert_non_null(c);
	memset(&conf, 0, sizeof(conf));
	conf.user_rates = c->user_rates;
	conf.message_size = 100000;
	conf_free(c);
}

static struct grant
grant(const char *tenant, const char *own, uint32_t rate)
{
	struct grant	g;

	memset(&g, 0, sizeof(g));
	g.auth = (char *)(uintptr_t)"sys";
	g.user = (char *)(uintptr_t)"ann";
	g.own = (char *)(uintptr_t)own;
	g.tenant = (char *)(uintptr_t)tenant;
	g.scope.label = (char *)(uintptr_t)"printer";
	g.scope.rate = rate;
	return g;
}

static struct limits_line	lines[16];
static unsigned int		nlines;

static void
keep_line(void *arg, const struct limits_line *line)
{
	(void)arg;
	if (nlines < 16)
		lines[nlines++] = *line;
}

/* What is used of a kind, by the user's name. */
static uint64_t
used(const char *user, enum rate_kind kind)
{
	uint32_t	place = 0;
	unsigned int	i, n;

	nlines = 0;
	n = limits_each(&place, user, 16, keep_line, NULL);
	assert_int_equal(n, nlines);
	assert_int_equal(place, RATE_NONE);
	for (i = 0; i < nlines; i++)
		if (lines[i].state.key.kind == kind)
			return lines[i].state.used;
	return 0;
}

static int
reset(void **state)
{
	(void)state;
	limits_reset("");
	return 0;
}

static void
all_or_nothing(void **state)
{
	struct limits_taken	t = { 0 }, u = { 0 };
	struct grant		g = grant("", "ann@x", 2);

	(void)state;
	configure("messages 5/day, bytes 1000/day");
	assert_int_equal(limits_mail(&g, &t, 600, text), VERDICT_OK);
	assert_true(t.credential && t.message);
	assert_int_equal(t.bytes, 600);
	assert_int_equal(t.until, 0);
	/* too many octets: neither counts a message */
	assert_int_equal(limits_mail(&g, &u, 600, text), VERDICT_RATE);
	assert_non_null(strstr(text, "try again after 2"));
	assert_false(u.credential || u.message);
	assert_int_equal(used("ann", RATE_MESSAGES), 1);
	assert_int_equal(used("ann", RATE_CREDENTIAL), 1);
	assert_int_equal(used("ann", RATE_BYTES), 600);
	/* too many of the credential: nothing of the user's */
	assert_int_equal(limits_mail(&g, &u, 1, text), VERDICT_OK);
	memset(&u, 0, sizeof(u));
	assert_int_equal(limits_mail(&g, &u, 1, text), VERDICT_RATE);
	assert_int_equal(used("ann", RATE_MESSAGES), 2);
	/* given back whole, and once */
	assert_int_equal(limits_rcpt(&g, &t, text), VERDICT_OK);
	limits_return(&g, &t);
	limits_return(&g, &t);
	assert_int_equal(used("ann@x", RATE_MESSAGES), 1);
	assert_int_equal(used("ann@x", RATE_BYTES), 1);
	assert_int_equal(used("ann", RATE_CREDENTIAL), 1);
}

static void
octets(void **state)
{
	struct limits_taken	t = { 0 };
	struct grant		g = grant("", "ann@x", 0);

	(void)state;
	configure("bytes 1000/day, size 5000");
	assert_int_equal(limits_size(), 1000);	/* more would never go */
	assert_int_equal(limits_mail(&g, &t, 0, text), VERDICT_OK);
	assert_int_equal(limits_end(&g, &t, 1001, text), VERDICT_TOO_BIG);
	assert_int_equal(limits_end(&g, &t, 900, text), VERDICT_OK);
	assert_int_equal(used("ann", RATE_BYTES), 900);
	assert_int_equal(limits_end(&g, &t, 300, text), VERDICT_OK);
	assert_int_equal(used("ann", RATE_BYTES), 300);
	memset(&t, 0, sizeof(t));
	assert_int_equal(limits_mail(&g, &t, 0, text), VERDICT_OK);
	assert_int_equal(limits_end(&g, &t, 800, text), VERDICT_RATE);
	limits_return(&g, &t);
	assert_int_equal(used("ann", RATE_BYTES), 300);
	configure("size 2K");
	assert_int_equal(limits_size(), 2048);
	assert_int_equal(used("ann", RATE_BYTES), 0);	/* no such limit */
	configure("size 4G");
	assert_int_equal(limits_size(), 100000);
}

static void
who_is_one(void **state)
{
	struct limits_taken	t[4];
	struct grant		g = grant("", "ann@x", 0);
	struct grant		other = grant("", "ann@y", 0);
	struct grant		tenant = grant("acme", "ann@x", 0);

	(void)state;
	memset(t, 0, sizeof(t));
	configure("messages 1/day");
	assert_int_equal(limits_mail(&g, &t[0], 0, text), VERDICT_OK);
	g.auth = (char *)(uintptr_t)"other block";
	assert_int_equal(limits_mail(&g, &t[1], 0, text), VERDICT_RATE);
	assert_int_equal(limits_mail(&other, &t[2], 0, text), VERDICT_OK);
	assert_int_equal(limits_mail(&tenant, &t[3], 0, text), VERDICT_OK);
	assert_int_equal(used("ann", RATE_MESSAGES), 1);
	assert_int_equal(nlines, 3);
	used("ann@x", RATE_MESSAGES);
	assert_int_equal(nlines, 2);
	used("an", RATE_MESSAGES);
	assert_int_equal(nlines, 0);
	used("x", RATE_MESSAGES);
	assert_int_equal(nlines, 0);
	assert_int_equal(limits_reset("ann@y"), 1);
	assert_int_equal(limits_reset("ann"), 2);
	assert_int_equal(limits_reset("ann"), 0);
}

static void
held(void **state)
{
	struct limits_taken	t[5];
	struct grant		g = grant("", "ann@x", 0);
	time_t			now = time(NULL);
	int			i;

	(void)state;
	configure("messages 2/hour, recipients 3/day, over hold");
	memset(t, 0, sizeof(t));
	for (i = 0; i < 4; i++)
		assert_int_equal(limits_mail(&g, &t[i], 0, text), VERDICT_OK);
	assert_int_equal(t[1].until, 0);
	assert_in_range(t[2].until, now + 1795, now + 1810);
	assert_in_range(t[3].until, now + 3595, now + 3610);
	assert_int_equal(limits_mail(&g, &t[4], 0, text), VERDICT_RATE);
	/* the later of the two */
	for (i = 0; i < 3; i++)
		assert_int_equal(limits_rcpt(&g, &t[2], text), VERDICT_OK);
	assert_in_range(t[2].until, now + 1795, now + 1810);
	assert_int_equal(limits_rcpt(&g, &t[2], text), VERDICT_OK);
	assert_in_range(t[2].until, now + 28790, now + 28820);
	assert_int_equal(used("ann", RATE_MESSAGES), 4);
	assert_in_range(lines[0].wait, 1, 2 * 3600 * 1000);
	limits_return(&g, &t[3]);
	assert_int_equal(limits_mail(&g, &t[4], 0, text), VERDICT_OK);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_teardown(all_or_nothing, reset),
		cmocka_unit_test_teardown(octets, reset),
		cmocka_unit_test_teardown(who_is_one, reset),
		cmocka_unit_test_teardown(held, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
