/*
 * Batches: what is ready is gathered into one buffer, written by one pwrite at
 * the end of the head segment, flushed beside the loop, and answered when the
 * flush is done. One batch is under way at a time; the next gathers meanwhile.
 *
 * Part of the log engine in msad-queue. The index changes only here, once the
 * batch is durable, in the order of the records (spool_batch_apply()).
 *
 * A failed write or flush is never tried again on the same pages: the batch is
 * answered with the error, the segment is left where the batch began, and the
 * next batch opens another segment, whose table says so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

static void	run(void *);

void
spool_kick(struct spool *sp)
{
	if (sp->kicked || sp->opening)
		return;
	sp->kicked = 1;
	sp->io->soon(sp->io->ctx, run, sp);
}

void
spool_submit(struct spool_txn *t)
{
	TAILQ_INSERT_TAIL(&t->sp->pending, t, entry);
	spool_kick(t->sp);
}

static void
answer(struct spool_txn *t, enum spool_result result)
{
	spool_done	 done = t->done;
	void		*arg = t->arg;

	if (result != SPOOL_OK && result != SPOOL_NOENT)
		spool_txn_unlink(t);
	spool_txn_free(t);
	if (done != NULL)
		done(arg, result);
}

/*
 * Answer the changes in list, each with its result or, if not 0, with result.
 */
static void
answer_all(struct txns *list, enum spool_result result)
{
	struct spool_txn	*t;

	while ((t = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, t, entry);
		answer(t, result != SPOOL_OK ? result : t->result);
	}
}

void
spool_fail_pending(struct spool *sp, enum spool_result result,
    int messages_only)
{
	struct spool_txn	*t, *next;
	struct txns		 failed = TAILQ_HEAD_INITIALIZER(failed);

	for (t = TAILQ_FIRST(&sp->pending); t != NULL; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (messages_only && !t->messages)
			continue;
		TAILQ_REMOVE(&sp->pending, t, entry);
		TAILQ_INSERT_TAIL(&failed, t, entry);
	}
	answer_all(&failed, result);
}

/* A write or flush failed: the second in a row stops acceptance. */
void
spool_failed(struct spool *sp, const char *what, int error)
{
	sp->stats.failures++;
	if (++sp->failures < 2)
		return;
	sp->stopped = spool_from_errno(error) == SPOOL_NOSPACE ?
	    SPOOL_NOSPACE : SPOOL_STOPPED;
	snprintf(sp->reason, sizeof(sp->reason), "%s failed: %s", what,
	    strerror(error));
	spool_check_accepting(sp);
}

/* Room for n more octets in the batch buffer. */
static int
batch_room(struct spool *sp, size_t n)
{
	uint8_t	*buf;
	size_t	 want = sp->batch_len + n + SEGMENT_BLOCK;

	if (want <= sp->batch_alloc)
		return 0;
	if (want < 2 * sp->batch_alloc)
		want = 2 * sp->batch_alloc;
	if ((buf = realloc(sp->batch, want)) == NULL)
		return -1;
	sp->batch = buf;
	sp->batch_alloc = want;
	return 0;
}

int
spool_batch_add(struct spool *sp, const struct op *op, const uint8_t *octets)
{
	struct op	*ops;
	size_t		 n;

	if (sp->nops == sp->aops) {
		n = sp->aops == 0 ? 64 : sp->aops * 2;
		if ((ops = reallocarray(sp->ops, n, sizeof(*ops))) == NULL)
			return -1;
		sp->ops = ops;
		sp->aops = n;
	}
	if (batch_room(sp, op->size) == -1)
		return -1;
	memcpy(sp->batch + sp->batch_len, octets, op->size);
	sp->ops[sp->nops] = *op;
	sp->ops[sp->nops++].off = sp->batch_off + (uint32_t)sp->batch_len;
	sp->batch_len += op->size;
	return 0;
}

/* The first record of a segment: which segments there are and their ends. */
static int
add_table(struct spool *sp, const struct segment *head)
{
	struct segment	*seg;
	struct record	 r = { .type = RECORD_TABLE };
	struct op	 op = { .type = RECORD_TABLE };
	uint8_t		*buf, *p;
	int		 rv;

	r.len = sp->nsegs * SEGMENT_TABLE_ENTRY;
	op.size = (uint32_t)RECORD_SIZE(r.len);
	if ((buf = calloc(1, op.size)) == NULL)
		return -1;
	p = buf + RECORD_HEADER;
	r.len = 0;
	TAILQ_FOREACH(seg, &sp->segs, entry) {
		if (seg == head)
			continue;
		le64_put(p + r.len, seg->epoch);
		le64_put(p + r.len + 8, seg->end);
		r.len += SEGMENT_TABLE_ENTRY;
	}
	op.size = (uint32_t)RECORD_SIZE(r.len);
	r.crc = crc32c(0, p, r.len);
	record_encode(buf, &r);
	rv = spool_batch_add(sp, &op, buf);
	free(buf);
	return rv;
}

int
spool_batch_begin(struct spool *sp, struct segment *seg)
{
	sp->nops = 0;
	sp->batch_off = seg->end;
	sp->batch_len = 0;
	if (batch_room(sp, RECORD_HEADER) == -1)
		return -1;
	sp->batch_len = RECORD_HEADER;
	return seg->end == SEGMENT_BLOCK ? add_table(sp, seg) : 0;
}

/* Finish the headers now that every record has its place. */
void
spool_batch_seal(struct spool *sp)
{
	struct record	b = { .type = RECORD_BATCH };
	uint64_t	seed = spool_seed(sp, sp->head);
	size_t		i, size;

	for (i = 0; i < sp->nops; i++)
		record_seal(sp->batch + (sp->ops[i].off - sp->batch_off), seed,
		    sp->ops[i].off);
	b.len = (uint32_t)(sp->batch_len - RECORD_HEADER);
	b.key = (uint32_t)sp->nops;
	b.id = sp->head->epoch;		/* durable before this: up to here */
	b.bodylen = sp->batch_off;
	record_encode(sp->batch, &b);
	record_seal(sp->batch, seed, sp->batch_off);
	size = BATCH_SIZE(b.len);
	memset(sp->batch + sp->batch_len, 0, size - sp->batch_len);
	sp->batch_len = size;
}

/* The body file of a message that is gone is of no use any more. */
static void
remove_body(struct spool *sp, uint64_t id)
{
	const struct object	*o = places_find(&sp->ix, id);
	char			 name[NAME_LEN];

	if (!places_alive(o) || !o->bodyfile)
		return;
	spool_body_name(name, sizeof(name), id);
	if (sp->io->unlink(sp->io->ctx, sp->bodies, name) == -1 &&
	    errno != ENOENT)
		spool_trouble(sp, NAME_BODIES, name, 0, strerror(errno));
}

static int
apply_op(struct spool *sp, const struct op *op)
{
	switch (op->type) {
	case RECORD_MESSAGE:
		return places_put_message(&sp->ix, op->id, op->bodyfile,
		    sp->head, op->off, op->size);
	case RECORD_STATE:
		return places_put_state(&sp->ix, op->id, op->key, sp->head,
		    op->off, op->size, 0);
	case RECORD_REMOVE:
		remove_body(sp, op->id);
		return places_remove(&sp->ix, op->id, sp->head, op->off,
		    op->size, 0);
	case RECORD_TABLE:
		sp->table = sp->head;
		sp->ix.emptied = 1;	/* the one before may go now */
		return 0;
	default:
		return 0;
	}
}

/* The batch is durable: from now on it holds. -1: no memory. */
int
spool_batch_apply(struct spool *sp)
{
	struct op	*op;
	size_t		 i;
	int		 rv;

	for (i = 0; i < sp->nops; i++) {
		op = &sp->ops[i];
		if ((rv = apply_op(sp, op)) == -1)
			return -1;
		if (rv == 1 && op->txn != NULL)
			op->txn->result = SPOOL_NOENT;
		if (op->type != RECORD_TABLE)
			spool_digest_note(sp->head, sp->batch +
			    (op->off - sp->batch_off), op->off);
		if (op->from != NULL)
			sp->stats.copied_bytes += op->size;
	}
	sp->head->end = sp->batch_off + (uint32_t)sp->batch_len;
	sp->stats.batches++;
	sp->stats.batch_records += sp->nops;
	sp->stats.batch_bytes += sp->batch_len;
	return 0;
}

/*
 * The body files of a batch that failed must stay as long as a crash could
 * bring the batch back whole: until the next one is durable.
 */
static void
keep_bodies(struct spool *sp, const struct txns *list)
{
	struct spool_txn	*t;
	struct spool_message	*m;
	uint64_t		*ids;

	TAILQ_FOREACH(t, list, entry)
		while ((m = TAILQ_FIRST(&t->bodies)) != NULL) {
			ids = reallocarray(sp->voided, sp->nvoided + 1,
			    sizeof(*ids));
			if (ids == NULL)
				spool_no_memory();
			sp->voided = ids;
			sp->voided[sp->nvoided++] = m->id;
			TAILQ_REMOVE(&t->bodies, m, entry);
			spool_message_free(m);
		}
}

static void
drop_bodies(struct spool *sp)
{
	char	name[NAME_LEN];

	while (sp->nvoided > 0) {
		spool_body_name(name, sizeof(name), sp->voided[--sp->nvoided]);
		sp->io->unlink(sp->io->ctx, sp->bodies, name);
	}
}

static void
batch_good(struct spool *sp, struct txns *list)
{
	if (spool_batch_apply(sp) == -1)
		spool_no_memory();
	drop_bodies(sp);
	sp->failures = 0;
	sp->stopped = SPOOL_OK;
	spool_release_dead(sp);
	spool_check_accepting(sp);
	answer_all(list, SPOOL_OK);
}

static void
batch_bad(struct spool *sp, struct txns *list, int error)
{
	enum spool_result	result = spool_from_errno(error);
	char			text[80];

	snprintf(text, sizeof(text), "write or flush failed: %s",
	    strerror(error));
	spool_trouble_segment(sp, sp->head, sp->batch_off, text);
	if (sp->head->live == 0)
		sp->ix.emptied = 1;
	keep_bodies(sp, list);
	spool_digest_leave(sp, sp->head);
	sp->head = NULL;
	sp->victim = NULL;
	spool_failed(sp, "spool: writing", error);
	spool_release_dead(sp);
	answer_all(list, result);
	if (sp->stopped != SPOOL_OK)
		spool_fail_pending(sp, sp->stopped, 1);
}

static void
batch_done(void *arg, int error)
{
	struct spool	*sp = arg;
	struct txns	 list = TAILQ_HEAD_INITIALIZER(list);

	sp->flying = 0;
	TAILQ_CONCAT(&list, &sp->inflight, entry);
	if (error == 0)
		batch_good(sp, &list);
	else
		batch_bad(sp, &list, error);
	spool_kick(sp);
}

static void
write_batch(struct spool *sp)
{
	int	fd;

	spool_batch_seal(sp);
	sp->flying = 1;
	sp->probe = 0;
	if (sp->tick_copy > 0)
		sp->tick_copy--;
	if ((fd = segment_fd(sp, sp->head)) == -1 ||
	    sp->io->pwrite(sp->io->ctx, fd, sp->batch, sp->batch_len,
	    sp->batch_off) == -1 ||
	    sp->io->flush(sp->io->ctx, fd, 0, batch_done, sp) == -1)
		batch_done(sp, errno);
}

/* Would this change be refused now, or may it use the head? */
static int
may_write(const struct spool *sp, const struct spool_txn *t)
{
	return t->reserve || spool_spare(sp) >= RESERVE;
}

/* Move what fits from pending into the batch. room: octets of the segment. */
static void
take_pending(struct spool *sp, size_t room)
{
	struct spool_txn	*t;
	struct op		 op;
	uint32_t		 i;

	while ((t = TAILQ_FIRST(&sp->pending)) != NULL) {
		if (sp->batch_len + t->len > room || !may_write(sp, t) ||
		    (sp->batch_len + t->len > BATCH_MAX &&
		    !TAILQ_EMPTY(&sp->inflight)))
			return;
		for (i = 0; i < t->nops; i++) {
			op = t->ops[i];
			op.txn = t;
			if (spool_batch_add(sp, &op, t->buf + op.off) == -1)
				spool_no_memory();
		}
		TAILQ_REMOVE(&sp->pending, t, entry);
		TAILQ_INSERT_TAIL(&sp->inflight, t, entry);
	}
}

/*
 * The first change does not go into the head. Take the next segment, refuse
 * the change, or wait for a segment: 1 to try again, 0 to wait.
 */
static int
make_way(struct spool *sp, struct spool_txn *t)
{
	int	allowed;

	allowed = t == NULL || t->reserve || spool_spare(sp) > RESERVE;
	if (allowed && (sp->head == NULL || sp->head->end > SEGMENT_BLOCK) &&
	    spool_rotate(sp) == 0)
		return 1;
	spool_prepare(sp);
	if (t == NULL)
		return 0;
	if (sp->prep == PREP_NONE && !sp->releasing) {
		/* nothing is coming */
		TAILQ_REMOVE(&sp->pending, t, entry);
		answer(t, sp->nospace ? SPOOL_NOSPACE : SPOOL_IO);
		return 1;
	}
	return 0;
}

/* Fill a batch: 1 when there is one to write. */
static int
gather(struct spool *sp)
{
	struct spool_txn	*t;
	size_t			 room;
	int			 copy, starved;

	for (;;) {
		t = TAILQ_FIRST(&sp->pending);
		starved = 0;
		copy = spool_wants_copy(sp) && (t != NULL || sp->tick_copy);
		if (t == NULL && !copy && !sp->probe)
			return 0;
		if (sp->head != NULL) {
			room = sp->head->size - sp->head->end;
			if (spool_batch_begin(sp, sp->head) == -1)
				spool_no_memory();
			if (copy)
				starved = spool_copy_forward(sp, room);
			take_pending(sp, room);
			if (!TAILQ_EMPTY(&sp->inflight) || sp->nops > 1 ||
			    (sp->nops == 1 && sp->ops[0].from != NULL) ||
			    (sp->probe && room > SEGMENT_BLOCK))
				return 1;
			if (t == NULL && !starved && !sp->probe)
				return 0;
		}
		if (!make_way(sp, t))
			return 0;
	}
}

static void
answer_refused(struct spool *sp)
{
	struct spool_txn	*t, *next;
	struct txns		 list = TAILQ_HEAD_INITIALIZER(list);

	for (t = TAILQ_FIRST(&sp->pending); t != NULL; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (t->messages && t->result == SPOOL_OK)
			t->result = sp->stopped;
		if (t->result == SPOOL_OK)
			continue;
		TAILQ_REMOVE(&sp->pending, t, entry);
		TAILQ_INSERT_TAIL(&list, t, entry);
	}
	answer_all(&list, SPOOL_OK);
}

static void
run(void *arg)
{
	struct spool	*sp = arg;

	sp->kicked = 0;
	if (sp->flying)
		return;
	answer_refused(sp);
	if (gather(sp))
		write_batch(sp);
	spool_prepare(sp);
}
