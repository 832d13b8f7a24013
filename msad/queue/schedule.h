#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/conf.h"

#include "fair.h"
#include "index.h"
#include "schedule_heap.h"

#define DEST_CONCURRENCY	20
#define DEST_EXPIRE		(5 * 24 * 60 * 60)
#define DEST_WARN		(4 * 60 * 60)
#define DEST_FAILURE_MAX	256	/* octets kept of a reason */

TAILQ_HEAD(message_list, message);
RB_HEAD(lane_tree, lane);
RB_HEAD(share_tree, share);

/* In whose turn a job goes out: schedule_lane.c. */
struct lane;

/*
 * A destination: a relay of the configuration, by name, with the messages that
 * go there. What happened to the destination as a whole is kept here, so that
 * a dead smart host costs one attempt and not one for each message.
 *
 * A message is either in the list of all, in order of age, or waits for a time
 * that it is kept back until, or is held. One of the first kind that has a
 * recipient waiting is in a heap until that is due, then in its user's lane.
 */
struct dest {
	TAILQ_ENTRY(dest)	 entry;
	RB_ENTRY(dest)		 by_name;
	char			*name;
	uint32_t		 number;	/* from 0, as they were made */
	struct message_list	 messages;	/* in order of arrival */
	struct message_list	 held;		/* MESSAGE_STOPPED */
	uint32_t		 nmessages;	/* of all kinds */
	struct message		*unwarned;	/* first too young to warn */
	struct message_heap	 due;		/* with a rcpt that waits */
	struct message_heap	 later;	/* not yet to be tried, by when */
	/* who has something due, and who of them gets the next place */
	struct lane_tree	 lanes;
	struct share_tree	 shares;
	struct fair		 wants;
	unsigned int		 nawake;	/* have a place, no job yet */
	unsigned int		 inflight;	/* jobs */
	struct lane		*turn;		/* while schedule_send runs */
	/* when to look at it again, at the latest */
	RB_ENTRY(dest)		 by_wake;
	TAILQ_ENTRY(dest)	 by_touch, by_stall;
	time_t			 wake;		/* 0: never by itself */
	bool			 touched;
	bool			 stalled;	/* no relay process for it */
	bool			 paused;	/* by an operator */
	/* could not connect: rounds in a row, and when to try again */
	bool			 probing;	/* one job finds out */
	unsigned int		 fails;
	uint32_t		 round;
	time_t			 down_until;
	bool			 seen_down;	/* since the last start */
	char			 failure[DEST_FAILURE_MAX];	/* why */
	/* from the configuration */
	bool			 known;		/* it names this relay */
	bool			 maildir;
	unsigned int		 concurrency;
	unsigned int		 per_tenant, per_user;	/* of it; 0: all */
	unsigned int		 retry[CONF_RETRY_MAX];
	unsigned int		 nretry;
	unsigned int		 expire;
	unsigned int		 warn;
	bool			 has_auth;
	char			*auth_table;
	char			*auth_label;
};

TAILQ_HEAD(dest_list, dest);

/*
 * Begin to deliver what it can of a message: take its recipients that are due
 * (all that wait when probe is set), mark them in flight. 1: a job is on its
 * way, 0: no relay process can take one now, -1: this message cannot be sent
 * at present (its waiting recipients have a new time). The destination's turn
 * and round are for schedule_job_done().
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
/* By how much the wall clock was set since this process began, in all. */
time_t	 schedule_clock_steps(void);
/* Take destinations' settings from conf; those it does not name wait. */
void	 schedule_conf(const struct conf *);
/* So many jobs all network relay processes together may have; 0: any number. */
void	 schedule_set_places(uint32_t);
/* The destination of this name, made when needed. NULL: memory is out. */
struct dest *schedule_dest(const char *name);
/* The one behind it, of NULL the first; NULL: no more. They never go. */
struct dest *schedule_dest_next(const struct dest *);
/* Take a message into its destination; 0, or -1: memory is out. */
int	 schedule_add(struct message *);
void	 schedule_remove(struct message *);
/* Is it kept back because its user was over a limit? */
bool	 schedule_is_held(const struct message *);
/* Is it kept back until a time that was asked for, or its credential's? */
bool	 schedule_is_future(const struct message *);
/*
 * It need not be kept back any more: because of a limit, or as was asked. What
 * its credential keeps back stays so.
 */
void	 schedule_release(struct message *, time_t now);
/* Call fn for each that a limit holds, in no order; fn must not change it. */
void	 schedule_select_held(void (*fn)(void *, struct message *), void *);
/* A limit holds it no longer than until then, sooner than it did. */
void	 schedule_bring_forward(struct message *, time_t until, time_t now);
/*
 * Does nothing of it go out for now, even what is due, because it or all that
 * goes there is held, paused, down or without a relay?
 */
bool	 schedule_is_off(const struct message *);
/* How many are held (MESSAGE_STOPPED, or by a limit), and are future ones. */
uint32_t schedule_count_held(void);
uint32_t schedule_count_future(void);
/*
 * An operator or a rule holds it (MESSAGE_STOPPED): nothing of it is tried, it
 * does not expire and nobody is warned, until it goes on. What is in flight
 * ends as it ends. Its days begin anew when it goes on.
 */
void	 schedule_hold(struct message *);
void	 schedule_go_on(struct message *, time_t now);
/*
 * It goes by another relay from now on: message_set_relay() and all that
 * follows from it, here and in the index; it is due at once, and its days begin
 * anew. 0, or -1: memory is out, nothing changed.
 */
int	 schedule_move(struct message *, const char *relay, time_t now);
/*
 * Nothing goes out meanwhile; kept by name, so for those that come later too.
 * Of domains: recipients there are passed over. Pausing twice is once.
 */
void	 schedule_pause_relay(const char *name, bool paused);
void	 schedule_pause_tenant(const char *name, bool paused);
void	 schedule_pause_domain(const char *name, bool paused);
bool	 schedule_relay_paused(const char *name);
bool	 schedule_tenant_paused(const char *name);
/* Of a recipient's address. */
bool	 schedule_rcpt_paused(const char *addr);
/* Is nobody to be tried, as all that are due (all, when probe is set) are? */
bool	 schedule_rcpts_paused(const struct message *, time_t now, bool probe);
/* They are paused: look at them again after a while, or when they are not. */
void	 schedule_put_off(struct message *, time_t now);
/* Its recipients changed: find its place anew. */
void	 schedule_update(struct message *);
/* Hand out what is due, as far as relays take it. */
void	 schedule_run(time_t now);
/*
 * Give up what is too old, but only after a try since this process began: it
 * may have been the one that was away. So many at once that the loop goes on;
 * to be called again after a while.
 */
void	 schedule_expire_old(time_t now);
/*
 * Call fn once for each message that waits for as long as its destination's
 * warn says; it may free the message. So many at once, too.
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
 * A job that went out in that turn and round of the destination ended: could it
 * connect? Returns when those that could not are to be tried again. The lane
 * may be gone after that.
 */
time_t	 schedule_job_done(struct dest *, struct lane *, uint32_t round,
    bool connected, time_t now);
/* Why the destination could not be reached: a text for the operator. */
void	 schedule_blame(struct dest *, const char *reason);
/* That while it is down, or what else keeps it shut, till the next; or "". */
const char *schedule_failure(const struct dest *);
/* The same of a recipient, whose tenant or domain may be paused as well. */
const char *schedule_why(const struct message *, uint32_t rcpt);
/* The job's relay process died: it says nothing about the destination. */
void	 schedule_job_lost(struct dest *, struct lane *, uint32_t round);
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
