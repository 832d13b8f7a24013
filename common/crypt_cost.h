#ifndef COMMON_CRYPT_COST_H
#define COMMON_CRYPT_COST_H

#include "common/slice.h"

#define CRYPT_BCRYPT_MAX	16	/* log2 of rounds */
#define CRYPT_ROUNDS_MAX	1000000	/* of SHA-512 and SHA-256 */
/* N * r * p of scrypt and yescrypt, 128 octets each: 512 MiB, two seconds. */
#define CRYPT_WORK_MAX		(UINT64_C(1) << 22)

/*
 * Is what a hash of crypt(3) asks within these limits? 0, or -1 with *reason
 * (static): it is not, its parameters cannot be read, or its method is not
 * one that is taken.
 */
int	 crypt_cost_check(struct slice hash, const char **reason);

#endif
