#ifndef PARENT_SUPERVISE_H
#define PARENT_SUPERVISE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/slice.h"

struct generation;
struct proc;

/* Workers of PAM, at most, whatever auth asks for. */
#define PAM_WORKERS_MAX	256	/* that can be configured */

/* Make the places for all processes and start the first. 0 or -1. */
int	 supervise_begin(const struct generation *);
/* A process said PROC_STARTED. */
void	 supervise_started(struct proc *);
/* SIGCHLD: collect the dead. */
void	 supervise_reap(void);
/* The timer of a place: start again, or patience is at its end. */
void	 supervise_timer(struct proc *);
/* Has the family come up / is it coming down? */
bool	 supervise_up(void);
bool	 supervise_stopping(void);
/* End the family in order, then exit with status. */
void	 supervise_stop(int status);
/* Make the places of Maildir relays what the generation says. */
void	 supervise_maildirs(const struct generation *);
/* Does the generation still have what this Maildir relay serves? */
bool	 supervise_keeps(const struct proc *, const struct generation *);
/* Workers, where the configuration says 0: one per core. */
unsigned int supervise_workers(unsigned int configured);

/* --- pool.c: workers of PAM, as auth asks --- */

void	 pool_want(unsigned int n);
void	 pool_kill(uint32_t index);
/* Auth is gone: so are the conversations. */
void	 pool_reset(void);

/* --- reload.c --- */

#define RELOAD_SIGNAL	UINT64_MAX	/* nobody waits for the answer */

/* Read the configuration again; sid: request of control, or RELOAD_SIGNAL. */
void	 reload_begin(uint64_t sid);
bool	 reload_running(void);
/* Answers of a process, and what else may let a reload go on. */
void	 reload_ready(struct proc *, uint32_t generation);
void	 reload_refused(struct proc *, uint32_t generation, struct slice why);
/* It was asked and died: an end that was no fault does not stop a reload. */
void	 reload_died(const struct proc *, bool fault);
void	 reload_step(void);
/* The control that asked is gone; the reload goes on. */
void	 reload_forget(void);
/*
 * Read the configuration and open all it names, beside what old holds (NULL
 * at the start). NULL with lines in errors.
 */
struct generation *reload_load(const struct generation *old, FILE *errors);

/* --- handlers.c: what children may say --- */

struct ipc_handler;
const struct ipc_handler *handlers_of(struct proc *);
/* Answer a request of control; nothing where control is gone. */
void	 handlers_end(uint64_t sid, bool ok, const char *text);

#endif
