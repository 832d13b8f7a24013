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
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/record.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_places.h"

#define BUCKETS_MIN	1024U

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
	ix->nbuckets = BUCKETS_MIN;
	ix->buckets = calloc(ix->nbuckets, sizeof(*ix->buckets));
	return ix->buckets == NULL ? -1 : 0;
}

void
places_clear(struct places *ix)
{
	struct object	*o, *next;
	size_t		 i;

	for (i = 0; i < ix->nbuckets; i++)
		for (o = ix->buckets[i]; o != NULL; o = next) {
			next = o->next;
			free(o->states);
			free(o);
		}
	free(ix->buckets);
	memset(ix, 0, sizeof(*ix));
}

/* Twice the buckets. Without memory the chains grow longer instead. */
static void
grow(struct places *ix)
{
	struct places	 bigger = *ix;
	struct object	*o, *next;
	size_t		 i, b;

	bigger.nbuckets = ix->nbuckets * 2;
	bigger.buckets = calloc(bigger.nbuckets, sizeof(*bigger.buckets));
	if (bigger.buckets == NULL)
		return;
	for (i = 0; i < ix->nbuckets; i++)
		for (o = ix->buckets[i]; o != NULL; o = next) {
			next = o->next;
			b = bucket(&bigger, o->id);
			o->next = bigger.buckets[b];
			bigger.buckets[b] = o;
		}
	free(ix->buckets);
	*ix = bigger;
}

struct object *
places_find(const struct places *ix, uint64_t id)
{
	struct object	*o;

	for (o = ix->buckets[bucket(ix, id)]; o != NULL; o = o->next)
		if (o->id == id)
			return o;
	return NULL;
}

static struct object *
find_or_add(struct places *ix, uint64_t id)
{
	struct object	*o;
	size_t		 b;

	if ((o = places_find(ix, id)) != NULL)
		return o;
	if (ix->nobjects >= ix->nbuckets)
		grow(ix);
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return NULL;
	o->id = id;
	b = bucket(ix, id);
	o->next = ix->buckets[b];
	ix->buckets[b] = o;
	ix->nobjects++;
	return o;
}

static void
forget(struct places *ix, struct object *o)
{
	struct object	**p;

	for (p = &ix->buckets[bucket(ix, o->id)]; *p != o; p = &(*p)->next)
		;
	*p = o->next;
	ix->nobjects--;
	free(o->states);
	free(o);
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

/* Where in o->states is key, or should it go? */
static size_t
state_slot(const struct object *o, uint32_t key)
{
	size_t	lo = 0, hi = o->nstates, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (o->states[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct state *
places_state(const struct object *o, uint32_t key)
{
	size_t	i = state_slot(o, key);

	return i < o->nstates && o->states[i].key == key ? &o->states[i] : NULL;
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
		return st != NULL && st->seg == seg && st->off == off;
	default:
		return 0;
	}
}

/* Note that a record of message id lies in seg. */
static int
note_copy(struct segment *seg, uint64_t id)
{
	uint64_t	*ids;
	uint32_t	 n;

	if (seg->nids == seg->aids) {
		n = seg->aids == 0 ? 16 : seg->aids * 2;
		ids = reallocarray(seg->ids, n, sizeof(*ids));
		if (ids == NULL)
			return -1;
		seg->ids = ids;
		seg->aids = n;
	}
	seg->ids[seg->nids++] = id;
	return 0;
}

int
places_put_message(struct places *ix, uint64_t id, int bodyfile,
    struct segment *seg, uint32_t off, uint32_t size)
{
	struct object	*o;

	if ((o = find_or_add(ix, id)) == NULL || note_copy(seg, id) == -1)
		return -1;
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
	struct state	*states;
	uint32_t	 n;

	if (o->nstates == o->astates) {
		n = o->astates + (o->astates < 4 ? 1 : o->astates / 2);
		states = reallocarray(o->states, n, sizeof(*states));
		if (states == NULL)
			return -1;
		o->states = states;
		o->astates = n;
	}
	memmove(&o->states[i + 1], &o->states[i],
	    (o->nstates - i) * sizeof(*o->states));
	memset(&o->states[i], 0, sizeof(o->states[i]));
	o->nstates++;
	return 0;
}

int
places_put_state(struct places *ix, uint64_t id, uint32_t key,
    struct segment *seg, uint32_t off, uint32_t size, int recovering)
{
	struct object	*o;
	size_t		 i;

	if (id < SPOOL_REGISTERS || recovering)
		o = find_or_add(ix, id);
	else if (!places_alive(o = places_find(ix, id)))
		return 1;
	if (o == NULL)
		return -1;
	if (o->dead)
		return 1;
	i = state_slot(o, key);
	if (i < o->nstates && o->states[i].key == key) {
		discount(ix, o->states[i].seg, o->states[i].size);
	} else {
		if (state_insert(o, i) == -1)
			return -1;
		ix->states++;
	}
	o->states[i] = (struct state){ seg, off, size, key };
	count(ix, seg, size);
	return 0;
}

static void
drop_states(struct places *ix, struct object *o)
{
	uint32_t	i;

	for (i = 0; i < o->nstates; i++)
		discount(ix, o->states[i].seg, o->states[i].size);
	ix->states -= o->nstates;
	free(o->states);
	o->states = NULL;
	o->nstates = o->astates = 0;
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
	int		 nothing = 0;

	o = recovering ? find_or_add(ix, id) : places_find(ix, id);
	if (o == NULL)
		return recovering ? -1 : 1;
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

	for (i = 0; i < seg->nids; i++) {
		if ((o = places_find(ix, seg->ids[i])) == NULL)
			continue;
		counted = tombstone_counts(o);
		o->copies--;
		if (!o->dead)
			continue;
		if (o->seg == seg && o->self > 0)
			o->self--;
		if (counted && !tombstone_counts(o))
			discount(ix, o->seg, o->size);
		if (o->copies == 0)
			forget(ix, o);
	}
	free(seg->ids);
	seg->ids = NULL;
	seg->nids = seg->aids = 0;
}

void
places_prune(struct places *ix)
{
	struct object	*o, *next;
	size_t		 i;

	for (i = 0; i < ix->nbuckets; i++)
		for (o = ix->buckets[i]; o != NULL; o = next) {
			next = o->next;
			if (places_alive(o) || o->copies > 0)
				continue;
			drop_states(ix, o);
			forget(ix, o);
		}
}

static int
by_id(const void *a, const void *b)
{
	const struct object *const *x = a, *const *y = b;

	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

struct object **
places_sorted(const struct places *ix, size_t *n)
{
	struct object	**list, *o;
	size_t		  i;

	*n = 0;
	list = calloc(ix->nobjects + 1, sizeof(struct object *));
	if (list == NULL)
		return NULL;
	for (i = 0; i < ix->nbuckets; i++)
		for (o = ix->buckets[i]; o != NULL; o = o->next)
			if (places_alive(o))
				list[(*n)++] = o;
	qsort(list, *n, sizeof(struct object *), by_id);
	return list;
}

void
places_each(struct places *ix, void (*fn)(void *, struct object *), void *arg)
{
	struct object	*o;
	size_t		 i;

	for (i = 0; i < ix->nbuckets; i++)
		for (o = ix->buckets[i]; o != NULL; o = o->next)
			fn(arg, o);
}
