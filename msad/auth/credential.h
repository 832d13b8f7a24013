#ifndef AUTH_CREDENTIAL_H
#define AUTH_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/network.h"
#include "common/slice.h"

/*
 * One secret of a user in a passwd file, and what it is good for. A user may
 * have several (app passwords), told apart by label. Counted references, since
 * a reload may drop the file while a login or a session uses it.
 */
#define CREDENTIAL_LIST_MAX	64	/* entries of each list */

struct credential {
	unsigned int	 refs;
	char		*user;
	char		*label;		/* "" none */
	char		*crypt;		/* crypt(3) string, or NULL */
	struct scram_verifier *sha256;	/* or NULL (scram.h) */
	struct scram_verifier *sha1;	/* or NULL */
	/* Restrictions; empty or 0: none. */
	uint64_t	 expires;	/* seconds since 1970 */
	uint64_t	 relay_after;	/* no-relay-before */
	uint32_t	 rate;		/* messages an hour */
	unsigned int	 mechs;		/* CONF_MECH_* it may be used with */
	struct network	*networks;	/* clients it may come from */
	size_t		 nnetworks;
	char		**senders;	/* address or @domain */
	size_t		 nsenders;
	char		**rcpt_domains;
	size_t		 nrcpt_domains;
};

struct credential *credential_ref(struct credential *);
void	 credential_release(struct credential *);
/* May it be used with that mechanism (CONF_MECH_*)? */
bool	 credential_takes(const struct credential *, unsigned int mech);
/* May it be used now, from there? *reason is static. */
bool	 credential_fits(const struct credential *, struct slice client,
	    uint64_t now, const char **reason);

#endif
