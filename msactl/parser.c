/*
 * The commands of msactl as a table of tokens.
 *
 * Runs in msactl, called by main() with the words of the command line, which
 * are the caller's own. No input from the daemon comes here. A selection of
 * messages is a table that is gone through again and again until one of its
 * tokens leads out of it.
 */
#include <sys/types.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/selection.h"
#include "msactl/parser.h"

enum kind {
	TOKEN_END = 0,		/* end of the table */
	TOKEN_WORD,		/* may be cut short */
	TOKEN_FIRST,		/* the same, where others would fit as well */
	TOKEN_WHOLE,		/* in full */
	TOKEN_ALL,		/* "all", in full */
	TOKEN_ID,		/* a queue id */
	TOKEN_NUMBER,		/* of a rule */
	TOKEN_LEVEL,		/* as TOKEN_WORD, and is the level */
	TOKEN_WHAT,		/* as TOKEN_WORD, and is what is meant */
	TOKEN_NOTHING,		/* the words may end here */
	TOKEN_PICK_ALL,		/* of a selection: "all", */
	TOKEN_PICK_INPUT,	/* "-", */
	TOKEN_PICK_ID,		/* an id, */
	TOKEN_PICK,		/* a key, with a value behind it; */
	TOKEN_ENOUGH,		/* it may end when something is selected */
	TOKEN_TARGET,		/* "to", when one word is left */
	TOKEN_TIME,		/* 90s, 10m, 2h, 1d */
	TOKEN_NETWORK,		/* any word: enum command_text, in order */
	TOKEN_ADDRESS,
	TOKEN_USER,
	TOKEN_BLOCK,
	TOKEN_FROM,
	TOKEN_TO,
	TOKEN_REASON,
	TOKEN_NAME,
	TOKEN_TENANT
};

struct token {
	enum kind		 kind;
	const char		*word;	/* others: what messages call it */
	enum action		 action;
	const struct token	*next;	/* NULL: nothing may follow */
};

/* As next: the same table again. */
static const struct token	 again[1];

static const struct token	 table_show[] = {
	{ TOKEN_WORD, "status", ACTION_STATUS, NULL },
	{ TOKEN_WORD, "stats", ACTION_STATS, NULL },
	{ TOKEN_WORD, "limits", ACTION_LIMITS, NULL },
	{ TOKEN_WORD, "users", ACTION_USERS, NULL },
	{ TOKEN_WORD, "bans", ACTION_BANS, NULL },
	{ TOKEN_WORD, "grants", ACTION_GRANTS, NULL },
	{ TOKEN_WORD, "pauses", ACTION_PAUSES, NULL },
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

static const struct token	 table_tenant_name[] = {
	{ TOKEN_TENANT, "TENANT", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_reset[] = {
	{ TOKEN_WHOLE, "tenant", ACTION_NONE, table_tenant_name },
	{ TOKEN_USER, "USER", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_limits[] = {
	{ TOKEN_WORD, "reset", ACTION_LIMITS_RESET, table_reset },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_id[] = {
	{ TOKEN_ID, "ID", ACTION_NONE, NULL },
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

static const struct token	 table_reason[] = {
	{ TOKEN_REASON, "TEXT", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

/* What is known of a message before it is in the queue. */
#define PICK_ENVELOPE \
	{ TOKEN_PICK, "user", ACTION_NONE, again }, \
	{ TOKEN_PICK, "tenant", ACTION_NONE, again }, \
	{ TOKEN_PICK, "from", ACTION_NONE, again }, \
	{ TOKEN_PICK, "to", ACTION_NONE, again }, \
	{ TOKEN_PICK, "domain", ACTION_NONE, again }, \
	{ TOKEN_PICK, "relay", ACTION_NONE, again }, \
	{ TOKEN_PICK, "size", ACTION_NONE, again }

#define PICK \
	{ TOKEN_PICK_ALL, "all", ACTION_NONE, again }, \
	{ TOKEN_PICK_INPUT, "-", ACTION_NONE, again }, \
	{ TOKEN_PICK_ID, "ID", ACTION_NONE, again }, \
	PICK_ENVELOPE, \
	{ TOKEN_PICK, "state", ACTION_NONE, again }, \
	{ TOKEN_PICK, "age", ACTION_NONE, again }, \
	{ TOKEN_PICK, "error", ACTION_NONE, again }, \
	{ TOKEN_PICK, "id", ACTION_NONE, again }

static const struct token	 table_may_pick[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	PICK,
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_pick[] = {
	PICK,
	{ TOKEN_ENOUGH, "", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_pick_reason[] = {
	PICK,
	{ TOKEN_ENOUGH, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "reason", ACTION_NONE, table_reason },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_target[] = {
	{ TOKEN_TO, "RELAY", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_pick_target[] = {
	PICK,
	{ TOKEN_TARGET, "to", ACTION_NONE, table_target },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_states[] = {
	{ TOKEN_WORD, "waiting", ACTION_NONE, NULL },
	{ TOKEN_WORD, "deferred", ACTION_NONE, NULL },
	{ TOKEN_WORD, "inflight", ACTION_NONE, NULL },
	{ TOKEN_WORD, "held", ACTION_NONE, NULL },
	{ TOKEN_WORD, "future", ACTION_NONE, NULL },
	{ TOKEN_WORD, "failed", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_groups[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "relay", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "tenant", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "user", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "domain", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "from", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_may_reason[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "reason", ACTION_NONE, table_reason },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_rule_time[] = {
	{ TOKEN_TIME, "TIME", ACTION_NONE, table_may_reason },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_rule_pick[] = {
	{ TOKEN_PICK_ALL, "all", ACTION_NONE, again },
	PICK_ENVELOPE,
	{ TOKEN_WORD, "for", ACTION_NONE, table_rule_time },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_rule_add[] = {
	{ TOKEN_WHAT, "hold", ACTION_NONE, table_rule_pick },
	{ TOKEN_WHAT, "reject", ACTION_NONE, table_rule_pick },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_rule_remove[] = {
	{ TOKEN_ALL, "all", ACTION_NONE, NULL },
	{ TOKEN_NUMBER, "NUMBER", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_rule[] = {
	{ TOKEN_WORD, "add", ACTION_RULE_ADD, table_rule_add },
	{ TOKEN_WORD, "list", ACTION_RULE_LIST, NULL },
	{ TOKEN_WORD, "remove", ACTION_RULE_REMOVE, table_rule_remove },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_queue[] = {
	{ TOKEN_FIRST, "list", ACTION_QUEUE_LIST, table_may_pick },
	{ TOKEN_WORD, "age", ACTION_QUEUE_AGE, table_may_pick },
	{ TOKEN_WORD, "summary", ACTION_QUEUE_SUMMARY, table_groups },
	{ TOKEN_WORD, "show", ACTION_QUEUE_SHOW, table_id },
	{ TOKEN_WORD, "cat", ACTION_QUEUE_CAT, table_id },
	{ TOKEN_WORD, "log", ACTION_QUEUE_LOG, table_id },
	{ TOKEN_WORD, "hold", ACTION_QUEUE_HOLD, table_pick_reason },
	{ TOKEN_WORD, "release", ACTION_QUEUE_RELEASE, table_pick },
	{ TOKEN_WORD, "flush", ACTION_QUEUE_FLUSH, table_may_pick },
	{ TOKEN_WORD, "expire", ACTION_QUEUE_EXPIRE, table_pick },
	{ TOKEN_WORD, "fail", ACTION_QUEUE_FAIL, table_pick_reason },
	{ TOKEN_WORD, "drop", ACTION_QUEUE_DROP, table_pick },
	{ TOKEN_WORD, "remove", ACTION_QUEUE_DROP, table_pick },
	{ TOKEN_WORD, "reroute", ACTION_QUEUE_REROUTE, table_pick_target },
	{ TOKEN_WORD, "rule", ACTION_NONE, table_rule },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

/* pause and resume: what, with a name, and for how long. */

static const struct token	 table_pause_name[] = {
	{ TOKEN_NAME, "NAME", ACTION_NONE, table_may_for },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_pause_relay[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_WORD, "for", ACTION_NONE, table_time },
	{ TOKEN_NAME, "NAME", ACTION_NONE, table_may_for },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_pause[] = {
	{ TOKEN_WHAT, "accept", ACTION_NONE, table_may_for },
	{ TOKEN_WHAT, "relay", ACTION_NONE, table_pause_relay },
	{ TOKEN_WHAT, "domain", ACTION_NONE, table_pause_name },
	{ TOKEN_WHAT, "tenant", ACTION_NONE, table_pause_name },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_resume_name[] = {
	{ TOKEN_NAME, "NAME", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_resume_relay[] = {
	{ TOKEN_NOTHING, "", ACTION_NONE, NULL },
	{ TOKEN_NAME, "NAME", ACTION_NONE, NULL },
	{ TOKEN_END, NULL, ACTION_NONE, NULL }
};

static const struct token	 table_resume[] = {
	{ TOKEN_WHAT, "accept", ACTION_NONE, NULL },
	{ TOKEN_WHAT, "relay", ACTION_NONE, table_resume_relay },
	{ TOKEN_WHAT, "domain", ACTION_NONE, table_resume_name },
	{ TOKEN_WHAT, "tenant", ACTION_NONE, table_resume_name },
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
	{ TOKEN_WORD, "pause", ACTION_PAUSE, table_pause },
	{ TOKEN_WORD, "resume", ACTION_RESUME, table_resume },
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
	[ACTION_QUEUE_AGE] = "queue age",
	[ACTION_QUEUE_SUMMARY] = "queue summary",
	[ACTION_QUEUE_CAT] = "queue cat",
	[ACTION_QUEUE_LOG] = "queue log",
	[ACTION_QUEUE_HOLD] = "queue hold",
	[ACTION_QUEUE_RELEASE] = "queue release",
	[ACTION_QUEUE_FLUSH] = "queue flush",
	[ACTION_QUEUE_EXPIRE] = "queue expire",
	[ACTION_QUEUE_FAIL] = "queue fail",
	[ACTION_QUEUE_DROP] = "queue drop",
	[ACTION_QUEUE_REROUTE] = "queue reroute",
	[ACTION_RULE_ADD] = "queue rule add",
	[ACTION_RULE_LIST] = "queue rule list",
	[ACTION_RULE_REMOVE] = "queue rule remove",
	[ACTION_PAUSE] = "pause",
	[ACTION_RESUME] = "resume",
	[ACTION_PAUSES] = "show pauses",
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
		[TEXT_TO] = "to",
		[TEXT_REASON] = "reason",
		[TEXT_NAME] = "name",
		[TEXT_TENANT] = "tenant",
		[TEXT_WHAT] = "what"
	};

	return members[text];
}

const char *
command_request(enum action action)
{
	return requests[action];
}

bool
command_steers(enum action action)
{
	return action >= ACTION_QUEUE_HOLD && action <= ACTION_QUEUE_REROUTE;
}

/* A time: digits and s, m, h, d or w; 0: it is none. */
static unsigned int
time_read(const char *word)
{
	static const struct {
		char		 unit;
		unsigned int	 seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
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

/* A number from 1 on; 0: it is none. */
static unsigned int
number_read(const char *word)
{
	size_t	 len = strlen(word);

	if (len == 0 || len > 9 || strspn(word, "0123456789") != len)
		return 0;
	return (unsigned int)strtoul(word, NULL, 10);
}

/* How well a word fits: 0 not at all, the most fitting token is taken. */
enum fit {
	FIT_NONE,
	FIT_TEXT,		/* it is if nothing else */
	FIT_SHORT,		/* it could be, cut short */
	FIT_FIRST,		/* likewise, and comes before others */
	FIT_WHOLE,		/* this is it */
	FIT_TARGET
};

static enum fit
word_fits(const struct token *t, const char *word)
{
	if (strcmp(word, t->word) == 0)
		return FIT_WHOLE;
	if (*word == '\0' || strncmp(word, t->word, strlen(word)) != 0)
		return FIT_NONE;
	return t->kind == TOKEN_FIRST ? FIT_FIRST : FIT_SHORT;
}

/* left: words from this one on. */
static enum fit
token_fits(const struct token *t, const char *word, int left)
{
	switch (t->kind) {
	case TOKEN_WORD:
	case TOKEN_FIRST:
	case TOKEN_LEVEL:
	case TOKEN_WHAT:
	case TOKEN_PICK:
		return word_fits(t, word);
	case TOKEN_TARGET:
		/* before that it is a recipient */
		return left == 2 && strcmp(word, t->word) == 0 ? FIT_TARGET :
		    FIT_NONE;
	case TOKEN_WHOLE:
	case TOKEN_ALL:
	case TOKEN_PICK_ALL:
	case TOKEN_PICK_INPUT:
		return strcmp(word, t->word) == 0 ? FIT_WHOLE : FIT_NONE;
	case TOKEN_ID:
	case TOKEN_PICK_ID:
		return picked_id_read(word) != 0 ? FIT_WHOLE : FIT_NONE;
	case TOKEN_NUMBER:
		return number_read(word) != 0 ? FIT_WHOLE : FIT_NONE;
	case TOKEN_TIME:
		return time_read(word) > 0 ? FIT_WHOLE : FIT_NONE;
	case TOKEN_END:
	case TOKEN_NOTHING:
	case TOKEN_ENOUGH:
		return FIT_NONE;
	default:
		/* "" is the null reverse-path, and nothing else */
		return *word != '\0' || t->kind == TOKEN_FROM ? FIT_TEXT :
		    FIT_NONE;
	}
}

/* The token of the table that word is; NULL with *many set. */
static const struct token *
token_find(const struct token *t, const char *word, int left, bool *many)
{
	const struct token	*found = NULL;
	enum fit		 fits, best = FIT_NONE;

	*many = false;
	for (; t->kind != TOKEN_END; t++) {
		fits = token_fits(t, word, left);
		if (fits == FIT_NONE || fits < best)
			continue;
		*many = fits == best && fits < FIT_FIRST;
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
	else if (t->kind == TOKEN_WHAT)
		cmd->text[TEXT_WHAT] = t->word;
	else if (t->kind == TOKEN_ID)
		snprintf(cmd->id, sizeof(cmd->id), "%llx",
		    (unsigned long long)picked_id_read(word));
	else if (t->kind == TOKEN_NUMBER)
		cmd->number = number_read(word);
	else if (t->kind == TOKEN_TIME)
		cmd->seconds = time_read(word);
	else if (t->kind == TOKEN_PICK_ALL)
		cmd->picked.all = true;
	else if (t->kind == TOKEN_PICK_INPUT)
		cmd->picked.input = true;
	else if (t->kind == TOKEN_PICK_ID)
		picked_id(&cmd->picked, picked_id_read(word));
	else if (t->kind >= TOKEN_NETWORK && t->kind <= TOKEN_TENANT)
		cmd->text[t->kind - TOKEN_NETWORK] = word;
}

/* Append what the table knows to the message. */
static void
expected(const struct token *t, char *error, size_t size)
{
	bool	 target = false;

	strlcat(error, "; expected:", size);
	for (; t->kind != TOKEN_END; t++) {
		if (t->kind == TOKEN_NOTHING || t->kind == TOKEN_ENOUGH)
			continue;
		if (t->kind == TOKEN_TARGET) {
			target = true;
			continue;
		}
		strlcat(error, " ", size);
		strlcat(error, t->word, size);
	}
	if (target)
		strlcat(error, ", then to RELAY", size);
}

static bool
may_end(const struct command *cmd, const struct token *t)
{
	for (; t != NULL && t->kind != TOKEN_END; t++)
		if (t->kind == TOKEN_NOTHING ||
		    (t->kind == TOKEN_ENOUGH && picked_any(&cmd->picked)))
			return true;
	return t == NULL;
}

/* What is being read, and where to say what is wrong with it. */
struct reading {
	struct command	*cmd;
	char		*error;
	size_t		 size;
};

static const struct token *
word_read(struct reading *r, const struct token *table, const char *word,
    int left)
{
	const struct token	*t;
	bool			 many;

	if ((t = token_find(table, word, left, &many)) != NULL)
		return t;
	snprintf(r->error, r->size, "%s: %s", many ? "more than one reading" :
	    "unknown word", word);
	expected(table, r->error, r->size);
	return NULL;
}

/* The value behind a key of a selection; -1: it is none. */
static int
value_read(struct reading *r, const char *key, const char *value)
{
	const struct token	*t;

	if (value == NULL) {
		strlcpy(r->error, "a word is missing", r->size);
		if (strcmp(key, "state") == 0)
			expected(table_states, r->error, r->size);
		else
			snprintf(r->error, r->size, "a word is missing; "
			    "expected: a value of %s", key);
		return -1;
	}
	if (strcmp(key, "state") == 0) {
		if ((t = word_read(r, table_states, value, 0)) == NULL)
			return -1;
		value = t->word;
	}
	if (strcmp(key, "id") == 0) {
		if (picked_id_read(value) == 0) {
			snprintf(r->error, r->size, "not a queue id: %s",
			    value);
			return -1;
		}
		picked_id(&r->cmd->picked, picked_id_read(value));
	} else
		picked_term(&r->cmd->picked, key, value);
	return 0;
}

/* All words are read: is it a whole? table: of what could follow. */
static int
finish(struct reading *r, const struct token *table)
{
	struct command	*cmd = r->cmd;

	if (!may_end(cmd, table)) {
		strlcpy(r->error, "a word is missing", r->size);
		expected(table, r->error, r->size);
		return -1;
	}
	if (!picked_any(&cmd->picked) && (command_steers(cmd->action) ||
	    cmd->action == ACTION_RULE_ADD) &&
	    cmd->action != ACTION_QUEUE_FLUSH) {
		strlcpy(r->error, "nothing is selected", r->size);
		expected(cmd->action == ACTION_RULE_ADD ? table_rule_pick :
		    table_pick, r->error, r->size);
		return -1;
	}
	/* "queue flush" alone means all that waits; "auth flush" all users */
	if (cmd->action == ACTION_QUEUE_FLUSH && !picked_any(&cmd->picked))
		cmd->picked.all = true;
	if (cmd->action == ACTION_AUTH_FLUSH && cmd->text[TEXT_USER] == NULL)
		cmd->all = true;
	return picked_check(&cmd->picked, r->error, r->size);
}

int
command_parse(struct command *cmd, int nwords, char *const *words,
    char *error, size_t size)
{
	const struct token	*table = table_main, *t;
	struct reading		 r = { cmd, error, size };
	int			 i;

	memset(cmd, 0, sizeof(*cmd));
	for (i = 0; i < nwords; i++) {
		if (table == NULL) {
			snprintf(error, size, "one word too many: %s",
			    words[i]);
			return -1;
		}
		if ((t = word_read(&r, table, words[i], nwords - i)) == NULL)
			return -1;
		token_take(cmd, t, words[i]);
		if (t->kind == TOKEN_PICK && ++i <= nwords &&
		    value_read(&r, t->word, i < nwords ? words[i] : NULL) ==
		    -1)
			return -1;
		table = t->next == again ? table : t->next;
	}
	return finish(&r, table);
}

void
command_free(struct command *cmd)
{
	picked_free(&cmd->picked);
}
