/*
 * A spool for the fuzz targets of what operators order (kept.c): it takes what
 * takes things back, and remembers who waits for it.
 */
#include <stdlib.h>

#include "msad/queue/spool.h"
#include "regress/fuzz/kept_side.h"

uint64_t		 kept_register;
static spool_done	 done;
static void		*done_arg;

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	(void)flags;
	return (struct spool_txn *)&done;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	(void)t;
	(void)key;
	(void)p;
	if (id != kept_register || len != 0)
		abort();
	return SPOOL_OK;
}

void
spool_txn_abort(struct spool_txn *t)
{
	(void)t;
}

void
spool_txn_commit(struct spool_txn *t, spool_done fn, void *arg)
{
	(void)t;
	done = fn;
	done_arg = arg;
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

void
kept_nobody(void *arg, const char *error)
{
	(void)arg;
	(void)error;
}

void
kept_written(void)
{
	done(done_arg, SPOOL_OK);
}
