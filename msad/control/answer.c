/*
 * Values of answers in JSON. Runs in msad-control, called by question.c.
 *
 * Strings hold what remote servers and mail programs said: any octets. JSON is
 * UTF-8, so what is not becomes the replacement character here; control
 * characters are escaped by the JSON encoder, and msactl(8) makes all that a
 * terminal could act on harmless.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msad/control/answer.h"

#define REPLACEMENT	"\xef\xbf\xbd"

/* Length by the first octet, and the bounds of the second. */
static size_t
utf8_lead(unsigned char c, unsigned char *low, unsigned char *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef) {
		if (c == 0xe0)
			*low = 0xa0;	/* no overlong form */
		else if (c == 0xed)
			*high = 0x9f;	/* no surrogate */
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (c == 0xf0)
			*low = 0x90;
		else if (c == 0xf4)
			*high = 0x8f;	/* nothing above U+10FFFF */
		return 4;
	}
	return 0;
}

size_t
answer_utf8(struct slice s)
{
	const unsigned char	*p = (const unsigned char *)s.p;
	unsigned char		 low, high;
	size_t			 i, n;

	if (s.len == 0)
		return 0;
	n = utf8_lead(p[0], &low, &high);
	if (n == 0 || n > s.len)
		return 0;
	if (n > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

json_t *
answer_text(struct slice s)
{
	size_t	 n, used = 0;
	json_t	*value;
	char	*buf;

	if ((buf = reallocarray(NULL, s.len + 1, 3)) == NULL)
		return NULL;
	while (s.len > 0) {
		if ((n = answer_utf8(s)) > 0)
			memcpy(buf + used, s.p, n);
		else
			memcpy(buf + used, REPLACEMENT, 3);
		used += n > 0 ? n : 3;
		s = slice_from(s, n > 0 ? n : 1);
	}
	value = json_stringn_nocheck(buf, used);
	free(buf);
	return value;
}

json_t *
answer_number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

json_t *
answer_id(uint64_t id)
{
	char	 text[17];

	snprintf(text, sizeof(text), "%llx", (unsigned long long)id);
	return json_string_nocheck(text);
}
