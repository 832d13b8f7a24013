/*
 * The counts of rate.c outlive a restart as records of the spool: a state in a
 * register for each place of a count, of which the newest holds and reclaim
 * copies no other. Runs in msad-queue, driven by the tick of queue.c.
 *
 * They are not flushed with each message, but gathered: what is forgotten by a
 * crash is what a few seconds have used. A count that fell to 0 is not
 * written: by its time, what is found of it falls to 0 as well.
 */
#include <string.h>

#include "common/log.h"

#include "rate.h"
#include "rate_record.h"
#include "rate_store.h"
#include "spool.h"

_Static_assert(RATE_REGISTERS * RATE_REGISTER_KEYS >= RATE_PLACES_MAX,
    "each place needs a key");

static struct spool	*spool;
static bool		 writing;
static int64_t		 last;

bool
rate_store_recover(uint64_t id, uint32_t key, const void *p, size_t len,
    uint64_t wall, int64_t now)
{
	struct rate_record	r;

	if (id < RATE_REGISTER || id >= RATE_REGISTER + RATE_REGISTERS)
		return false;
	if (key >= RATE_REGISTER_KEYS ||
	    rate_record_decode(p, len, &r) == -1) {
		log_err("event=recovery reason=\"what a user has used of his "
		    "limits cannot be read\"");
		return true;
	}
	rate_recover((uint32_t)(id - RATE_REGISTER) * RATE_REGISTER_KEYS + key,
	    &r.key, r.rate, r.parts, wall > r.when ? wall - r.when : 0, now);
	return true;
}

void
rate_store_init(struct spool *s)
{
	spool = s;
}

static void
on_written(void *arg, enum spool_result result)
{
	(void)arg;
	writing = false;
	if (result == SPOOL_OK) {
		log_debug("event=limits-stored");
		return;
	}
	log_warn("event=limits-store error=%s",
	    log_q(spool_result_name(result)));
	rate_all_changed();
}

/* One count into the transaction. False: it is not to be had. */
static bool
add(struct spool_txn *txn, uint64_t wall, int64_t now)
{
	struct rate_record	r;
	struct rate_state	s;
	uint8_t			buf[RATE_RECORD_MAX];
	uint32_t		place;
	size_t			len;

	if ((place = rate_changed(now, &s, &r.parts)) == RATE_NONE)
		return false;
	r.key = s.key;
	r.rate = s.rate;
	r.when = wall;
	if ((len = rate_record_encode(&r, buf)) == 0)
		return true;
	return spool_txn_update(txn, RATE_REGISTER + place /
	    RATE_REGISTER_KEYS, place % RATE_REGISTER_KEYS, buf, len) ==
	    SPOOL_OK;
}

void
rate_store_tick(uint64_t wall, int64_t now, bool ends)
{
	struct spool_txn	*txn;
	unsigned int		 n;

	if (writing || rate_nchanged() == 0 ||
	    (!ends && now - last < RATE_STORE_SECONDS * 1000))
		return;
	last = now;
	if ((txn = spool_txn_begin(spool, SPOOL_TXN_RESERVE)) == NULL)
		return;
	for (n = 0; n < RATE_STORE_BATCH && add(txn, wall, now); n++)
		;
	writing = true;
	spool_txn_commit(txn, on_written, NULL);
}

bool
rate_store_idle(void)
{
	return !writing && rate_nchanged() == 0;
}
