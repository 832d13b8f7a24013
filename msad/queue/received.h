#ifndef QUEUE_RECEIVED_H
#define QUEUE_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/slice.h"

#define RECEIVED_MAX	2048	/* room that both fields need */

struct received {
	const char	*login;		/* who logged in, to be told; or NULL */
	const char	*hostname;
	uint64_t	 id;		/* queue id */
	bool		 esmtp;		/* EHLO, not HELO */
	bool		 tls;
	bool		 by_address;	/* no login was proved */
	bool		 utf8;		/* MAIL had SMTPUTF8 */
	struct slice	 cipher;	/* as claimed by the front-end */
	const char	*helo;		/* NULL: say nothing of the client */
	const char	*client;	/* numeric address */
	struct slice	 rcpt;		/* the only recipient, or "" */
	bool		 has_priority;	/* MT-PRIORITY was given */
	int		 priority;	/* and is this now (RFC 6710) */
	time_t		 now;
};

/*
 * Write the Received field with its CRLF into buf (RECEIVED_MAX octets), below
 * the Authentication-Results field of the login if there is one; a name that
 * cannot stand in a header has none.
 * Returns its length, -1 when something does not fit.
 */
int	 received_write(const struct received *, char *buf, size_t size);

#endif
