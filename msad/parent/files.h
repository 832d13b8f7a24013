#ifndef PARENT_FILES_H
#define PARENT_FILES_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/ipc_types.h"

struct conf;

/* A file that processes of a role get; held open for restarts. */
struct file {
	TAILQ_ENTRY(file)	 entry;
	enum ipc_file		 kind;
	enum ipc_role		 role;
	char			*name;		/* for PROC_FILE */
	char			*path;
	int			 fd;
};

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	uint16_t		 index;
	struct sockaddr_storage	 addr;
	socklen_t		 addrlen;
	char			*path;	/* of the local socket, else NULL */
	int			 fd;
};

/* A configuration with all that was opened for it. */
struct generation {
	uint32_t		 number;
	struct conf		*conf;
	char			*text;		/* canonical */
	TAILQ_HEAD(, file)	 files;
	TAILQ_HEAD(, listener)	 listeners;
};

/*
 * Make a generation; owns conf from then on, in case of failure as well. NULL
 * when memory is out.
 */
struct generation *generation_new(uint32_t number, struct conf *);
/* keep: the generation that holds, or NULL; see listeners_close(). */
void	 generation_free(struct generation *, const struct generation *keep);

/*
 * Open every file that the configuration names, with its mode checked. Each
 * failure is a line in errors. 0 or -1.
 */
int	 files_open(struct generation *, FILE *errors);
/* The same file with a position of its own; -1 with errno. */
int	 files_reopen(const struct file *);
/* A descriptor of the canonical text, at its start; -1 with errno. */
int	 files_text(const struct generation *);
/* May this file say how msad works? Else a line in errors and -1. */
int	 files_check_conf(const char *path, FILE *errors);
/*
 * Make the last directory of path with mode if it is absent, and check: its
 * owner, and no mode bits outside of allowed. 0, or -1 with a line in errors.
 */
int	 files_directory(const char *path, uid_t uid, gid_t gid, mode_t mode,
    mode_t allowed, FILE *errors);
/* Make and check the roots of the children. 0, or -1 with lines in errors. */
int	 files_roots(const struct generation *, FILE *errors);

/* --- listener.c --- */

/*
 * Bind what the generation listens on; sockets that old has for the same
 * address or path are taken along. 0, or -1 with lines in errors.
 */
int	 listeners_open(struct generation *, const struct generation *old,
    FILE *errors);
/*
 * Close them. The file of the local socket is removed, unless keep (which may
 * be NULL) listens there as well.
 */
void	 listeners_close(struct generation *, const struct generation *keep);
/*
 * Bind the control socket, mode 0660 for gid. -1 with a line in errors when
 * it cannot be, or when somebody listens there.
 */
int	 listener_control(const char *path, gid_t gid, FILE *errors);

#endif
