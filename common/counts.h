#ifndef COMMON_COUNTS_H
#define COMMON_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/network.h"

/*
 * Connections over all front-end workers: one sealed memory file, a row for
 * each worker, which alone writes it; all read all. A row has its total and
 * two rows of cells that networks are counted in by a keyed hash, so that a
 * network's count is the lesser of two sums: never too low, and too high only
 * when others share both cells.
 */
#define COUNTS_WORKERS	256	/* frontend workers there may be */
#define COUNTS_CELLS	32768

struct counts;

/* Limits of a check; 0: none. */
struct counts_max {
	uint32_t	 total;
	uint32_t	 address;
	uint32_t	 network;
};

/* --- msad --- */

/* Make the file. A descriptor, or -1 with errno. */
int	 counts_create(void);
/* Worker slot is dead: its connections are gone. */
void	 counts_clear(int fd, uint32_t slot);

/* --- a front-end --- */

/* Map the file; this process is worker slot. NULL with errno. */
struct counts *counts_map(int fd, uint32_t slot);
void	 counts_unmap(struct counts *);
/*
 * Count one more connection of that address and network. False: a limit is
 * passed, and nothing was counted.
 */
bool	 counts_enter(struct counts *, const struct network *address,
    const struct network *network, const struct counts_max *);
/* One that was counted is over. */
void	 counts_leave(struct counts *, const struct network *address,
    const struct network *network);
/* How many there are now. */
uint32_t counts_total(const struct counts *);
uint32_t counts_of(const struct counts *, const struct network *);

#endif
