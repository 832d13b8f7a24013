#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/ipc_types.h"

#include "dsn.h"
#include "envelope.h"
#include "index.h"

struct spool;

enum outcome { OUTCOME_DELIVERED = 0, OUTCOME_TRANSIENT, OUTCOME_PERMANENT };

/* What became of one recipient in one attempt, as a relay said. */
struct result {
	TAILQ_ENTRY(result)	 entry;
	uint32_t		 rcpt;
	enum outcome		 outcome;
	uint16_t		 code;		/* reply code, 0: no reply */
	uint8_t			 flags;		/* RESULT_*: of the next hop */
	enum dsn_action		 action;	/* when it is reported */
	char			 enhanced[32];
	char			 remote[256];
	char			 tls[128];
	char			 reply[];	/* RCPT_REPLY_MAX at most */
};
TAILQ_HEAD(results, result);
struct failures {
	struct results	 list;
};

struct result *result_new(uint32_t rcpt, enum outcome, struct slice reply);
void	 results_free(struct results *);

void	 outcome_init(struct spool *);
/* A recipient has its message: record it at once. */
void	 outcome_delivered(struct message *, const struct result *, time_t now);
/*
 * A job ended with these other results (taken over from the list). retry is
 * when those without any reply are tried again because the destination could
 * not be reached, 0: each by its own backoff.
 */
void	 outcome_others(struct message *, struct results *, time_t retry,
	    time_t now);
/* The relay process died before it said anything about this recipient. */
void	 outcome_lost(struct message *, uint32_t rcpt, time_t now);
/*
 * Its content is lost: report that to the sender, for all recipients that wait.
 */
void	 outcome_unreadable(struct message *, time_t now);
/* The message's lifetime is over; nothing of it is in flight. */
void	 outcome_expire(struct message *, time_t now);
/* It waits for long: tell the sender, once. May free the message. */
void	 outcome_warn(struct message *, time_t now);
/* Recovery found a recipient that has its message; its report is owed. */
void	 outcome_owed(struct message *, uint32_t rcpt,
    const struct rcpt_record *);
/* Write reports that could not be written; once a second. */
void	 outcome_tick(time_t now);
/*
 * Report what is to be reported, remove the message when all of it is at an
 * end, else give it back to the schedule. After each change; the message may be
 * freed by it.
 */
void	 outcome_settle(struct message *, time_t now);
/* The message is gone on disk (durable_remove). */
void	 outcome_gone(void *arg, uint64_t id);
/* DSNs on their way to the disk. */
unsigned int outcome_pending(void);

#endif
