/*
 * Pieces of memory by handle: none overlaps another, each begins as zeros and
 * keeps what is put into it, and what is given back is taken again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/slab.h"

#define N	5000

static struct {
	uint32_t	 handle;
	uint8_t		*p;
	size_t		 size;
} piece[N];
static struct slab	slab;
static uint32_t		seed = 3;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Most are small, some large, a few larger than a page of the slab. */
static size_t
some_size(void)
{
	switch (rnd(100)) {
	case 0:
		return 60000 + rnd(20000);
	case 1:
	case 2:
		return 500 + rnd(16000);
	default:
		return 1 + rnd(700);
	}
}

static void
take(uint32_t i)
{
	size_t	k;

	piece[i].size = some_size();
	piece[i].handle = slab_take(&slab, piece[i].size);
	assert_int_not_equal(piece[i].handle, 0);
	piece[i].p = slab_at(&slab, piece[i].handle);
	assert_int_equal((uintptr_t)piece[i].p % 8, 0);
	for (k = 0; k < piece[i].size; k++)
		assert_int_equal(piece[i].p[k], 0);
	memset(piece[i].p, (int)(i % 251) + 1, piece[i].size);
}

/* All of it is still its own. */
static void
check(uint32_t i)
{
	size_t	k;

	assert_ptr_equal(slab_at(&slab, piece[i].handle), piece[i].p);
	for (k = 0; k < piece[i].size; k++)
		if (piece[i].p[k] != i % 251 + 1)
			fail();
}

static void
give(uint32_t i)
{
	check(i);
	slab_give(&slab, piece[i].handle);
	piece[i].handle = 0;
}

static void
at_random(void **s)
{
	uint32_t	i, round;

	(void)s;
	for (round = 0; round < 20 * N; round++) {
		i = rnd(N);
		if (piece[i].handle == 0)
			take(i);
		else
			give(i);
	}
	for (i = 0; i < N; i++)
		if (piece[i].handle != 0)
			give(i);
}

/* Every size, up to beyond the largest class, has room for all of itself. */
static void
every_size(void **s)
{
	const uint8_t	*p;
	size_t		 size;
	uint32_t	 a, b;

	(void)s;
	for (size = 0; size < 20000; size += size < 1200 ? 1 : 37) {
		assert_int_not_equal(a = slab_take(&slab, size), 0);
		assert_int_not_equal(b = slab_take(&slab, size), 0);
		memset(slab_at(&slab, a), 1, size);
		memset(slab_at(&slab, b), 2, size);
		if (size > 0) {
			p = slab_at(&slab, a);
			assert_true(p[0] == 1 && p[size - 1] == 1);
			p = slab_at(&slab, b);
			assert_true(p[0] == 2 && p[size - 1] == 2);
		}
		slab_give(&slab, a);
		slab_give(&slab, b);
	}
}

/* What went comes back: a thousand times the same needs no more than once. */
static void
used_again(void **s)
{
	uint32_t	 handles[100], i, round, highest = 0;

	(void)s;
	for (round = 0; round < 1000; round++) {
		for (i = 0; i < 100; i++) {
			handles[i] = slab_take(&slab, 176);
			assert_int_not_equal(handles[i], 0);
			if (round < 2 && handles[i] > highest)
				highest = handles[i];
			assert_true(handles[i] <= highest);
		}
		for (i = 0; i < 100; i++)
			slab_give(&slab, handles[round % 2 ? i : 99 - i]);
	}
	for (i = 0; i < 100; i++)
		assert_int_not_equal(slab_take(&slab, 100 * i), 0);
	slab_clear(&slab);
	assert_int_equal(slab.npages, 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(at_random),
		cmocka_unit_test(every_size),
		cmocka_unit_test(used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
