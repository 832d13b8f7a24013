/*
 * What operators ordered for a while (pauses, rules) on the disk: written
 * before msactl hears that it is done, and gone from there likewise, so that
 * what was said holds whatever happens. Runs in msad-queue, called by pause.c
 * and rules.c; control_rules.c waits for the result.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "kept.h"
#include "spool.h"

/* Something on its way to the disk. */
struct change {
	struct kept	*kept;
	kept_done	 done;		/* or NULL */
	void		*arg;
	int		 slot;		/* that is put in, -1: none */
	bool		 out[KEPT_MAX];
};

int
kept_slot(const struct kept *k)
{
	unsigned int	i;

	for (i = 0; i < KEPT_MAX; i++)
		if (k->state[i] == KEPT_NONE)
			return (int)i;
	return -1;
}

bool
kept_in_force(const struct kept *k, unsigned int slot)
{
	return k->state[slot] == KEPT_HOLDS || k->state[slot] == KEPT_GOING;
}

void
kept_recovered(struct kept *k, unsigned int slot)
{
	k->state[slot] = KEPT_HOLDS;
}

static void
set_gone(struct kept *k, unsigned int slot)
{
	k->state[slot] = KEPT_NONE;
	k->gone(slot);
}

/* It is durable. */
static void
finish(struct change *c)
{
	struct kept	*k = c->kept;
	unsigned int	 i;

	/* first what comes: of two pauses of the same, one holds throughout */
	if (c->slot != -1) {
		k->state[c->slot] = KEPT_HOLDS;
		k->holds((unsigned int)c->slot);
	}
	for (i = 0; i < KEPT_MAX; i++)
		if (c->out[i])
			set_gone(k, i);
}

/* The disk did not take it: all is as before. */
static void
undo(struct change *c)
{
	struct kept	*k = c->kept;
	unsigned int	 i;

	if (c->slot != -1)
		set_gone(k, (unsigned int)c->slot);
	for (i = 0; i < KEPT_MAX; i++)
		if (c->out[i])
			k->state[i] = k->state[i] == KEPT_GOING ? KEPT_HOLDS :
			    KEPT_OVER;
}

static void
on_written(void *arg, enum spool_result result)
{
	struct change	*c = arg;
	bool		 ok = result == SPOOL_OK || result == SPOOL_NOENT;

	if (ok)
		finish(c);
	else
		undo(c);
	if (c->done != NULL)
		c->done(c->arg, ok ? NULL : spool_result_name(result));
	free(c);
}

/* All of it into a transaction. */
static int
add_all(struct spool_txn *txn, const struct change *c, const void *p,
    size_t len)
{
	unsigned int	i;

	if (c->slot != -1 && spool_txn_update(txn, c->kept->reg,
	    (uint32_t)c->slot, p, len) != SPOOL_OK)
		return -1;
	for (i = 0; i < KEPT_MAX; i++)
		if (c->out[i] && spool_txn_update(txn, c->kept->reg, i, "",
		    0) != SPOOL_OK)
			return -1;
	return 0;
}

const char *
kept_change(struct kept *k, int slot, const void *p, size_t len,
    const bool *out, kept_done done, void *arg)
{
	struct spool_txn	*txn;
	struct change		*c;
	unsigned int		 i;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return "out of memory";
	c->kept = k;
	c->done = done;
	c->arg = arg;
	c->slot = slot;
	if (out != NULL)
		memcpy(c->out, out, sizeof(c->out));
	if ((txn = spool_txn_begin(k->spool, SPOOL_TXN_RESERVE)) == NULL) {
		free(c);
		return "the spool takes no changes now";
	}
	if (add_all(txn, c, p, len) == -1) {
		spool_txn_abort(txn);
		free(c);
		return "it is too long";
	}
	if (slot != -1)
		k->state[slot] = KEPT_COMING;
	for (i = 0; i < KEPT_MAX; i++)
		if (c->out[i])
			k->state[i] = k->state[i] == KEPT_HOLDS ? KEPT_GOING :
			    KEPT_CLEARING;
	spool_txn_commit(txn, on_written, c);
	return NULL;
}

void
kept_over(struct kept *k, unsigned int slot)
{
	k->state[slot] = KEPT_OVER;
}

void
kept_tick(struct kept *k)
{
	bool		out[KEPT_MAX] = { false }, any = false;
	unsigned int	i;

	for (i = 0; i < KEPT_MAX; i++)
		if (k->state[i] == KEPT_OVER)
			out[i] = any = true;
	if (any)
		kept_change(k, -1, NULL, 0, out, NULL, NULL);
}
