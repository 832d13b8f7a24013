#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

/* What a message on its way in has taken of its tenant's room. */
struct room_taken {
	bool		 taken;
	uint64_t	 octets;
};

/*
 * "limit tenant { queue N, bytes N }": how many messages, and octets of them, a
 * tenant may have in the queue. Those on their way in count as well. Take the
 * room for a message of that many octets (what is taken already is kept); false
 * when it is not there. A tenant without such a limit has room for everything.
 */
bool	 room_take(const char *tenant, struct room_taken *, uint64_t octets);
/* It is in the queue, or came to nothing. */
void	 room_return(const char *tenant, struct room_taken *);

#endif
