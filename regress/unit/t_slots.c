/* links: msad/frontend/slots.c */
/* Slots: large buffers are not malloc's, come back, and keep their content. */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/frontend/slots.h"

#define MANY	40000	/* more than there are slots */

static void
sizes(void **state)
{
	static const size_t	 n[] = { SLOT_MIN, SLOT_SMALL, SLOT_SMALL + 1,
		SLOT_LARGE };
	void			*few, *much, *p;
	size_t			 i;

	(void)state;
	assert_null(slots_malloc(0));
	few = slots_malloc(SLOT_MIN - 1);
	much = slots_malloc(SLOT_LARGE + 1);
	assert_int_equal(slots_used(), 0);
	for (i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		p = slots_malloc(n[i]);
		assert_int_equal(slots_used(), 1);
		assert_int_equal((uintptr_t)p % 4096, 0);
		memset(p, 'a', n[i]);
		slots_free(p);
		assert_int_equal(slots_used(), 0);
		assert_ptr_equal(slots_malloc(n[i]), p);
		slots_free(p);
	}
	slots_free(few);
	slots_free(much);
	slots_free(NULL);
	assert_int_equal(slots_used(), 0);
}

static void
grows(void **state)
{
	char	*p, *q;

	(void)state;
	p = slots_realloc(NULL, SLOT_MIN);
	assert_int_equal(slots_used(), 1);
	memset(p, 'x', SLOT_MIN);
	assert_ptr_equal(slots_realloc(p, SLOT_SMALL), p);
	p[SLOT_SMALL - 1] = 'y';
	q = slots_realloc(p, SLOT_SMALL + 1);
	assert_ptr_not_equal(q, p);
	assert_int_equal(slots_used(), 1);
	q[SLOT_LARGE - 1] = 'z';
	p = slots_realloc(q, 3 * SLOT_LARGE);
	assert_int_equal(slots_used(), 0);
	assert_int_equal(p[SLOT_MIN - 1], 'x');
	assert_int_equal(p[SLOT_SMALL - 1], 'y');
	assert_int_equal(p[SLOT_LARGE - 1], 'z');
	assert_null(slots_realloc(p, 0));
}

/* All slots in use at once are disjoint; beyond them malloc serves. */
static void
many(void **state)
{
	static const size_t	  size[] = { SLOT_MIN, SLOT_LARGE };
	uint32_t	**p, i;
	int		  round;

	(void)state;
	p = calloc(MANY, sizeof(*p));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < MANY; i++) {
			p[i] = slots_malloc(size[round]);
			assert_non_null(p[i]);
			*p[i] = i;
		}
		assert_true(slots_used() > 30000 && slots_used() < MANY);
		for (i = 0; i < MANY; i++)
			assert_int_equal(*p[i], i);
		for (i = 0; i < MANY; i++)
			slots_free(p[i]);
		assert_int_equal(slots_used(), 0);
	}
	free(p);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(grows),
		cmocka_unit_test(many),
	};

	if (slots_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
