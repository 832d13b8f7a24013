#ifndef QUEUE_WAKES_H
#define QUEUE_WAKES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Messages that something is to be done with at a time, the earliest first. A
 * message may leave the queue meanwhile: nobody has to take it out here. It
 * begins as zeros.
 */
struct wake {
	uint64_t	 id;
	uint32_t	 when;
};
struct wakes {
	struct wake	*w;
	size_t		 n, cap;
};

/* Ends the process when memory is out. */
void	 wakes_add(struct wakes *, uint64_t id, uint32_t when);
/* Take one out whose time has come: its id, or 0. */
uint64_t wakes_take(struct wakes *, uint32_t now);
/* Move all times by so many seconds. */
void	 wakes_move(struct wakes *, int64_t step);

#endif
