#ifndef AUTH_CONTROL_PRIV_H
#define AUTH_CONTROL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

/* Shared by control.c and trial.c. */

enum ctl_status { CTL_OK = 0, CTL_ERROR = 1, CTL_DENIED = 4, CTL_NO_MATCH = 5 };

/* The end of an answer. */
void	 control_end(struct ipc *, uint64_t sid, enum ctl_status,
	    uint32_t matched, uint64_t next, const char *reason);
/* Read the caller; true when he may ask and change. */
bool	 control_caller(struct ipc_reader *, uint32_t *uid);
/* Answer one who may not; false then. */
bool	 control_admit(struct ipc *, uint64_t sid, uint32_t uid, bool may);

#endif
