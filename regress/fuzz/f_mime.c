/*
 * MIME conversion: the first octet chooses a split, which must not matter, and
 * whether binary octets are allowed. What comes out is clean lines, and
 * passes a second time as it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mime.h"
#include "common/mime_field.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct result {
	char	*out;
	size_t	 len;
	int	 verdict;
	char	 section[4096];
	size_t	 nsection;
};

static void
drain(struct result *r, struct mime *m)
{
	struct slice	s = mime_out(m);

	if (s.len > 0 && !mime_top_known(m))
		abort();
	if ((r->out = realloc(r->out, r->len + s.len + 1)) == NULL)
		abort();
	memcpy(r->out + r->len, s.p, s.len);
	r->len += s.len;
	mime_use(m, s.len);
}

static void
convert(struct result *r, struct slice section, const char *p, size_t n,
    size_t piece, bool binary)
{
	struct mime	*m = mime_new(section, binary ? MIME_BINARY_IN :
	    MIME_ON);
	size_t		 k;

	if (m == NULL)
		abort();
	memset(r, 0, sizeof(*r));
	for (; n > 0 && r->verdict == 0; p += k, n -= k) {
		k = n < piece ? n : piece;
		r->verdict = mime_take(m, p, k);
		drain(r, m);
	}
	if (r->verdict == 0)
		r->verdict = mime_end(m);
	drain(r, m);
	memcpy(r->section, section.p, section.len);
	r->nsection = section.len;
	if (mime_top_changed(m))
		r->nsection = mime_strip_cte(r->section, section.len);
	n = strlen(mime_top_fields(m));
	memcpy(r->section + r->nsection, mime_top_fields(m), n);
	r->nsection += n;
	mime_free(m);
}

static void
check_clean(const struct result *r)
{
	size_t	i, line = 0;

	for (i = 0; i < r->len; i++) {
		if ((r->out[i] == '\n') !=
		    (i > 0 && r->out[i - 1] == '\r'))
			abort();
		if (r->out[i] == '\0' || ++line > 1000)
			abort();
		if (r->out[i] == '\n')
			line = 0;
	}
	if (r->len > 0 && r->out[r->len - 1] != '\n')
		abort();
}

/* Only CRLF, no NUL: what data.c lets through without BINARYMIME. */
static bool
is_text(const char *p, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (p[i] == '\0' || (p[i] == '\n') != (i > 0 &&
		    p[i - 1] == '\r') || (p[i] == '\r' && i + 1 == n))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result	 a, b;
	const char	*p = (const char *)data + 1, *blank;
	size_t		 n, skip;
	bool		 binary;

	if (size == 0 || (blank = memmem(p, size - 1, "\r\n\r\n", 4)) == NULL)
		return 0;
	skip = (size_t)(blank - p) + 2;
	if (skip > 2048)
		return 0;
	n = size - 1 - skip - 2;
	binary = (data[0] & 0x80) != 0;
	if (!binary && !is_text(blank + 4, n))
		return 0;
	convert(&a, SLICE(p, skip), blank + 4, n, n + 1, binary);
	convert(&b, SLICE(p, skip), blank + 4, n, (data[0] & 15) + 1u, binary);
	if (a.verdict != b.verdict || (a.verdict == 0 && (a.len != b.len ||
	    memcmp(a.out, b.out, a.len) != 0)))
		abort();
	free(b.out);
	if (a.verdict == 0) {
		check_clean(&a);
		convert(&b, SLICE(a.section, a.nsection), a.out, a.len,
		    a.len + 1, false);
		if (b.verdict != 0 || a.len != b.len ||
		    memcmp(a.out, b.out, a.len) != 0)
			abort();
		free(b.out);
	}
	free(a.out);
	return 0;
}
