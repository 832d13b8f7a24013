#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include "common/ipc_types.h"

/*
 * Lock this process into what its role needs: after privileges are dropped,
 * before a byte from outside is handled. Linux: no_new_privs, Landlock and a
 * seccomp allow-list that kills (msad and msad-pam: a deny-list alone).
 * Returns 0, or -1 with *reason set; the caller must not go on.
 *
 * root is the path that the role may use ("/" of its changed root) when it
 * writes files: the queue's spool, a Maildir relay's folder. NULL: none.
 */
enum sandbox_extra {
	SANDBOX_PLAIN = 0,
	SANDBOX_MAILDIR,	/* a relay that writes files, no network */
	SANDBOX_FLUSHER,	/* queue's flusher: fdatasync and its socket */
	SANDBOX_HASHER		/* auth's hashers: their socket, processor */
};

int	 sandbox_apply(enum ipc_role, enum sandbox_extra, const char **reason);

#endif
