/*
 * Where the octets of a message are while it arrives: in memory, in a place of
 * the scratch file, or in its body file. Part of the log engine in msad-queue;
 * spool_message.c calls it.
 *
 * A message that may still become one record is gathered in memory. All of
 * them together have gather_max for that; beyond it what is gathered goes to
 * the scratch file, a file without a name that is never flushed, from where it
 * is read again at commit: many messages at once cost no file each. One that is
 * too big for a record, or is known to become so, goes to its body file as it
 * comes. A message that is in a file keeps less than GATHER_LEAST in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

#define GATHER_LEAST	4096U		/* octets in memory beyond gather_max */
#define COPY_SIZE	16384U		/* from scratch to body file at once */

/* --- memory --- */

static void
gather_drop(struct spool_message *m)
{
	m->sp->gathered -= m->alloc;
	free(m->buf);
	m->buf = NULL;
	m->len = m->alloc = 0;
}

/* Make room for n octets more in memory. */
static int
gather_room(struct spool_message *m, size_t n)
{
	uint8_t	*buf;
	size_t	 want = m->len + n;

	if (want <= m->alloc)
		return 0;
	if (m->fd == -1 && want < 2 * m->alloc)
		want = 2 * m->alloc;
	if (want < GATHER_LEAST)
		want = GATHER_LEAST;
	if ((buf = realloc(m->buf, want)) == NULL)
		return -1;
	m->sp->gathered += want - m->alloc;
	m->buf = buf;
	m->alloc = want;
	return 0;
}

static int
gather(struct spool_message *m, const uint8_t *p, size_t n)
{
	if (gather_room(m, n) == -1)
		return -1;
	memcpy(m->buf + m->len, p, n);
	m->len += n;
	m->size += n;
	return 0;
}

/* --- the scratch file --- */

/* Open it; it loses its name at once. */
static int
scratch_open(struct spool *sp)
{
	struct spool_io	*io = sp->io;

	if (sp->scratch != -1)
		return 0;
	if (io->unlink(io->ctx, sp->dir, NAME_SCRATCH) == -1 &&
	    errno != ENOENT)
		return -1;
	sp->scratch = io->open(io->ctx, sp->dir, NAME_SCRATCH,
	    SPOOL_O_WRITE | SPOOL_O_CREATE);
	if (sp->scratch == -1)
		return -1;
	return io->unlink(io->ctx, sp->dir, NAME_SCRATCH);
}

/* Give m a place of inline_max octets in it. */
static int
place_take(struct spool_message *m)
{
	struct spool	*sp = m->sp;
	uint32_t	*idle;

	if (m->place != 0)
		return 0;
	if (scratch_open(sp) == -1)
		return -1;
	if (sp->nidle == 0) {
		/* There is room to give every place back. */
		idle = reallocarray(sp->idle, sp->nplaces + 1, sizeof(*idle));
		if (idle == NULL)
			return -1;
		sp->idle = idle;
		sp->idle[sp->nidle++] = ++sp->nplaces;
	}
	m->place = sp->idle[--sp->nidle];
	return 0;
}

static void
place_drop(struct spool_message *m)
{
	if (m->place != 0)
		m->sp->idle[m->sp->nidle++] = m->place;
	m->place = 0;
}

static uint64_t
place_offset(const struct spool_message *m)
{
	return (uint64_t)(m->place - 1) * m->sp->cfg.inline_max;
}

static int
place_read(const struct spool_message *m, uint64_t off, void *p, size_t n)
{
	struct spool	*sp = m->sp;
	ssize_t		 r;

	r = sp->io->pread(sp->io->ctx, sp->scratch, p, n,
	    place_offset(m) + off);
	if (r == (ssize_t)n)
		return 0;
	if (r != -1)
		errno = EIO;
	return -1;
}

/* --- what is out of memory --- */

/* Write n octets behind those that are in a file already. */
static int
store(struct spool_message *m, const uint8_t *p, size_t n)
{
	struct spool	*sp = m->sp;

	if (n == 0)
		return 0;
	if (m->fd == -1)
		return sp->io->pwrite(sp->io->ctx, sp->scratch, p, n,
		    place_offset(m) + m->stored) == -1 ? -1 : 0;
	if (sp->io->pwrite(sp->io->ctx, m->fd, p, n, m->stored) == -1)
		return -1;
	m->crc = crc32c(m->crc, p, n);
	return 0;
}

/* Write what is gathered; its memory goes. */
static int
store_gathered(struct spool_message *m)
{
	if (store(m, m->buf, m->len) == -1)
		return -1;
	m->stored += m->len;
	gather_drop(m);
	return 0;
}

/* The same with n octets behind it, or gather them when they are few. */
static int
store_or_gather(struct spool_message *m, const uint8_t *p, size_t n)
{
	if (m->len + n < GATHER_LEAST)
		return gather(m, p, n);
	if (store_gathered(m) == -1)
		return -1;
	if (n < GATHER_LEAST)
		return gather(m, p, n);
	if (store(m, p, n) == -1)
		return -1;
	m->stored += n;
	m->size += n;
	return 0;
}

/* What is in the scratch file goes to the body file. */
static int
place_move(struct spool_message *m)
{
	uint64_t	 left = m->stored, off = 0;
	uint8_t		*p;
	size_t		 n;
	int		 rv = 0;

	if (m->place == 0)
		return 0;
	if ((p = malloc(COPY_SIZE)) == NULL)
		return -1;
	m->stored = 0;
	for (; left > 0 && rv == 0; left -= n, off += n) {
		n = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		rv = place_read(m, off, p, n) == -1 ? -1 : store(m, p, n);
		m->stored += n;
	}
	free(p);
	place_drop(m);
	return rv;
}

static int
body_begin(struct spool_message *m)
{
	struct spool	*sp = m->sp;
	char		 name[NAME_LEN];

	if (m->fd != -1)
		return 0;
	spool_body_name(name, sizeof(name), m->id);
	m->fd = sp->io->open(sp->io->ctx, sp->bodies, name,
	    SPOOL_O_WRITE | SPOOL_O_CREATE);
	if (m->fd == -1 || place_move(m) == -1)
		return -1;
	return store_gathered(m);
}

int
spool_gather_add(struct spool_message *m, const uint8_t *p, size_t n)
{
	const struct spool_config	*cfg = &m->sp->cfg;

	if (m->fd != -1 || (m->flags & SPOOL_MESSAGE_LARGE) != 0 ||
	    m->size + n > cfg->inline_max)
		return body_begin(m) == -1 ? -1 : store_or_gather(m, p, n);
	if (m->place == 0 && (m->sp->gathered <= cfg->gather_max ||
	    m->len + n <= GATHER_LEAST))
		return gather(m, p, n);
	return place_take(m) == -1 ? -1 : store_or_gather(m, p, n);
}

int
spool_gather_end(struct spool_message *m)
{
	uint8_t	*p;

	if (m->fd != -1)
		return store_gathered(m);
	if (m->place == 0)
		return 0;
	if ((p = malloc(m->size)) == NULL)
		return -1;
	if (place_read(m, 0, p, m->stored) == -1) {
		free(p);
		return -1;
	}
	if (m->len > 0)
		memcpy(p + m->stored, m->buf, m->len);
	gather_drop(m);
	place_drop(m);
	m->buf = p;
	m->len = m->alloc = m->size;
	m->sp->gathered += m->alloc;
	m->stored = 0;
	return 0;
}

void
spool_gather_drop(struct spool_message *m)
{
	gather_drop(m);
	place_drop(m);
}
