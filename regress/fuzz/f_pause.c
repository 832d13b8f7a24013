/* links: msad/queue/kept_record.c */
/* links: msad/queue/pause.c msad/queue/kept.c msad/queue/blob.c */
/* libs: idn2 */
/*
 * Fuzz: what is found in the spool as a pause. What is read is written back
 * alike, and is in force.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/queue/pause.h"
#include "msad/queue/registers.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static spool_done	 done;
static void		*done_arg;

struct conf *
child_conf(void)
{
	return NULL;
}

void
schedule_pause_relay(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

void
schedule_pause_tenant(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

void
schedule_pause_domain(const char *name, bool paused)
{
	(void)name;
	(void)paused;
}

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
	if (id != REGISTER_PAUSES || len != 0)
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

static void
on_done(void *arg, const char *error)
{
	(void)arg;
	(void)error;
}

static void
same(void *arg, const struct pause_record *r)
{
	uint8_t	buf[PAUSE_RECORD_MAX];

	(void)arg;
	pause_record_encode(r, buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pause_record	r;
	uint8_t			buf[PAUSE_RECORD_MAX];
	uint32_t		gone;

	if (pause_record_decode(data, n, &r) == -1)
		return 0;
	if (pause_record_encode(&r, buf) != n || memcmp(buf, data, n) != 0)
		abort();
	if (!pause_recover(REGISTER_PAUSES, data[2], data, n) ||
	    pause_each(same, NULL) != 1 ||
	    (r.kind == PAUSE_ACCEPT && (pause_conf(), !pause_accept())))
		abort();
	if (pause_remove(r.kind, r.name, 0, on_done, NULL, &gone) != NULL ||
	    gone != 1)
		abort();
	done(done_arg, SPOOL_OK);
	if (pause_each(same, NULL) != 0 || pause_accept())
		abort();
	return 0;
}
