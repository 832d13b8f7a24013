/*
 * Requests of msactl: one JSON object a line, which msactl writes and client.c
 * reads from the control socket.
 *
 * Runs in msad-control. The line is whatever a local caller wrote: nothing of
 * it is trusted, its length is bounded by the reader, and an object with
 * members that the command does not take is refused as a whole.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stddef.h>
#include <string.h>
#include <syslog.h>

#include "common/ipc_types.h"
#include "msad/control/request.h"

/* Members beside "cmd". */
#define HAS_ID		0x001	/* text: a queue id */
#define HAS_ALL		0x002	/* true */
#define HAS_LEVEL	0x004	/* text */
#define HAS_SECONDS	0x008	/* a number from 1 on */
#define HAS_NETWORK	0x010	/* text, as those that follow */
#define HAS_ADDRESS	0x020
#define HAS_USER	0x040
#define HAS_BLOCK	0x080
#define HAS_FROM	0x100
#define HAS_TO		0x200
#define HAS_PASSWORD	0x400
#define HAS_OWNER	0x800	/* the same member as HAS_USER, longer */
#define HAS_SELECT	0x1000	/* array of texts */
#define HAS_COUNT	0x2000	/* true */
#define HAS_REASON	0x4000	/* text, as the next one */
#define HAS_NAME	0x8000
#define HAS_WHAT	0x10000	/* one of the command's words */
#define HAS_NUMBER	0x20000	/* a number from 1 on */
#define HAS_TENANT	0x40000	/* text */

/* Words of HAS_WHAT, in the order of their enum in ipc_types.h. */
static const char *const groups[] = { "relay", "tenant", "user", "domain",
	"from", NULL };
static const char *const actions[] = { "", "hold", "reject", NULL };
static const char *const kinds[] = { "accept", "relay", "domain", "tenant",
	NULL };

static const struct {
	const char	*name;
	unsigned int	 needs;		/* all of them, */
	unsigned int	 one_of;	/* just one of these, */
	unsigned int	 may;		/* and these if given */
	const char *const *what;
} commands[REQUEST_CMDS] = {
	[REQUEST_STATUS] = { "show status", 0, 0, 0, NULL },
	[REQUEST_STATS] = { "show stats", 0, 0, 0, NULL },
	[REQUEST_QUEUE_LIST] = { "queue list", 0, 0, HAS_SELECT, NULL },
	[REQUEST_QUEUE_AGE] = { "queue age", 0, 0, HAS_SELECT, NULL },
	[REQUEST_QUEUE_SUMMARY] = { "queue summary", 0, 0, HAS_WHAT, groups },
	[REQUEST_QUEUE_SHOW] = { "queue show", HAS_ID, 0, 0, NULL },
	[REQUEST_QUEUE_CAT] = { "queue cat", HAS_ID, 0, 0, NULL },
	[REQUEST_QUEUE_LOG] = { "queue log", HAS_ID, 0, 0, NULL },
	[REQUEST_QUEUE_HOLD] = { "queue hold", HAS_SELECT,
	    0, HAS_COUNT | HAS_REASON, NULL },
	[REQUEST_QUEUE_RELEASE] = { "queue release", HAS_SELECT,
	    0, HAS_COUNT, NULL },
	[REQUEST_QUEUE_FLUSH] = { "queue flush", HAS_SELECT,
	    0, HAS_COUNT, NULL },
	[REQUEST_QUEUE_EXPIRE] = { "queue expire", HAS_SELECT,
	    0, HAS_COUNT, NULL },
	[REQUEST_QUEUE_FAIL] = { "queue fail", HAS_SELECT,
	    0, HAS_COUNT | HAS_REASON, NULL },
	[REQUEST_QUEUE_DROP] = { "queue drop", HAS_SELECT, 0, HAS_COUNT, NULL },
	[REQUEST_QUEUE_REROUTE] = { "queue reroute", HAS_SELECT | HAS_TO,
	    0, HAS_COUNT, NULL },
	[REQUEST_RULE_ADD] = { "queue rule add", HAS_WHAT |
	    HAS_SELECT | HAS_SECONDS, 0, HAS_REASON, actions },
	[REQUEST_RULE_LIST] = { "queue rule list", 0, 0, 0, NULL },
	[REQUEST_RULE_REMOVE] = { "queue rule remove", 0,
	    HAS_NUMBER | HAS_ALL, 0, NULL },
	[REQUEST_PAUSE] = { "pause", HAS_WHAT,
	    0, HAS_NAME | HAS_SECONDS, kinds },
	[REQUEST_RESUME] = { "resume", HAS_WHAT, 0, HAS_NAME, kinds },
	[REQUEST_PAUSES] = { "show pauses", 0, 0, 0, NULL },
	[REQUEST_LIMITS] = { "show limits", 0, 0, 0, NULL },
	[REQUEST_USER_LIMITS] = { "user limits", HAS_OWNER, 0, 0, NULL },
	[REQUEST_LIMITS_RESET] = { "limits reset", 0, HAS_OWNER | HAS_TENANT,
	    0, NULL },
	[REQUEST_RELOAD] = { "reload", 0, 0, 0, NULL },
	[REQUEST_LOGLEVEL] = { "log level", HAS_LEVEL, 0, 0, NULL },
	[REQUEST_USERS] = { "show users", 0, 0, 0, NULL },
	[REQUEST_BANS] = { "show bans", 0, 0, 0, NULL },
	[REQUEST_BAN] = { "ban", HAS_NETWORK, 0, HAS_SECONDS, NULL },
	[REQUEST_UNBAN] = { "unban", 0, HAS_NETWORK | HAS_ALL, 0, NULL },
	[REQUEST_AUTH_FLUSH] = { "auth flush", 0, HAS_USER | HAS_ALL, 0, NULL },
	[REQUEST_GRANTS] = { "show grants", 0, 0, 0, NULL },
	[REQUEST_GRANT] = { "grant", HAS_ADDRESS | HAS_USER | HAS_SECONDS, 0,
	    HAS_BLOCK, NULL },
	[REQUEST_UNGRANT] = { "grant remove", HAS_ADDRESS, 0, 0, NULL },
	[REQUEST_TEST_AUTH] = { "test auth", HAS_USER | HAS_PASSWORD, 0,
	    HAS_BLOCK | HAS_ADDRESS, NULL },
	[REQUEST_TEST_SESSION] = { "test session", HAS_ADDRESS | HAS_USER |
	    HAS_FROM | HAS_TO, 0, HAS_BLOCK, NULL }
};

/* Members that are text as it is. */
static const struct {
	const char	*name;
	unsigned int	 has;
	size_t		 offset;
	size_t		 size;
	const char	*reason;
} texts[] = {
#define TEXT(member, has, reason) \
	{ #member, has, offsetof(struct request, member), \
	    sizeof(((struct request *)0)->member), reason }
	TEXT(network, HAS_NETWORK, "not a network"),
	TEXT(address, HAS_ADDRESS, "not an address"),
	{ "user", HAS_USER, offsetof(struct request, user), IPC_USER_MAX + 1,
	    "not a user name" },
	TEXT(user, HAS_OWNER, "not a user name"),
	TEXT(block, HAS_BLOCK, "not the name of an auth block"),
	TEXT(from, HAS_FROM, "not a sender"),
	TEXT(to, HAS_TO, "not a recipient"),
	TEXT(password, HAS_PASSWORD, "not a password"),
	TEXT(reason, HAS_REASON, "not a reason"),
	TEXT(name, HAS_NAME, "not a name"),
	{ "tenant", HAS_TENANT, offsetof(struct request, name),
	    sizeof(((struct request *)0)->name), "not the name of a tenant" },
#undef TEXT
};

static const struct {
	const char	*name;
	int		 level;
} levels[] = {
	{ "error", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG }
};

const char *
request_name(enum request_cmd cmd)
{
	return commands[cmd].name;
}

static int
cmd_parse(struct request *req, const json_t *value)
{
	const char	*name = json_string_value(value);
	unsigned int	 i;

	if (name == NULL)
		return -1;
	for (i = 0; i < REQUEST_CMDS; i++) {
		if (strcmp(name, commands[i].name) == 0) {
			req->cmd = (enum request_cmd)i;
			return 0;
		}
	}
	return -1;
}

/* A queue id: 1 to 16 lower-case hexadecimal digits, no leading zero. */
static int
id_parse(struct request *req, const json_t *value)
{
	const char	*s = json_string_value(value);
	size_t		 i, len = json_string_length(value);
	uint64_t	 id = 0;

	if (s == NULL || len < 1 || len > 16 || s[0] == '0')
		return -1;
	for (i = 0; i < len; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			id = id << 4 | (uint64_t)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			id = id << 4 | (uint64_t)(s[i] - 'a' + 10);
		else
			return -1;
	}
	req->id = id;
	return 0;
}

static int
level_parse(struct request *req, const json_t *value)
{
	const char	*name = json_string_value(value);
	size_t		 i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (name != NULL && strcmp(name, levels[i].name) == 0) {
			req->level = levels[i].level;
			return 0;
		}
	}
	return -1;
}

/* A number from 1 on. */
static int
number_parse(uint32_t *to, const json_t *value)
{
	json_int_t	 n = json_integer_value(value);

	if (n < 1 || n > UINT32_MAX)
		return -1;
	*to = (uint32_t)n;
	return 0;
}

static int
seconds_parse(struct request *req, const json_t *value)
{
	return number_parse(&req->seconds, value);
}

static int
rule_parse(struct request *req, const json_t *value)
{
	return number_parse(&req->number, value);
}

static int
all_parse(struct request *req, const json_t *value)
{
	req->all = json_is_true(value);
	return req->all ? 0 : -1;
}

static int
count_parse(struct request *req, const json_t *value)
{
	req->count = json_is_true(value);
	return req->count ? 0 : -1;
}

static int
what_parse(struct request *req, const json_t *value)
{
	const char *const	*words = commands[req->cmd].what;
	const char		*s = json_string_value(value);
	uint8_t			 i;

	for (i = 0; s != NULL && *s != '\0' && words[i] != NULL; i++) {
		if (strcmp(s, words[i]) == 0) {
			req->what = i;
			return 0;
		}
	}
	return -1;
}

/* Printable text that fits; the null sender alone may be empty. */
static int
text_parse(char *buf, size_t size, unsigned int has, const json_t *value)
{
	const char	*s = json_string_value(value);
	size_t		 i, len = json_string_length(value);

	if (s == NULL || len >= size || (len == 0 && has != HAS_FROM))
		return -1;
	for (i = 0; i < len; i++)
		if (s[i] == '\0' || (has != HAS_PASSWORD &&
		    ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)))
			return -1;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return 0;
}

/*
 * Terms, which become the lines of a selection. What they mean is the queue's
 * to say; a line feed in one would make it two.
 */
static int
select_parse(struct request *req, const json_t *value)
{
	const json_t	*term;
	size_t		 i, len = 0;

	if (json_array_size(value) == 0)
		return -1;
	json_array_foreach(value, i, term) {
		if (i > 0)
			req->select[len++] = '\n';
		if (text_parse(req->select + len, sizeof(req->select) - len,
		    HAS_SELECT, term) == -1)
			return -1;
		len += json_string_length(term);
		if (len + 1 >= sizeof(req->select) &&
		    i + 1 < json_array_size(value))
			return -1;
	}
	return 0;
}

/* Read one text; 0: there is no such member, or it is not right. */
static unsigned int
text_member(struct request *req, const char *key, const json_t *value,
    unsigned int takes, const char **reason)
{
	size_t	 i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if ((takes & texts[i].has) == 0 ||
		    strcmp(key, texts[i].name) != 0)
			continue;
		*reason = texts[i].reason;
		return text_parse((char *)req + texts[i].offset,
		    texts[i].size, texts[i].has, value) == 0 ?
		    texts[i].has : 0;
	}
	return 0;
}

/* Members that are no text, or text with a meaning here. */
static const struct {
	const char	*name;
	unsigned int	 has;
	int		 (*parse)(struct request *, const json_t *);
	const char	*reason;
} members[] = {
	{ "id", HAS_ID, id_parse, "not a queue id" },
	{ "all", HAS_ALL, all_parse, "\"all\" must be true" },
	{ "level", HAS_LEVEL, level_parse, "unknown log level" },
	{ "seconds", HAS_SECONDS, seconds_parse, "not a number of seconds" },
	{ "select", HAS_SELECT, select_parse, "not a selection" },
	{ "count", HAS_COUNT, count_parse, "\"count\" must be true" },
	{ "what", HAS_WHAT, what_parse, "unknown word in \"what\"" },
	{ "number", HAS_NUMBER, rule_parse, "not the number of a rule" }
};

/* Read one member; returns what was read (HAS_*), 0 when it is not right. */
static unsigned int
member_parse(struct request *req, const char *key, const json_t *value,
    const char **reason)
{
	unsigned int	 takes = commands[req->cmd].needs |
	    commands[req->cmd].one_of | commands[req->cmd].may;
	size_t		 i;

	*reason = "unknown member in the request";
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if ((takes & members[i].has) == 0 ||
		    strcmp(key, members[i].name) != 0)
			continue;
		*reason = members[i].reason;
		return members[i].parse(req, value) == 0 ?
		    members[i].has : 0;
	}
	return text_member(req, key, value, takes, reason);
}

/* Whether there is a name is for what is paused to say. */
static bool
is_named_right(const struct request *req)
{
	if (req->cmd != REQUEST_PAUSE && req->cmd != REQUEST_RESUME)
		return true;
	switch (req->what) {
	case PAUSE_ACCEPT:
		return req->name[0] == '\0';
	case PAUSE_RELAY:
		return true;
	default:
		return req->name[0] != '\0';
	}
}

/* Is what was given what the command needs? */
static int
complete(const struct request *req, unsigned int given)
{
	enum request_cmd	 cmd = req->cmd;
	unsigned int		 one = given & commands[cmd].one_of;

	if (!is_named_right(req))
		return 0;
	if ((given & commands[cmd].needs) != commands[cmd].needs)
		return 0;
	/* just one bit, where one is due */
	return commands[cmd].one_of == 0 ||
	    (one != 0 && (one & (one - 1)) == 0);
}

static int
object_parse(struct request *req, json_t *object, const char **reason)
{
	unsigned int	 given = 0, one;
	const char	*key;
	json_t		*value;

	*reason = "the request is not a JSON object";
	if (!json_is_object(object))
		return -1;
	*reason = "unknown command";
	if (cmd_parse(req, json_object_get(object, "cmd")) == -1)
		return -1;
	json_object_foreach(object, key, value) {
		if (strcmp(key, "cmd") == 0)
			continue;
		if ((one = member_parse(req, key, value, reason)) == 0)
			return -1;
		given |= one;
	}
	*reason = "a member of the request is missing, or one is too many";
	return complete(req, given) ? 0 : -1;
}

int
request_parse(struct request *req, const char *line, size_t len,
    const char **reason)
{
	json_error_t	 error;
	json_t		*object;
	int		 ret;

	memset(req, 0, sizeof(*req));
	if (len > REQUEST_MAX) {
		*reason = "the request is too long";
		return -1;
	}
	object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL) {
		*reason = "the request is not JSON";
		return -1;
	}
	ret = object_parse(req, object, reason);
	json_decref(object);
	if (ret == 0)
		*reason = NULL;
	return ret;
}
