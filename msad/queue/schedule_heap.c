/*
 * Heaps of messages. Runs in msad-queue, for the schedule alone.
 */
#include <stdlib.h>

#include "index.h"
#include "schedule_heap.h"

static int64_t
rank(const struct message *m)
{
	return (int64_t)m->next - (int64_t)m->priority * PRIORITY_SECONDS;
}

static bool
before(const struct message_heap *h, const struct message *a,
    const struct message *b)
{
	int64_t	x = h->ranked ? rank(a) : a->next;
	int64_t	y = h->ranked ? rank(b) : b->next;

	return x != y ? x < y : a->id < b->id;
}

static void
place(struct message_heap *h, uint32_t i, struct message *m)
{
	h->m[i] = m;
	m->heap = i;
}

static void
sift_up(struct message_heap *h, uint32_t i)
{
	struct message	*m = h->m[i];

	for (; i > 0 && before(h, m, h->m[(i - 1) / 2]); i = (i - 1) / 2)
		place(h, i, h->m[(i - 1) / 2]);
	place(h, i, m);
}

static void
sift_down(struct message_heap *h, uint32_t i)
{
	struct message	*m = h->m[i];
	uint32_t	 child;

	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n &&
		    before(h, h->m[child + 1], h->m[child]))
			child++;
		if (!before(h, h->m[child], m))
			break;
		place(h, i, h->m[child]);
	}
	place(h, i, m);
}

void
heap_remove(struct message_heap *h, struct message *m)
{
	struct message	*last;
	uint32_t	 i = m->heap;

	m->heap = HEAP_NONE;
	last = h->m[--h->n];
	if (last == m)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->heap);
}

void
heap_insert(struct message_heap *h, struct message *m)
{
	place(h, h->n++, m);
	sift_up(h, m->heap);
}

void
heap_order(struct message_heap *h)
{
	uint32_t	i;

	for (i = h->n / 2; i-- > 0;)
		sift_down(h, i);
}

static int
resize(struct message_heap *h, uint32_t cap)
{
	struct message	**p;

	if ((p = reallocarray(h->m, cap, sizeof(struct message *))) == NULL)
		return -1;
	h->m = p;
	h->cap = cap;
	return 0;
}

int
heap_reserve(struct message_heap *h, uint32_t n)
{
	uint32_t	cap = h->cap == 0 ? 64 : h->cap;

	if (n <= h->cap)
		return 0;
	while (cap < n)
		cap += cap / 2;
	return resize(h, cap);
}

int
heap_reserve_small(struct message_heap *h)
{
	if (h->n < h->cap) {
		/* a backlog that is gone */
		if (h->cap > 64 && h->n < h->cap / 4)
			(void)resize(h, h->cap / 2);
		return 0;
	}
	return resize(h, h->cap == 0 ? 2 : h->cap + (h->cap + 1) / 2);
}

void
heap_free(struct message_heap *h)
{
	free(h->m);
	h->m = NULL;
	h->n = h->cap = 0;
}
