/*
 * Recovery: what spool_open() finds in the directory becomes the index, and is
 * told to the queue. Part of the log engine in msad-queue; runs once, before
 * anything from outside is handled, and blocks.
 *
 * Trusts nothing it reads: damage is reported with its place and skipped. It
 * ends with a new head segment whose first batch, flushed, states where every
 * older segment ends, so that what was found now holds for ever, torn tail or
 * not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/spool_priv.h"

struct recovery {
	struct spool		*sp;
	struct spool_report	*report;
	struct segment		*seg;		/* being scanned */
	struct segment		*tail;		/* first without known end */
	uint64_t		*numbers;	/* of segments, then sorted */
	size_t			 n, alloc;
	uint64_t		*orphans;
	size_t			 norphans;
	int			 oom;
	char			*err;
	size_t			 errlen;
};

static int
failed(struct recovery *rc, const char *what)
{
	snprintf(rc->err, rc->errlen, "spool: %s: %s", what, strerror(errno));
	return -1;
}

/* 16 hex digits and nothing else. */
static int
parse_number(const char *s, uint64_t *n)
{
	const char	*d;
	static const char digits[] = "0123456789abcdef";
	int		 i;

	*n = 0;
	for (i = 0; i < 16; i++) {
		if (s[i] == '\0' || (d = strchr(digits, s[i])) == NULL)
			return 0;
		*n = *n << 4 | (uint64_t)(d - digits);
	}
	return s[16] == '\0';
}

static void
add_number(struct recovery *rc, uint64_t **list, size_t *n, uint64_t number)
{
	uint64_t	*p;

	p = reallocarray(*list, *n + 1, sizeof(*p));
	if (p == NULL) {
		rc->oom = 1;
		return;
	}
	*list = p;
	p[(*n)++] = number;
}

/* A name in log/. Names of others are left alone. */
static void
log_name(void *arg, const char *name)
{
	struct recovery	*rc = arg;
	struct spool	*sp = rc->sp;
	uint64_t	 n;

	if (parse_number(name, &n))
		add_number(rc, &rc->numbers, &rc->n, n);
	else if (strncmp(name, "free-", 5) == 0 && parse_number(name + 5, &n))
		spool_freefile_add(sp, n);
	else if (strncmp(name, "new-", 4) == 0 && parse_number(name + 4, &n))
		add_number(rc, &rc->orphans, &rc->norphans, n);
	else
		return;
	if (n > sp->last_epoch)
		sp->last_epoch = n;
}

static int
by_number(const void *a, const void *b)
{
	const uint64_t	*x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Free files of another size, and those half made, are of no use. */
static void
drop_useless(struct recovery *rc)
{
	struct spool	*sp = rc->sp;
	struct freefile	*f, *next;
	char		 name[NAME_LEN];
	uint64_t	 size;
	size_t		 i;
	int		 fd, ok;

	for (i = 0; i < rc->norphans; i++) {
		snprintf(name, sizeof(name), "new-%016" PRIx64, rc->orphans[i]);
		sp->io->unlink(sp->io->ctx, sp->log, name);
	}
	rc->norphans = 0;
	for (f = TAILQ_FIRST(&sp->free); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		freefile_name(name, sizeof(name), f->number);
		fd = sp->io->open(sp->io->ctx, sp->log, name, SPOOL_O_READ);
		ok = fd != -1 && sp->io->size(sp->io->ctx, fd, &size) == 0 &&
		    size == sp->cfg.segment_size;
		if (fd != -1)
			sp->io->close(sp->io->ctx, fd);
		if (ok)
			continue;
		sp->io->unlink(sp->io->ctx, sp->log, name);
		TAILQ_REMOVE(&sp->free, f, entry);
		sp->nfree--;
		free(f);
	}
}

/* Read a segment's header; its size is the file's when the header is bad. */
static int
read_header(struct recovery *rc, struct segment *seg)
{
	struct spool	*sp = rc->sp;
	uint8_t		 block[SEGMENT_BLOCK];
	uint64_t	 epoch, key, size;
	uint32_t	 hsize, version;
	int		 fd;
	enum segment_verdict v = SEGMENT_BAD;

	if ((fd = segment_fd(sp, seg)) == -1 ||
	    sp->io->size(sp->io->ctx, fd, &size) == -1)
		return failed(rc, "cannot open a segment");
	if (sp->io->pread(sp->io->ctx, fd, block, sizeof(block), 0) ==
	    (ssize_t)sizeof(block))
		v = segment_parse(block, sizeof(block), &epoch, &key, &hsize,
		    &version);
	if (v == SEGMENT_FOREIGN) {
		snprintf(rc->err, rc->errlen, "spool: format version %u, "
		    "this msad knows version %u only", version,
		    SEGMENT_VERSION);
		return -1;
	}
	seg->size = size > SEGMENT_MAX ? SEGMENT_MAX : (uint32_t)size;
	if (v != SEGMENT_OK || epoch != seg->epoch || hsize != size) {
		rc->report->bad++;
		spool_trouble_segment(sp, seg, 0, "segment header damaged");
		return 0;
	}
	if (sp->key == 0)
		sp->key = key;
	if (sp->size_free)
		sp->cfg.segment_size = hsize;
	return 0;
}

static int
open_segments(struct recovery *rc)
{
	struct segment	*seg;
	size_t		 i;

	if (rc->n > 1)
		qsort(rc->numbers, rc->n, sizeof(*rc->numbers), by_number);
	for (i = 0; i < rc->n; i++) {
		seg = segment_new(rc->numbers[i], 0);
		segment_insert(rc->sp, seg);
		if (read_header(rc, seg) == -1)
			return -1;
	}
	while (rc->sp->key == 0)
		arc4random_buf(&rc->sp->key, sizeof(rc->sp->key));
	rc->report->segments = rc->sp->nsegs;
	return 0;
}

/* The whole segment into memory; NULL and errno. */
static uint8_t *
read_segment(struct spool *sp, struct segment *seg, size_t n)
{
	uint8_t	*p;
	int	 fd;

	if ((fd = segment_fd(sp, seg)) == -1 ||
	    (p = calloc(1, n + 1)) == NULL)
		return NULL;
	if (sp->io->pread(sp->io->ctx, fd, p, n, 0) != (ssize_t)n) {
		free(p);
		return NULL;
	}
	return p;
}

/* Take the ends of older segments from a table. */
static void
use_table(struct recovery *rc, const struct record *r, const uint8_t *payload,
    const struct segment *from)
{
	struct segment	*seg = TAILQ_FIRST(&rc->sp->segs);
	uint64_t	 epoch, end;
	size_t		 i;

	for (i = 0; segment_table_get(r, payload, i, &epoch, &end); i++) {
		while (seg != NULL && seg->epoch < epoch)
			seg = TAILQ_NEXT(seg, entry);
		if (seg == NULL || seg == from)
			return;
		if (seg->epoch == epoch && end <= seg->size)
			seg->end = (uint32_t)end;
	}
}

/* Has seg a first batch with a table? Then it is the newest to say so. */
static int
find_table(struct recovery *rc, struct segment *seg)
{
	struct spool	*sp = rc->sp;
	struct record	 b, r;
	uint64_t	 seed = spool_seed(sp, seg);
	uint8_t		*p, head[RECORD_HEADER];
	size_t		 n;
	int		 fd, found = 0;

	if ((fd = segment_fd(sp, seg)) == -1 ||
	    sp->io->pread(sp->io->ctx, fd, head, sizeof(head),
	    SEGMENT_BLOCK) != (ssize_t)sizeof(head) ||
	    record_parse(head, sizeof(head), seed, SEGMENT_BLOCK, &b) !=
	    RECORD_OK || b.type != RECORD_BATCH ||
	    b.len > seg->size - SEGMENT_BLOCK - RECORD_HEADER)
		return 0;
	n = SEGMENT_BLOCK + RECORD_HEADER + (size_t)b.len;
	if ((p = read_segment(sp, seg, n)) == NULL)
		return 0;
	if (segment_batch_ok(p + SEGMENT_BLOCK, n - SEGMENT_BLOCK, seed,
	    SEGMENT_BLOCK, &b) && b.len >= RECORD_HEADER &&
	    record_parse(p + SEGMENT_BLOCK + RECORD_HEADER, b.len, seed,
	    SEGMENT_BLOCK + RECORD_HEADER, &r) == RECORD_OK &&
	    r.type == RECORD_TABLE) {
		use_table(rc, &r, p + SEGMENT_BLOCK + 2 * RECORD_HEADER, seg);
		found = 1;
	}
	free(p);
	return found;
}

static void
take_record(void *arg, const struct record *r, const uint8_t *payload,
    uint64_t off)
{
	struct recovery	*rc = arg;
	struct places	*ix = &rc->sp->ix;
	uint32_t	 at = (uint32_t)off,
	    size = (uint32_t)RECORD_SIZE(r->len);
	int		 rv = 0;

	(void)payload;
	if (r->type == RECORD_MESSAGE)
		rv = places_put_message(ix, r->id,
		    r->flags & RECORD_BODY_FILE, rc->seg, at, size);
	else if (r->type == RECORD_STATE)
		rv = places_put_state(ix, r->id, r->key, rc->seg, at, size, 1);
	else if (r->type == RECORD_REMOVE)
		rv = places_remove(ix, r->id, rc->seg, at, size, 1);
	if (rv == -1)
		rc->oom = 1;
}

static void
take_bad(void *arg, uint64_t off, const char *text)
{
	struct recovery	*rc = arg;

	rc->seg->damaged = 1;
	spool_trouble_segment(rc->sp, rc->seg, off, text);
}

/*
 * Make what was found of a segment the truth: the last batch is written again
 * before the flush, for after a flush that failed the page cache may show what
 * the disk does not have, and think it clean. Of a torn batch the header goes.
 */
static int
settle_tail(struct recovery *rc, struct segment *seg,
    const struct segment_scan *s)
{
	struct spool	*sp = rc->sp;
	uint8_t		 zeros[512];

	memset(zeros, 0, sizeof(zeros));
	if (s->torn) {
		rc->report->torn++;
		if (sp->io->pwrite(sp->io->ctx, seg->fd, zeros, sizeof(zeros),
		    s->tail) == -1)
			return failed(rc, "clearing a torn tail");
	}
	if (s->last != 0 && sp->io->pwrite(sp->io->ctx, seg->fd,
	    s->p + s->last, (size_t)(s->tail - s->last), s->last) == -1)
		return failed(rc, "writing a segment");
	if (sp->io->sync(sp->io->ctx, seg->fd, 0) == -1)
		return failed(rc, "flushing a segment");
	return 0;
}

static int
scan(struct recovery *rc, struct segment *seg, int known)
{
	struct segment_scan	s;
	uint8_t			*p;
	int			 rv = 0;
	size_t			 n = known ? seg->end : seg->size;

	memset(&s, 0, sizeof(s));
	if ((p = read_segment(rc->sp, seg, n)) == NULL) {
		rc->report->bad++;
		seg->damaged = 1;
		spool_trouble_segment(rc->sp, seg, 0, strerror(errno));
		return 0;
	}
	s.p = p;
	s.size = n;
	s.epoch = seg->epoch;
	s.key = rc->sp->key;
	s.end = known ? seg->end : 0;
	s.record = take_record;
	s.bad = take_bad;
	s.arg = rc;
	rc->seg = seg;
	segment_scan(&s);
	if (!known && segment_fd(rc->sp, seg) != -1)
		rv = settle_tail(rc, seg, &s);
	free(p);
	seg->end = (uint32_t)s.tail;
	rc->report->records += s.records;
	rc->report->bad += s.nbad;
	return rv;
}

static int
scan_all(struct recovery *rc)
{
	struct segment	*seg;
	int		 known;

	TAILQ_FOREACH_REVERSE(seg, &rc->sp->segs, segments, entry)
		if (find_table(rc, seg))
			break;
	rc->sp->table = seg;
	rc->tail = seg != NULL ? seg : TAILQ_FIRST(&rc->sp->segs);
	known = 1;
	TAILQ_FOREACH(seg, &rc->sp->segs, entry) {
		if (seg == rc->tail)
			known = 0;
		if (scan(rc, seg, known) == -1)
			return -1;
	}
	if (rc->sp->io->sync(rc->sp->io->ctx, rc->sp->log, 1) == -1)
		return failed(rc, "flushing " NAME_LOG);
	places_prune(&rc->sp->ix);
	return 0;
}

/* --- body files ---------------------------------------------------------- */

static void
body_name(void *arg, const char *name)
{
	struct recovery		*rc = arg;
	const struct object	*o;
	uint64_t		 id;

	if (!parse_number(name, &id))
		return;
	o = places_find(&rc->sp->ix, id);
	if (!places_alive(o) || !o->bodyfile)
		add_number(rc, &rc->orphans, &rc->norphans, id);
}

static void
check_body(void *arg, struct object *o)
{
	struct recovery		*rc = arg;
	struct spool_content	 c;
	char			 name[NAME_LEN];

	if (!places_alive(o) || !o->bodyfile)
		return;
	if (spool_content_open(rc->sp, o->id, &c) == SPOOL_OK) {
		spool_content_close(&c);
		return;
	}
	rc->report->lost_bodies++;
	spool_body_name(name, sizeof(name), o->id);
	spool_trouble(rc->sp, NAME_BODIES, name, 0, "body missing or short");
}

static int
check_bodies(struct recovery *rc)
{
	struct spool	*sp = rc->sp;
	char		 name[NAME_LEN];
	size_t		 i;

	if (sp->io->list(sp->io->ctx, sp->bodies, body_name, rc) == -1)
		return failed(rc, "reading " NAME_BODIES);
	for (i = 0; i < rc->norphans; i++) {
		spool_body_name(name, sizeof(name), rc->orphans[i]);
		if (sp->io->unlink(sp->io->ctx, sp->bodies, name) == 0)
			rc->report->orphans++;
	}
	places_each(&sp->ix, check_body, rc);
	return 0;
}

/* --- telling the queue --- */

static void
tell_states(struct recovery *rc, const struct object *o)
{
	struct spool	*sp = rc->sp;
	struct record	 r;
	uint8_t		*mem;
	uint32_t	 i;

	for (i = 0; i < o->nstates; i++) {
		if (spool_read_record(sp, o->states[i].seg, o->states[i].off,
		    o->states[i].size, RECORD_STATE, o->id, &mem, &r) !=
		    SPOOL_OK) {
			rc->report->bad++;
			continue;
		}
		if (r.len > 0 || o->id >= SPOOL_REGISTERS)
			sp->ev.state(sp->ev.arg, o->id, r.key,
			    mem + RECORD_HEADER, r.len);
		free(mem);
	}
}

static int
tell_message(struct recovery *rc, const struct object *o)
{
	struct spool		*sp = rc->sp;
	struct spool_recovered	 found;
	struct record		 r;
	uint8_t			*mem;

	if (spool_read_record(sp, o->seg, o->off, o->size, RECORD_MESSAGE,
	    o->id, &mem, &r) != SPOOL_OK) {
		rc->report->bad++;
		return -1;
	}
	found.id = o->id;
	found.size = r.prefixlen + r.bodylen;
	found.env = mem + RECORD_HEADER;
	found.envlen = r.envlen;
	if (sp->ev.message != NULL)
		sp->ev.message(sp->ev.arg, &found);
	free(mem);
	rc->report->messages++;
	return 0;
}

static int
tell_all(struct recovery *rc)
{
	struct object	**list;
	size_t		  i, n;

	if ((list = places_sorted(&rc->sp->ix, &n)) == NULL)
		return failed(rc, "index");
	for (i = 0; i < n; i++) {
		if (list[i]->id >= SPOOL_REGISTERS &&
		    tell_message(rc, list[i]) == -1)
			continue;
		if (rc->sp->ev.state != NULL)
			tell_states(rc, list[i]);
	}
	free(list);
	return 0;
}

/* --- going on --- */

/* A new head, with the table of all that was found, durable. */
static int
begin_head(struct recovery *rc)
{
	struct spool	*sp = rc->sp;

	if (spool_prepare_now(sp) == -1) {
		if (spool_from_errno(errno) != SPOOL_NOSPACE)
			return failed(rc, "making a segment");
		sp->nospace = 1;
		return 0;		/* opens, but takes nothing for now */
	}
	spool_rotate(sp);
	if (spool_batch_begin(sp, sp->head) == -1)
		spool_no_memory();
	spool_batch_seal(sp);
	if (sp->io->pwrite(sp->io->ctx, sp->head->fd, sp->batch,
	    sp->batch_len, sp->batch_off) == -1 ||
	    sp->io->sync(sp->io->ctx, sp->head->fd, 0) == -1)
		return failed(rc, "writing a segment");
	if (spool_batch_apply(sp) == -1)
		spool_no_memory();
	return 0;
}

static int
recover(struct recovery *rc)
{
	struct spool	*sp = rc->sp;

	if (sp->io->list(sp->io->ctx, sp->log, log_name, rc) == -1)
		return failed(rc, "reading " NAME_LOG);
	if (open_segments(rc) == -1)
		return -1;
	drop_useless(rc);
	if (scan_all(rc) == -1 || check_bodies(rc) == -1)
		return -1;
	if (rc->oom)
		spool_no_memory();
	/* the newest table stays until the next is durable, the rest goes */
	if (spool_release_now(sp) == -1)
		return failed(rc, "flushing " NAME_LOG);
	if (begin_head(rc) == -1)
		return -1;
	return tell_all(rc);
}

int
spool_recover(struct spool *sp, struct spool_report *report, char *err,
    size_t errlen)
{
	struct recovery	rc;
	int		rv;

	memset(&rc, 0, sizeof(rc));
	rc.sp = sp;
	rc.report = report;
	rc.err = err;
	rc.errlen = errlen;
	rv = recover(&rc);
	free(rc.numbers);
	free(rc.orphans);
	return rv;
}
