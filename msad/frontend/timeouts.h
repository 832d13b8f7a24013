#ifndef FRONTEND_TIMEOUTS_H
#define FRONTEND_TIMEOUTS_H

#include <stdint.h>

#include "msad/frontend/session.h"

/* When the session has to be looked at, in ms of session_now(). */
int64_t	 timeouts_due(const struct session *);
/* That moment is there: reply, close, or finish what was held back. */
void	 timeouts_expired(struct session *, int64_t now);

#endif
