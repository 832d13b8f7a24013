#ifndef QUEUE_RATE_RECORD_H
#define QUEUE_RATE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "rate.h"

#define RATE_RECORD_VERSION	1
#define RATE_RECORD_MAX		(2 + 3 * 8 + 4 + 3 * 2 + RATE_KEY_MAX)

/* What was used at that time, as it stands in the spool. */
struct rate_record {
	struct rate_key	 key;		/* strings in keys after decoding */
	struct rate	 rate;
	uint64_t	 parts;
	uint64_t	 when;		/* milliseconds since 1970 */
	char		 keys[RATE_KEY_MAX];
};

/* Encode into buf of RATE_RECORD_MAX; the octets, 0: the key is too long. */
size_t	 rate_record_encode(const struct rate_record *, uint8_t *buf);
/* 0, or -1: not one of ours. */
int	 rate_record_decode(const void *, size_t, struct rate_record *);

#endif
