/*
 * Files without a name (memfile.h): what processes share or hand over as a
 * descriptor.
 */
#include <sys/types.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "common/memfile.h"

#define RANDOM	8		/* letters of a name */

int
memfile_new(const char *name, const char *dir)
{
#ifdef HAVE_MEMFD_CREATE
	(void)dir;
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
	char	 path[256];
	int	 fd, n;

	n = snprintf(path, sizeof(path), "%s/%s.", dir, name);
	if (n < 0 || (size_t)n >= sizeof(path) - RANDOM) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memset(path + n, 'X', RANDOM);	/* which mkostemp() replaces */
	path[n + RANDOM] = '\0';
	if ((fd = mkostemp(path, O_CLOEXEC)) != -1)
		unlink(path);
	return fd;
#endif
}

static int
seal_size(int fd)
{
#ifdef HAVE_MEMFD_CREATE
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_SEAL);
#else
	(void)fd;
	return 0;
#endif
}

int
memfile_sized(const char *name, const char *dir, off_t size)
{
	int	 fd;

	if ((fd = memfile_new(name, dir)) == -1)
		return -1;
	if (ftruncate(fd, size) == -1 || seal_size(fd) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
memfile_freeze(int fd)
{
#ifdef HAVE_MEMFD_CREATE
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE | F_SEAL_SEAL);
#else
	return lseek(fd, 0, SEEK_SET) == -1 ? -1 : 0;
#endif
}
