/*
 * A heap of times and messages, for what happens to few of them: deadline.c
 * and report_wait.c. Runs in msad-queue. It holds ids, and those of messages
 * that have left the queue are thrown away when they come up, or all of them
 * when there is no more room: so it is never much larger than what there is.
 */
#include <stdlib.h>

#include "common/log.h"

#include "index.h"
#include "wakes.h"

#define ROOM_MIN	16

static void
sift_up(struct wakes *h, size_t i)
{
	struct wake	w = h->w[i];

	for (; i > 0 && w.when < h->w[(i - 1) / 2].when; i = (i - 1) / 2)
		h->w[i] = h->w[(i - 1) / 2];
	h->w[i] = w;
}

static void
sift_down(struct wakes *h, size_t i)
{
	struct wake	w = h->w[i];
	size_t		child;

	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n &&
		    h->w[child + 1].when < h->w[child].when)
			child++;
		if (h->w[child].when >= w.when)
			break;
		h->w[i] = h->w[child];
	}
	h->w[i] = w;
}

/* Throw away those whose message is gone. */
static void
sweep(struct wakes *h)
{
	size_t	i, n = 0;

	for (i = 0; i < h->n; i++)
		if (index_find(h->w[i].id) != NULL)
			h->w[n++] = h->w[i];
	h->n = n;
	for (i = n / 2; i-- > 0;)
		sift_down(h, i);
}

static void
make_room(struct wakes *h)
{
	struct wake	*w;

	if (h->n < h->cap)
		return;
	sweep(h);
	if (h->n < h->cap / 2)
		return;
	h->cap = h->cap == 0 ? ROOM_MIN : 2 * h->cap;
	if ((w = reallocarray(h->w, h->cap, sizeof(*w))) == NULL)
		fatal("event=wakes error=\"out of memory\"");
	h->w = w;
}

void
wakes_add(struct wakes *h, uint64_t id, uint32_t when)
{
	make_room(h);
	h->w[h->n] = (struct wake){ id, when };
	sift_up(h, h->n++);
}

uint64_t
wakes_take(struct wakes *h, uint32_t now)
{
	uint64_t	id;

	if (h->n == 0 || h->w[0].when > now)
		return 0;
	id = h->w[0].id;
	h->w[0] = h->w[--h->n];
	if (h->n > 0)
		sift_down(h, 0);
	return id;
}

void
wakes_move(struct wakes *h, int64_t step)
{
	int64_t	when;
	size_t	i;

	/* Bounded alike, so the order stays. */
	for (i = 0; i < h->n; i++) {
		when = (int64_t)h->w[i].when + step;
		h->w[i].when = when < 0 ? 0 : when > UINT32_MAX ? UINT32_MAX :
		    (uint32_t)when;
	}
}
