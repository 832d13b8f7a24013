/*
 * The sandbox on FreeBSD: capability mode, in which no process can name a
 * file, a process or an address. That suits those that live on descriptors
 * alone. The queue and a Maildir relay name files below their changed root,
 * relay and resolver name addresses: capability mode would take that away, so
 * user and root are what holds them. msad and msad-pam stay as they are.
 *
 * Not tested: written after the manual.
 */

#include <sys/capsicum.h>

#include <errno.h>
#include <stddef.h>

#include "common/sandbox.h"

int
sandbox_apply(enum ipc_role role, enum sandbox_extra extra,
    const char **reason)
{
	*reason = NULL;
	switch (role) {
	case ROLE_FRONTEND:
	case ROLE_AUTH:
	case ROLE_KEYS:
	case ROLE_CONTROL:
		break;
	case ROLE_QUEUE:
		if (extra == SANDBOX_FLUSHER)
			break;
		return 0;
	default:
		return 0;
	}
	if (cap_enter() == 0 || errno == ENOSYS)
		return 0;
	*reason = "cap_enter";
	return -1;
}
