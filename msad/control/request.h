#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets of a request line, its LF not counted. */
#define REQUEST_MAX	8192

enum request_cmd {
	REQUEST_STATUS,			/* "show status" */
	REQUEST_STATS,			/* "show stats" */
	REQUEST_QUEUE_LIST,		/* "queue list" */
	REQUEST_QUEUE_SHOW,		/* "queue show": id */
	REQUEST_QUEUE_FLUSH,		/* "queue flush": id, or all */
	REQUEST_QUEUE_REMOVE,		/* "queue remove": id, or all */
	REQUEST_RELOAD,			/* "reload" */
	REQUEST_LOGLEVEL,		/* "log level": level */
	REQUEST_CMDS
};

struct request {
	enum request_cmd cmd;
	bool		 all;
	uint64_t	 id;		/* of a message; 0: none given */
	int		 level;		/* LOG_ERR to LOG_DEBUG */
};

/*
 * Read one request: a JSON object with "cmd" and the members that this command
 * takes, and no others. Returns 0, or -1 with *reason set to a sentence for the
 * caller (static text).
 */
int	 request_parse(struct request *, const char *line, size_t len,
	    const char **reason);
const char *request_name(enum request_cmd);

#endif
