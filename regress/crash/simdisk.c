/*
 * A simulated disk and its page cache, behind struct spool_io, for the crash
 * test of the spool.
 *
 * A file has what a reader sees (cur) and what survives (dur). A write makes
 * its sectors dirty; a flush takes what was dirty when it was asked for and
 * makes it durable when it ends, at some later step, in any order. When the
 * machine goes down each dirty sector of 512 octets is there or not, on its
 * own: that loses, tears and reorders. Names behave likewise: creations,
 * renames and removals since the directory's last flush happen or do not. A
 * flush that fails leaves its sectors clean though not durable, as Linux does.
 */
#include <sys/queue.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "simdisk.h"

#define SECTOR	512U
#define NDIRS	4
#define NFDS	512

enum { CLEAN, DIRTY, LOST };

struct inode {
	TAILQ_ENTRY(inode)	 entry;
	uint8_t			*cur, *dur, *state;	/* state: a sector */
	size_t			 size, dursize, alloc;
	size_t			 lo, hi;		/* not clean: within */
	size_t			 bad;		/* sector not to be read, + 1 */
	int			 refs;			/* names and fds */
};

struct name {
	char		 name[40];
	struct inode	*ino;
};

enum what { CREATE, RENAME, UNLINK };

struct dirop {
	enum what	 what;
	char		 from[40], to[40];
	struct inode	*ino;
};

struct dir {
	struct name	*cur, *dur;
	size_t		 ncur, ndur, acur, adur;
	struct dirop	*ops;
	size_t		 nops, aops;
};

struct event_ {
	TAILQ_ENTRY(event_)	 entry;
	void			(*soon)(void *);
	void			(*done)(void *, int);
	void			*arg;
	struct inode		*ino;
	struct dir		*dir;
	size_t			 nops, nsectors, size;
	uint32_t		*sectors;
	uint8_t			*data;
};
TAILQ_HEAD(events, event_);

struct fd {
	struct inode	*ino;
	struct dir	*dir;
	int		 used;
};

struct simdisk {
	struct spool_io		 io;
	struct dir		 dirs[NDIRS];	/* root, log, bodies */
	TAILQ_HEAD(, inode)	 inodes;
	struct fd		 fds[NFDS];
	struct events		 soon, flushes;
	uint64_t		 rng, capacity, flushcount, used;
	unsigned int		 errors;
	int			 locked;
	enum sim_lie		 lie;
	void			(*before)(void *);	/* each operation */
	void			*before_arg;
};

uint32_t
sim_random(struct simdisk *d, uint32_t n)
{
	d->rng ^= d->rng << 13;
	d->rng ^= d->rng >> 7;
	d->rng ^= d->rng << 17;
	return n == 0 ? 0 : (uint32_t)((d->rng >> 20) % n);
}

static void *
need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static int
unlucky(struct simdisk *d)
{
	return d->errors > 0 && sim_random(d, 1000) < d->errors;
}

/* Something is going to change. */
static void
before(struct simdisk *d)
{
	if (d->before != NULL)
		d->before(d->before_arg);
}

/* --- files ------------------------------------------------------------- */

static struct inode *
inode_new(struct simdisk *d)
{
	struct inode	*ino = need(calloc(1, sizeof(*ino)));

	ino->lo = SIZE_MAX;
	TAILQ_INSERT_TAIL(&d->inodes, ino, entry);
	return ino;
}

static void
inode_unref(struct simdisk *d, struct inode *ino)
{
	if (--ino->refs > 0)
		return;
	TAILQ_REMOVE(&d->inodes, ino, entry);
	d->used -= ino->size;
	free(ino->cur);
	free(ino->dur);
	free(ino->state);
	free(ino);
}

static void
inode_grow(struct simdisk *d, struct inode *ino, size_t size)
{
	size_t	n;

	if (size <= ino->size)
		return;
	if (size > ino->alloc) {
		n = (size + 8191) & ~(size_t)8191;
		ino->cur = need(realloc(ino->cur, n));
		ino->dur = need(realloc(ino->dur, n));
		ino->state = need(realloc(ino->state, n / SECTOR));
		memset(ino->cur + ino->alloc, 0, n - ino->alloc);
		memset(ino->dur + ino->alloc, 0, n - ino->alloc);
		memset(ino->state + ino->alloc / SECTOR, CLEAN,
		    (n - ino->alloc) / SECTOR);
		ino->alloc = n;
	}
	d->used += size - ino->size;
	ino->size = size;
}

static void
inode_write(struct inode *ino, const void *p, size_t len, size_t off)
{
	size_t	first = off / SECTOR, last;

	if (len == 0)
		return;
	last = (off + len - 1) / SECTOR;
	memcpy(ino->cur + off, p, len);
	memset(ino->state + first, DIRTY, last - first + 1);
	if (ino->bad > first && ino->bad <= last + 1)
		ino->bad = 0;
	if (first < ino->lo)
		ino->lo = first;
	if (last + 1 > ino->hi)
		ino->hi = last + 1;
}

static void
sector_durable(struct inode *ino, size_t s, const uint8_t *data)
{
	memcpy(ino->dur + s * SECTOR, data, SECTOR);
	if (memcmp(ino->cur + s * SECTOR, data, SECTOR) == 0)
		ino->state[s] = CLEAN;
}

/* The power goes: what was written and not flushed may be there or not. */
static void
inode_crash(struct simdisk *d, struct inode *ino)
{
	size_t	s, at, n, mode;

	mode = sim_random(d, 4);
	for (s = ino->lo; s < ino->hi; s++) {
		if (ino->state[s] == CLEAN)
			continue;
		at = s * SECTOR;
		if (ino->state[s] == DIRTY && (mode == 0 || (mode != 1 &&
		    sim_random(d, 2))))
			memcpy(ino->dur + at, ino->cur + at, SECTOR);
		else
			memcpy(ino->cur + at, ino->dur + at, SECTOR);
		ino->state[s] = CLEAN;
	}
	ino->lo = SIZE_MAX;
	ino->hi = 0;
	n = ino->size;
	if (ino->dursize < ino->size && sim_random(d, 2))
		n = ino->dursize;
	d->used -= ino->size - n;
	if (ino->alloc > n) {
		memset(ino->cur + n, 0, ino->alloc - n);
		memset(ino->dur + n, 0, ino->alloc - n);
	}
	ino->size = ino->dursize = n;
}

/* --- names --------------------------------------------------------------- */

static struct name *
lookup(struct name *list, size_t n, const char *name)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

static void
names_apply(struct simdisk *d, struct name **list, size_t *n, size_t *a,
    const struct dirop *op)
{
	struct name	*e = lookup(*list, *n, op->from), *to;

	if (op->what == CREATE) {
		if (e != NULL)
			return;
		if (*n == *a) {
			*a = *a * 2 + 16;
			*list = need(realloc(*list, *a * sizeof(**list)));
		}
		e = &(*list)[(*n)++];
		memcpy(e->name, op->from, sizeof(e->name));
		e->ino = op->ino;
		e->ino->refs++;
		return;
	}
	if (e == NULL || e->ino != op->ino)
		return;
	if (op->what == RENAME) {
		to = lookup(*list, *n, op->to);
		if (to == NULL) {
			memcpy(e->name, op->to, sizeof(e->name));
			return;
		}
		inode_unref(d, to->ino);
		to->ino = e->ino;
		to->ino->refs++;
	}
	inode_unref(d, e->ino);
	*e = (*list)[--(*n)];
}

static void
dir_change(struct simdisk *d, struct dir *dir, enum what what,
    const char *from, const char *to, struct inode *ino)
{
	struct dirop	*op;

	if (dir->nops == dir->aops) {
		dir->aops = dir->aops * 2 + 16;
		dir->ops = need(realloc(dir->ops, dir->aops * sizeof(*op)));
	}
	op = &dir->ops[dir->nops++];
	memset(op, 0, sizeof(*op));
	op->what = what;
	snprintf(op->from, sizeof(op->from), "%s", from);
	snprintf(op->to, sizeof(op->to), "%s", to);
	op->ino = ino;
	ino->refs++;
	names_apply(d, &dir->cur, &dir->ncur, &dir->acur, op);
}

/* The first n changes are durable, or (lossy) each may be. */
static void
dir_settle(struct simdisk *d, struct dir *dir, size_t n, int lossy)
{
	size_t		i;
	uint32_t	mode = sim_random(d, 3);

	for (i = 0; i < n; i++) {
		if (!lossy || mode == 0 || (mode == 1 && sim_random(d, 2)))
			names_apply(d, &dir->dur, &dir->ndur, &dir->adur,
			    &dir->ops[i]);
		inode_unref(d, dir->ops[i].ino);
	}
	dir->nops -= n;
	if (dir->nops > 0)
		memmove(dir->ops, dir->ops + n,
		    dir->nops * sizeof(*dir->ops));
}

static void
dir_crash(struct simdisk *d, struct dir *dir)
{
	size_t	i;

	dir_settle(d, dir, dir->nops, 1);
	for (i = 0; i < dir->ncur; i++)
		inode_unref(d, dir->cur[i].ino);
	dir->ncur = 0;
	if (dir->acur < dir->ndur) {
		dir->acur = dir->ndur;
		dir->cur = need(realloc(dir->cur,
		    dir->acur * sizeof(*dir->cur)));
	}
	for (i = 0; i < dir->ndur; i++) {
		dir->cur[i] = dir->dur[i];
		dir->cur[i].ino->refs++;
	}
	dir->ncur = dir->ndur;
}

/* --- calls --- */

static struct fd *
get_fd(struct simdisk *d, int fd)
{
	if (fd < 8 || fd >= NFDS || !d->fds[fd].used) {
		errno = EBADF;
		return NULL;
	}
	return &d->fds[fd];
}

static struct dir *
get_dir(struct simdisk *d, int fd)
{
	struct fd	*f;

	if (fd == SIM_ROOT)
		return &d->dirs[0];
	f = get_fd(d, fd);
	return f == NULL ? NULL : f->dir;
}

static int
new_fd(struct simdisk *d, struct inode *ino, struct dir *dir)
{
	int	i;

	for (i = 8; i < NFDS; i++)
		if (!d->fds[i].used) {
			d->fds[i] = (struct fd){ ino, dir, 1 };
			if (ino != NULL)
				ino->refs++;
			return i;
		}
	errno = EMFILE;
	return -1;
}

static int
sim_open(void *ctx, int dirfd, const char *name, int flags)
{
	struct simdisk	*d = ctx;
	struct dir	*dir = get_dir(d, dirfd);
	struct name	*e;
	struct inode	*ino;

	if ((flags & SPOOL_O_DIR) != 0)
		return new_fd(d, NULL, strcmp(name, "log") == 0 ?
		    &d->dirs[1] : &d->dirs[2]);
	e = lookup(dir->cur, dir->ncur, name);
	if ((flags & SPOOL_O_CREATE) != 0) {
		if (e != NULL) {
			errno = EEXIST;
			return -1;
		}
		before(d);
		ino = inode_new(d);
		dir_change(d, dir, CREATE, name, "", ino);
		return new_fd(d, ino, NULL);
	}
	if (e == NULL) {
		errno = ENOENT;
		return -1;
	}
	return new_fd(d, e->ino, NULL);
}

static int
sim_close(void *ctx, int fd)
{
	struct simdisk	*d = ctx;
	struct fd	*f = get_fd(d, fd);

	if (f == NULL)
		return -1;
	if (f->ino != NULL)
		inode_unref(d, f->ino);
	else if (f->dir == NULL)
		d->locked = 0;
	memset(f, 0, sizeof(*f));
	return 0;
}

static int
sim_mkdir(void *ctx, int dir, const char *name)
{
	(void)ctx;
	(void)dir;
	(void)name;
	errno = EEXIST;
	return -1;
}

static int
sim_lock(void *ctx, int dir, const char *name)
{
	struct simdisk	*d = ctx;

	(void)dir;
	(void)name;
	if (d->locked) {
		errno = EWOULDBLOCK;
		return -1;
	}
	d->locked = 1;
	return new_fd(d, NULL, NULL);
}

static ssize_t
sim_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	struct fd	*f = get_fd(ctx, fd);

	if (f == NULL || f->ino == NULL)
		return -1;
	if (off >= f->ino->size)
		return 0;
	if (len > f->ino->size - off)
		len = f->ino->size - (size_t)off;
	if (len > 0 && f->ino->bad > off / SECTOR &&
	    f->ino->bad <= (off + len - 1) / SECTOR + 1) {
		errno = EIO;
		return -1;
	}
	memcpy(buf, f->ino->cur + off, len);
	return (ssize_t)len;
}

static ssize_t
sim_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
	struct simdisk	*d = ctx;
	struct fd	*f = get_fd(d, fd);
	size_t		 end = (size_t)off + len;

	if (f == NULL || f->ino == NULL)
		return -1;
	if (end > f->ino->size && d->used + (end - f->ino->size) >
	    d->capacity) {
		errno = ENOSPC;
		return -1;
	}
	before(d);
	inode_grow(d, f->ino, end);
	if (unlucky(d)) {
		inode_write(f->ino, buf, sim_random(d, (uint32_t)len), off);
		errno = EIO;
		return -1;
	}
	inode_write(f->ino, buf, len, off);
	return (ssize_t)len;
}

static int
sim_size(void *ctx, int fd, uint64_t *size)
{
	struct fd	*f = get_fd(ctx, fd);

	if (f == NULL || f->ino == NULL)
		return -1;
	*size = f->ino->size;
	return 0;
}

static int
sim_allocate(void *ctx, int fd, uint64_t len)
{
	struct simdisk	*d = ctx;
	struct fd	*f = get_fd(d, fd);

	if (f == NULL || f->ino == NULL)
		return -1;
	if (d->used + len > d->capacity) {
		errno = ENOSPC;
		return -1;
	}
	before(d);
	inode_grow(d, f->ino, len);
	return 0;
}

static int
sim_rename(void *ctx, int dirfd, const char *from, const char *to)
{
	struct simdisk	*d = ctx;
	struct dir	*dir = get_dir(d, dirfd);
	struct name	*e = lookup(dir->cur, dir->ncur, from);

	if (e == NULL) {
		errno = ENOENT;
		return -1;
	}
	before(d);
	dir_change(d, dir, RENAME, from, to, e->ino);
	return 0;
}

static int
sim_unlink(void *ctx, int dirfd, const char *name)
{
	struct simdisk	*d = ctx;
	struct dir	*dir = get_dir(d, dirfd);
	struct name	*e = lookup(dir->cur, dir->ncur, name);

	if (e == NULL) {
		errno = ENOENT;
		return -1;
	}
	before(d);
	dir_change(d, dir, UNLINK, name, "", e->ino);
	return 0;
}

static int
sim_list(void *ctx, int dirfd, void (*fn)(void *, const char *), void *arg)
{
	struct dir	*dir = get_dir(ctx, dirfd);
	size_t		 i;

	for (i = 0; i < dir->ncur; i++)
		fn(arg, dir->cur[i].name);
	return 0;
}

static int
sim_space(void *ctx, int dir, uint64_t *left)
{
	struct simdisk	*d = ctx;

	(void)dir;
	*left = d->used < d->capacity ? d->capacity - d->used : 0;
	return 0;
}

static void
event_free_(struct simdisk *d, struct event_ *e)
{
	if (e->ino != NULL)
		inode_unref(d, e->ino);
	free(e->sectors);
	free(e->data);
	free(e);
}

/* What is dirty now. */
static struct event_ *
snapshot(struct inode *ino)
{
	struct event_	*e = need(calloc(1, sizeof(*e)));
	size_t		 s, n = 0;

	e->ino = ino;
	ino->refs++;
	e->size = ino->size;
	for (s = ino->lo; s < ino->hi; s++)
		n += ino->state[s] == DIRTY;
	e->sectors = need(calloc(n + 1, sizeof(*e->sectors)));
	e->data = need(malloc(n * SECTOR + 1));
	for (s = ino->lo; s < ino->hi; s++) {
		if (ino->state[s] != DIRTY)
			continue;
		memcpy(e->data + e->nsectors * SECTOR, ino->cur + s * SECTOR,
		    SECTOR);
		e->sectors[e->nsectors++] = (uint32_t)s;
	}
	return e;
}

static void
make_durable(struct simdisk *d, struct event_ *e, int fail)
{
	uint32_t	mode = fail ? sim_random(d, 4) : 0;
	size_t		i, s;

	/* one that fails may have done all of it (0), nothing (1), or some */
	for (i = 0; i < e->nsectors; i++) {
		s = e->sectors[i];
		if (mode == 1 || (mode > 1 && sim_random(d, 2))) {
			if (e->ino->state[s] == DIRTY)
				e->ino->state[s] = LOST;
			continue;
		}
		sector_durable(e->ino, s, e->data + i * SECTOR);
	}
	if (!fail && e->ino->dursize < e->size)
		e->ino->dursize = e->size;
}

/* Carry out what the flush e promises; an errno. */
static int
flush_now(struct simdisk *d, struct event_ *e)
{
	int	fail;

	before(d);
	fail = unlucky(d);
	d->flushcount++;
	if (d->lie == SIM_NO_FLUSH && e->ino != NULL)
		return 0;
	if (e->ino != NULL)
		make_durable(d, e, fail);
	else if (!fail && d->lie != SIM_NO_DIRSYNC) {
		dir_settle(d, e->dir, e->nops < e->dir->nops ? e->nops :
		    e->dir->nops, 0);
	}
	return fail ? EIO : 0;
}

static struct event_ *
new_flush(struct simdisk *d, int fd)
{
	struct fd	*f = fd == SIM_ROOT ? NULL : get_fd(d, fd);
	struct event_	*e;

	if (fd != SIM_ROOT && f == NULL)
		return NULL;
	if (f != NULL && f->ino != NULL)
		return snapshot(f->ino);
	e = need(calloc(1, sizeof(*e)));
	e->dir = f == NULL ? &d->dirs[0] : f->dir;
	e->nops = e->dir->nops;
	return e;
}

static int
sim_sync(void *ctx, int fd, int isdir)
{
	struct simdisk	*d = ctx;
	struct event_	*e = new_flush(d, fd);
	int		 error;

	(void)isdir;
	if (e == NULL)
		return -1;
	error = flush_now(d, e);
	event_free_(d, e);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
sim_flush(void *ctx, int fd, int isdir, void (*done)(void *, int), void *arg)
{
	struct simdisk	*d = ctx;
	struct event_	*e = new_flush(d, fd), *early;

	(void)isdir;
	if (e == NULL)
		return -1;
	if (d->lie == SIM_EARLY) {
		early = need(calloc(1, sizeof(*early)));
		early->dir = &d->dirs[3];
		early->done = done;
		early->arg = arg;
		TAILQ_INSERT_HEAD(&d->flushes, early, entry);
	} else {
		e->done = done;
		e->arg = arg;
	}
	TAILQ_INSERT_TAIL(&d->flushes, e, entry);
	return 0;
}

static void
sim_soon(void *ctx, void (*fn)(void *), void *arg)
{
	struct simdisk	*d = ctx;
	struct event_	*e = need(calloc(1, sizeof(*e)));

	e->soon = fn;
	e->arg = arg;
	TAILQ_INSERT_TAIL(&d->soon, e, entry);
}

int
sim_step(struct simdisk *d)
{
	struct event_	*e, *pick = NULL;
	uint32_t	 n = 0;
	int		 error;

	e = TAILQ_FIRST(&d->soon);
	if (e != NULL && (TAILQ_EMPTY(&d->flushes) || sim_random(d, 2))) {
		TAILQ_REMOVE(&d->soon, e, entry);
		e->soon(e->arg);
		event_free_(d, e);
		return 1;
	}
	/* dir flushes end in order, the rest as it comes */
	TAILQ_FOREACH(e, &d->flushes, entry) {
		if (sim_random(d, ++n) == 0)
			pick = e;
	}
	if (pick == NULL)
		return 0;
	if (pick->ino == NULL)
		TAILQ_FOREACH(e, &d->flushes, entry)
			if (e->dir == pick->dir) {
				pick = e;
				break;
			}
	TAILQ_REMOVE(&d->flushes, pick, entry);
	error = flush_now(d, pick);
	if (pick->ino == NULL && error == 0)
		TAILQ_FOREACH(e, &d->flushes, entry)
			if (e->dir == pick->dir)
				e->nops -= pick->nops < e->nops ? pick->nops :
				    e->nops;
	if (pick->done != NULL)
		pick->done(pick->arg, error);
	event_free_(d, pick);
	return 1;
}

static void
drop_events(struct simdisk *d, struct events *list)
{
	struct event_	*e;

	while ((e = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, e, entry);
		event_free_(d, e);
	}
}

void
sim_crash(struct simdisk *d, int kill)
{
	struct inode	*ino, *next;
	int		 i;

	drop_events(d, &d->soon);
	drop_events(d, &d->flushes);
	for (i = 8; i < NFDS; i++)
		if (d->fds[i].used)
			sim_close(d, i);
	d->locked = 0;
	if (kill)
		return;
	for (i = 0; i < NDIRS; i++)
		dir_crash(d, &d->dirs[i]);
	for (ino = TAILQ_FIRST(&d->inodes); ino != NULL; ino = next) {
		next = TAILQ_NEXT(ino, entry);
		inode_crash(d, ino);
	}
}

struct simdisk *
sim_new(uint64_t seed, uint64_t capacity)
{
	struct simdisk	*d = need(calloc(1, sizeof(*d)));

	d->rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	d->capacity = capacity;
	TAILQ_INIT(&d->inodes);
	TAILQ_INIT(&d->soon);
	TAILQ_INIT(&d->flushes);
	d->io = (struct spool_io){ d, sim_open, sim_close, sim_mkdir, sim_lock,
	    sim_pread, sim_pwrite, sim_size, sim_allocate, sim_rename,
	    sim_unlink, sim_list, sim_space, sim_sync, sim_flush, sim_soon };
	return d;
}

void
sim_free(struct simdisk *d)
{
	size_t	i, j;

	sim_crash(d, 0);
	for (i = 0; i < NDIRS; i++) {
		for (j = 0; j < d->dirs[i].ncur; j++)
			inode_unref(d, d->dirs[i].cur[j].ino);
		for (j = 0; j < d->dirs[i].ndur; j++)
			inode_unref(d, d->dirs[i].dur[j].ino);
		free(d->dirs[i].cur);
		free(d->dirs[i].dur);
		free(d->dirs[i].ops);
	}
	free(d);
}

struct spool_io *
sim_io(struct simdisk *d)
{
	return &d->io;
}

void
sim_set_errors(struct simdisk *d, unsigned int permille)
{
	d->errors = permille;
}

void
sim_set_capacity(struct simdisk *d, uint64_t capacity)
{
	d->capacity = capacity;
}

uint64_t
sim_used(struct simdisk *d)
{
	return d->used;
}

uint64_t
sim_flushes(const struct simdisk *d)
{
	return d->flushcount;
}

const char *
sim_name(const struct simdisk *d, int dir, size_t i)
{
	return i < d->dirs[dir].ncur ? d->dirs[dir].cur[i].name : NULL;
}

int
sim_damage(struct simdisk *d, int dir, const char *name, uint64_t off,
    size_t len)
{
	struct name	*e = lookup(d->dirs[dir].cur, d->dirs[dir].ncur, name);
	size_t		 i;

	if (e == NULL || off >= e->ino->size)
		return -1;
	if (len == SIM_UNREADABLE) {
		e->ino->bad = off / SECTOR + 1;
		return 0;
	}
	if (len == 0) {
		e->ino->cur[off] ^= (uint8_t)(1U << sim_random(d, 8));
		e->ino->dur[off] = e->ino->cur[off];
	}
	for (i = off; i < off + len && i < e->ino->size; i++)
		e->ino->cur[i] = e->ino->dur[i] = 0;
	return 0;
}

void
sim_set_before(struct simdisk *d, void (*fn)(void *), void *arg)
{
	d->before = fn;
	d->before_arg = arg;
}

void
sim_set_lie(struct simdisk *d, enum sim_lie lie)
{
	d->lie = lie;
}
