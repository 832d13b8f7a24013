/* links: msad/frontend/proxy.c */
/*
 * The header of the PROXY protocol: the first octet chooses the versions. A
 * header lies within its input, what follows changes nothing, and of what is
 * shorter no verdict but "more" is given, so that no split matters.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/proxy.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy		 a, b;
	enum proxy_verdict	 va, vb;
	const char		*p = (const char *)data + 1;
	unsigned int		 versions;
	size_t			 n;

	if (size == 0)
		return 0;
	versions = data[0] % 3 + 1;
	va = proxy_parse(SLICE(p, size - 1), versions, &a);
	if (va == PROXY_DONE && (a.len == 0 || a.len > size - 1 ||
	    a.len > PROXY_HEADER_MAX))
		abort();
	for (n = 0; n < size - 1 && n < 2 * PROXY_HEADER_MAX; n++) {
		vb = proxy_parse(SLICE(p, n), versions, &b);
		if (va == PROXY_MORE && vb != PROXY_MORE)
			abort();
		if (va == PROXY_DONE && n < a.len && vb != PROXY_MORE)
			abort();
		if (va == PROXY_DONE && n >= a.len && (vb != PROXY_DONE ||
		    b.len != a.len ||
		    memcmp(&a.client, &b.client, sizeof(a.client)) != 0))
			abort();
		if (vb == PROXY_BAD && va != PROXY_BAD)
			abort();
	}
	return 0;
}
