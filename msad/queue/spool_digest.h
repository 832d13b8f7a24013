/*
 * Digests of segments: what a start needs of one, in a file of its own. See
 * spool_digest.c. Private to the log engine.
 */
#ifndef SPOOL_DIGEST_H
#define SPOOL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "msad/queue/record.h"

#define DIGEST_HEADER	64U
#define DIGEST_ENTRY	40U
#define DIGEST_VERSION	1U
/* octets of what an entry keeps: an envelope or a state */
#define DIGEST_DATA_MAX	(512U * 1024)

/* A digest in memory: the header's place and the entries. */
struct digest {
	uint8_t		*p;
	size_t		 len, alloc;
	uint32_t	 count;
	/* it is in its file as well, and that was read or written whole */
	int		 stored;
};

/* One record of the segment. */
struct digest_entry {
	uint32_t	 off;		/* in the segment */
	uint32_t	 len;		/* octets of its payload there */
	uint64_t	 id;
	uint32_t	 key;
	uint8_t		 type;
	uint8_t		 flags;
	uint64_t	 size;		/* message: octets of its content */
	const uint8_t	*data;		/* message: envelope; state: payload */
	uint32_t	 datalen;
};

struct spool;
struct segment;

/* Add a record; -1: no memory. */
int	digest_add(struct digest *, const struct record *,
	    const uint8_t *payload, uint32_t off);
/*
 * Read the entry at offset at of p (n octets); its octets, 0: there is none or
 * it is none of ours.
 */
size_t	digest_get(const uint8_t *p, size_t n, size_t at,
	    struct digest_entry *);
/* Write the header for a segment that ends there. */
void	digest_seal(struct digest *, uint64_t epoch, uint64_t key,
	    uint32_t end);
/* Is p a whole digest of that segment with that end? */
int	digest_ok(const uint8_t *p, size_t n, uint64_t epoch, uint64_t key,
	    uint32_t end);
void	digest_free(struct digest *);

/* --- in the spool's directory --- */

void	spool_digest_name(char *, size_t, uint64_t epoch);
/*
 * A record of seg is durable, and so are all before it: into its digest. When
 * memory is short, it gets none.
 */
void	spool_digest_note(struct segment *, const uint8_t *record,
	    uint32_t off);
/* Nothing will be added to seg any more: write its digest and forget it. */
void	spool_digest_leave(struct spool *, struct segment *);
/* Write it; 0, or -1: then the segment is scanned at the next start. */
int	spool_digest_write(struct spool *, struct segment *);
/* Remove its file, if there is one. */
void	spool_digest_remove(struct spool *, uint64_t epoch);
/*
 * Read the digest of a segment whose end is known: its octets in *buf, which
 * grows as needed. 0 when there is none that fits.
 */
size_t	spool_digest_read(struct spool *, const struct segment *,
	    uint8_t **buf, size_t *alloc);

#endif
