#ifndef QUEUE_BLOB_H
#define QUEUE_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/*
 * Small records of the spool: integers big-endian, strings with a 16-bit
 * length and without NUL. The writer's buffer is as large as the record's
 * module says; what does not fit is our own broken invariant (fatal). The
 * reader checks everything: once one getter failed the rest fail too.
 */
struct blob_writer {
	uint8_t	*p;
	size_t	 len, size;
};

struct blob_reader {
	const uint8_t	*p;
	size_t		 left;
	int		 bad;
};

void	 blob_put(struct blob_writer *, uint64_t, size_t octets);
void	 blob_put_str(struct blob_writer *, struct slice);

uint64_t blob_get(struct blob_reader *, size_t octets);
/* Points into the record; more than max octets are an error. */
struct slice blob_get_str(struct blob_reader *, size_t max);
/* All was there and nothing is left over: 0, else -1. */
int	 blob_end(const struct blob_reader *);

#endif
