/*
 * Buckets of a hash table, added one by one. A doubling of a table of a million
 * would stop the queue for as long as a hundred flushes take; here each
 * insertion divides at most one chain.
 *
 * Of n buckets, half < n <= 2 * half, those behind half are the upper parts of
 * the first n - half: what has its hash's bit "half" set has moved there.
 * Buckets lie in blocks, which never move; what grows in one piece is the table
 * of blocks, 8 octets for 4096 buckets.
 */
#include <stdlib.h>

#include "buckets.h"
#include "config.h"

#define BLOCK	4096U		/* buckets */

uint32_t *
buckets_at(const struct buckets *b, size_t i)
{
	return &b->blocks[i / BLOCK][i % BLOCK];
}

uint32_t *
buckets_of(const struct buckets *b, uint64_t hash)
{
	size_t	i = (size_t)hash & (2 * b->half - 1);

	return buckets_at(b, i < b->n ? i : i & (b->half - 1));
}

static int
add_block(struct buckets *b)
{
	uint32_t	**blocks;

	blocks = reallocarray(b->blocks, b->nblocks + 1, sizeof(uint32_t *));
	if (blocks == NULL)
		return -1;
	b->blocks = blocks;
	if ((blocks[b->nblocks] = calloc(BLOCK, sizeof(uint32_t))) == NULL)
		return -1;
	b->nblocks++;
	return 0;
}

int
buckets_grow(struct buckets *b, uint32_t **from, uint32_t **to)
{
	*from = *to = NULL;
	if (b->n == b->nblocks * BLOCK && add_block(b) == -1)
		return -1;
	if (b->n == 0) {
		b->n = BLOCK;
		b->half = BLOCK / 2;
		return 0;
	}
	if (b->n == 2 * b->half)
		b->half *= 2;
	*from = buckets_at(b, b->n - b->half);
	*to = buckets_at(b, b->n);
	b->n++;
	return 0;
}

void
buckets_free(struct buckets *b)
{
	size_t	i;

	for (i = 0; i < b->nblocks; i++)
		free(b->blocks[i]);
	free(b->blocks);
	*b = (struct buckets){ 0 };
}
