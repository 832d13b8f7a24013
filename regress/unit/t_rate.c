/* links: msad/queue/rate.c msad/queue/rate_record.c msad/queue/rate_store.c */
/* What is used of rates (P-ses-5), and how it outlives a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf_rates.h"
#include "msad/queue/rate.h"
#include "msad/queue/rate_record.h"
#include "msad/queue/rate_store.h"
#include "msad/queue/spool.h"

#define HOUR	INT64_C(3600000)
#define DAY	(24 * HOUR)
#define T	(100 * DAY)

static const struct rate_key	 ann = { RATE_MESSAGES, "", "ann@x", "" };
static const struct rate_key	 rcpts = { RATE_RECIPIENTS, "", "ann@x", "" };
static const struct rate_key	 printer = { RATE_CREDENTIAL, "sys", "ann",
				    "printer" };
static const struct rate_key	 other = { RATE_MESSAGES, "acme", "ann@x", "" };

static uint64_t	wait;

/* --- a spool that keeps states in memory --- */

static struct kept {
	size_t	 len;
	uint8_t	 buf[RATE_RECORD_MAX];
}		*disk;			/* by place */
static spool_done	 done;
static unsigned int	 nupdates, ntxns;

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	(void)flags;
	return (struct spool_txn *)(void *)&ntxns;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	struct kept	*k;

	(void)t;
	assert_in_range(id, RATE_REGISTER, RATE_REGISTER + RATE_REGISTERS - 1);
	assert_true(id < SPOOL_REGISTERS);
	assert_true(key < RATE_REGISTER_KEYS);
	assert_true(len <= RATE_RECORD_MAX && len <= SPOOL_STATE_MAX);
	k = &disk[(id - RATE_REGISTER) * RATE_REGISTER_KEYS + key];
	memcpy(k->buf, p, len);
	k->len = len;
	nupdates++;
	return SPOOL_OK;
}

void
spool_txn_commit(struct spool_txn *t, spool_done fn, void *arg)
{
	(void)t;
	(void)arg;
	ntxns++;
	assert_null(done);
	done = fn;
}

const char *
spool_result_name(enum spool_result r)
{
	(void)r;
	return "";
}

static void
flushed(enum spool_result result)
{
	spool_done	fn = done;

	assert_non_null(fn);
	done = NULL;
	fn(NULL, result);
}

/* Write all there is. */
static void
store(uint64_t wall, int64_t now)
{
	while (!rate_store_idle()) {
		rate_store_tick(wall, now, true);
		flushed(SPOOL_OK);
	}
}

/* Forget everything. */
static void
forget(int64_t now)
{
	store(0, now);
	rate_sweep(now + 10 * DAY);
	assert_int_equal(rate_count(), 0);
	memset(disk, 0, RATE_PLACES_MAX * sizeof(*disk));
}

static void
start(uint64_t wall, int64_t now)
{
	uint32_t	i;

	for (i = 0; i < RATE_PLACES_MAX; i++)
		if (disk[i].len > 0)
			assert_true(rate_store_recover(RATE_REGISTER +
			    i / RATE_REGISTER_KEYS, i % RATE_REGISTER_KEYS,
			    disk[i].buf, disk[i].len, wall, now));
}

static int
setup(void **state)
{
	(void)state;
	disk = calloc(RATE_PLACES_MAX + RATE_REGISTER_KEYS, sizeof(*disk));
	return disk == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	forget(0);
	free(disk);
	return 0;
}

/* --- tests --- */

static const struct rate	 thirty = { 30, 3600 };

static bool
take(const struct rate_key *k, uint64_t n, uint32_t period, int64_t now)
{
	const struct rate	r = { n, period };

	return rate_take(k, r, 1, 0, now, &wait);
}

/* How many can be taken at this time, with a bound. */
static unsigned int
burst(const struct rate_key *k, uint64_t n, uint32_t period, int64_t now)
{
	unsigned int	i = 0;

	while (i < 1000 && take(k, n, period, now))
		i++;
	return i;
}

static void
an_hour_and_no_more(void **state)
{
	int64_t	now = 1000;

	(void)state;
	assert_int_equal(burst(&ann, 30, 3600, now), 30);
	assert_int_equal(wait, 120000);		/* one every two minutes */
	assert_false(take(&ann, 30, 3600, now + 119999));
	assert_int_equal(wait, 1);
	assert_true(take(&ann, 30, 3600, now + 120000));
	assert_int_equal(wait, 0);
	assert_false(take(&ann, 30, 3600, now + 120000));
	/* over an hour as many again, and not more after a day */
	assert_int_equal(burst(&ann, 30, 3600, now + 120000 + HOUR), 30);
	assert_int_equal(burst(&ann, 30, 3600, now + 25 * HOUR), 30);
	assert_int_equal(rate_used(&ann, thirty, now + 25 * HOUR), 30);
	assert_int_equal(rate_used(&ann, thirty, now + 25 * HOUR + 1), 30);
	assert_int_equal(rate_used(&ann, thirty, now + 25 * HOUR + 120000),
	    29);
	/* one of a day, and one of a minute, at the same speed as it says */
	assert_int_equal(burst(&rcpts, 2, 86400, now), 2);
	assert_int_equal(wait, DAY / 2);
	assert_int_equal(burst(&printer, 2, 60, now), 2);
	assert_int_equal(wait, 30000);
	forget(now + DAY);
}

static void
each_its_own(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 5, 3600, 1000), 5);
	assert_int_equal(burst(&rcpts, 2, 3600, 1000), 2);
	assert_int_equal(burst(&printer, 4, 3600, 1000), 4);
	assert_int_equal(burst(&other, 3, 3600, 1000), 3);
	assert_int_equal(rate_count(), 4);
	store(0, 1000);
	rate_sweep(1000 + HOUR - 1);
	assert_int_equal(rate_count(), 4);
	rate_sweep(1000 + HOUR);
	assert_int_equal(rate_count(), 0);
}

static void
given_back(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 3, 3600, 1000), 3);
	rate_return(&ann, 1, 1000);
	assert_int_equal(burst(&ann, 3, 3600, 1000), 1);
	/* never more than an hour's */
	rate_return(&ann, 7, 1000 + HOUR);
	assert_int_equal(burst(&ann, 3, 3600, 1000 + HOUR), 3);
	rate_return(&printer, 1, 1000);		/* nobody knows it */
	assert_true(rate_reset(&ann, 1000 + HOUR));
	assert_false(rate_reset(&ann, 1000 + HOUR));
	assert_false(rate_reset(&printer, 1000 + HOUR));
	assert_int_equal(burst(&ann, 3, 3600, 1000 + HOUR), 3);
	forget(2 * HOUR);
}

static void
many_at_once(void **state)
{
	const struct rate	r = { 1000, 86400 };
	const struct rate	most = { CONF_RATE_BYTES_MAX, 86400 };

	(void)state;
	assert_true(rate_take(&ann, r, 900, 0, 5, &wait));
	assert_false(rate_take(&ann, r, 101, 0, 5, &wait));
	assert_int_equal(wait, DAY / 1000);
	assert_true(rate_take(&ann, r, 100, 0, 5, &wait));
	/* what never goes */
	assert_false(rate_take(&ann, r, 1001, 0, 5 + 2 * DAY, &wait));
	/* the largest numbers */
	assert_true(rate_take(&other, most, most.n, most.n, 5, &wait));
	assert_true(rate_take(&other, most, most.n, most.n, 5, &wait));
	assert_int_equal(wait, DAY);
	assert_false(rate_take(&other, most, 1, most.n, 5, &wait));
	assert_int_equal(rate_used(&other, most, 5), 2 * most.n);
	assert_int_equal(rate_wait(&other, most, 0, 5), DAY);
	assert_int_equal(rate_wait(&other, most, most.n / 2, 5), DAY / 2);
	assert_int_equal(rate_wait(&other, most, most.n, 5), 0);
	assert_int_equal(rate_wait(&other, most, UINT64_MAX, 5), 0);
	assert_int_equal(rate_used(&other, most, 5 + DAY), most.n);
	forget(3 * DAY);
}

static void
above_the_rate(void **state)
{
	const struct rate	r = { 2, 3600 };

	(void)state;
	assert_true(rate_take(&ann, r, 1, 2, 0, &wait));
	assert_true(rate_take(&ann, r, 1, 2, 0, &wait));
	assert_int_equal(wait, 0);
	/* the third is within the rate in half an hour, the fourth in one */
	assert_true(rate_take(&ann, r, 1, 2, 0, &wait));
	assert_int_equal(wait, HOUR / 2);
	assert_true(rate_take(&ann, r, 1, 2, 0, &wait));
	assert_int_equal(wait, HOUR);
	assert_false(rate_take(&ann, r, 1, 2, 0, &wait));
	assert_int_equal(wait, HOUR / 2);
	/* and nothing at once until those have gone */
	assert_false(rate_take(&ann, r, 1, 0, HOUR, &wait));
	assert_true(rate_take(&ann, r, 1, 0, HOUR + HOUR / 2, &wait));
	forget(2 * HOUR);
}

static void
changed_and_extreme(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 100, 3600, 1000), 100);
	assert_int_equal(burst(&ann, 10, 3600, 1000), 0);
	assert_int_equal(wait, 91 * 360000);
	/* more at once when the rate is raised */
	assert_int_equal(burst(&ann, 110, 3600, 1000), 10);
	/* a clock that stands still, or goes back, gives nothing */
	assert_int_equal(burst(&ann, 110, 3600, 500), 0);
	assert_int_equal(burst(&other, UINT32_MAX, 3600, 1000), 1000);
	forget(9 * HOUR);
}

static void
bounded(void **state)
{
	struct rate_key	 k = { RATE_MESSAGES, "", NULL, "" };
	char		 name[32];
	static char	 big[RATE_KEY_MAX];
	int		 i;

	(void)state;
	k.user = name;
	for (i = 0; i < RATE_PLACES_MAX; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		assert_int_equal(burst(&k, 5, 3600, 1000), 5);
		if (i % 50 == 7)
			rate_return(&k, 3, 1000);
	}
	assert_int_equal(rate_count(), RATE_PLACES_MAX);
	/* one of those that used least makes way */
	snprintf(name, sizeof(name), "one more");
	assert_int_equal(burst(&k, 5, 3600, 1000), 5);
	assert_int_equal(rate_count(), RATE_PLACES_MAX);
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		assert_int_equal(rate_used(&k, (struct rate){ 5, 3600 }, 1000),
		    i == 7 ? 0 : 5);
	}
	memset(big, 'x', sizeof(big) - 1);
	k.user = big;
	assert_false(take(&k, 5, 3600, 1000));
	forget(1000 + HOUR);
}

/* --- what is kept --- */

static void
over_a_restart(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 30, 3600, 1000), 30);
	assert_int_equal(burst(&other, 2, 86400, 1000), 2);
	assert_int_equal(burst(&printer, 5, 60, 1000), 5);
	nupdates = 0;
	store(50 * (uint64_t)HOUR, 1000);
	assert_int_equal(nupdates, 3);
	/* ten minutes pass while it is down; its clock begins at 5 */
	rate_sweep(1000 + 10 * DAY);
	assert_int_equal(rate_count(), 0);
	start(50 * (uint64_t)HOUR + 600000, 5);
	assert_int_equal(rate_count(), 2);
	assert_int_equal(burst(&ann, 30, 3600, 5), 5);
	assert_int_equal(burst(&other, 2, 86400, 5), 0);
	assert_int_equal(burst(&printer, 5, 60, 5), 5);
	forget(5 + 2 * DAY);
}

static void
newest_holds(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 4, 86400, 1000), 4);
	store(1000, 1000);
	assert_true(rate_reset(&ann, 1000));
	store(1000, 1000);
	rate_sweep(1000);
	assert_int_equal(rate_count(), 0);
	start(1000, 1000);
	assert_int_equal(rate_count(), 0);	/* the reset is on the disk */
	/* a place that another has now */
	assert_true(take(&ann, 4, 86400, 1000));
	store(1000, 1000);
	rate_sweep(1000 + DAY);
	assert_true(take(&other, 4, 86400, 1000 + DAY));
	store(2000, 1000 + DAY);
	rate_sweep(1000 + 2 * DAY);
	start(2000, 1000);
	assert_int_equal(rate_count(), 1);
	assert_int_equal(burst(&ann, 4, 86400, 1000), 4);
	assert_int_equal(burst(&other, 4, 86400, 1000), 3);
	forget(9 * DAY);
}

static void
not_with_each_message(void **state)
{
	(void)state;
	forget(0);
	assert_true(take(&ann, 30, 3600, T));
	ntxns = nupdates = 0;
	rate_store_tick(1, T, false);
	assert_int_equal(ntxns, 1);
	assert_false(rate_store_idle());
	assert_true(take(&ann, 30, 3600, T + 1));
	rate_store_tick(1, T + 500, false);
	flushed(SPOOL_OK);
	assert_false(rate_store_idle());
	rate_store_tick(1, T + RATE_STORE_SECONDS * 1000 - 1, false);
	assert_int_equal(ntxns, 1);
	rate_store_tick(1, T + RATE_STORE_SECONDS * 1000, false);
	assert_int_equal(ntxns, 2);
	/* what the disk refused is written again */
	flushed(SPOOL_NOSPACE);
	assert_false(rate_store_idle());
	rate_store_tick(1, T + RATE_STORE_SECONDS * 2000, false);
	flushed(SPOOL_OK);
	assert_true(rate_store_idle());
	assert_int_equal(nupdates, 3);
	/* nothing changed: nothing is written */
	rate_store_tick(1, T + RATE_STORE_SECONDS * 4000, false);
	assert_int_equal(ntxns, 3);
	forget(T);
}

static void
records_that_are_none(void **state)
{
	struct rate_record	r, back;
	uint8_t			buf[RATE_RECORD_MAX];
	size_t			len, i;

	(void)state;
	r.key = printer;
	r.rate = thirty;
	r.parts = 77;
	r.when = 88;
	len = rate_record_encode(&r, buf);
	assert_true(len > 0);
	assert_int_equal(rate_record_decode(buf, len, &back), 0);
	assert_string_equal(back.key.space, "sys");
	assert_string_equal(back.key.user, "ann");
	assert_string_equal(back.key.label, "printer");
	assert_int_equal(back.key.kind, RATE_CREDENTIAL);
	assert_int_equal(back.parts, 77);
	assert_int_equal(back.when, 88);
	assert_int_equal(back.rate.n, 30);
	assert_int_equal(back.rate.period, 3600);
	for (i = 0; i < len; i++)
		assert_int_equal(rate_record_decode(buf, i, &back), -1);
	buf[len] = 0;
	assert_int_equal(rate_record_decode(buf, len + 1, &back), -1);
	r.rate.period = 7;
	assert_int_equal(rate_record_decode(buf, rate_record_encode(&r, buf),
	    &back), -1);
	r.rate = (struct rate){ 0, 60 };
	assert_int_equal(rate_record_decode(buf, rate_record_encode(&r, buf),
	    &back), -1);
	r.rate = thirty;
	r.parts = UINT64_MAX;
	assert_int_equal(rate_record_decode(buf, rate_record_encode(&r, buf),
	    &back), -1);
	r.parts = 1;
	r.key.kind = RATE_KINDS;
	assert_int_equal(rate_record_decode(buf, rate_record_encode(&r, buf),
	    &back), -1);
	/* another register is somebody else's; ours is never NULL's */
	assert_false(rate_store_recover(RATE_REGISTER - 1, 0, buf, len, 0, 0));
	assert_false(rate_store_recover(SPOOL_REGISTERS, 0, buf, len, 0, 0));
	assert_true(rate_store_recover(RATE_REGISTER, 5000, buf, len, 0, 0));
	assert_true(rate_store_recover(RATE_REGISTER, 0, "", 0, 0, 0));
	assert_int_equal(rate_count(), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(an_hour_and_no_more),
		cmocka_unit_test(each_its_own),
		cmocka_unit_test(given_back),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(above_the_rate),
		cmocka_unit_test(changed_and_extreme),
		cmocka_unit_test(bounded),
		cmocka_unit_test(over_a_restart),
		cmocka_unit_test(newest_holds),
		cmocka_unit_test(not_with_each_message),
		cmocka_unit_test(records_that_are_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
