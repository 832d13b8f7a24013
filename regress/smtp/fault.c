/*
 * A disk that fails when the test says so: preloaded into msad-queue by disk.t,
 * inject.t and powercut.t, which compile it. The file that MSAD_FAULT names is
 * mapped before any sandbox is there; octet n of it says what call n does, from
 * then on: 0 works, 1 fails once with EIO, 2 fails always with EIO, 3 fails
 * once with ENOSPC, 4 says that it is done and does nothing (flushes only).
 * Calls: 0 fdatasync and fsync, 1 pwrite. Octet 2, when it is not 0: each so
 * manieth pwrite writes half of what it was given and says so, which strace(1)
 * cannot do.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static volatile unsigned char	*fault;

static void __attribute__((__constructor__))
fault_map(void)
{
	const char	*path = getenv("MSAD_FAULT");
	void		*p;
	int		 fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		fault = p;
}

static int
fails(int call)
{
	unsigned char	how = fault != NULL ? fault[call] : 0;

	if (how == 0 || how == 4)
		return 0;
	if (how != 2)
		fault[call] = 0;
	errno = how == 3 ? ENOSPC : EIO;
	return 1;
}

static int
lies(void)
{
	return fault != NULL && fault[0] == 4;
}

int
fdatasync(int fd)
{
	if (lies())
		return 0;
	return fails(0) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	if (lies())
		return 0;
	return fails(0) ? -1 : (int)syscall(SYS_fsync, fd);
}

static size_t
shortened(size_t n)
{
	static unsigned int	count;
	unsigned char		each = fault != NULL ? fault[2] : 0;

	return each == 0 || n < 2 || ++count % each != 0 ? n : n / 2;
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	n = shortened(n);
	return fails(1) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return pwrite64(fd, p, n, off);
}
