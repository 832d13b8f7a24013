/* links: msad/control/request.c msad/control/answer.c */
/* libs: jansson */
/* Requests of the control socket, hostile ones too, and text in answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "common/ipc_types.h"
#include "msad/control/answer.h"
#include "msad/control/request.h"

/* In an allocation of its own, so that sanitizers see every overrun. */
static int
parse(struct request *req, const char *line, size_t len)
{
	const char	*reason = NULL;
	char		*copy = malloc(len + 1);
	int		 ret;

	memcpy(copy, line, len);
	ret = request_parse(req, copy, len, &reason);
	free(copy);
	if (ret == -1)
		assert_non_null(reason);
	else
		assert_null(reason);
	return ret;
}

static void
expect(const char *line, enum request_cmd cmd, uint64_t id, bool all,
    int level)
{
	struct request	 req;

	if (parse(&req, line, strlen(line)) == -1)
		fail_msg("refused: %s", line);
	assert_int_equal(req.cmd, cmd);
	assert_true(req.id == id);
	assert_int_equal(req.all, all);
	assert_int_equal(req.level, level);
}

static void
t_requests(void **state)
{
	(void)state;
	expect("{\"cmd\":\"show status\"}", REQUEST_STATUS, 0, false, 0);
	expect("{\"cmd\":\"show stats\"}\r", REQUEST_STATS, 0, false, 0);
	expect("{\"cmd\":\"queue list\"}", REQUEST_QUEUE_LIST, 0, false, 0);
	expect("{\"id\":\"1f\",\"cmd\":\"queue show\"}", REQUEST_QUEUE_SHOW,
	    0x1f, false, 0);
	expect("{\"id\":\"ffffffffffffffff\",\"cmd\":\"queue cat\"}",
	    REQUEST_QUEUE_CAT, UINT64_MAX, false, 0);
	expect("{\"cmd\":\"queue log\",\"id\":\"1\"}", REQUEST_QUEUE_LOG,
	    1, false, 0);
	expect("{\"cmd\":\"queue age\"}", REQUEST_QUEUE_AGE, 0, false, 0);
	expect("{\"cmd\":\"queue summary\"}", REQUEST_QUEUE_SUMMARY, 0,
	    false, 0);
	expect("{\"cmd\":\"queue rule list\"}", REQUEST_RULE_LIST, 0, false,
	    0);
	expect("{\"cmd\":\"queue rule remove\",\"all\":true}",
	    REQUEST_RULE_REMOVE, 0, true, 0);
	expect("{\"cmd\":\"show pauses\"}", REQUEST_PAUSES, 0, false, 0);
	expect("{\"cmd\":\"show limits\"}", REQUEST_LIMITS, 0, false, 0);
	expect("{\"cmd\":\"user limits\",\"user\":\"ann\"}",
	    REQUEST_USER_LIMITS, 0, false, 0);
	expect("{\"user\":\"a@x\",\"cmd\":\"limits reset\"}",
	    REQUEST_LIMITS_RESET, 0, false, 0);
	expect("{\"cmd\":\"limits reset\",\"tenant\":\"acme\"}",
	    REQUEST_LIMITS_RESET, 0, false, 0);
	expect("{\"cmd\":\"reload\"}", REQUEST_RELOAD, 0, false, 0);
	expect("{\"cmd\":\"log level\",\"level\":\"error\"}",
	    REQUEST_LOGLEVEL, 0, false, LOG_ERR);
	expect("{\"cmd\":\"log level\",\"level\":\"debug\"}",
	    REQUEST_LOGLEVEL, 0, false, LOG_DEBUG);
}

static void
t_refused(void **state)
{
	static const char *const lines[] = {
		"", " ", "{", "}", "{}", "[]", "null", "true", "1",
		"\"reload\"",
		"{\"cmd\":1}", "{\"cmd\":null}", "{\"cmd\":{}}",
		"{\"cmd\":\"\"}", "{\"cmd\":\"reload \"}",
		"{\"cmd\":\"RELOAD\"}", "{\"cmd\":\"reload\"}x",
		"{\"cmd\":\"reload\"}{\"cmd\":\"reload\"}",
		"{\"cmd\":\"reload\",\"cmd\":\"show status\"}",
		"{\"cmd\":\"reload\",\"id\":\"1\"}",
		"{\"cmd\":\"user limits\"}",
		"{\"cmd\":\"limits reset\",\"user\":\"\"}",
		"{\"cmd\":\"limits reset\",\"user\":1}",
		"{\"cmd\":\"limits reset\"}",
		"{\"cmd\":\"limits reset\",\"user\":\"a\",\"tenant\":\"b\"}",
		"{\"cmd\":\"limits reset\",\"user\":\"a\\n\"}",
		"{\"cmd\":\"show limits\",\"user\":\"ann\"}",
		"{\"cmd\":\"queue release\"}",
		"{\"cmd\":\"reload\",\"x\":1}",
		"{\"cmd\":\"reload\\u0000\"}",
		"{\"cmd\":\"reload\",}", "{'cmd':'reload'}",
		"{\"cmd\":\"queue list\",\"all\":true}",
		"{\"cmd\":\"queue show\"}",
		"{\"cmd\":\"queue show\",\"all\":true}",
		"{\"cmd\":\"queue show\",\"id\":1}",
		"{\"cmd\":\"queue show\",\"id\":\"\"}",
		"{\"cmd\":\"queue show\",\"id\":\"0\"}",
		"{\"cmd\":\"queue show\",\"id\":\"01\"}",
		"{\"cmd\":\"queue show\",\"id\":\"F\"}",
		"{\"cmd\":\"queue show\",\"id\":\"-1\"}",
		"{\"cmd\":\"queue show\",\"id\":\"1 \"}",
		"{\"cmd\":\"queue show\",\"id\":\"1\\u0000\"}",
		"{\"cmd\":\"queue show\",\"id\":\"10000000000000000\"}",
		"{\"cmd\":\"queue show\",\"id\":[\"1\"]}",
		"{\"cmd\":\"queue drop\"}",
		"{\"cmd\":\"queue drop\",\"all\":true}",
		"{\"cmd\":\"queue drop\",\"id\":\"1\"}",
		"{\"cmd\":\"queue remove\",\"all\":true}",
		"{\"cmd\":\"queue rule remove\"}",
		"{\"cmd\":\"queue rule remove\",\"all\":false}",
		"{\"cmd\":\"queue rule remove\",\"all\":1}",
		"{\"cmd\":\"queue rule remove\",\"all\":true,\"number\":1}",
		"{\"cmd\":\"queue rule remove\",\"number\":0}",
		"{\"cmd\":\"queue rule remove\",\"number\":4294967296}",
		"{\"cmd\":\"queue rule remove\",\"number\":\"1\"}",
		"{\"cmd\":\"log level\"}",
		"{\"cmd\":\"log level\",\"level\":7}",
		"{\"cmd\":\"log level\",\"level\":\"emerg\"}",
		"{\"cmd\":\"log level\",\"level\":\"info\",\"all\":true}",
		"{\"cmd\":\"\xff\xfe\"}", "\xef\xbb\xbf{\"cmd\":\"reload\"}",
		"{\"cmd\":\"\xed\xa0\x80\"}"
	};
	struct request	 req;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(&req, lines[i], strlen(lines[i])) != -1)
			fail_msg("taken: %s", lines[i]);
}

static void
take(struct request *req, const char *line)
{
	if (parse(req, line, strlen(line)) == -1)
		fail_msg("refused: %s", line);
}

/* Requests about logins: each text in its place, the others empty. */
static void
t_logins(void **state)
{
	struct request	 req;

	(void)state;
	take(&req, "{\"cmd\":\"ban\",\"network\":\"192.0.2.0/24\","
	    "\"seconds\":600}");
	assert_int_equal(req.cmd, REQUEST_BAN);
	assert_string_equal(req.network, "192.0.2.0/24");
	assert_int_equal(req.seconds, 600);
	assert_string_equal(req.address, "");
	take(&req, "{\"cmd\":\"ban\",\"network\":\"::1\"}");
	assert_int_equal(req.seconds, 0);
	take(&req, "{\"cmd\":\"unban\",\"all\":true}");
	assert_true(req.all);
	take(&req, "{\"cmd\":\"auth flush\",\"user\":\"\u00e9\"}");
	assert_string_equal(req.user, "\xc3\xa9");
	take(&req, "{\"cmd\":\"grant\",\"address\":\"::1\",\"user\":\"a\","
	    "\"seconds\":1,\"block\":\"sys\"}");
	assert_string_equal(req.block, "sys");
	take(&req, "{\"cmd\":\"test auth\",\"user\":\"a\","
	    "\"password\":\" \\t\\u0001\"}");
	assert_string_equal(req.password, " \t\001");
	take(&req, "{\"cmd\":\"test session\",\"address\":\"::1\","
	    "\"user\":\"a\",\"from\":\"\",\"to\":\"b@c\"}");
	assert_string_equal(req.from, "");
	assert_string_equal(req.to, "b@c");
}

static void
t_logins_refused(void **state)
{
	static const char *const lines[] = {
		"{\"cmd\":\"ban\"}", "{\"cmd\":\"ban\",\"all\":true}",
		"{\"cmd\":\"ban\",\"network\":\"\"}",
		"{\"cmd\":\"ban\",\"network\":[\"::1\"]}",
		"{\"cmd\":\"ban\",\"network\":\"a\\u0000\"}",
		"{\"cmd\":\"ban\",\"network\":\"a\\n\"}",
		"{\"cmd\":\"ban\",\"network\":\"a\\u007f\"}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"seconds\":0}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"seconds\":-1}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"seconds\":1.0}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"seconds\":\"1\"}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"seconds\":4294967296}",
		"{\"cmd\":\"ban\",\"network\":\"a\",\"user\":\"b\"}",
		"{\"cmd\":\"unban\"}",
		"{\"cmd\":\"unban\",\"all\":true,\"network\":\"a\"}",
		"{\"cmd\":\"auth flush\"}",
		"{\"cmd\":\"auth flush\",\"user\":\"\"}",
		"{\"cmd\":\"show users\",\"user\":\"a\"}",
		"{\"cmd\":\"grant\",\"address\":\"a\",\"user\":\"b\"}",
		"{\"cmd\":\"grant\",\"user\":\"b\",\"seconds\":1}",
		"{\"cmd\":\"grant remove\"}",
		"{\"cmd\":\"test auth\",\"user\":\"a\"}",
		"{\"cmd\":\"test auth\",\"user\":\"a\",\"password\":\"\"}",
		"{\"cmd\":\"test auth\",\"user\":\"a\","
		    "\"password\":\"x\\u0000\"}",
		"{\"cmd\":\"test session\",\"address\":\"a\",\"user\":\"b\","
		    "\"from\":\"c\",\"to\":\"\"}",
		"{\"cmd\":\"test session\",\"address\":\"a\",\"user\":\"b\","
		    "\"to\":\"c\"}"
	};
	struct request	 req;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(&req, lines[i], strlen(lines[i])) != -1)
			fail_msg("taken: %s", lines[i]);
}

/* Selections: each term a line, and not more than the queue takes. */
static void
t_selections(void **state)
{
	struct request	 req;

	(void)state;
	take(&req, "{\"cmd\":\"queue list\",\"select\":[\"user ann\","
	    "\"age <1d\"]}");
	assert_int_equal(req.cmd, REQUEST_QUEUE_LIST);
	assert_string_equal(req.select, "user ann\nage <1d");
	assert_false(req.count);
	take(&req, "{\"cmd\":\"queue list\"}");
	assert_string_equal(req.select, "");
	take(&req, "{\"cmd\":\"queue drop\",\"select\":[\"all\"],"
	    "\"count\":true}");
	assert_true(req.count);
	take(&req, "{\"cmd\":\"queue fail\",\"select\":[\"id 1\"],"
	    "\"reason\":\"gone\"}");
	assert_string_equal(req.reason, "gone");
	take(&req, "{\"cmd\":\"queue reroute\",\"select\":[\"id 1\"],"
	    "\"to\":\"smart\"}");
	assert_string_equal(req.to, "smart");
	take(&req, "{\"cmd\":\"queue summary\",\"what\":\"from\"}");
	assert_int_equal(req.what, GROUP_FROM);
	take(&req, "{\"cmd\":\"queue rule add\",\"what\":\"reject\","
	    "\"select\":[\"user ann\"],\"seconds\":60}");
	assert_int_equal(req.what, RULE_REJECT);
	take(&req, "{\"cmd\":\"queue rule remove\",\"number\":7}");
	assert_int_equal(req.number, 7);
	take(&req, "{\"cmd\":\"pause\",\"what\":\"accept\"}");
	assert_int_equal(req.what, PAUSE_ACCEPT);
	take(&req, "{\"cmd\":\"pause\",\"what\":\"relay\"}");
	assert_int_equal(req.what, PAUSE_RELAY);
	take(&req, "{\"cmd\":\"resume\",\"what\":\"tenant\","
	    "\"name\":\"acme\"}");
	assert_int_equal(req.what, PAUSE_TENANT);
	assert_string_equal(req.name, "acme");
}

static void
t_selections_refused(void **state)
{
	static const char *const lines[] = {
		"{\"cmd\":\"queue list\",\"select\":[]}",
		"{\"cmd\":\"queue list\",\"select\":\"all\"}",
		"{\"cmd\":\"queue list\",\"select\":{\"user\":\"ann\"}}",
		"{\"cmd\":\"queue list\",\"select\":[\"\"]}",
		"{\"cmd\":\"queue list\",\"select\":[1]}",
		"{\"cmd\":\"queue list\",\"select\":[\"a\",null]}",
		"{\"cmd\":\"queue list\",\"select\":[\"user a\\nall\"]}",
		"{\"cmd\":\"queue list\",\"select\":[\"user a\\u0000\"]}",
		"{\"cmd\":\"queue list\",\"select\":[\"all\"],\"count\":true}",
		"{\"cmd\":\"queue show\",\"id\":\"1\",\"select\":[\"all\"]}",
		"{\"cmd\":\"queue hold\",\"select\":[\"all\"],\"count\":false}",
		"{\"cmd\":\"queue hold\",\"count\":true}",
		"{\"cmd\":\"queue release\",\"select\":[\"all\"],"
		    "\"reason\":\"x\"}",
		"{\"cmd\":\"queue fail\",\"select\":[\"all\"],"
		    "\"reason\":\"\"}",
		"{\"cmd\":\"queue fail\",\"select\":[\"all\"],"
		    "\"reason\":\"a\\r\\nb\"}",
		"{\"cmd\":\"queue reroute\",\"select\":[\"all\"]}",
		"{\"cmd\":\"queue reroute\",\"to\":\"x\"}",
		"{\"cmd\":\"queue reroute\",\"select\":[\"all\"],\"to\":\"\"}",
		"{\"cmd\":\"queue summary\",\"what\":\"size\"}",
		"{\"cmd\":\"queue summary\",\"what\":\"\"}",
		"{\"cmd\":\"queue summary\",\"what\":1}",
		"{\"cmd\":\"queue rule add\",\"what\":\"hold\","
		    "\"select\":[\"all\"]}",
		"{\"cmd\":\"queue rule add\",\"what\":\"\",\"seconds\":1,"
		    "\"select\":[\"all\"]}",
		"{\"cmd\":\"queue rule add\",\"what\":\"hold\","
		    "\"seconds\":1}",
		"{\"cmd\":\"queue rule add\",\"seconds\":1,"
		    "\"select\":[\"all\"]}",
		"{\"cmd\":\"pause\"}",
		"{\"cmd\":\"pause\",\"what\":\"hold\"}",
		"{\"cmd\":\"pause\",\"what\":\"accept\",\"name\":\"x\"}",
		"{\"cmd\":\"pause\",\"what\":\"domain\"}",
		"{\"cmd\":\"resume\",\"what\":\"tenant\"}",
		"{\"cmd\":\"resume\",\"what\":\"relay\",\"seconds\":1}"
	};
	struct request	 req;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(&req, lines[i], strlen(lines[i])) != -1)
			fail_msg("taken: %s", lines[i]);
}

/* The text of a selection up to its bound, in one term and in many. */
static void
t_selection_bounds(void **state)
{
	static char	 line[REQUEST_MAX], text[SELECTION_TEXT_MAX + 2];
	struct request	 req;
	size_t		 n, used, i;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (n = SELECTION_TEXT_MAX - 3; n < SELECTION_TEXT_MAX + 2; n++) {
		snprintf(line, sizeof(line), "{\"cmd\":\"queue list\","
		    "\"select\":[\"%.*s\"]}", (int)n, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= SELECTION_TEXT_MAX ? 0 : -1);
		/* "a", then the rest, then one octet more */
		snprintf(line, sizeof(line), "{\"cmd\":\"queue list\","
		    "\"select\":[\"a\",\"%.*s\"]}", (int)n - 2, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= SELECTION_TEXT_MAX ? 0 : -1);
		snprintf(line, sizeof(line), "{\"cmd\":\"queue list\","
		    "\"select\":[\"%.*s\",\"a\"]}", (int)n - 2, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= SELECTION_TEXT_MAX ? 0 : -1);
	}
	for (n = 3998; n < 4004; n++) {
		used = (size_t)snprintf(line, sizeof(line),
		    "{\"cmd\":\"queue list\",\"select\":[\"a\"");
		for (i = 1; i < n; i++)
			used += (size_t)snprintf(line + used,
			    sizeof(line) - used, ",\"%c\"", 'a');
		used += (size_t)snprintf(line + used, sizeof(line) - used,
		    "]}");
		if (used < sizeof(line))
			assert_int_equal(parse(&req, line, used),
			    n * 2 - 1 <= SELECTION_TEXT_MAX ? 0 : -1);
	}
}

/* Each text up to its bound, and no octet more. */
static void
t_bounds(void **state)
{
	char		 line[2048], text[1100];
	struct request	 req;
	size_t		 n;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (n = 1; n < 1100; n++) {
		snprintf(line, sizeof(line), "{\"cmd\":\"test auth\","
		    "\"user\":\"u\",\"password\":\"%.*s\"}", (int)n, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= 1024 ? 0 : -1);
		snprintf(line, sizeof(line), "{\"cmd\":\"auth flush\","
		    "\"user\":\"%.*s\"}", (int)n, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= 255 ? 0 : -1);
		snprintf(line, sizeof(line), "{\"cmd\":\"user limits\","
		    "\"user\":\"%.*s\"}", (int)n, text);
		assert_int_equal(parse(&req, line, strlen(line)),
		    n <= REQUEST_USER_MAX ? 0 : -1);
	}
}

/* Deep nesting, a NUL, a line at the bound and one above it. */
static void
t_hostile(void **state)
{
	const char	 start[] = "{\"cmd\":\"reload\"";
	char		 line[REQUEST_MAX + 1];
	struct request	 req;

	(void)state;
	memset(line, '[', sizeof(line));
	assert_int_equal(parse(&req, line, REQUEST_MAX), -1);
	memset(line, ' ', sizeof(line));
	memcpy(line, start, sizeof(start) - 1);
	line[REQUEST_MAX - 1] = '}';
	assert_int_equal(parse(&req, line, REQUEST_MAX), 0);
	line[REQUEST_MAX - 1] = ' ';
	line[REQUEST_MAX] = '}';
	assert_int_equal(parse(&req, line, REQUEST_MAX + 1), -1);
	assert_int_equal(parse(&req, "{\"cmd\":\"reload\"}\0", 17), -1);
	assert_int_equal(parse(&req, "\0{\"cmd\":\"reload\"}", 17), -1);
}

static void
text(const char *in, size_t len, const char *out)
{
	json_t	*value = answer_text(SLICE(in, len));

	assert_non_null(value);
	assert_string_equal(json_string_value(value), out);
	assert_int_equal(json_string_length(value), strlen(out));
	json_decref(value);
}

#define TEXT(in, out)	text((in), sizeof(in) - 1, (out))
#define R		"\xef\xbf\xbd"

/* Octets that are not UTF-8 are replaced one by one, the rest is kept. */
static void
t_text(void **state)
{
	(void)state;
	TEXT("", "");
	TEXT("550 5.1.1 no", "550 5.1.1 no");
	TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7",
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xa7");
	TEXT("a\xff" "b", "a" R "b");
	TEXT("\xc3", R);
	TEXT("\xc3\x28", R "(");
	TEXT("\xc0\xaf", R R);
	TEXT("\xe0\x80\xaf", R R R);
	TEXT("\xed\xa0\x80", R R R);
	TEXT("\xf4\x90\x80\x80", R R R R);
	TEXT("\xf0\x9f\x93", R R R);
	TEXT("\x80\xbf", R R);
	TEXT("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf");
	TEXT("\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80");
}

static void
t_numbers(void **state)
{
	json_t	*value;

	(void)state;
	value = answer_number(UINT64_MAX);
	assert_true(json_integer_value(value) == INT64_MAX);
	json_decref(value);
	value = answer_id(UINT64_MAX);
	assert_string_equal(json_string_value(value), "ffffffffffffffff");
	json_decref(value);
	value = answer_id(0xa0);
	assert_string_equal(json_string_value(value), "a0");
	json_decref(value);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(t_requests),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_logins),
		cmocka_unit_test(t_logins_refused),
		cmocka_unit_test(t_selections),
		cmocka_unit_test(t_selections_refused),
		cmocka_unit_test(t_selection_bounds),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_hostile),
		cmocka_unit_test(t_text),
		cmocka_unit_test(t_numbers)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
