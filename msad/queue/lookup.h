#ifndef QUEUE_LOOKUP_H
#define QUEUE_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ipc.h"

#include "form.h"

#define LOOKUP_WAIT_MS		5000	/* for an answer */
#define LOOKUP_FRESH_MS		5000	/* an answer is used again */
#define LOOKUP_FAILED_MS	1000	/* a failure is not asked again */
#define LOOKUP_PENDING_MAX	512	/* questions without answer */
#define LOOKUP_CACHE_MAX	20000	/* answers kept */
#define LOOKUP_TABLES_MAX	CONF_REMOTE_MAX

enum lookup_says { LOOKUP_NO, LOOKUP_YES, LOOKUP_UNKNOWN };

/*
 * What databases said of one login: the answers that one message is judged by,
 * from MAIL to the end of its header.
 */
struct lookups;

/*
 * Ask each of the n tables about the login, where no fresh answer is there.
 * Returns NULL when memory is out. done is called once, later, when all
 * answers are there or have failed; never when lookups_wait() is false from
 * the start.
 */
struct lookups *lookups_ask(const char *const *tables, size_t n,
    const char *login, int64_t now, void (*done)(void *), void *arg);
/* Are there answers to be waited for? */
bool	 lookups_wait(const struct lookups *);
/* Are all that are waited for from tables that failed the last time? */
bool	 lookups_ailing(const struct lookups *);
/* Forget them; done is not called any more. */
void	 lookups_free(struct lookups *);
/*
 * Does the table let its login write as this address? UNKNOWN when it was not
 * asked or could not tell. A NULL lookups knows nothing.
 */
enum lookup_says lookups_sender(const struct lookups *, const char *table,
    const struct form_rules *, const struct forms *, bool plain);

/* The channel to msad-lookup, or NULL: it is gone. Owned by the caller. */
void	 lookup_set_channel(struct ipc *);
/* A new configuration: nothing that was answered counts any more. */
void	 lookup_flush(uint32_t generation);
/* Once a second or more often: what waited too long has failed. */
void	 lookup_tick(int64_t now);
/* Answers kept and questions open, for tests. */
void	 lookup_count(unsigned int *kept, unsigned int *pending);

extern const struct ipc_handler lookup_handlers[];

#endif
