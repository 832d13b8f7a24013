#ifndef CONTROL_QUESTION_PRIV_H
#define CONTROL_QUESTION_PRIV_H

#include <jansson.h>
#include <stdint.h>

#include "common/ipc.h"

struct client;

/* Between question.c, question_auth.c and question_users.c. */

#define PATIENCE	30	/* seconds for an answer */
#define LIST_PAGE	100	/* entries of a page */

/* The client that waits for this answer of that process, or NULL. */
struct client *question_client(const struct ipc_msg *, enum ipc_role);
/* Begin a question: the message with its caller; NULL: answered already. */
struct ipc *question_start(struct client *, enum ipc_role, unsigned int type);
/* A page is over and others follow: go on when the client has read. */
void	 question_next(struct client *);

/* question_auth.c: what msad-auth answers. */
void	 question_auth_begin(struct client *);
/* question_users.c: what the queue answers of logins. */
void	 question_users_begin(struct client *);
/* auth has said its part of "test session": now the queue. */
void	 question_trial(struct client *);
/* The test is over: one line with all that was found out. */
void	 question_facts(struct client *);
/* Read str name, str value. -1: malformed. */
int	 question_fact(struct client *, struct ipc_msg *);
int	 question_user(struct ipc *, struct ipc_msg *, void *);
int	 question_queue_fact(struct ipc *, struct ipc_msg *, void *);

#endif
