#ifndef QUEUE_GRANT_H
#define QUEUE_GRANT_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/slice.h"

#include "scope.h"

/* Seconds after which a grant ends, whatever its session does. */
#define GRANT_AGE_MAX	(24 * 60 * 60)

struct transaction;

/*
 * Who a session of a front-end is, as msad-auth said: the only source of
 * identity in the queue. Key: the front-end's epoch and its session id.
 */
struct grant {
	RB_ENTRY(grant)		 by_key;
	TAILQ_ENTRY(grant)	 by_age;
	uint64_t		 epoch;
	uint64_t		 sid;
	time_t			 since;		/* monotonic seconds */
	bool			 revoked;	/* all but its transaction */
	bool			 local;		/* by the local socket */
	bool			 committing;	/* SMTP_END not answered */
	char			*user;
	char			*tenant;
	char			*auth;		/* name of the auth block */
	char			*mech;
	char			*client;	/* numeric address */
	char			*own;		/* what `own` stands for */
	struct scope		 scope;		/* of its credential */
	struct transaction	*tx;		/* or NULL */
};

/* What a grant is made of, as it came from auth. */
struct grant_claim {
	uint64_t	 epoch;
	uint64_t	 sid;
	struct slice	 user, tenant, auth, mech, client, realm;
	const struct scope_claim *scope;	/* NULL: no restriction */
};

/* drop is called for a grant that ends with a transaction open. */
void	 grant_init(void (*drop)(struct grant *));
/*
 * Take a grant. Returns NULL when one with this key exists (auth is told that
 * it is in use), the user's name is empty, the scope cannot be read or memory
 * is out. hostname stands in for an empty realm.
 */
struct grant *grant_take(const struct grant_claim *, const char *hostname,
    time_t now);
/* The grant of a session, revoked ones too; NULL when there is none. */
struct grant *grant_find(uint64_t epoch, uint64_t sid);
/*
 * What `own` stands for: the login where it is an address, else login@realm,
 * or hostname where the realm is empty; malloc'd. NULL: memory is out.
 */
char	*grant_own(struct slice user, struct slice realm, const char *hostname);
/* The first one behind that key, in the order of keys; NULL: no more. */
struct grant *grant_after(uint64_t epoch, uint64_t sid);
/* Revoke all that have one of these flags (GRANT_*). Returns how many. */
unsigned int grant_revoke_flagged(uint8_t flags);
/*
 * The user may no longer: the grant ends at once. While a transaction is open
 * it is kept, marked revoked, so that what is under way from the front-end is
 * still understood and answered with a refusal.
 */
void	 grant_revoke(struct grant *);
/* The session is over: end the grant with its transaction. */
void	 grant_end(struct grant *);
/* The front-end's channel is gone: end all that came through it. */
void	 grant_end_channel(uint64_t epoch);
/* Revoke what is older than GRANT_AGE_MAX. Returns how many. */
unsigned int grant_expire(time_t now);

#endif
