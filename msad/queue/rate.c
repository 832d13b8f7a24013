/*
 * Rates: what a user or a credential has used of so many messages, recipients
 * or octets in a period, as token buckets. Runs in msad-queue; limits.c asks
 * and rate_store.c keeps it over a restart.
 *
 * A count says what is used of a bucket; it falls evenly, by the rate, and one
 * that is 0 needs no memory. A count that is over what the rate holds, after
 * the rate was lowered, falls as well. Their number is bounded: when all places
 * are taken, the count that is nearest to 0 among some makes way.
 *
 * A count is in parts: one unit is DAY_MS of them, so that a millisecond takes
 * away a whole number of parts at every rate and nothing is ever rounded.
 * Everything fits into 64 bits by the bounds of conf_rates.h.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf_rates.h"
#include "rate.h"

#define DAY_MS		((uint64_t)86400 * 1000)
#define DAY		86400U
#define LOOKED_AT	64	/* counts, for one to make way */

_Static_assert(CONF_RATE_BYTES_MAX * 3 <= UINT64_MAX / DAY_MS,
    "a count with what is held, and one more, must fit");

struct bucket {
	RB_ENTRY(bucket)	 entry;
	TAILQ_ENTRY(bucket)	 changed;
	char			*key;	/* space NUL user NUL label NUL */
	size_t			 len;
	uint64_t		 used;	/* parts */
	int64_t			 at;
	struct rate		 rate;
	uint32_t		 place;
	uint8_t			 kind;
	bool			 dirty;
};

static int	compare(const struct bucket *, const struct bucket *);

RB_HEAD(bucket_tree, bucket);
RB_PROTOTYPE(bucket_tree, bucket, entry, compare)

static struct bucket_tree	 tree = RB_INITIALIZER(&tree);
static TAILQ_HEAD(, bucket)	 changed = TAILQ_HEAD_INITIALIZER(changed);
static unsigned int		 nbuckets, nchanged;

/* By place; and places without one, as a stack. */
static struct bucket		*places[RATE_PLACES_MAX];
static uint32_t			 idle[RATE_PLACES_MAX];
static uint32_t			 nidle, nplaces;
static uint32_t			 hand;	/* where to look for one to go */

static int
compare(const struct bucket *a, const struct bucket *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->key, b->key, a->len);
}

RB_GENERATE(bucket_tree, bucket, entry, compare)

/* The key's strings into buf of RATE_KEY_MAX; 0: they are too long. */
static size_t
key_write(const struct rate_key *k, char *buf)
{
	size_t	 s = strlen(k->space) + 1, u = strlen(k->user) + 1;
	size_t	 l = strlen(k->label) + 1;

	if (s + u + l > RATE_KEY_MAX)
		return 0;
	memcpy(buf, k->space, s);
	memcpy(buf + s, k->user, u);
	memcpy(buf + s + u, k->label, l);
	return s + u + l;
}

static struct bucket *
find(const struct rate_key *k)
{
	struct bucket	 want;
	char		 key[RATE_KEY_MAX];

	want.kind = (uint8_t)k->kind;
	want.key = key;
	if ((want.len = key_write(k, key)) == 0)
		return NULL;
	return RB_FIND(bucket_tree, &tree, &want);
}

static void
set_clean(struct bucket *b)
{
	if (!b->dirty)
		return;
	TAILQ_REMOVE(&changed, b, changed);
	nchanged--;
	b->dirty = false;
}

static void
set_changed(struct bucket *b)
{
	if (b->dirty)
		return;
	TAILQ_INSERT_TAIL(&changed, b, changed);
	nchanged++;
	b->dirty = true;
}

static void
bucket_free(struct bucket *b)
{
	set_clean(b);
	places[b->place] = NULL;
	idle[nidle++] = b->place;
	RB_REMOVE(bucket_tree, &tree, b);
	nbuckets--;
	free(b->key);
	free(b);
}

/* Parts that a millisecond takes away. */
static uint64_t
speed(struct rate r)
{
	return r.n * (DAY / r.period);
}

static uint64_t
fallen(struct rate r, uint64_t used, uint64_t ms)
{
	uint64_t	v = speed(r);

	return ms >= used / v + 1 ? 0 : used - ms * v;
}

/* Take away what fell since it was last looked at. */
static void
fall(struct bucket *b, int64_t now)
{
	if (now <= b->at)
		return;
	b->used = fallen(b->rate, b->used, (uint64_t)(now - b->at));
	b->at = now;
}

/* Milliseconds until a count of used is at most that many. */
static uint64_t
ms_until(struct rate r, uint64_t used, uint64_t parts)
{
	uint64_t	v = speed(r);

	return used <= parts ? 0 : (used - parts + v - 1) / v;
}

/* Units, of which one that is begun counts. */
static uint64_t
units(uint64_t parts)
{
	return parts / DAY_MS + (parts % DAY_MS > 0);
}

/* The nearest to 0 among the next LOOKED_AT makes way. */
static void
make_way(int64_t now)
{
	struct bucket	*b, *best = NULL;
	uint64_t	 ms, least = 0;
	unsigned int	 i;

	for (i = 0; i < LOOKED_AT; i++, hand = (hand + 1) % nplaces) {
		if ((b = places[hand]) == NULL)
			continue;
		fall(b, now);
		ms = ms_until(b->rate, b->used, 0);
		if (best == NULL || ms < least) {
			best = b;
			least = ms;
		}
	}
	if (best != NULL)
		bucket_free(best);
}

/* A bucket at this place, RATE_NONE: at any. NULL: no memory. */
static struct bucket *
bucket_new(const struct rate_key *k, struct rate rate, uint32_t place,
    int64_t now)
{
	struct bucket	*b;
	char		 key[RATE_KEY_MAX];

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	if ((b->len = key_write(k, key)) == 0 ||
	    (b->key = malloc(b->len)) == NULL) {
		free(b);
		return NULL;
	}
	memcpy(b->key, key, b->len);
	b->kind = (uint8_t)k->kind;
	b->rate = rate;
	b->at = now;
	if (place == RATE_NONE && nidle == 0 && nplaces == RATE_PLACES_MAX)
		make_way(now);
	b->place = place != RATE_NONE ? place : nidle > 0 ? idle[--nidle] :
	    nplaces++;
	places[b->place] = b;
	RB_INSERT(bucket_tree, &tree, b);
	nbuckets++;
	return b;
}

bool
rate_take(const struct rate_key *k, struct rate rate, uint64_t n,
    uint64_t extra, int64_t now, uint64_t *wait)
{
	struct bucket	*b = find(k);
	uint64_t	 room, want;

	*wait = (uint64_t)rate.period * 1000;
	if (n > rate.n)
		return false;
	if (b == NULL && (b = bucket_new(k, rate, RATE_NONE, now)) == NULL)
		return false;
	fall(b, now);
	b->rate = rate;			/* it may be another than before */
	room = (rate.n + extra) * DAY_MS;
	want = n * DAY_MS;
	if (b->used > room - want) {
		*wait = ms_until(rate, b->used, room - want);
		return false;
	}
	b->used += want;
	*wait = ms_until(rate, b->used, rate.n * DAY_MS);
	if (n > 0)
		set_changed(b);
	return true;
}

void
rate_return(const struct rate_key *k, uint64_t n, int64_t now)
{
	struct bucket	*b = find(k);

	if (b == NULL || n == 0)
		return;
	fall(b, now);
	b->used = b->used < n * DAY_MS ? 0 : b->used - n * DAY_MS;
	set_changed(b);
}

uint64_t
rate_used(const struct rate_key *k, struct rate rate, int64_t now)
{
	struct bucket	*b = find(k);

	if (b == NULL)
		return 0;
	fall(b, now);
	b->rate = rate;
	return units(b->used);
}

uint64_t
rate_wait(const struct rate_key *k, struct rate rate, uint64_t less,
    int64_t now)
{
	struct bucket	*b = find(k);

	if (b == NULL)
		return 0;
	fall(b, now);
	b->rate = rate;
	if (less >= units(b->used))
		return 0;
	return ms_until(rate, b->used - less * DAY_MS, rate.n * DAY_MS);
}

bool
rate_reset(const struct rate_key *k, int64_t now)
{
	struct bucket	*b = find(k);

	if (b == NULL)
		return false;
	fall(b, now);
	if (b->used == 0)
		return false;
	b->used = 0;
	set_changed(b);
	return true;
}

void
rate_sweep(int64_t now)
{
	struct bucket	*b;
	uint32_t	 i;

	for (i = 0; i < nplaces; i++) {
		if ((b = places[i]) == NULL)
			continue;
		fall(b, now);
		/* what changed has to get to the disk first */
		if (b->used == 0 && !b->dirty)
			bucket_free(b);
	}
}

unsigned int
rate_count(void)
{
	return nbuckets;
}

static uint32_t
tell(struct bucket *b, int64_t now, struct rate_state *s)
{
	fall(b, now);
	s->key.kind = (enum rate_kind)b->kind;
	s->key.space = b->key;
	s->key.user = s->key.space + strlen(s->key.space) + 1;
	s->key.label = s->key.user + strlen(s->key.user) + 1;
	s->rate = b->rate;
	s->used = units(b->used);
	return b->place;
}

uint32_t
rate_next(uint32_t place, int64_t now, struct rate_state *s)
{
	for (; place < nplaces; place++)
		if (places[place] != NULL)
			return tell(places[place], now, s);
	return RATE_NONE;
}

uint32_t
rate_changed(int64_t now, struct rate_state *s, uint64_t *parts)
{
	struct bucket	*b;

	if ((b = TAILQ_FIRST(&changed)) == NULL)
		return RATE_NONE;
	set_clean(b);
	tell(b, now, s);
	*parts = b->used;
	return b->place;
}

void
rate_all_changed(void)
{
	uint32_t	i;

	for (i = 0; i < nplaces; i++)
		if (places[i] != NULL)
			set_changed(places[i]);
}

unsigned int
rate_nchanged(void)
{
	return nchanged;
}

/* Is the place free? Takes it then. */
static bool
place_take(uint32_t place)
{
	uint32_t	i;

	if (place >= RATE_PLACES_MAX)
		return false;
	while (nplaces <= place)
		idle[nidle++] = nplaces++;
	if (places[place] != NULL)
		return false;
	for (i = nidle; i-- > 0;)
		if (idle[i] == place) {
			idle[i] = idle[--nidle];
			return true;
		}
	return false;
}

void
rate_recover(uint32_t place, const struct rate_key *k, struct rate rate,
    uint64_t parts, uint64_t passed, int64_t now)
{
	struct bucket	*b;

	if ((parts = fallen(rate, parts, passed)) == 0)
		return;
	/* One that was at two places: what is more cannot have fallen yet. */
	if ((b = find(k)) != NULL) {
		fall(b, now);
		if (b->used < parts) {
			b->used = parts;
			b->rate = rate;
			set_changed(b);
		}
		return;
	}
	if (!place_take(place))
		return;
	if ((b = bucket_new(k, rate, place, now)) == NULL)
		idle[nidle++] = place;
	else
		b->used = parts;
}
