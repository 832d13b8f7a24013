#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/conf.h"

#include "index.h"

#define DEST_CONCURRENCY	20
#define DEST_EXPIRE		(5 * 24 * 60 * 60)
#define DEST_WARN		(4 * 60 * 60)
#define DEST_FAILURE_MAX	256	/* octets kept of a reason */

TAILQ_HEAD(message_list, message);

/* Messages, the one with the least "next" on top. */
struct message_heap {
	struct message	**m;
	uint32_t	  n, cap;
};

/*
 * A destination: a relay of the configuration, by name, with the messages that
 * go there. What happened to the destination as a whole is kept here, so that
 * a dead smart host costs one attempt and not one for each message.
 */
struct dest {
	TAILQ_ENTRY(dest)	 entry;
	char			*name;
	struct message_list	 messages;	/* in order of arrival */
	uint32_t		 nmessages;
	struct message		*unwarned;	/* first too young to warn */
	struct message_heap	 due;		/* with a rcpt that waits */
	struct message_heap	 later;	/* not yet to be tried, by when */
	unsigned int		 inflight;	/* jobs */
	/* could not connect: rounds in a row, and when to try again */
	unsigned int		 fails;
	uint32_t		 round;
	time_t			 down_until;
	bool			 seen_down;	/* since the last start */
	char			 failure[DEST_FAILURE_MAX];	/* why */
	/* from the configuration */
	bool			 known;		/* it names this relay */
	bool			 maildir;
	unsigned int		 concurrency;
	unsigned int		 retry[CONF_RETRY_MAX];
	unsigned int		 nretry;
	unsigned int		 expire;
	unsigned int		 warn;
	bool			 has_auth;
	char			*auth_table;
	char			*auth_label;
};

/*
 * Begin to deliver what it can of a message: take its recipients that are due
 * (all that wait when probe is set), mark them in flight. 1: a job is on its
 * way, 0: no relay process can take one now, -1: this message cannot be sent
 * at present (its waiting recipients have a new time).
 */
typedef int	(*schedule_send)(struct dest *, struct message *, time_t now,
    bool probe);
/* A message whose lifetime is over and of which nothing is in flight. */
typedef void	(*schedule_expire)(struct message *, time_t now);

void	 schedule_init(schedule_send, schedule_expire);
/* The time, for all that is scheduled: time(3), with its steps noticed. */
time_t	 schedule_now(void);
/* The same by these clocks, in seconds. */
time_t	 schedule_clock(time_t wall, time_t monotonic);
/* Take destinations' settings from conf; those it does not name wait. */
void	 schedule_conf(const struct conf *);
/* The destination of this name, made when needed. NULL: memory is out. */
struct dest *schedule_dest(const char *name);
/* Take a message into its destination; 0, or -1: memory is out. */
int	 schedule_add(struct message *);
void	 schedule_remove(struct message *);
/* Is it kept back because its user was over a limit? */
bool	 schedule_is_held(const struct message *);
/* It need not be any more, if it is. */
void	 schedule_release(struct message *, time_t now);
/* Its recipients changed: find its place anew. */
void	 schedule_update(struct message *);
/* Hand out what is due, as far as relays take it. */
void	 schedule_run(time_t now);
/*
 * Give up what is too old, but only after a try since this process began: it
 * may have been the one that was away.
 */
void	 schedule_expire_old(time_t now);
/*
 * Call fn once for each message that waits for as long as its destination's
 * warn says; it may free the message.
 */
void	 schedule_warn_old(schedule_expire fn, time_t now);
/* When its lifetime is over: seconds since 1970. */
uint64_t schedule_end(const struct message *);
/* Hand nothing out any more. */
void	 schedule_stop(void);

/* The seconds until the attempt after this many, with jitter on top. */
unsigned int schedule_backoff(const struct dest *, unsigned int tries);
bool	 schedule_is_expired(const struct message *, time_t now);
/* When the message is tried next: not before its destination is. */
time_t	 schedule_next(const struct message *, uint32_t rcpt);
/*
 * A job of that round of the destination ended: could it connect? Returns when
 * those that could not are to be tried again.
 */
time_t	 schedule_job_done(struct dest *, uint32_t round, bool connected,
    time_t now);
/* Why the destination could not be reached: a text for the operator. */
void	 schedule_blame(struct dest *, const char *reason);
/* That reason while it is down, else "". */
const char *schedule_failure(const struct dest *);
/* The job's relay process died: it says nothing about the destination. */
void	 schedule_job_lost(struct dest *);
/*
 * Call fn for each message that is due at that time, in no order: costs what it
 * finds. fn must not change the schedule.
 */
void	 schedule_select_due(time_t, void (*fn)(void *, struct message *),
    void *);
/*
 * Try all of the message (NULL: of every destination) at once; not what its
 * credential keeps back until a later time.
 */
void	 schedule_flush(struct message *, time_t now);

#endif
