#ifndef RELAY_DELIVERBY_H
#define RELAY_DELIVERBY_H

#include <stddef.h>

#include "msad/relay/job.h"

struct client;

#define DELIVERBY_PARAM_MAX	24	/* " BY=-999999999;RT" */

/* Has the time passed by which this job is not to be sent any more? */
int	 deliverby_lapsed(const struct job *);
/* May the next hop have it (RFC 2852)? 0, or -1 and the result. */
int	 deliverby_suits(const struct client *, const struct job *,
	    struct result *);
/* Is the next hop to take on what the job's BY asks for? */
int	 deliverby_is_told(const struct client *, const struct job *);
/* " BY=..." for MAIL, with the seconds left at this moment, or "". */
void	 deliverby_param(const struct client *, const struct job *,
	    char buf[DELIVERBY_PARAM_MAX]);

#endif
