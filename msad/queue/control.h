#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

struct spool;

void	 control_init(struct spool *);

struct ipc_reader;

enum ctl_status { CTL_OK = 0, CTL_ERROR = 1, CTL_DENIED = 4, CTL_NO_MATCH = 5 };

/* The caller's uid, for the log; the reader stays where it is. */
uint32_t control_uid(const struct ipc_reader *);
/* Read the caller: may he ask and steer? */
bool	 control_caller(struct ipc_reader *);
/* Answer one that may not; false then. */
bool	 control_admit(struct ipc *, uint64_t sid, bool may);
/* The end of an answer. */
void	 control_end(struct ipc *, uint64_t sid, enum ctl_status,
    uint32_t matched, uint64_t next, const char *reason);

/* What msad-control may ask; arg is its struct peer. */
extern const struct ipc_handler control_handlers[];

#endif
