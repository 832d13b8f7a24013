#ifndef AUTH_WAITING_H
#define AUTH_WAITING_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"

/*
 * Logins that wait for a worker, in order of turns: services one after the
 * other, in each its clients one after the other, in each of them by time. A
 * service may have so many workers at once and no more. Checks of the account
 * alone count as a service of their own: what hangs is mostly the question for
 * the password, and those whose passwords are known must not wait behind it.
 */

struct pam_answer;
struct pam_client;
struct worker;

struct pam_service {
	RB_ENTRY(pam_service)	 node;
	TAILQ_ENTRY(pam_service) turn;		/* when jobs wait */
	char			*name;
	bool			 account;	/* the checks of the account */
	bool			 configured;
	unsigned int		 limit;		/* workers at once */
	unsigned int		 given;		/* limit as configured, or 0 */
	unsigned int		 refs;		/* jobs */
	unsigned int		 running;
	unsigned int		 nwaiting;
	RB_HEAD(pam_client_tree, pam_client) clients;
	TAILQ_HEAD(, pam_client) turns;
};

struct pam_job {
	TAILQ_ENTRY(pam_job)	 entry;		/* when waiting or refused */
	struct pam_client	*client;	/* while it waits */
	struct pam_service	*service;
	uint64_t		 id;
	char			*user;
	char			*rhost;
	char			*password;	/* wiped when freed */
	size_t			 password_len;
	int64_t			 since;		/* ms: when submitted */
	bool			 retried;
	struct worker		*worker;	/* when it runs */
	void			(*done)(void *, const struct pam_answer *);
	void			*arg;		/* done NULL: cancelled */
};

/*
 * Take the services of a configuration, and how many workers each may have:
 * what its blocks say; else half of all, or all where it is the only one. 0,
 * or -1: no memory, and some have what they had.
 */
int	 waiting_configure(const struct conf *);
/* The service of that name for a job, which gives it back; NULL: no memory. */
struct pam_service *waiting_service(const char *name, bool account);
void	 waiting_release(struct pam_service *);
/*
 * A job waits; max may in all. NULL, or the job that must go for it: this one,
 * or one of the client that has most waiting, of the service that has.
 */
struct pam_job *waiting_add(struct pam_job *, unsigned int max);
/* One that ran waits again, before all others of its service. 0 or -1. */
int	 waiting_again(struct pam_job *);
/* It waits no more. */
void	 waiting_remove(struct pam_job *);
/*
 * The next job for one of idle workers, counted as running from now on; NULL:
 * none may run. The last idle worker is only for a service that has none, so
 * that one that hangs leaves one to the others.
 */
struct pam_job *waiting_next(unsigned int idle);
/* A job of this service runs no more. */
void	 waiting_ran(struct pam_service *);
/* When the one was submitted that waits longest for want of a worker alone. */
bool	 waiting_oldest(int64_t *since);
/* Take one out that was submitted before that; NULL: none. */
struct pam_job *waiting_late(int64_t before);
/* Any one, taken out; NULL: none waits. */
struct pam_job *waiting_any(void);
unsigned int waiting_count(void);

#endif
