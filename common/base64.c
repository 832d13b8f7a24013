/*
 * Base64 as RFC 4648 section 4 writes it, strictly: no white space, padding
 * where it is due and nowhere else, and no stray bits in the last group.
 * Used by front-end and relay for SASL. Takes octets from outside; both
 * functions are pure and allocate nothing.
 */

#include <limits.h>

#include "common/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a base64 letter, or -1. */
static int
letter_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/*
 * Decode one group of four, the last one maybe padded. Returns the octets
 * written to out (1 to 3), or -1.
 */
static int
decode_group(const char *p, int last, uint8_t out[3])
{
	int	v[4], i, n = 3;

	if (last && p[3] == '=')
		n = p[2] == '=' ? 1 : 2;
	for (i = 0; i < 4; i++) {
		v[i] = i <= n ? letter_value((unsigned char)p[i]) : 0;
		if (v[i] == -1)
			return -1;
	}
	if ((n == 1 && (v[1] & 0x0f) != 0) || (n == 2 && (v[2] & 0x03) != 0))
		return -1;
	out[0] = (uint8_t)(v[0] << 2 | v[1] >> 4);
	out[1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
	out[2] = (uint8_t)(v[2] << 6 | v[3]);
	return n;
}

int
base64_decode(struct slice in, uint8_t *out, size_t size)
{
	uint8_t	group[3];
	size_t	i, used = 0;
	int	n;

	if (in.len % 4 != 0 || in.len > INT_MAX)
		return -1;
	for (i = 0; i < in.len; i += 4) {
		n = decode_group(in.p + i, i + 4 == in.len, group);
		if (n == -1 || size - used < (size_t)n)
			return -1;
		memcpy(out + used, group, (size_t)n);
		used += (size_t)n;
	}
	explicit_bzero(group, sizeof(group));
	return (int)used;
}

int
base64_encode(const void *in, size_t len, char *out, size_t size)
{
	const uint8_t	*p = in;
	size_t		 need, i, o = 0;
	unsigned int	 v;

	if (len > INT_MAX / 2)
		return -1;
	need = (len + 2) / 3 * 4;
	if (need >= size)
		return -1;
	for (i = 0; i < len; i += 3) {
		v = (unsigned int)p[i] << 16;
		if (i + 1 < len)
			v |= (unsigned int)p[i + 1] << 8;
		if (i + 2 < len)
			v |= p[i + 2];
		out[o++] = alphabet[v >> 18];
		out[o++] = alphabet[v >> 12 & 63];
		out[o++] = i + 1 < len ? alphabet[v >> 6 & 63] : '=';
		out[o++] = i + 2 < len ? alphabet[v & 63] : '=';
	}
	out[o] = '\0';
	return (int)o;
}
