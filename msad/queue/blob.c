/*
 * Numbers and strings in the blobs of the spool: envelopes, states, what
 * operators ordered, histories. Used by msad-queue, and by msactl to show them.
 * What is read back is checked like anything else that comes from outside: the
 * disk may have been somebody else's. Pure.
 */
#include <string.h>

#include "common/log.h"

#include "blob.h"

static void
need(const struct blob_writer *w, size_t n)
{
	if (n > w->size - w->len)
		fatal("event=record error=\"it does not fit\"");
}

void
blob_put(struct blob_writer *w, uint64_t v, size_t n)
{
	need(w, n);
	while (n-- > 0)
		w->p[w->len++] = (uint8_t)(v >> 8 * n);
}

void
blob_put_str(struct blob_writer *w, struct slice s)
{
	blob_put(w, s.len, 2);
	need(w, s.len);
	if (s.len > 0)
		memcpy(w->p + w->len, s.p, s.len);
	w->len += s.len;
}

uint64_t
blob_get(struct blob_reader *r, size_t n)
{
	uint64_t	v = 0;

	if (r->bad || r->left < n) {
		r->bad = 1;
		return 0;
	}
	r->left -= n;
	while (n-- > 0)
		v = v << 8 | *r->p++;
	return v;
}

struct slice
blob_get_str(struct blob_reader *r, size_t max)
{
	size_t		 n = (size_t)blob_get(r, 2);
	struct slice	 s;

	if (r->bad || n > max || n > r->left ||
	    (n > 0 && memchr(r->p, '\0', n) != NULL)) {
		r->bad = 1;
		return SLICE("", 0);
	}
	s = SLICE(r->p, n);
	r->p += n;
	r->left -= n;
	return s;
}

int
blob_end(const struct blob_reader *r)
{
	return r->bad || r->left > 0 ? -1 : 0;
}
