#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/selection.h"

/* Octets of a request line, its LF not counted. */
#define REQUEST_MAX	16384
/* Octets of a user's own address in one. */
#define REQUEST_USER_MAX	512
/* Octets of a reason, and of the name of what is paused. */
#define REQUEST_REASON_MAX	512
#define REQUEST_NAME_MAX	512

enum request_cmd {
	REQUEST_STATUS,			/* "show status" */
	REQUEST_STATS,			/* "show stats" */
	REQUEST_QUEUE_LIST,		/* "queue list": select, or all */
	REQUEST_QUEUE_AGE,		/* "queue age": likewise */
	REQUEST_QUEUE_SUMMARY,		/* "queue summary": what, or relay */
	REQUEST_QUEUE_SHOW,		/* "queue show": id */
	REQUEST_QUEUE_CAT,		/* "queue cat": id */
	REQUEST_QUEUE_LOG,		/* "queue log": id */
	/* "queue ...": select, and count: true when nothing is changed */
	REQUEST_QUEUE_HOLD,		/* may have a reason */
	REQUEST_QUEUE_RELEASE,
	REQUEST_QUEUE_FLUSH,
	REQUEST_QUEUE_EXPIRE,
	REQUEST_QUEUE_FAIL,		/* may have a reason */
	REQUEST_QUEUE_DROP,
	REQUEST_QUEUE_REROUTE,		/* to: a relay */
	REQUEST_RULE_ADD,		/* "queue rule add": what, select,
					 * seconds; may have a reason */
	REQUEST_RULE_LIST,		/* "queue rule list" */
	REQUEST_RULE_REMOVE,		/* "queue rule remove": number, all */
	REQUEST_PAUSE,			/* "pause": what, name, seconds */
	REQUEST_RESUME,			/* "resume": what, name */
	REQUEST_PAUSES,			/* "show pauses" */
	REQUEST_LIMITS,			/* "show limits" */
	REQUEST_USER_LIMITS,		/* "user limits": user */
	REQUEST_LIMITS_RESET,		/* "limits reset": user, or tenant */
	REQUEST_RELOAD,			/* "reload" */
	REQUEST_LOGLEVEL,		/* "log level": level */
	REQUEST_USERS,			/* "show users" */
	REQUEST_BANS,			/* "show bans" */
	REQUEST_BAN,			/* "ban": network, seconds */
	REQUEST_UNBAN,			/* "unban": network, or all */
	REQUEST_AUTH_FLUSH,		/* "auth flush": user, or all */
	REQUEST_GRANTS,			/* "show grants" */
	REQUEST_GRANT,			/* "grant": address, user, seconds */
	REQUEST_UNGRANT,		/* "grant remove": address */
	REQUEST_TEST_AUTH,		/* "test auth": user, password */
	REQUEST_TEST_SESSION,		/* "test session": address, user,
					 * from, to */
	REQUEST_CMDS
};

struct request {
	enum request_cmd cmd;
	bool		 all;
	uint64_t	 id;		/* of a message; 0: none given */
	int		 level;		/* LOG_ERR to LOG_DEBUG */
	uint32_t	 seconds;	/* 0: none given */
	uint32_t	 number;	/* of a rule; 0: none given */
	bool		 count;		/* change nothing, say how many */
	/* enum group_key, rule_action or pause_kind, by cmd */
	uint8_t		 what;
	/* "" where none was given; none has control characters */
	char		 network[64];
	char		 address[64];
	char		 user[REQUEST_USER_MAX + 1];
	char		 block[256];
	char		 from[1025];
	char		 to[1025];
	char		 password[1025];	/* to be wiped */
	char		 reason[REQUEST_REASON_MAX + 1];
	char		 name[REQUEST_NAME_MAX + 1];
	/* as selection.h has it, not parsed; "" where none was given */
	char		 select[SELECTION_TEXT_MAX + 1];
};

/*
 * Read one request: a JSON object with "cmd" and the members that this command
 * takes, and no others. Returns 0, or -1 with *reason set to a sentence for the
 * caller (static text). A request may hold a password: wipe it after use.
 */
int	 request_parse(struct request *, const char *line, size_t len,
	    const char **reason);
const char *request_name(enum request_cmd);

#endif
