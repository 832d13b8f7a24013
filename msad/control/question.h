#ifndef CONTROL_QUESTION_H
#define CONTROL_QUESTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/ipc.h"
#include "msad/control/request.h"

struct client;

/*
 * A request under way: which process owes the answer, and what came so far.
 * Owned by its client.
 */
struct question {
	struct request	 req;
	uint64_t	 sid;		/* request id of the message sent */
	enum ipc_role	 role;		/* who answers; ROLE_MAX: nobody */
	json_t		*processes;	/* array of show status */
	json_t		*message;	/* of the queue, recipients coming */
	json_t		*facts;		/* of a test, so far */
	json_t		*ages;		/* of queue age, so far */
	uint64_t	 after;		/* lists: where to go on */
	uint64_t	 epoch;		/* show users: likewise */
	bool		 paused;	/* the client has to read first */
	uint64_t	 matched;	/* messages, of all pages */
};

/*
 * Begin to answer the client's request (client->question.req). The answer may
 * have ended when this returns.
 */
void	 question_begin(struct client *);
/* The client has read: go on with a paused question. */
void	 question_resume(struct client *);
/* It took too long. */
void	 question_timeout(struct client *);
/* Forget what it holds. */
void	 question_clear(struct question *);

/* The channel to queue or auth (NULL: there is none). */
void	 question_set_channel(enum ipc_role, struct ipc *);
/* Handlers for their answers and for msad's. */
extern const struct ipc_handler	 question_auth_handlers[];
extern const struct ipc_handler	 question_queue_handlers[];
int	 question_process(struct ipc *, struct ipc_msg *, void *);
int	 question_parent_end(struct ipc *, struct ipc_msg *, void *);

#endif
