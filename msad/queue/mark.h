#ifndef QUEUE_MARK_H
#define QUEUE_MARK_H

#include <stddef.h>

#include "durable.h"
#include "index.h"

/*
 * Keep what operators did to the message: whether it is held, since when it may
 * go, by which relay. All of it as it is in memory now, in one record, so that
 * a later mark forgets nothing of an earlier one. done as that of
 * durable_update_then().
 */
void	 mark_write(const struct message *, durable_done, void *arg);
/*
 * Recovery found that this recipient of the next message to be marked was tried
 * then, in seconds since 1970.
 */
void	 mark_recover_tried(uint32_t rcpt, uint64_t when);
/*
 * What recovery found of a message that is not yet in the schedule; after the
 * states of its recipients, whose keys are lower.
 */
void	 mark_recover(struct message *, const void *, size_t);

#endif
