/*
 * Listening sockets, bound by msad and passed to front-ends and control. A
 * reload keeps the sockets whose address stays, so that no client that waits
 * in a backlog is lost.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "msad/parent/files.h"

static int
same_address(const struct listener *l, const struct conf_listener *c)
{
	return l->addrlen == c->addrlen &&
	    memcmp(&l->addr, &c->addr, c->addrlen) == 0;
}

static int
bind_one(const struct conf_listener *c)
{
	const int	 on = 1;
	int		 fd;

	fd = socket(c->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (c->addr.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
	    bind(fd, (const struct sockaddr *)&c->addr, c->addrlen) == -1 ||
	    listen(fd, SOMAXCONN) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The socket that old has for this address, or a new one. */
static int
open_one(const struct conf_listener *c, const struct generation *old)
{
	const struct listener	*l;

	if (old != NULL)
		TAILQ_FOREACH(l, &old->listeners, entry)
			if (l->path == NULL && same_address(l, c))
				return fcntl(l->fd, F_DUPFD_CLOEXEC, 4);
	return bind_one(c);
}

static int	 local_open(struct generation *, const struct generation *,
		    FILE *);

int
listeners_open(struct generation *gen, const struct generation *old,
    FILE *errors)
{
	const struct conf_listener	*c;
	struct listener			*l;
	int				 ret = 0;

	TAILQ_FOREACH(c, &gen->conf->listeners, entry) {
		if ((l = calloc(1, sizeof(*l))) == NULL) {
			fprintf(errors, "out of memory\n");
			return -1;
		}
		l->index = (uint16_t)c->index;
		l->addr = c->addr;
		l->addrlen = c->addrlen;
		if ((l->fd = open_one(c, old)) == -1) {
			fprintf(errors, "listen on %s port %u: %s\n",
			    c->address, c->port, strerror(errno));
			free(l);
			ret = -1;
			continue;
		}
		TAILQ_INSERT_TAIL(&gen->listeners, l, entry);
	}
	if (gen->conf->local != NULL && local_open(gen, old, errors) == -1)
		ret = -1;
	return ret;
}

/* The generation's listener on the socket of that path, or NULL. */
static const struct listener *
local_find(const struct generation *gen, const char *path)
{
	const struct listener	*l;

	if (gen != NULL)
		TAILQ_FOREACH(l, &gen->listeners, entry)
			if (l->path != NULL && strcmp(l->path, path) == 0)
				return l;
	return NULL;
}

void
listeners_close(struct generation *gen, const struct generation *keep)
{
	struct listener	*l;

	while ((l = TAILQ_FIRST(&gen->listeners)) != NULL) {
		TAILQ_REMOVE(&gen->listeners, l, entry);
		close(l->fd);
		if (l->path != NULL && local_find(keep, l->path) == NULL)
			unlink(l->path);
		free(l->path);
		free(l);
	}
}

/*
 * Take a socket file away that nobody listens on any more. -1: somebody does,
 * or it is no socket.
 */
static int
remove_stale(const struct sockaddr_un *sun, FILE *errors)
{
	struct stat	 st;
	int		 fd, used;

	if (lstat(sun->sun_path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		fprintf(errors, "%s: exists, and is not a socket\n",
		    sun->sun_path);
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0)) == -1)
		return -1;
	used = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	    errno == EAGAIN;
	close(fd);
	if (used) {
		fprintf(errors, "%s: another msad listens there\n",
		    sun->sun_path);
		return -1;
	}
	return unlink(sun->sun_path);
}

/*
 * Bind and listen at path with that mode and group, in place of what nobody
 * listens on any more. The socket, or -1 with a line in errors.
 */
static int
unix_open(const char *path, gid_t gid, mode_t mode, FILE *errors)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	mode_t			 mask;
	int			 fd, bound;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		fprintf(errors, "%s: path is too long for a socket\n", path);
		return -1;
	}
	if (remove_stale(&sun, errors) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	mask = umask(0177);	/* nobody connects before it has its group */
	bound = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (bound == -1 || chown(path, 0, gid) == -1 ||
	    chmod(path, mode) == -1 || listen(fd, SOMAXCONN) == -1) {
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int
listener_control(const char *path, gid_t gid, FILE *errors)
{
	return unix_open(path, gid, 0660, errors);
}

/* The socket that local programs submit by: everybody may connect. */
static int
local_open(struct generation *gen, const struct generation *old, FILE *errors)
{
	const char		*path = gen->conf->local;
	const struct listener	*kept = local_find(old, path);
	struct listener		*l;

	if ((l = calloc(1, sizeof(*l))) == NULL ||
	    (l->path = strdup(path)) == NULL) {
		free(l);
		fprintf(errors, "out of memory\n");
		return -1;
	}
	l->index = IPC_LISTENER_LOCAL;
	if (kept != NULL)
		l->fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 4);
	else
		l->fd = unix_open(path, 0, 0666, errors);
	if (l->fd == -1) {
		free(l->path);
		free(l);
		return -1;
	}
	TAILQ_INSERT_TAIL(&gen->listeners, l, entry);
	return 0;
}
