#ifndef AUTH_PLAIN_H
#define AUTH_PLAIN_H

#include "common/slice.h"

/*
 * Take a PLAIN message (RFC 4616 section 2) apart. user and password point
 * into it. Returns 0, or -1 with *reason for the log; every failure is the
 * same 535 for the client. An authorization identity must be the user itself.
 */
int	 plain_parse(struct slice message, struct slice *user,
	    struct slice *password, const char **reason);

#endif
