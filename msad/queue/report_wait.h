#ifndef QUEUE_REPORT_WAIT_H
#define QUEUE_REPORT_WAIT_H

#include <stdint.h>
#include <time.h>

#include "common/conf_rates.h"

#include "index.h"

#define REPORT_KEYS_MAX	100000	/* addresses and users counted at once */

/* Its report is not to be written for so many seconds. */
void	 report_wait(struct message *, unsigned int seconds);
/* Once a second: call fn for those that have waited; it may free them. */
void	 report_wait_tick(time_t now, void (*fn)(struct message *, time_t));

/*
 * Take a place in the row of reports of that name (kind keeps names of
 * different things apart), at milliseconds that only go forward. Returns the
 * seconds until its turn comes, 0: now. The place is taken in any case.
 */
unsigned int report_turn(char kind, const char *name,
	    const struct conf_rate *, int64_t now);
/* The same for a report about m to this address. */
unsigned int report_turn_of(const struct message *m, const char *to,
	    int64_t now);

#endif
