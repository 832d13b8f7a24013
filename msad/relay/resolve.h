#ifndef RELAY_RESOLVE_H
#define RELAY_RESOLVE_H

#include <stdint.h>

#include "common/ipc.h"

#define RESOLVE_MAX	64
#define RESOLVE_SECONDS	15

enum resolve_status {
	RESOLVE_OK = 0,		/* as in RESOLVED */
	RESOLVE_NO_NAME = 1,
	RESOLVE_NO_ADDRESS = 2,
	RESOLVE_TRANSIENT = 3
};

struct resolved {
	enum resolve_status	 status;
	unsigned int		 n;
	char			*addr[RESOLVE_MAX];	/* numeric */
};

struct query;

/* A channel from msad; the resolver may come and go. */
int	 resolve_channel(int fd, uint32_t index, uint64_t epoch);
/*
 * Ask for the addresses of name. done() is called once from the loop and may
 * take over the strings (and set n to 0). NULL: out of memory.
 */
struct query *resolve_start(const char *name,
	    void (*done)(struct resolved *, void *), void *arg);
/* done() will not be called. */
void	 resolve_cancel(struct query *);

#endif
