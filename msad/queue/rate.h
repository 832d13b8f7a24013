#ifndef QUEUE_RATE_H
#define QUEUE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted. The numbers stand in the spool: append only. */
enum rate_kind {
	RATE_CREDENTIAL = 1,	/* messages of one credential */
	RATE_MESSAGES,		/* of a user, over all credentials, ... */
	RATE_RECIPIENTS,
	RATE_BYTES,
	RATE_TENANT_MESSAGES,	/* of all users of a tenant, ... */
	RATE_TENANT_RECIPIENTS,
	RATE_TENANT_BYTES,
	RATE_KINDS
};

/* Whose it is. */
struct rate_key {
	enum rate_kind	 kind;
	const char	*space;		/* tenant; credential: auth block */
	const char	*user;		/* its address; login; "": a tenant */
	const char	*label;		/* of the credential, or "" */
};

/* n in so many seconds. Both at least 1, period at most a day. */
struct rate {
	uint64_t	 n;
	uint32_t	 period;
};

#define RATE_PLACES_MAX	100000	/* counts in memory that are not 0 */
#define RATE_KEY_MAX	1024	/* octets of a key's strings */
#define RATE_NONE	UINT32_MAX

/* A count as it is now. */
struct rate_state {
	struct rate_key	 key;		/* points into the count */
	struct rate	 rate;		/* by which it falls */
	uint64_t	 used;		/* begun units */
};

/*
 * Take n. now is in milliseconds of a clock that only goes forward. extra is
 * what may be taken above the rate. False when that is not there now. *wait is
 * then the milliseconds until it is; else those until what was taken is within
 * the rate, 0 when it is so already.
 */
bool	 rate_take(const struct rate_key *, struct rate, uint64_t n,
    uint64_t extra, int64_t now, uint64_t *wait);
/* What was taken did not come about: give it back. */
void	 rate_return(const struct rate_key *, uint64_t n, int64_t now);
/* What is used now; 0 when nothing is known. */
uint64_t rate_used(const struct rate_key *, struct rate, int64_t now);
/*
 * Milliseconds until the count, were less of it used, is within the rate; 0
 * when it is so, or when nothing is known.
 */
uint64_t rate_wait(const struct rate_key *, struct rate rate, uint64_t less,
    int64_t now);
/* Set the count to 0. False: it was. */
bool	 rate_reset(const struct rate_key *, int64_t now);
/* Forget those that are 0. */
void	 rate_sweep(int64_t now);
unsigned int rate_count(void);
/* The first count from this place on; its place, RATE_NONE at the end. */
uint32_t rate_next(uint32_t place, int64_t now, struct rate_state *);

/*
 * For rate_store.c: a count that changed since it was last taken from here, its
 * place below RATE_PLACES_MAX, where it is kept until another comes there.
 * RATE_NONE: there is none.
 */
uint32_t rate_changed(int64_t now, struct rate_state *, uint64_t *parts);
/* All are changed again: what was taken is not on the disk. */
void	 rate_all_changed(void);
unsigned int rate_nchanged(void);
/*
 * A count found in the spool at this place: parts of it were used when that
 * many milliseconds fewer had passed.
 */
void	 rate_recover(uint32_t place, const struct rate_key *, struct rate,
    uint64_t parts, uint64_t passed, int64_t now);

#endif
