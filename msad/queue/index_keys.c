/*
 * What messages have in common: users, tenants, relays, senders, domains,
 * methods. Each string is kept once and named by a handle of 32 bits, which
 * begins with its kind; for those by which messages are selected it has the
 * list of its messages, so that selecting costs what it matches. Runs in
 * msad-queue, called by index.c.
 *
 * Each kind has a table of its own, which grows by one bucket or one block at a
 * time. Strangers choose domains, so the tables are hashed with a secret.
 */
#include <stdlib.h>
#include <string.h>

#include "common/buckets.h"
#include "common/siphash.h"
#include "config.h"
#include "index_keys.h"

#define NUMBER_BITS	28
#define NUMBERS		(1U << NUMBER_BITS)
#define BLOCK		1024U

struct key {
	struct postings	 list;
	uint32_t	 hash;
	uint32_t	 next;		/* number, in its bucket */
	uint32_t	 held;
	uint16_t	 len;
	char		 name[];
};

struct block {
	struct key	*key[BLOCK];	/* by number */
	uint32_t	 idle[BLOCK];	/* a part of the stack of idle ones */
};

static struct table {
	struct buckets	  buckets;
	struct block	**blocks;
	uint32_t	  nblocks;
	uint32_t	  nkeys;	/* numbers in use or idle; 0 is none */
	uint32_t	  nidle;	/* of these, to be given again */
} tables[KEY_KINDS];
static struct siphash_key	secret;
static int			secret_made;

static struct key **
slot(const struct table *t, uint32_t number)
{
	return &t->blocks[number / BLOCK]->key[number % BLOCK];
}

static struct key *
key_of(uint32_t handle)
{
	return *slot(&tables[handle >> NUMBER_BITS], handle & (NUMBERS - 1));
}

static uint32_t
hash_of(struct slice s)
{
	if (!secret_made) {
		arc4random_buf(&secret, sizeof(secret));
		secret_made = 1;
	}
	return (uint32_t)siphash(&secret, s.p, s.len);
}

static uint32_t
find(const struct table *t, struct slice s, uint32_t hash)
{
	const struct key	*k;
	uint32_t		 i;

	if (t->buckets.n == 0)
		return 0;
	for (i = *buckets_of(&t->buckets, hash); i != 0; i = k->next) {
		k = *slot(t, i);
		if (k->hash == hash && k->len == s.len &&
		    (s.len == 0 || memcmp(k->name, s.p, s.len) == 0))
			break;
	}
	return i;
}

uint32_t
keys_find(unsigned int kind, struct slice s)
{
	uint32_t	i = find(&tables[kind], s, hash_of(s));

	return i == 0 ? 0 : kind << NUMBER_BITS | i;
}

/* One more bucket. Without memory for it the chains grow longer instead. */
static int
grow(struct table *t)
{
	uint32_t	*from, *to, i;
	struct key	*k;

	if (buckets_grow(&t->buckets, &from, &to) == -1)
		return t->buckets.n == 0 ? -1 : 0;
	if (from == NULL)
		return 0;
	while ((i = *from) != 0) {
		k = *slot(t, i);
		if (buckets_of(&t->buckets, k->hash) != to) {
			from = &k->next;
			continue;
		}
		*from = k->next;
		k->next = *to;
		*to = i;
	}
	return 0;
}

/* A number without a key; 0: none. There is room to give each back. */
static uint32_t
number_new(struct table *t)
{
	struct block	**blocks;

	if (t->nidle > 0) {
		t->nidle--;
		return t->blocks[t->nidle / BLOCK]->idle[t->nidle % BLOCK];
	}
	if (t->nkeys + 1 == NUMBERS)
		return 0;
	if ((t->nkeys + 1) / BLOCK >= t->nblocks) {
		blocks = reallocarray(t->blocks, t->nblocks + 1,
		    sizeof(struct block *));
		if (blocks == NULL)
			return 0;
		t->blocks = blocks;
		if ((blocks[t->nblocks] = calloc(1, sizeof(struct block))) ==
		    NULL)
			return 0;
		t->nblocks++;
	}
	return ++t->nkeys;
}

static void
number_give(struct table *t, uint32_t i)
{
	*slot(t, i) = NULL;
	t->blocks[t->nidle / BLOCK]->idle[t->nidle % BLOCK] = i;
	t->nidle++;
}

static struct key *
key_new(struct slice s, uint32_t hash)
{
	struct key	*k;

	if (s.len > UINT16_MAX ||
	    (k = calloc(1, sizeof(*k) + s.len + 1)) == NULL)
		return NULL;
	k->hash = hash;
	k->held = 1;
	k->len = (uint16_t)s.len;
	if (s.len > 0)
		memcpy(k->name, s.p, s.len);
	return k;
}

uint32_t
keys_hold(unsigned int kind, struct slice s)
{
	struct table	*t = &tables[kind];
	struct key	*k;
	uint32_t	 i, *bucket, hash = hash_of(s);

	if ((i = find(t, s, hash)) != 0) {
		(*slot(t, i))->held++;
		return kind << NUMBER_BITS | i;
	}
	if (t->nkeys - t->nidle >= t->buckets.n && grow(t) == -1)
		return 0;
	if ((i = number_new(t)) == 0)
		return 0;
	if ((k = key_new(s, hash)) == NULL) {
		number_give(t, i);
		return 0;
	}
	bucket = buckets_of(&t->buckets, hash);
	k->next = *bucket;
	*bucket = i;
	*slot(t, i) = k;
	return kind << NUMBER_BITS | i;
}

void
keys_release(uint32_t handle)
{
	struct table	*t = &tables[handle >> NUMBER_BITS];
	struct key	*k;
	uint32_t	*p, i = handle & (NUMBERS - 1);

	if (i == 0 || --(k = *slot(t, i))->held > 0)
		return;
	for (p = buckets_of(&t->buckets, k->hash); *p != i;
	    p = &(*slot(t, *p))->next)
		;
	*p = k->next;
	postings_clear(&k->list);
	free(k);
	number_give(t, i);
}

const char *
keys_name(uint32_t handle)
{
	return handle == 0 ? "" : key_of(handle)->name;
}

uint32_t
keys_number(uint32_t handle)
{
	return handle & (NUMBERS - 1);
}

unsigned int
keys_kind(uint32_t handle)
{
	return handle >> NUMBER_BITS;
}

struct postings *
keys_postings(uint32_t handle)
{
	return &key_of(handle)->list;
}

uint32_t
keys_next(unsigned int kind, uint32_t handle)
{
	const struct table	*t = &tables[kind];
	uint32_t		 i = handle & (NUMBERS - 1);

	while (++i <= t->nkeys)
		if (*slot(t, i) != NULL)
			return kind << NUMBER_BITS | i;
	return 0;
}
