/*
 * What the queue has to record and may not forget: results of recipients and
 * removals. Runs in msad-queue between outcome.c and the spool. A change that
 * the disk refused (full, failed) is handed in again at once, for the spool
 * goes on elsewhere; when that fails too it is kept in memory and handed in
 * each second. Until then the message stays in the index, as what it is on disk
 * would be after a crash.
 *
 * Of each recipient only the newest state is wanted. It is known by the tree;
 * a change that fails after a newer one was handed in is dropped, and of those
 * that wait to be handed in again there is one a recipient.
 */
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "durable.h"
#include "spool.h"

struct change {
	RB_ENTRY(change)	 by_key;	/* when it is the newest */
	TAILQ_ENTRY(change)	 entry;		/* when it waits */
	uint64_t		 id;
	durable_done		 done;		/* or NULL */
	void			*arg;
	uint32_t		 key;
	bool			 removes;	/* or is it an update? */
	bool			 newest;	/* update: none followed it */
	bool			 waits;		/* to be handed in again */
	bool			 again;		/* has been, at once */
	size_t			 len;
	uint8_t			 buf[];
};

static int	compare(const struct change *, const struct change *);

RB_HEAD(change_tree, change);
RB_PROTOTYPE(change_tree, change, by_key, compare)

static TAILQ_HEAD(, change)	failed = TAILQ_HEAD_INITIALIZER(failed);
static struct change_tree	updates = RB_INITIALIZER(&updates);
static struct spool		*spool;
static unsigned int		 npending;

static int
compare(const struct change *a, const struct change *b)
{
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

RB_GENERATE(change_tree, change, by_key, compare)

void
durable_init(struct spool *s)
{
	spool = s;
}

static void
change_free(struct change *c)
{
	if (c->newest)
		RB_REMOVE(change_tree, &updates, c);
	npending--;
	free(c);
}

/* It is no longer wanted: what waits goes now, what is under way later. */
static void
outdate(struct change *c)
{
	if (c->waits) {
		TAILQ_REMOVE(&failed, c, entry);
		if (c->done != NULL)
			c->done(c->arg, c->id);
		change_free(c);
		return;
	}
	RB_REMOVE(change_tree, &updates, c);
	c->newest = false;
}

static void
keep(struct change *c)
{
	c->waits = true;
	TAILQ_INSERT_TAIL(&failed, c, entry);
}

static void	submit(struct change *);

static void
on_done(void *arg, enum spool_result result)
{
	struct change	*c = arg;
	bool		 ok = result == SPOOL_OK || result == SPOOL_NOENT;

	if (ok || (!c->removes && !c->newest)) {
		if (c->done != NULL)
			c->done(c->arg, c->id);
		change_free(c);
		return;
	}
	if (TAILQ_EMPTY(&failed) && !c->again) {
		c->again = true;
		submit(c);
		return;
	}
	if (TAILQ_EMPTY(&failed))
		log_err("q=%llx event=spool-change error=%s "
		    "reason=\"will be tried again\"",
		    (unsigned long long)c->id,
		    log_q(spool_result_name(result)));
	keep(c);
}

static void
submit(struct change *c)
{
	/* Behind those that failed: no older state may overwrite. */
	if (!TAILQ_EMPTY(&failed)) {
		keep(c);
		return;
	}
	if (c->removes)
		spool_remove(spool, c->id, on_done, c);
	else
		spool_update(spool, c->id, c->key, c->buf, c->len, on_done, c);
}

static struct change *
change_new(uint64_t id, size_t len)
{
	struct change	*c;

	if ((c = calloc(1, sizeof(*c) + len)) == NULL)
		fatal("event=spool-change error=\"out of memory\"");
	c->id = id;
	c->len = len;
	npending++;
	return c;
}

void
durable_forget(uint64_t id, uint32_t key)
{
	struct change	 which, *c;

	which.id = id;
	which.key = key;
	if ((c = RB_FIND(change_tree, &updates, &which)) != NULL)
		outdate(c);
}

void
durable_update(uint64_t id, uint32_t key, const void *buf, size_t len)
{
	durable_update_then(id, key, buf, len, NULL, NULL);
}

void
durable_update_then(uint64_t id, uint32_t key, const void *buf, size_t len,
    durable_done done, void *arg)
{
	struct change	*c;

	durable_forget(id, key);
	c = change_new(id, len);
	c->key = key;
	c->done = done;
	c->arg = arg;
	memcpy(c->buf, buf, len);
	c->newest = true;
	RB_INSERT(change_tree, &updates, c);
	submit(c);
}

void
durable_remove(uint64_t id, durable_done done, void *arg)
{
	struct change	*c = change_new(id, 0);

	c->removes = true;
	c->done = done;
	c->arg = arg;
	submit(c);
}

void
durable_tick(void)
{
	struct change	*c;
	TAILQ_HEAD(, change) again = TAILQ_HEAD_INITIALIZER(again);

	TAILQ_CONCAT(&again, &failed, entry);
	while ((c = TAILQ_FIRST(&again)) != NULL) {
		TAILQ_REMOVE(&again, c, entry);
		c->waits = false;
		submit(c);
	}
}

unsigned int
durable_pending(void)
{
	return npending;
}
