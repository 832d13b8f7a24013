#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <stdint.h>

#include "common/ipc.h"

/*
 * What every child of msad does alike. main() is:
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		return child_main(&auth_child, argc, argv);
 *	}
 *
 * child_main() takes over descriptor 3 (the channel to msad), reads PROC_INIT,
 * changes root and user, applies the sandbox, and runs the loop. It takes the
 * configuration (parsed by the common grammar), checks it with the child's
 * conf_check, and makes it current at commit. It returns the exit status.
 */

struct conf;

struct child {
	enum ipc_role	 role;
	const char	*name;			/* "auth": for log and title */
	/*
	 * Before the sandbox and still as the dropped user; may be NULL.
	 * The queue starts its flusher here. 0 or -1.
	 */
	int		(*early)(void);
	/* After the sandbox, loop not yet running; may be NULL. 0 or -1. */
	int		(*init)(void);
	/*
	 * A file of the generation under preparation; take it by
	 * ipc_take_fd-like ownership: fd is the child's now. May be NULL.
	 */
	int		(*conf_file)(uint32_t generation, enum ipc_file,
			    struct slice name, int fd);
	/*
	 * All is there: can this configuration be taken? 0, or -1 with a
	 * reason in reason. Must not change what is current. May be NULL.
	 */
	int		(*conf_check)(struct conf *, uint32_t generation,
			    char *reason, size_t size);
	/*
	 * conf is current from now on (child_conf gives it as well). The old
	 * one is freed by child_main after this returns, so drop or copy
	 * references into it. May be NULL.
	 */
	void		(*conf_commit)(struct conf *, uint32_t generation);
	void		(*conf_abort)(uint32_t generation);
	/* A listening socket (frontend, control); owned by the child. */
	void		(*listener)(uint32_t generation, uint16_t index,
			    int fd);
	/*
	 * A channel to a peer; the child makes it an ipc by ipc_new with its
	 * own handlers for that peer (and ipc_set_peer). Returns 0 or -1.
	 */
	int		(*channel)(enum ipc_role peer, uint32_t index,
			    uint64_t epoch, struct slice name, int fd);
	/* Begin work. */
	void		(*start)(void);
	/*
	 * End within seconds: finish what is under way, then call
	 * child_exit(). NULL: exit at once.
	 */
	void		(*shutdown)(unsigned int seconds);
	/* Further messages from msad; ends with type 0; may be NULL. */
	const struct ipc_handler *handlers;
};

int	 child_main(const struct child *, int argc, char **argv);

/* The current configuration; NULL before the first commit. */
struct conf *child_conf(void);
uint32_t child_index(void);
/* This worker instance's epoch: unique over all starts of the daemon's life. */
uint64_t child_epoch(void);
uint8_t	 child_flags(void);		/* INIT_* */
struct ipc *child_parent(void);
struct event_base *child_base(void);
/*
 * The worker at the other end of ch broke the rules of the channel, or hangs:
 * have msad kill it and start another. For auth, keys and queue.
 */
void	 child_condemn(struct ipc *ch);
/* Leave the loop and exit with status. */
void	 child_exit(int status);

#endif
