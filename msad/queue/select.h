#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/selection.h"

#include "index.h"

/* Of one step: it ends when this many messages were looked at ... */
#define SELECT_LOOKED_MAX	20000
/* ... or this time has passed. */
#define SELECT_MS_MAX		10

/* Is the message selected? */
bool	 select_matches(const struct selection *, const struct message *,
	    time_t now);
/*
 * Call fn for each selected message behind id *after, in ascending id, at most
 * max; fn returns false when it wants no more. It may change the message in any
 * way but free it at once. Costs what matches the cheapest of the selection's
 * keys, and no more than a step's bounds. Returns how many there were; *after
 * is where to go on, 0: there are no more.
 */
uint32_t select_step(const struct selection *, uint64_t *after, uint32_t max,
	    time_t now, bool (*fn)(void *, struct message *), void *arg);

#endif
