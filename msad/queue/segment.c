/*
 * Segments of the log spool: the header block, and the walk over the batches
 * that recovery makes. Pure functions over memory, in msad-queue; what they
 * read comes from the disk and may be anything.
 *
 * A segment is a header block and batches, each beginning on a block of 4096
 * octets so that no two batches share a page. A batch is a record of its own
 * that says how many octets and records follow and what was durable when it
 * was written: all before it, since one batch is under way at a time. So a bad
 * batch below an offset that a later one states is damage; the last bad one,
 * where nothing later exists, is what a crash tore, and never counted.
 */
#include <string.h>

#include "common/crc32c.h"
#include "msad/queue/segment.h"

static const uint8_t	magic[8] = { 'm', 's', 'a', 'd', 's', 'e', 'g', '\n' };

#define HEADER_LEN	64U

void
segment_encode(uint8_t *p, uint64_t epoch, uint64_t key, uint32_t size)
{
	memset(p, 0, SEGMENT_BLOCK);
	memcpy(p, magic, sizeof(magic));
	le32_put(p + 8, SEGMENT_VERSION);
	le32_put(p + 12, SEGMENT_BLOCK);
	le64_put(p + 16, epoch);
	le32_put(p + 24, size);
	le64_put(p + 32, key);
	le32_put(p + HEADER_LEN - 4, crc32c(0, p, HEADER_LEN - 4));
}

enum segment_verdict
segment_parse(const uint8_t *p, size_t n, uint64_t *epoch, uint64_t *key,
    uint32_t *size, uint32_t *version)
{
	if (n < HEADER_LEN || memcmp(p, magic, sizeof(magic)) != 0 ||
	    le32_get(p + HEADER_LEN - 4) != crc32c(0, p, HEADER_LEN - 4))
		return SEGMENT_BAD;
	*version = le32_get(p + 8);
	if (*version != SEGMENT_VERSION)
		return SEGMENT_FOREIGN;
	*epoch = le64_get(p + 16);
	*size = le32_get(p + 24);
	*key = le64_get(p + 32);
	if (le32_get(p + 12) != SEGMENT_BLOCK || *size < SEGMENT_MIN ||
	    *size > SEGMENT_MAX || *size % SEGMENT_BLOCK != 0)
		return SEGMENT_BAD;
	return SEGMENT_OK;
}

int
segment_table_get(const struct record *r, const uint8_t *payload, size_t i,
    uint64_t *epoch, uint64_t *end)
{
	if (i >= r->len / SEGMENT_TABLE_ENTRY)
		return 0;
	*epoch = le64_get(payload + i * SEGMENT_TABLE_ENTRY);
	*end = le64_get(payload + i * SEGMENT_TABLE_ENTRY + 8);
	return 1;
}

/* Is p the header of a batch that belongs at off and fits into n octets? */
static int
batch_header(const uint8_t *p, size_t n, uint64_t seed, uint64_t off,
    struct record *b)
{
	return record_parse(p, n, seed, off, b) == RECORD_OK &&
	    b->type == RECORD_BATCH && b->len <= n - RECORD_HEADER;
}

/* Is p a good record that belongs at off and fits into n octets? */
static int
record_ok(const uint8_t *p, size_t n, uint64_t seed, uint64_t off,
    struct record *r)
{
	return record_parse(p, n, seed, off, r) == RECORD_OK &&
	    r->type != RECORD_BATCH && RECORD_SIZE(r->len) <= n &&
	    record_payload_ok(r, p + RECORD_HEADER);
}

int
segment_batch_ok(const uint8_t *p, size_t n, uint64_t seed, uint64_t off,
    struct record *b)
{
	struct record	r;
	size_t		at, stop;
	uint32_t	count = 0;

	if (!batch_header(p, n, seed, off, b))
		return 0;
	stop = RECORD_HEADER + (size_t)b->len;
	for (at = RECORD_HEADER; at < stop; at += RECORD_SIZE(r.len)) {
		if (!record_ok(p + at, stop - at, seed, off + at, &r))
			return 0;
		count++;
	}
	return count == b->key;
}

static void
emit(struct segment_scan *s, const struct record *r, uint64_t off)
{
	s->records++;
	if (s->record != NULL)
		s->record(s->arg, r, s->p + off + RECORD_HEADER, off);
}

/* The batch was found good just now. */
static void
emit_batch(struct segment_scan *s, const struct record *b, uint64_t off)
{
	struct record	r;
	uint64_t	at = off + RECORD_HEADER, stop = at + b->len;

	for (; at < stop; at += RECORD_SIZE(r.len)) {
		if (record_parse(s->p + at, stop - at, s->seed, at, &r) !=
		    RECORD_OK)
			return;
		emit(s, &r, at);
	}
}

/*
 * What can be had of a damaged stretch: every record in it that is whole,
 * found by its header's CRC, which holds at this one place only.
 */
static void
salvage(struct segment_scan *s, uint64_t off, uint64_t stop)
{
	struct record	r;

	s->nbad++;
	if (s->bad != NULL)
		s->bad(s->arg, off, "batch damaged although it was durable");
	while (off < stop) {
		if (record_ok(s->p + off, stop - off, s->seed, off, &r)) {
			emit(s, &r, off);
			off += RECORD_SIZE(r.len);
			continue;
		}
		if (record_parse(s->p + off, stop - off, s->seed, off, &r) ==
		    RECORD_OK && r.type != RECORD_BATCH) {
			s->nbad++;
			if (s->bad != NULL)
				s->bad(s->arg, off, "record damaged: skipped");
		}
		off += 8;
	}
}

/*
 * The first batch behind off that states that what was written at off was
 * durable; 0 when there is none.
 */
static uint64_t
proof(const struct segment_scan *s, uint64_t off, uint64_t stop)
{
	struct record	b;
	uint64_t	at;

	for (at = off + SEGMENT_BLOCK; at < stop; at += SEGMENT_BLOCK)
		if (batch_header(s->p + at, stop - at, s->seed, at, &b) &&
		    b.id == s->epoch && b.bodylen > off && b.bodylen <= at)
			return at;
	return 0;
}

void
segment_scan(struct segment_scan *s)
{
	struct record	b;
	uint64_t	off = SEGMENT_BLOCK, stop, next;

	stop = s->end != 0 && s->end <= s->size ? s->end : s->size;
	s->seed = s->epoch ^ s->key;
	s->records = 0;
	s->last = 0;
	s->nbad = 0;
	s->torn = 0;
	while (off < stop) {
		if (segment_batch_ok(s->p + off, stop - off, s->seed, off,
		    &b)) {
			emit_batch(s, &b, off);
			s->last = off;
			off += BATCH_SIZE(b.len);
			continue;
		}
		if ((next = proof(s, off, stop)) == 0) {
			if (s->end == 0) {
				s->torn = batch_header(s->p + off,
				    s->size - off, s->seed, off, &b);
				break;
			}
			next = stop;
		}
		salvage(s, off, next);
		off = next;
	}
	s->tail = off;
}
