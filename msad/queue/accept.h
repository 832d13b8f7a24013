#ifndef QUEUE_ACCEPT_H
#define QUEUE_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "common/verdict.h"

#include "spool.h"

struct grant;

/* accepted is called when a message is durable and in the schedule. */
void	 accept_init(void (*accepted)(void));
/* Messages given to the spool whose answer is not there yet, */
unsigned int accept_pending(void);
/* and the octets of memory that wait with them. */
uint64_t accept_held(void);
/* Of them, those of the user with ENVELOPE_FUTURE. */
uint64_t accept_future(const char *tenant, const char *user);
/*
 * Hand the grant's message to the spool; its content is the spool's from then
 * on. The front-end is answered when it is durable. False when memory is out.
 */
bool	 accept_commit(struct grant *);
/* The end of a message: SMTP_QUEUED. */
void	 accept_answer(struct ipc *, uint64_t sid, enum verdict,
	    const char *detail, const char *id);
/* What to say of the spool's doing. */
enum verdict accept_verdict(enum spool_result);

#endif
