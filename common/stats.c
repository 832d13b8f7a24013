/*
 * Counter pages (stats.h): made by msad, written by their process, read by
 * control.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "common/memfile.h"
#include "common/stats.h"

_Static_assert(STAT_MAX * sizeof(uint64_t) <= STATS_PAGE_SIZE,
    "the counters fit a page");

static uint64_t	 private_page[STATS_PAGE_SIZE / sizeof(uint64_t)];
uint64_t	*stats_page = private_page;

static const struct {
	const char	*name;
	int		 gauge;
} table[STAT_MAX] = {
#define X(name, text, gauge)	[STAT_##name] = { text, gauge },
	STATS_TABLE(X)
#undef X
};

const char *
stats_name(enum counter s)
{
	return table[s].name;
}

int
stats_is_gauge(enum counter s)
{
	return table[s].gauge;
}

int
stats_create(void)
{
	return memfile_sized("msad-stats", "/tmp", STATS_PAGE_SIZE);
}

static void *
map(int fd, int prot)
{
	struct stat	 st;
	void		*p;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (st.st_size != STATS_PAGE_SIZE) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, STATS_PAGE_SIZE, prot, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int
stats_map(int fd)
{
	uint64_t	*p;

	if ((p = map(fd, PROT_READ | PROT_WRITE)) == NULL)
		return -1;
	stats_page = p;
	return 0;
}

const volatile uint64_t *
stats_map_other(int fd)
{
	return map(fd, PROT_READ);
}

void
stats_unmap_other(const volatile uint64_t *p)
{
	if (p != NULL)
		munmap((void *)(uintptr_t)p, STATS_PAGE_SIZE);
}
