#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include <stddef.h>

#include "common/slice.h"

#define JWKS_SIZE_MAX	(256 * 1024)	/* octets of a file */
#define JWKS_KEYS_MAX	64
#define JWKS_DEPTH_MAX	16		/* arrays and objects in each other */

/* How tokens are signed (RFC 7518, RFC 8037). There is no "none". */
enum jwk_alg { JWK_NONE, JWK_RS256, JWK_ES256, JWK_EDDSA };

/*
 * The public keys of an identity provider (RFC 7517), each for one algorithm.
 * Counted references: a login may be using what a reload takes away.
 */
struct jwks;

/*
 * Read fd, which stays open; path is for messages. NULL with
 * "path: key N: reason" in reason: no key set, a secret in it, a key that is
 * too weak, or no key that could be used. Keys for other purposes and other
 * algorithms are passed over.
 */
struct jwks *jwks_load(int fd, const char *path, char *reason, size_t size);
/* The same from memory. */
struct jwks *jwks_parse(struct slice text, const char *path, char *reason,
	    size_t size);
struct jwks *jwks_ref(struct jwks *);
void	 jwks_release(struct jwks *);

/* "RS256" and its like; JWK_NONE: not one that counts here. */
enum jwk_alg jwk_alg(const char *name);
/*
 * Is it the signature of data by the key of that id? kid NULL: by the only key
 * of that algorithm. *reason is static.
 */
int	 jwks_verify(const struct jwks *, enum jwk_alg, const char *kid,
	    struct slice data, struct slice signature, const char **reason);

/* base64url without padding (RFC 7515 section 2). Octets, or -1. */
int	 base64url_decode(struct slice in, unsigned char *out, size_t size);
/* Are arrays and objects nested no deeper than that? Octets of JSON. */
int	 json_depth_ok(struct slice text, unsigned int max);

#endif
