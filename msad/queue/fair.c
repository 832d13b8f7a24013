/*
 * Deficit round-robin. Runs in msad-queue, for the schedule: who is next of
 * those who stand in line for places at a destination, and for those of the
 * relay processes. Knows nothing of messages.
 *
 * Each has the number of the round in which its turn is, and in it goes as it
 * came; the first of this order is next. When it has used up its quantum its
 * turn is in a later round: the next one, or as many rounds on as quanta are
 * missing. So a round is as long as the quanta of those in it, and one who
 * comes waits for the rest of one round at most.
 *
 * Urgent ones have rounds of their own, so that those that are not neither lose
 * nor gain by them.
 */
#include <stddef.h>

#include "fair.h"

static int
by_turn(const struct fair_turn *a, const struct fair_turn *b)
{
	if (a->round != b->round)
		return a->round < b->round ? -1 : 1;
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

static int
by_need(const struct fair_turn *a, const struct fair_turn *b)
{
	if (a->need != b->need)
		return a->need < b->need ? -1 : 1;
	return by_turn(a, b);
}

/* Whichever of the two trees it is in. */
static int
compare(const struct fair_turn *a, const struct fair_turn *b)
{
	return a->aside ? by_need(a, b) : by_turn(a, b);
}

RB_PROTOTYPE(fair_tree, fair_turn, node, compare)
RB_GENERATE(fair_tree, fair_turn, node, compare)

void
fair_init(struct fair *f)
{
	RB_INIT(&f->line[0]);
	RB_INIT(&f->line[1]);
	RB_INIT(&f->aside);
	f->round[0] = f->round[1] = 0;
	f->serial = 0;
	f->streak = 0;
}

bool
fair_is_empty(const struct fair *f)
{
	return RB_EMPTY(&f->line[0]) && RB_EMPTY(&f->line[1]) &&
	    RB_EMPTY(&f->aside);
}

bool
fair_is_urgent(const struct fair *f)
{
	return !RB_EMPTY(&f->line[1]);
}

/* In which tree of f it stands. */
static struct fair_tree *
tree_of(struct fair *f, const struct fair_turn *t)
{
	return t->aside ? &f->aside : &f->line[t->urgent];
}

/*
 * Each line has rounds of its own: who comes from another one keeps what he
 * owes.
 */
static void
change_line(struct fair *f, struct fair_turn *t, bool urgent)
{
	uint64_t	round = f->round[urgent];

	if (t->of == f && t->of_urgent == urgent)
		return;
	if (t->of != NULL && t->round > t->of->round[t->of_urgent])
		round += t->round - t->of->round[t->of_urgent];
	else
		t->left = FAIR_QUANTUM;
	t->round = round;
	t->serial = ++f->serial;
	t->of = f;
	t->of_urgent = urgent;
}

void
fair_enter(struct fair *f, struct fair_turn *t, bool urgent)
{
	if (t->in == f && t->urgent == urgent)
		return;
	fair_leave(t);
	change_line(f, t, urgent);
	/* Its turn has passed meanwhile: to the end of this round. */
	if (t->round < f->round[urgent]) {
		t->round = f->round[urgent];
		t->serial = ++f->serial;
		t->left = FAIR_QUANTUM;
	}
	t->urgent = urgent;
	t->in = f;
	RB_INSERT(fair_tree, &f->line[urgent], t);
}

void
fair_leave(struct fair_turn *t)
{
	if (t->in == NULL)
		return;
	RB_REMOVE(fair_tree, tree_of(t->in, t), t);
	t->in = NULL;
	t->aside = false;
}

/* From the line to those set aside, or back; it keeps its turn. */
static void
put(struct fair *f, struct fair_turn *t, bool aside)
{
	RB_REMOVE(fair_tree, tree_of(f, t), t);
	t->aside = aside;
	RB_INSERT(fair_tree, tree_of(f, t), t);
}

void
fair_set_need(struct fair_turn *t, uint32_t need)
{
	struct fair	*f = t->in;

	if (t->need == need)
		return;
	if (f == NULL || !t->aside) {
		t->need = need;
		return;
	}
	RB_REMOVE(fair_tree, &f->aside, t);
	/* With less it may be its turn. */
	t->aside = need > t->need;
	t->need = need;
	RB_INSERT(fair_tree, tree_of(f, t), t);
}

/* The first of one line; those that need more are set aside. */
static struct fair_turn *
first_of(struct fair *f, bool urgent, uint32_t free)
{
	struct fair_turn	*t;

	while ((t = RB_MIN(fair_tree, &f->line[urgent])) != NULL &&
	    t->need > free)
		put(f, t, true);
	if (t != NULL && f->round[urgent] < t->round)
		f->round[urgent] = t->round;
	return t;
}

struct fair_turn *
fair_first(struct fair *f, uint32_t free)
{
	struct fair_turn	*t, *u;

	if (free == 0)
		return NULL;
	t = first_of(f, false, free);
	u = first_of(f, true, free);
	if (u == NULL)
		return t;
	return t == NULL || f->streak < FAIR_URGENT ? u : t;
}

void
fair_charge(struct fair_turn *t, uint64_t cost)
{
	struct fair	*f = t->of;
	uint64_t	 rounds;

	if (!t->of_urgent)
		f->streak = 0;
	else if (!RB_EMPTY(&f->line[0]))
		f->streak++;
	t->left -= cost < INT32_MAX ? (int64_t)cost : INT32_MAX;
	if (t->left > 0)
		return;
	rounds = 1 + (uint64_t)-t->left / FAIR_QUANTUM;
	if (t->in != NULL)
		RB_REMOVE(fair_tree, tree_of(f, t), t);
	t->left += (int64_t)(rounds * FAIR_QUANTUM);
	t->round += rounds;
	t->serial = ++f->serial;
	if (t->in != NULL)
		RB_INSERT(fair_tree, tree_of(f, t), t);
}

bool
fair_wake(struct fair *f, uint32_t free)
{
	struct fair_turn	*t = RB_MIN(fair_tree, &f->aside);

	if (t == NULL || t->need > free)
		return false;
	put(f, t, false);
	return true;
}

uint32_t
fair_need(uint32_t has, uint32_t share)
{
	return has == 0 ? 1 : 1 + (has + share) / share;
}
