/*
 * Recovery's last step: tell the queue of every message and state that counts,
 * in the order spool.h promises. Part of the log engine in msad-queue; called
 * by spool_recover.c when all segments have been read into the index.
 *
 * What is told stands in the digests: in memory for a segment that was scanned,
 * else in the digest's file, which was found good when it was read the first
 * time. A first walk over all of them notes what counts (24 octets each), then
 * it is sorted, which it nearly is already, and read again through windows, so
 * that the envelopes of a million messages are never in memory together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "msad/queue/spool_priv.h"

#define WINDOW		(64U * 1024)	/* octets */
#define NWINDOWS	64U

/* An entry that counts. */
struct item {
	uint64_t	 id;
	struct segment	*seg;
	uint32_t	 at;		/* in the digest; +1: a state */
	uint32_t	 key;
};

/* A piece of a digest's file. */
struct window {
	struct segment	*seg;
	size_t		 at, len;
	uint8_t		*p;
};

struct teller {
	struct spool		*sp;
	struct spool_report	*report;
	struct item		*items;
	size_t			 n, alloc;
	struct window		 windows[NWINDOWS];
	uint8_t			*big;		/* an entry beyond a window */
	int			 fd;		/* of seg's digest, or -1 */
	struct segment		*seg;
};

static int
add_item(struct teller *t, struct segment *seg, size_t at,
    const struct digest_entry *e)
{
	struct item	*items;
	size_t		 n;

	if (!places_counts(&t->sp->ix, e->type, e->id, e->key, seg, e->off))
		return 0;
	if (t->n == t->alloc) {
		n = t->alloc + t->alloc / 2 + 4096;
		if ((items = reallocarray(t->items, n, sizeof(*items))) ==
		    NULL)
			return -1;
		t->items = items;
		t->alloc = n;
	}
	t->items[t->n++] = (struct item){ e->id, seg,
	    (uint32_t)at | (e->type == RECORD_STATE), e->key };
	return 0;
}

/* Note what counts of the n octets of a digest. */
static int
note_digest(struct teller *t, struct segment *seg, const uint8_t *p, size_t n)
{
	struct digest_entry	e;
	size_t			at, size;

	for (at = DIGEST_HEADER; (size = digest_get(p, n, at, &e)) > 0;
	    at += size)
		if (e.type != RECORD_REMOVE && add_item(t, seg, at, &e) == -1)
			return -1;
	return 0;
}

static int
note_all(struct teller *t)
{
	struct spool	*sp = t->sp;
	struct segment	*seg;
	uint8_t		*buf = NULL;
	size_t		 n, alloc = 0;
	int		 rv = 0;

	TAILQ_FOREACH(seg, &sp->segs, entry) {
		if (seg->live == 0)
			continue;
		if (seg->digest != NULL)
			rv = note_digest(t, seg, seg->digest->p,
			    seg->digest->len);
		else if ((n = spool_digest_read(sp, seg, &buf, &alloc)) > 0)
			rv = note_digest(t, seg, buf, n);
		else {
			/* it was good: the next start scans the segment */
			errno = EIO;
			rv = -1;
		}
		if (rv == -1)
			break;
	}
	free(buf);
	return rv;
}

static int
by_id(const void *a, const void *b)
{
	const struct item	*x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if ((x->at & 1) != (y->at & 1))
		return (x->at & 1) ? 1 : -1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static void
sort(struct teller *t)
{
	size_t	i;

	for (i = 1; i < t->n; i++)
		if (by_id(&t->items[i - 1], &t->items[i]) > 0)
			break;
	if (i < t->n)
		qsort(t->items, t->n, sizeof(*t->items), by_id);
}

/* --- reading again --- */

/* The descriptor of the segment's digest; the last one stays open. */
static int
digest_fd(struct teller *t, struct segment *seg)
{
	struct spool_io	*io = t->sp->io;
	char		 name[NAME_LEN];

	if (t->seg == seg && t->fd != -1)
		return t->fd;
	if (t->fd != -1)
		io->close(io->ctx, t->fd);
	spool_digest_name(name, sizeof(name), seg->epoch);
	t->seg = seg;
	t->fd = io->open(io->ctx, t->sp->log, name, SPOOL_O_READ);
	return t->fd;
}

static struct window *
window(struct teller *t, struct segment *seg, size_t at)
{
	struct window	*w;
	size_t		 from = at - at % WINDOW;
	ssize_t		 n;
	int		 fd;

	w = &t->windows[(seg->epoch * 7 + at / WINDOW) % NWINDOWS];
	if (w->seg == seg && w->at == from)
		return w;
	w->seg = NULL;
	if (w->p == NULL && (w->p = malloc(WINDOW)) == NULL)
		return NULL;
	if ((fd = digest_fd(t, seg)) == -1 ||
	    (n = t->sp->io->pread(t->sp->io->ctx, fd, w->p, WINDOW, from)) <= 0)
		return NULL;
	w->seg = seg;
	w->at = from;
	w->len = (size_t)n;
	return w;
}

/* An entry that does not lie in one window. */
static int
read_big(struct teller *t, struct segment *seg, size_t at,
    struct digest_entry *e)
{
	ssize_t	n;
	int	fd;

	if (t->big == NULL &&
	    (t->big = malloc(DIGEST_ENTRY + DIGEST_DATA_MAX)) == NULL)
		return -1;
	if ((fd = digest_fd(t, seg)) == -1)
		return -1;
	n = t->sp->io->pread(t->sp->io->ctx, fd, t->big,
	    DIGEST_ENTRY + DIGEST_DATA_MAX, at);
	return n > 0 && digest_get(t->big, (size_t)n, 0, e) > 0 ? 0 : -1;
}

static int
read_entry(struct teller *t, const struct item *it, struct digest_entry *e)
{
	const struct digest	*d = it->seg->digest;
	struct window		*w;
	size_t			 at = it->at & ~1U;

	if (d != NULL)
		return digest_get(d->p, d->len, at, e) > 0 ? 0 : -1;
	if ((w = window(t, it->seg, at)) != NULL &&
	    digest_get(w->p, w->len, at - w->at, e) > 0)
		return 0;
	return read_big(t, it->seg, at, e);
}

static void
tell(struct teller *t, const struct digest_entry *e)
{
	const struct spool_events	*ev = &t->sp->ev;
	struct spool_recovered		 found = { .id = e->id,
		.size = e->size, .env = e->data, .envlen = e->datalen };

	if (e->type == RECORD_MESSAGE) {
		t->report->messages++;
		if (ev->message != NULL)
			ev->message(ev->arg, &found);
	} else if (ev->state != NULL &&
	    (e->datalen > 0 || e->id >= SPOOL_REGISTERS))
		ev->state(ev->arg, e->id, e->key, e->data, e->datalen);
}

static int
tell_items(struct teller *t)
{
	struct digest_entry	e;
	size_t			i;

	for (i = 0; i < t->n; i++) {
		if (read_entry(t, &t->items[i], &e) == -1 ||
		    e.id != t->items[i].id) {
			errno = EIO;
			return -1;
		}
		tell(t, &e);
	}
	return 0;
}

int
spool_tell(struct spool *sp, struct spool_report *report)
{
	struct teller	t;
	size_t		i;
	int		rv;

	memset(&t, 0, sizeof(t));
	t.sp = sp;
	t.report = report;
	t.fd = -1;
	if ((rv = note_all(&t)) == 0) {
		sort(&t);
		rv = tell_items(&t);
	}
	if (t.fd != -1)
		sp->io->close(sp->io->ctx, t.fd);
	for (i = 0; i < NWINDOWS; i++)
		free(t.windows[i].p);
	free(t.big);
	free(t.items);
	return rv;
}
