#ifndef QUEUE_OUTCOME_PRIV_H
#define QUEUE_OUTCOME_PRIV_H

#include "outcome.h"

/* What outcome.c and outcome_report.c share. */

#define STATE_REPLY_MAX	1024	/* octets of a reply kept with the state */

/* --- outcome.c --- */

/* Keep a result for the report of this round; it is taken over. */
void	 result_keep(struct message *, struct result *);
/* Write it down as the state of its recipient; owed: but not its report yet. */
void	 result_record(const struct message *, const struct result *,
	    enum rcpt_status, bool owed, time_t now);
/*
 * That state, with so many octets of the reply at most, into buf of
 * RCPT_RECORD_MAX; returns the length.
 */
size_t	 result_encode(const struct message *, const struct result *,
	    enum rcpt_status, bool owed, size_t reply_max, time_t now,
	    uint8_t *buf);
/* One line a recipient and attempt, with more at its end. */
void	 result_log(const char *event, const struct message *,
	    const struct result *, time_t now, const char *more);
void	 failures_free(struct failures *);

/* --- outcome_report.c --- */

void	 failures_init(struct spool *);
/*
 * The round is over: report what was kept of it, or let it wait for its turn,
 * or, when nobody is to be told, be done with it.
 */
void	 failures_report(struct message *, time_t now);

#endif
