#ifndef MSACTL_PARSER_H
#define MSACTL_PARSER_H

#include <stdbool.h>
#include <stddef.h>

#include "msactl/picked.h"

enum action {
	ACTION_NONE = 0,
	ACTION_STATUS,
	ACTION_STATS,
	ACTION_QUEUE_LIST,
	ACTION_QUEUE_SHOW,
	ACTION_QUEUE_AGE,
	ACTION_QUEUE_SUMMARY,
	ACTION_QUEUE_CAT,
	ACTION_QUEUE_LOG,
	ACTION_QUEUE_HOLD,
	ACTION_QUEUE_RELEASE,
	ACTION_QUEUE_FLUSH,
	ACTION_QUEUE_EXPIRE,
	ACTION_QUEUE_FAIL,
	ACTION_QUEUE_DROP,
	ACTION_QUEUE_REROUTE,
	ACTION_RULE_ADD,
	ACTION_RULE_LIST,
	ACTION_RULE_REMOVE,
	ACTION_PAUSE,
	ACTION_RESUME,
	ACTION_PAUSES,
	ACTION_LIMITS,
	ACTION_USER_LIMITS,
	ACTION_LIMITS_RESET,
	ACTION_RELOAD,
	ACTION_LOGLEVEL,
	ACTION_MONITOR,
	ACTION_USERS,
	ACTION_BANS,
	ACTION_BAN,
	ACTION_UNBAN,
	ACTION_AUTH_FLUSH,
	ACTION_GRANTS,
	ACTION_GRANT,
	ACTION_UNGRANT,
	ACTION_TEST_AUTH,
	ACTION_TEST_SESSION
};

/* Words that are taken as they are; TEXT_WHAT: one of a table, in full. */
enum command_text {
	TEXT_NETWORK,
	TEXT_ADDRESS,
	TEXT_USER,
	TEXT_BLOCK,
	TEXT_FROM,
	TEXT_TO,
	TEXT_REASON,
	TEXT_NAME,
	TEXT_TENANT,
	TEXT_WHAT,
	TEXT_MAX
};

/* What the words of the command line ask for. */
struct command {
	enum action	 action;
	bool		 all;		/* all, where that may be */
	struct picked	 picked;	/* messages of the queue */
	unsigned int	 number;	/* of a rule; 0: none */
	bool		 count;		/* -n; not of the words */
	char		 id[17];	/* queue id as msad prints it, or "" */
	const char	*level;		/* log level, in full */
	unsigned int	 seconds;	/* "for TIME"; 0: none */
	const char	*text[TEXT_MAX];	/* NULL: none */
};

/*
 * Read the words. Words may be cut short as long as one reading is left; "all"
 * may not, as "a" is a queue id. Returns 0, or -1 with a sentence in error that
 * says what could stand there; words from the command line are in it as they
 * are. Either way command_free() is due.
 */
int	 command_parse(struct command *, int nwords, char *const *words,
	    char *error, size_t size);
void	 command_free(struct command *);
/* Does it change messages that are in the queue? */
bool	 command_steers(enum action);
/* The "cmd" of the request; NULL for monitor, which has none of its own. */
const char *command_request(enum action);
/* The member of the request for a text. */
const char *command_member(enum command_text);

#endif
