/*
 * When a process that died by its own fault is started again: at once after
 * the first fault of a minute, then more slowly, and after five starts when
 * the first of them is a minute old. Runs in msad; supervise.c asks.
 */

#include <string.h>

#include "msad/parent/restart.h"

#define MINUTE_MS	60000

int64_t
restart_delay(struct restart *r, int64_t now, bool *paused)
{
	static const int64_t	 delays[RESTARTS_MAX] = { 0, 100, 400, 1000,
				     2000 };
	int64_t			 delay;
	int			 old = 0;

	while (old < r->n && r->starts[old] <= now - MINUTE_MS)
		old++;
	*paused = old == 0 && r->n == RESTARTS_MAX;
	if (*paused)
		delay = r->starts[old++] + MINUTE_MS - now;
	else
		delay = delays[r->n - old];
	memmove(r->starts, r->starts + old,
	    (size_t)(r->n - old) * sizeof(r->starts[0]));
	r->n -= old;
	r->starts[r->n++] = now + delay;
	return delay;
}
