#ifndef QUEUE_RATE_H
#define QUEUE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Whose messages count together: a login's, with one of its credentials. */
struct rate_key {
	const char	*auth;		/* block */
	const char	*user;
	const char	*label;
};

#define RATE_KEYS_MAX	100000	/* credentials with messages in an hour */

/*
 * Take one message of that many an hour. now is in milliseconds of a clock
 * that only goes forward. False when there is none now, with *wait the seconds
 * until there is.
 */
bool	 rate_take(const struct rate_key *, uint32_t an_hour, int64_t now,
    unsigned int *wait);
/* The message did not come about: give it back. */
void	 rate_return(const struct rate_key *, int64_t now);
/* Forget those of whom no message counts any more. */
void	 rate_sweep(int64_t now);
unsigned int rate_count(void);

#endif
