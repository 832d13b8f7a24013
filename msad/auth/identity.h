#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include <stdbool.h>

#include "common/slice.h"
#include "msad/auth/blocks.h"

/*
 * The login for a name that a token or a certificate proves: the name itself,
 * or, for an address, which must be one of the block's realm, that address or
 * its local part. login has IPC_USER_MAX + 1 octets. -1 with a static reason:
 * an address of another realm, or no fit name.
 */
int	 identity_login(const struct auth_block *, bool local_part,
	    struct slice name, char *login, const char **reason);

#endif
