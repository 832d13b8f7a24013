#ifndef COMMON_BUCKETS_H
#define COMMON_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The buckets of a hash table that grows by one at a time (linear hashing), so
 * that no insertion pays for a doubling. A bucket is the handle of the first of
 * its chain, 0 when it is empty; the chains are the caller's. All zero: a
 * table that has no bucket yet.
 */
struct buckets {
	uint32_t	**blocks;
	size_t		  nblocks;
	size_t		  n;		/* buckets in use */
	size_t		  half;		/* power of 2: half < n <= 2 * half */
};

/* The bucket of that hash, of which all bits should be random. n is not 0. */
uint32_t *buckets_of(const struct buckets *, uint64_t hash);
/* Bucket i of n, to look at all. */
uint32_t *buckets_at(const struct buckets *, size_t i);
/*
 * Add a bucket, *to: it takes from the chain of *from those of which it is now
 * the bucket (buckets_of). At first both are NULL: there was nothing to divide.
 * -1 when memory is out, and nothing has changed: the chains get longer then.
 */
int	 buckets_grow(struct buckets *, uint32_t **from, uint32_t **to);
void	 buckets_free(struct buckets *);

#endif
