/* links: msad/frontend/data.c */
/*
 * The octets behind 354: the first octet chooses a split, which must not
 * matter; what is found without fault has clean lines, and the end is where a
 * search for CRLF.CRLF finds it.
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
	free(a.text);
	free(b.text);
	return 0;
}
