#ifndef QUEUE_CLAIM_H
#define QUEUE_CLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf_rates.h"

#include "rate.h"

/* What a message is measured by: a rate that holds for who sends it. */
struct claim {
	struct rate_key	 key;
	struct rate	 rate;
	bool		 hold;	/* what is over it is held, else refused */
	const char	*word;	/* for the log: "tenant-messages" */
};

#define CLAIMS_MAX	2	/* of a kind: the user's, the tenant's */

/*
 * The rates of that kind for a user, by its own address, and its tenant (""
 * none), as they are configured now. The strings are kept, not copied. Returns
 * how many there are.
 */
size_t	 claims_of(const char *tenant, const char *own, enum conf_rate_kind,
    struct claim claims[CLAIMS_MAX]);

#endif
