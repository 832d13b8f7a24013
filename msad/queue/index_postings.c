/*
 * Lists of messages in ascending id. Runs in msad-queue, called by index.c.
 *
 * A list is an array of chunks of at most CHUNK messages; one message alone
 * needs none. Ids ascend with arrival, so a message nearly always goes to the
 * end; one that leaves moves at most a chunk. A message costs 4 octets in each
 * list.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "index_keys.h"

#define CHUNK		256U

struct postings_chunk {
	uint16_t	 n, alloc;
	uint32_t	 m[];		/* handles of messages */
};

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

	if (c->n == 0 || message_at(c->m[c->n - 1])->id < id)
		return c->n;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (message_at(c->m[mid])->id < id)
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
	n = c->alloc + c->alloc / 2U + 1;
	n = n > CHUNK ? CHUNK : n;
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
	p->chunks[i + 1].first = message_at(next->m[0])->id;
	return 0;
}

/* The one message there is goes to a chunk, to be followed by others. */
static int
first_chunk(struct postings *p)
{
	struct postings_chunk	*c;

	if (chunk_new(p, 0, 5) == -1)
		return -1;
	c = p->chunks[0].chunk;
	c->m[0] = p->only;
	c->n = 1;
	p->chunks[0].first = message_at(p->only)->id;
	p->only = 0;
	return 0;
}

/* Make room for m at *at of chunk *i; these may change. */
static int
make_room(struct postings *p, uint32_t *i, uint32_t *at)
{
	struct postings_chunk	*c = p->chunks[*i].chunk;

	if (c->n < CHUNK)
		return chunk_room(p, *i);
	if (*at == CHUNK && *i + 1 == p->nchunks) {
		/* at the very end: leave the full ones full */
		if (chunk_new(p, ++*i, CHUNK) == -1)
			return -1;
		*at = 0;
		return 0;
	}
	if (chunk_split(p, *i) == -1)
		return -1;
	if (*at > CHUNK / 2) {
		++*i;
		*at -= CHUNK / 2;
	}
	return 0;
}

int
postings_add(struct postings *p, const struct message *m)
{
	struct postings_chunk	*c;
	uint32_t		 i, at;

	if (p->n == 0) {
		p->only = m->self;
		p->n = 1;
		p->last = m->id > p->last ? m->id : p->last;
		return 0;
	}
	if (p->only == m->self || (p->only != 0 && first_chunk(p) == -1))
		return p->only == m->self ? 0 : -1;
	i = chunk_for(p, m->id);
	c = p->chunks[i].chunk;
	/* other messages are best not looked at: they are not in the cache */
	at = m->id > p->last ? c->n : slot_for(c, m->id);
	if (at < c->n && c->m[at] == m->self)
		return 0;
	if (make_room(p, &i, &at) == -1)
		return -1;
	c = p->chunks[i].chunk;
	memmove(&c->m[at + 1], &c->m[at], (c->n - at) * sizeof(c->m[0]));
	c->m[at] = m->self;
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

	if (p->nchunks == 0) {
		if (p->n == 1 && p->only == m->self)
			p->n = p->only = 0;
		return;
	}
	i = chunk_for(p, m->id);
	c = p->chunks[i].chunk;
	at = slot_for(c, m->id);
	if (at == c->n || c->m[at] != m->self)
		return;
	c->n--;
	p->n--;
	memmove(&c->m[at], &c->m[at + 1], (c->n - at) * sizeof(c->m[0]));
	if (c->n == 0) {
		chunk_drop(p, i);
		return;
	}
	p->chunks[i].first = message_at(c->m[0])->id;
	if (c->n < CHUNK / 4)
		chunk_join(p, i);
}

struct message *
postings_from(const struct postings *p, uint64_t id)
{
	struct postings_chunk	*c;
	uint32_t		 i, at;

	if (p->nchunks == 0) {
		if (p->n == 0 || message_at(p->only)->id < id)
			return NULL;
		return message_at(p->only);
	}
	i = chunk_for(p, id);
	c = p->chunks[i].chunk;
	at = slot_for(c, id);
	if (at < c->n)
		return message_at(c->m[at]);
	if (i + 1 == p->nchunks)
		return NULL;
	return message_at(p->chunks[i + 1].chunk->m[0]);
}

unsigned int
postings_batch(const struct postings *p, uint64_t id, struct message **buf,
    unsigned int n)
{
	const struct postings_chunk	*c;
	uint32_t			 i, at;
	unsigned int			 got = 0;

	if (p->nchunks == 0) {
		if (n > 0 && (buf[0] = postings_from(p, id)) != NULL)
			got = 1;
		return got;
	}
	i = chunk_for(p, id);
	at = slot_for(p->chunks[i].chunk, id);
	for (; i < p->nchunks && got < n; i++, at = 0) {
		c = p->chunks[i].chunk;
		while (at < c->n && got < n)
			buf[got++] = message_at(c->m[at++]);
	}
	return got;
}

void
postings_clear(struct postings *p)
{
	while (p->nchunks > 0)
		chunk_drop(p, p->nchunks - 1);
	*p = (struct postings){ 0 };
}
