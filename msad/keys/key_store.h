#ifndef KEYS_KEY_STORE_H
#define KEYS_KEY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define KEY_ID_LEN	32	/* SHA-256 of the SubjectPublicKeyInfo */
#define KEY_SIG_MAX	1024	/* RSA up to 8192 bits */
#define KEY_FILE_MAX	65536	/* octets of a PEM file */

struct key_set;
struct key;

/*
 * Put OpenSSL's private numbers into locked memory that is left out of core
 * dumps. Before any key is read and before the sandbox. 0, or -1 when the
 * memory could not be had or locked (keys can still be used then).
 */
int	 key_store_init(void);

/* An empty set; NULL when memory is out. */
struct key_set *key_set_new(void);
void	 key_set_free(struct key_set *);
/*
 * Parse a PEM private key and keep it as name. pem is only read; the caller
 * wipes it. 0, or -1 with a reason written.
 */
int	 key_set_add(struct key_set *, struct slice name, struct slice pem,
	    char *reason, size_t size);
bool	 key_set_has(const struct key_set *, const char *name);
size_t	 key_set_count(const struct key_set *);
/* The key whose id is the KEY_ID_LEN octets at id, or NULL. */
const struct key *key_set_find(const struct key_set *, const uint8_t *id);
/*
 * Sign tbs if it is what tls_sign.h allows. sig holds KEY_SIG_MAX octets.
 * Returns the signature's length, or -1 with *reason.
 */
int	 key_sign(const struct key *, uint8_t padding, struct slice digest,
	    struct slice tbs, uint8_t *sig, const char **reason);

#endif
