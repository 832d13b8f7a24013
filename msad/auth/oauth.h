#ifndef AUTH_OAUTH_H
#define AUTH_OAUTH_H

#include <stdbool.h>

#include "common/slice.h"

/* What the messages of OAUTHBEARER (RFC 7628) and XOAUTH2 hold. */
struct oauth_message {
	struct slice	 user;		/* as it is encoded; "" not given */
	struct slice	 host;		/* likewise */
	struct slice	 port;
	struct slice	 token;
};

/* 0, or -1: malformed, or no bearer token in it. */
int	 oauth_parse(struct slice, bool xoauth2, struct oauth_message *);

#endif
