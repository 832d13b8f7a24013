/* links: msad/queue/kept_record.c */
/* links: msad/queue/pause.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Pauses: in force once they are durable, over by their end or a resume, and
 * again there after a restart. Spool and schedule are played here.
 */
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
#include "common/stats.h"
#include "kept_spool.h"
#include "msad/queue/pause.h"
#include "msad/queue/registers.h"
#include "msad/queue/schedule.h"

#define NOW	1000000

static struct conf		 conf;
static struct conf_relay	 relays[2];
static bool			 relay_paused[2], tenant_paused;
static char			 domain_paused[64];

struct conf *
child_conf(void)
{
	return &conf;
}

void
schedule_pause_relay(const char *name, bool paused)
{
	relay_paused[strcmp(name, "smart") == 0 ? 0 : 1] = paused;
}

void
schedule_pause_tenant(const char *name, bool paused)
{
	assert_string_equal(name, "acme");
	tenant_paused = paused;
}

void
schedule_pause_domain(const char *name, bool paused)
{
	strlcpy(domain_paused, paused ? name : "", sizeof(domain_paused));
}

static const char *
add(enum pause_kind kind, const char *name, uint64_t until)
{
	struct pause_record	r = { kind, 7, NOW, until, SLICE_STR(name) };

	return pause_add(&r, on_answer, NULL);
}

static const char *
take_off(enum pause_kind kind, const char *name, uint32_t *n)
{
	return pause_remove(kind, SLICE_STR(name), 8, on_answer, NULL, n);
}

static void
count_one(void *arg, const struct pause_record *r)
{
	assert_int_equal(r->uid, 7);
	++*(uint32_t *)arg;
}

static uint32_t
count(void)
{
	uint32_t	n = 0, told = pause_each(count_one, &n);

	assert_int_equal(told, n);
	return n;
}

static int
setup(void **state)
{
	static char	smart[] = "smart", other[] = "other";

	(void)state;
	TAILQ_INIT(&conf.relays);
	relays[0].name = smart;
	relays[1].name = other;
	TAILQ_INSERT_TAIL(&conf.relays, &relays[0], entry);
	TAILQ_INSERT_TAIL(&conf.relays, &relays[1], entry);
	nanswers = 0;
	answered[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	uint32_t	n;
	int		i;

	(void)state;
	for (i = 0; i < PAUSE_KINDS; i++) {
		take_off((enum pause_kind)i, i == PAUSE_TENANT ? "acme" :
		    i == PAUSE_DOMAIN ? "example.org" : "", &n);
		if (n > 0)
			disk_answer(SPOOL_OK);
	}
	assert_int_equal(count(), 0);
	assert_int_equal(disk_count(), 0);
	assert_int_equal(ntxns, 0);
	return 0;
}

/* P8: what msactl says is done is on the disk, and in force. */
static void
durable_first(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(PAUSE_ACCEPT, "", 0));
	assert_false(pause_accept());
	assert_int_equal(nanswers, 0);
	assert_int_equal(count(), 0);
	disk_answer(SPOOL_OK);
	assert_string_equal(answered, "ok");
	assert_true(pause_accept());
	assert_int_equal(stats_page[STAT_QUEUE_PAUSED], 1);
	assert_int_equal(disk_register, REGISTER_PAUSES);
	assert_int_equal(disk_count(), 1);
	/* it holds until its end is there too */
	assert_null(take_off(PAUSE_ACCEPT, "", &n));
	assert_int_equal(n, 1);
	assert_true(pause_accept());
	disk_answer(SPOOL_OK);
	assert_false(pause_accept());
	assert_int_equal(stats_page[STAT_QUEUE_PAUSED], 0);
	assert_int_equal(disk_count(), 0);
}

static void
disk_refuses(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(PAUSE_TENANT, "acme", 0));
	disk_answer(SPOOL_IO);
	assert_string_equal(answered, "the disk failed");
	assert_false(tenant_paused);
	assert_int_equal(count(), 0);
	assert_null(add(PAUSE_TENANT, "acme", 0));
	disk_answer(SPOOL_OK);
	assert_true(tenant_paused);
	assert_null(take_off(PAUSE_TENANT, "acme", &n));
	disk_answer(SPOOL_IO);
	assert_string_equal(answered, "the disk failed");
	assert_true(tenant_paused);
	assert_int_equal(count(), 1);
	no_txn = true;
	assert_non_null(take_off(PAUSE_TENANT, "acme", &n));
	assert_int_equal(n, 0);
	assert_non_null(add(PAUSE_ACCEPT, "", 0));
	no_txn = false;
	assert_int_equal(count(), 1);
}

static void
names(void **state)
{
	char		long_name[PAUSE_NAME_MAX + 2];
	uint32_t	n;

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_string_equal(add(PAUSE_RELAY, "nosuch", 0),
	    "the configuration has no relay of that name");
	assert_non_null(add(PAUSE_ACCEPT, "x", 0));
	assert_non_null(add(PAUSE_TENANT, "", 0));
	assert_non_null(add(PAUSE_DOMAIN, "", 0));
	assert_non_null(add(PAUSE_DOMAIN, "a\nb", 0));
	/* these would pause nothing */
	assert_non_null(add(PAUSE_DOMAIN, "user@example.org", 0));
	assert_non_null(add(PAUSE_DOMAIN, "*.example.org", 0));
	assert_non_null(add(PAUSE_DOMAIN, "exa mple.org", 0));
	assert_non_null(add(PAUSE_DOMAIN, "example.org.", 0));
	assert_non_null(add(PAUSE_DOMAIN, long_name, 0));
	assert_non_null(take_off(PAUSE_DOMAIN, long_name, &n));
	assert_int_equal(ntxns, 0);
	/* what is not paused */
	assert_null(take_off(PAUSE_DOMAIN, "example.org", &n));
	assert_int_equal(n, 0);
	assert_null(add(PAUSE_DOMAIN, "Example.ORG", 0));
	disk_answer(SPOOL_OK);
	assert_string_equal(domain_paused, "example.org");
	assert_null(take_off(PAUSE_DOMAIN, "EXAMPLE.org", &n));
	assert_int_equal(n, 1);
	disk_answer(SPOOL_OK);
	assert_string_equal(domain_paused, "");
}

/* A domain of another script has two forms. */
static void
two_forms(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(PAUSE_DOMAIN, "b\303\274cher.example", 0));
	disk_answer(SPOOL_OK);
	assert_string_equal(domain_paused, "xn--bcher-kva.example");
	/* by either it is resumed */
	assert_null(take_off(PAUSE_DOMAIN, "XN--bcher-kva.example", &n));
	assert_int_equal(n, 1);
	disk_answer(SPOOL_OK);
	assert_string_equal(domain_paused, "");
	assert_null(add(PAUSE_DOMAIN, "xn--bcher-kva.example", 0));
	disk_answer(SPOOL_OK);
	assert_null(take_off(PAUSE_DOMAIN, "b\303\274cher.example", &n));
	disk_answer(SPOOL_OK);
	assert_string_equal(domain_paused, "");
}

/* All relays, one relay, and both. */
static void
some_relays(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(PAUSE_RELAY, "smart", 0));
	disk_answer(SPOOL_OK);
	assert_true(relay_paused[0]);
	assert_false(relay_paused[1]);
	assert_null(add(PAUSE_RELAY, "", 0));
	disk_answer(SPOOL_OK);
	assert_true(relay_paused[1]);
	/* one of all cannot go alone */
	assert_non_null(take_off(PAUSE_RELAY, "other", &n));
	assert_null(take_off(PAUSE_RELAY, "smart", &n));
	disk_answer(SPOOL_OK);
	assert_true(relay_paused[0]);
	/* a relay that comes later is one of all */
	relay_paused[1] = false;
	pause_conf();
	assert_true(relay_paused[1]);
	assert_null(add(PAUSE_RELAY, "other", 0));
	disk_answer(SPOOL_OK);
	assert_null(take_off(PAUSE_RELAY, "", &n));
	assert_int_equal(n, 2);
	disk_answer(SPOOL_OK);
	assert_false(relay_paused[0]);
	assert_false(relay_paused[1]);
}

static void
until_then(void **state)
{
	(void)state;
	assert_null(add(PAUSE_TENANT, "acme", NOW + 10));
	disk_answer(SPOOL_OK);
	pause_tick(NOW + 9);
	assert_true(tenant_paused);
	assert_int_equal(ntxns, 0);
	pause_tick(NOW + 10);
	assert_false(tenant_paused);
	assert_int_equal(count(), 0);
	/* a disk that fails keeps nobody waiting, and is asked again */
	assert_int_equal(ntxns, 1);
	disk_answer(SPOOL_IO);
	assert_int_equal(disk_count(), 1);
	pause_tick(NOW + 11);
	pause_tick(NOW + 12);
	assert_int_equal(ntxns, 1);
	disk_answer(SPOOL_OK);
	assert_int_equal(disk_count(), 0);
	pause_tick(NOW + 13);
	assert_int_equal(ntxns, 0);
}

/* Paused again: one pause, with the new end, and no moment without. */
static void
again(void **state)
{
	uint32_t	n;

	(void)state;
	assert_null(add(PAUSE_TENANT, "acme", NOW + 10));
	/* while that is on its way nothing of it can be changed */
	assert_non_null(add(PAUSE_TENANT, "acme", 0));
	assert_non_null(take_off(PAUSE_TENANT, "acme", &n));
	disk_answer(SPOOL_OK);
	assert_null(add(PAUSE_TENANT, "acme", NOW + 20));
	assert_true(tenant_paused);
	assert_int_equal(count(), 1);
	pause_tick(NOW + 10);		/* it goes anyway */
	assert_true(tenant_paused);
	disk_answer(SPOOL_OK);
	assert_true(tenant_paused);
	assert_int_equal(count(), 1);
	assert_int_equal(disk_count(), 1);
	pause_tick(NOW + 15);
	assert_true(tenant_paused);
}

static void
restart(void **state)
{
	struct pause_record	r = { PAUSE_TENANT, 7, NOW, 0,
		SLICE_STR("acme") };
	uint8_t			buf[PAUSE_RECORD_MAX];
	size_t			n;

	(void)state;
	n = pause_record_encode(&r, buf);
	assert_false(pause_recover(REGISTER_RULES, 3, buf, n));
	assert_true(pause_recover(REGISTER_PAUSES, 3, buf, n));
	assert_true(pause_recover(REGISTER_PAUSES, 4, "", 0));
	assert_true(pause_recover(REGISTER_PAUSES, 5, buf, n - 1));
	assert_true(pause_recover(REGISTER_PAUSES, KEPT_MAX, buf, n));
	r.kind = PAUSE_ACCEPT;
	r.name.len = 0;
	n = pause_record_encode(&r, buf);
	assert_true(pause_recover(REGISTER_PAUSES, 6, buf, n));
	pause_conf();
	assert_true(tenant_paused);
	assert_true(pause_accept());
	assert_int_equal(count(), 2);
}

static void
bounded(void **state)
{
	char		name[16];
	uint32_t	n, i;

	(void)state;
	for (i = 0; i < KEPT_MAX; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_null(add(PAUSE_DOMAIN, name, 0));
		disk_answer(SPOOL_OK);
	}
	assert_non_null(add(PAUSE_ACCEPT, "", 0));
	assert_int_equal(count(), KEPT_MAX);
	for (i = 0; i < KEPT_MAX; i++) {
		snprintf(name, sizeof(name), "d%u.example", i);
		assert_null(take_off(PAUSE_DOMAIN, name, &n));
		disk_answer(SPOOL_OK);
	}
}

static void
records(void **state)
{
	struct pause_record	r = { PAUSE_DOMAIN, 501, NOW, NOW + 5,
		SLICE_STR("example.org") }, back;
	uint8_t			buf[PAUSE_RECORD_MAX + 1];
	size_t			n, i;

	(void)state;
	n = pause_record_encode(&r, buf);
	assert_int_equal(pause_record_decode(buf, n, &back), 0);
	assert_int_equal(back.kind, PAUSE_DOMAIN);
	assert_int_equal(back.uid, 501);
	assert_int_equal(back.since, NOW);
	assert_int_equal(back.until, NOW + 5);
	assert_true(slice_is(back.name, "example.org"));
	for (i = 0; i < n; i++)
		assert_int_equal(pause_record_decode(buf, i, &back), -1);
	buf[n] = 0;
	assert_int_equal(pause_record_decode(buf, n + 1, &back), -1);
	buf[1] = PAUSE_KINDS;
	assert_int_equal(pause_record_decode(buf, n, &back), -1);
	buf[1] = PAUSE_ACCEPT;		/* which has no name */
	assert_int_equal(pause_record_decode(buf, n, &back), -1);
	buf[1] = PAUSE_DOMAIN;
	buf[0] = PAUSE_RECORD_VERSION + 1;
	assert_int_equal(pause_record_decode(buf, n, &back), -1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(durable_first, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(disk_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(two_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(some_relays, setup, teardown),
		cmocka_unit_test_setup_teardown(until_then, setup, teardown),
		cmocka_unit_test_setup_teardown(again, setup, teardown),
		cmocka_unit_test_setup_teardown(restart, setup, teardown),
		cmocka_unit_test_setup_teardown(bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(records, setup, teardown),
	};

	int			failed;

	pause_init(NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	disk_clear();
	return failed;
}
