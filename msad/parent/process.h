#ifndef PARENT_PROCESS_H
#define PARENT_PROCESS_H

#include <sys/queue.h>
#include <sys/types.h>

#include <event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "common/ipc.h"
#include "msad/parent/restart.h"

struct generation;

enum proc_state {
	PROC_DOWN,		/* no process */
	PROC_CHECKING,		/* has the configuration, did not answer yet */
	PROC_STARTING,		/* has its channels and PROC_START */
	PROC_RUNNING,
	PROC_STOPPING		/* was told to end */
};

/*
 * A place for a process: role and index. The process in it may die and be
 * started again; its page of counters stays.
 */
struct proc {
	TAILQ_ENTRY(proc)	 entry;
	enum ipc_role		 role;
	uint32_t		 slot;	/* number of its page */
	uint32_t		 index;		/* as its peers know it */
	char			*relay;	/* of a Maildir relay: its name */
	char			*root;		/* changed root; "/" for pam */
	char			 name[48];	/* "frontend[0]", for the log */

	enum proc_state		 state;
	pid_t			 pid;		/* 0: none */
	uint64_t		 epoch;
	uint32_t		 generation;	/* that it has */
	bool			 asked;	/* a reload waits for its answer */
	struct ipc		*ch;		/* NULL: none, or ended */
	int			 page;		/* descriptor */
	time_t			 since;
	uint32_t		 restarts;
	bool			 wanted;	/* to be started when it dies */
	bool			 condemned;	/* was killed */
	bool			 excused;	/* its next death is no fault */
	bool			 retired;	/* to be freed when it dies */
	struct restart		 restart;
	int64_t			 rest;	/* parent_now(): no start before */
	struct event		 timer;		/* next start, or patience */
};

TAILQ_HEAD(proc_list, proc);

extern struct proc_list	 procs;

#define PROC_ALIVE(p)	((p)->pid != 0)
/* Has its configuration, and channels where its peers have. */
#define PROC_LINKED(p)	((p)->ch != NULL && \
    ((p)->state == PROC_STARTING || (p)->state == PROC_RUNNING))
#define PROC_MAILDIR(p)	((p)->relay != NULL)

/*
 * Once: the seed of the epochs, msad's own page of counters, and the socket
 * that control gets. 0, or -1 with errno.
 */
int	 process_init(int control_fd);
/* The descriptor of msad's own page. */
int	 process_page(void);
/* A new place; NULL with the reason logged. root NULL: the empty directory. */
struct proc *proc_new(enum ipc_role, uint32_t slot, const char *relay,
    const char *root);
void	 proc_free(struct proc *);
struct proc *proc_by_pid(pid_t);
struct proc *proc_of_role(enum ipc_role);
/* Start a process in it, with the current generation. 0 or -1. */
int	 proc_start(struct proc *);
/* The configuration was taken: commit, descriptors, channels, start. */
void	 proc_link(struct proc *);
/* The process is gone: close what belonged to it. */
void	 proc_gone(struct proc *);
/* Tell it to end, and kill it when it did not after that time. */
void	 proc_stop(struct proc *, unsigned int seconds);
void	 proc_kill(struct proc *);
/* (Re)arm the timer. */
void	 proc_timer(struct proc *, int64_t ms);
/* Can more be sent? A child that reads nothing is killed and false returned. */
bool	 proc_writable(struct proc *);

/* The messages that prepare, and end, a generation. 0 or -1. */
int	 proc_send_prepare(struct proc *, const struct generation *);
void	 proc_send_commit(struct proc *, uint32_t generation);
void	 proc_send_abort(struct proc *, uint32_t generation);
int	 proc_send_listeners(struct proc *, const struct generation *);
/* Log through a fresh syslog descriptor, if there is one. */
void	 proc_send_syslog(struct proc *);
void	 proc_send_loglevel(struct proc *, int level);

/* --- channels.c --- */

/* Connect p with all that it talks to and that are linked. 0 or -1. */
int	 channels_link(struct proc *);
/* The statistics pages, for a control that was started. */
void	 channels_pages(struct proc *control);
/* Announce (or, gone, take back) the page of p to a running control. */
void	 channels_page(const struct proc *p, bool gone);

/* --- users.c --- */

/* Look all users up. 0, or -1 with a line in errors for each absent. */
int	 users_find(FILE *errors);
uid_t	 users_uid(enum ipc_role);
gid_t	 users_gid(enum ipc_role);
/*
 * The name of a user of this host, by the name service. 0 with *name (valid
 * until the next call), 1: there is none, 2: cannot be told now.
 */
uint8_t	 users_name(uid_t, const char **name);

#endif
