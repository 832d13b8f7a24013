/*
 * What a header section says of the content behind it: Content-Type,
 * Content-Transfer-Encoding, MIME-Version (RFC 2045). Called by mime.c in the
 * front-end; everything comes from the client. Pure, and without guesses: a
 * field that is broken, doubled or of an unknown value makes the content
 * opaque, so that nobody alters it (X-mime-2).
 */

#include "common/header.h"
#include "common/mime_field.h"

#define COMMENT_DEPTH	32

/* Take white space, folds and comments off the begin of s; -1: broken. */
static int
skip(struct slice *s)
{
	unsigned int	depth = 0;
	size_t		i;
	char		c;

	for (i = 0; i < s->len; i++) {
		c = s->p[i];
		if (c == '(') {
			if (++depth > COMMENT_DEPTH)
				return -1;
		} else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' &&
		    c != '\n')
			break;
	}
	*s = slice_from(*s, i);
	return depth == 0 ? 0 : -1;
}

/* A token of RFC 2045 section 5.1; empty when there is none. */
static struct slice
token(struct slice *s)
{
	struct slice	t = { s->p, 0 };
	unsigned char	c;

	while (t.len < s->len) {
		c = (unsigned char)s->p[t.len];
		if (c <= 32 || c > 126 ||
		    strchr("()<>@,;:\\\"/[]?=", c) != NULL)
			break;
		t.len++;
	}
	*s = slice_from(*s, t.len);
	return t;
}

/* A value, token or quoted string, into buf: its length, -1 when broken. */
static int
value(struct slice *s, char *buf, size_t size)
{
	struct slice	t;
	size_t		i, n = 0;

	if (s->len == 0 || s->p[0] != '"') {
		t = token(s);
		if (t.len == 0 || t.len > size)
			return -1;
		memcpy(buf, t.p, t.len);
		return (int)t.len;
	}
	for (i = 1; i < s->len && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->len)
			i++;
		if (n == size)
			return -1;
		buf[n++] = s->p[i];
	}
	if (i >= s->len)
		return -1;
	*s = slice_from(*s, i + 1);
	return (int)n;
}

/* Is this a boundary as RFC 2046 section 5.1.1 has it? */
static bool
boundary_ok(const char *p, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (p[i] < 32 || p[i] > 126)
			return false;
	return n > 0 && n <= MIME_BOUNDARY_MAX && p[n - 1] != ' ';
}

/* The parameters, for the one boundary: 0, or -1 when they are broken. */
static int
parameters(struct slice s, struct mime_part *part)
{
	struct slice	name;
	char		buf[HEADER_LINE_MAX];
	int		n;

	for (;;) {
		if (skip(&s) == -1)
			return -1;
		if (s.len == 0)
			return 0;
		if (s.p[0] != ';')
			return -1;
		s = slice_from(s, 1);
		if (skip(&s) == -1)
			return -1;
		if (s.len == 0)
			return 0;
		name = token(&s);
		if (name.len == 0 || skip(&s) == -1 || s.len == 0 ||
		    s.p[0] != '=')
			return -1;
		s = slice_from(s, 1);
		if (skip(&s) == -1 || (n = value(&s, buf, sizeof(buf))) == -1)
			return -1;
		if (!slice_is_nocase(name, "boundary"))
			continue;
		if (part->boundary[0] != '\0' || !boundary_ok(buf, (size_t)n))
			return -1;
		memcpy(part->boundary, buf, (size_t)n);
		part->boundary[n] = '\0';
	}
}

static enum mime_kind
kind_of(struct slice type, struct slice sub)
{
	if (slice_is_nocase(type, "text"))
		return MIME_TEXT;
	if (slice_is_nocase(type, "multipart")) {
		if (slice_is_nocase(sub, "signed") ||
		    slice_is_nocase(sub, "encrypted"))
			return MIME_SEALED;
		return slice_is_nocase(sub, "digest") ? MIME_DIGEST :
		    MIME_MULTIPART;
	}
	if (slice_is_nocase(type, "message"))
		return slice_is_nocase(sub, "rfc822") ? MIME_MESSAGE :
		    MIME_OPAQUE;
	if (slice_is_nocase(type, "application") &&
	    (slice_is_nocase(sub, "pkcs7-mime") ||
	    slice_is_nocase(sub, "x-pkcs7-mime")))
		return MIME_SEALED;
	return MIME_OTHER;
}

static void
content_type(struct slice s, struct mime_part *part)
{
	struct slice	type, sub;
	bool		broken;

	if (part->typed) {
		part->kind = MIME_OPAQUE;
		return;
	}
	part->typed = true;
	part->kind = MIME_OPAQUE;
	if (skip(&s) == -1 || (type = token(&s)).len == 0 || skip(&s) == -1 ||
	    s.len == 0 || s.p[0] != '/')
		return;
	s = slice_from(s, 1);
	if (skip(&s) == -1 || (sub = token(&s)).len == 0)
		return;
	part->kind = kind_of(type, sub);
	broken = parameters(s, part) == -1;
	if ((part->kind == MIME_MULTIPART || part->kind == MIME_DIGEST) &&
	    (broken || part->boundary[0] == '\0'))
		part->kind = MIME_OPAQUE;
}

static enum mime_cte
cte_of(struct slice s)
{
	struct slice	t;

	if (skip(&s) == -1)
		return MIME_UNKNOWN;
	t = token(&s);
	if (skip(&s) == -1 || s.len > 0)
		return MIME_UNKNOWN;
	if (slice_is_nocase(t, "7bit"))
		return MIME_7BIT;
	if (slice_is_nocase(t, "8bit"))
		return MIME_8BIT;
	if (slice_is_nocase(t, "binary"))
		return MIME_BINARY;
	return slice_is_nocase(t, "quoted-printable") ||
	    slice_is_nocase(t, "base64") ? MIME_ENCODED_CTE : MIME_UNKNOWN;
}

void
mime_part_parse(struct slice section, struct mime_part *part)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason;
	int			 n;

	memset(part, 0, sizeof(*part));
	header_begin(&h, section);
	while ((n = header_next(&h, &f, &reason)) == 1) {
		if (slice_is_nocase(f.name, "Content-Type"))
			content_type(f.body, part);
		else if (slice_is_nocase(f.name, "MIME-Version"))
			part->version = true;
		else if (slice_is_nocase(f.name, "Content-Transfer-Encoding"))
			part->cte = part->cte == MIME_NONE ? cte_of(f.body) :
			    MIME_UNKNOWN;
	}
	if (n == -1)
		part->kind = MIME_OPAQUE;
}

size_t
mime_strip_cte(char *section, size_t len)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason;
	char			*to = section;

	if (len == 0)
		return 0;
	header_begin(&h, SLICE(section, len));
	while (header_next(&h, &f, &reason) == 1) {
		if (slice_is_nocase(f.name, "Content-Transfer-Encoding"))
			continue;
		memmove(to, f.all.p, f.all.len);
		to += f.all.len;
	}
	memmove(to, h.rest.p, h.rest.len);
	return (size_t)(to - section) + h.rest.len;
}
