#ifndef QUEUE_SCHEDULE_HEAP_H
#define QUEUE_SCHEDULE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct message;

/* Each step that MT-PRIORITY has is worth as many seconds (RFC 6710). */
#define PRIORITY_SECONDS	600

/*
 * Messages, the one with the least time of its next attempt on top, of two with
 * the same the older one. Where ranked is set a priority counts as so much
 * time. A message knows its place (struct message, heap). All zero: none.
 */
struct message_heap {
	struct message	**m;
	uint32_t	  n, cap;
	bool		  ranked;
};

/* Room for n of them. -1: memory is out. */
int	 heap_reserve(struct message_heap *, uint32_t n);
/* Room for one more, and not much more than what is in it. -1: as above. */
int	 heap_reserve_small(struct message_heap *);
/* There must be room. */
void	 heap_insert(struct message_heap *, struct message *);
void	 heap_remove(struct message_heap *, struct message *);
/* Their times have changed in a way that may have changed the order. */
void	 heap_order(struct message_heap *);
void	 heap_free(struct message_heap *);

#endif
