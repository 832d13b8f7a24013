/*
 * A spool as far as kept.c needs one: a register's keys, and one transaction
 * that the test lets end well or not. For t_pause.c and t_rules.c.
 */
#ifndef KEPT_SPOOL_H
#define KEPT_SPOOL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/kept.h"
#include "msad/queue/spool.h"

static struct {
	uint8_t	*p;
	size_t	 len;
} disk[KEPT_MAX];
static uint64_t	 disk_register;

/* Transactions that were committed and wait for the disk. */
#define TXNS_MAX	8
static struct spool_txn {
	struct {
		uint32_t	 key;
		uint8_t		*p;
		size_t		 len;
	}		 updates[KEPT_MAX];
	unsigned int	 n;
	spool_done	 done;
	void		*arg;
} *txns[TXNS_MAX];
static unsigned int	 ntxns;
static bool		 no_txn;

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	(void)flags;
	return no_txn ? NULL : calloc(1, sizeof(struct spool_txn));
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	if (len > SPOOL_STATE_MAX)
		return SPOOL_TOOBIG;
	disk_register = id;
	t->updates[t->n].key = key;
	t->updates[t->n].len = len;
	t->updates[t->n].p = malloc(len + 1);
	if (len > 0)
		memcpy(t->updates[t->n].p, p, len);
	t->n++;
	return SPOOL_OK;
}

static void
txn_free(struct spool_txn *t)
{
	while (t->n > 0)
		free(t->updates[--t->n].p);
	free(t);
}

void
spool_txn_abort(struct spool_txn *t)
{
	txn_free(t);
}

void
spool_txn_commit(struct spool_txn *t, spool_done done, void *arg)
{
	t->done = done;
	t->arg = arg;
	txns[ntxns++] = t;
}

const char *
spool_result_name(enum spool_result result)
{
	return result == SPOOL_OK ? "done" : "the disk failed";
}

/* The oldest transaction ends so. */
static void
disk_answer(enum spool_result result)
{
	struct spool_txn	*t = txns[0];
	unsigned int		 i;

	memmove(txns, txns + 1, --ntxns * sizeof(txns[0]));
	for (i = 0; i < t->n && result == SPOOL_OK; i++) {
		free(disk[t->updates[i].key].p);
		disk[t->updates[i].key].p = t->updates[i].p;
		disk[t->updates[i].key].len = t->updates[i].len;
		t->updates[i].p = NULL;
	}
	t->done(t->arg, result);
	txn_free(t);
}

static unsigned int
disk_count(void)
{
	unsigned int	i, n = 0;

	for (i = 0; i < KEPT_MAX; i++)
		n += disk[i].len > 0;
	return n;
}

static void
disk_clear(void)
{
	unsigned int	i;

	for (i = 0; i < KEPT_MAX; i++) {
		free(disk[i].p);
		disk[i].p = NULL;
		disk[i].len = 0;
	}
}

/* What the caller of the module was told. */
static unsigned int	 nanswers;
static char		 answered[64];

static void
on_answer(void *arg, const char *error)
{
	(void)arg;
	nanswers++;
	strlcpy(answered, error != NULL ? error : "ok", sizeof(answered));
}

#endif
