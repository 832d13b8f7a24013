#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include "common/ipc.h"

/* The channels of this worker; NULL while there is none. */
struct ipc *frontend_auth(void);
struct ipc *frontend_queue(void);

#endif
