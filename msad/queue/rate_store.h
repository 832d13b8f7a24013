#ifndef QUEUE_RATE_STORE_H
#define QUEUE_RATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registers.h"

struct spool;

/*
 * The registers of the spool (spool.h) that hold counts, each with as many
 * keys: the place of a count is their product.
 */
#define RATE_REGISTER		REGISTER_RATES
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
 * Once a second: hand in what changed, at most RATE_STORE_BATCH counts, those
 * that wait longest first, at the first call that is RATE_STORE_SECONDS after
 * the last time and finds that one on the disk; at once when the process ends.
 * After a crash a count is what was written of it last: what was used in a
 * second more than RATE_STORE_SECONDS, and in one flush of the disk, is
 * forgotten, and as much again for each further RATE_STORE_BATCH counts that
 * change all the time.
 */
void	 rate_store_tick(uint64_t wall, int64_t now, bool ends);
/* Is all on the disk? */
bool	 rate_store_idle(void);

#endif
