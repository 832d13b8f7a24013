/*
 * Records of the log spool, as octets. See record.c.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_HEADER	56U
#define RECORD_VERSION	1U
#define RECORD_MAX	(4U * 1024 * 1024)	/* octets of one payload */

/* Octets that a record with len octets of payload takes. */
#define RECORD_SIZE(len)	((RECORD_HEADER + (size_t)(len) + 7) & \
				    ~(size_t)7)

enum record_type {
	/* what follows was written and flushed as one */
	RECORD_BATCH = 1,
	RECORD_MESSAGE,		/* envelope, prefix and body */
	RECORD_STATE,
	RECORD_REMOVE,
	RECORD_TABLE		/* the segments there are, and where they end */
};

#define RECORD_BODY_FILE	0x0001	/* message: the body is bodies/ID */

struct record {
	uint8_t		type;
	uint16_t	flags;
	uint32_t	len;		/* octets of payload */
	/* state: its key; batch: records in it */
	uint32_t	key;
	uint64_t	id;		/* message; batch: durable epoch */
	uint32_t	envlen;
	uint32_t	prefixlen;
	uint64_t	bodylen;	/* message; batch: durable offset */
	uint32_t	bodycrc;	/* message with a body file */
	uint32_t	crc;		/* of the payload */
};

enum record_verdict {
	RECORD_OK,
	/* not a record of this segment at this offset */
	RECORD_NONE,
	RECORD_FOREIGN		/* one, of a version not known here */
};

/* Write the header at p (RECORD_HEADER octets); payload's CRC is r->crc. */
void	record_encode(uint8_t *p, const struct record *r);
/*
 * Finish the header at p for its place: offset off of the segment with that
 * seed, which is the segment's epoch XOR the spool's secret key.
 */
void	record_seal(uint8_t *p, uint64_t seed, uint64_t off);
/*
 * Read the header at p, of which n octets may be looked at, that should lie at
 * off of the segment with that seed. What r says is then within limits, but may
 * reach beyond n.
 */
enum record_verdict record_parse(const uint8_t *p, size_t n, uint64_t seed,
	    uint64_t off, struct record *r);
/* Is the payload (r->len octets) what was written? */
int	record_payload_ok(const struct record *r, const uint8_t *payload);

/* Integers in the order of the disk: little endian. */
void	 le32_put(uint8_t *, uint32_t);
void	 le64_put(uint8_t *, uint64_t);
uint32_t le32_get(const uint8_t *);
uint64_t le64_get(const uint8_t *);

#endif
