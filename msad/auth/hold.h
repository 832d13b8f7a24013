#ifndef AUTH_HOLD_H
#define AUTH_HOLD_H

#include <stdint.h>

#include "common/slice.h"

/*
 * Passwords that wait until another login of the same client and user has
 * ended (GUARD_WAIT).
 */
struct hold;

/*
 * Wait for that pair (guard_ticket). go() is called once, unless the hold is
 * freed, with the password as it was given; the hold is gone then. NULL: too
 * many wait.
 */
struct hold *hold_new(uint64_t pair, struct slice password,
	    void (*go)(void *, struct slice password), void *arg);
/* Nobody waits any more; the password is wiped. */
void	 hold_free(struct hold *);
/* A login of that pair has ended: those that wait go, first come first. */
void	 hold_release(uint64_t pair);

#endif
