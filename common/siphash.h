#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables whose
 * keys strangers choose. Who does not know the key cannot make two of them
 * meet. In pieces: begin, add as often as needed, end.
 */
struct siphash_key {
	uint64_t	 k[2];
};

struct siphash {
	uint64_t	 v[4];
	uint64_t	 word;		/* octets not yet taken in */
	size_t		 len;		/* octets in all */
};

void	 siphash_begin(struct siphash *, const struct siphash_key *);
void	 siphash_add(struct siphash *, const void *, size_t);
uint64_t siphash_end(struct siphash *);
/* All at once. */
uint64_t siphash(const struct siphash_key *, const void *, size_t);

#endif
