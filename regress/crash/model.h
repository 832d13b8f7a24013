/*
 * What the crash test of the spool knows: which changes were asked for and
 * answered, and so what may, must and must not be there after a crash. See
 * c_spool.c, which makes the load; model.c, which compares.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <sys/queue.h>

#include <stdint.h>

#include "msad/queue/spool.h"
#include "simdisk.h"

#define NKEYS		3
#define NVERSIONS	64

/* What became of something that was asked for. */
enum fate {
	NEVER,			/* not asked */
	ASKED,			/* not answered */
	SURE,			/* answered: durable */
	MAYBE,			/* answered: failed; may come back until ... */
	VOID			/* ... something later was durable */
};

struct msg {
	TAILQ_ENTRY(msg)	 entry;
	uint64_t		 id;
	uint32_t		 size, envlen, prefixlen, salt;
	enum fate		 commit, removal;
	enum fate		 state[NKEYS][NVERSIONS];
	int			 versions[NKEYS];
	/* at recovery, 0 none */
	int			 found[NKEYS];
	int			 seen, locked;
};
TAILQ_HEAD(msgs, msg);

/*
 * One transaction under way: a new message, a state, a removal; any may miss.
 */
struct change {
	TAILQ_ENTRY(change)	 entry;
	struct msg		*added, *stated, *removed;
	int			 key, version;
	int			 holds;		/* stated is locked by this */
	enum fate		 fate;
};
TAILQ_HEAD(changes, change);

/* In memory that forked tests share with the one that counts. */
struct counts {
	uint64_t	crashes, prefixes, checked, lost, wrong, torn, bad,
			orphans, acked, failed, nospace, recycled, copied,
			batches, late, cut, rotten, hurt,
				segments, digests, spoiled;
};

struct model {
	struct simdisk	*disk;
	struct spool	*sp;
	struct msgs	 msgs;
	struct changes	 changes;
	struct counts	*n;
	uint64_t	 crashes_max;
	uint64_t	 top;		/* highest id so far */
	uint64_t	 rng;
	unsigned int	 live, live_max;
	unsigned int	 rot;		/* records that may be damaged, or 0 */
	unsigned int	 hurt, told;	/* that were; troubles told */
	int		 verbose, errors;
};

extern struct model	 t;

uint32_t	 rnd(uint32_t);
void		*need(void *);
void		 wrong(const struct msg *, const char *);
void		 content(uint8_t *, size_t, uint64_t id, uint32_t salt);

/* Recovery's callbacks. */
void		 found_message(void *, const struct spool_recovered *);
void		 found_state(void *, uint64_t, uint32_t, const void *, size_t);
void		 found_trouble(void *, const char *, uint64_t, const char *);

/* Compare what was found with what was answered. */
void		 check(void);
/* What was found is from now on what is. */
void		 adopt(void);

#endif
