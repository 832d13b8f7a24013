#ifndef PARENT_RESTART_H
#define PARENT_RESTART_H

#include <stdbool.h>
#include <stdint.h>

/* Starts after a fault within a minute before a pause is made. */
#define RESTARTS_MAX	5

/* The starts of the last minute, oldest first; all 0: none. */
struct restart {
	int64_t	 starts[RESTARTS_MAX];
	int	 n;
};

/*
 * A fault happened at now (milliseconds, of a clock that only goes forward).
 * Returns after how many milliseconds to start again; *paused says whether
 * the limit was reached, so that this is the pause.
 */
int64_t	 restart_delay(struct restart *, int64_t now, bool *paused);

#endif
