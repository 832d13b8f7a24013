/*
 * Addresses of RFC 6533: what is encoded shows as what it was, nothing that
 * comes out holds a control, and no room is overrun.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/orcpt.h"
#include "common/params.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Printable ASCII alone. */
static void
check_ascii(const char *p, int n)
{
	for (; n > 0; n--, p++)
		if (*p < 33 || *p > 126)
			abort();
}

static void
round_trip(struct slice in)
{
	char	a[ORCPT_ESCAPED_MAX], b[ORCPT_ESCAPED_MAX];
	char	u[ORCPT_ESCAPED_MAX];
	int	n, m;

	if ((n = orcpt_encode(in, false, a, sizeof(a))) == -1)
		return;
	check_ascii(a, n);
	if (!orcpt_is_utf8(SLICE(a, (size_t)n)))
		return;
	/* escaped and as it is: the same address */
	if ((m = orcpt_encode(in, true, u, sizeof(u))) == -1 || m > n)
		abort();
	if ((m = orcpt_escape(SLICE(u, (size_t)m), b, sizeof(b))) != n ||
	    memcmp(a, b, (size_t)n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcpt_params	 r;
	struct slice		 in = SLICE(data, size);
	char			*out;
	char			 text[ORCPT_ESCAPED_MAX + 16];
	size_t			 room;
	int			 n, i;

	if (size < 2)
		return 0;
	room = (size_t)data[0] << 1;
	in = slice_from(in, 1);
	round_trip(in);
	if ((out = malloc(room + 1)) == NULL)
		return 0;
	(void)orcpt_escape(in, out, room);
	/* a value that the parser of RCPT takes */
	if (in.len < ORCPT_ESCAPED_MAX) {
		memcpy(text, "ORCPT=utf-8;", 12);
		memcpy(text + 12, in.p, in.len);
		if (params_rcpt(SLICE(text, in.len + 12), EXT_ALL, &r) ==
		    PARAMS_OK && r.orcpt.p != NULL) {
			n = orcpt_show(r.orcpt, out, room);
			for (i = 0; i < n; i++)
				if ((unsigned char)out[i] < 33 ||
				    out[i] == 127)
					abort();
		}
	}
	free(out);
	return 0;
}
