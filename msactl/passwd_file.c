/*
 * A passwd file as msactl changes it: read whole, written anew beside it, and
 * put in its place by rename(2), so that msad never finds half of one and a
 * crash leaves the old one. Changes are made one after the other, by a lock on
 * the file that is replaced.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msactl/passwd_file.h"
#include "msactl/session.h"

#define SIZE_MAX_FILE	(64 * 1024 * 1024)
#define RANDOM		8	/* letters of a temporary name */

/* The file that has the path now, locked; -1 when another took its place. */
static int
lock(const char *path, int fd)
{
	struct stat	 have, now;

	if (flock(fd, LOCK_EX) == -1 || fstat(fd, &have) == -1)
		err(EXIT_ERROR, "%s", path);
	if (stat(path, &now) == 0 && now.st_dev == have.st_dev &&
	    now.st_ino == have.st_ino)
		return 0;
	close(fd);
	return -1;
}

static void
read_all(struct passwd_file *f)
{
	struct stat	 st;
	ssize_t		 n;

	if (fstat(f->fd, &st) == -1)
		err(EXIT_ERROR, "%s", f->path);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_ERROR, "%s: not a regular file", f->path);
	if (st.st_size > SIZE_MAX_FILE)
		errx(EXIT_ERROR, "%s: larger than 64 MiB", f->path);
	f->mode = st.st_mode & 07777;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	if ((f->text = malloc((size_t)st.st_size + 1)) == NULL)
		err(EXIT_ERROR, NULL);
	while (f->len < (size_t)st.st_size) {
		n = read(f->fd, f->text + f->len, (size_t)st.st_size - f->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			err(EXIT_ERROR, "%s", f->path);
		if (n == 0)
			break;
		f->len += (size_t)n;
	}
}

void
passwd_file_open(struct passwd_file *f, const char *path, bool change)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->mode = 0600;
	f->uid = geteuid();
	f->gid = getegid();
	if ((f->path = realpath(path, NULL)) == NULL) {
		if (errno != ENOENT || !change)
			err(EXIT_ERROR, "%s", path);
		/* A lock needs a file. */
		f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (f->fd == -1 || (f->path = realpath(path, NULL)) == NULL)
			err(EXIT_ERROR, "%s", path);
		close(f->fd);
	}
	do {
		f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
		if (f->fd == -1)
			err(EXIT_ERROR, "%s", f->path);
	} while (change && lock(f->path, f->fd) == -1);
	read_all(f);
}

bool
passwd_file_line(const struct passwd_file *f, size_t *off, struct slice *line)
{
	const char	*p = f->text + *off, *nl;

	if (*off >= f->len)
		return false;
	nl = memchr(p, '\n', f->len - *off);
	*line = SLICE(p, nl != NULL ? (size_t)(nl - p) : f->len - *off);
	*off += line->len + 1;
	if (line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return true;
}

static void
write_all(int fd, struct slice text, const char *path)
{
	ssize_t	 n;

	while (text.len > 0) {
		n = write(fd, text.p, text.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			warn("%s", path);
			unlink(path);
			exit(EXIT_ERROR);
		}
		text = slice_from(text, (size_t)n);
	}
}

/* The rename is on the disk once the folder is. */
static void
sync_folder(const char *path)
{
	char	 dir[PATH_MAX], *slash;
	int	 fd;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir) ||
	    (slash = strrchr(dir, '/')) == NULL)
		return;
	slash[slash == dir] = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    fsync(fd) == -1)
		err(EXIT_ERROR, "%s", dir);
	close(fd);
}

void
passwd_file_replace(struct passwd_file *f, struct slice text)
{
	char	 path[PATH_MAX];
	int	 fd, n;

	if (text.len > SIZE_MAX_FILE)
		errx(EXIT_ERROR, "%s: it would be larger than 64 MiB",
		    f->path);
	n = snprintf(path, sizeof(path), "%s.", f->path);
	if (n < 0 || (size_t)n >= sizeof(path) - RANDOM)
		errx(EXIT_ERROR, "%s: the path is too long", f->path);
	memset(path + n, 'X', RANDOM);	/* which mkstemp() replaces */
	path[n + RANDOM] = '\0';
	if ((fd = mkstemp(path)) == -1)
		err(EXIT_ERROR, "%s", path);
	write_all(fd, text, path);
	if (fchown(fd, f->uid, f->gid) == -1 || fchmod(fd, f->mode) == -1 ||
	    fsync(fd) == -1 || close(fd) == -1 || rename(path, f->path) == -1) {
		warn("%s", path);
		unlink(path);
		exit(EXIT_ERROR);
	}
	sync_folder(f->path);
}

void
passwd_file_close(struct passwd_file *f)
{
	if (f->fd != -1)
		close(f->fd);
	if (f->text != NULL)
		freezero(f->text, f->len);
	free(f->path);
}
