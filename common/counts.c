/*
 * Connections counted over all front-end workers (counts.h). msad makes the
 * file and takes the counts of a dead worker back; front-ends count and look.
 *
 * Every worker writes its own row only, with plain atomic stores. A connection
 * is counted first and then compared, so that two workers that accept at the
 * same moment cannot both pass the last free place. What stands in the file is
 * a number and nothing else: a front-end that writes nonsense spoils the
 * counting, and reaches no memory of others.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "common/counts.h"
#include "common/memfile.h"

#define HASHES	2

struct row {
	_Atomic uint16_t	 cells[HASHES][COUNTS_CELLS];
};

/* Rows of workers that have not been there are never touched. */
struct file {
	uint64_t		 key[4];	/* of the hash; random */
	_Atomic uint32_t	 used[COUNTS_WORKERS];
	_Atomic uint32_t	 total[COUNTS_WORKERS];
	struct row		 rows[COUNTS_WORKERS];
};

struct counts {
	struct file	*file;
	struct row	*own;
	uint32_t	 slot;
	uint64_t	 key[4];
};

int
counts_create(void)
{
	uint64_t	 key[4];
	int		 fd;

	if ((fd = memfile_sized("msad-counts", "/tmp",
	    sizeof(struct file))) == -1)
		return -1;
	arc4random_buf(key, sizeof(key));
	if (pwrite(fd, key, sizeof(key), 0) != sizeof(key)) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct file *
file_map(int fd)
{
	struct stat	 st;
	void		*p;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (st.st_size != (off_t)sizeof(struct file)) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

void
counts_clear(int fd, uint32_t slot)
{
	struct file	*file;

	if (slot >= COUNTS_WORKERS || (file = file_map(fd)) == NULL)
		return;
	if (atomic_load(&file->used[slot]) != 0)
		memset(&file->rows[slot], 0, sizeof(struct row));
	atomic_store(&file->total[slot], 0);
	munmap(file, sizeof(*file));
}

struct counts *
counts_map(int fd, uint32_t slot)
{
	struct counts	*c;

	if (slot >= COUNTS_WORKERS) {
		errno = EINVAL;
		return NULL;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	if ((c->file = file_map(fd)) == NULL) {
		free(c);
		return NULL;
	}
	c->slot = slot;
	c->own = &c->file->rows[slot];
	memcpy(c->key, c->file->key, sizeof(c->key));
	atomic_store(&c->file->used[slot], 1);
	return c;
}

void
counts_unmap(struct counts *c)
{
	if (c == NULL)
		return;
	munmap(c->file, sizeof(*c->file));
	free(c);
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 29);
}

/* The cell of a network, for one of the hashes. */
static unsigned int
cell(const struct counts *c, unsigned int hash, const struct network *n)
{
	uint64_t	v[2], h = c->key[hash * 2];

	memcpy(v, n->addr, sizeof(v));
	h = mix(h, v[0]);
	h = mix(h ^ c->key[hash * 2 + 1], v[1]);
	h = mix(h, (uint64_t)n->family << 8 | n->prefix);
	return (unsigned int)(h % COUNTS_CELLS);
}

uint32_t
counts_total(const struct counts *c)
{
	uint32_t	i, sum = 0;

	for (i = 0; i < COUNTS_WORKERS; i++)
		sum += atomic_load(&c->file->total[i]);
	return sum;
}

uint32_t
counts_of(const struct counts *c, const struct network *n)
{
	uint32_t	hash, i, sum, least = UINT32_MAX;
	unsigned int	at;

	for (hash = 0; hash < HASHES; hash++) {
		at = cell(c, hash, n);
		for (i = sum = 0; i < COUNTS_WORKERS; i++)
			if (atomic_load(&c->file->used[i]) != 0)
				sum += atomic_load(
				    &c->file->rows[i].cells[hash][at]);
		if (sum < least)
			least = sum;
	}
	return least;
}

/* The own row is written by this process alone: load and store will do. */
static void
add(struct counts *c, const struct network *n, int by)
{
	_Atomic uint16_t	*p;
	unsigned int		 hash;

	for (hash = 0; hash < HASHES; hash++) {
		p = &c->own->cells[hash][cell(c, hash, n)];
		atomic_store(p, (uint16_t)(atomic_load(p) + by));
	}
}

static void
add_all(struct counts *c, const struct network *address,
    const struct network *network, int by)
{
	_Atomic uint32_t	*total = &c->file->total[c->slot];

	atomic_store(total, atomic_load(total) + (uint32_t)by);
	add(c, address, by);
	add(c, network, by);
}

bool
counts_enter(struct counts *c, const struct network *address,
    const struct network *network, const struct counts_max *max)
{
	add_all(c, address, network, 1);
	if ((max->total == 0 || counts_total(c) <= max->total) &&
	    (max->address == 0 || counts_of(c, address) <= max->address) &&
	    (max->network == 0 || counts_of(c, network) <= max->network))
		return true;
	add_all(c, address, network, -1);
	return false;
}

void
counts_leave(struct counts *c, const struct network *address,
    const struct network *network)
{
	add_all(c, address, network, -1);
}
