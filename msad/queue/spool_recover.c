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

#define SECTOR	512U		/* read alone when a disk cannot read all */

struct recovery {
	struct spool		*sp;
	struct spool_report	*report;
	struct segment		*seg;		/* being scanned */
	struct segment		*tail;		/* first without known end */
	uint64_t		*numbers;	/* of segments, then sorted */
	size_t			 n, alloc;
	uint64_t		*orphans;
	size_t			 norphans;
	uint64_t		*digests;	/* of which there is a file */
	size_t			 ndigests;
	uint8_t			*buf;		/* a segment or digest */
	size_t			 buflen;
	int			 unread;	/* part of it could not be */
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
	else if (strncmp(name, "digest-", 7) == 0 &&
	    parse_number(name + 7, &n))
		add_number(rc, &rc->digests, &rc->ndigests, n);
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

/*
 * Free files of another size, those half made, and digests of what is no more,
 * are of no use.
 */
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
	for (i = 0; i < rc->ndigests; i++)
		if (rc->n == 0 || bsearch(&rc->digests[i], rc->numbers, rc->n,
		    sizeof(*rc->numbers), by_number) == NULL)
			spool_digest_remove(sp, rc->digests[i]);
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

/* The first n octets of a segment, into rc->buf; NULL and errno. */
static uint8_t *
read_segment(struct recovery *rc, struct segment *seg, size_t n)
{
	struct spool	*sp = rc->sp;
	ssize_t		 got;
	int		 fd;

	if ((fd = segment_fd(sp, seg)) == -1)
		return NULL;
	if (n > rc->buflen) {
		free(rc->buf);
		rc->buflen = 0;
		if ((rc->buf = malloc(n)) == NULL)
			return NULL;
		rc->buflen = n;
	}
	got = sp->io->pread(sp->io->ctx, fd, rc->buf, n, 0);
	if (got >= 0 && got != (ssize_t)n)
		errno = EIO;
	return got == (ssize_t)n ? rc->buf : NULL;
}

/*
 * The same of a disk that cannot read all of it: what can be read is there, the
 * rest is zero. Only that is lost which lies on bad sectors.
 */
static uint8_t *
read_sectors(struct recovery *rc, struct segment *seg, size_t n)
{
	struct spool	*sp = rc->sp;
	size_t		 off, len;
	int		 bad = 0, now;

	if (seg->fd == -1 || n > rc->buflen)
		return NULL;
	for (off = 0; off < n; off += len) {
		len = n - off < SECTOR ? n - off : SECTOR;
		now = sp->io->pread(sp->io->ctx, seg->fd, rc->buf + off, len,
		    off) != (ssize_t)len;
		if (now) {
			memset(rc->buf + off, 0, len);
			rc->unread = 1;
		}
		if (now && !bad) {
			rc->report->bad++;
			spool_trouble_segment(sp, seg, off, "cannot be read");
		}
		bad = now;
	}
	seg->damaged = 1;
	return rc->buf;
}

/*
 * Where the log seems to end, is it only that it could not be read? Then what
 * was acknowledged may lie there: to go on would be to overwrite it.
 */
static int
end_unread(struct recovery *rc, struct segment *seg,
    const struct segment_scan *s)
{
	struct record	b;
	uint64_t	off = s->tail, end = off + SECTOR;
	uint8_t		sector[SECTOR];

	if (s->torn && record_parse(s->p + off, (size_t)(s->size - off),
	    s->seed, off, &b) == RECORD_OK)
		end += b.len;
	for (; off < end && off < s->size; off += SECTOR)
		if (rc->sp->io->pread(rc->sp->io->ctx, seg->fd, sector,
		    sizeof(sector), off) == -1)
			return 1;
	return 0;
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
	if ((p = read_segment(rc, seg, n)) == NULL)
		return 0;
	if (segment_batch_ok(p + SEGMENT_BLOCK, n - SEGMENT_BLOCK, seed,
	    SEGMENT_BLOCK, &b) && b.len >= RECORD_HEADER &&
	    record_parse(p + SEGMENT_BLOCK + RECORD_HEADER, b.len, seed,
	    SEGMENT_BLOCK + RECORD_HEADER, &r) == RECORD_OK &&
	    r.type == RECORD_TABLE) {
		use_table(rc, &r, p + SEGMENT_BLOCK + 2 * RECORD_HEADER, seg);
		found = 1;
	}
	return found;
}

/* A record of rc->seg: its place into the index. */
static void
place_record(struct recovery *rc, uint8_t type, int bodyfile, uint64_t id,
    uint32_t key, uint32_t off, uint32_t len)
{
	struct places	*ix = &rc->sp->ix;
	uint32_t	 size = (uint32_t)RECORD_SIZE(len);
	int		 rv = 0;

	if (type == RECORD_MESSAGE)
		rv = places_put_message(ix, id, bodyfile, rc->seg, off, size);
	else if (type == RECORD_STATE)
		rv = places_put_state(ix, id, key, rc->seg, off, size, 1);
	else if (type == RECORD_REMOVE)
		rv = places_remove(ix, id, rc->seg, off, size, 1);
	if (rv == -1)
		rc->oom = 1;
}

static void
take_record(void *arg, const struct record *r, const uint8_t *payload,
    uint64_t off)
{
	struct recovery	*rc = arg;
	struct segment	*seg = rc->seg;

	if (r->type == RECORD_TABLE)
		return;
	place_record(rc, r->type, r->flags & RECORD_BODY_FILE, r->id, r->key,
	    (uint32_t)off, r->len);
	if (seg->digest == NULL)
		seg->digest = calloc(1, sizeof(*seg->digest));
	if (seg->digest == NULL ||
	    digest_add(seg->digest, r, payload, (uint32_t)off) == -1)
		rc->oom = 1;
}

/* Is there a digest that fits? Then it does for the segment. */
static int
use_digest(struct recovery *rc, struct segment *seg)
{
	struct digest_entry	e;
	size_t			n, at, size;

	if ((n = spool_digest_read(rc->sp, seg, &rc->buf, &rc->buflen)) == 0)
		return 0;
	rc->seg = seg;
	for (at = DIGEST_HEADER; (size = digest_get(rc->buf, n, at, &e)) > 0;
	    at += size) {
		place_record(rc, e.type, e.flags & 1, e.id, e.key, e.off,
		    e.len);
		rc->report->records++;
	}
	rc->report->digests++;
	places_settle(seg);
	return 1;
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

	if (known && use_digest(rc, seg))
		return 0;
	memset(&s, 0, sizeof(s));
	rc->unread = 0;
	if ((p = read_segment(rc, seg, n)) == NULL &&
	    (p = read_sectors(rc, seg, n)) == NULL)
		return failed(rc, "reading a segment");
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
	if (!known && rc->unread && end_unread(rc, seg, &s)) {
		errno = EIO;
		return failed(rc, "reading the end of the log");
	}
	if (!known && segment_fd(rc->sp, seg) != -1)
		rv = settle_tail(rc, seg, &s);
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

/*
 * What was scanned this time need not be the next time. The new head's table
 * states the ends that the digests must have.
 */
static void
write_digests(struct recovery *rc)
{
	struct segment	*seg;

	TAILQ_FOREACH(seg, &rc->sp->segs, entry) {
		if (seg == rc->sp->head)
			continue;
		spool_digest_leave(rc->sp, seg);
	}
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
	if (spool_tell(sp, rc->report) == -1)
		return failed(rc, "reading what was found");
	write_digests(rc);
	return 0;
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
	free(rc.digests);
	free(rc.buf);
	return rv;
}
