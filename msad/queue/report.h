#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include <stdbool.h>
#include <time.h>

#include "outcome.h"
#include "spool.h"

/* The mechanism of messages to the postmaster about reports that failed. */
#define REPORT_DOUBLE	"double-bounce"

/*
 * Is the sender to be told of this result (RFC 3461 sections 4.1 and 5.2)? Or
 * the postmaster, where there is no sender?
 */
bool	 report_is_due(const struct message *, const struct result *);
/*
 * May a delivery be told because of a BY (RFC 2852 section 4.1.4), whatever
 * else NOTIFY says?
 */
bool	 report_wants_relayed(const struct message *, uint32_t rcpt);
/* Who gets a report about this message. */
const char *report_to(const struct message *);
/*
 * Write a DSN about those of the results that are due into the transaction.
 * Returns it as a message of ours, not yet in the index, or NULL: memory is
 * out, or the spool refused.
 */
struct message *report_add(struct spool *, struct spool_txn *,
    const struct message *, const struct results *, time_t now);

#endif
