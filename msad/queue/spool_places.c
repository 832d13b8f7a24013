/*
 * The index of the log spool: for each message where its record is, for each
 * state where its newest record is, and for each segment how much of it still
 * counts. Part of msad-queue's log engine; called when a batch has become
 * durable and by recovery with what is on disk, in the order of the log, so
 * that both come to the same.
 *
 * A segment may be reused when no record in it counts. A tombstone counts while
 * another segment holds a copy of its message, or the copy would come back to
 * life at the next recovery. That is what copies and self are for.
 *
 * A message costs 40 octets, about 6 of the hash table and 4 of the segment's
 * list, a state 16 and 8 for all of a message. Objects are named by handles of
 * 32 bits and never move.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/record.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_places.h"

#define BUCKETS_MIN	1024U
#define SLAB		1024U		/* objects in a slab */

static struct object *
object(const struct places *ix, uint32_t handle)
{
	return &ix->slabs[handle / SLAB][handle % SLAB];
}

static size_t
bucket(const struct places *ix, uint64_t id)
{
	return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 20) &
	    (ix->nbuckets - 1);
}

int
places_init(struct places *ix)
{
	memset(ix, 0, sizeof(*ix));
	ix->used = 1;
	ix->nbuckets = BUCKETS_MIN;
	ix->buckets = calloc(ix->nbuckets, sizeof(*ix->buckets));
	return ix->buckets == NULL ? -1 : 0;
}

void
places_clear(struct places *ix)
{
	uint32_t	 i;

	for (i = 1; i < ix->used; i++)
		free(object(ix, i)->states);	/* NULL in free ones */
	for (i = 0; i < ix->nslabs; i++)
		free(ix->slabs[i]);
	free(ix->slabs);
	free(ix->slots);
	free(ix->buckets);
	memset(ix, 0, sizeof(*ix));
}

/* Twice the buckets. Without memory the chains grow longer instead. */
static void
grow(struct places *ix)
{
	struct places	 bigger = *ix;
	struct object	*o;
	uint32_t	 h, next;
	size_t		 i, b;

	bigger.nbuckets = ix->nbuckets * 2;
	bigger.buckets = calloc(bigger.nbuckets, sizeof(*bigger.buckets));
	if (bigger.buckets == NULL)
		return;
	for (i = 0; i < ix->nbuckets; i++)
		for (h = ix->buckets[i]; h != 0; h = next) {
			o = object(ix, h);
			next = o->next;
			b = bucket(&bigger, o->id);
			o->next = bigger.buckets[b];
			bigger.buckets[b] = h;
		}
	free(ix->buckets);
	*ix = bigger;
}

static uint32_t
find(const struct places *ix, uint64_t id)
{
	uint32_t	h;

	for (h = ix->buckets[bucket(ix, id)]; h != 0; h = object(ix, h)->next)
		if (object(ix, h)->id == id)
			break;
	return h;
}

struct object *
places_find(const struct places *ix, uint64_t id)
{
	uint32_t	h = find(ix, id);

	return h == 0 ? NULL : object(ix, h);
}

/* A handle of an object that is all zero; 0: no memory. */
static uint32_t
handle_new(struct places *ix)
{
	struct object	**slabs;
	uint32_t	  h = ix->idle;

	if (h != 0) {
		ix->idle = object(ix, h)->next;
		memset(object(ix, h), 0, sizeof(struct object));
		return h;
	}
	if (ix->used == UINT32_MAX)
		return 0;
	if (ix->used / SLAB >= ix->nslabs) {
		slabs = reallocarray(ix->slabs, ix->nslabs + 1,
		    sizeof(struct object *));
		if (slabs == NULL)
			return 0;
		ix->slabs = slabs;
		if ((slabs[ix->nslabs] = calloc(SLAB,
		    sizeof(struct object))) == NULL)
			return 0;
		ix->nslabs++;
	}
	return ix->used++;
}

/* 0: no memory. */
static uint32_t
find_or_add(struct places *ix, uint64_t id)
{
	struct object	*o;
	uint32_t	 h;
	size_t		 b;

	if ((h = find(ix, id)) != 0)
		return h;
	if (ix->nobjects >= ix->nbuckets)
		grow(ix);
	if ((h = handle_new(ix)) == 0)
		return 0;
	o = object(ix, h);
	o->id = id;
	b = bucket(ix, id);
	o->next = ix->buckets[b];
	ix->buckets[b] = h;
	ix->nobjects++;
	return h;
}

static void
forget(struct places *ix, uint32_t h)
{
	struct object	*o = object(ix, h);
	uint32_t	*p;

	for (p = &ix->buckets[bucket(ix, o->id)]; *p != h;
	    p = &object(ix, *p)->next)
		;
	*p = o->next;
	ix->nobjects--;
	free(o->states);
	o->states = NULL;
	o->next = ix->idle;
	ix->idle = h;
}

int
places_alive(const struct object *o)
{
	return o != NULL && !o->dead &&
	    (o->seg != NULL || o->id < SPOOL_REGISTERS);
}

static void
count(struct places *ix, struct segment *seg, uint32_t size)
{
	seg->live++;
	seg->live_bytes += size;
	ix->live_bytes += size;
}

static void
discount(struct places *ix, struct segment *seg, uint32_t size)
{
	if (--seg->live == 0)
		ix->emptied = 1;
	seg->live_bytes -= size;
	ix->live_bytes -= size;
}

/* Does o's tombstone still hold back a copy elsewhere? */
static int
tombstone_counts(const struct object *o)
{
	return o->dead && o->copies > o->self;
}

/* Where among the states is key, or should it go? */
static size_t
state_slot(const struct states *st, uint32_t key)
{
	size_t	lo = 0, hi = st == NULL ? 0 : st->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (st->s[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct state *
state_at(const struct object *o, size_t i, uint32_t key)
{
	if (o->states == NULL || i >= o->states->n ||
	    o->states->s[i].key != key)
		return NULL;
	return &o->states->s[i];
}

struct state *
places_state(const struct object *o, uint32_t key)
{
	return state_at(o, state_slot(o->states, key), key);
}

struct segment *
places_segment(const struct places *ix, const struct state *st)
{
	return ix->slots[st->slot];
}

/* Give seg a slot, so that states may name it in few octets. */
static int
take_slot(struct places *ix, struct segment *seg)
{
	struct segment	**slots;
	uint32_t	  i;

	if (seg->slot != 0)
		return 0;
	for (i = 1; i < ix->nslots && ix->slots[i] != NULL; i++)
		;
	if (i >= ix->nslots) {
		if ((slots = reallocarray(ix->slots, i + 1,
		    sizeof(struct segment *))) == NULL)
			return -1;
		slots[0] = NULL;
		ix->slots = slots;
		ix->nslots = i + 1;
	}
	ix->slots[i] = seg;
	seg->slot = i;
	return 0;
}

int
places_counts(const struct places *ix, uint8_t type, uint64_t id, uint32_t key,
    const struct segment *seg, uint32_t off)
{
	const struct object	*o = places_find(ix, id);
	const struct state	*st;

	if (o == NULL)
		return 0;
	switch (type) {
	case RECORD_MESSAGE:
		return !o->dead && o->seg == seg && o->off == off;
	case RECORD_REMOVE:
		return tombstone_counts(o) && o->seg == seg && o->off == off;
	case RECORD_STATE:
		st = o->dead ? NULL : places_state(o, key);
		return st != NULL && seg->slot != 0 && st->slot == seg->slot &&
		    st->off == off;
	default:
		return 0;
	}
}

/* Note that a record of the message lies in seg. */
static int
note_copy(struct segment *seg, uint32_t h)
{
	uint32_t	*copies;
	uint32_t	 n;

	if (seg->ncopies == seg->acopies) {
		n = seg->acopies + seg->acopies / 4 + 16;
		copies = reallocarray(seg->copies, n, sizeof(*copies));
		if (copies == NULL)
			return -1;
		seg->copies = copies;
		seg->acopies = n;
	}
	seg->copies[seg->ncopies++] = h;
	return 0;
}

int
places_put_message(struct places *ix, uint64_t id, int bodyfile,
    struct segment *seg, uint32_t off, uint32_t size)
{
	struct object	*o;
	uint32_t	 h;

	if ((h = find_or_add(ix, id)) == 0 || note_copy(seg, h) == -1)
		return -1;
	o = object(ix, h);
	o->copies++;
	if (o->dead) {			/* only ever from a damaged log */
		if (o->seg == seg)
			o->self++;
		else if (o->copies == o->self + 1U)
			count(ix, o->seg, o->size);
		return 0;
	}
	if (o->seg != NULL)
		discount(ix, o->seg, o->size);
	else
		ix->messages++;
	o->seg = seg;
	o->off = off;
	o->size = size;
	o->bodyfile = bodyfile != 0;
	count(ix, seg, size);
	return 0;
}

/* Make room for one more state in slot i. */
static int
state_insert(struct object *o, size_t i)
{
	struct states	*st = o->states;
	uint32_t	 n;

	if (st == NULL || st->n == st->alloc) {
		n = st == NULL ? 1 : st->alloc + (st->alloc < 4 ? 1 :
		    st->alloc / 2);
		st = realloc(st, sizeof(*st) + n * sizeof(st->s[0]));
		if (st == NULL)
			return -1;
		if (o->states == NULL)
			st->n = 0;
		st->alloc = n;
		o->states = st;
	}
	memmove(&st->s[i + 1], &st->s[i], (st->n - i) * sizeof(st->s[0]));
	st->n++;
	return 0;
}

int
places_put_state(struct places *ix, uint64_t id, uint32_t key,
    struct segment *seg, uint32_t off, uint32_t size, int recovering)
{
	struct object	*o;
	struct state	*st;
	uint32_t	 h;
	size_t		 i;

	if (id < SPOOL_REGISTERS || recovering) {
		if ((h = find_or_add(ix, id)) == 0)
			return -1;
		o = object(ix, h);
	} else if (!places_alive(o = places_find(ix, id)))
		return 1;
	if (o->dead)
		return 1;
	if (take_slot(ix, seg) == -1)
		return -1;
	i = state_slot(o->states, key);
	if ((st = state_at(o, i, key)) != NULL) {
		discount(ix, places_segment(ix, st), st->size);
	} else {
		if (state_insert(o, i) == -1)
			return -1;
		ix->states++;
	}
	o->states->s[i] = (struct state){ seg->slot, off, size, key };
	count(ix, seg, size);
	return 0;
}

static void
drop_states(struct places *ix, struct object *o)
{
	uint32_t	i;

	if (o->states == NULL)
		return;
	for (i = 0; i < o->states->n; i++)
		discount(ix, places_segment(ix, &o->states->s[i]),
		    o->states->s[i].size);
	ix->states -= o->states->n;
	free(o->states);
	o->states = NULL;
}

/* A message dies: what it had counts no more. */
static void
kill_object(struct places *ix, struct object *o, const struct segment *seg)
{
	drop_states(ix, o);
	if (o->seg != NULL) {
		discount(ix, o->seg, o->size);
		ix->messages--;
	}
	/* its newest copy lies beside the tombstone, or none does */
	o->self = o->seg == seg && o->copies > 0;
	o->dead = 1;
}

int
places_remove(struct places *ix, uint64_t id, struct segment *seg, uint32_t off,
    uint32_t size, int recovering)
{
	struct object	*o;
	uint32_t	 h;
	int		 nothing = 0;

	h = recovering ? find_or_add(ix, id) : find(ix, id);
	if (h == 0)
		return recovering ? -1 : 1;
	o = object(ix, h);
	if (o->dead) {
		/* a newer tombstone takes the place of the old */
		nothing = 1;
		if (tombstone_counts(o))
			discount(ix, o->seg, o->size);
		if (o->seg != seg)
			o->self = 0;
	} else
		kill_object(ix, o, seg);
	o->seg = seg;
	o->off = off;
	o->size = size;
	if (tombstone_counts(o))
		count(ix, seg, size);
	return nothing;
}

void
places_release(struct places *ix, struct segment *seg)
{
	struct object	*o;
	uint32_t	 i;
	int		 counted;

	/* An object is there as long as a copy of it is noted. */
	for (i = 0; i < seg->ncopies; i++) {
		o = object(ix, seg->copies[i]);
		counted = tombstone_counts(o);
		o->copies--;
		if (!o->dead)
			continue;
		if (o->seg == seg && o->self > 0)
			o->self--;
		if (counted && !tombstone_counts(o))
			discount(ix, o->seg, o->size);
		if (o->copies == 0)
			forget(ix, seg->copies[i]);
	}
	free(seg->copies);
	seg->copies = NULL;
	seg->ncopies = seg->acopies = 0;
	if (seg->slot != 0)
		ix->slots[seg->slot] = NULL;
	seg->slot = 0;
}

void
places_prune(struct places *ix)
{
	struct object	*o;
	uint32_t	 h, next;
	size_t		 i;

	for (i = 0; i < ix->nbuckets; i++)
		for (h = ix->buckets[i]; h != 0; h = next) {
			o = object(ix, h);
			next = o->next;
			if (places_alive(o) || o->copies > 0)
				continue;
			drop_states(ix, o);
			forget(ix, h);
		}
}

void
places_settle(struct segment *seg)
{
	uint32_t	*copies;

	if (seg->ncopies == 0 || seg->ncopies == seg->acopies)
		return;
	copies = reallocarray(seg->copies, seg->ncopies, sizeof(*copies));
	if (copies == NULL)
		return;
	seg->copies = copies;
	seg->acopies = seg->ncopies;
}

void
places_each(struct places *ix, void (*fn)(void *, struct object *), void *arg)
{
	uint32_t	h, next;
	size_t		i;

	for (i = 0; i < ix->nbuckets; i++)
		for (h = ix->buckets[i]; h != 0; h = next) {
			next = object(ix, h)->next;
			fn(arg, object(ix, h));
		}
}
