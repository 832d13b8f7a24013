#ifndef AUTH_EXTERNAL_H
#define AUTH_EXTERNAL_H

#include "msad/auth/blocks.h"
#include "msad/auth/mech.h"

/*
 * The login that the session's client certificate proves now. login has
 * IPC_USER_MAX + 1 octets. -1 with a static reason in plain words.
 */
int	 external_login(const struct auth_block *, const struct tls_facts *,
	    char *login, const char **reason);

#endif
