#ifndef COMMON_SLAB_H
#define COMMON_SLAB_H

#include <stddef.h>
#include <stdint.h>

/* Pieces of memory by handle. All zero: none. See slab.c. */
#define SLAB_CLASSES	105

struct slab {
	struct slab_page *pages;	/* by number; 0 is none */
	uint32_t	  npages, apages;
	uint32_t	  gone;		/* numbers to be given again */
	uint32_t	  room[SLAB_CLASSES];	/* the first page with room */
};

/* Memory of that size, all zero, aligned for pointers; 0: there is none. */
uint32_t slab_take(struct slab *, size_t size);
/* Where it is; it never moves. */
void	*slab_at(const struct slab *, uint32_t);
void	 slab_give(struct slab *, uint32_t);
/* Give all of it back. */
void	 slab_clear(struct slab *);

#endif
