/*
 * Segments of the log: allocated ahead, recycled in place, reclaimed.
 *
 * Part of the log engine in msad-queue. A segment's file is log/EPOCH while it
 * holds records and log/free-NUMBER while it holds none; log/new-NUMBER is one
 * being filled, worth nothing after a crash. A file gets its next epoch's
 * header flushed before its name, and its name flushed before a record is
 * written, so that an epoch with records is never given out twice. It gets its
 * free name durably before the index forgets what was in it.
 *
 * Reclaim copies what still counts of the emptiest segment to the head, a
 * bounded piece with each batch, until the log is at most about twice what
 * counts. The last segments are a reserve: messages are refused before that,
 * so that results, removals and DSNs can always be written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/spool_priv.h"

#define FILL_STEP	(512U * 1024)

static void	fill_step(void *);

void
segment_name(char *buf, size_t size, uint64_t epoch)
{
	snprintf(buf, size, "%016" PRIx64, epoch);
}

void
freefile_name(char *buf, size_t size, uint64_t number)
{
	snprintf(buf, size, "free-%016" PRIx64, number);
}

static void
newfile_name(char *buf, size_t size, uint64_t number)
{
	snprintf(buf, size, "new-%016" PRIx64, number);
}

struct segment *
segment_new(uint64_t epoch, uint32_t size)
{
	struct segment	*seg;

	if ((seg = calloc(1, sizeof(*seg))) == NULL)
		spool_no_memory();
	seg->epoch = epoch;
	seg->size = size;
	seg->end = SEGMENT_BLOCK;
	seg->fd = -1;
	return seg;
}

static void
segment_close(struct spool *sp, struct segment *seg)
{
	if (seg->fd == -1)
		return;
	TAILQ_REMOVE(&sp->opened, seg, opened);
	sp->nopened--;
	sp->io->close(sp->io->ctx, seg->fd);
	seg->fd = -1;
}

/* Free what is no more in sp->segs. */
void
segment_free(struct spool *sp, struct segment *seg)
{
	segment_close(sp, seg);
	free(seg->copies);
	digest_free(seg->digest);
	free(seg);
}

void
segment_insert(struct spool *sp, struct segment *seg)
{
	TAILQ_INSERT_TAIL(&sp->segs, seg, entry);
	sp->nsegs++;
}

static void
segment_opened(struct spool *sp, struct segment *seg, int fd)
{
	struct segment	*old;

	seg->fd = fd;
	TAILQ_INSERT_TAIL(&sp->opened, seg, opened);
	if (++sp->nopened <= FDS_MAX)
		return;
	TAILQ_FOREACH(old, &sp->opened, opened)
		if (old != sp->head && old != seg) {
			segment_close(sp, old);
			return;
		}
}

/* The segment's descriptor, opened when need be; -1 and errno. */
int
segment_fd(struct spool *sp, struct segment *seg)
{
	char	name[NAME_LEN];
	int	fd;

	if (seg->fd != -1)
		return seg->fd;
	if (seg->dying)
		freefile_name(name, sizeof(name), seg->epoch);
	else
		segment_name(name, sizeof(name), seg->epoch);
	fd = sp->io->open(sp->io->ctx, sp->log, name, SPOOL_O_WRITE);
	if (fd != -1)
		segment_opened(sp, seg, fd);
	return fd;
}

void
spool_freefile_add(struct spool *sp, uint64_t number)
{
	struct freefile	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		spool_no_memory();
	f->number = number;
	TAILQ_INSERT_TAIL(&sp->free, f, entry);
	sp->nfree++;
}

/* --- preparing a segment, step by step ------------------------------- */

/* Give up what was being prepared; try again at the next tick. */
static void
prep_failed(struct spool *sp, const char *name, int error)
{
	int	full = spool_from_errno(error) == SPOOL_NOSPACE;

	/* a full disk does not hinder the use of files that are there */
	sp->alloc_wait = 1;
	if (!full || sp->prep == PREP_HEADER || sp->prep == PREP_NAME)
		sp->prep_wait = 1;
	sp->prep = PREP_NONE;
	if (sp->prep_seg != NULL) {
		segment_free(sp, sp->prep_seg);
		sp->prep_seg = NULL;
	}
	if (name != NULL)
		sp->io->unlink(sp->io->ctx, sp->log, name);
	if (full) {
		sp->nospace = 1;
	} else {
		spool_trouble(sp, NAME_LOG, name, 0, strerror(error));
		spool_failed(sp, "spool: preparing a segment", error);
	}
	spool_check_accepting(sp);
	spool_kick(sp);
}

static void
named(void *arg, int error)
{
	struct spool	*sp = arg;
	char		 name[NAME_LEN];

	if (error != 0) {
		segment_name(name, sizeof(name), sp->prep_seg->epoch);
		prep_failed(sp, name, error);
		return;
	}
	sp->prep = PREP_NONE;
	sp->next = sp->prep_seg;
	sp->prep_seg = NULL;
	spool_check_accepting(sp);
	spool_kick(sp);
}

/* The first free file, with its header durable, becomes that segment. */
static int
name_segment(struct spool *sp)
{
	struct freefile	*f = TAILQ_FIRST(&sp->free);
	char		 from[NAME_LEN], to[NAME_LEN];

	freefile_name(from, sizeof(from), f->number);
	segment_name(to, sizeof(to), sp->prep_seg->epoch);
	TAILQ_REMOVE(&sp->free, f, entry);
	sp->nfree--;
	free(f);
	if (sp->io->rename(sp->io->ctx, sp->log, from, to) == -1)
		return -1;
	sp->stats.recycled++;
	return 0;
}

static void
header_flushed(void *arg, int error)
{
	struct spool	*sp = arg;
	char		 name[NAME_LEN];

	if (error == 0 && name_segment(sp) == -1)
		error = errno;
	if (error != 0) {
		prep_failed(sp, NULL, error);
		return;
	}
	sp->prep = PREP_NAME;
	if (sp->io->flush(sp->io->ctx, sp->log, 1, named, sp) == -1) {
		error = errno;
		segment_name(name, sizeof(name), sp->prep_seg->epoch);
		prep_failed(sp, name, error);
	}
}

/* Write the header of a new epoch into the first free file. */
static int
write_header(struct spool *sp)
{
	uint8_t		 block[SEGMENT_BLOCK];
	char		 name[NAME_LEN];
	struct segment	*seg;
	int		 fd;

	freefile_name(name, sizeof(name), TAILQ_FIRST(&sp->free)->number);
	fd = sp->io->open(sp->io->ctx, sp->log, name, SPOOL_O_WRITE);
	if (fd == -1)
		return -1;
	seg = segment_new(++sp->last_epoch, sp->cfg.segment_size);
	segment_opened(sp, seg, fd);
	sp->prep_seg = seg;
	segment_encode(block, seg->epoch, sp->key, seg->size);
	return sp->io->pwrite(sp->io->ctx, fd, block, sizeof(block), 0) == -1 ?
	    -1 : 0;
}

static void
start_header(struct spool *sp)
{
	sp->prep = PREP_HEADER;
	if (write_header(sp) == -1) {
		prep_failed(sp, NULL, errno);
		return;
	}
	if (sp->io->flush(sp->io->ctx, sp->prep_seg->fd, 0, header_flushed,
	    sp) == -1)
		prep_failed(sp, NULL, errno);
}

static void
filled(void *arg, int error)
{
	struct spool	*sp = arg;
	char		 from[NAME_LEN], to[NAME_LEN];
	uint64_t	 number = sp->prep_seg->epoch;

	newfile_name(from, sizeof(from), number);
	freefile_name(to, sizeof(to), number);
	if (error == 0 &&
	    sp->io->rename(sp->io->ctx, sp->log, from, to) == -1)
		error = errno;
	if (error != 0) {
		prep_failed(sp, from, error);
		return;
	}
	segment_free(sp, sp->prep_seg);
	sp->prep_seg = NULL;
	sp->prep = PREP_NONE;
	sp->nospace = 0;
	spool_freefile_add(sp, number);
	spool_prepare(sp);
	spool_check_accepting(sp);
	spool_kick(sp);
}

/* Write the next stretch of zeros. 1 when all is written, -1 on error. */
static int
fill(struct spool *sp)
{
	static const uint8_t	zeros[FILL_STEP];
	struct segment		*seg = sp->prep_seg;
	size_t			 n = seg->size - sp->prep_filled;

	if (n > sizeof(zeros))
		n = sizeof(zeros);
	if (sp->io->pwrite(sp->io->ctx, seg->fd, zeros, n, sp->prep_filled) ==
	    -1)
		return -1;
	sp->prep_filled += (uint32_t)n;
	return sp->prep_filled == seg->size;
}

static void
fill_step(void *arg)
{
	struct spool	*sp = arg;
	char		 name[NAME_LEN];
	int		 rv;

	if ((rv = fill(sp)) == 0) {
		sp->io->soon(sp->io->ctx, fill_step, sp);
		return;
	}
	sp->prep = PREP_FILLED;
	if (rv == -1 || sp->io->flush(sp->io->ctx, sp->prep_seg->fd, 0, filled,
	    sp) == -1) {
		newfile_name(name, sizeof(name), sp->prep_seg->epoch);
		prep_failed(sp, name, errno);
	}
}

/* Create a file of a segment's size, not yet filled. */
static int
create_file(struct spool *sp)
{
	char		 name[NAME_LEN];
	uint64_t	 total;
	int		 fd;

	total = (uint64_t)(sp->nsegs + spool_spare(sp) + 1) *
	    sp->cfg.segment_size;
	if (sp->cfg.log_max != 0 && total > sp->cfg.log_max) {
		errno = ENOSPC;
		return -1;
	}
	newfile_name(name, sizeof(name), ++sp->last_epoch);
	fd = sp->io->open(sp->io->ctx, sp->log, name,
	    SPOOL_O_WRITE | SPOOL_O_CREATE);
	if (fd == -1)
		return -1;
	sp->prep_seg = segment_new(sp->last_epoch, sp->cfg.segment_size);
	segment_opened(sp, sp->prep_seg, fd);
	sp->prep_filled = 0;
	return sp->io->allocate(sp->io->ctx, fd, sp->cfg.segment_size);
}

static void
start_allocate(struct spool *sp)
{
	char	name[NAME_LEN];

	sp->prep = PREP_ALLOCATE;
	if (create_file(sp) == -1) {
		newfile_name(name, sizeof(name), sp->last_epoch);
		prep_failed(sp, sp->prep_seg != NULL ? name : NULL, errno);
		return;
	}
	sp->io->soon(sp->io->ctx, fill_step, sp);
}

/* Begin to prepare whatever is missing. */
void
spool_prepare(struct spool *sp)
{
	if (sp->opening || sp->prep != PREP_NONE || sp->prep_wait)
		return;
	if (sp->next == NULL && sp->nfree > 0)
		start_header(sp);
	else if (spool_spare(sp) <= RESERVE && !sp->alloc_wait)
		start_allocate(sp);
}

/*
 * The same at once, for spool_open(): makes sp->next, durable. -1 and errno
 * when there is no space or it fails.
 */
int
spool_prepare_now(struct spool *sp)
{
	char	from[NAME_LEN], to[NAME_LEN];
	int	rv, error;

	if (sp->nfree == 0) {
		if (create_file(sp) == -1)
			goto fail;
		while ((rv = fill(sp)) == 0)
			;
		if (rv == -1 ||
		    sp->io->sync(sp->io->ctx, sp->prep_seg->fd, 0) == -1)
			goto fail;
		newfile_name(from, sizeof(from), sp->prep_seg->epoch);
		freefile_name(to, sizeof(to), sp->prep_seg->epoch);
		if (sp->io->rename(sp->io->ctx, sp->log, from, to) == -1)
			goto fail;
		spool_freefile_add(sp, sp->prep_seg->epoch);
		segment_free(sp, sp->prep_seg);
		sp->prep_seg = NULL;
	}
	if (write_header(sp) == -1 ||
	    sp->io->sync(sp->io->ctx, sp->prep_seg->fd, 0) == -1)
		goto fail;
	if (name_segment(sp) == -1 ||
	    sp->io->sync(sp->io->ctx, sp->log, 1) == -1)
		goto fail;
	sp->next = sp->prep_seg;
	sp->prep_seg = NULL;
	return 0;
fail:
	error = errno;
	newfile_name(from, sizeof(from), sp->last_epoch);
	if (sp->prep_seg != NULL)
		segment_free(sp, sp->prep_seg);
	sp->prep_seg = NULL;
	sp->io->unlink(sp->io->ctx, sp->log, from);
	errno = error;
	return -1;
}

/* Go on to the prepared segment. -1 when there is none. */
int
spool_rotate(struct spool *sp)
{
	if (sp->next == NULL)
		return -1;
	if (sp->head != NULL)
		spool_digest_leave(sp, sp->head);
	sp->head = sp->next;
	sp->next = NULL;
	segment_insert(sp, sp->head);
	sp->id_epoch = sp->head->epoch;
	sp->id_count = 0;
	sp->ix.emptied = 1;		/* the one left may hold nothing */
	spool_prepare(sp);
	return 0;
}

/* --- segments in which nothing counts ---------------------------------- */

static void	dead_flushed(void *, int);

/* Give segments without live records their free names; how many. */
static unsigned int
rename_dead(struct spool *sp)
{
	struct segment	*seg;
	char		 from[NAME_LEN], to[NAME_LEN];
	unsigned int	 n = 0;

	TAILQ_FOREACH(seg, &sp->segs, entry) {
		if (seg->live > 0 || seg == sp->head || seg == sp->table ||
		    seg->damaged)
			continue;
		if (seg->dying == 0) {
			segment_name(from, sizeof(from), seg->epoch);
			freefile_name(to, sizeof(to), seg->epoch);
			if (sp->io->rename(sp->io->ctx, sp->log, from, to) ==
			    -1) {
				seg->damaged = 1;
				spool_trouble_segment(sp, seg, 0,
				    strerror(errno));
				continue;
			}
		}
		seg->dying = 2;
		n++;
	}
	return n;
}

/* Their names are durable: forget what they held. */
static void
bury(struct spool *sp)
{
	struct segment	*seg, *next;
	char		 name[NAME_LEN];

	for (seg = TAILQ_FIRST(&sp->segs); seg != NULL; seg = next) {
		next = TAILQ_NEXT(seg, entry);
		if (seg->dying != 2)
			continue;
		TAILQ_REMOVE(&sp->segs, seg, entry);
		sp->nsegs--;
		places_release(&sp->ix, seg);
		if (seg == sp->victim)
			sp->victim = NULL;
		spool_digest_remove(sp, seg->epoch);
		freefile_name(name, sizeof(name), seg->epoch);
		if (seg->size != sp->cfg.segment_size || (sp->head != NULL &&
		    sp->nfree > sp->nsegs + 2 * RESERVE))
			sp->io->unlink(sp->io->ctx, sp->log, name);
		else
			spool_freefile_add(sp, seg->epoch);
		segment_free(sp, seg);
	}
}

static void
dead_flushed(void *arg, int error)
{
	struct spool	*sp = arg;
	struct segment	*seg;

	sp->releasing = 0;
	if (error != 0) {
		TAILQ_FOREACH(seg, &sp->segs, entry)
			if (seg->dying == 2)
				seg->dying = 1;
		spool_trouble(sp, NAME_LOG, NULL, 0, strerror(error));
		return;			/* the next tick tries again */
	}
	bury(sp);
	sp->no_victim = 0;
	spool_release_dead(sp);
	spool_prepare(sp);
	spool_check_accepting(sp);
	spool_kick(sp);
}

/* Begin to give back what no record counts in any more. */
void
spool_release_dead(struct spool *sp)
{
	if (sp->releasing || !sp->ix.emptied || sp->opening)
		return;
	sp->ix.emptied = 0;
	if (rename_dead(sp) == 0)
		return;
	sp->releasing = 1;
	if (sp->io->flush(sp->io->ctx, sp->log, 1, dead_flushed, sp) == -1)
		dead_flushed(sp, errno);
}

/* The same at once, for spool_open(). */
int
spool_release_now(struct spool *sp)
{
	while (rename_dead(sp) > 0) {
		if (sp->io->sync(sp->io->ctx, sp->log, 1) == -1)
			return -1;
		bury(sp);
	}
	sp->ix.emptied = 0;
	return 0;
}

/* --- reclaim ----------------------------------------------------------- */

static int
pressure(const struct spool *sp)
{
	return sp->nospace && spool_spare(sp) <= RESERVE;
}

/* Is there more that does not count than the log should hold? */
int
spool_wants_copy(const struct spool *sp)
{
	uint64_t	used = (uint64_t)sp->nsegs * sp->cfg.segment_size;

	if (sp->victim != NULL)
		return 1;
	if (sp->no_victim || sp->stopped != SPOOL_OK)
		return 0;
	return pressure(sp) || used > 2 * sp->ix.live_bytes +
	    4 * (uint64_t)sp->cfg.segment_size;
}

static void
choose_victim(struct spool *sp)
{
	struct segment	*seg, *best = NULL;
	uint64_t	 limit;

	TAILQ_FOREACH(seg, &sp->segs, entry) {
		limit = pressure(sp) ? seg->size / 8 * 7 : seg->size / 2;
		if (seg == sp->head || seg->damaged || seg->dying ||
		    seg->live == 0 || seg->live_bytes > limit)
			continue;
		if (best == NULL || seg->live_bytes < best->live_bytes)
			best = seg;
	}
	sp->victim = best;
	sp->victim_off = SEGMENT_BLOCK;
	sp->no_victim = best == NULL;
}

/*
 * Copy the records of one batch of the victim that count, as long as they fit
 * into room octets of the batch being made. 1: go on; 0: enough.
 */
static int
copy_batch(struct spool *sp, const uint8_t *p, const struct record *b,
    size_t room)
{
	struct segment	*seg = sp->victim;
	struct record	 r;
	struct op	 op;
	uint32_t	 at = RECORD_HEADER, stop = at + b->len;

	for (; at < stop; at += (uint32_t)RECORD_SIZE(r.len)) {
		if (record_parse(p + at, stop - at, spool_seed(sp, seg),
		    sp->victim_off + at, &r) != RECORD_OK)
			return 0;
		if (!places_counts(&sp->ix, r.type, r.id, r.key, seg,
		    sp->victim_off + at))
			continue;
		if (sp->batch_len + RECORD_SIZE(r.len) > room)
			return 0;
		op = (struct op){ .id = r.id, .key = r.key, .type = r.type,
		    .bodyfile = (r.flags & RECORD_BODY_FILE) != 0,
		    .size = (uint32_t)RECORD_SIZE(r.len), .from = seg };
		if (spool_batch_add(sp, &op, p + at) == -1)
			spool_no_memory();
		if (sp->batch_len > COPY_MAX)
			return 0;
	}
	return 1;
}

/* Read the batch at victim_off; NULL when it cannot be walked. */
static uint8_t *
read_batch(struct spool *sp, struct record *b)
{
	struct segment	*seg = sp->victim;
	uint8_t		 head[RECORD_HEADER], *p;
	size_t		 size;
	int		 fd;

	if ((fd = segment_fd(sp, seg)) == -1 ||
	    sp->io->pread(sp->io->ctx, fd, head, sizeof(head),
	    sp->victim_off) != (ssize_t)sizeof(head) ||
	    record_parse(head, sizeof(head), spool_seed(sp, seg),
	    sp->victim_off, b) != RECORD_OK || b->type != RECORD_BATCH ||
	    b->len > seg->end - sp->victim_off - RECORD_HEADER)
		return NULL;
	size = RECORD_HEADER + b->len;
	if ((p = malloc(size)) == NULL)
		return NULL;
	if (sp->io->pread(sp->io->ctx, fd, p, size, sp->victim_off) !=
	    (ssize_t)size || !segment_batch_ok(p, size, spool_seed(sp, seg),
	    sp->victim_off, b)) {
		free(p);
		return NULL;
	}
	return p;
}

/* A segment that cannot be walked is kept as it is. */
static void
spare_victim(struct spool *sp)
{
	sp->victim->damaged = 1;
	spool_trouble_segment(sp, sp->victim, sp->victim_off,
	    "cannot be reclaimed: damaged; kept");
	sp->victim = NULL;
}

/*
 * Add a bounded piece of reclaim to the batch being made. 1 when there is
 * something to copy for which the segment has no room.
 */
int
spool_copy_forward(struct spool *sp, size_t room)
{
	struct record	 b;
	uint8_t		*p;
	int		 more;

	if (sp->victim == NULL || sp->victim_off >= sp->victim->end) {
		if (sp->victim != NULL && sp->victim->live > 0) {
			spare_victim(sp);
			return 0;
		}
		choose_victim(sp);
	}
	while (sp->victim != NULL && sp->victim_off < sp->victim->end) {
		if ((p = read_batch(sp, &b)) == NULL) {
			spare_victim(sp);
			return 0;
		}
		more = copy_batch(sp, p, &b, room);
		free(p);
		if (!more)
			return 1;
		sp->victim_off += (uint32_t)BATCH_SIZE(b.len);
	}
	return 0;
}
