#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/ipc_types.h"

#include "envelope.h"
#include "index.h"
#include "result.h"

struct spool;

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
/*
 * The message's lifetime is over: what waits of it is given up. Freed from the
 * loop, if at all.
 */
void	 outcome_expire(struct message *, time_t now);
/*
 * An operator gives it up, for this reason (NULL: he said none): what waits of
 * it has failed, what is in flight is not tried again. Likewise.
 */
void	 outcome_fail(struct message *, const char *reason, time_t now);
/*
 * The time by which it was to be delivered has passed (RFC 2852). Returns the
 * seconds until that is to be said again, 0: never. May free the message.
 */
unsigned int outcome_late(struct message *, time_t now);
/* It waits for long: tell the sender, once. May free the message. */
void	 outcome_warn(struct message *, time_t now);
/* Recovery found a recipient at an end; its report is owed. */
void	 outcome_owed(struct message *, uint32_t rcpt,
    const struct rcpt_record *);
/*
 * Write reports that could not be written, and see to messages that are late;
 * once a second.
 */
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
