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
/* A change of that message is on disk. */
typedef void	(*durable_done)(void *arg, uint64_t id);
/*
 * The same; done is called once, from the loop, when it is on disk or needs not
 * be any more, as the message is gone or has a newer one (then by the call that
 * asks for it).
 */
void	 durable_update_then(uint64_t id, uint32_t key, const void *buf, size_t,
	    durable_done, void *arg);
/*
 * The recipient's state is about to be set by other means: what was asked
 * before must not be tried again.
 */
void	 durable_forget(uint64_t id, uint32_t key);
/* Remove a message; done is called when it is gone for good. */
void	 durable_remove(uint64_t id, durable_done, void *arg);
/* Try again what failed. Once a second. */
void	 durable_tick(void);
/* Changes not yet on disk. */
unsigned int durable_pending(void);

#endif
