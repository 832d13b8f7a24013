/*
 * The log engine behind spool.h: opening, closing, and whether messages are
 * taken. Runs in msad-queue only, which is the one writer of the directory; a
 * lock keeps a second instance out. The parts are listed in spool_priv.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

#define MESSAGE_ROOM	(256U * 1024)	/* octets a full spool's head keeps */
#define TICK_COPIES	4		/* batches of reclaim a tick */

const char *
spool_result_name(enum spool_result result)
{
	switch (result) {
	case SPOOL_OK:
		return "ok";
	case SPOOL_NOSPACE:
		return "no space";
	case SPOOL_IO:
		return "input/output error";
	case SPOOL_STOPPED:
		return "acceptance stopped";
	case SPOOL_TOOBIG:
		return "too big";
	case SPOOL_NOENT:
		return "no such message";
	case SPOOL_CORRUPT:
		return "damaged";
	}
	return "unknown";
}

enum spool_result
spool_from_errno(int error)
{
	return error == ENOSPC || error == EDQUOT ? SPOOL_NOSPACE : SPOOL_IO;
}

void
spool_no_memory(void)
{
	fatal("spool: out of memory");
}

void
spool_trouble(struct spool *sp, const char *dir, const char *name,
    uint64_t off, const char *text)
{
	char	place[64];

	if (sp->ev.trouble == NULL)
		return;
	snprintf(place, sizeof(place), "%s/%s", dir, name != NULL ? name : "");
	sp->ev.trouble(sp->ev.arg, place, off, text);
}

void
spool_trouble_segment(struct spool *sp, const struct segment *seg,
    uint64_t off, const char *text)
{
	char	name[NAME_LEN];

	segment_name(name, sizeof(name), seg->epoch);
	spool_trouble(sp, NAME_LOG, name, off, text);
}

/* Octets the head can still take of messages when nothing more is to be had. */
static uint32_t
head_room(const struct spool *sp)
{
	return sp->head == NULL ? 0 : sp->head->size - sp->head->end;
}

static int
is_full(const struct spool *sp)
{
	uint32_t	want = MESSAGE_ROOM;

	if (!sp->nospace)
		return 0;
	if (sp->head == NULL && sp->next == NULL)
		return 1;		/* nothing to write into */
	if (spool_spare(sp) > RESERVE)
		return 0;
	if (!sp->was_accepting)
		return 1;		/* not before a segment is free */
	if (want > sp->cfg.segment_size / 4)
		want = sp->cfg.segment_size / 4;
	return spool_spare(sp) < RESERVE || head_room(sp) < want;
}

enum spool_result
spool_accepting(const struct spool *sp, const char **reason)
{
	const char	*why = "";
	enum spool_result result = SPOOL_OK;

	if (sp->stopped != SPOOL_OK) {
		why = sp->reason;
		result = sp->stopped;
	} else if (is_full(sp)) {
		why = "no space left for the spool";
		result = SPOOL_NOSPACE;
	}
	if (reason != NULL)
		*reason = why;
	return result;
}

/*
 * Tell when that has changed; that it came back only once a tick, since on a
 * full disk it may come and go with every segment.
 */
static void
tell_accepting(struct spool *sp, int tick)
{
	const char	*reason;
	int		 ok;

	if (sp->opening)
		return;
	ok = spool_accepting(sp, &reason) == SPOOL_OK;
	if (ok == sp->was_accepting || (ok && !tick))
		return;
	sp->was_accepting = ok;
	if (sp->ev.accepting != NULL)
		sp->ev.accepting(sp->ev.arg, ok, reason);
}

void
spool_check_accepting(struct spool *sp)
{
	tell_accepting(sp, 0);
}

uint64_t
spool_space(const struct spool *sp)
{
	uint64_t	left, reserve;

	if (sp->io->space(sp->io->ctx, sp->dir, &left) == -1)
		return UINT64_MAX;
	reserve = (uint64_t)sp->cfg.segment_size;
	if (spool_spare(sp) > RESERVE)
		return left + sp->cfg.segment_size;
	left += head_room(sp);
	return left > reserve ? left - reserve : 0;
}

void
spool_get_stats(const struct spool *sp, struct spool_stats *st)
{
	*st = sp->stats;
	st->messages = sp->ix.messages;
	st->states = sp->ix.states;
	st->segments = sp->nsegs;
	st->segments_free = spool_spare(sp);
	st->log_bytes = (uint64_t)(sp->nsegs + spool_spare(sp)) *
	    sp->cfg.segment_size;
	st->live_bytes = sp->ix.live_bytes;
}

int
spool_idle(const struct spool *sp)
{
	return !sp->flying && TAILQ_EMPTY(&sp->pending) &&
	    TAILQ_EMPTY(&sp->waiting);
}

void
spool_tick(struct spool *sp)
{
	struct segment	*seg;

	sp->prep_wait = sp->alloc_wait = 0;
	sp->no_victim = 0;
	TAILQ_FOREACH(seg, &sp->segs, entry)
		if (seg->dying == 1)
			sp->ix.emptied = 1;
	spool_release_dead(sp);
	spool_prepare(sp);
	if (spool_wants_copy(sp))
		sp->tick_copy = TICK_COPIES;
	if (sp->stopped != SPOOL_OK && sp->prep == PREP_NONE)
		sp->probe = 1;
	if (sp->tick_copy || sp->probe)
		spool_kick(sp);
	tell_accepting(sp, 1);
}

/* The size of new segments: what was asked for, or what suits the disk. */
static void
choose_size(struct spool *sp)
{
	uint64_t	left = 0, size = SPOOL_SEGMENT_SIZE;

	if (sp->cfg.segment_size == 0) {
		sp->size_free = 1;
		if (sp->io->space(sp->io->ctx, sp->dir, &left) == 0 &&
		    left / 32 < size)
			size = left / 32;
		if (size < 1024 * 1024)
			size = 1024 * 1024;
		sp->cfg.segment_size = (uint32_t)(size & ~(uint64_t)0xfffff);
	}
	if (sp->cfg.inline_max == 0)
		sp->cfg.inline_max = SPOOL_INLINE_MAX;
	if (sp->cfg.gather_max == 0)
		sp->cfg.gather_max = 1024 * 1024;
}

static int
open_dir(struct spool *sp, const char *name)
{
	if (sp->io->mkdir(sp->io->ctx, sp->dir, name) == -1 &&
	    errno != EEXIST)
		return -1;
	return sp->io->open(sp->io->ctx, sp->dir, name, SPOOL_O_DIR);
}

/* The directories and the lock. */
static int
open_places(struct spool *sp, char *err, size_t errlen)
{
	if ((sp->lock = sp->io->lock(sp->io->ctx, sp->dir, NAME_LOCK)) == -1) {
		if (errno == EWOULDBLOCK)
			snprintf(err, errlen, "spool is in use by another "
			    "instance");
		else
			snprintf(err, errlen, "spool: %s: %s", NAME_LOCK,
			    strerror(errno));
		return -1;
	}
	if ((sp->log = open_dir(sp, NAME_LOG)) == -1 ||
	    (sp->bodies = open_dir(sp, NAME_BODIES)) == -1 ||
	    sp->io->sync(sp->io->ctx, sp->dir, 1) == -1) {
		snprintf(err, errlen, "spool: %s", strerror(errno));
		return -1;
	}
	return 0;
}

static struct spool *
spool_new(int dirfd, struct spool_io *io, const struct spool_config *cfg,
    const struct spool_events *ev)
{
	struct spool	*sp;

	if ((sp = calloc(1, sizeof(*sp))) == NULL ||
	    places_init(&sp->ix) == -1) {
		free(sp);
		return NULL;
	}
	sp->dir = dirfd;
	sp->io = io;
	if (cfg != NULL)
		sp->cfg = *cfg;
	if (ev != NULL)
		sp->ev = *ev;
	sp->log = sp->bodies = sp->lock = sp->scratch = -1;
	TAILQ_INIT(&sp->segs);
	TAILQ_INIT(&sp->opened);
	TAILQ_INIT(&sp->free);
	TAILQ_INIT(&sp->pending);
	TAILQ_INIT(&sp->inflight);
	TAILQ_INIT(&sp->waiting);
	return sp;
}

struct spool *
spool_open(int dirfd, struct spool_io *io, const struct spool_config *cfg,
    const struct spool_events *ev, struct spool_report *report, char *err,
    size_t errlen)
{
	struct spool	*sp;

	memset(report, 0, sizeof(*report));
	if ((sp = spool_new(dirfd, io, cfg, ev)) == NULL) {
		snprintf(err, errlen, "spool: out of memory");
		return NULL;
	}
	choose_size(sp);
	if (sp->cfg.segment_size < SEGMENT_MIN ||
	    sp->cfg.segment_size > SEGMENT_MAX ||
	    sp->cfg.segment_size % SEGMENT_BLOCK != 0) {
		snprintf(err, errlen, "spool: bad segment size");
		spool_close(sp);
		return NULL;
	}
	sp->opening = 1;
	if (open_places(sp, err, errlen) == -1 ||
	    spool_recover(sp, report, err, errlen) == -1) {
		spool_close(sp);
		return NULL;
	}
	sp->opening = 0;
	sp->was_accepting = 1;
	sp->was_accepting = spool_accepting(sp, NULL) == SPOOL_OK;
	spool_prepare(sp);
	return sp;
}

static void
free_txns(struct txns *list)
{
	struct spool_txn	*t;

	while ((t = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, t, entry);
		spool_txn_free(t);
	}
}

static void
free_segments(struct spool *sp)
{
	struct segment	*seg;
	struct freefile	*f;

	while ((seg = TAILQ_FIRST(&sp->segs)) != NULL) {
		TAILQ_REMOVE(&sp->segs, seg, entry);
		segment_free(sp, seg);
	}
	if (sp->next != NULL)
		segment_free(sp, sp->next);
	if (sp->prep_seg != NULL)
		segment_free(sp, sp->prep_seg);
	while ((f = TAILQ_FIRST(&sp->free)) != NULL) {
		TAILQ_REMOVE(&sp->free, f, entry);
		free(f);
	}
}

void
spool_close(struct spool *sp)
{
	if (sp == NULL)
		return;
	free_txns(&sp->pending);
	free_txns(&sp->inflight);
	free_txns(&sp->waiting);
	free_segments(sp);
	places_clear(&sp->ix);
	if (sp->log != -1)
		sp->io->close(sp->io->ctx, sp->log);
	if (sp->bodies != -1)
		sp->io->close(sp->io->ctx, sp->bodies);
	if (sp->lock != -1)
		sp->io->close(sp->io->ctx, sp->lock);
	if (sp->scratch != -1)
		sp->io->close(sp->io->ctx, sp->scratch);
	free(sp->idle);
	free(sp->voided);
	free(sp->batch);
	free(sp->ops);
	free(sp);
}
