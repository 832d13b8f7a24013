/*
 * SASLprep (RFC 4013), by libidn: user names and passwords in one spelling,
 * where two sides must come to the same octets. Used by msad-auth for its
 * passwd files and by msactl, which writes them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <stringprep.h>

#include "common/saslprep.h"

int
saslprep(struct slice in, char *out, size_t size)
{
	size_t	 i;

	if (in.len == 0 || in.len >= size)
		return -1;
	for (i = 0; i < in.len; i++)
		if (in.p[i] < 0x20 || in.p[i] > 0x7e)
			break;
	memmove(out, in.p, in.len);
	out[in.len] = '\0';
	if (i == in.len)
		return (int)in.len;	/* ASCII stays as it is */
	/* stringprep() takes a string: a NUL would hide what follows it. */
	if (memchr(out, '\0', in.len) != NULL ||
	    stringprep(out, size, 0, stringprep_saslprep) != STRINGPREP_OK ||
	    out[0] == '\0')
		return -1;
	return (int)strlen(out);
}

/* Spaces at the ends go; of several others one stays. */
static size_t
squeeze(char *s, size_t n)
{
	size_t	 i, to = 0;

	for (i = 0; i < n; i++)
		if (s[i] != ' ' || (to > 0 && s[to - 1] != ' '))
			s[to++] = s[i];
	return to > 0 && s[to - 1] == ' ' ? to - 1 : to;
}

size_t
saslprep_loosely(struct slice name, char *out, size_t size)
{
	size_t	 i, n;
	bool	 ascii = true;

	n = name.len < size ? name.len : size - 1;
	memcpy(out, name.p, n);
	out[n] = '\0';
	for (i = 0; i < n; i++) {
		ascii = ascii && (unsigned char)out[i] < 0x80;
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	}
	/* nameprep is what folds cases beside RFC 4013's compatible forms */
	if (!ascii && n == name.len && memchr(out, '\0', n) == NULL) {
		if (stringprep(out, size, 0, stringprep_nameprep) ==
		    STRINGPREP_OK)
			n = strlen(out);
		else {
			memcpy(out, name.p, name.len);
			n = name.len;
		}
	}
	return squeeze(out, n);
}
