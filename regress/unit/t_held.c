/* links: msad/queue/held.c msad/queue/claim.c msad/queue/rate.c */
/*
 * Messages that a limit held, when it is raised or reset: when each goes then,
 * in which order, and which do not move (P-ses-5).
 */
#include <sys/types.h>

#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/queue/grant.h"
#include "msad/queue/held.h"
#include "msad/queue/index.h"
#include "msad/queue/limits.h"
#include "msad/queue/mark.h"
#include "msad/queue/schedule.h"

#define NOW	1000000

static struct conf	*conf;

struct conf *
child_conf(void)
{
	return conf;
}

int64_t
limits_clock(void)
{
	return 5000;
}

char *
grant_own(struct slice user, struct slice realm, const char *hostname)
{
	char	buf[64];

	snprintf(buf, sizeof(buf), "%.*s@%.*s", SLICE_FMT(user),
	    SLICE_FMT(realm.len > 0 ? realm : SLICE_STR(hostname)));
	return strdup(buf);
}

/* The messages there are: user, auth block, until when, what became of it. */
static struct held {
	struct message	*m;		/* m->origin: its place here */
	const char	*user, *auth, *tenant;
	int		 marked;
} list[9];
static size_t	 nlist;
/* And many of one user; list[8] says whose. */
static struct message		*many;
static size_t			 nmany;
static unsigned int		 nmoved, nruns;
static struct event_base	*base;

static struct held *
of(const struct message *m)
{
	return &list[m->origin];
}

const char *
message_user(const struct message *m)
{
	return of(m)->user;
}

const char *
message_auth(const struct message *m)
{
	return of(m)->auth;
}

const char *
message_tenant(const struct message *m)
{
	return of(m)->tenant;
}

void
schedule_select_held(void (*fn)(void *, struct message *), void *arg)
{
	size_t	i;

	for (i = 0; i < nlist; i++)
		fn(arg, list[i].m);
	for (i = 0; i < nmany; i++)
		fn(arg, &many[i]);
}

struct message *
index_find(uint64_t id)
{
	return id > 8 ? &many[id - 9] : id > nlist ? NULL : list[id - 1].m;
}

bool
schedule_is_held(const struct message *m)
{
	return m->not_before > NOW;
}

time_t
schedule_now(void)
{
	return NOW;
}

void
schedule_run(time_t now)
{
	assert_int_equal(now, NOW);
	nruns++;
}

struct event_base *
child_base(void)
{
	return base;
}

void
schedule_bring_forward(struct message *m, time_t until, time_t now)
{
	assert_int_equal(now, NOW);
	nmoved++;
	m->not_before = (uint32_t)until;
}

void
mark_write(const struct message *m, durable_done done, void *arg)
{
	(void)done;
	(void)arg;
	of(m)->marked++;
}

static void
configure(const char *text)
{
	conf_free(conf);
	conf = conf_parse_text(text, strlen(text), "t", stderr);
	assert_non_null(conf);
}

static void
put(const char *user, const char *auth, const char *tenant, uint32_t until,
    uint16_t nrcpts)
{
	struct held	*h = &list[nlist];

	memset(h, 0, sizeof(*h));
	assert_non_null(h->m = calloc(1, sizeof(*h->m)));
	h->m->origin = (uint32_t)nlist;
	h->m->id = ++nlist;
	h->m->not_before = NOW + until;
	h->m->nrcpts = nrcpts;
	h->m->size = 100;
	h->user = user;
	h->auth = auth;
	h->tenant = tenant;
}

/* So much was used of it, at a rate of n an hour. */
static void
used(enum rate_kind kind, const char *tenant, const char *own, uint64_t n,
    uint64_t rate)
{
	struct rate_key	k = { kind, tenant, own, "" };
	struct rate	r = { rate, 3600 };
	uint64_t	wait;

	rate_reset(&k, 5000);
	assert_true(rate_take(&k, r, 1, rate, 5000, &wait));
	while (n-- > 1)
		assert_true(rate_take(&k, r, 1, rate, 5000, &wait));
}

static uint32_t
goes(size_t i)
{
	return list[i].m->not_before - NOW;
}

static int
teardown(void **state)
{
	(void)state;
	while (nlist > 0)
		free(list[--nlist].m);
	conf_free(conf);
	conf = NULL;
	return 0;
}

#define AUTH	"hostname h\nauth sys { pam service m realm x }\n"

/* Two an hour, four sent: two are held for half an hour and an hour. */
static void
raised(void **state)
{
	(void)state;
	used(RATE_MESSAGES, "", "ann@x", 4, 2);
	put("ann", "sys", "", 3600, 1);
	put("ann", "sys", "", 1800, 1);
	configure(AUTH "limit user { messages 2/hour over hold }\n");
	assert_int_equal(held_forward(NOW), 0);
	assert_int_equal(goes(0), 3600);
	/* lower: none goes later than was said */
	configure(AUTH "limit user { messages 1/hour over hold }\n");
	assert_int_equal(held_forward(NOW), 0);
	assert_int_equal(goes(1), 1800);
	configure(AUTH "limit user { messages 3/hour over hold }\n");
	assert_int_equal(held_forward(NOW), 2);
	assert_int_equal(goes(0), 1200);	/* the fourth */
	assert_int_equal(goes(1), 0);		/* the third */
	assert_int_equal(list[0].marked, 1);
	assert_int_equal(list[1].marked, 1);
	configure(AUTH);			/* no limit */
	assert_int_equal(held_forward(NOW), 1);
	assert_int_equal(goes(0), 0);
}

/* What counts is what holds longest, of all rates of the user. */
static void
kinds(void **state)
{
	struct rate_key	 rcpts = { RATE_RECIPIENTS, "", "ann@x", "" };

	(void)state;
	used(RATE_MESSAGES, "", "ann@x", 2, 1);
	used(RATE_RECIPIENTS, "", "ann@x", 12, 6);
	put("ann", "sys", "", 3600, 3);
	put("ann", "sys", "", 1800, 3);
	put("ann", "gone", "", 9, 1);	/* its block is not there any more */
	configure(AUTH "limit user { messages 8/hour, recipients 6/hour, "
	    "over hold }\n");
	assert_int_equal(held_forward(NOW), 0);
	assert_true(rate_reset(&rcpts, 5000));
	assert_int_equal(held_forward(NOW), 2);
	assert_int_equal(goes(0), 0);
	assert_int_equal(goes(1), 0);
	assert_int_equal(goes(2), 9);
}

#define TENANT	"hostname h\ntenant acme { auth { pam service m realm x }\n"

/* The user's and the tenant's; those of others count for the tenant. */
static void
tenant(void **state)
{
	struct rate_key	ann = { RATE_MESSAGES, "acme", "ann@x", "" };
	struct rate_key	all = { RATE_TENANT_MESSAGES, "acme", "", "" };

	(void)state;
	used(RATE_MESSAGES, "acme", "ann@x", 4, 2);
	used(RATE_MESSAGES, "acme", "bob@x", 1, 2);
	used(RATE_TENANT_MESSAGES, "acme", "", 5, 3);
	put("ann", "acme", "acme", 1800, 1);
	put("ann", "acme", "acme", 3600, 1);
	put("bob", "acme", "acme", 3700, 1);
	configure(TENANT "limit user { messages 2/hour over hold }\n"
	    "limit tenant { messages 3/hour over hold } }\n");
	/* bob's came last: 5 of 3, two thirds of an hour */
	assert_int_equal(held_forward(NOW), 1);
	assert_int_equal(goes(2), 2400);
	assert_int_equal(goes(1), 3600);
	assert_int_equal(goes(0), 1800);
	/* ann is reset: what is left is the tenant's, bob's goes before */
	assert_true(rate_reset(&ann, 5000));
	assert_int_equal(held_forward(NOW), 3);
	assert_int_equal(goes(1), 2400);
	assert_int_equal(goes(2), 1200);
	assert_int_equal(goes(0), 0);
	assert_true(rate_reset(&all, 5000));
	assert_int_equal(held_forward(NOW), 2);
	assert_int_equal(goes(2), 0);
	assert_int_equal(goes(1), 0);
}

/* P6: the loop goes on while those of a long queue are reckoned anew. */
static void
in_steps(void **state)
{
	unsigned int	i, n;

	(void)state;
	configure(AUTH);			/* no limit any more */
	list[8] = (struct held){ NULL, "ann", "sys", "", 0 };
	assert_non_null(many = calloc(5000, sizeof(*many)));
	for (nmany = 0; nmany < 5000; nmany++) {
		many[nmany].id = nmany + 9;
		many[nmany].origin = 8;
		many[nmany].not_before = NOW + 1 + (uint32_t)nmany;
	}
	base = event_base_new();
	nmoved = nruns = 0;
	n = held_forward(NOW);
	assert_in_range(n, 1, 1000);
	assert_int_equal(nmoved, n);
	/* once more meanwhile: nothing is left out */
	assert_int_equal(held_forward(NOW), n);
	for (i = 0; i < 100; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(nmoved, 5000);
	assert_int_equal(nruns, 5000 / n - 2);
	event_base_free(base);
	free(many);
	nmany = 0;
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_teardown(raised, teardown),
		cmocka_unit_test_teardown(kinds, teardown),
		cmocka_unit_test_teardown(tenant, teardown),
		cmocka_unit_test_teardown(in_steps, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
