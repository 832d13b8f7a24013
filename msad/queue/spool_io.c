/*
 * The real disk behind spool_io.h: writes are done at once into the page
 * cache; flushes go to the flusher process and come back as events of the
 * loop. Runs in msad-queue, whose sandbox must allow openat, pread64,
 * pwrite64, fallocate, renameat, unlinkat, mkdirat, getdents64, fstat,
 * fstatfs, fsync, fdatasync, flock, sendmsg and recvmsg.
 *
 * Requests that the flusher's socket does not take at once wait in a list.
 */
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "config.h"
#include "msad/queue/flusher.h"
#include "msad/queue/spool_io.h"

struct request {
	TAILQ_ENTRY(request)	 entry;
	struct flusher_msg	 msg;
	int			 fd;		/* ours; -1 once sent */
	void			(*done)(void *, int);
	void			*arg;
};
TAILQ_HEAD(requests, request);

struct soon {
	TAILQ_ENTRY(soon)	 entry;
	void			(*fn)(void *);
	void			*arg;
};
TAILQ_HEAD(soons, soon);

struct disk {
	struct spool_io		 io;
	struct event		*readable, *writable, *now;
	int			 sock;
	uint64_t		 tag;
	struct requests		 unsent, sent;
	struct soons		 soon;
	void			(*lost)(void *);
	void			*lost_arg;
};

static int
disk_open(void *ctx, int dir, const char *name, int flags)
{
	int	oflags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;

	(void)ctx;
	if ((flags & SPOOL_O_WRITE) != 0)
		oflags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
	if ((flags & SPOOL_O_CREATE) != 0)
		oflags |= O_CREAT | O_EXCL;
	if ((flags & SPOOL_O_DIR) != 0)
		oflags |= O_DIRECTORY;
	return openat(dir, name, oflags, 0600);
}

static int
disk_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

static int
disk_mkdir(void *ctx, int dir, const char *name)
{
	(void)ctx;
	return mkdirat(dir, name, 0700);
}

static int
disk_lock(void *ctx, int dir, const char *name)
{
	int	fd, error;

	(void)ctx;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static ssize_t
disk_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	size_t	done = 0;
	ssize_t	n;

	(void)ctx;
	while (done < len) {
		n = pread(fd, (char *)buf + done, len - done,
		    (off_t)(off + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t
disk_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t off)
{
	size_t	done = 0;
	ssize_t	n;

	(void)ctx;
	while (done < len) {
		n = pwrite(fd, (const char *)buf + done, len - done,
		    (off_t)(off + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)		/* never goes on */
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int
disk_size(void *ctx, int fd, uint64_t *size)
{
	struct stat	st;

	(void)ctx;
	if (fstat(fd, &st) == -1)
		return -1;
	*size = (uint64_t)st.st_size;
	return 0;
}

static int
disk_allocate(void *ctx, int fd, uint64_t len)
{
	int	error;

	(void)ctx;
	do
		error = posix_fallocate(fd, 0, (off_t)len);
	while (error == EINTR);
	if (error == 0 || error == EOPNOTSUPP || error == EINVAL)
		return 0;		/* filling it with zeros will do */
	errno = error;
	return -1;
}

static int
disk_rename(void *ctx, int dir, const char *from, const char *to)
{
	(void)ctx;
	return renameat(dir, from, dir, to);
}

static int
disk_unlink(void *ctx, int dir, const char *name)
{
	(void)ctx;
	return unlinkat(dir, name, 0);
}

static int
disk_list(void *ctx, int dir, void (*fn)(void *, const char *), void *arg)
{
	struct dirent	*e;
	DIR		*d;
	int		 fd, error;

	(void)ctx;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	/* a list cut short by an error would look like an empty spool */
	for (;;) {
		errno = 0;
		if ((e = readdir(d)) == NULL)
			break;
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") !=
		    0)
			fn(arg, e->d_name);
	}
	error = errno;
	closedir(d);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
disk_space(void *ctx, int dir, uint64_t *left)
{
	struct statvfs	st;

	(void)ctx;
	if (fstatvfs(dir, &st) == -1)
		return -1;
	*left = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static int
disk_sync(void *ctx, int fd, int isdir)
{
	(void)ctx;
	return isdir ? fsync(fd) : fdatasync(fd);
}

/* Send a request with its descriptor. 0, or -1 and errno. */
static int
send_request(struct disk *d, struct request *r)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec	 iov = { &r->msg, sizeof(r->msg) };
	struct msghdr	 msg;
	struct cmsghdr	*c;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &r->fd, sizeof(r->fd));
	return sendmsg(d->sock, &msg, MSG_NOSIGNAL) == -1 ? -1 : 0;
}

static void
flusher_lost(struct disk *d)
{
	event_del(d->readable);
	event_del(d->writable);
	if (d->lost != NULL)
		d->lost(d->lost_arg);
}

static void
send_waiting(struct disk *d)
{
	struct request	*r;

	while ((r = TAILQ_FIRST(&d->unsent)) != NULL) {
		if (send_request(d, r) == -1) {
			if (errno == EAGAIN || errno == ENOBUFS)
				event_add(d->writable, NULL);
			else if (errno != EINTR)
				flusher_lost(d);
			return;
		}
		close(r->fd);
		r->fd = -1;
		TAILQ_REMOVE(&d->unsent, r, entry);
		TAILQ_INSERT_TAIL(&d->sent, r, entry);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_waiting(arg);
}

/* Find the request with that tag; the flusher answers in order. */
static struct request *
take_sent(struct disk *d, uint64_t tag)
{
	struct request	*r;

	TAILQ_FOREACH(r, &d->sent, entry)
		if (r->msg.tag == tag) {
			TAILQ_REMOVE(&d->sent, r, entry);
			return r;
		}
	return NULL;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct disk		*d = arg;
	struct flusher_msg	 m;
	struct request		*r;
	ssize_t			 n;

	(void)what;
	for (;;) {
		n = recv(fd, &m, sizeof(m), 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(m) ||
		    (r = take_sent(d, m.tag)) == NULL) {
			flusher_lost(d);
			return;
		}
		r->done(r->arg, m.error);
		free(r);
	}
}

static int
disk_flush(void *ctx, int fd, int isdir, void (*done)(void *, int), void *arg)
{
	struct disk	*d = ctx;
	struct request	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -1;
	/* a duplicate: the caller may close its own before it is sent */
	if ((r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(r);
		return -1;
	}
	r->msg.tag = ++d->tag;
	r->msg.isdir = isdir;
	r->done = done;
	r->arg = arg;
	TAILQ_INSERT_TAIL(&d->unsent, r, entry);
	send_waiting(d);
	return 0;
}

static void
on_now(evutil_socket_t fd, short what, void *arg)
{
	struct disk	*d = arg;
	struct soons	 list = TAILQ_HEAD_INITIALIZER(list);
	struct soon	*s;

	(void)fd;
	(void)what;
	TAILQ_CONCAT(&list, &d->soon, entry);
	while ((s = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, s, entry);
		s->fn(s->arg);
		free(s);
	}
}

static void
disk_soon(void *ctx, void (*fn)(void *), void *arg)
{
	static const struct timeval	 zero = { 0, 0 };
	struct disk			*d = ctx;
	struct soon			*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		fatal("spool: out of memory");
	s->fn = fn;
	s->arg = arg;
	TAILQ_INSERT_TAIL(&d->soon, s, entry);
	/* by timer: after the events that are ready, so that they share */
	event_add(d->now, &zero);
}

static const struct spool_io	functions = {
	.open = disk_open,
	.close = disk_close,
	.mkdir = disk_mkdir,
	.lock = disk_lock,
	.pread = disk_pread,
	.pwrite = disk_pwrite,
	.size = disk_size,
	.allocate = disk_allocate,
	.rename = disk_rename,
	.unlink = disk_unlink,
	.list = disk_list,
	.space = disk_space,
	.sync = disk_sync,
	.flush = disk_flush,
	.soon = disk_soon
};

struct spool_io *
spool_io_new(struct event_base *base, int sock, void (*lost)(void *),
    void *arg)
{
	struct disk	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	d->io = functions;
	d->io.ctx = d;
	d->sock = sock;
	d->lost = lost;
	d->lost_arg = arg;
	TAILQ_INIT(&d->unsent);
	TAILQ_INIT(&d->sent);
	TAILQ_INIT(&d->soon);
	d->readable = event_new(base, sock, EV_READ | EV_PERSIST, on_readable,
	    d);
	d->writable = event_new(base, sock, EV_WRITE, on_writable, d);
	d->now = event_new(base, -1, 0, on_now, d);
	if (d->readable == NULL || d->writable == NULL || d->now == NULL ||
	    event_add(d->readable, NULL) == -1) {
		spool_io_free(&d->io);
		return NULL;
	}
	return &d->io;
}

static void
free_requests(struct requests *list)
{
	struct request	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		if (r->fd != -1)
			close(r->fd);
		free(r);
	}
}

void
spool_io_free(struct spool_io *io)
{
	struct disk	*d;
	struct soon	*s;

	if (io == NULL)
		return;
	d = io->ctx;
	if (d->readable != NULL)
		event_free(d->readable);
	if (d->writable != NULL)
		event_free(d->writable);
	if (d->now != NULL)
		event_free(d->now);
	free_requests(&d->unsent);
	free_requests(&d->sent);
	while ((s = TAILQ_FIRST(&d->soon)) != NULL) {
		TAILQ_REMOVE(&d->soon, s, entry);
		free(s);
	}
	close(d->sock);
	free(d);
}
