/* links: msad/auth/byaddress.c */
/*
 * Addresses that stand for a login: any text as an address, and any order of
 * grants, time and removals. What is found is what was granted last, for as
 * long as it was granted; the list has each entry once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msad/auth/byaddress.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct {
	char	 user[2];
	int64_t	 until;
} want[4][2];

static void
gone(const struct byaddress *b)
{
	if (b->address.addr[3] > 3)
		abort();
}

static void
check_list(void)
{
	const struct byaddress	*b;
	uint64_t		 serial = 0;
	unsigned int		 n = 0;

	while ((b = byaddress_after(serial)) != NULL) {
		if (b->serial <= serial || ++n > 8)
			abort();
		serial = b->serial;
	}
}

static void
check_find(struct network *n, int64_t now)
{
	struct byaddress	*b;
	unsigned int		 i, j;
	char			 block[2] = "a";

	for (i = 0; i < 4; i++) {
		for (j = 0; j < 2; j++) {
			n->addr[3] = (uint8_t)i;
			block[0] = (char)('a' + j);
			b = byaddress_find(n, block, now);
			if ((b != NULL) != (want[i][j].until > now) ||
			    (b != NULL && strcmp(b->user,
			    want[i][j].user) != 0))
				abort();
		}
	}
}

static void
step(uint8_t op, uint8_t arg, struct network *n, int64_t *now)
{
	unsigned int	 i = arg & 3, j = arg >> 2 & 1;
	char		 user[2] = "u", block[2] = "a";

	n->addr[3] = (uint8_t)i;
	user[0] = (char)('u' + (arg >> 3 & 1));
	block[0] = (char)('a' + j);
	switch (op & 3) {
	case 0:
		if (byaddress_grant(n, block, user, 1 + (arg >> 4), *now) ==
		    -1)
			abort();
		memcpy(want[i][j].user, user, 2);
		want[i][j].until = *now + (1 + (arg >> 4)) * 1000;
		break;
	case 1:
		byaddress_remove(n);
		want[i][0].until = want[i][1].until = 0;
		break;
	case 2:
		*now += arg * 100;
		break;
	case 3:
		byaddress_expire(*now);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct network	 n;
	int64_t		 now = 1;
	size_t		 i;

	byaddress_init(gone);
	if (byaddress_parse(SLICE(data, size), &n) &&
	    n.prefix != (n.family == 2 ? 32U : 128U))
		abort();
	if (!byaddress_parse(SLICE_STR("192.0.2.0"), &n))
		abort();
	memset(want, 0, sizeof(want));
	for (i = 0; i + 1 < size && i < 512; i += 2) {
		step(data[i], data[i + 1], &n, &now);
		check_find(&n, now);
		check_list();
	}
	if (byaddress_expire(INT64_MAX) != 0)
		abort();
	return 0;
}
