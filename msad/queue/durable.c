/*
 * What the queue has to record and may not forget: results of recipients and
 * removals. Runs in msad-queue between outcome.c and the spool. A change that
 * the disk refused (full, failed) is kept in memory and handed in again each
 * second; until then the message stays in the index, as what it is on disk
 * would be after a crash.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "durable.h"
#include "spool.h"

struct change {
	TAILQ_ENTRY(change)	 entry;
	uint64_t		 id;
	durable_removed		 removed;	/* NULL: an update */
	void			*arg;
	uint32_t		 key;
	size_t			 len;
	uint8_t			 buf[];
};

static TAILQ_HEAD(, change)	failed = TAILQ_HEAD_INITIALIZER(failed);
static struct spool		*spool;
static unsigned int		 npending;

void
durable_init(struct spool *s)
{
	spool = s;
}

static void
on_done(void *arg, enum spool_result result)
{
	struct change	*c = arg;

	if (result != SPOOL_OK && result != SPOOL_NOENT) {
		if (TAILQ_EMPTY(&failed))
			log_err("q=%llx event=spool-change error=%s "
			    "reason=\"will be tried again\"",
			    (unsigned long long)c->id,
			    log_q(spool_result_name(result)));
		TAILQ_INSERT_TAIL(&failed, c, entry);
		return;
	}
	npending--;
	if (c->removed != NULL)
		c->removed(c->arg, c->id);
	free(c);
}

static void
submit(struct change *c)
{
	/* Behind those that failed: no older state may overwrite. */
	if (!TAILQ_EMPTY(&failed)) {
		TAILQ_INSERT_TAIL(&failed, c, entry);
		return;
	}
	if (c->removed != NULL)
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
durable_update(uint64_t id, uint32_t key, const void *buf, size_t len)
{
	struct change	*c = change_new(id, len);

	c->key = key;
	memcpy(c->buf, buf, len);
	submit(c);
}

void
durable_remove(uint64_t id, durable_removed done, void *arg)
{
	struct change	*c = change_new(id, 0);

	c->removed = done;
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
		submit(c);
	}
}

unsigned int
durable_pending(void)
{
	return npending;
}
