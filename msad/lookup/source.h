#ifndef LOOKUP_SOURCE_H
#define LOOKUP_SOURCE_H

#include <sys/types.h>
#include <sys/queue.h>

#include <event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ipc_types.h"
#include "common/slice.h"

/* For an answer; the queue waits a second longer. */
#define QUERY_MS	4000	/* whole seconds */

/* Octets of all values of an answer: they go in one message. */
#define VALUES_OCTETS	(IPC_PAYLOAD_MAX - 1024)

struct source;
struct query;

/* One kind of database: the one seam between lookup.c and these. */
struct backend {
	/*
	 * Make what the table needs beside the source's fields; 0, or -1 with
	 * a reason. A server that is away is no reason.
	 */
	int	(*open)(struct source *, char *reason, size_t size);
	void	(*close)(struct source *);
	/* Begin; query_done() or query_failed() is called, now or later. */
	void	(*start)(struct query *);
	/* Forget it; late: there was no answer in time. */
	void	(*cancel)(struct query *, bool late);
};

/* A table of the configuration, for as long as that holds. */
struct source {
	TAILQ_ENTRY(source)	 entry;
	const struct backend	*backend;
	char			*name;
	char			*text;		/* query, or filter */
	char			*base;
	char			*attribute;
	char			*bind_dn;	/* or NULL */
	char			*password;	/* or NULL */
	struct sockaddr_storage	 addr;
	socklen_t		 addrlen;
	int			 fd;		/* of a database file, or -1 */
	void			*state;		/* the backend's */
};

/* One question of the queue. */
struct query {
	TAILQ_ENTRY(query)	 entry;		/* of all */
	TAILQ_ENTRY(query)	 of_source;	/* for the backend's use */
	struct source		*source;
	uint64_t		 id;
	char			*login;
	struct event		 deadline;
	struct event		 again;		/* for the backend's use */
	bool			 listed;	/* likewise */
	int			 msgid;		/* likewise */
	char			*values[LOOKUP_VALUES_MAX];
	size_t			 n;
	size_t			 octets;
};

TAILQ_HEAD(query_list, query);

extern const struct backend	sqlite_backend;
extern const struct backend	ldap_backend;

/*
 * Add a value. -1: the answer is too long; the query has failed and is gone.
 */
int	 query_add(struct query *, struct slice);
/* Send the answer; the query is gone after each of these. */
void	 query_done(struct query *);
void	 query_failed(struct query *, const char *reason);
/* The same where it is this login's answer alone that cannot be given. */
void	 query_unfit(struct query *, const char *reason);

/* Milliseconds of a clock that only goes forward. */
int64_t	 lookup_now(void);

#endif
