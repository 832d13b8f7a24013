#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"
#include "msad/auth/jwks.h"

#define JWT_SIZE_MAX	8192	/* octets of a token */
#define JWT_NAME_MAX	255	/* octets of the user's name */
#define JWT_LEEWAY	60	/* seconds that clocks may differ */

/* What a token must say. */
struct jwt_want {
	const struct jwks	*keys;
	const char		*issuer;
	const char		*audience;
	const char		*scope;		/* NULL: any */
	const char		*claim;		/* that names the user */
	int64_t			 now;		/* seconds since 1970 */
};

/* What it says. */
struct jwt {
	char		 name[JWT_NAME_MAX + 1];	/* when it is good */
	bool		 scope_missing;	/* that is why it is not good */
	const char	*reason;	/* static; why it is not good */
};

/*
 * A JSON Web Token (RFC 7519) in the compact form, signed. 0, or -1 with the
 * reason in plain words. Nothing of its claims counts before its signature.
 */
int	 jwt_check(struct slice token, const struct jwt_want *, struct jwt *);

#endif
