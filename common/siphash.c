/*
 * SipHash-2-4 (siphash.h): two rounds for each eight octets, four at the end.
 * Pure.
 */

#include "common/siphash.h"

static uint64_t
rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
rounds(uint64_t *v, unsigned int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
take_word(struct siphash *s)
{
	s->v[3] ^= s->word;
	rounds(s->v, 2);
	s->v[0] ^= s->word;
	s->word = 0;
}

void
siphash_begin(struct siphash *s, const struct siphash_key *key)
{
	/* "somepseudorandomlygeneratedbytes" */
	s->v[0] = key->k[0] ^ 0x736f6d6570736575ULL;
	s->v[1] = key->k[1] ^ 0x646f72616e646f6dULL;
	s->v[2] = key->k[0] ^ 0x6c7967656e657261ULL;
	s->v[3] = key->k[1] ^ 0x7465646279746573ULL;
	s->word = 0;
	s->len = 0;
}

void
siphash_add(struct siphash *s, const void *p, size_t n)
{
	const uint8_t	*octet = p;

	for (; n > 0; n--) {
		s->word |= (uint64_t)*octet++ << 8 * (s->len % 8);
		if (++s->len % 8 == 0)
			take_word(s);
	}
}

uint64_t
siphash_end(struct siphash *s)
{
	s->word |= (uint64_t)s->len << 56;
	take_word(s);
	s->v[2] ^= 0xff;
	rounds(s->v, 4);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

uint64_t
siphash(const struct siphash_key *key, const void *p, size_t n)
{
	struct siphash	 s;

	siphash_begin(&s, key);
	siphash_add(&s, p, n);
	return siphash_end(&s);
}
