/*
 * Digests: a start would have to read all segments, that is all the mail there
 * is. So for each segment that is full, a file log/digest-EPOCH holds what a
 * start takes from it: of each record its place and length, of a message the
 * envelope, of a state all, in the order of the log. Part of the log engine in
 * msad-queue; spool_batch.c adds what is durable, spool_recover.c reads.
 *
 * A digest is nothing but a shortcut. It is written once, when its segment is
 * left, is never flushed and never changed. It is used only when it is whole,
 * is for that epoch and spool, and ends where the table of segments, which is
 * flushed, says that the segment ends; else the segment is scanned and gets a
 * new one. So none can bring back or lose anything, whatever a crash leaves.
 *
 *	header	 0 magic        8 version     12 entries   16 epoch
 *		24 segment's end             28 octets of entries
 *		32 zero        56 CRC of the entries       60 of the header
 *	entry	 0 offset       4 length      8 id         16 key
 *		20 octets of data            24 octets of the content
 *		32 type        33 flags      34 zero       40 data, padded to 8
 *
 * Both CRCs are seeded like those of records.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

static const uint8_t	magic[8] = { 'm', 's', 'a', 'd', 'd', 'i', 'g', '\n' };

/* --- octets --- */

static uint32_t
digest_crc(const uint8_t *p, size_t n, uint64_t epoch, uint64_t key)
{
	uint8_t		place[8];

	le64_put(place, epoch ^ key);
	return crc32c(crc32c(0, place, sizeof(place)), p, n);
}

/* Make room for n octets more. */
static int
digest_room(struct digest *d, size_t n)
{
	uint8_t	*p;
	size_t	 want = d->len + n;

	if (want <= d->alloc)
		return 0;
	want += d->alloc / 2 + 4096;
	if ((p = realloc(d->p, want)) == NULL)
		return -1;
	d->p = p;
	d->alloc = want;
	return 0;
}

int
digest_add(struct digest *d, const struct record *r, const uint8_t *payload,
    uint32_t off)
{
	uint8_t		*p;
	uint32_t	 n = r->type == RECORD_MESSAGE ? r->envlen :
	    r->type == RECORD_STATE ? r->len : 0;
	size_t		 size = DIGEST_ENTRY + ROUND8((size_t)n);

	if (d->len == 0) {
		if (digest_room(d, DIGEST_HEADER) == -1)
			return -1;
		d->len = DIGEST_HEADER;
	}
	if (digest_room(d, size) == -1)
		return -1;
	p = d->p + d->len;
	memset(p, 0, DIGEST_ENTRY);
	memset(p + size - 8, 0, 8);
	le32_put(p, off);
	le32_put(p + 4, r->len);
	le64_put(p + 8, r->id);
	le32_put(p + 16, r->key);
	le32_put(p + 20, n);
	le64_put(p + 24, r->type == RECORD_MESSAGE ?
	    r->prefixlen + r->bodylen : 0);
	p[32] = r->type;
	p[33] = r->flags & RECORD_BODY_FILE ? 1 : 0;
	if (n > 0)
		memcpy(p + DIGEST_ENTRY, payload, n);
	d->len += size;
	d->count++;
	return 0;
}

size_t
digest_get(const uint8_t *p, size_t n, size_t at, struct digest_entry *e)
{
	size_t	size;

	if (at > n || n - at < DIGEST_ENTRY)
		return 0;
	p += at;
	e->off = le32_get(p);
	e->len = le32_get(p + 4);
	e->id = le64_get(p + 8);
	e->key = le32_get(p + 16);
	e->datalen = le32_get(p + 20);
	e->size = le64_get(p + 24);
	e->type = p[32];
	e->flags = p[33];
	e->data = p + DIGEST_ENTRY;
	if (e->len > RECORD_MAX || e->datalen > e->len ||
	    e->datalen > DIGEST_DATA_MAX || e->type < RECORD_MESSAGE ||
	    e->type > RECORD_REMOVE)
		return 0;
	size = DIGEST_ENTRY + ROUND8((size_t)e->datalen);
	return size > n - at ? 0 : size;
}

void
digest_seal(struct digest *d, uint64_t epoch, uint64_t key, uint32_t end)
{
	uint8_t	*p = d->p;

	memset(p, 0, DIGEST_HEADER);
	memcpy(p, magic, sizeof(magic));
	le32_put(p + 8, DIGEST_VERSION);
	le32_put(p + 12, d->count);
	le64_put(p + 16, epoch);
	le32_put(p + 24, end);
	le32_put(p + 28, (uint32_t)(d->len - DIGEST_HEADER));
	le32_put(p + 56, digest_crc(p + DIGEST_HEADER, d->len - DIGEST_HEADER,
	    epoch, key));
	le32_put(p + 60, digest_crc(p, 60, epoch, key));
}

/* Are the entries such that a segment with that end may have them? */
static int
entries_ok(const uint8_t *p, size_t n, uint32_t end)
{
	struct digest_entry	 e;
	size_t			 at, size;
	uint32_t		 next = SEGMENT_BLOCK + RECORD_HEADER;
	uint32_t		 count = 0;

	for (at = DIGEST_HEADER; at < n; at += size, count++) {
		if ((size = digest_get(p, n, at, &e)) == 0 || e.off < next ||
		    e.off % 8 != 0 || e.off > end ||
		    RECORD_SIZE(e.len) > end - e.off)
			return 0;
		next = e.off + (uint32_t)RECORD_SIZE(e.len);
	}
	return count == le32_get(p + 12);
}

int
digest_ok(const uint8_t *p, size_t n, uint64_t epoch, uint64_t key,
    uint32_t end)
{
	return n >= DIGEST_HEADER && memcmp(p, magic, sizeof(magic)) == 0 &&
	    le32_get(p + 60) == digest_crc(p, 60, epoch, key) &&
	    le32_get(p + 8) == DIGEST_VERSION &&
	    le64_get(p + 16) == epoch && le32_get(p + 24) == end &&
	    le32_get(p + 28) == n - DIGEST_HEADER &&
	    le32_get(p + 56) == digest_crc(p + DIGEST_HEADER,
	    n - DIGEST_HEADER, epoch, key) && entries_ok(p, n, end);
}

void
digest_free(struct digest *d)
{
	if (d != NULL)
		free(d->p);
	free(d);
}

/* --- files --- */

void
spool_digest_name(char *buf, size_t size, uint64_t epoch)
{
	snprintf(buf, size, "digest-%016" PRIx64, epoch);
}

void
spool_digest_note(struct segment *seg, const uint8_t *record, uint32_t off)
{
	struct record	 r;
	struct digest	*d;

	if (seg->no_digest)
		return;
	memset(&r, 0, sizeof(r));
	r.type = record[4];
	r.flags = (uint16_t)(record[6] | record[7] << 8);
	r.len = le32_get(record + 8);
	r.key = le32_get(record + 12);
	r.id = le64_get(record + 16);
	r.envlen = le32_get(record + 24);
	r.prefixlen = le32_get(record + 28);
	r.bodylen = le64_get(record + 32);
	if (seg->digest == NULL)
		seg->digest = calloc(1, sizeof(*seg->digest));
	if ((d = seg->digest) != NULL &&
	    digest_add(d, &r, record + RECORD_HEADER, off) == 0)
		return;
	digest_free(seg->digest);
	seg->digest = NULL;
	seg->no_digest = 1;
}

void
spool_digest_remove(struct spool *sp, uint64_t epoch)
{
	char	name[NAME_LEN];

	spool_digest_name(name, sizeof(name), epoch);
	sp->io->unlink(sp->io->ctx, sp->log, name);
}

static int
write_file(struct spool *sp, const char *name, const struct digest *d)
{
	struct spool_io	*io = sp->io;
	int		 fd, rv, error;

	fd = io->open(io->ctx, sp->log, name, SPOOL_O_WRITE | SPOOL_O_CREATE);
	if (fd == -1 && errno == EEXIST) {
		io->unlink(io->ctx, sp->log, name);
		fd = io->open(io->ctx, sp->log, name,
		    SPOOL_O_WRITE | SPOOL_O_CREATE);
	}
	if (fd == -1)
		return -1;
	rv = io->pwrite(io->ctx, fd, d->p, d->len, 0) == -1 ? -1 : 0;
	error = errno;
	io->close(io->ctx, fd);
	errno = error;
	return rv;
}

int
spool_digest_write(struct spool *sp, struct segment *seg)
{
	char	name[NAME_LEN], text[128];

	if (seg->digest == NULL || seg->no_digest || seg->damaged)
		return -1;
	digest_seal(seg->digest, seg->epoch, sp->key, seg->end);
	spool_digest_name(name, sizeof(name), seg->epoch);
	if (write_file(sp, name, seg->digest) == 0) {
		seg->digest->stored = 1;
		return 0;
	}
	snprintf(text, sizeof(text), "not written, the next start takes "
	    "longer: %s", strerror(errno));
	spool_trouble(sp, NAME_LOG, name, 0, text);
	spool_digest_remove(sp, seg->epoch);
	return -1;
}

void
spool_digest_leave(struct spool *sp, struct segment *seg)
{
	spool_digest_write(sp, seg);
	digest_free(seg->digest);
	seg->digest = NULL;
	seg->no_digest = 1;
	places_settle(seg);
}

size_t
spool_digest_read(struct spool *sp, const struct segment *seg, uint8_t **buf,
    size_t *alloc)
{
	struct spool_io	*io = sp->io;
	char		 name[NAME_LEN];
	uint64_t	 size = 0;
	uint8_t		*p;
	ssize_t		 n = -1;
	int		 fd;

	spool_digest_name(name, sizeof(name), seg->epoch);
	if ((fd = io->open(io->ctx, sp->log, name, SPOOL_O_READ)) == -1)
		return 0;
	if (io->size(io->ctx, fd, &size) == 0 && size >= DIGEST_HEADER &&
	    size <= 2 * (uint64_t)SEGMENT_MAX) {
		if (size > *alloc && (p = realloc(*buf, (size_t)size)) !=
		    NULL) {
			*buf = p;
			*alloc = (size_t)size;
		}
		if (size <= *alloc)
			n = io->pread(io->ctx, fd, *buf, (size_t)size, 0);
	}
	io->close(io->ctx, fd);
	if (n < 0 || (uint64_t)n != size ||
	    !digest_ok(*buf, (size_t)n, seg->epoch, sp->key, seg->end))
		return 0;
	return (size_t)n;
}
