/*
 * The flusher: a process that holds descriptors for as long as a flush takes,
 * and nothing else.
 */
#ifndef FLUSHER_H
#define FLUSHER_H

#include <sys/types.h>

#include <stdint.h>

/*
 * One request, sent with one descriptor; the reply has the tag and an errno or
 * 0 in error.
 */
struct flusher_msg {
	uint64_t	tag;
	int32_t		isdir;		/* fsync rather than fdatasync */
	int32_t		error;
};

/*
 * Fork the flusher.  To be called once, after the process has its user and root
 * and before its sandbox.  Returns our end of a SOCK_SEQPACKET pair, non-
 * blocking and close-on-exec; -1 on error.  The flusher exits when our end is
 * closed.
 */
int	flusher_start(pid_t *);

#endif
