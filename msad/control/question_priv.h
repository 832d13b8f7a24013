#ifndef CONTROL_QUESTION_PRIV_H
#define CONTROL_QUESTION_PRIV_H

#include <jansson.h>
#include <stdint.h>

#include "common/ipc.h"

struct client;
struct request;

/* Between question.c and the files question_*.c. */

#define PATIENCE	30	/* seconds for an answer */
#define LIST_PAGE	100	/* entries of a page */
#define STEER_PAGE	1000	/* messages of a page of changes */
#define GROUPS_MAX	1000	/* groups of a summary */

/* The client that waits for this answer of that process, or NULL. */
struct client *question_client(const struct ipc_msg *, enum ipc_role);
/* Begin a question: the message with its caller; NULL: answered already. */
struct ipc *question_start(struct client *, enum ipc_role, unsigned int type);
/*
 * Read what ends an answer or a page of it: CTL_QUEUE_END, CTL_AUTH_END. The
 * client counts what matched. 1: end it with that status, place and reason (of
 * QUESTION_REASON_MAX); 0: the client is gone; -1: malformed.
 */
#define QUESTION_REASON_MAX	1024
int	 question_end(const struct ipc_msg *, enum ipc_role, struct client **,
	    int *status, uint64_t *place, char *reason);
/* A page is over and others follow: go on when the client has read. */
void	 question_next(struct client *);

/*
 * A line for the client that owes its answer to the queue, or for nobody when
 * he is gone; value is taken. 0, or -1: the message is malformed.
 */
int	 question_line(const struct ipc_msg *, struct ipc_reader *, json_t *);

/* question_queue.c: what the queue answers. */
void	 question_queue_begin(struct client *);

/* question_sums.c: what is used of limits, sums, ages. */
int	 question_limit(struct ipc *, struct ipc_msg *, void *);
int	 question_total(struct ipc *, struct ipc_msg *, void *);
int	 question_group(struct ipc *, struct ipc_msg *, void *);
int	 question_ages(struct ipc *, struct ipc_msg *, void *);
/* All pages are here: a line for each relay. */
void	 question_ages_end(struct client *);

/* question_rules.c: rules and pauses, and how they are asked for. */
void	 question_put_rule(struct ipc *, const struct request *);
void	 question_put_pause(struct ipc *, const struct request *);
int	 question_rule(struct ipc *, struct ipc_msg *, void *);
int	 question_paused(struct ipc *, struct ipc_msg *, void *);

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
