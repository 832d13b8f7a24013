#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"

/* Groups of a caller that count; the rest are left out. */
#define PEER_GROUPS	64

struct conf;

/* Who is at the other end of a connection, as the kernel says. */
struct peer {
	uid_t		 uid;
	uint16_t	 ngroups;
	gid_t		 groups[PEER_GROUPS];
};

/* Ask the kernel. 0, or -1 with errno. */
int	 peer_get(struct peer *, int fd);
/* May this caller use the control socket at all? */
bool	 peer_allowed(const struct peer *, const struct conf *);
/* Put the caller into a question to the queue, as ipc_types.h lays it out. */
void	 peer_put(const struct peer *, struct ipc *);

#endif
