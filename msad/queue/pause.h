#ifndef QUEUE_PAUSE_H
#define QUEUE_PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc_types.h"
#include "common/slice.h"

#include "kept.h"
#include "kept_record.h"

struct spool;

/*
 * What an operator paused: the acceptance of mail, or its delivery by a relay,
 * to a domain, of a tenant. Kept in the spool (REGISTER_PAUSES).
 */
/* A state that recovery found; false: not of our register. */
bool	 pause_recover(uint64_t id, uint32_t key, const void *, size_t);
void	 pause_init(struct spool *);
/* The configuration's relays are others: tell the schedule what is paused. */
void	 pause_conf(void);
/* Once a second: resume what was paused until now. */
void	 pause_tick(uint64_t now);
/* Are new messages to be refused for now? */
bool	 pause_accept(void);

/*
 * Pause; what is paused already gets the new end. done is called when it is
 * durable and in force. NULL, or why it cannot be; done is not called then.
 */
const char *pause_add(const struct pause_record *, kept_done, void *arg);
/*
 * Resume it (relay "": all relays, named or not); *n is how many pauses that
 * are: with 0 of them done is not called.
 */
const char *pause_remove(enum pause_kind, struct slice name, uint32_t uid,
	    kept_done, void *arg, uint32_t *n);
/* Call fn for each that holds; how many there are. */
uint32_t pause_each(void (*fn)(void *, const struct pause_record *),
	    void *arg);

#endif
