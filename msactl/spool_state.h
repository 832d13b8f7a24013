#ifndef MSACTL_SPOOL_STATE_H
#define MSACTL_SPOOL_STATE_H

#include <jansson.h>
#include <stdint.h>

#include "common/slice.h"
#include "msad/queue/record.h"

/*
 * Add to o what the state record says: of a recipient, of a message as a whole,
 * or of a register. What is not understood is told as its key and octets.
 */
void	 spool_state_put(json_t *o, const struct record *,
	    const uint8_t *payload);
/* A string of the spool: "?" when it is no UTF-8. */
json_t	*spool_text(struct slice);

#endif
