#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"
#include "msad/auth/credential.h"

/*
 * Passwords that were right lately: HMAC-SHA-256 under a key made at start, of
 * (block, user, password), for as long as the block says. In locked memory
 * that is not dumped. Bounded; the oldest entry gives way.
 */

/* At start, before the sandbox. 0, or -1 with errno. */
int	 cache_init(void);
/*
 * Was this password right within the last ttl seconds? A hit gives the user as
 * the backend named it (copied into user) and the credential, referenced for
 * the caller, or NULL. A wrong password changes nothing.
 */
bool	 cache_find(struct slice block, struct slice name,
	    struct slice password, unsigned int ttl, int64_t now_ms,
	    char *user, size_t size, struct credential **);
/*
 * It was right: remember it, in place of every other password of that user in
 * that block, except those of other labels.
 */
void	 cache_put(struct slice block, struct slice name,
	    struct slice password, struct slice user, struct credential *,
	    int64_t now_ms);
/* Forget what is known of a user in all blocks; user NULL: of everybody. */
unsigned int cache_flush(const char *user);
/* Another number after each flush. */
unsigned int cache_flushed(void);
unsigned int cache_entries(void);

#endif
