#ifndef QUEUE_DURABLE_H
#define QUEUE_DURABLE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct spool;

/*
 * Changes that must reach the disk sooner or later: when the spool fails one,
 * it is tried again by durable_tick() until it holds.
 */
void	 durable_init(struct spool *);
/*
 * Set the state of a recipient. buf is copied. An older one that is not on disk
 * yet need not get there any more.
 */
void	 durable_update(uint64_t id, uint32_t key, const void *buf, size_t);
/*
 * The recipient's state is about to be set by other means: what was asked
 * before must not be tried again.
 */
void	 durable_forget(uint64_t id, uint32_t key);
/* Remove a message; done is called when it is gone for good. */
typedef void	(*durable_removed)(void *arg, uint64_t id);
void	 durable_remove(uint64_t id, durable_removed, void *arg);
/* Try again what failed. Once a second. */
void	 durable_tick(void);
/* Changes not yet on disk. */
unsigned int durable_pending(void);

#endif
