/*
 * A disk that fails when the test says so: preloaded into msad-queue
 * by disk.t, which compiles it. The file that MSAD_FAULT names is mapped before
 * any sandbox is there; octet n of it says what call n does, from then on:
 * 0 works, 1 fails once with EIO, 2 fails always with EIO, 3 fails once with
 * ENOSPC. Calls: 0 fdatasync and fsync, 1 pwrite. strace(1) cannot do this:
 * it replaces the system call by one that seccomp kills for.
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

	if (how == 0)
		return 0;
	if (how != 2)
		fault[call] = 0;
	errno = how == 3 ? ENOSPC : EIO;
	return 1;
}

int
fdatasync(int fd)
{
	return fails(0) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return fails(0) ? -1 : (int)syscall(SYS_fsync, fd);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	return fails(1) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return pwrite64(fd, p, n, off);
}
