/*
 * Finding the messages that a selection means. Runs in msad-queue, for steer.c
 * and summary.c. Ids are looked up; else the shortest of the index's lists that
 * has all that may match is gone through, or the whole queue when there is
 * none. All lists are in ascending id, so a search goes on behind an id, with
 * nothing held meanwhile, and finds each message once whatever comes and goes.
 *
 * The spool is asked for a reply only when all else is true.
 */
#include <string.h>

#include "select.h"
#include "status.h"

#define BATCH		64U	/* messages between looks at the clock */

/* Where candidates come from. */
struct source {
	enum { FROM_ALL, FROM_IDS, FROM_LISTS } kind;
	enum index_key	 list;
	size_t		 n;			/* lists */
	struct slice	 value[SELECTION_TERMS_MAX];
};

/* --- does one match? --- */

static bool
error_matches(const struct selection *sel, const struct message *m, uint32_t i)
{
	char	reply[STATUS_REPLY_MAX];

	if (!(sel->keys & 1U << SELECTION_ERROR))
		return true;
	status_reply(m, i, reply, sizeof(reply));
	return selection_text(sel, SELECTION_ERROR, reply);
}

/* Is one of its recipients as the terms of recipients say? */
static bool
rcpts_match(const struct selection *sel, const struct message *m)
{
	uint32_t	i;

	if (!(sel->keys & (1U << SELECTION_TO | 1U << SELECTION_DOMAIN |
	    1U << SELECTION_STATE | 1U << SELECTION_ERROR)))
		return true;
	for (i = 0; i < m->nrcpts; i++)
		if (selection_states(sel, status_selects(m, i)) &&
		    selection_rcpt(sel, message_rcpt(m, i)) &&
		    error_matches(sel, m, i))
			return true;
	return false;
}

bool
select_matches(const struct selection *sel, const struct message *m,
    time_t now)
{
	uint64_t	age = now > (time_t)m->arrival ?
			    (uint64_t)now - m->arrival : 0;

	return selection_number(sel, SELECTION_ID, m->id) &&
	    selection_number(sel, SELECTION_SIZE, m->size) &&
	    selection_number(sel, SELECTION_AGE, age) &&
	    selection_text(sel, SELECTION_USER, message_user(m)) &&
	    selection_text(sel, SELECTION_TENANT, message_tenant(m)) &&
	    selection_text(sel, SELECTION_RELAY, message_relay(m)) &&
	    selection_text(sel, SELECTION_FROM, message_sender(m)) &&
	    rcpts_match(sel, m);
}

/* --- where to look --- */

/* What the index has a list of: the term's text, of "to" the domain. */
static bool
list_value(const struct selection_term *t, struct slice *value)
{
	const char	*p = t->text;

	if (t->key == SELECTION_TO) {
		p = strrchr(p, '@');
		p = p != NULL ? p + 1 : t->glob ? "*" : "";
	}
	*value = SLICE_STR(p);
	return strchr(p, '*') == NULL;
}

/* The lists of the values of that key; -1: there are none for all. */
static int
lists_of(const struct selection *sel, enum selection_key key,
    enum index_key list, struct source *src, uint64_t *cost)
{
	const struct selection_term	*t;
	size_t				 i;

	src->kind = FROM_LISTS;
	src->list = list;
	src->n = 0;
	*cost = 0;
	for (i = 0; i < sel->nterms; i++) {
		t = &sel->terms[i];
		if (t->key != key)
			continue;
		if (!list_value(t, &src->value[src->n]))
			return -1;
		*cost += index_select_count(list, src->value[src->n++]);
	}
	return src->n > 0 ? 0 : -1;
}

static void
choose(const struct selection *sel, struct source *best)
{
	static const struct {
		enum selection_key	key;
		enum index_key		list;
	} keys[] = {
		{ SELECTION_USER, INDEX_USER },
		{ SELECTION_TENANT, INDEX_TENANT },
		{ SELECTION_FROM, INDEX_SENDER },
		{ SELECTION_TO, INDEX_DOMAIN },
		{ SELECTION_DOMAIN, INDEX_DOMAIN },
		{ SELECTION_RELAY, INDEX_RELAY },
	};
	struct source	src;
	uint64_t	cost, least = index_messages();
	size_t		i;

	best->kind = FROM_ALL;
	best->n = 0;
	if (sel->keys & 1U << SELECTION_ID) {
		best->kind = FROM_IDS;
		return;
	}
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if ((sel->keys & 1U << keys[i].key) &&
		    lists_of(sel, keys[i].key, keys[i].list, &src, &cost) ==
		    0 && cost < least) {
			least = cost;
			*best = src;
		}
}

/* --- going through --- */

/* The terms of ids ascend. */
static unsigned int
batch_of_ids(const struct selection *sel, uint64_t after,
    struct message **buf, unsigned int n)
{
	const struct selection_term	*t;
	struct message			*m;
	unsigned int			 got = 0;
	size_t				 i;

	for (i = 0; i < sel->nterms && got < n; i++) {
		t = &sel->terms[i];
		if (t->key != SELECTION_ID || t->number <= after)
			continue;
		after = t->number;
		if ((m = index_find(after)) != NULL)
			buf[got++] = m;
	}
	return got;
}

/* Of several lists, what is in any, each once. */
static unsigned int
batch_of_lists(const struct source *src, uint64_t after,
    struct message **buf, unsigned int n)
{
	struct message	*head[SELECTION_TERMS_MAX], *least;
	unsigned int	 got = 0;
	size_t		 i;

	if (src->n == 1)
		return index_select_batch(src->list, src->value[0], after,
		    buf, n);
	for (i = 0; i < src->n; i++)
		head[i] = index_select_after(src->list, src->value[i], after);
	while (got < n) {
		least = NULL;
		for (i = 0; i < src->n; i++)
			if (head[i] != NULL &&
			    (least == NULL || head[i]->id < least->id))
				least = head[i];
		if (least == NULL)
			break;
		for (i = 0; i < src->n; i++)
			if (head[i] == least)
				head[i] = index_select_after(src->list,
				    src->value[i], least->id);
		buf[got++] = least;
	}
	return got;
}

static unsigned int
next_batch(const struct selection *sel, const struct source *src,
    uint64_t after, struct message **buf, unsigned int n)
{
	switch (src->kind) {
	case FROM_IDS:
		return batch_of_ids(sel, after, buf, n);
	case FROM_LISTS:
		return batch_of_lists(src, after, buf, n);
	default:
		return index_batch(after, buf, n);
	}
}

static uint64_t
milliseconds(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Those of the batch that match; true when there is room for more, and time:
 * one message may cost a thousand looks at the disk, or at long patterns.
 */
static bool
take(const struct selection *sel, struct message **buf, unsigned int n,
    uint64_t *after, uint32_t *left, time_t now, uint64_t end,
    bool (*fn)(void *, struct message *), void *arg)
{
	unsigned int	i;
	bool		slow = (sel->keys & (1U << SELECTION_ERROR |
			    1U << SELECTION_TO | 1U << SELECTION_DOMAIN)) != 0;

	/* they lie anywhere in memory: fetch them while others are looked at */
	for (i = 0; i < n; i++)
		__builtin_prefetch(&buf[i]->rcpts[0]);
	for (i = 0; i < n; i++) {
		*after = buf[i]->id;
		if (status_is_shown(buf[i]) &&
		    select_matches(sel, buf[i], now)) {
			--*left;
			if (!fn(arg, buf[i]) || *left == 0)
				return false;
		} else if (!slow)
			continue;
		if (milliseconds() >= end)
			return false;
	}
	return milliseconds() < end;
}

uint32_t
select_step(const struct selection *sel, uint64_t *after, uint32_t max,
    time_t now, bool (*fn)(void *, struct message *), void *arg)
{
	struct source	 src;
	struct message	*buf[BATCH];
	uint64_t	 end = milliseconds() + SELECT_MS_MAX;
	uint32_t	 left = max;
	unsigned int	 n, looked = 0;

	choose(sel, &src);
	do {
		if ((n = next_batch(sel, &src, *after, buf, BATCH)) == 0) {
			*after = 0;
			break;
		}
		looked += n;
	} while (take(sel, buf, n, after, &left, now, end, fn, arg) &&
	    looked < SELECT_LOOKED_MAX);
	return max - left;
}
