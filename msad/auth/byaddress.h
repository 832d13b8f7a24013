#ifndef AUTH_BYADDRESS_H
#define AUTH_BYADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/network.h"
#include "common/slice.h"

/*
 * Addresses that stand for a login (POP before SMTP): by "msactl grant", for a
 * time, at listeners that allow it. Not kept over a restart of msad-auth. Time
 * comes from the caller: ms of a clock that never goes back.
 */
#define BYADDRESS_MAX		16384	/* at once */
#define BYADDRESS_SECONDS_MAX	86400	/* of one */

struct byaddress {
	struct network	 address;	/* with all its bits */
	char		*block;
	char		*user;
	int64_t		 until;		/* ms */
	uint64_t	 serial;	/* place in the list, from 1 on */
	unsigned int	 sessions;	/* that it logs in now */
};

/*
 * gone is called for each one that no longer holds, before it is freed: its
 * sessions end there.
 */
void	 byaddress_init(void (*gone)(const struct byaddress *));
/* A numeric address; one of IPv4 written in IPv6 counts as IPv4. */
bool	 byaddress_parse(struct slice, struct network *);
/*
 * From now on the address stands for the user at listeners of that block, for
 * so many seconds; in place of what it stood for. -1: too many, or no memory.
 */
int	 byaddress_grant(const struct network *, const char *block,
	    const char *user, unsigned int seconds, int64_t now_ms);
/* Whom does it stand for there? NULL: nobody. */
struct byaddress *byaddress_find(const struct network *, const char *block,
	    int64_t now_ms);
/* Take back all of that address. Returns how many there were. */
unsigned int byaddress_remove(const struct network *);
/* The one after that serial (0: the first), in the order they were made. */
const struct byaddress *byaddress_after(uint64_t serial);
/* End those whose time is over; how many are left. */
unsigned int byaddress_expire(int64_t now_ms);

#endif
