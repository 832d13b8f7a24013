#ifndef QUEUE_RESULT_H
#define QUEUE_RESULT_H

#include <sys/queue.h>

#include <stdint.h>

#include "common/slice.h"

#include "dsn.h"
#include "envelope.h"

struct dest;

enum outcome { OUTCOME_DELIVERED = 0, OUTCOME_TRANSIENT, OUTCOME_PERMANENT };

/* What became of one recipient in one attempt, as a relay said. */
struct result {
	TAILQ_ENTRY(result)	 entry;
	uint32_t		 rcpt;
	enum outcome		 outcome;
	uint16_t		 code;		/* reply code, 0: no reply */
	uint8_t			 flags;		/* RESULT_*: of the next hop */
	enum dsn_action		 action;	/* when it is reported */
	uint8_t			 told;		/* RCPT_*: what a delay set */
	const struct dest	*by;		/* whose job; NULL: its dest */
	char			 enhanced[32];
	char			 remote[256];
	char			 tls[128];
	char			 reply[];	/* RCPT_REPLY_MAX at most */
};
TAILQ_HEAD(results, result);
struct failures {
	struct results	 list;
};

struct result *result_new(uint32_t rcpt, enum outcome, struct slice reply);
void	 results_free(struct results *);

#endif
