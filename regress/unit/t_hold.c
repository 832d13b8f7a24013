/* links: msad/auth/hold.c */
/*
 * Passwords that wait for another login: in order, once, and not without end.
 */

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/auth/hold.h"

static char		 seen[256];
static unsigned int	 again;		/* so many have to wait on */

static void
go(void *arg, struct slice password)
{
	size_t	 at = strlen(seen);

	snprintf(seen + at, sizeof(seen) - at, "%s=%.*s ", (char *)arg,
	    SLICE_FMT(password));
	if (again > 0) {
		again--;
		assert_non_null(hold_new(7, password, go, arg));
	}
}

static char	*a = (char *)(uintptr_t)"a", *b = (char *)(uintptr_t)"b",
		*c = (char *)(uintptr_t)"c";

static int
fresh(void **state)
{
	(void)state;
	seen[0] = '\0';
	again = 0;
	return 0;
}

static void
test_order(void **state)
{
	(void)state;
	assert_non_null(hold_new(7, SLICE_STR("one"), go, a));
	assert_non_null(hold_new(8, SLICE_STR("other"), go, b));
	assert_non_null(hold_new(7, SLICE_STR("two"), go, c));
	hold_release(9);
	hold_release(0);
	assert_string_equal(seen, "");
	hold_release(7);
	assert_string_equal(seen, "a=one c=two ");
	hold_release(7);
	assert_string_equal(seen, "a=one c=two ");
	hold_release(8);
	assert_string_equal(seen, "a=one c=two b=other ");
}

/* One goes, the others wait on: each is asked once, and none gets lost. */
static void
test_again(void **state)
{
	(void)state;
	hold_new(7, SLICE_STR("1"), go, a);
	hold_new(7, SLICE_STR("2"), go, b);
	hold_new(7, SLICE_STR("3"), go, c);
	again = 2;
	hold_release(7);
	assert_string_equal(seen, "a=1 b=2 c=3 ");
	hold_release(7);
	assert_string_equal(seen, "a=1 b=2 c=3 a=1 b=2 ");
	hold_release(7);
	assert_string_equal(seen, "a=1 b=2 c=3 a=1 b=2 ");
}

static unsigned int	 depth, deepest, gone;

/* One that ends at once, and sets others free. */
static void
go_and_end(void *arg, struct slice password)
{
	(void)arg;
	(void)password;
	gone++;
	if (++depth > deepest)
		deepest = depth;
	hold_release(gone % 2 ? 7 : 8);
	depth--;
}

/* Thousands that end at once do not call each other; none is forgotten. */
static void
test_deep(void **state)
{
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 1000; i++)
		hold_new(i % 2 ? 7 : 8, SLICE_STR("p"), go_and_end, a);
	hold_release(7);
	assert_int_equal(gone, 1000);
	assert_int_equal(deepest, 1);
}

static void
test_leave(void **state)
{
	struct hold	*h;

	(void)state;
	hold_new(7, SLICE_STR("1"), go, a);
	h = hold_new(7, SLICE_STR("2"), go, b);
	hold_free(h);
	hold_release(7);
	assert_string_equal(seen, "a=1 ");
}

static void
test_bounded(void **state)
{
	static struct hold	*all[100000];
	unsigned int		 n, i;

	(void)state;
	for (n = 0; n < 100000; n++)
		if ((all[n] = hold_new(7, SLICE_STR("p"), go, a)) == NULL)
			break;
	assert_in_range(n, 1000, 10000);
	for (i = 0; i < n; i++)
		hold_free(all[i]);
	hold_release(7);
	assert_string_equal(seen, "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_order, fresh),
		cmocka_unit_test_setup(test_again, fresh),
		cmocka_unit_test_setup(test_deep, fresh),
		cmocka_unit_test_setup(test_leave, fresh),
		cmocka_unit_test_setup(test_bounded, fresh)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
