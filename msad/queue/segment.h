/*
 * Segments of the log spool, as octets. See segment.c.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "msad/queue/record.h"

#define SEGMENT_VERSION	1U
#define SEGMENT_BLOCK	4096U		/* header and batches begin on these */
#define SEGMENT_MIN	(16U * SEGMENT_BLOCK)
#define SEGMENT_MAX	(1024U * 1024 * 1024)

/* Octets that a batch with len octets of records takes. */
#define BATCH_SIZE(len)	((RECORD_HEADER + (size_t)(len) + SEGMENT_BLOCK - 1) & \
			    ~(size_t)(SEGMENT_BLOCK - 1))

enum segment_verdict {
	SEGMENT_OK,
	SEGMENT_BAD,		/* not a header of ours, or damaged */
	SEGMENT_FOREIGN		/* another version of the format */
};

/* Write the header block (SEGMENT_BLOCK octets). */
void	segment_encode(uint8_t *, uint64_t epoch, uint64_t key, uint32_t size);
/* Read it; on SEGMENT_FOREIGN *version is what it says. */
enum segment_verdict segment_parse(const uint8_t *, size_t n, uint64_t *epoch,
	    uint64_t *key, uint32_t *size, uint32_t *version);

/*
 * Going through the records of a segment that is in memory.
 *
 * end is where it is known to end (0: not known, the log ended there when the
 * machine went down). record gets every good record, in order; bad one line
 * for what is damaged though it was durable; foreign batches or records are
 * damage too.
 */
struct segment_scan {
	const uint8_t	*p;
	size_t		 size;
	uint64_t	 epoch;
	uint64_t	 key;
	uint64_t	 seed;		/* set by segment_scan() */
	uint64_t	 end;
	void		(*record)(void *, const struct record *,
			    const uint8_t *payload, uint64_t off);
	void		(*bad)(void *, uint64_t off, const char *);
	void		*arg;
	/* result */
	uint64_t	 tail;		/* the first offset not used */
	uint64_t	 last;		/* the last good batch; 0: none */
	uint64_t	 records;
	unsigned int	 nbad;
	int		 torn;		/* a batch was begun at tail */
};

void	segment_scan(struct segment_scan *);

/*
 * Is p (n octets) a whole batch that belongs at off of the segment with that
 * seed? Then b is its header, and its records begin RECORD_HEADER behind p.
 */
int	segment_batch_ok(const uint8_t *p, size_t n, uint64_t seed,
	    uint64_t off, struct record *b);

/*
 * The table of segments: pairs of epoch and end. Gives the i-th; 0 when there
 * are fewer. The payload has passed its CRC.
 */
int	segment_table_get(const struct record *, const uint8_t *payload,
	    size_t i, uint64_t *epoch, uint64_t *end);
#define SEGMENT_TABLE_ENTRY	16U

#endif
