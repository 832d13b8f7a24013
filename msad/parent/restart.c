/*
 * When a process that died by its own fault is started again: at once after
 * the first fault of a minute, then more slowly, and after five of them when
 * the oldest is a minute old. Runs in msad; supervise.c asks.
 */

#include <string.h>

#include "msad/parent/restart.h"

#define MINUTE_MS	60000

int64_t
restart_delay(struct restart *r, int64_t now, bool *paused)
{
	static const int64_t	 delays[RESTARTS_MAX] = { 0, 100, 400, 1000,
				     2000 };
	int64_t			 oldest = r->faults[0];
	int			 old = 0;

	while (old < r->n && r->faults[old] <= now - MINUTE_MS)
		old++;
	*paused = old == 0 && r->n == RESTARTS_MAX;
	if (*paused)
		old = 1;	/* the oldest gives its place to this one */
	memmove(r->faults, r->faults + old,
	    (size_t)(r->n - old) * sizeof(r->faults[0]));
	r->n -= old;
	r->faults[r->n++] = now;
	return *paused ? oldest + MINUTE_MS - now : delays[r->n - 1];
}
