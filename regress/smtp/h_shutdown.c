/*
 * Cut the power of a mounted file system, for powercut.t: it stops at once and
 * writes nothing more, not even its journal. What was not flushed is gone.
 *
 * usage: h_shutdown path
 */
#include <sys/ioctl.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"

/* EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN: in no header that is installed. */
#define SHUTDOWN	_IOR('X', 125, uint32_t)
#define NOLOGFLUSH	2U

int
main(int argc, char **argv)
{
	uint32_t	flags = NOLOGFLUSH;
	int		fd;

	if (argc != 2) {
		fprintf(stderr, "usage: h_shutdown path\n");
		return 2;
	}
	if ((fd = open(argv[1], O_RDONLY | O_DIRECTORY)) == -1 ||
	    ioctl(fd, SHUTDOWN, &flags) == -1) {
		perror(argv[1]);
		return 1;
	}
	close(fd);
	return 0;
}
