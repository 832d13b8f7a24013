/* links: msad/queue/history_record.c msad/queue/blob.c */
/*
 * Fuzz: what is found in the spool as the history of a message. What is read is
 * written back alike, and one more event always fits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/history_record.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char		long_text[1000];
	struct history_record	r;
	struct history_event	e = { 1, 2, SLICE_STR("deferred"),
		SLICE(long_text, sizeof(long_text)),
		SLICE(long_text, sizeof(long_text)) };
	uint8_t			buf[HISTORY_RECORD_MAX];
	size_t			len;

	memset(long_text, 'x', sizeof(long_text));
	if (history_record_decode(data, n, &r) == -1)
		return 0;
	if (history_record_encode(&r, buf) != n || memcmp(buf, data, n) != 0)
		abort();
	history_record_add(&r, &e);
	len = history_record_encode(&r, buf);
	if (len > sizeof(buf) || history_record_decode(buf, len, &r) == -1 ||
	    r.n == 0 || r.events[r.n - 1].text.len != HISTORY_TEXT_MAX)
		abort();
	return 0;
}
