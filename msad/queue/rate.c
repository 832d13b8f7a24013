/*
 * Messages an hour of a credential: a token bucket for each (auth block, user,
 * label), so that the same credential on many connections and front-ends counts
 * once. Runs in msad-queue. It holds as many messages as an hour has and
 * fills evenly; it begins full, and after a restart of the queue again. A
 * message is taken at MAIL, before anybody can wait with many of them open, and
 * given back when it comes to nothing.
 *
 * A bucket counts in parts of a message: one message is HOUR_MS parts, of which
 * each millisecond adds as many as there are messages in an hour.
 */
#include <sys/types.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "rate.h"

#define HOUR_MS	((uint64_t)3600 * 1000)

struct bucket {
	RB_ENTRY(bucket)	 entry;
	char			*key;		/* auth NUL user NUL label */
	size_t			 len;
	uint32_t		 an_hour;
	uint64_t		 level;		/* parts */
	int64_t			 at;
};

static int	compare(const struct bucket *, const struct bucket *);

RB_HEAD(bucket_tree, bucket);
RB_PROTOTYPE(bucket_tree, bucket, entry, compare)

static struct bucket_tree	tree = RB_INITIALIZER(&tree);
static unsigned int		nbuckets;

static int
compare(const struct bucket *a, const struct bucket *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->key, b->key, a->len);
}

RB_GENERATE(bucket_tree, bucket, entry, compare)

static char *
key_of(const struct rate_key *k, size_t *len)
{
	size_t	 a = strlen(k->auth) + 1, u = strlen(k->user) + 1;
	size_t	 l = strlen(k->label);
	char	*key;

	if ((key = malloc(a + u + l + 1)) == NULL)
		return NULL;
	memcpy(key, k->auth, a);
	memcpy(key + a, k->user, u);
	memcpy(key + a + u, k->label, l + 1);
	*len = a + u + l;
	return key;
}

static struct bucket *
find(const struct rate_key *k)
{
	struct bucket	 want, *b;

	if ((want.key = key_of(k, &want.len)) == NULL)
		return NULL;
	b = RB_FIND(bucket_tree, &tree, &want);
	free(want.key);
	return b;
}

static void
bucket_free(struct bucket *b)
{
	RB_REMOVE(bucket_tree, &tree, b);
	nbuckets--;
	free(b->key);
	free(b);
}

static struct bucket *
bucket_new(const struct rate_key *k, uint32_t an_hour, int64_t now)
{
	struct bucket	*b;

	if (nbuckets >= RATE_KEYS_MAX)
		rate_sweep(now);
	if (nbuckets >= RATE_KEYS_MAX ||
	    (b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	if ((b->key = key_of(k, &b->len)) == NULL) {
		free(b);
		return NULL;
	}
	b->an_hour = an_hour;
	b->level = an_hour * HOUR_MS;
	b->at = now;
	RB_INSERT(bucket_tree, &tree, b);
	nbuckets++;
	return b;
}

/* What came in since it was last looked at. */
static void
fill(struct bucket *b, int64_t now)
{
	uint64_t	passed = now > b->at ? (uint64_t)(now - b->at) : 0;
	uint64_t	full = b->an_hour * HOUR_MS;

	if (passed > HOUR_MS)
		passed = HOUR_MS;
	b->level += passed * b->an_hour;
	if (b->level > full)
		b->level = full;
	b->at = now;
}

bool
rate_take(const struct rate_key *k, uint32_t an_hour, int64_t now,
    unsigned int *wait)
{
	struct bucket	*b = find(k);
	uint64_t	 ms;

	*wait = 60;
	if (b == NULL && (b = bucket_new(k, an_hour, now)) == NULL)
		return false;
	fill(b, now);
	if (b->an_hour != an_hour) {	/* the credential was changed */
		b->an_hour = an_hour;
		fill(b, now);
	}
	if (b->level >= HOUR_MS) {
		b->level -= HOUR_MS;
		*wait = 0;
		return true;
	}
	ms = (HOUR_MS - b->level + an_hour - 1) / an_hour;
	*wait = (unsigned int)((ms + 999) / 1000);
	return false;
}

void
rate_return(const struct rate_key *k, int64_t now)
{
	struct bucket	*b;

	if ((b = find(k)) == NULL)
		return;
	b->level += HOUR_MS;
	fill(b, now);
}

void
rate_sweep(int64_t now)
{
	struct bucket	*b, *next;

	for (b = RB_MIN(bucket_tree, &tree); b != NULL; b = next) {
		next = RB_NEXT(bucket_tree, &tree, b);
		fill(b, now);
		if (b->level == b->an_hour * HOUR_MS)
			bucket_free(b);
	}
}

unsigned int
rate_count(void)
{
	return nbuckets;
}
