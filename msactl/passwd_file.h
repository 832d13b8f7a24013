#ifndef MSACTL_PASSWD_FILE_H
#define MSACTL_PASSWD_FILE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/* A passwd file that is being changed: the old one, locked, and its text. */
struct passwd_file {
	char	*path;		/* without symbolic links */
	int	 fd;		/* -1: there is none yet */
	mode_t	 mode;
	uid_t	 uid;
	gid_t	 gid;
	char	*text;
	size_t	 len;
};

/*
 * Read it; change: lock out others who want to change it. An absent file is
 * empty when it is to be changed. Exits with a message on errors.
 */
void	 passwd_file_open(struct passwd_file *, const char *path, bool change);
/* The next line after *off, without its newline; false at the end. */
bool	 passwd_file_line(const struct passwd_file *, size_t *off,
	    struct slice *line);
/*
 * Put text in its place at once: it is whole on the disk before it has the
 * name, with the owner and mode of the old one (0600 for a new one).
 */
void	 passwd_file_replace(struct passwd_file *, struct slice text);
void	 passwd_file_close(struct passwd_file *);

#endif
