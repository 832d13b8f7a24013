#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include <stdbool.h>
#include <time.h>

#include "outcome.h"
#include "spool.h"

/* Is the sender to be told of this result (RFC 3461 sections 4.1 and 5.2)? */
bool	 report_is_due(const struct message *, const struct result *);
/*
 * Write a DSN about those of the results that are due into the transaction.
 * Returns it as a message of ours, not yet in the index, or NULL: memory is
 * out, or the spool refused.
 */
struct message *report_add(struct spool *, struct spool_txn *,
    const struct message *, const struct results *, time_t now);

#endif
