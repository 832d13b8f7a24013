/*
 * A simulated disk behind spool_io: see simdisk.c.
 */
#ifndef SIMDISK_H
#define SIMDISK_H

#include <stdint.h>

#include "msad/queue/spool_io.h"

struct simdisk;

#define SIM_ROOT	1	/* the spool's directory */

struct simdisk	*sim_new(uint64_t seed, uint64_t capacity);
void		 sim_free(struct simdisk *);
struct spool_io	*sim_io(struct simdisk *);

/* A number below n from the disk's own generator. */
uint32_t	 sim_random(struct simdisk *, uint32_t n);

/*
 * Do one thing that is ready: a call asked for soon, or the end of a flush.
 * 0 when there is nothing.
 */
int		 sim_step(struct simdisk *);

/*
 * The machine goes down and comes up again. What was flushed is there; of the
 * rest each sector and each name may be there or not. kill: the process alone
 * died, all that was written is there.
 */
void		 sim_crash(struct simdisk *, int kill);

/* In per mille: how often a write or flush fails. */
void		 sim_set_errors(struct simdisk *, unsigned int permille);
void		 sim_set_capacity(struct simdisk *, uint64_t);
uint64_t	 sim_used(struct simdisk *);
uint64_t	 sim_flushes(const struct simdisk *);

/* The i-th name in a directory (1 log, 2 bodies), or NULL. */
const char	*sim_name(const struct simdisk *, int dir, size_t i);

/*
 * Damage what is stored in the named file: flip a bit at off, or, with len not
 * 0, make that many octets 0, or the sector one that cannot be read till it is
 * written again. -1 when there is no such place.
 */
#define SIM_UNREADABLE	SIZE_MAX
int		 sim_damage(struct simdisk *, int dir, const char *name,
		    uint64_t off, size_t len);

/* Call fn before each operation that changes the disk, or a flush ends. */
void		 sim_set_before(struct simdisk *, void (*fn)(void *), void *);

/* Break the disk on purpose, to see that the test finds it. */
enum sim_lie {
	SIM_HONEST,
	SIM_NO_FLUSH,		/* says flushed, is not */
	SIM_EARLY,		/* answers before it flushes */
	SIM_NO_DIRSYNC		/* directories are not flushed */
};
void		 sim_set_lie(struct simdisk *, enum sim_lie);

#endif
