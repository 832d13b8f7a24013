/*
 * Memory for what is large in a session: its TLS object, and the buffers that
 * it needs for moments only (TLS records, handshakes, input, a part of a body
 * whose encoding is open). Part of the
 * front-end, its one thread.
 *
 * On the heap those would lie between the small things that stay as long as
 * their sessions, and a burst of clients would leave holes that are never
 * given back: twice the memory an idle session needs. Here each has a slot of
 * whole pages in an arena of address space. A few free slots keep their pages
 * for the next who asks; the pages of the others go back to the system.
 */

#include <sys/types.h>
#include <sys/mman.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/slots.h"

#define NSLOTS		32768	/* three for each of 10,000 sessions */
#define WARM_MAX	8	/* free slots that keep their pages */

#ifndef MAP_NORESERVE
#define MAP_NORESERVE	0
#endif

struct arena {
	size_t		 size;		/* of a slot */
	char		*begin;		/* NULL: not there */
	uint16_t	 warm[WARM_MAX];	/* free, with pages */
	uint16_t	 cold[NSLOTS];		/* free, without */
	size_t		 nwarm;
	size_t		 ncold;
	size_t		 nfresh;	/* slots from here on: never used */
	size_t		 nused;
};

static struct arena	 small = { .size = SLOT_SMALL };
static struct arena	 large = { .size = SLOT_LARGE };

static int
arena_init(struct arena *a)
{
	void	*p;

	p = mmap(NULL, NSLOTS * a->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	a->begin = p;
	return 0;
}

int
slots_init(void)
{
	return arena_init(&small) == -1 || arena_init(&large) == -1 ? -1 : 0;
}

static bool
is_in(const struct arena *a, const void *p)
{
	return a->begin != NULL && (uintptr_t)p >= (uintptr_t)a->begin &&
	    (uintptr_t)p < (uintptr_t)a->begin + NSLOTS * a->size;
}

/* The arena that p is of, or NULL: malloc's. */
static struct arena *
arena_of(const void *p)
{
	if (is_in(&large, p))
		return &large;
	return is_in(&small, p) ? &small : NULL;
}

static void *
take(struct arena *a, size_t n)
{
	size_t	i;

	if (a->begin == NULL)
		return malloc(n);
	if (a->nwarm > 0)
		i = a->warm[--a->nwarm];
	else if (a->ncold > 0)
		i = a->cold[--a->ncold];
	else if (a->nfresh < NSLOTS)
		i = a->nfresh++;
	else
		return malloc(n);
	a->nused++;
	return a->begin + i * a->size;
}

void *
slots_malloc(size_t n)
{
	if (n == 0)
		return NULL;
	if (n < SLOT_MIN || n > SLOT_LARGE)
		return malloc(n);
	return take(n <= SLOT_SMALL ? &small : &large, n);
}

void
slots_free(void *p)
{
	struct arena	*a = arena_of(p);
	size_t		 i;

	if (a == NULL) {
		free(p);
		return;
	}
	i = (size_t)((char *)p - a->begin) / a->size;
	a->nused--;
	if (a->nwarm < WARM_MAX)
		a->warm[a->nwarm++] = (uint16_t)i;
	else {
		/* Where it fails the pages stay: more memory, no harm. */
		madvise(p, a->size, MADV_DONTNEED);
		a->cold[a->ncold++] = (uint16_t)i;
	}
}

void *
slots_realloc(void *p, size_t n)
{
	struct arena	*a = arena_of(p);
	void		*q;

	if (n == 0) {
		slots_free(p);
		return NULL;
	}
	if (a == NULL)
		return p == NULL ? slots_malloc(n) : realloc(p, n);
	if (n <= a->size)
		return p;
	if ((q = slots_malloc(n)) == NULL)
		return NULL;
	memcpy(q, p, a->size);
	slots_free(p);
	return q;
}

size_t
slots_used(void)
{
	return small.nused + large.nused;
}
