/*
 * append-domain for the envelope: a path without any domain gets one before
 * it is parsed (RFC 6409 section 4.2). Part of the front-end, called by smtp.c
 * with what the client sent; pure.
 */
#include <stdio.h>
#include <string.h>

#include "msad/frontend/complete.h"

/* The end of the local part at p: its '>', or NULL when it is not alone. */
static const char *
bare_end(const char *p, const char *end)
{
	bool	quoted = false;

	for (; p < end; p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '>')
			return p;
		else if (!quoted && *p == '@')
			return NULL;
	}
	return NULL;
}

struct slice
complete_bare(struct slice args, bool rcpt, const char *domain, char *buf,
    size_t size)
{
	const char	*end = args.p + args.len;
	const char	*open = memchr(args.p, '<', args.len), *close;
	struct slice	 local;
	int		 n;

	if (domain == NULL || open == NULL ||
	    (close = bare_end(open + 1, end)) == NULL)
		return args;
	local = SLICE(open + 1, close - (open + 1));
	if (local.len == 0 || (rcpt && slice_is_nocase(local, "postmaster")))
		return args;
	n = snprintf(buf, size, "%.*s@%s%.*s", (int)(close - args.p), args.p,
	    domain, (int)(end - close), close);
	return n < 0 || (size_t)n >= size ? args : SLICE(buf, n);
}
