/*
 * A domain or mailbox of UTF-8: what is taken becomes letters, digits and
 * hyphens that mean the same; its compared form is equal to it and is its own
 * compared form; nothing in it is no UTF-8 or a control character.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"
#include "common/mailbox.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_domain(struct slice s)
{
	char	one[IDNA_DOMAIN_MAX + 1], two[IDNA_DOMAIN_MAX + 1];
	int	n = idna_to_ascii(s, one, sizeof(one));

	if ((n != -1) != idna_domain_ok(s, false))
		abort();
	if (n == -1)
		return;
	if (!mailbox_utf8_ok(s) || strlen(one) != (size_t)n ||
	    !address_domain_ok(SLICE_STR(one), false) ||
	    idna_to_ascii(SLICE_STR(one), two, sizeof(two)) != n ||
	    strcmp(one, two) != 0 || !idna_domain_equal(s, SLICE_STR(one)) ||
	    idna_to_ascii(s, two, (size_t)n) != -1)
		abort();
}

static void
check_address(const struct address *a)
{
	struct address	b;
	char		one[IDNA_KEY_MAX], two[IDNA_KEY_MAX];
	int		n;

	if ((n = idna_address_key(a, one, sizeof(one))) == -1)
		abort();
	if (!idna_address_equal(a, a))
		abort();
	/* Quoting may go over the limit of a local part. */
	if (idna_address_parse(SLICE(one, (size_t)n), &b) != ADDRESS_OK)
		return;
	if (!idna_address_equal(a, &b) || !idna_address_equal(&b, a) ||
	    idna_address_key(&b, two, sizeof(two)) != n ||
	    memcmp(one, two, (size_t)n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address	 a, plain;
	struct slice	 path;
	char		*p = malloc(size > 0 ? size : 1);
	size_t		 used;

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	check_domain(SLICE(p, size));
	if (idna_address_parse(SLICE(p, size), &a) == ADDRESS_OK) {
		if (a.local.len + 1 + a.domain.len != size ||
		    !mailbox_utf8_ok(SLICE(p, size)))
			abort();
		check_address(&a);
	} else if (address_parse(SLICE(p, size), &plain) == ADDRESS_OK)
		abort();
	if (address_parse_path_utf8(SLICE(p, size), &a, &path, &used) ==
	    ADDRESS_OK) {
		if (used < 2 || used > 256 || p[used - 1] != '>' ||
		    !mailbox_utf8_ok(SLICE(p, used)))
			abort();
		if (a.domain.len > 0 && idna_address_ok(&a))
			check_address(&a);
	}
	free(p);
	return 0;
}
