#ifndef LOOKUP_VFS_H
#define LOOKUP_VFS_H

#include <stddef.h>

#define VFS_NAME	"msad"
#define VFS_NAME_MAX	16

/* Make the VFS known to SQLite; 0 or -1. */
int	 vfs_init(void);
/* The name by which it opens the file behind fd, which stays the caller's. */
void	 vfs_name(int fd, char *buf, size_t size);
/* Can the file be read in this way? NULL, or why not. */
const char *vfs_check(int fd);

#endif
