#ifndef FRONTEND_CHUNK_H
#define FRONTEND_CHUNK_H

#include <stdbool.h>

#include "msad/frontend/session.h"

/*
 * BDAT with these arguments (RFC 3030 section 2). refused: what the state of
 * the session forbids, or REPLY_NONE; the chunk is read and dropped then.
 */
void	 chunk_command(struct session *, struct slice args,
    enum reply refused);
/* Go on with the octets of a chunk; false when there is nothing to do. */
bool	 chunk_take(struct session *);

#endif
