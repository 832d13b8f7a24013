#ifndef AUTH_WORKERS_H
#define AUTH_WORKERS_H

#include <stdint.h>

#include "common/ipc.h"
#include "common/slice.h"
#include "common/verdict.h"

/* What PAM said. The slices end with the call. */
struct pam_answer {
	/* OK, AUTH_FAILED, AUTH_BUSY, AUTH_DISABLED, AUTH_EXPIRED */
	enum verdict	 verdict;
	struct slice	 user;		/* as PAM knows it, when OK */
	unsigned int	 fail_delay;	/* us, as modules asked */
	struct slice	 reason;	/* for the log */
};

struct conf;
struct event_base;
struct pam_job;

/*
 * Take what "auth workers" says and how many workers each PAM service may
 * have; before workers_start() and after a reload. 0, or -1: no memory.
 */
int	 workers_configure(const struct conf *);

/* Ask msad, on this channel, for the first workers; base runs our clock. */
void	 workers_start(struct ipc *parent, struct event_base *);
/* End all: jobs are answered with AUTH_BUSY. */
void	 workers_stop(void);
/* A channel to worker index; owned by the pool. 0 or -1. */
int	 workers_add(uint32_t index, uint64_t epoch, int fd);
/*
 * Ask PAM. The password is copied and wiped after use. done() is called once,
 * later, unless the job is cancelled. NULL: too many wait already. Others'
 * done() may be called before this returns: a login of whoever has most
 * waiting gives way.
 */
struct pam_job *workers_submit(const char *service, const char *user,
	    struct slice password, const char *rhost,
	    void (*done)(void *, const struct pam_answer *), void *arg);
/*
 * Ask for the account checks alone, for a user whose password was right a
 * short time ago; as above. The user of the answer is PAM's again.
 */
struct pam_job *workers_submit_account(const char *service,
	    const char *user, const char *rhost,
	    void (*done)(void *, const struct pam_answer *), void *arg);
/* Has a worker got it? */
bool	 workers_begun(const struct pam_job *);
/* Nobody waits for it any more; done() is not called. */
void	 workers_cancel(struct pam_job *);

#endif
