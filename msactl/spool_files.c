/* links: msad/queue/record.c msad/queue/segment.c */
/*
 * The segments of a spool, read by somebody who is not msad-queue: msactl spool
 * (spool.c). The octets are parsed by the queue's own code. Nothing is written,
 * and no lock is taken, so msad may run meanwhile: a segment that goes away
 * while it is read does not count, and one that looks damaged is read again.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "msactl/spool_files.h"
#include "msad/queue/segment.h"

#define TRIES	3		/* readings of one that looks damaged */
#define BAD_MAX	1000		/* damaged places told of one segment */

/* Places found damaged in one reading of a segment. */
struct damage {
	struct { uint64_t off; const char *text; } at[BAD_MAX];
	size_t	 n;
};

/* A reading of a segment: the first time nothing is told. */
struct reading {
	struct spool_visit		*v;
	const struct spool_segment	*seg;
	struct damage			*damage;
};

static int
is_segment(const char *s, uint64_t *epoch)
{
	char	*end;

	if (strlen(s) != 16 || strspn(s, "0123456789abcdef") != 16)
		return 0;
	*epoch = strtoull(s, &end, 16);
	return 1;
}

static int
by_epoch(const void *a, const void *b)
{
	const struct spool_segment	*x = a, *y = b;

	return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

static void
tell(const struct spool_visit *v, const struct spool_segment *seg,
    uint64_t off, const char *text)
{
	char	place[32];

	snprintf(place, sizeof(place), "log/%s", seg->name);
	if (v->bad != NULL)
		v->bad(v->arg, place, off, text);
}

/*
 * The first n octets of a segment (0: all) into f->buf; their number, 0 when
 * the segment is gone, -1 and errno.
 */
static ssize_t
load(struct spool_files *f, struct spool_segment *seg, size_t n)
{
	struct stat	 st;
	uint8_t		*p;
	ssize_t		 r = 0;
	size_t		 got = 0;
	int		 fd;

	if ((fd = openat(f->log, seg->name, O_RDONLY | O_CLOEXEC)) == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == 0 && st.st_size <= (off_t)SEGMENT_MAX)
		seg->size = (uint32_t)st.st_size;
	if (n == 0 || n > seg->size)
		n = seg->size;
	if (n > f->alloc && (p = realloc(f->buf, n)) != NULL) {
		f->buf = p;
		f->alloc = n;
	}
	while (n <= f->alloc && got < n &&
	    (r = pread(fd, f->buf + got, n - got, (off_t)got)) > 0)
		got += (size_t)r;
	close(fd);
	return r == -1 ? -1 : (ssize_t)got;
}

static void
read_header(struct spool_files *f, struct spool_segment *seg,
    const struct spool_visit *v)
{
	uint64_t		epoch, key;
	uint32_t		size, version = 0;
	ssize_t			n = load(f, seg, SEGMENT_BLOCK);
	enum segment_verdict	verdict;

	if (n == 0 && seg->size == 0)
		return;
	verdict = n < 0 ? SEGMENT_BAD : segment_parse(f->buf, (size_t)n,
	    &epoch, &key, &size, &version);
	if (verdict == SEGMENT_FOREIGN)
		tell(v, seg, 0, "segment of another version of the format");
	else if (verdict == SEGMENT_BAD || epoch != seg->epoch ||
	    size != seg->size)
		tell(v, seg, 0, "segment header damaged");
	else if (f->key == 0)
		f->key = key;
}

/* Take ends from the table that is the first record of seg, if there is one. */
static int
read_table(struct spool_files *f, struct spool_segment *seg)
{
	struct record	 b, r;
	uint64_t	 seed = seg->epoch ^ f->key, epoch, end;
	size_t		 i, k = 0, at = SEGMENT_BLOCK + RECORD_HEADER;
	ssize_t		 n = load(f, seg, 0);

	if (n <= (ssize_t)at || !segment_batch_ok(f->buf + SEGMENT_BLOCK,
	    (size_t)n - SEGMENT_BLOCK, seed, SEGMENT_BLOCK, &b) ||
	    b.len < RECORD_HEADER || record_parse(f->buf + at,
	    (size_t)n - at, seed, at, &r) != RECORD_OK ||
	    r.type != RECORD_TABLE)
		return 0;
	for (i = 0; segment_table_get(&r, f->buf + at + RECORD_HEADER, i,
	    &epoch, &end); i++) {
		while (k < f->n && f->segments[k].epoch < epoch)
			k++;
		if (k < f->n && f->segments[k].epoch == epoch &&
		    end <= f->segments[k].size)
			f->segments[k].end = (uint32_t)end;
	}
	return 1;
}

static int
add_segment(struct spool_files *f, const char *name)
{
	struct spool_segment	*p;
	uint64_t		 epoch;

	if (!is_segment(name, &epoch))
		return 0;
	if ((p = reallocarray(f->segments, f->n + 1, sizeof(*p))) == NULL)
		return -1;
	f->segments = p;
	memset(&p[f->n], 0, sizeof(p[0]));
	strlcpy(p[f->n].name, name, sizeof(p[0].name));
	p[f->n++].epoch = epoch;
	return 0;
}

static int
list_segments(struct spool_files *f)
{
	struct dirent	*e;
	DIR		*d;
	int		 fd, rv = 0;

	if ((fd = dup(f->log)) == -1 || (d = fdopendir(fd)) == NULL)
		return -1;
	while (rv == 0 && (e = readdir(d)) != NULL)
		rv = add_segment(f, e->d_name);
	closedir(d);
	if (f->n > 1)
		qsort(f->segments, f->n, sizeof(f->segments[0]), by_epoch);
	return rv;
}

int
spool_files_open(struct spool_files *f, const char *path,
    const struct spool_visit *v)
{
	size_t	i;

	memset(f, 0, sizeof(*f));
	f->log = -1;
	if ((f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    (f->log = openat(f->dir, "log", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1 || list_segments(f) == -1)
		return -1;
	for (i = 0; i < f->n; i++)
		read_header(f, &f->segments[i], v);
	for (i = f->n; i > 0; i--)
		if (read_table(f, &f->segments[i - 1]))
			break;
	return 0;
}

static void
note_bad(void *arg, uint64_t off, const char *text)
{
	struct damage	*d = ((struct reading *)arg)->damage;

	if (d->n == BAD_MAX)
		return;
	d->at[d->n].off = off;
	d->at[d->n++].text = text;
}

static void
on_record(void *arg, const struct record *r, const uint8_t *payload,
    uint64_t off)
{
	struct reading	*rd = arg;

	if (r->type == RECORD_TABLE)
		return;
	rd->v->records++;
	if (rd->v->record != NULL)
		rd->v->record(rd->v->arg, rd->seg, r, payload, off);
}

static int
read_segment(struct spool_files *f, struct spool_segment *seg,
    struct segment_scan *s)
{
	ssize_t	n = load(f, seg, seg->end);

	if (n == 0 || (n > 0 && n < (ssize_t)SEGMENT_BLOCK))
		return 0;
	if (n < 0)
		return -1;
	s->p = f->buf;
	s->size = (size_t)n;
	s->epoch = seg->epoch;
	s->key = f->key;
	s->end = seg->end;
	return 1;
}

static void
walk_segment(struct spool_files *f, struct spool_segment *seg,
    struct spool_visit *v)
{
	static struct damage	 d;
	struct reading		 rd = { v, seg, &d };
	struct segment_scan	 s;
	size_t			 i;
	int			 try, rv = 0;

	memset(&s, 0, sizeof(s));
	s.arg = &rd;
	s.bad = note_bad;
	for (try = 0; try < TRIES; try++) {
		d.n = 0;
		if ((rv = read_segment(f, seg, &s)) != 1)
			break;
		segment_scan(&s);
		if (d.n == 0)
			break;
	}
	if (rv == 0 || (d.n > 0 && faccessat(f->log, seg->name, F_OK, 0) ==
	    -1))
		return;			/* it was reused meanwhile */
	if (rv == -1) {
		tell(v, seg, 0, strerror(errno));
		return;
	}
	for (i = 0; i < d.n; i++)
		tell(v, seg, d.at[i].off, d.at[i].text);
	s.bad = NULL;
	s.record = on_record;
	segment_scan(&s);
}

void
spool_files_walk(struct spool_files *f, struct spool_visit *v)
{
	size_t	i;

	v->records = 0;
	for (i = 0; i < f->n; i++)
		walk_segment(f, &f->segments[i], v);
}

void
spool_files_close(struct spool_files *f)
{
	if (f->log != -1)
		close(f->log);
	if (f->dir != -1)
		close(f->dir);
	free(f->segments);
	free(f->buf);
}
