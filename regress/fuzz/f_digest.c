/* links: msad/queue/spool_*.c msad/queue/segment.c msad/queue/record.c */
/* links: msad/queue/flusher.c */
/*
 * Fuzz: the entries of a digest are arbitrary octets under a header that fits,
 * as only a spool made by somebody else can have it. What is believed must stay
 * within the segment.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/segment.h"
#include "msad/queue/spool_digest.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define END	(SEGMENT_MIN - SEGMENT_BLOCK)

static volatile uint8_t	sink;

static void
walk(const uint8_t *p, size_t n, int believed)
{
	struct digest_entry	e;
	size_t			at, size;
	uint32_t		i, last = SEGMENT_BLOCK;

	for (at = DIGEST_HEADER; (size = digest_get(p, n, at, &e)) > 0;
	    at += size) {
		for (i = 0; i < e.datalen; i++)
			sink ^= e.data[i];
		if (!believed)
			continue;
		if (e.off <= last || e.off + RECORD_SIZE(e.len) > END)
			abort();
		last = e.off;
	}
	if (believed && at != n)
		abort();
}

/* The number of entries as a reader counts them. */
static uint32_t
count(const uint8_t *p, size_t n)
{
	struct digest_entry	e;
	size_t			at, size;
	uint32_t		k = 0;

	for (at = DIGEST_HEADER; (size = digest_get(p, n, at, &e)) > 0;
	    at += size)
		k++;
	return k;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest	d;

	memset(&d, 0, sizeof(d));
	d.len = DIGEST_HEADER + size;
	if (size > 65536 || (d.p = malloc(d.len)) == NULL)
		return 0;
	if (size > 0)
		memcpy(d.p + DIGEST_HEADER, data, size);
	d.count = count(d.p, d.len);
	digest_seal(&d, 5, 77, END);
	walk(d.p, d.len, digest_ok(d.p, d.len, 5, 77, END));
	if (digest_ok(d.p, d.len, 6, 77, END) ||
	    digest_ok(d.p, d.len, 5, 78, END) ||
	    digest_ok(d.p, d.len, 5, 77, END - 8))
		abort();
	free(d.p);
	return 0;
}
