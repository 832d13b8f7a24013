/*
 * A mailbox: slices stay inside it; its normal form is one again, equal to it
 * and its own normal form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_normal(const struct address *a)
{
	struct address	b;
	char		one[600], two[600];
	int		n;

	if ((n = address_normal(a, one, sizeof(one))) < 0 ||
	    address_parse(SLICE(one, (size_t)n), &b) != ADDRESS_OK)
		return;
	if (!address_equal(a, &b) || !address_equal(&b, a) ||
	    address_normal(&b, two, sizeof(two)) != n ||
	    memcmp(one, two, (size_t)n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address	 a;
	struct slice	 path;
	char		*p = malloc(size > 0 ? size : 1);
	size_t		 used = 0;

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	if (address_parse(SLICE(p, size), &a) == ADDRESS_OK) {
		if (a.local.len + 1 + a.domain.len != size)
			abort();
		check_normal(&a);
	}
	if (address_parse_path(SLICE(p, size), &a, &path, &used) !=
	    ADDRESS_BAD) {
		if (used < 2 || used > size || used > 256 ||
		    p[used - 1] != '>' || path.p + path.len != p + used - 1)
			abort();
		if (path.len > 0 && a.domain.len > 0)
			check_normal(&a);
	}
	(void)address_domain_ok(SLICE(p, size), true);
	free(p);
	return 0;
}
