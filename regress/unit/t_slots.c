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
	void	*small, *slot, *large;

	(void)state;
	assert_null(slots_malloc(0));
	small = slots_malloc(SLOT_MIN - 1);
	large = slots_malloc(SLOT_SIZE + 1);
	assert_int_equal(slots_used(), 0);
	slot = slots_malloc(SLOT_SIZE);
	assert_int_equal(slots_used(), 1);
	assert_int_equal((uintptr_t)slot % 4096, 0);
	memset(slot, 'a', SLOT_SIZE);
	slots_free(slot);
	assert_int_equal(slots_used(), 0);
	assert_ptr_equal(slots_malloc(SLOT_MIN), slot);
	slots_free(slot);
	slots_free(small);
	slots_free(large);
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
	assert_ptr_equal(slots_realloc(p, SLOT_SIZE), p);
	p[SLOT_SIZE - 1] = 'y';
	q = slots_realloc(p, 3 * SLOT_SIZE);
	assert_ptr_not_equal(q, p);
	assert_int_equal(slots_used(), 0);
	assert_int_equal(q[SLOT_MIN - 1], 'x');
	assert_int_equal(q[SLOT_SIZE - 1], 'y');
	assert_null(slots_realloc(q, 0));
}

/* All slots in use at once are disjoint; beyond them malloc serves. */
static void
many(void **state)
{
	uint32_t	**p, i;
	int		  round;

	(void)state;
	p = calloc(MANY, sizeof(*p));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < MANY; i++) {
			p[i] = slots_malloc(SLOT_MIN);
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
