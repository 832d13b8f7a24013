/*
 * The commands of msactl as a table of tokens.
 *
 * Runs in msactl, called by main() with the words of the command line, which
 * are the caller's own. No input from the daemon comes here.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "msactl/parser.h"

enum kind {
	TOKEN_END = 0,		/* end of the table */
	TOKEN_WORD,		/* may be cut short */
	TOKEN_ALL,		/* "all", in full */
	TOKEN_ID,		/* a queue id */
	TOKEN_LEVEL,		/* as TOKEN_WORD, and is the level */
	TOKEN_NOTHING		/* the words may end here */
};

struct token {
	enum kind		 kind;
	const char		*word;	/* TOKEN_ID: what messages call it */
	enum action		 action;
	const struct token	*next;	/* NULL: nothing may follow */
};

static const struct token	 table_show[] = {
	{ TOKEN_WORD, "status", ACTION_STATUS, NULL },
	{ TOKEN_WORD, "stats", ACTION_STATS, NULL },
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

static const struct token	 table_main[] = {
	{ TOKEN_WORD, "show", ACTION_NONE, table_show },
	{ TOKEN_WORD, "queue", ACTION_NONE, table_queue },
	{ TOKEN_WORD, "reload", ACTION_RELOAD, NULL },
	{ TOKEN_WORD, "log", ACTION_NONE, table_log },
	{ TOKEN_WORD, "monitor", ACTION_MONITOR, NULL },
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
	[ACTION_RELOAD] = "reload",
	[ACTION_LOGLEVEL] = "log level",
	[ACTION_MONITOR] = NULL
};

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

/* 2: this is it, 1: it could be, 0: it is not. */
static int
token_fits(const struct token *t, const char *word)
{
	char	 id[17];

	switch (t->kind) {
	case TOKEN_WORD:
	case TOKEN_LEVEL:
		if (strcmp(word, t->word) == 0)
			return 2;
		return *word != '\0' &&
		    strncmp(word, t->word, strlen(word)) == 0;
	case TOKEN_ALL:
		return strcmp(word, t->word) == 0 ? 2 : 0;
	case TOKEN_ID:
		return id_read(id, sizeof(id), word) == 0 ? 2 : 0;
	default:
		return 0;
	}
}

/* The token of the table that word is; NULL with *many set. */
static const struct token *
token_find(const struct token *t, const char *word, bool *many)
{
	const struct token	*found = NULL;
	int			 fits;

	*many = false;
	for (; t->kind != TOKEN_END; t++) {
		if ((fits = token_fits(t, word)) == 2) {
			*many = false;
			return t;
		}
		if (fits == 0)
			continue;
		if (found != NULL)
			*many = true;
		found = t;
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
	/* "queue flush" alone means all that waits */
	if (cmd->action == ACTION_QUEUE_FLUSH && cmd->id[0] == '\0')
		cmd->all = true;
	return 0;
}
