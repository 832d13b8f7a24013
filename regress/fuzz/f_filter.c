/* links: msad/lookup/filter.c */
/*
 * A login in an LDAP filter: nothing of it but letters, digits and what means
 * nothing there stands as it is, so the filter keeps its shape.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/lookup/filter.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	login[256], out[1024];
	size_t	n = size < sizeof(login) - 1 ? size : sizeof(login) - 1, i;
	int	len;

	memcpy(login, data, n);
	login[n] = '\0';
	len = filter_write("(uid=%u)", login, out, sizeof(out));
	if (len == -1)
		return 0;
	if (strncmp(out, "(uid=", 5) != 0 || out[len - 1] != ')' ||
	    (size_t)len != strlen(out))
		abort();
	for (i = 5; i + 1 < (size_t)len; i++) {
		if (strchr("*()", out[i]) != NULL || out[i] <= ' ' ||
		    (unsigned char)out[i] > 0x7e)
			abort();
		if (out[i] == '\\' && (strspn(out + i + 1,
		    "0123456789abcdef") < 2))
			abort();
	}
	return 0;
}
