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
 * A message costs 32 octets, 4 of the hash table and 4 of the segment's list, a
 * state 16 and 4 for all of a message. Objects are named by handles of 32 bits
 * and never move.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/record.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_places.h"

#define SLAB		1024U		/* objects in a slab */

static struct object *
object(const struct places *ix, uint32_t handle)
{
	return &ix->slabs[handle / SLAB][handle % SLAB];
}

/* Ids ascend: their bits are spread over all. */
static uint64_t
hash_of(uint64_t id)
{
	return (id * UINT64_C(0x9e3779b97f4a7c15)) >> 20;
}

int
places_init(struct places *ix)
{
	uint32_t	*from, *to;

	memset(ix, 0, sizeof(*ix));
	ix->used = 1;
	return buckets_grow(&ix->buckets, &from, &to);
}

void
places_clear(struct places *ix)
{
	uint32_t	 i;

	slab_clear(&ix->memory);
	for (i = 0; i < ix->nslabs; i++)
		free(ix->slabs[i]);
	free(ix->slabs);
	free(ix->slots);
	buckets_free(&ix->buckets);
	memset(ix, 0, sizeof(*ix));
}

/* One more bucket. Without memory the chains grow longer instead. */
static void
grow(struct places *ix)
{
	uint32_t	*from, *to, h;
	struct object	*o;

	if (buckets_grow(&ix->buckets, &from, &to) == -1)
		return;
	while ((h = *from) != 0) {
		o = object(ix, h);
		if (buckets_of(&ix->buckets, hash_of(o->id)) != to) {
			from = &o->next;
			continue;
		}
		*from = o->next;
		o->next = *to;
		*to = h;
	}
}

/* NULL: it has none. */
static struct states *
states_of(const struct places *ix, const struct object *o)
{
	return o->states == 0 ? NULL : slab_at(&ix->memory, o->states);
}

static void
states_free(struct places *ix, struct object *o)
{
	if (o->states != 0)
		slab_give(&ix->memory, o->states);
	o->states = 0;
}

static uint32_t
find(const struct places *ix, uint64_t id)
{
	uint32_t	h;

	for (h = *buckets_of(&ix->buckets, hash_of(id)); h != 0;
	    h = object(ix, h)->next)
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
	uint32_t	 h, *b;

	if ((h = find(ix, id)) != 0)
		return h;
	if (ix->nobjects >= ix->buckets.n)
		grow(ix);
	if ((h = handle_new(ix)) == 0)
		return 0;
	o = object(ix, h);
	o->id = id;
	b = buckets_of(&ix->buckets, hash_of(id));
	o->next = *b;
	*b = h;
	ix->nobjects++;
	return h;
}

static void
forget(struct places *ix, uint32_t h)
{
	struct object	*o = object(ix, h);
	uint32_t	*p;

	for (p = buckets_of(&ix->buckets, hash_of(o->id)); *p != h;
	    p = &object(ix, *p)->next)
		;
	*p = o->next;
	ix->nobjects--;
	states_free(ix, o);
	o->next = ix->idle;
	ix->idle = h;
}

int
places_alive(const struct object *o)
{
	return o != NULL && !o->dead &&
	    (o->slot != 0 || o->id < SPOOL_REGISTERS);
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
state_at(struct states *st, size_t i, uint32_t key)
{
	return st == NULL || i >= st->n || st->s[i].key != key ? NULL :
	    &st->s[i];
}

struct state *
places_state(const struct places *ix, const struct object *o, uint32_t key)
{
	struct states	*st = states_of(ix, o);

	return state_at(st, state_slot(st, key), key);
}

struct segment *
places_segment(const struct places *ix, const struct state *st)
{
	return ix->slots[st->slot];
}

struct segment *
places_home(const struct places *ix, const struct object *o)
{
	return o->slot == 0 ? NULL : ix->slots[o->slot];
}

/* Give seg a slot, so that records may name it in few octets. */
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

	if (o == NULL || seg->slot == 0)
		return 0;
	switch (type) {
	case RECORD_MESSAGE:
		return !o->dead && o->slot == seg->slot && o->off == off;
	case RECORD_REMOVE:
		return tombstone_counts(o) && o->slot == seg->slot &&
		    o->off == off;
	case RECORD_STATE:
		st = o->dead ? NULL : places_state(ix, o, key);
		return st != NULL && st->slot == seg->slot && st->off == off;
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

	if (take_slot(ix, seg) == -1 || (h = find_or_add(ix, id)) == 0 ||
	    note_copy(seg, h) == -1)
		return -1;
	o = object(ix, h);
	o->copies++;
	if (o->dead) {			/* only ever from a damaged log */
		if (o->slot == seg->slot)
			o->self++;
		else if (o->copies == o->self + 1U)
			count(ix, places_home(ix, o), o->size);
		return 0;
	}
	if (o->slot != 0)
		discount(ix, places_home(ix, o), o->size);
	else
		ix->messages++;
	o->slot = seg->slot;
	o->off = off;
	o->size = size;
	o->bodyfile = bodyfile != 0;
	count(ix, seg, size);
	return 0;
}

/* There is room for so many states where n are: 1 to 4, 6, 8, 12, 16, ... */
static size_t
room_for(size_t n)
{
	size_t	step = 1;

	while (n > 4 * step)
		step *= 2;
	return (n + step - 1) / step * step;
}

/* Make room for one more state in slot i. */
static int
state_insert(struct places *ix, struct object *o, size_t i)
{
	struct states	*st = states_of(ix, o);
	size_t		 n = st == NULL ? 0 : st->n;
	uint32_t	 h;

	if (st == NULL || room_for(n) == n) {
		if ((h = slab_take(&ix->memory, sizeof(*st) +
		    room_for(n + 1) * sizeof(st->s[0]))) == 0)
			return -1;
		if (st != NULL)
			memcpy(slab_at(&ix->memory, h), st, sizeof(*st) +
			    n * sizeof(st->s[0]));
		states_free(ix, o);
		o->states = h;
		st = states_of(ix, o);
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
	i = state_slot(states_of(ix, o), key);
	if ((st = state_at(states_of(ix, o), i, key)) != NULL) {
		discount(ix, places_segment(ix, st), st->size);
	} else {
		if (state_insert(ix, o, i) == -1)
			return -1;
		ix->states++;
	}
	states_of(ix, o)->s[i] = (struct state){ seg->slot, off, size, key };
	count(ix, seg, size);
	return 0;
}

static void
drop_states(struct places *ix, struct object *o)
{
	struct states	*st = states_of(ix, o);
	uint32_t	 i;

	if (st == NULL)
		return;
	for (i = 0; i < st->n; i++)
		discount(ix, places_segment(ix, &st->s[i]), st->s[i].size);
	ix->states -= st->n;
	states_free(ix, o);
}

/* A message dies: what it had counts no more. */
static void
kill_object(struct places *ix, struct object *o, const struct segment *seg)
{
	drop_states(ix, o);
	if (o->slot != 0) {
		discount(ix, places_home(ix, o), o->size);
		ix->messages--;
	}
	/* its newest copy lies beside the tombstone, or none does */
	o->self = o->slot == seg->slot && o->copies > 0;
	o->dead = 1;
}

int
places_remove(struct places *ix, uint64_t id, struct segment *seg, uint32_t off,
    uint32_t size, int recovering)
{
	struct object	*o;
	uint32_t	 h;
	int		 nothing = 0;

	if (take_slot(ix, seg) == -1)
		return -1;
	h = recovering ? find_or_add(ix, id) : find(ix, id);
	if (h == 0)
		return recovering ? -1 : 1;
	o = object(ix, h);
	if (o->dead) {
		/* a newer tombstone takes the place of the old */
		nothing = 1;
		if (tombstone_counts(o))
			discount(ix, places_home(ix, o), o->size);
		if (o->slot != seg->slot)
			o->self = 0;
	} else
		kill_object(ix, o, seg);
	o->slot = seg->slot;
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
		if (o->slot == seg->slot && o->self > 0)
			o->self--;
		if (counted && !tombstone_counts(o))
			discount(ix, places_home(ix, o), o->size);
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

	for (i = 0; i < ix->buckets.n; i++)
		for (h = *buckets_at(&ix->buckets, i); h != 0; h = next) {
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

	for (i = 0; i < ix->buckets.n; i++)
		for (h = *buckets_at(&ix->buckets, i); h != 0; h = next) {
			next = object(ix, h)->next;
			fn(arg, object(ix, h));
		}
}
