#ifndef FRONTEND_PROXY_H
#define FRONTEND_PROXY_H

#include <sys/socket.h>

#include <stddef.h>

#include "common/slice.h"

/* The longest header that is read: of version 1 and of version 2 at all. */
#define PROXY_V1_MAX	107
#define PROXY_HEADER_MAX	4096

#define PROXY_V1	0x01
#define PROXY_V2	0x02

enum proxy_verdict {
	PROXY_BAD = -1,		/* no valid header can come of this */
	PROXY_MORE,		/* all of it is of a header not yet whole */
	PROXY_DONE
};

struct proxy {
	size_t			 len;	/* octets of the header */
	/* Of the client; AF_UNSPEC: the socket's address holds. */
	struct sockaddr_storage	 client;
	/* Where it connected to; AF_UNSPEC likewise. */
	struct sockaddr_storage	 server;
};

/*
 * Parse the PROXY header at the beginning of in (haproxy's proxy-protocol.txt
 * sections 2.1 and 2.2); versions are the PROXY_V* that may come.
 */
enum proxy_verdict proxy_parse(struct slice in, unsigned int versions,
    struct proxy *);

#endif
