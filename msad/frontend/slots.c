/*
 * Memory for the large buffers that sessions need for moments only: TLS
 * records, handshakes, input. Part of the front-end, its one thread.
 *
 * On the heap they would lie between the small things that stay as long as
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
#define WARM_MAX	64	/* free slots that keep their pages */

#ifndef MAP_NORESERVE
#define MAP_NORESERVE	0
#endif

static char	*arena;
static uint16_t	 warm[WARM_MAX], cold[NSLOTS];
static size_t	 nwarm, ncold, nfresh, nused;

int
slots_init(void)
{
	void	*p;

	p = mmap(NULL, (size_t)NSLOTS * SLOT_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -1;
	arena = p;
	return 0;
}

static bool
in_arena(const void *p)
{
	return arena != NULL && (uintptr_t)p >= (uintptr_t)arena &&
	    (uintptr_t)p < (uintptr_t)arena + (size_t)NSLOTS * SLOT_SIZE;
}

void *
slots_malloc(size_t n)
{
	size_t	i;

	if (n == 0)
		return NULL;
	if (n < SLOT_MIN || n > SLOT_SIZE || arena == NULL)
		return malloc(n);
	if (nwarm > 0)
		i = warm[--nwarm];
	else if (ncold > 0)
		i = cold[--ncold];
	else if (nfresh < NSLOTS)
		i = nfresh++;
	else
		return malloc(n);
	nused++;
	return arena + i * SLOT_SIZE;
}

void
slots_free(void *p)
{
	size_t	i;

	if (!in_arena(p)) {
		free(p);
		return;
	}
	i = (size_t)((char *)p - arena) / SLOT_SIZE;
	nused--;
	if (nwarm < WARM_MAX) {
		warm[nwarm++] = (uint16_t)i;
		return;
	}
	/* A place is taken even where the system keeps the pages. */
	(void)madvise(p, SLOT_SIZE, MADV_DONTNEED);
	cold[ncold++] = (uint16_t)i;
}

void *
slots_realloc(void *p, size_t n)
{
	void	*q;

	if (n == 0) {
		slots_free(p);
		return NULL;
	}
	if (!in_arena(p))
		return p == NULL ? slots_malloc(n) : realloc(p, n);
	if (n <= SLOT_SIZE)
		return p;
	if ((q = malloc(n)) == NULL)
		return NULL;
	memcpy(q, p, SLOT_SIZE);
	slots_free(p);
	return q;
}

size_t
slots_used(void)
{
	return nused;
}
