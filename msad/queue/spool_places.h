/*
 * Where everything in the log is, and what of it still counts. See
 * spool_places.c. Private to the log engine.
 */
#ifndef SPOOL_PLACES_H
#define SPOOL_PLACES_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "common/buckets.h"
#include "common/slab.h"

/* A segment that holds records. */
struct segment {
	TAILQ_ENTRY(segment)	 entry;		/* ascending epoch */
	TAILQ_ENTRY(segment)	 opened;	/* when fd is open */
	uint64_t		 epoch;
	uint64_t		 live_bytes;
	uint32_t		 live;		/* records that count */
	uint32_t		 size;
	uint32_t		 end;		/* first octet not used */
	uint32_t		 ncopies, acopies;
	/* handles of the messages of which a record is in it */
	uint32_t		*copies;
	struct digest		*digest;	/* being made, or NULL */
	uint32_t		 slot;		/* in places; 0: none yet */
	uint8_t			 no_digest;	/* nor will there be one */
	int			 fd;		/* -1: not open */
	uint8_t			 damaged;	/* keep; not to be cleaned */
	uint8_t			 dying;		/* renamed, not yet durably */
};
TAILQ_HEAD(segments, segment);

struct state {
	uint32_t	 slot;			/* of its segment */
	uint32_t	 off;
	uint32_t	 size;			/* with its header */
	uint32_t	 key;
};

/* The newest states of a message, ascending key. Room follows from n. */
struct states {
	uint32_t	 n;
	struct state	 s[];
};

/*
 * A message, alive or dead. A dead one is kept while a segment still holds a
 * copy of it: seg and off are then its tombstone's, which must stay as long.
 * There is one for each message in the queue, so each octet counts: 32. They
 * lie in slabs and are named by handles; 0 is none.
 */
struct object {
	uint64_t	 id;
	uint32_t	 slot;		/* of seg; 0: no record (register) */
	uint32_t	 states;	/* handle; 0: none */
	uint32_t	 next;		/* in its bucket; of the free ones */
	uint32_t	 off;
	uint32_t	 size;
	uint32_t	 copies:20;	/* message records in segments */
	uint32_t	 self:8;	/* copies beside the tombstone */
	uint32_t	 dead:1;
	uint32_t	 bodyfile:1;
};

struct places {
	struct buckets	  buckets;
	size_t		  nobjects;
	struct object	**slabs;
	uint32_t	  nslabs;
	uint32_t	  used;		/* handles given out so far */
	uint32_t	  idle;		/* the first free one, 0: none */
	struct slab	  memory;	/* of states */
	struct segment	**slots;	/* those that hold records */
	uint32_t	  nslots;
	uint64_t	  messages, states;	/* live */
	uint64_t	  live_bytes;
	int		  emptied;	/* a segment's last record went */
};

int	 places_init(struct places *);
void	 places_clear(struct places *);
struct object *places_find(const struct places *, uint64_t id);
/* Finds the state; NULL when there is none. */
struct state *places_state(const struct places *, const struct object *,
	    uint32_t key);
struct segment *places_segment(const struct places *, const struct state *);
/* Where its record is; NULL: a register has none. */
struct segment *places_home(const struct places *, const struct object *);
/* Is o a message (or register) that is there? */
int	 places_alive(const struct object *);
/* Does the record of that type at off of seg count? */
int	 places_counts(const struct places *, uint8_t type, uint64_t id,
	    uint32_t key, const struct segment *, uint32_t off);

/*
 * A record is at off of seg and durable, size octets with its header: it is the
 * newest of its kind. -1 when memory is short, else 0.
 * recovering: records may come before their message does.
 * places_remove() and places_put_state() give 1 when there was nothing to
 * change.
 */
int	 places_put_message(struct places *, uint64_t id, int bodyfile,
	    struct segment *, uint32_t off, uint32_t size);
int	 places_put_state(struct places *, uint64_t id, uint32_t key,
	    struct segment *, uint32_t off, uint32_t size, int recovering);
int	 places_remove(struct places *, uint64_t id, struct segment *,
	    uint32_t off, uint32_t size, int recovering);

/* The records of seg exist no more, durably. Nothing in it may be live. */
void	 places_release(struct places *, struct segment *);
/* Nothing will be added to seg any more: give back what it has too much. */
void	 places_settle(struct segment *);
/* After recovery: forget states and tombstones of what was never found. */
void	 places_prune(struct places *);
void	 places_each(struct places *, void (*)(void *, struct object *),
	    void *);

#endif
