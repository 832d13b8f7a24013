/*
 * Results of attempts, in memory from the answer of a relay until they are
 * recorded or reported. Runs in msad-queue, for job.c and outcome.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "result.h"

struct result *
result_new(uint32_t rcpt, enum outcome outcome, struct slice reply)
{
	struct result	*r;

	if (reply.len > RCPT_REPLY_MAX)
		reply.len = RCPT_REPLY_MAX;
	if ((r = calloc(1, sizeof(*r) + reply.len + 1)) == NULL)
		fatal("event=outcome error=\"out of memory\"");
	r->rcpt = rcpt;
	r->outcome = outcome;
	if (reply.len > 0)
		memcpy(r->reply, reply.p, reply.len);
	return r;
}

void
results_free(struct results *list)
{
	struct result	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		free(r);
	}
}
