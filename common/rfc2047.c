/*
 * Encoded words of RFC 2047, for text outside ASCII in a header. Used by
 * msad-frontend on names and unstructured fields. Takes UTF-8 that was
 * checked; pure; allocates nothing.
 *
 * Q where most of the text is ASCII and stays readable, B elsewhere.
 */
#include <stdbool.h>
#include <string.h>

#include "common/rfc2047.h"

#define PREFIX_LEN	10		/* =?utf-8?Q? */
#define LINE_MAX_OCTETS	76
#define TEXT_MAX	(RFC2047_WORD_MAX - PREFIX_LEN - 2)

/* What stands for itself in the Q encoding of a phrase (section 5 rule 3). */
static bool
q_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || (c != '\0' && c < 0x80 &&
	    strchr("!*+-/", c) != NULL);
}

/* Octets of the character at the start of s. */
static size_t
character(struct slice s)
{
	size_t	n = 1;

	while (n < s.len && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static size_t
q_size(struct slice s)
{
	size_t	i, n = 0;

	for (i = 0; i < s.len; i++)
		n += q_plain((unsigned char)s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return n;
}

static size_t
q_write(struct slice s, char *out)
{
	static const char	hex[] = "0123456789ABCDEF";
	unsigned char		c;
	size_t			i, n = 0;

	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.p[i];
		if (q_plain(c))
			out[n++] = (char)c;
		else if (c == ' ')
			out[n++] = '_';
		else {
			out[n++] = '=';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		}
	}
	return n;
}

static size_t
b_write(struct slice s, char *out)
{
	static const char	set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijk"
	    "lmnopqrstuvwxyz0123456789+/";
	size_t			i, n = 0;
	unsigned long		v;

	for (i = 0; i < s.len; i += 3) {
		v = (unsigned long)(unsigned char)s.p[i] << 16;
		if (i + 1 < s.len)
			v |= (unsigned long)(unsigned char)s.p[i + 1] << 8;
		if (i + 2 < s.len)
			v |= (unsigned char)s.p[i + 2];
		out[n++] = set[v >> 18];
		out[n++] = set[v >> 12 & 63];
		out[n++] = i + 1 < s.len ? set[v >> 6 & 63] : '=';
		out[n++] = i + 2 < s.len ? set[v & 63] : '=';
	}
	return n;
}

/* How much of s goes into one word of room octets: whole characters. */
static size_t
take(struct slice s, bool q, size_t room)
{
	size_t	n = 0, c, size = 0, next;

	while (n < s.len) {
		c = character(slice_from(s, n));
		if (q)
			next = size + q_size(SLICE(s.p + n, c));
		else
			next = (n + c + 2) / 3 * 4;
		if (next > room && n > 0)
			break;
		n += c;
		size = next;
	}
	return n;
}

size_t
rfc2047_encode(struct slice s, size_t column, char *out)
{
	size_t	n, o = 0, room;
	bool	q = q_size(s) <= s.len * 2;

	while (s.len > 0) {
		room = TEXT_MAX;
		if (column > 1 && column + RFC2047_WORD_MAX >
		    LINE_MAX_OCTETS) {
			room = column + PREFIX_LEN + 2 + 12 > LINE_MAX_OCTETS ?
			    0 : LINE_MAX_OCTETS - column - PREFIX_LEN - 2;
			if (room == 0) {
				memcpy(out + o, "\r\n ", 3);
				o += 3;
				room = TEXT_MAX;
			}
		}
		n = take(s, q, room);
		memcpy(out + o, q ? "=?utf-8?Q?" : "=?utf-8?B?", PREFIX_LEN);
		o += PREFIX_LEN;
		o += q ? q_write(SLICE(s.p, n), out + o) :
		    b_write(SLICE(s.p, n), out + o);
		memcpy(out + o, "?=", 2);
		o += 2;
		s = slice_from(s, n);
		column = LINE_MAX_OCTETS;	/* the next on its own line */
	}
	return o;
}
