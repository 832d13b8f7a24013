#ifndef QUEUE_PEERS_H
#define QUEUE_PEERS_H

#include <sys/queue.h>

#include <stdint.h>

#include "common/ipc.h"

/*
 * The channels of the queue process, one struct peer each: the other
 * processes as the queue knows them. The peer is the arg of its handlers.
 */
struct peer {
	TAILQ_ENTRY(peer)	 entry;
	struct ipc		*ch;
	enum ipc_role		 role;
	uint32_t		 index;
	uint64_t		 epoch;
	char			*name;	/* a Maildir relay's name, else "" */
	unsigned int		 njobs;	/* relay: jobs in flight */
};

TAILQ_HEAD(peer_list, peer);

/*
 * Take fd as the channel of this peer; closed is called when it ends. Returns
 * NULL when memory is out (fd is closed then).
 */
struct peer *peers_add(enum ipc_role, uint32_t index, uint64_t epoch,
    struct slice name, int fd, const struct ipc_handler *,
    void (*closed)(struct ipc *, enum ipc_end, void *));
/* Forget the peer and free its channel. */
void	 peers_remove(struct peer *);
/* The peer of this role with this epoch, or NULL when it is gone. */
struct peer *peers_find(enum ipc_role, uint64_t epoch);
/*
 * The relay process with the fewest jobs that may carry for this relay:
 * maildir NULL asks for a network worker, else for that relay's own process.
 * NULL when there is none with fewer than max jobs.
 */
struct peer *peers_relay(const char *maildir, unsigned int max);

#endif
