#ifndef CONTROL_STATS_H
#define CONTROL_STATS_H

#include <stdint.h>

#include "common/ipc_types.h"

/*
 * Take the page of a process's place behind fd (still the caller's), in place
 * of what was known of it. 0, or -1 with errno.
 */
int	 pages_take(enum ipc_role, uint32_t slot, int fd);
/* A place is no more: its counters stay in the sums, its gauges do not. */
void	 pages_forget(enum ipc_role, uint32_t slot);
/*
 * Add up all pages into sums[STAT_MAX]. Each sum is at most INT64_MAX; a gauge
 * below zero counts as zero.
 */
void	 pages_sum(uint64_t *sums);

#endif
