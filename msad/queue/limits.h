#ifndef QUEUE_LIMITS_H
#define QUEUE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/verdict.h"

#include "rate.h"
#include "room.h"

struct grant;

/* "try again after 2026-01-02 03:04:05 UTC" */
#define LIMITS_TEXT_MAX	96

/* What a transaction has taken; it begins as zeros. */
struct limits_taken {
	bool		 credential;	/* a message of its credential's */
	bool		 message;
	uint32_t	 recipients;
	uint64_t	 bytes;
	time_t		 until;		/* over a rate: held, seconds; or 0 */
	struct room_taken room;		/* of its tenant's */
};

/* Milliseconds, of the clock of rate.h. */
int64_t	 limits_clock(void);
/* Octets that a message of this login may have. */
uint64_t limits_size(const struct grant *);

/*
 * Take what MAIL begins: a message, of size octets (0: not known); a
 * recipient; and at the end of its data what it has indeed, of the login's
 * rates, its user's and its tenant's. VERDICT_OK, with taken->until set where
 * it has to be held; else VERDICT_RATE, with text (of LIMITS_TEXT_MAX) saying
 * when it is possible again, VERDICT_QUEUE_FULL when its tenant has as much in
 * the queue as it may, or VERDICT_TOO_BIG. Nothing is taken then.
 */
enum verdict limits_mail(const struct grant *, struct limits_taken *,
    uint64_t size, char *text);
enum verdict limits_rcpt(const struct grant *, struct limits_taken *,
    char *text);
enum verdict limits_end(const struct grant *, struct limits_taken *,
    uint64_t size, char *text);
/* It came to nothing: give back what was taken. */
void	 limits_return(const struct grant *, struct limits_taken *);
/* The spool has answered: what it has counts as being in the queue. */
void	 limits_stored(const char *tenant, struct limits_taken *);

/* --- for the operator --- */

/* A line: what is used of one limit. */
struct limits_line {
	struct rate_state	 state;
	uint64_t		 wait;	/* milliseconds until one is free */
};

/*
 * Call fn for counts, from *place on and at most max of them, or of those of a
 * user: "ann" is every ann@REALM, and ann's credentials. *place is where to go
 * on, RATE_NONE at the end. Returns how often fn was called.
 */
unsigned int limits_each(uint32_t *place, const char *user, unsigned int max,
    void (*fn)(void *, const struct limits_line *), void *arg);
/*
 * Set all counts of a user to 0; or, where a tenant is given, those of the
 * tenant as such, not of its users (user is not looked at). Returns how many
 * were not 0.
 */
unsigned int limits_reset(const char *user, const char *tenant);

#endif
