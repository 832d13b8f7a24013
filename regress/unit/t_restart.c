/* links: msad/parent/restart.c */
/*
 * When msad starts a process again that died: at most five times a minute.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msad/parent/restart.h"

#define T0	1000000

static int64_t
fault(struct restart *r, int64_t now, bool want_pause)
{
	bool	 paused;
	int64_t	 delay = restart_delay(r, now, &paused);

	assert_int_equal(paused, want_pause);
	return delay;
}

/* One fault a while ago does not slow down the next. */
static void
t_seldom(void **state)
{
	struct restart	 r = { 0 };
	int		 i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(fault(&r, T0 + i * 60000, false), 0);
}

static void
t_loop(void **state)
{
	static const int64_t	 want[RESTARTS_MAX] = { 0, 100, 400, 1000,
				     2000 };
	struct restart		 r = { 0 };
	int			 i;

	(void)state;
	for (i = 0; i < RESTARTS_MAX; i++)
		assert_int_equal(fault(&r, T0 + i * 1000, false), want[i]);
	/* the pause lasts until the first start is a minute old */
	assert_int_equal(fault(&r, T0 + 10000, true), 50000);
	/* and the next one until the second is */
	assert_int_equal(fault(&r, T0 + 60000, true), 1100);
}

/* However it goes on dying, no minute has more than five starts. */
static void
t_never_more(void **state)
{
	struct restart	 r = { 0 };
	int64_t		 starts[200], now = T0;
	bool		 paused;
	int		 i;

	(void)state;
	for (i = 0; i < 200; i++) {
		now += restart_delay(&r, now, &paused);
		starts[i] = now;
		if (i >= RESTARTS_MAX)
			assert_true(starts[i] - starts[i - RESTARTS_MAX] >=
			    60000);
		now += 10;	/* it lives that long */
	}
}

/* After a quiet minute all is forgotten. */
static void
t_forgets(void **state)
{
	struct restart	 r = { 0 };
	int		 i;

	(void)state;
	for (i = 0; i < RESTARTS_MAX; i++)
		fault(&r, T0 + i, false);
	assert_int_equal(fault(&r, T0 + 62000 + RESTARTS_MAX, false), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(t_seldom),
		cmocka_unit_test(t_loop),
		cmocka_unit_test(t_never_more),
		cmocka_unit_test(t_forgets),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
