#ifndef QUEUE_STATUS_H
#define QUEUE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"

struct spool;

/* A recipient's state as CTL_QUEUE_RCPT says it. */
enum shown_state {
	SHOWN_WAITING = 0,
	SHOWN_INFLIGHT,
	SHOWN_DONE,
	SHOWN_FAILED,
	SHOWN_HELD,		/* by an operator, a rule or a limit */
	SHOWN_FUTURE		/* not before a time */
};

#define STATUS_REPLY_MAX	1100	/* of a reply shown, with its NUL */

void	 status_init(struct spool *);
/* Is it, to an operator, still in the queue? NULL is not. */
bool	 status_is_shown(const struct message *);
/* Does it wait until somebody or a limit lets it go? */
bool	 status_is_held(const struct message *);
enum shown_state status_of(const struct message *, uint32_t rcpt);
/* The same as a selection knows it: 1 << enum selection_state, of several. */
unsigned int status_selects(const struct message *, uint32_t rcpt);
/*
 * "550 5.1.1 text" of the last attempt, or what else keeps it, into buf; ""
 * when there is nothing to say. Reads the spool.
 */
void	 status_reply(const struct message *, uint32_t rcpt, char *buf,
	    size_t size);

#endif
