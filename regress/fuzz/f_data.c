/* links: msad/frontend/data.c */
/*
 * The octets behind 354, and the same octets in chunks of BDAT: the first octet
 * chooses a split, which must not matter; what is found without fault has clean
 * lines. The end of the one is where a search for CRLF.CRLF finds it; the other
 * takes every octet as it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/data.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct result {
	struct data	 d;
	char		*text;
	size_t		 len;
	size_t		 used;
};

static void
feed(struct result *r, const char *p, size_t n, size_t piece)
{
	struct data_run	run;
	size_t		i, used;

	memset(r, 0, sizeof(*r));
	if ((r->text = malloc(n + 1)) == NULL)
		abort();
	while (r->used < n && r->d.state != DATA_END) {
		used = data_decode(&r->d, SLICE(p + r->used,
		    n - r->used < piece ? n - r->used : piece), &run);
		if (used == 0 || used > n - r->used)
			abort();
		for (i = 0; i < run.n; i++) {
			memcpy(r->text + r->len, run.slices[i].p,
			    run.slices[i].len);
			r->len += run.slices[i].len;
		}
		r->used += used;
	}
	if (r->len != r->d.size || r->len > n)
		abort();
}

static void
check_end(const struct result *r, const char *p, size_t n)
{
	const char	*end = memmem(p, n, "\r\n.\r\n", 5);
	size_t		 want = end == NULL ? 0 : (size_t)(end - p) + 5;

	if (n >= 3 && memcmp(p, ".\r\n", 3) == 0)
		want = 3;
	if ((r->d.state == DATA_END) != (want != 0) ||
	    (want != 0 && r->used != want))
		abort();
}

static void
check_clean(const struct result *r)
{
	size_t	i;

	if (r->d.faults != 0 || r->d.state != DATA_END)
		return;
	for (i = 0; i < r->len; i++) {
		if (r->text[i] == '\0' ||
		    (r->text[i] == '\n') != (i > 0 && r->text[i - 1] == '\r'))
			abort();
	}
	if (r->len > 0 && r->text[r->len - 1] != '\n')
		abort();
}

/* Octets of BDAT in pieces; all of each is taken and nothing is changed. */
static bool
feed_chunks(struct data *d, const char *p, size_t n, size_t piece)
{
	struct data_run	run;
	size_t		i, off, k, at;

	memset(d, 0, sizeof(*d));
	for (off = 0; off < n; off += k) {
		k = n - off < piece ? n - off : piece;
		data_chunk(d, SLICE(p + off, k), &run);
		for (i = 0, at = off; i < run.n; at += run.slices[i++].len)
			if (run.slices[i].len > off + k - at ||
			    memcmp(run.slices[i].p, p + at,
			    run.slices[i].len) != 0)
				abort();
		if (at != off + k || run.octets != k || d->state == DATA_END)
			abort();
	}
	if (d->size != n)
		abort();
	return data_chunk_end(d);
}

/* The faults as a plain look at all octets at once finds them. */
static unsigned int
chunk_faults(const char *p, size_t n)
{
	unsigned int	faults = 0;
	size_t		i, line = 0;

	for (i = 0; i < n; i++) {
		if (p[i] == '\0')
			faults |= DATA_NUL;
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			faults |= DATA_BARE_LF;
		if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
			faults |= DATA_BARE_CR;
		if (p[i] == '\n' && i > 0 && p[i - 1] == '\r')
			line = 0;
		else if (p[i] != '\r' || (i + 1 < n && p[i + 1] != '\n'))
			line++;		/* not a CR that may be the end's */
		if (line > DATA_LINE_MAX)
			faults |= DATA_LONG;
	}
	return faults;
}

static void
chunks(const char *p, size_t n, size_t piece)
{
	struct data	 a, b;
	bool		 open, again;

	open = feed_chunks(&a, p, n, n + 1);
	again = feed_chunks(&b, p, n, piece);
	if (open != again || a.faults != b.faults || a.state != DATA_END ||
	    b.state != DATA_END || a.line != b.line)
		abort();
	if ((a.faults & ~DATA_STOP) != chunk_faults(p, n))
		abort();
	if (!open && n > 0 && p[n - 1] != '\n')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result	 a, b;
	const char	*p = (const char *)data + 1;
	size_t		 n = size - 1;

	if (size == 0)
		return 0;
	feed(&a, p, n, n + 1);
	feed(&b, p, n, (size_t)data[0] % 16 + 1);
	if (a.len != b.len || a.used != b.used || a.d.state != b.d.state ||
	    a.d.faults != b.d.faults || a.d.line != b.d.line ||
	    memcmp(a.text, b.text, a.len) != 0)
		abort();
	check_end(&a, p, n);
	check_clean(&a);
	chunks(p, n, (size_t)data[0] % 16 + 1);
	free(a.text);
	free(b.text);
	return 0;
}
