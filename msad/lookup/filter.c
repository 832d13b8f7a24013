/*
 * LDAP search filters with a login in them (RFC 4515). Pure. The filter is the
 * operator's, the login may be whatever somebody typed: all octets of it that
 * mean something in a filter, and all that are not printable ASCII, are written
 * as backslash and two hexadecimal digits, so that it is never more than a
 * value.
 */
#include <string.h>

#include "filter.h"

static int
put(char *buf, size_t size, size_t *len, char c)
{
	if (*len + 1 >= size)
		return -1;
	buf[(*len)++] = c;
	return 0;
}

static int
put_value(char *buf, size_t size, size_t *len, const char *s)
{
	static const char	hex[] = "0123456789abcdef";
	unsigned char		c;

	for (; (c = (unsigned char)*s) != '\0'; s++) {
		if (c > ' ' && c < 0x7f && strchr("*()\\", c) == NULL) {
			if (put(buf, size, len, (char)c) == -1)
				return -1;
		} else if (put(buf, size, len, '\\') == -1 ||
		    put(buf, size, len, hex[c >> 4]) == -1 ||
		    put(buf, size, len, hex[c & 15]) == -1)
			return -1;
	}
	return 0;
}

int
filter_write(const char *filter, const char *login, char *buf, size_t size)
{
	const char	*p;
	size_t		 len = 0;

	for (p = filter; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'u') {
			if (put_value(buf, size, &len, login) == -1)
				return -1;
			p++;
			continue;
		}
		if (p[0] == '%' && p[1] == '%')
			p++;
		if (put(buf, size, &len, *p) == -1)
			return -1;
	}
	if (len >= size)
		return -1;
	buf[len] = '\0';
	return (int)len;
}
