/*
 * xtext, the encoding of parameter values in SMTP (RFC 3461 section 4). Used
 * where parameters are checked (params.c), where a report quotes them (the
 * queue) and where the relay adds an ORCPT. Pure.
 */
#include "common/xtext.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next octet of *s, or -1: bad, or not printable (utf8: or ASCII). */
static int
next_octet(struct slice *s, bool utf8)
{
	int	c = (unsigned char)s->p[0], lo;
	size_t	n = 1;

	if (c < 33 || c > 126 || c == '=')
		return -1;
	if (c == '+') {
		if (s->len < 3 || (c = hex_value(s->p[1])) == -1 ||
		    (lo = hex_value(s->p[2])) == -1)
			return -1;
		c = c << 4 | lo;
		n = 3;
	}
	*s = slice_from(*s, n);
	return (c >= 32 && c <= 126) || (utf8 && c > 127) ? c : -1;
}

bool
xtext_ok(struct slice s)
{
	while (s.len > 0)
		if (next_octet(&s, false) == -1)
			return false;
	return true;
}

static int
decode(struct slice s, bool utf8, char *buf, size_t size)
{
	size_t	n = 0;
	int	c;

	while (s.len > 0) {
		if ((c = next_octet(&s, utf8)) == -1 || n + 1 >= size)
			return -1;
		buf[n++] = (char)c;
	}
	if (size == 0)
		return -1;
	buf[n] = '\0';
	return (int)n;
}

int
xtext_decode(struct slice s, char *buf, size_t size)
{
	return decode(s, false, buf, size);
}

int
xtext_decode_utf8(struct slice s, char *buf, size_t size)
{
	return decode(s, true, buf, size);
}

int
xtext_encode(struct slice s, char *buf, size_t size)
{
	static const char	hex[] = "0123456789ABCDEF";
	unsigned char		c;
	size_t			i, n = 0;

	for (i = 0; i < s.len; i++) {
		if (n + 4 > size)
			return -1;
		c = (unsigned char)s.p[i];
		if (c >= 33 && c <= 126 && c != '+' && c != '=') {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '+';
		buf[n++] = hex[c >> 4];
		buf[n++] = hex[c & 15];
	}
	if (n >= size)
		return -1;
	buf[n] = '\0';
	return (int)n;
}
