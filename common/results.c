/*
 * Authentication-Results in our own name (RFC 8601 section 5). The front-end
 * takes what a client forged away, the queue refuses what a front-end forged.
 * Takes octets from outside; pure.
 */
#include <string.h>

#include "common/header.h"
#include "common/idna.h"
#include "common/results.h"

/*
 * Take an authserv-id off s: a token, maybe of UTF-8, or a quoted string
 * without its quotes.
 */
static struct slice
results_id(struct slice *s)
{
	const char	*end;
	size_t		 n = 0;

	if (s->len > 0 && s->p[0] == '"') {
		*s = slice_from(*s, 1);
		end = memchr(s->p, '"', s->len);
		n = end == NULL ? 0 : (size_t)(end - s->p);
		end = s->p;
		if (memchr(end, '\\', n) != NULL)
			n = 0;
		*s = slice_from(*s, n + 1);
		return SLICE(end, n);
	}
	while (n < s->len && (unsigned char)s->p[n] > 32 && s->p[n] != 127 &&
	    strchr("()<>@,;:\\\"/[]?=", s->p[n]) == NULL)
		n++;
	end = s->p;
	*s = slice_from(*s, n);
	return SLICE(end, n);
}

bool
results_forged(struct slice s, const char *host)
{
	struct slice	id;

	if (header_skip_cfws(&s) == -1)
		return true;
	id = results_id(&s);
	while (id.len > 0 && id.p[id.len - 1] == '.')
		id.len--;
	if (id.len == 0 || idna_domain_equal(id, SLICE_STR(host)) ||
	    header_skip_cfws(&s) == -1)
		return true;
	if (s.len > 0 && s.p[0] == '1')		/* the version */
		s = slice_from(s, 1);
	if (header_skip_cfws(&s) == -1)
		return true;
	return s.len == 0 || s.p[0] != ';';
}
