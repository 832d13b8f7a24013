#ifndef COMMON_MEMFILE_H
#define COMMON_MEMFILE_H

#include <sys/types.h>

/*
 * Files without a name, to be handed to another process: in memory where the
 * system has that, else an unlinked file in dir. Each returns -1 with errno.
 */
int	 memfile_new(const char *name, const char *dir);
/* One of size octets that nobody can make larger or smaller. */
int	 memfile_sized(const char *name, const char *dir, off_t size);
/* Nobody can change it from now on (as far as the system can hold that). */
int	 memfile_freeze(int fd);

#endif
