/*
 * The counters of all processes, from the pages that msad passes on.
 *
 * Runs in msad-control, called by control.c for CTL_STATS_PAGE and by
 * question.c. The pages are mapped read-only and are written by processes that
 * may be under an attacker's control: their content is numbers to be added up,
 * nothing more, and any value is survived. msad sealed the pages, so that none
 * can shrink below our feet.
 *
 * A page belongs to a place (role and slot) and outlives the processes in it,
 * so that a restart does not set counters back.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats.h"
#include "msad/control/stats.h"

/* More places than this msad never has. */
#define PAGES_MAX	1024

struct page {
	TAILQ_ENTRY(page)	 entry;
	enum ipc_role		 role;
	uint32_t		 slot;
	const volatile uint64_t	*counters;
};

static TAILQ_HEAD(, page)	 pages = TAILQ_HEAD_INITIALIZER(pages);
static unsigned int		 npages;
static uint64_t			 gone[STAT_MAX];	/* forgotten places */

static struct page *
page_find(enum ipc_role role, uint32_t slot)
{
	struct page	*p;

	TAILQ_FOREACH(p, &pages, entry)
		if (p->role == role && p->slot == slot)
			return p;
	return NULL;
}

static struct page *
page_new(enum ipc_role role, uint32_t slot)
{
	struct page	*p;

	if (npages == PAGES_MAX) {
		errno = ENOSPC;
		return NULL;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->role = role;
	p->slot = slot;
	TAILQ_INSERT_TAIL(&pages, p, entry);
	npages++;
	return p;
}

static void
page_free(struct page *p)
{
	TAILQ_REMOVE(&pages, p, entry);
	npages--;
	stats_unmap_other(p->counters);
	free(p);
}

int
pages_take(enum ipc_role role, uint32_t slot, int fd)
{
	const volatile uint64_t	*counters;
	struct page		*p;

	if ((counters = stats_map_other(fd)) == NULL)
		return -1;
	if ((p = page_find(role, slot)) == NULL &&
	    (p = page_new(role, slot)) == NULL) {
		stats_unmap_other(counters);
		return -1;
	}
	stats_unmap_other(p->counters);
	p->counters = counters;
	return 0;
}

void
pages_forget(enum ipc_role role, uint32_t slot)
{
	struct page	*p = page_find(role, slot);
	unsigned int	 i;

	if (p == NULL)
		return;
	for (i = 0; i < STAT_MAX; i++)
		if (!stats_is_gauge((enum counter)i))
			gone[i] += p->counters[i];
	page_free(p);
}

void
pages_sum(uint64_t *sums)
{
	struct page	*p;
	unsigned int	 i;

	memcpy(sums, gone, sizeof(gone));
	TAILQ_FOREACH(p, &pages, entry)
		for (i = 0; i < STAT_MAX; i++)
			sums[i] += p->counters[i];
	for (i = 0; i < STAT_MAX; i++)
		if (sums[i] > INT64_MAX)
			sums[i] = stats_is_gauge((enum counter)i) ? 0 :
			    INT64_MAX;
}
