#ifndef QUEUE_FAIR_H
#define QUEUE_FAIR_H

#include <sys/types.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * Deficit round-robin among those who want something of what is scarce. In a
 * turn one may cost FAIR_QUANTUM; what it cost beyond that it misses as many
 * turns for. A round in which nobody is to have a turn is passed over at once,
 * so that large messages do not cost thousands of steps: each step is
 * O(log n).
 *
 * One who stands there may need more than one place to be free before he may
 * take one. When there are fewer he is set aside until there are.
 */
#define FAIR_QUANTUM	65536	/* octets */
/* So often may urgent ones go before one that is not. */
#define FAIR_URGENT	4

struct fair;

/* One who takes part; zeros are one who does not want anything yet. */
struct fair_turn {
	RB_ENTRY(fair_turn)	 node;
	struct fair		*in;		/* where it stands; or NULL */
	struct fair		*of;		/* whose rounds are counted */
	uint64_t		 round;
	uint64_t		 serial;	/* orders those of one round */
	int64_t			 left;		/* of the quantum */
	uint32_t		 need;		/* free places; 0 is 1 */
	bool			 urgent;
	bool			 aside;		/* until as many are free */
	bool			 of_urgent;	/* and in which line */
};

RB_HEAD(fair_tree, fair_turn);

struct fair {
	struct fair_tree	 line[2];	/* others, urgent ones */
	uint64_t		 round[2];
	struct fair_tree	 aside;		/* by need */
	uint64_t		 serial;
	unsigned int		 streak;	/* of urgent ones */
};

void	 fair_init(struct fair *);
bool	 fair_is_empty(const struct fair *);
/* Does an urgent one stand in line? */
bool	 fair_is_urgent(const struct fair *);
/* It wants something from now on; urgent or not. To be so already is fine. */
void	 fair_enter(struct fair *, struct fair_turn *, bool urgent);
/* It does not any more, where it stood; it may have stood nowhere. */
void	 fair_leave(struct fair_turn *);
/* How many places have to be free for it to get one. */
void	 fair_set_need(struct fair_turn *, uint32_t need);
/*
 * Whose turn it is of those that may with so many places free, NULL: nobody's.
 * It stays where it is.
 */
struct fair_turn *fair_first(struct fair *, uint32_t free);
/* It had something of that cost, in octets. */
void	 fair_charge(struct fair_turn *, uint64_t cost);
/* Places came free: let one of those set aside stand in line again. */
bool	 fair_wake(struct fair *, uint32_t free);

/*
 * The free places that one needs to get another one who has n: nobody is to
 * take all with what hangs. Who has none needs one; who has some leaves at
 * least one n-th of what he has, n being share, so that he alone gets share
 * of share + 1 places.
 */
uint32_t fair_need(uint32_t has, uint32_t share);

#endif
