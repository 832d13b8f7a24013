/* links: msad/queue/limits.c msad/queue/rate.c msad/queue/claim.c */
/* links: msad/queue/room.c */
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
#include "msad/queue/index.h"
#include "msad/queue/limits.h"

static struct conf	*conf;
static char		 text[LIMITS_TEXT_MAX];

struct conf *
child_conf(void)
{
	return conf;
}

/* What "acme" has in the queue. */
static uint64_t		 queued, queued_octets;

uint64_t
index_select_count(enum index_key kind, struct slice name)
{
	assert_int_equal(kind, INDEX_TENANT);
	return slice_is(name, "acme") ? queued : 0;
}

uint64_t
index_tenant_octets(struct slice name)
{
	return slice_is(name, "acme") ? queued_octets : 0;
}

static void
configure_text(const char *words)
{
	conf_free(conf);
	conf = conf_parse_text(words, strlen(words), "t", stderr);
	assert_non_null(conf);
	conf->message_size = 100000;
}

/* Limits as the configuration would have them. */
static void
configure(const char *words)
{
	char	 buf[256];

	snprintf(buf, sizeof(buf), "hostname h\n%s%s%s\n",
	    strncmp(words, "tenant", 6) == 0 ? "" : "limit user { ", words,
	    strncmp(words, "tenant", 6) == 0 ? "" : " }");
	configure_text(buf);
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
	limits_reset("", NULL);
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
	/* more would never go */
	assert_int_equal(limits_size(&g), 1000);
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
	assert_int_equal(limits_size(&g), 2048);
	assert_int_equal(used("ann", RATE_BYTES), 0);	/* no such limit */
	configure("size 4G");
	assert_int_equal(limits_size(&g), 100000);
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
	assert_int_equal(limits_reset("ann@y", NULL), 1);
	assert_int_equal(limits_reset("ann", NULL), 2);
	assert_int_equal(limits_reset("ann", NULL), 0);
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

/* What a tenant may send, with all its users together. */
static void
tenants(void **state)
{
	struct limits_taken	t[6];
	struct grant		ann = grant("acme", "ann@x", 0);
	struct grant		bob = grant("acme", "bob@x", 0);
	struct grant		other = grant("zeta", "ann@x", 0);

	(void)state;
	memset(t, 0, sizeof(t));
	configure("tenant acme { limit tenant { messages 3/day, bytes 9K/day }"
	    " limit user { messages 2/day } }\ntenant zeta { }");
	assert_int_equal(limits_size(&ann), 9216);
	assert_int_equal(limits_size(&other), 100000);
	assert_int_equal(limits_mail(&ann, &t[0], 1000, text), VERDICT_OK);
	assert_int_equal(limits_mail(&ann, &t[1], 1000, text), VERDICT_OK);
	/* the user's refuses: nothing of the tenant's is taken */
	assert_int_equal(limits_mail(&ann, &t[2], 1000, text), VERDICT_RATE);
	assert_int_equal(used("", RATE_TENANT_MESSAGES), 2);
	assert_int_equal(used("", RATE_TENANT_BYTES), 2000);
	assert_int_equal(limits_mail(&bob, &t[2], 1000, text), VERDICT_OK);
	/* the tenant's refuses: nothing of the user's is taken */
	assert_int_equal(limits_mail(&bob, &t[3], 1000, text), VERDICT_RATE);
	assert_non_null(strstr(text, "your tenant's limit; try again after "
	    "2"));
	assert_int_equal(used("bob", RATE_MESSAGES), 1);
	assert_int_equal(limits_mail(&other, &t[4], 1000, text), VERDICT_OK);
	assert_int_equal(used("", RATE_TENANT_MESSAGES), 3);
	assert_string_equal(lines[0].state.key.space, "acme");
	/* the octets at the end count for both */
	assert_int_equal(limits_end(&ann, &t[0], 8000, text), VERDICT_RATE);
	assert_int_equal(limits_end(&ann, &t[0], 7000, text), VERDICT_OK);
	assert_int_equal(limits_end(&bob, &t[2], 9217, text), VERDICT_TOO_BIG);
	assert_int_equal(used("", RATE_TENANT_BYTES), 9000);
	limits_return(&ann, &t[0]);
	assert_int_equal(used("", RATE_TENANT_BYTES), 2000);
	assert_int_equal(used("", RATE_TENANT_MESSAGES), 2);
	/* a tenant's counts are its own, not its users' */
	assert_int_equal(limits_reset("", "zeta"), 0);
	assert_int_equal(limits_reset("", "acme"), 2);
	assert_int_equal(used("", RATE_TENANT_MESSAGES), 0);
	assert_int_equal(used("ann", RATE_MESSAGES), 1);
}

static void
tenant_holds(void **state)
{
	struct limits_taken	t[3];
	struct grant		ann = grant("acme", "ann@x", 0);
	time_t			now = time(NULL);

	(void)state;
	memset(t, 0, sizeof(t));
	configure("tenant acme { limit tenant { messages 1/hour over hold } "
	    "limit user { messages 5/hour } }");
	assert_int_equal(limits_mail(&ann, &t[0], 0, text), VERDICT_OK);
	assert_int_equal(t[0].until, 0);
	assert_int_equal(limits_mail(&ann, &t[1], 0, text), VERDICT_OK);
	assert_in_range(t[1].until, now + 3590, now + 3610);
	assert_int_equal(limits_mail(&ann, &t[2], 0, text), VERDICT_RATE);
	assert_int_equal(used("ann", RATE_MESSAGES), 2);
}

/* How much it may have in the queue, with what is on its way in. */
static void
room(void **state)
{
	struct limits_taken	t[4];
	struct grant		ann = grant("acme", "ann@x", 0);
	struct grant		bob = grant("acme", "bob@x", 0);
	struct grant		other = grant("zeta", "ann@x", 0);

	(void)state;
	memset(t, 0, sizeof(t));
	configure("tenant acme { limit tenant { queue 3, bytes 10K } }\n"
	    "tenant zeta { limit tenant { queue 1 } }");
	assert_int_equal(limits_size(&ann), 10240);
	queued = 1;
	queued_octets = 1000;
	assert_int_equal(limits_mail(&ann, &t[0], 0, text), VERDICT_OK);
	assert_int_equal(limits_mail(&bob, &t[1], 5000, text), VERDICT_OK);
	assert_int_equal(limits_mail(&ann, &t[2], 0, text),
	    VERDICT_QUEUE_FULL);
	assert_int_equal(limits_mail(&other, &t[3], 0, text), VERDICT_OK);
	/* one gives up */
	limits_return(&bob, &t[1]);
	assert_int_equal(limits_mail(&ann, &t[2], 9000, text), VERDICT_OK);
	assert_int_equal(limits_end(&ann, &t[0], 241, text),
	    VERDICT_QUEUE_FULL);
	assert_int_equal(limits_end(&ann, &t[0], 240, text), VERDICT_OK);
	/* into the queue, and out of it */
	limits_stored("acme", &t[0]);
	queued++;
	queued_octets += 240;
	assert_int_equal(limits_mail(&bob, &t[1], 1, text),
	    VERDICT_QUEUE_FULL);
	queued = 0;
	queued_octets = 0;
	assert_int_equal(limits_mail(&bob, &t[1], 1241, text),
	    VERDICT_QUEUE_FULL);
	assert_int_equal(limits_mail(&bob, &t[1], 1240, text), VERDICT_OK);
	limits_return(&bob, &t[1]);
	limits_return(&ann, &t[2]);
	limits_stored("zeta", &t[3]);
	assert_int_equal(limits_mail(&bob, &t[1], 10240, text), VERDICT_OK);
	limits_return(&bob, &t[1]);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_teardown(all_or_nothing, reset),
		cmocka_unit_test_teardown(octets, reset),
		cmocka_unit_test_teardown(who_is_one, reset),
		cmocka_unit_test_teardown(held, reset),
		cmocka_unit_test_teardown(tenants, reset),
		cmocka_unit_test_teardown(tenant_holds, reset),
		cmocka_unit_test_teardown(room, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
