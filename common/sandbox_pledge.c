/*
 * The sandbox on OpenBSD: pledge(2) by role. The changed root takes the place
 * of unveil(2). msad and msad-pam stay as they are: msad must open what a
 * reload names, and runs programs; there is no PAM on OpenBSD.
 *
 * Not tested: written after the manual.
 */

#include <stddef.h>
#include <unistd.h>

#include "common/sandbox.h"

static const char *
promises(enum ipc_role role, enum sandbox_extra extra)
{
	switch (role) {
	case ROLE_FRONTEND:
	case ROLE_CONTROL:
		return "stdio recvfd sendfd inet unix";
	case ROLE_AUTH:
		return extra == SANDBOX_HASHER ? "stdio" :
		    "stdio recvfd sendfd unix";
	case ROLE_KEYS:
		return "stdio recvfd sendfd";
	case ROLE_QUEUE:
		return extra == SANDBOX_FLUSHER ? "stdio recvfd" :
		    "stdio recvfd sendfd rpath wpath cpath flock";
	case ROLE_RELAY:
		return extra == SANDBOX_MAILDIR ?
		    "stdio recvfd rpath wpath cpath" : "stdio recvfd inet";
	case ROLE_RESOLVER:
		return "stdio recvfd inet";
	case ROLE_LOOKUP:
		return "stdio recvfd inet flock";
	default:
		return NULL;
	}
}

int
sandbox_apply(enum ipc_role role, enum sandbox_extra extra,
    const char **reason)
{
	const char	*words = promises(role, extra);

	*reason = NULL;
	if (words == NULL || pledge(words, "") == 0)
		return 0;
	*reason = "pledge";
	return -1;
}
