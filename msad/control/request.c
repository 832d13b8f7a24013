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
#include <string.h>
#include <syslog.h>

#include "msad/control/request.h"

/* The members that a command takes beside "cmd". */
#define TAKES_ID	0x01	/* "id": text, needed */
#define TAKES_ALL	0x02	/* "all": true, in place of "id" */
#define TAKES_LEVEL	0x04	/* "level": text, needed */

static const struct {
	const char	*name;
	unsigned int	 takes;
} commands[REQUEST_CMDS] = {
	[REQUEST_STATUS] = { "show status", 0 },
	[REQUEST_STATS] = { "show stats", 0 },
	[REQUEST_QUEUE_LIST] = { "queue list", 0 },
	[REQUEST_QUEUE_SHOW] = { "queue show", TAKES_ID },
	[REQUEST_QUEUE_FLUSH] = { "queue flush", TAKES_ID | TAKES_ALL },
	[REQUEST_QUEUE_REMOVE] = { "queue remove", TAKES_ID | TAKES_ALL },
	[REQUEST_RELOAD] = { "reload", 0 },
	[REQUEST_LOGLEVEL] = { "log level", TAKES_LEVEL }
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

/* Read one member; returns what was read (TAKES_*), 0 when it is not right. */
static unsigned int
member_parse(struct request *req, const char *key, const json_t *value,
    const char **reason)
{
	unsigned int	 takes = commands[req->cmd].takes;

	*reason = "unknown member in the request";
	if (takes & TAKES_ID && strcmp(key, "id") == 0) {
		*reason = "not a queue id";
		return id_parse(req, value) == 0 ? TAKES_ID : 0;
	}
	if (takes & TAKES_ALL && strcmp(key, "all") == 0) {
		*reason = "\"all\" must be true";
		req->all = json_is_true(value);
		return req->all ? TAKES_ALL : 0;
	}
	if (takes & TAKES_LEVEL && strcmp(key, "level") == 0) {
		*reason = "unknown log level";
		return level_parse(req, value) == 0 ? TAKES_LEVEL : 0;
	}
	return 0;
}

/* Is what was given what the command needs? */
static int
complete(enum request_cmd cmd, unsigned int given)
{
	unsigned int	 takes = commands[cmd].takes;

	if (takes == (TAKES_ID | TAKES_ALL))
		return given == TAKES_ID || given == TAKES_ALL;
	return given == takes;
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
	return complete(req->cmd, given) ? 0 : -1;
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
