/* links: msad/queue/rate_record.c msad/queue/rate.c */
/*
 * Fuzz: what is found in the spool as a count of a user's limits. What is read
 * must be written back alike, and no number in it may upset the counting.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_rates.h"
#include "msad/queue/rate.h"
#include "msad/queue/rate_record.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define LONG_AGO	(UINT64_C(1) << 62)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rate_record	r;
	struct rate_state	s;
	uint8_t			buf[RATE_RECORD_MAX];
	uint64_t		wait, parts, passed;

	if (n < 9 || rate_record_decode(data + 8, n - 8, &r) == -1)
		return 0;
	if (rate_record_encode(&r, buf) != n - 8 ||
	    memcmp(buf, data + 8, n - 8) != 0)
		abort();
	memcpy(&passed, data, 8);
	rate_recover(data[0], &r.key, r.rate, r.parts, passed, 0);
	if (rate_take(&r.key, r.rate, 1, r.rate.n, 1, &wait) &&
	    rate_used(&r.key, r.rate, 1) == 0)
		abort();
	rate_return(&r.key, 1, 2);
	while (rate_changed(3, &s, &parts) != RATE_NONE)
		if (parts > r.parts && r.parts > 0)
			abort();
	/* none is left, however much it said */
	rate_sweep((int64_t)LONG_AGO);
	if (rate_count() != 0)
		abort();
	return 0;
}
