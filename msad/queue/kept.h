#ifndef QUEUE_KEPT_H
#define QUEUE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;

/*
 * A short list of things that operators ordered and that outlive a restart: a
 * record each, under a key of one register of the spool. The owner (pause.c,
 * rules.c) has what they are, by slot; here is what is on the disk of them.
 */
#define KEPT_MAX	256	/* slots: the keys of the register */

enum kept_state {
	KEPT_NONE = 0,
	KEPT_COMING,		/* on its way to the disk; not in force */
	KEPT_HOLDS,
	KEPT_GOING,		/* its end is on the way there; in force */
	KEPT_OVER,		/* not in force; the disk has it yet */
	KEPT_CLEARING		/* the same, its end is on the way there */
};

struct kept {
	uint64_t	 reg;
	/* It is on the disk, so it is in force from now on. */
	void		(*holds)(unsigned int slot);
	/* It is not any more, or never was: free it. */
	void		(*gone)(unsigned int slot);
	struct spool	*spool;
	uint8_t		 state[KEPT_MAX];	/* enum kept_state */
};

/* Something ordered is durable, or error says in a sentence why it is not. */
typedef void	(*kept_done)(void *arg, const char *error);

/* A slot to put something into, -1: all are taken. */
int	 kept_slot(const struct kept *);
/* Is it in force? */
bool	 kept_in_force(const struct kept *, unsigned int slot);
/* Recovery found this one: it is in force. */
void	 kept_recovered(struct kept *, unsigned int slot);
/*
 * Put the record into slot (-1: none) and take out those of which out says so
 * (KEPT_MAX flags, or NULL), as one change of the disk. done is called when
 * that is so, or has failed. Of out only those may be named that are
 * KEPT_HOLDS.
 * NULL, or a sentence: it cannot be begun, done is not called then.
 */
const char *kept_change(struct kept *, int slot, const void *, size_t,
	    const bool *out, kept_done, void *arg);
/* Its time is over: it is not in force any more, and leaves the disk later. */
void	 kept_over(struct kept *, unsigned int slot);
/* Once a second: take those that are over off the disk. */
void	 kept_tick(struct kept *);

#endif
