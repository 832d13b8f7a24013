/* links: msad/queue/record.c msad/queue/segment.c */
/*
 * Fuzz: a spool segment of arbitrary octets is walked as recovery does. So
 * that the input gets past the CRCs, the first octet says how many of the
 * headers found at its offsets are sealed before.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/segment.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define SIZE	SEGMENT_MIN

static volatile uint8_t	sink;

static void
on_record(void *arg, const struct record *r, const uint8_t *p, uint64_t off)
{
	uint64_t	epoch, end;
	size_t		i;

	(void)arg;
	if (off + RECORD_HEADER + r->len > SIZE)
		abort();
	if (r->len > 0)
		sink ^= (uint8_t)(p[0] ^ p[r->len - 1]);
	if (r->type == RECORD_MESSAGE &&
	    (uint64_t)r->envlen + r->prefixlen > r->len)
		abort();
	if (r->type == RECORD_TABLE)
		for (i = 0; segment_table_get(r, p, i, &epoch, &end); i++)
			sink ^= (uint8_t)(epoch ^ end);
}

/* Make n headers good: batch and first records, where their lengths lead. */
static void
seal(uint8_t *p, unsigned int n)
{
	struct record	r;
	size_t		off = SEGMENT_BLOCK, len;

	for (; n > 0 && off + RECORD_HEADER < SIZE; n--) {
		le32_put(p + off, 0x31724c6dU);
		p[off + 5] = RECORD_VERSION;
		len = le32_get(p + off + 8);
		if (len <= SIZE - off - RECORD_HEADER)
			le32_put(p + off + 44, crc32c(0, p + off +
			    RECORD_HEADER, len));
		record_seal(p + off, 3, off);
		if (record_parse(p + off, SIZE - off, 3, off, &r) == RECORD_OK
		    && r.type != RECORD_BATCH && r.len < SIZE)
			off += RECORD_SIZE(r.len);
		else
			off += RECORD_HEADER;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct segment_scan	s = { .epoch = 3, .record = on_record };
	uint64_t		epoch, key;
	uint32_t		size, version;
	uint8_t			*p;

	if (n < 2)
		return 0;
	if ((p = calloc(1, SIZE)) == NULL)
		return 0;
	if (n - 2 > SIZE - SEGMENT_BLOCK)
		n = SIZE - SEGMENT_BLOCK + 2;
	memcpy(p + SEGMENT_BLOCK, data + 2, n - 2);
	memcpy(p, data + 2, n - 2 < SEGMENT_BLOCK ? n - 2 : SEGMENT_BLOCK);
	(void)segment_parse(p, SIZE, &epoch, &key, &size, &version);
	seal(p, data[0] % 16);
	s.p = p;
	s.size = SIZE;
	s.end = (uint64_t)(data[1] % 17) * SEGMENT_BLOCK;
	segment_scan(&s);
	if (s.tail > SIZE || s.last > s.tail)
		abort();
	free(p);
	return 0;
}
