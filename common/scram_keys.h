#ifndef COMMON_SCRAM_KEYS_H
#define COMMON_SCRAM_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define SCRAM_HASH_MAX		32	/* octets of SHA-256; SHA-1 has 20 */
#define SCRAM_SALT_MAX		64
#define SCRAM_ITERATIONS_MIN	4096	/* RFC 7677 section 4 */
#define SCRAM_ITERATIONS_MAX	1000000	/* about a third of a second */
#define SCRAM_ITERATIONS	15000	/* of verifiers that we make */
#define SCRAM_SALT		16	/* octets, likewise */
#define SCRAM_TEXT_MAX		256	/* a verifier as text, with NUL */

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256 };

/* What a server keeps of a password (RFC 5802 section 3). */
struct scram_verifier {
	uint32_t	 iterations;
	uint8_t		 salt[SCRAM_SALT_MAX];
	size_t		 nsalt;
	uint8_t		 stored[SCRAM_HASH_MAX];
	uint8_t		 server[SCRAM_HASH_MAX];
};

/* Octets of the hash. */
size_t	 scram_hash_len(enum scram_hash);
/* HMAC(key, text); out takes scram_hash_len() octets. 0 or -1. */
int	 scram_hmac(enum scram_hash, const uint8_t *key, size_t nkey,
	    struct slice text, uint8_t *out);
/* H(in) of as many octets as the hash has. 0 or -1. */
int	 scram_h(enum scram_hash, const uint8_t *in, uint8_t *out);
/*
 * Make the keys of a password, whose salt and iterations stand in v. The
 * password should be prepared (saslprep.h). Takes as long as the iterations
 * ask. 0 or -1.
 */
int	 scram_derive(enum scram_hash, struct slice password,
	    struct scram_verifier *v);
/*
 * "iterations,salt,StoredKey,ServerKey", the last three in base64, as
 * doveadm-pw(1) prints it. 0, or -1 with *reason (static).
 */
int	 scram_parse(enum scram_hash, struct slice text,
	    struct scram_verifier *, const char **reason);
/* The same text again, in buf. */
int	 scram_print(enum scram_hash, const struct scram_verifier *, char *buf,
	    size_t size);

#endif
