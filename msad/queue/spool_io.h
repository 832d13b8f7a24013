/*
 * All input and output of the spool, as function pointers, so that the tests
 * can put a simulated disk behind it.  spool_io.c has the real one;
 * regress/crash/simdisk.c the other.
 *
 * All functions behave as the system calls of their names: -1 and errno on
 * error.  A directory is named by a descriptor.  pread and pwrite do all of len
 * or fail, except that pread may stop short at the end of the file.
 */
#ifndef SPOOL_IO_H
#define SPOOL_IO_H

#include <sys/types.h>

#include <stdint.h>

#define SPOOL_O_READ	0x00
#define SPOOL_O_WRITE	0x01	/* for reading and writing */
#define SPOOL_O_CREATE	0x02	/* must not exist */
#define SPOOL_O_DIR	0x04

struct event_base;

struct spool_io {
	void	*ctx;
	int	(*open)(void *, int dir, const char *, int flags);
	int	(*close)(void *, int fd);
	int	(*mkdir)(void *, int dir, const char *);
	/*
	 * take the exclusive lock on a file (created if need be), held until
	 * the descriptor is closed
	 */
	int	(*lock)(void *, int dir, const char *);
	ssize_t	(*pread)(void *, int fd, void *, size_t, uint64_t off);
	ssize_t	(*pwrite)(void *, int fd, const void *, size_t, uint64_t off);
	int	(*size)(void *, int fd, uint64_t *);
	/*
	 * make the file len octets long with space behind each (zero filled by
	 * the caller)
	 */
	int	(*allocate)(void *, int fd, uint64_t len);
	int	(*rename)(void *, int dir, const char *, const char *);
	int	(*unlink)(void *, int dir, const char *);
	/*
	 * call back for every name but . and ..; the callback must not change
	 * the directory
	 */
	int	(*list)(void *, int dir, void (*)(void *, const char *),
	    void *);
	int	(*space)(void *, int dir, uint64_t *);
	/*
	 * Data of a file, or the entries of a directory, to stable storage.
	 * sync blocks.  flush returns at once; done comes later, from the loop,
	 * with 0 or an errno.  Flushes may finish in any order.  The descriptor
	 * may be closed before that.
	 */
	int	(*sync)(void *, int fd, int isdir);
	int	(*flush)(void *, int fd, int isdir, void (*)(void *, int),
	    void *);
	/* Call fn once, soon, from the loop (never from here). */
	void	(*soon)(void *, void (*)(void *), void *);
};

/*
 * The real one.  flusher is the descriptor that flusher_start() (flusher.h)
 * gave; lost is called when the flusher is gone: the queue must then stop, for
 * nothing can be made durable any more. Returns NULL when memory or the event
 * is not to be had.
 */
struct spool_io	*spool_io_new(struct event_base *, int flusher,
	    void (*lost)(void *), void *);
void		 spool_io_free(struct spool_io *);

#endif
