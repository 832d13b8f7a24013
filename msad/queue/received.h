#ifndef QUEUE_RECEIVED_H
#define QUEUE_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/slice.h"

#define RECEIVED_MAX	1024	/* room that a Received field needs */

struct received {
	const char	*hostname;
	uint64_t	 id;		/* queue id */
	bool		 esmtp;		/* EHLO, not HELO */
	bool		 tls;
	struct slice	 cipher;	/* as claimed by the front-end */
	struct slice	 rcpt;		/* the only recipient, or "" */
	time_t		 now;
};

/*
 * Write the Received field with its CRLF into buf (RECEIVED_MAX octets).
 * Returns its length, -1 when something does not fit.
 */
int	 received_write(const struct received *, char *buf, size_t size);

#endif
