/*
 * The address type utf-8 of RFC 6533: what ORCPT, Original-Recipient and
 * Final-Recipient say of addresses outside ASCII. Used by the relay, which
 * passes ORCPT on, and by the queue, which writes reports. Values came from a
 * client and were parsed before; here they are read once more octet by octet.
 * Pure.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/orcpt.h"
#include "common/xtext.h"

bool
orcpt_is_ascii(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

bool
orcpt_is_utf8(struct slice value)
{
	return value.len >= 6 && slice_is_nocase(SLICE(value.p, 6), "utf-8;");
}

/* The character at the start of *s (RFC 3629); taken off. -1: not UTF-8. */
static int32_t
next_char(struct slice *s)
{
	static const int32_t	least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char		b = (unsigned char)s->p[0];
	size_t			n, i;
	int32_t			c;

	n = b < 0x80 ? 1 : b < 0xc0 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 :
	    b < 0xf8 ? 4 : 0;
	if (n == 0 || n > s->len)
		return -1;
	c = n == 1 ? b : b & (0xff >> (n + 1));
	for (i = 1; i < n; i++) {
		if (((unsigned char)s->p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (s->p[i] & 0x3f);
	}
	*s = slice_from(*s, n);
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ?
	    -1 : c;
}

static size_t
put_char(int32_t c, char *out)
{
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* May this character stand for itself in an address of type utf-8? */
static bool
is_plain(int32_t c, bool eightbit)
{
	if (c > 127)
		return eightbit;
	return c > 32 && c < 127 && c != '+' && c != '=' && c != '\\';
}

/* Escape what is not plain; of ASCII only if ascii_too. */
static int
encode(struct slice s, bool eightbit, bool ascii_too, char *buf, size_t size)
{
	char	one[12];
	size_t	used = 0, n;
	int32_t	c;

	while (s.len > 0) {
		if ((c = next_char(&s)) == -1)
			return -1;
		if (!is_plain(c, eightbit) && (c > 127 || ascii_too))
			n = (size_t)snprintf(one, sizeof(one), "\\x{%02X}",
			    (unsigned int)c);
		else if (c > 127)
			n = put_char(c, one);
		else {
			one[0] = (char)c;
			n = 1;
		}
		if (used + n >= size)
			return -1;
		memcpy(buf + used, one, n);
		used += n;
	}
	if (used >= size)
		return -1;
	buf[used] = '\0';
	return (int)used;
}

int
orcpt_encode(struct slice mailbox, bool eightbit, char *buf, size_t size)
{
	bool		 ascii = orcpt_is_ascii(mailbox);
	const char	*type = ascii ? "rfc822;" : "utf-8;";
	size_t		 len = strlen(type);
	int		 n;

	if (len >= size)
		return -1;
	memcpy(buf, type, len);
	n = ascii ? xtext_encode(mailbox, buf + len, size - len) :
	    encode(mailbox, eightbit, true, buf + len, size - len);
	return n == -1 ? -1 : (int)len + n;
}

int
orcpt_escape(struct slice value, char *buf, size_t size)
{
	return encode(value, false, false, buf, size);
}

/* The character of an escape at the start of s and its octets, or -1. */
static int32_t
escape_at(struct slice s, size_t *n)
{
	static const char	 hex[] = "0123456789ABCDEF";
	const char		*digit;
	int32_t			 c = 0;
	size_t			 i;

	if (s.len < 6 || memcmp(s.p, "\\x{", 3) != 0)
		return -1;
	for (i = 3; i < s.len && i < 10 && s.p[i] != '}'; i++) {
		digit = s.p[i] == '\0' ? NULL : strchr(hex, s.p[i]);
		if (digit == NULL)
			return -1;
		c = c << 4 | (int32_t)(digit - hex);
	}
	if (i == s.len || s.p[i] != '}' || c < 0xa0 || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*n = i + 1;
	return c;
}

int
orcpt_show(struct slice value, char *buf, size_t size)
{
	struct slice	s = slice_from(value, 6);
	size_t		used = 0, n;
	int32_t		c;

	while (s.len > 0) {
		if (used + 5 > size)
			return -1;
		if ((c = escape_at(s, &n)) == -1) {
			buf[used++] = s.p[0];
			n = 1;
		} else
			used += put_char(c, buf + used);
		s = slice_from(s, n);
	}
	if (size == 0)
		return -1;
	buf[used] = '\0';
	return (int)used;
}
