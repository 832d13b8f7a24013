/*
 * The commands of msactl as a table of tokens.
 *
 * Runs in msactl, called by main() with the words of the command line, which
 * are the caller's own. No input from the daemon comes here.
 */
#include <sys/types.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "msactl/parser.h"

enum kind {
	TOKEN_END = 0,		/* end of the table */
	TOKEN_WORD,		/* may be cut short */
	TOKEN_ALL,		/* "all", in full */
	TOKEN_ID,		/* a queue id */
	TOKEN_LEVEL,		/* as TOKEN_WORD, and is the level */
	TOKEN_NOTHING,		/* the words may end here */
	TOKEN_TIME,		/* 90s, 10m, 2h, 1d */
	TOKEN_NETWORK,		/* any word: enum command_text, in order */
	TOKEN_ADDRESS,
	TOKEN_USER,
	TOKEN_BLOCK,
	TOKEN_FROM,
	TOKEN_TO
};

struct token {
	enum kind		 kind;
	const char		*word;	/* others: what messages call it */
	enum action		 action;
	const struct token	*next;	/* NULL: nothing may follow */
};

static const struct token	 table_show[] = {
	{ TOKEN_WORD, "status", ACTION_STATUS, NULL },
	{ TOKEN_WORD, "stats", ACTION_STATS, NULL },
	{ TOKEN_WORD, "limits", ACTION_LIMITS, NULL },
	{ TOKEN_WORD, "users", ACTION_USERS, NULL },
	{ TOKEN_WORD, "bans", ACTION_BANS, NULL },
	{ TOKEN_WORD, "grants", ACTION_GRANTS, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_user_name[] = {
	{ TOKEN_USER, "USER", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_user[] = {
	{ TOKEN_WORD, "limits", ACTION_USER_LIMITS, table_user_name },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_limits[] = {
	{ TOKEN_WORD, "reset", ACTION_LIMITS_RESET, table_user_name },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_id[] = {
	{ TOKEN_ID, "ID", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_id_all[] = {
	{ TOKEN_ALL, "all", ACTION_NONE, NULL },
	{ TOKEN_ID, "ID", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_flush[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_ALL, "all", ACTION_NONE, NULL },
	{ TOKEN_ID, "ID", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_queue[] = {
	{ TOKEN_WORD, "list", ACTION_QUEUE_LIST, NULL },
	{ TOKEN_WORD, "show", ACTION_QUEUE_SHOW, table_id },
	{ TOKEN_WORD, "flush", ACTION_QUEUE_FLUSH, table_flush },
	{ TOKEN_WORD, "remove", ACTION_QUEUE_REMOVE, table_id_all },
	{ TOKEN_WORD, "release", ACTION_QUEUE_RELEASE, table_id_all },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_levels[] = {
	{ TOKEN_LEVEL, "error", ACTION_NONE, NULL },
	{ TOKEN_LEVEL, "warning", ACTION_NONE, NULL },
	{ TOKEN_LEVEL, "notice", ACTION_NONE, NULL },
	{ TOKEN_LEVEL, "info", ACTION_NONE, NULL },
	{ TOKEN_LEVEL, "debug", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_log[] = {
	{ TOKEN_WORD, "level", ACTION_LOGLEVEL, table_levels },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_time[] = {
	{ TOKEN_TIME, "TIME", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_may_for[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "for", ACTION_NONE, table_time },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_ban[] = {
	{ TOKEN_NETWORK, "NETWORK", ACTION_BAN, table_may_for },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_unban[] = {
	{ TOKEN_ALL, "all", ACTION_NONE, NULL },
	{ TOKEN_NETWORK, "NETWORK", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_auth_flush[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_USER, "USER", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_auth[] = {
	{ TOKEN_WORD, "flush", ACTION_AUTH_FLUSH, table_auth_flush },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_for[] = {
	{ TOKEN_WORD, "for", ACTION_NONE, table_time },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_grant_block[] = {
	{ TOKEN_BLOCK, "NAME", ACTION_NONE, table_for },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_grant_rest[] = {
	{ TOKEN_WORD, "block", ACTION_NONE, table_grant_block },
	{ TOKEN_WORD, "for", ACTION_NONE, table_time },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_grant_user[] = {
	{ TOKEN_USER, "USER", ACTION_GRANT, table_grant_rest },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_as[] = {
	{ TOKEN_WORD, "as", ACTION_NONE, table_grant_user },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_address[] = {
	{ TOKEN_ADDRESS, "ADDRESS", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_grant[] = {
	{ TOKEN_WORD, "remove", ACTION_UNGRANT, table_address },
	{ TOKEN_ADDRESS, "ADDRESS", ACTION_NONE, table_as },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_may_from[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "from", ACTION_NONE, table_address },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_auth_rest[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "from", ACTION_NONE, table_address },
	{ TOKEN_BLOCK, "BLOCK", ACTION_NONE, table_may_from },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_auth[] = {
	{ TOKEN_USER, "USER", ACTION_NONE, table_test_auth_rest },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_block[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_BLOCK, "BLOCK", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_to[] = {
	{ TOKEN_TO, "TO", ACTION_NONE, table_test_block },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_from[] = {
	{ TOKEN_FROM, "FROM", ACTION_NONE, table_test_to },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_user[] = {
	{ TOKEN_USER, "USER", ACTION_NONE, table_test_from },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test_session[] = {
	{ TOKEN_ADDRESS, "ADDRESS", ACTION_NONE, table_test_user },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_test[] = {
	{ TOKEN_WORD, "auth", ACTION_TEST_AUTH, table_test_auth },
	{ TOKEN_WORD, "session", ACTION_TEST_SESSION, table_test_session },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_main[] = {
	{ TOKEN_WORD, "show", ACTION_NONE, table_show },
	{ TOKEN_WORD, "queue", ACTION_NONE, table_queue },
	{ TOKEN_WORD, "user", ACTION_NONE, table_user },
	{ TOKEN_WORD, "limits", ACTION_NONE, table_limits },
	{ TOKEN_WORD, "reload", ACTION_RELOAD, NULL },
	{ TOKEN_WORD, "log", ACTION_NONE, table_log },
	{ TOKEN_WORD, "monitor", ACTION_MONITOR, NULL },
	{ TOKEN_WORD, "ban", ACTION_BAN, table_ban },
	{ TOKEN_WORD, "unban", ACTION_UNBAN, table_unban },
	{ TOKEN_WORD, "auth", ACTION_NONE, table_auth },
	{ TOKEN_WORD, "grant", ACTION_NONE, table_grant },
	{ TOKEN_WORD, "test", ACTION_NONE, table_test },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const char *const	 requests[] = {
	[ACTION_NONE] = NULL,
	[ACTION_STATUS] = "show status",
	[ACTION_STATS] = "show stats",
	[ACTION_QUEUE_LIST] = "queue list",
	[ACTION_QUEUE_SHOW] = "queue show",
	[ACTION_QUEUE_FLUSH] = "queue flush",
	[ACTION_QUEUE_REMOVE] = "queue remove",
	[ACTION_QUEUE_RELEASE] = "queue release",
	[ACTION_LIMITS] = "show limits",
	[ACTION_USER_LIMITS] = "user limits",
	[ACTION_LIMITS_RESET] = "limits reset",
	[ACTION_RELOAD] = "reload",
	[ACTION_LOGLEVEL] = "log level",
	[ACTION_MONITOR] = NULL,
	[ACTION_USERS] = "show users",
	[ACTION_BANS] = "show bans",
	[ACTION_BAN] = "ban",
	[ACTION_UNBAN] = "unban",
	[ACTION_AUTH_FLUSH] = "auth flush",
	[ACTION_GRANTS] = "show grants",
	[ACTION_GRANT] = "grant",
	[ACTION_UNGRANT] = "grant remove",
	[ACTION_TEST_AUTH] = "test auth",
	[ACTION_TEST_SESSION] = "test session"
};

const char *
command_member(enum command_text text)
{
	static const char *const members[TEXT_MAX] = {
		[TEXT_NETWORK] = "network",
		[TEXT_ADDRESS] = "address",
		[TEXT_USER] = "user",
		[TEXT_BLOCK] = "block",
		[TEXT_FROM] = "from",
		[TEXT_TO] = "to"
	};

	return members[text];
}

const char *
command_request(enum action action)
{
	return requests[action];
}

/* 1 to 16 hexadecimal digits, not all of them 0; kept as msad prints it. */
static int
id_read(char *id, size_t size, const char *word)
{
	size_t	 i, len;

	word += strspn(word, "0");
	len = strlen(word);
	if (len == 0 || len >= size ||
	    strspn(word, "0123456789abcdefABCDEF") != len)
		return -1;
	for (i = 0; i <= len; i++)
		id[i] = word[i] >= 'A' && word[i] <= 'F' ?
		    (char)(word[i] - 'A' + 'a') : word[i];
	return 0;
}

/* A time: digits and s, m, h or d; 0: it is none. */
static unsigned int
time_read(const char *word)
{
	static const struct {
		char		 unit;
		unsigned int	 seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char	*p;
	size_t		 i;
	unsigned int	 n = 0;

	for (p = word; *p >= '0' && *p <= '9' && n < 100000000; p++)
		n = n * 10 + (unsigned int)(*p - '0');
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (p != word && *p == units[i].unit && p[1] == '\0' &&
		    n <= UINT32_MAX / units[i].seconds)
			return n * units[i].seconds;
	return 0;
}

/* 3: this is it, 2: it could be, 1: it is if nothing else, 0: it is not. */
static int
token_fits(const struct token *t, const char *word)
{
	char	 id[17];

	switch (t->kind) {
	case TOKEN_WORD:
	case TOKEN_LEVEL:
		if (strcmp(word, t->word) == 0)
			return 3;
		return *word != '\0' &&
		    strncmp(word, t->word, strlen(word)) == 0 ? 2 : 0;
	case TOKEN_ALL:
		return strcmp(word, t->word) == 0 ? 3 : 0;
	case TOKEN_ID:
		return id_read(id, sizeof(id), word) == 0 ? 3 : 0;
	case TOKEN_TIME:
		return time_read(word) > 0 ? 3 : 0;
	case TOKEN_END:
	case TOKEN_NOTHING:
		return 0;
	default:
		/* "" is the null reverse-path, and nothing else */
		return *word != '\0' || t->kind == TOKEN_FROM;
	}
}

/* The token of the table that word is; NULL with *many set. */
static const struct token *
token_find(const struct token *t, const char *word, bool *many)
{
	const struct token	*found = NULL;
	int			 fits, best = 0;

	*many = false;
	for (; t->kind != TOKEN_END; t++) {
		if ((fits = token_fits(t, word)) == 0 || fits < best)
			continue;
		*many = fits == best && fits < 3;
		if (fits > best)
			found = t;
		best = fits;
	}
	return *many ? NULL : found;
}

static void
token_take(struct command *cmd, const struct token *t, const char *word)
{
	if (t->action != ACTION_NONE)
		cmd->action = t->action;
	if (t->kind == TOKEN_ALL)
		cmd->all = true;
	else if (t->kind == TOKEN_LEVEL)
		cmd->level = t->word;
	else if (t->kind == TOKEN_ID)
		id_read(cmd->id, sizeof(cmd->id), word);
	else if (t->kind == TOKEN_TIME)
		cmd->seconds = time_read(word);
	else if (t->kind >= TOKEN_NETWORK && t->kind <= TOKEN_TO)
		cmd->text[t->kind - TOKEN_NETWORK] = word;
}

/* Append what the table knows to the message. */
static void
expected(const struct token *t, char *error, size_t size)
{
	strlcat(error, "; expected:", size);
	for (; t->kind != TOKEN_END; t++) {
		if (t->kind == TOKEN_NOTHING)
			continue;
		strlcat(error, " ", size);
		strlcat(error, t->word, size);
	}
}

static bool
may_end(const struct token *t)
{
	for (; t != NULL && t->kind != TOKEN_END; t++)
		if (t->kind == TOKEN_NOTHING)
			return true;
	return t == NULL;
}

int
command_parse(struct command *cmd, int nwords, char *const *words,
    char *error, size_t size)
{
	const struct token	*table = table_main, *t;
	bool			 many;
	int			 i;

	memset(cmd, 0, sizeof(*cmd));
	for (i = 0; i < nwords; i++) {
		if (table == NULL) {
			snprintf(error, size, "one word too many: %s",
			    words[i]);
			return -1;
		}
		if ((t = token_find(table, words[i], &many)) == NULL) {
			snprintf(error, size, "%s: %s", many ?
			    "more than one reading" : "unknown word",
			    words[i]);
			expected(table, error, size);
			return -1;
		}
		token_take(cmd, t, words[i]);
		table = t->next;
	}
	if (!may_end(table)) {
		strlcpy(error, "a word is missing", size);
		expected(table, error, size);
		return -1;
	}
	/* "queue flush" alone means all that waits; "auth flush" all users */
	if (cmd->action == ACTION_QUEUE_FLUSH && cmd->id[0] == '\0')
		cmd->all = true;
	if (cmd->action == ACTION_AUTH_FLUSH && cmd->text[TEXT_USER] == NULL)
		cmd->all = true;
	return 0;
}
