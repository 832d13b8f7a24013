/*
 * Reading messages and states back, for the queue: from the log, verified
 * against their CRC, or from the message's own body file. Nothing is cached:
 * what was just written is in the page cache.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

/*
 * Read the record of that type and id at off of seg, size octets with its
 * header, into *mem (malloc'd); the payload is at *mem + RECORD_HEADER.
 */
enum spool_result
spool_read_record(struct spool *sp, struct segment *seg, uint32_t off,
    uint32_t size, uint8_t type, uint64_t id, uint8_t **mem, struct record *r)
{
	uint8_t	*p;
	int	 fd;

	*mem = NULL;
	if ((fd = segment_fd(sp, seg)) == -1 || (p = malloc(size)) == NULL)
		return SPOOL_IO;
	if (sp->io->pread(sp->io->ctx, fd, p, size, off) != (ssize_t)size) {
		free(p);
		spool_trouble_segment(sp, seg, off, "cannot be read");
		return SPOOL_IO;
	}
	if (record_parse(p, size, spool_seed(sp, seg), off, r) != RECORD_OK ||
	    r->type != type || r->id != id || RECORD_SIZE(r->len) != size ||
	    !record_payload_ok(r, p + RECORD_HEADER)) {
		free(p);
		spool_trouble_segment(sp, seg, off, "record damaged");
		return SPOOL_CORRUPT;
	}
	*mem = p;
	return SPOOL_OK;
}

/* Open the body file and see that it is all there. */
static enum spool_result
open_body(struct spool *sp, uint64_t id, struct spool_content *c)
{
	char		name[NAME_LEN];
	uint64_t	size;

	spool_body_name(name, sizeof(name), id);
	c->fd = sp->io->open(sp->io->ctx, sp->bodies, name, SPOOL_O_READ);
	if (c->fd == -1)
		return errno == ENOENT ? SPOOL_CORRUPT : SPOOL_IO;
	if (sp->io->size(sp->io->ctx, c->fd, &size) == -1)
		return SPOOL_IO;
	return size == c->bodylen ? SPOOL_OK : SPOOL_CORRUPT;
}

enum spool_result
spool_content_open(struct spool *sp, uint64_t id, struct spool_content *c)
{
	const struct object	*o = places_find(&sp->ix, id);
	struct record		 r;
	enum spool_result	 result;
	uint8_t			*mem;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->io = sp->io;
	if (!places_alive(o) || o->slot == 0)
		return SPOOL_NOENT;
	result = spool_read_record(sp, places_home(&sp->ix, o), o->off, o->size,
	    RECORD_MESSAGE, id, &mem, &r);
	if (result != SPOOL_OK)
		return result;
	c->mem = mem;
	c->env = mem + RECORD_HEADER;
	c->envlen = r.envlen;
	c->prefix = c->env + r.envlen;
	c->prefixlen = r.prefixlen;
	c->bodylen = r.bodylen;
	c->crc = r.bodycrc;
	if ((r.flags & RECORD_BODY_FILE) != 0)
		result = open_body(sp, id, c);
	else
		c->body = c->prefix + r.prefixlen;
	if (result != SPOOL_OK)
		spool_content_close(c);
	return result;
}

ssize_t
spool_content_read(const struct spool_content *c, uint64_t off, void *buf,
    size_t len)
{
	size_t	n;

	if (off < c->prefixlen) {
		n = c->prefixlen - (size_t)off;
		if (n > len)
			n = len;
		memcpy(buf, c->prefix + off, n);
		return (ssize_t)n;
	}
	off -= c->prefixlen;
	if (off >= c->bodylen)
		return 0;
	if (len > c->bodylen - off)
		len = (size_t)(c->bodylen - off);
	if (c->fd != -1)
		return c->io->pread(c->io->ctx, c->fd, buf, len, off);
	memcpy(buf, c->body + off, len);
	return (ssize_t)len;
}

enum spool_result
spool_content_verify(const struct spool_content *c)
{
	uint8_t		*buf;
	uint64_t	 off = 0;
	uint32_t	 crc = 0;
	ssize_t		 n;

	if (c->fd == -1)
		return SPOOL_OK;
	if ((buf = malloc(64 * 1024)) == NULL)
		return SPOOL_IO;
	while (off < c->bodylen && (n = c->io->pread(c->io->ctx, c->fd, buf,
	    64 * 1024, off)) > 0) {
		crc = crc32c(crc, buf, (size_t)n);
		off += (uint64_t)n;
	}
	free(buf);
	if (off < c->bodylen)
		return SPOOL_IO;
	return crc == c->crc ? SPOOL_OK : SPOOL_CORRUPT;
}

void
spool_content_close(struct spool_content *c)
{
	if (c->fd != -1)
		c->io->close(c->io->ctx, c->fd);
	free(c->mem);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **buf,
    size_t *len)
{
	const struct object	*o = places_find(&sp->ix, id);
	struct state		*st;
	struct record		 r;
	enum spool_result	 result;
	uint8_t			*mem;

	*buf = NULL;
	*len = 0;
	if (!places_alive(o) || (st = places_state(&sp->ix, o, key)) == NULL)
		return SPOOL_NOENT;
	result = spool_read_record(sp, places_segment(&sp->ix, st), st->off,
	    st->size, RECORD_STATE, id, &mem, &r);
	if (result != SPOOL_OK)
		return result;
	if (r.len > 0) {
		memmove(mem, mem + RECORD_HEADER, r.len);
		*buf = mem;
		*len = r.len;
	} else
		free(mem);
	return r.len == 0 && id < SPOOL_REGISTERS ? SPOOL_NOENT : SPOOL_OK;
}
