/*
 * Records of the log spool: from and to octets. Pure functions, in msad-queue,
 * called by the batch writer, by recovery and by whoever reads back.
 *
 * A record is a header of 56 octets and a payload, padded to 8. The payload's
 * CRC32C stands in the header; the header's own is seeded with the segment's
 * epoch, a secret key of the spool, and the record's offset. So what an earlier
 * use of a recycled segment left behind, a copy at another place, or something
 * that a client wrote into a message never passes for a record.
 *
 *	 0 magic     4 type    5 version  6 flags     8 payload length
 *	12 key      16 id     24 envelope length     28 prefix length
 *	32 body length        40 body CRC 44 payload CRC  48 zero  52 header CRC
 *
 * What is parsed comes from the disk and is trusted no more than the network.
 */
#include "common/crc32c.h"
#include "msad/queue/record.h"

#define RECORD_MAGIC	0x31724c6dU

void
le32_put(uint8_t *p, uint32_t v)
{
	p[0] = v & 0xff;
	p[1] = (v >> 8) & 0xff;
	p[2] = (v >> 16) & 0xff;
	p[3] = (v >> 24) & 0xff;
}

void
le64_put(uint8_t *p, uint64_t v)
{
	le32_put(p, (uint32_t)v);
	le32_put(p + 4, (uint32_t)(v >> 32));
}

uint32_t
le32_get(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

uint64_t
le64_get(const uint8_t *p)
{
	return le32_get(p) | (uint64_t)le32_get(p + 4) << 32;
}

static uint32_t
header_crc(const uint8_t *p, uint64_t seed, uint64_t off)
{
	uint8_t		place[16];

	le64_put(place, seed);
	le64_put(place + 8, off);
	return crc32c(crc32c(0, place, sizeof(place)), p, RECORD_HEADER - 4);
}

void
record_encode(uint8_t *p, const struct record *r)
{
	le32_put(p, RECORD_MAGIC);
	p[4] = r->type;
	p[5] = RECORD_VERSION;
	p[6] = r->flags & 0xff;
	p[7] = r->flags >> 8;
	le32_put(p + 8, r->len);
	le32_put(p + 12, r->key);
	le64_put(p + 16, r->id);
	le32_put(p + 24, r->envlen);
	le32_put(p + 28, r->prefixlen);
	le64_put(p + 32, r->bodylen);
	le32_put(p + 40, r->bodycrc);
	le32_put(p + 44, r->crc);
	le32_put(p + 48, 0);
	le32_put(p + 52, 0);
}

void
record_seal(uint8_t *p, uint64_t seed, uint64_t off)
{
	le32_put(p + 52, header_crc(p, seed, off));
}

/* Do the lengths agree with each other and with what such a record may be? */
static int
lengths_ok(const struct record *r)
{
	uint64_t	inner;

	if (r->type == RECORD_BATCH)
		return 1;
	if (r->len > RECORD_MAX)
		return 0;
	if (r->type != RECORD_MESSAGE)
		return r->type != RECORD_REMOVE || r->len == 0;
	inner = (uint64_t)r->envlen + r->prefixlen;
	if ((r->flags & RECORD_BODY_FILE) != 0)
		return inner == r->len;
	return inner <= r->len && r->len - inner == r->bodylen;
}

enum record_verdict
record_parse(const uint8_t *p, size_t n, uint64_t seed, uint64_t off,
    struct record *r)
{
	if (n < RECORD_HEADER || le32_get(p) != RECORD_MAGIC ||
	    le32_get(p + 52) != header_crc(p, seed, off))
		return RECORD_NONE;
	if (p[5] != RECORD_VERSION)
		return RECORD_FOREIGN;
	r->type = p[4];
	r->flags = (uint16_t)(p[6] | p[7] << 8);
	r->len = le32_get(p + 8);
	r->key = le32_get(p + 12);
	r->id = le64_get(p + 16);
	r->envlen = le32_get(p + 24);
	r->prefixlen = le32_get(p + 28);
	r->bodylen = le64_get(p + 32);
	r->bodycrc = le32_get(p + 40);
	r->crc = le32_get(p + 44);
	if (r->type < RECORD_BATCH || r->type > RECORD_TABLE || !lengths_ok(r))
		return RECORD_NONE;
	return RECORD_OK;
}

int
record_payload_ok(const struct record *r, const uint8_t *payload)
{
	return crc32c(0, payload, r->len) == r->crc;
}
