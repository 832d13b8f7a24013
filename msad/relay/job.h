#ifndef RELAY_JOB_H
#define RELAY_JOB_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdint.h>

#include "common/ipc.h"
#include "common/params.h"

/*
 * A job: one message for some recipients through one relay block, as the
 * queue handed it over. It ends by job_done(), when each recipient has had
 * its result.
 */

#define JOB_RCPTS_MAX	10000
#define JOB_TEXT_MAX	1024	/* of a reply or reason, with its NUL */
#define JOB_CRED_SIZE	32
#define JOB_PATH_MAX	256	/* of a path as A-labels, with its NUL */

enum outcome {			/* as in RELAY_RESULT */
	OUTCOME_DELIVERED = 0,
	OUTCOME_TRANSIENT = 1,
	OUTCOME_PERMANENT = 2
};

/* What became of a recipient, or why none could be tried. */
struct result {
	enum outcome	 outcome;
	uint16_t	 code;		/* reply code; 0: not a reply */
	char		 enhanced[16];
	char		 text[JOB_TEXT_MAX];
	uint8_t		 flags;		/* RESULT_*: the next hop's */
};

enum rcpt_state {
	RCPT_PENDING,		/* to be sent */
	RCPT_ACCEPTED,		/* in the transaction under way */
	RCPT_DONE		/* its result is sent */
};

struct rcpt {
	uint32_t	 index;		/* the queue's number */
	enum rcpt_state	 state;
	char		*path;		/* without brackets */
	char		*text;		/* that params points into */
	struct rcpt_params params;
};

struct pool;

enum job_state { JOB_BUILDING, JOB_WAITING, JOB_RUNNING };

struct job {
	RB_ENTRY(job)	 by_sid;
	TAILQ_ENTRY(job) entry;		/* the pool's waiting list */
	struct pool	*pool;		/* where it waits */
	uint64_t	 sid;
	enum job_state	 state;
	char		*id;		/* queue id, for the log */
	char		*relay;
	char		*from;		/* reverse-path without brackets */
	char		*user;		/* credentials; NULL: none */
	char		*password;	/* wiped when not needed any more */
	size_t		 password_len;
	uint8_t		 cred[JOB_CRED_SIZE]; /* equal: same credentials */
	int		 eightbit;
	int		 utf8header;	/* in its header or that of a part */
	unsigned int	 needs;		/* CAP_*, all recipients together */
	char		*text;		/* that params points into */
	struct mail_params params;
	uint64_t	 deliver_by;	/* seconds: its BY; 0: none */
	uint64_t	 size;		/* octets of the message */
	int		 fd[2];		/* content; the second may be -1 */
	uint64_t	 len[2];	/* octets in each */
	struct rcpt	*rcpts;
	size_t		 nrcpts;
	unsigned int	 restarts;	/* put back after a lost connection */
	int		 with_sender;	/* MAIL FROM:<> was refused */
};
TAILQ_HEAD(job_list, job);

/* The channel that results go to; NULL: nowhere. */
void	 job_set_queue(struct ipc *);
/* From RELAY_JOB; takes the descriptor. NULL: not what the table says. */
struct job *job_new(struct ipc_msg *);
struct job *job_find(uint64_t sid);
/* Jobs that exist. */
unsigned int job_count(void);
/* RELAY_BODY and RELAY_RCPTS. 0, or -1: not what the table says. */
int	 job_add_body(struct job *, struct ipc_msg *);
int	 job_add_rcpts(struct job *, struct ipc_msg *);
/* RELAY_GO: all is there. 0 or -1. */
int	 job_complete(struct job *);
void	 job_wipe_password(struct job *);
/*
 * Read the octets from off on, at most size. Returns how many, or -1 when the
 * descriptor does not hold what it should (errno 0: too short).
 */
ssize_t	 job_read(const struct job *, uint64_t off, char *buf, size_t size);

/* One recipient's result, to the queue. host and tls may be "". */
void	 job_rcpt_result(struct job *, struct rcpt *, const struct result *,
	    const char *host, const char *tls);
/* The same result for all recipients that have none yet. */
void	 job_all_results(struct job *, const struct result *, const char *host,
	    const char *tls);
/* All have theirs: tell the queue, free. connect_failed: see RELAY_DONE. */
void	 job_done(struct job *, int connect_failed);
/* Free without a word; the queue's channel is gone or it has cancelled. */
void	 job_free(struct job *);
void	 job_free_all(void);

/* Fill in a result that is no reply of the other side. */
void	 result_set(struct result *, enum outcome, const char *enhanced,
	    const char *fmt, ...)
	    __attribute__((__format__(printf, 4, 5)));

#endif
