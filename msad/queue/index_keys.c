/*
 * What messages have in common: users, tenants, relays, domains, methods. Each
 * string is kept once and named by a handle of 32 bits; for those by which
 * messages are selected it has the list of its messages in ascending id, so
 * that selecting costs what it matches. Runs in msad-queue, called by index.c.
 *
 * A list is an array of chunks of at most CHUNK messages. Ids ascend with
 * arrival, so a message nearly always goes to the end; one that leaves moves at
 * most a chunk. A message costs 8 octets in each list.
 *
 * Strangers choose domains, so the table is hashed with a secret.
 */
#include <stdlib.h>
#include <string.h>

#include "common/siphash.h"

#include "index_keys.h"

#define CHUNK		256U
#define BUCKETS_MIN	1024U

struct postings_chunk {
	uint16_t	 n, alloc;
	struct message	*m[];
};

struct key {
	struct postings	 list;
	uint32_t	 hash;
	uint32_t	 next;		/* in its bucket */
	uint32_t	 held;
	uint16_t	 len;
	uint8_t		 kind;
	char		 name[];
};

static struct {
	struct siphash_key	 secret;
	struct key		**keys;		/* by handle; 0 is none */
	uint32_t		 nkeys, akeys;
	uint32_t		 *idle;		/* handles to be given again */
	uint32_t		 nidle;
	uint32_t		 *buckets;
	uint32_t		 nbuckets;
} t;

/* --- postings --- */

/* The last chunk that may hold id; there is at least one chunk. */
static uint32_t
chunk_for(const struct postings *p, uint64_t id)
{
	uint32_t	lo = 0, hi = p->nchunks - 1, mid;

	/* most come at the end */
	if (id >= p->chunks[hi].first)
		return hi;
	while (lo < hi) {
		mid = hi - (hi - lo) / 2;
		if (p->chunks[mid].first <= id)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

/* The first in the chunk with that id or a greater one; n: none. */
static uint32_t
slot_for(const struct postings_chunk *c, uint64_t id)
{
	uint32_t	lo = 0, hi = c->n, mid;

	if (c->n == 0 || c->m[c->n - 1]->id < id)
		return c->n;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (c->m[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Room for one more message in chunk i. */
static int
chunk_room(struct postings *p, uint32_t i)
{
	struct postings_chunk	*c = p->chunks[i].chunk;
	uint32_t		 n;

	if (c->n < c->alloc)
		return 0;
	n = c->alloc * 2U > CHUNK ? CHUNK : c->alloc * 2U;
	if ((c = realloc(c, sizeof(*c) + n * sizeof(c->m[0]))) == NULL)
		return -1;
	c->alloc = (uint16_t)n;
	p->chunks[i].chunk = c;
	return 0;
}

/* A new chunk with room for n at place i. */
static int
chunk_new(struct postings *p, uint32_t i, uint32_t n)
{
	struct postings_entry	*e;
	struct postings_chunk	*c;
	uint32_t		 want;

	if (p->nchunks == p->alloc) {
		want = p->alloc + p->alloc / 2 + 1;
		if ((e = reallocarray(p->chunks, want, sizeof(*e))) == NULL)
			return -1;
		p->chunks = e;
		p->alloc = want;
	}
	if ((c = malloc(sizeof(*c) + n * sizeof(c->m[0]))) == NULL)
		return -1;
	c->n = 0;
	c->alloc = (uint16_t)n;
	memmove(&p->chunks[i + 1], &p->chunks[i],
	    (p->nchunks - i) * sizeof(p->chunks[0]));
	p->chunks[i].chunk = c;
	p->nchunks++;
	return 0;
}

/* The chunk is full: its upper half goes to a new one behind it. */
static int
chunk_split(struct postings *p, uint32_t i)
{
	struct postings_chunk	*c, *next;
	uint16_t		 half = CHUNK / 2;

	if (chunk_new(p, i + 1, CHUNK) == -1)
		return -1;
	c = p->chunks[i].chunk;
	next = p->chunks[i + 1].chunk;
	next->n = (uint16_t)(c->n - half);
	memcpy(next->m, &c->m[half], next->n * sizeof(c->m[0]));
	c->n = half;
	p->chunks[i + 1].first = next->m[0]->id;
	return 0;
}

int
postings_add(struct postings *p, struct message *m)
{
	struct postings_chunk	*c;
	uint32_t		 i = 0, at;

	if (p->nchunks == 0) {
		if (chunk_new(p, 0, 2) == -1)
			return -1;
	} else
		i = chunk_for(p, m->id);
	c = p->chunks[i].chunk;
	/* other messages are best not looked at: they are not in the cache */
	at = m->id > p->last ? c->n : slot_for(c, m->id);
	if (at < c->n && c->m[at]->id == m->id)
		return 0;
	if (c->n == CHUNK && at == CHUNK && i + 1 == p->nchunks) {
		/* at the very end: leave the full ones full */
		if (chunk_new(p, ++i, CHUNK) == -1)
			return -1;
		at = 0;
	} else if (c->n == CHUNK) {
		if (chunk_split(p, i) == -1)
			return -1;
		if (at > CHUNK / 2) {
			i++;
			at -= CHUNK / 2;
		}
	} else if (chunk_room(p, i) == -1)
		return -1;
	c = p->chunks[i].chunk;
	memmove(&c->m[at + 1], &c->m[at], (c->n - at) * sizeof(c->m[0]));
	c->m[at] = m;
	c->n++;
	if (at == 0)
		p->chunks[i].first = m->id;
	p->n++;
	if (m->id > p->last)
		p->last = m->id;
	return 0;
}

static void
chunk_drop(struct postings *p, uint32_t i)
{
	free(p->chunks[i].chunk);
	p->nchunks--;
	memmove(&p->chunks[i], &p->chunks[i + 1],
	    (p->nchunks - i) * sizeof(p->chunks[0]));
	if (p->nchunks > 0)
		return;
	free(p->chunks);
	p->chunks = NULL;
	p->alloc = 0;
}

/* Chunks i and i + 1 become one when that leaves it room. */
static void
chunk_join(struct postings *p, uint32_t i)
{
	struct postings_chunk	*c, *next;

	if (i + 1 >= p->nchunks)
		return;
	c = p->chunks[i].chunk;
	next = p->chunks[i + 1].chunk;
	if (c->n + next->n > CHUNK / 2 || c->n + next->n > c->alloc)
		return;
	memcpy(&c->m[c->n], next->m, next->n * sizeof(c->m[0]));
	c->n = (uint16_t)(c->n + next->n);
	chunk_drop(p, i + 1);
}

void
postings_remove(struct postings *p, const struct message *m)
{
	struct postings_chunk	*c;
	uint32_t		 i, at;

	if (p->nchunks == 0)
		return;
	i = chunk_for(p, m->id);
	c = p->chunks[i].chunk;
	at = slot_for(c, m->id);
	if (at == c->n || c->m[at] != m)
		return;
	c->n--;
	p->n--;
	memmove(&c->m[at], &c->m[at + 1], (c->n - at) * sizeof(c->m[0]));
	if (c->n == 0) {
		chunk_drop(p, i);
		return;
	}
	p->chunks[i].first = c->m[0]->id;
	if (c->n < CHUNK / 4)
		chunk_join(p, i);
}

struct message *
postings_from(const struct postings *p, uint64_t id)
{
	uint32_t	i, at;

	if (p->nchunks == 0)
		return NULL;
	i = chunk_for(p, id);
	at = slot_for(p->chunks[i].chunk, id);
	if (at < p->chunks[i].chunk->n)
		return p->chunks[i].chunk->m[at];
	return i + 1 < p->nchunks ? p->chunks[i + 1].chunk->m[0] : NULL;
}

/* --- strings --- */

static uint32_t
hash_of(unsigned int kind, struct slice s)
{
	struct siphash	h;
	uint8_t		k = (uint8_t)kind;

	siphash_begin(&h, &t.secret);
	siphash_add(&h, &k, 1);
	if (s.len > 0)
		siphash_add(&h, s.p, s.len);
	return (uint32_t)siphash_end(&h);
}

static uint32_t
find(unsigned int kind, struct slice s, uint32_t hash)
{
	const struct key	*k;
	uint32_t		 h;

	if (t.nbuckets == 0)
		return 0;
	for (h = t.buckets[hash & (t.nbuckets - 1)]; h != 0; h = k->next) {
		k = t.keys[h];
		if (k->hash == hash && k->kind == kind &&
		    k->len == s.len &&
		    (s.len == 0 || memcmp(k->name, s.p, s.len) == 0))
			break;
	}
	return h;
}

uint32_t
keys_find(unsigned int kind, struct slice s)
{
	return find(kind, s, hash_of(kind, s));
}

/* Twice the buckets, or the first. */
static int
grow(void)
{
	uint32_t	*buckets, n, i, h, next;

	n = t.nbuckets == 0 ? BUCKETS_MIN : t.nbuckets * 2;
	if ((buckets = calloc(n, sizeof(*buckets))) == NULL)
		return t.nbuckets == 0 ? -1 : 0;
	if (t.nbuckets == 0)
		arc4random_buf(&t.secret, sizeof(t.secret));
	for (i = 0; i < t.nbuckets; i++)
		for (h = t.buckets[i]; h != 0; h = next) {
			next = t.keys[h]->next;
			t.keys[h]->next = buckets[t.keys[h]->hash & (n - 1)];
			buckets[t.keys[h]->hash & (n - 1)] = h;
		}
	free(t.buckets);
	t.buckets = buckets;
	t.nbuckets = n;
	return 0;
}

/* A handle without a key. There is always room to give each back. */
static uint32_t
handle_new(void)
{
	struct key	**keys;
	uint32_t	 *idle, n;

	if (t.nidle > 0)
		return t.idle[--t.nidle];
	if (t.nkeys + 1 >= t.akeys) {
		n = t.akeys + t.akeys / 2 + 64;
		if ((keys = reallocarray(t.keys, n, sizeof(struct key *))) ==
		    NULL)
			return 0;
		t.keys = keys;
		if ((idle = reallocarray(t.idle, n, sizeof(*idle))) == NULL)
			return 0;
		t.idle = idle;
		t.akeys = n;
	}
	return ++t.nkeys;
}

static struct key *
key_new(unsigned int kind, struct slice s)
{
	struct key	*k;

	if ((k = calloc(1, sizeof(*k) + s.len + 1)) == NULL)
		return NULL;
	k->kind = (uint8_t)kind;
	k->len = (uint16_t)s.len;
	if (s.len > 0)
		memcpy(k->name, s.p, s.len);
	return k;
}

uint32_t
keys_hold(unsigned int kind, struct slice s)
{
	struct key	*k;
	uint32_t	 h, hash, *bucket;

	if (t.nkeys - t.nidle >= t.nbuckets && grow() == -1)
		return 0;
	hash = hash_of(kind, s);
	if ((h = find(kind, s, hash)) != 0) {
		t.keys[h]->held++;
		return h;
	}
	if ((h = handle_new()) == 0)
		return 0;
	t.keys[h] = NULL;
	if ((k = key_new(kind, s)) == NULL) {
		t.idle[t.nidle++] = h;
		return 0;
	}
	k->hash = hash;
	k->held = 1;
	bucket = &t.buckets[hash & (t.nbuckets - 1)];
	k->next = *bucket;
	*bucket = h;
	t.keys[h] = k;
	return h;
}

void
keys_release(uint32_t h)
{
	struct key	*k;
	uint32_t	*p;

	if (h == 0 || --(k = t.keys[h])->held > 0)
		return;
	for (p = &t.buckets[k->hash & (t.nbuckets - 1)]; *p != h;
	    p = &t.keys[*p]->next)
		;
	*p = k->next;
	while (k->list.nchunks > 0)
		chunk_drop(&k->list, k->list.nchunks - 1);
	free(k);
	t.keys[h] = NULL;
	t.idle[t.nidle++] = h;
}

const char *
keys_name(uint32_t h)
{
	return h == 0 ? "" : t.keys[h]->name;
}

struct postings *
keys_postings(uint32_t h)
{
	return &t.keys[h]->list;
}

uint32_t
keys_next(unsigned int kind, uint32_t h)
{
	while (++h <= t.nkeys)
		if (t.keys[h] != NULL && t.keys[h]->kind == kind)
			return h;
	return 0;
}
