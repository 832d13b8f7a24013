/* links: msactl/sendmail_header.c */
/*
 * The header that sendmail(8) reads: fields and addresses stay within it, and
 * what is rewritten has no recipient that was not there.
 */
#include <stdint.h>
#include <stdlib.h>

#include "msactl/sendmail_header.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
within(void *arg, struct slice address)
{
	struct slice	*all = arg;

	if (address.len == 0 || address.p < all->p ||
	    address.p + address.len > all->p + all->len)
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_facts	 facts;
	struct slice		 all = SLICE(data, size);
	size_t			 len;
	char			*text;

	if (header_field(all) > size)
		abort();
	(void)header_addresses(all, within, &all);
	header_look(all, &facts);
	(void)header_recipients(all, &facts, within, &all);
	if ((text = header_rewrite(all, "h.example", false, &len)) == NULL)
		return 0;
	header_look(SLICE(text, len), &facts);
	free(text);
	return 0;
}
