/*
 * Buckets that are added one by one: after each step every handle is in the
 * chain of its bucket and in no other, and no chain is long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buckets.h"

#define N	40000U

static uint32_t	next[N + 1];

static uint64_t
hash(uint32_t h)
{
	uint64_t	x = h * UINT64_C(0x9e3779b97f4a7c15);

	return x ^ x >> 29;
}

/* Divide as a table does: those whose bucket is now "to" go there. */
static void
divide(const struct buckets *b, uint32_t *from, uint32_t *to)
{
	uint32_t	h, *p;

	for (p = from; (h = *p) != 0;) {
		if (buckets_of(b, hash(h)) != to) {
			p = &next[h];
			continue;
		}
		*p = next[h];
		next[h] = *to;
		*to = h;
	}
}

/* Handles 1 to n are there, each once, and where it is looked for. */
static void
check(const struct buckets *b, uint32_t n)
{
	size_t		i;
	uint32_t	h, seen = 0, longest = 0, length;

	for (i = 0; i < b->n; i++) {
		length = 0;
		for (h = *buckets_at(b, i); h != 0; h = next[h]) {
			assert_ptr_equal(buckets_of(b, hash(h)),
			    buckets_at(b, i));
			length++;
		}
		seen += length;
		if (length > longest)
			longest = length;
	}
	assert_int_equal(seen, n);
	assert_true(longest < 16);
}

static void
one_by_one(void **s)
{
	struct buckets	 b = { 0 };
	uint32_t	 i, *from, *to, *bucket;

	(void)s;
	for (i = 1; i <= N; i++) {
		if (i > b.n) {
			assert_int_equal(buckets_grow(&b, &from, &to), 0);
			if (from == NULL)
				assert_int_equal(i, 1);
			else
				divide(&b, from, to);
		}
		bucket = buckets_of(&b, hash(i));
		next[i] = *bucket;
		*bucket = i;
		if (i % 1000 == 0 || i == 4097 || i == 8192 || i == 8193)
			check(&b, i);
	}
	assert_true(b.n <= N);
	assert_true(b.half < b.n && b.n <= 2 * b.half);
	buckets_free(&b);
	assert_int_equal(b.n, 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
