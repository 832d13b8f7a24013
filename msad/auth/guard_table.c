/*
 * The tables behind guard.c (guard_table.h): sets of places in memory that is
 * allotted once, and levels that sink with time. Runs in msad-auth; pure but
 * for its memory. Tags come from a keyed hash, so that who chooses the keys
 * does not choose the set.
 */

#include <sys/types.h>
#include <sys/mman.h>

#include <string.h>

#include "msad/auth/guard_table.h"

#define LEVEL_MAX	(1000U * 1000 * 1000)

int
guard_table_init(struct guard_table *t, size_t size, uint32_t sets,
    uint64_t (*worth)(const void *, int64_t))
{
	/* pages that were never touched cost nothing */
	t->places = mmap(NULL, size * sets * GUARD_WAYS,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
	if (t->places == MAP_FAILED)
		return -1;
	t->size = size;
	t->sets = sets;
	t->used = 0;
	t->worth = worth;
	return 0;
}

static struct guard_mark *
place(const struct guard_table *t, size_t i)
{
	return (struct guard_mark *)(void *)(t->places + i * t->size);
}

static size_t
first_of_set(const struct guard_table *t, uint64_t tag)
{
	return (size_t)(tag % t->sets) * GUARD_WAYS;
}

void *
guard_table_find(const struct guard_table *t, uint64_t tag)
{
	struct guard_mark	*mark;
	size_t			 i, first = first_of_set(t, tag);

	for (i = first; i < first + GUARD_WAYS; i++) {
		mark = place(t, i);
		if (mark->tag == tag)
			return mark;
	}
	return NULL;
}

/* The place of the set that is free, or else worth least. */
static struct guard_mark *
victim(const struct guard_table *t, uint64_t tag, int64_t now_ms)
{
	struct guard_mark	*mark, *least = NULL;
	uint64_t		 worth, lowest = UINT64_MAX;
	size_t			 i, first = first_of_set(t, tag);

	for (i = first; i < first + GUARD_WAYS; i++) {
		mark = place(t, i);
		if (mark->tag == 0)
			return mark;
		worth = t->worth(mark, now_ms);
		if (least == NULL || worth < lowest || (worth == lowest &&
		    mark->at < least->at)) {
			least = mark;
			lowest = worth;
		}
	}
	return least;
}

void *
guard_table_take(struct guard_table *t, uint64_t tag, int64_t now_ms)
{
	struct guard_mark	*mark;

	if ((mark = guard_table_find(t, tag)) != NULL)
		return mark;
	mark = victim(t, tag, now_ms);
	if (mark->tag == 0)
		t->used++;
	memset(mark, 0, t->size);
	mark->tag = tag;
	mark->at = now_ms;
	return mark;
}

void *
guard_table_next(const struct guard_table *t, size_t *cursor)
{
	struct guard_mark	*mark;

	while (*cursor < (size_t)t->sets * GUARD_WAYS) {
		mark = place(t, (*cursor)++);
		if (mark->tag != 0)
			return mark;
	}
	return NULL;
}

size_t
guard_table_memory(const struct guard_table *t)
{
	return t->size * t->sets * GUARD_WAYS;
}

uint32_t
guard_mark_settle(struct guard_mark *mark, uint64_t limit, uint64_t period_s,
    int64_t now_ms)
{
	uint64_t	 elapsed, sunk;

	if (limit == 0)
		limit = 1;
	if (now_ms <= mark->at)
		return mark->level;
	elapsed = (uint64_t)(now_ms - mark->at);
	/* limit * 1000 thousandths in period * 1000 ms */
	if (mark->level == 0 || elapsed / 1000 > period_s * 64) {
		mark->level = 0;
		mark->at = now_ms;
		return 0;
	}
	/* what is less than a thousandth stays for the next time */
	if ((sunk = elapsed * limit / period_s) == 0)
		return mark->level;
	guard_mark_take(mark, sunk > LEVEL_MAX ? LEVEL_MAX : (uint32_t)sunk);
	mark->at += (int64_t)(sunk * period_s / limit);
	return mark->level;
}

void
guard_mark_add(struct guard_mark *mark, uint32_t level)
{
	mark->level = level > LEVEL_MAX - mark->level ? LEVEL_MAX :
	    mark->level + level;
}

void
guard_mark_take(struct guard_mark *mark, uint32_t level)
{
	mark->level = level > mark->level ? 0 : mark->level - level;
}
