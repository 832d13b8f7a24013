#ifndef AUTH_HASHERS_H
#define AUTH_HASHERS_H

#include <stddef.h>

#include "common/slice.h"
#include "msad/auth/credential.h"

#define HASHERS_BUSY	(-2)	/* not found out in time */

struct event_base;
struct hash_job;

/* Start the processes; before the sandbox. 0, or -1 with errno. */
int	 hashers_early(void);
/* base runs the rest. */
void	 hashers_init(struct event_base *);
/*
 * Which of the n credentials does the password fit? It is copied, and wiped
 * after use; the credentials are referenced. done() gets the index,
 * HASHER_NONE or HASHERS_BUSY; once, later, unless cancelled. NULL: too many
 * wait already.
 */
struct hash_job *hashers_submit(struct credential *const *, size_t n,
	    struct slice password, void (*done)(void *, int), void *arg);
/* Has a hasher got it? */
bool	 hashers_begun(const struct hash_job *);
void	 hashers_cancel(struct hash_job *);
/* End all; jobs get HASHERS_BUSY. */
void	 hashers_stop(void);

#endif
