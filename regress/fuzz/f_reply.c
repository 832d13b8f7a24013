/* links: msad/relay/reply_parser.c */
/*
 * Replies of a hostile next hop. The first octet chooses the size of the
 * pieces; the result must not depend on it, and the bounds must hold.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/relay/reply_parser.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum reply_status
feed(struct reply *r, const char *p, size_t len, size_t piece, size_t *end)
{
	enum reply_status	 st = REPLY_MORE;
	size_t			 n, used;

	for (*end = 0; *end < len && st == REPLY_MORE; *end += used) {
		n = len - *end < piece ? len - *end : piece;
		st = reply_feed(r, p + *end, n, &used);
		if (st == REPLY_BROKEN)
			return st;
		if (used > n || (st == REPLY_MORE && used != n))
			abort();
	}
	return st;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply		 a, b;
	enum reply_status	 sa, sb;
	const char		*line;
	char			 text[64], enhanced[12];
	size_t			 ea, eb, len;

	if (size < 1)
		return 0;
	reply_init(&a);
	reply_init(&b);
	sa = feed(&a, (const char *)data + 1, size - 1, size, &ea);
	sb = feed(&b, (const char *)data + 1, size - 1, data[0] + 1U, &eb);
	if (sa != sb || a.size > REPLY_MAX || b.size > REPLY_MAX)
		abort();
	if (sa == REPLY_DONE) {
		if (ea != eb || a.code != b.code || a.len != b.len ||
		    memcmp(a.text, b.text, a.len) != 0)
			abort();
		if (a.code < 200 || a.code > 599 || memchr(a.text, 0, a.len))
			abort();
		reply_text(&a, text, sizeof(text));
		reply_enhanced(&a, enhanced, sizeof(enhanced));
		if (reply_line(&a, a.nlines - 1, &line, &len) == -1)
			abort();
	}
	reply_free(&a);
	reply_free(&b);
	return 0;
}
