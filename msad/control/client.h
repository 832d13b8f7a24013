#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <sys/queue.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "msad/control/peers.h"
#include "msad/control/question.h"

/* Connections at once; the next one is told so and closed. */
#define CLIENTS_MAX	64
/* Below this many octets waiting for a client, more is made for it. */
#define CLIENT_OUT_LOW	(64 * 1024)
/* Above this many the client is dropped: it asks and does not read. */
#define CLIENT_OUT_MAX	(32 * 1024 * 1024)

/* A connection to the control socket; one question at a time. */
struct client {
	TAILQ_ENTRY(client)	 entry;
	struct bufferevent	*bev;
	struct peer		 peer;
	bool			 allowed;
	bool			 closing;	/* gone once all is written */
	bool			 dead;		/* to be freed by its timer */
	bool			 asking;	/* question is under way */
	struct question		 question;
	struct event		*timer;		/* of the question */
};

TAILQ_HEAD(client_list, client);
extern struct client_list	 clients;

/* Take the listening socket (owned from now on), in place of a former one. */
void	 clients_listen(int fd);
/* Stop accepting. */
void	 clients_unlisten(void);
/* The client whose question under way has this request id, or NULL. */
struct client *client_asking(uint64_t sid);

/* Add a line to the answer; takes value, which may be NULL (out of memory). */
void	 client_line(struct client *, json_t *value);
/*
 * End the answer: status as msactl's exit code, reason "" or a sentence. extra
 * (taken; NULL: none) is an object whose members go into the last line too.
 */
void	 client_end(struct client *, int status, const char *reason,
	    json_t *extra);
/* Has the client read enough to be given more? */
bool	 client_drained(const struct client *);
/* Has it closed its socket, both ways? Nobody is there to read an answer. */
bool	 client_gone(const struct client *);
/* Wait seconds for what the question waits for, not longer. */
void	 client_patience(struct client *, unsigned int seconds);

#endif
