#ifndef QUEUE_DEADLINE_H
#define QUEUE_DEADLINE_H

#include <time.h>

#include "index.h"

/*
 * Do what follows from its time having passed. Returns the seconds after which
 * to ask again, because it cannot be done now; 0: it is done. May free it.
 */
typedef unsigned int	(*deadline_late)(struct message *, time_t now);

/* Watch the time by which it is to be delivered, if it has one (RFC 2852). */
void	 deadline_watch(const struct message *);
/* Once a second: call fn for messages whose time has passed. */
void	 deadline_tick(time_t now, deadline_late fn);

#endif
