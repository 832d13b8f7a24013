#ifndef FRONTEND_REMOTE_KEY_PROVIDER_H
#define FRONTEND_REMOTE_KEY_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/core.h>

#include "common/slice.h"

#define REMOTE_KEY_LABEL	"MSAD REMOTE KEY"
#define REMOTE_KEY_ID_LEN	32	/* SHA-256 of the public key info */
#define REMOTE_KEY_TBS_MAX	1024	/* longest input that is sent */

/* The padding octet of KEY_SIGN. */
#define REMOTE_KEY_NONE		0
#define REMOTE_KEY_PKCS1	1
#define REMOTE_KEY_PSS		6

/* The provider's entry point, for OSSL_PROVIDER_add_builtin(). */
OSSL_provider_init_fn remote_key_provider_init;

/*
 * In remote_key.c: have msad-keys sign tbs and write at most size octets to
 * sig. Blocks for a bounded time. Returns the signature's length or -1.
 */
int	 remote_key_sign(const uint8_t id[REMOTE_KEY_ID_LEN], uint8_t padding,
	    const char *digest, struct slice tbs, uint8_t *sig, size_t size);

#endif
