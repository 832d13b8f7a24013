/* links: msad/queue/rate.c */
/* Messages an hour of a credential (P-ses-5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "msad/queue/rate.h"

#define HOUR	INT64_C(3600000)

static const struct rate_key	 ann = { "sys", "ann", "" };
static const struct rate_key	 printer = { "sys", "ann", "printer" };
static const struct rate_key	 other = { "other", "ann", "" };

static unsigned int	wait;

/* How many can be taken at this time, with a bound. */
static unsigned int
burst(const struct rate_key *k, uint32_t an_hour, int64_t now)
{
	unsigned int	n = 0;

	while (n < 1000 && rate_take(k, an_hour, now, &wait))
		n++;
	return n;
}

static void
an_hour_and_no_more(void **state)
{
	int64_t	now = 1000;

	(void)state;
	assert_int_equal(burst(&ann, 30, now), 30);
	assert_int_equal(wait, 120);		/* one every two minutes */
	assert_false(rate_take(&ann, 30, now + 119000, &wait));
	assert_int_equal(wait, 1);
	assert_true(rate_take(&ann, 30, now + 120000, &wait));
	assert_int_equal(wait, 0);
	assert_false(rate_take(&ann, 30, now + 120000, &wait));
	/* over an hour as many again, and not more after a day */
	assert_int_equal(burst(&ann, 30, now + 120000 + HOUR), 30);
	assert_int_equal(burst(&ann, 30, now + 25 * HOUR), 30);
	rate_sweep(now + 27 * HOUR);
	assert_int_equal(rate_count(), 0);
}

static void
each_credential_its_own(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 5, 1000), 5);
	assert_int_equal(burst(&printer, 2, 1000), 2);
	assert_int_equal(burst(&other, 3, 1000), 3);
	assert_int_equal(rate_count(), 3);
	rate_sweep(1000 + HOUR / 2);
	assert_int_equal(rate_count(), 3);
	rate_sweep(1000 + HOUR);
	assert_int_equal(rate_count(), 0);
}

static void
given_back(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 3, 1000), 3);
	rate_return(&ann, 1000);
	assert_int_equal(burst(&ann, 3, 1000), 1);
	/* never more than an hour's */
	rate_return(&ann, 1000 + HOUR);
	assert_int_equal(burst(&ann, 3, 1000 + HOUR), 3);
	rate_return(&printer, 1000);		/* nobody knows it */
	rate_sweep(1000 + 3 * HOUR);
	assert_int_equal(rate_count(), 0);
}

static void
changed_and_extreme(void **state)
{
	(void)state;
	assert_int_equal(burst(&ann, 100, 1000), 100);
	assert_int_equal(burst(&ann, 10, 1000), 0);
	assert_int_equal(wait, 360);
	assert_int_equal(burst(&ann, 10, 1000 + HOUR), 10);
	/* a clock that stands still, or goes back, gives nothing */
	assert_int_equal(burst(&ann, 10, 500), 0);
	assert_int_equal(burst(&other, UINT32_MAX, 1000), 1000);
	rate_sweep(1000 + 9 * HOUR);
	assert_int_equal(rate_count(), 0);
}

static void
bounded(void **state)
{
	struct rate_key	 k = { "sys", NULL, "" };
	char		 name[32];
	int		 i;

	(void)state;
	k.user = name;
	for (i = 0; i < RATE_KEYS_MAX; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		assert_true(rate_take(&k, 5, 1000, &wait));
	}
	snprintf(name, sizeof(name), "one more");
	assert_false(rate_take(&k, 5, 1000, &wait));
	assert_int_equal(wait, 60);
	assert_int_equal(rate_count(), RATE_KEYS_MAX);
	/* in an hour the others need no place */
	assert_true(rate_take(&k, 5, 1000 + HOUR, &wait));
	assert_int_equal(rate_count(), 1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(an_hour_and_no_more),
		cmocka_unit_test(each_credential_its_own),
		cmocka_unit_test(given_back),
		cmocka_unit_test(changed_and_extreme),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
