#ifndef QUEUE_RATE_STORE_H
#define QUEUE_RATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

/*
 * The registers of the spool (spool.h) that hold counts, each with as many
 * keys: the place of a count is their product.
 */
#define RATE_REGISTER		UINT64_C(0x1000)
#define RATE_REGISTER_KEYS	1024
#define RATE_REGISTERS		98	/* for RATE_PLACES_MAX places */

/* Seconds after which a count is on its way to the disk; see below. */
#define RATE_STORE_SECONDS	2
/* Counts that go there at once. */
#define RATE_STORE_BATCH	2000

/*
 * A state was recovered, at this time (milliseconds since 1970, and of the
 * clock of rate.h). False: not of a register of ours.
 */
bool	 rate_store_recover(uint64_t id, uint32_t key, const void *, size_t,
    uint64_t wall, int64_t now);
void	 rate_store_init(struct spool *);
/*
 * Once a second: hand in what changed, at most RATE_STORE_BATCH counts every
 * RATE_STORE_SECONDS; at once when the process ends. After a crash what was
 * used in the last RATE_STORE_SECONDS, and in one flush of the disk, is
 * forgotten, more only when more users than that send at a time.
 */
void	 rate_store_tick(uint64_t wall, int64_t now, bool ends);
/* Is all on the disk? */
bool	 rate_store_idle(void);

#endif
