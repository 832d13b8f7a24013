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
	uint32_t		*at;	/* of them by destination's number */
	uint32_t		 nat;
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
 * The relay process that may carry to this destination with the fewest jobs for
 * it, for a destination's connections are divided among them; of several the
 * one with the fewest jobs. maildir NULL asks for a network worker, else for
 * that relay's own process. NULL when there is none with fewer than max jobs.
 */
struct peer *peers_relay(const char *maildir, uint32_t dest,
    unsigned int max);
/* How many network workers there are. */
unsigned int peers_relays(void);
/* It got a job for that destination (1), or has one less (-1). */
void	 peers_job(struct peer *, uint32_t dest, int n);

#endif
