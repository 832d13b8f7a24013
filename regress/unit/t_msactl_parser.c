/* links: msactl/parser.c */
/* The words of msactl's command line: abbreviations, ids, usage errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "msactl/parser.h"

static char	 error[512];

/* Parse words that are apart by a blank; the result of command_parse(). */
static int
parse(struct command *cmd, const char *line)
{
	static char	 copy[256];
	char		*words[8], *p = copy, *w;
	int		 n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((w = strsep(&p, " ")) != NULL)
		words[n++] = w;
	error[0] = '\0';
	return command_parse(cmd, n, words, error, sizeof(error));
}

static void
expect(const char *line, enum action action, bool all, const char *id)
{
	struct command	 cmd;

	if (parse(&cmd, line) == -1)
		fail_msg("%s: %s", line, error);
	assert_int_equal(cmd.action, action);
	assert_int_equal(cmd.all, all);
	assert_string_equal(cmd.id, id);
}

static void
t_commands(void **state)
{
	(void)state;
	expect("show status", ACTION_STATUS, false, "");
	expect("show stats", ACTION_STATS, false, "");
	expect("queue list", ACTION_QUEUE_LIST, false, "");
	expect("queue show 1a2b", ACTION_QUEUE_SHOW, false, "1a2b");
	expect("queue flush", ACTION_QUEUE_FLUSH, true, "");
	expect("queue flush all", ACTION_QUEUE_FLUSH, true, "");
	expect("queue flush f", ACTION_QUEUE_FLUSH, false, "f");
	expect("queue remove all", ACTION_QUEUE_REMOVE, true, "");
	expect("queue remove ffffffffffffffff", ACTION_QUEUE_REMOVE, false,
	    "ffffffffffffffff");
	expect("queue release all", ACTION_QUEUE_RELEASE, true, "");
	expect("queue release 1", ACTION_QUEUE_RELEASE, false, "1");
	expect("show limits", ACTION_LIMITS, false, "");
	expect("reload", ACTION_RELOAD, false, "");
	expect("monitor", ACTION_MONITOR, false, "");
}

static void
t_abbreviations(void **state)
{
	(void)state;
	expect("q l", ACTION_QUEUE_LIST, false, "");
	expect("s statu", ACTION_STATUS, false, "");
	expect("sho stats", ACTION_STATS, false, "");
	expect("q rem 1", ACTION_QUEUE_REMOVE, false, "1");
	expect("m", ACTION_MONITOR, false, "");
	/* "a" is an id, never "all" */
	expect("queue remove a", ACTION_QUEUE_REMOVE, false, "a");
}

static void
t_levels(void **state)
{
	struct command	 cmd;

	(void)state;
	assert_int_equal(parse(&cmd, "log level d"), 0);
	assert_int_equal(cmd.action, ACTION_LOGLEVEL);
	assert_string_equal(cmd.level, "debug");
	assert_int_equal(parse(&cmd, "log level warning"), 0);
	assert_string_equal(cmd.level, "warning");
	assert_int_equal(parse(&cmd, "log level loud"), -1);
	assert_non_null(strstr(error, "error warning notice info debug"));
}

static void
t_ids(void **state)
{
	(void)state;
	expect("queue show 00ABCDEF", ACTION_QUEUE_SHOW, false, "abcdef");
	expect("queue show 0000000000000000000000001", ACTION_QUEUE_SHOW,
	    false, "1");
}

static void
t_refused(void **state)
{
	static const char *const lines[] = {
		"", "queue", "show", "log", "log level", "queue show",
		"queue remove", "show stat", "show statuses", "queue lists",
		"queue list x", "reload now", "queue show 0", "queue show g",
		"queue show 1g", "queue show all", "queue remove al",
		"queue remove ALL", "queue show 11111111111111111",
		"queue show 1 2", "queue flush all 1", "monitor 3", "queue -1",
		"x", "queue show  1", "queue  list", "queue show 0x1"
	};
	struct command	 cmd;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(&cmd, lines[i]) != -1)
			fail_msg("taken: \"%s\"", lines[i]);
		assert_true(strlen(error) > 0);
	}
}

/* Whatever stands for a user is one. */
static void
t_users(void **state)
{
	static const char *const names[] = { "ann", "ann@x", "all", "1", "-" };
	struct command	 cmd;
	char		 line[64];
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "user limits %s", names[i]);
		assert_int_equal(parse(&cmd, line), 0);
		assert_int_equal(cmd.action, ACTION_USER_LIMITS);
		assert_string_equal(cmd.text[TEXT_USER], names[i]);
		snprintf(line, sizeof(line), "limits reset %s", names[i]);
		assert_int_equal(parse(&cmd, line), 0);
		assert_int_equal(cmd.action, ACTION_LIMITS_RESET);
		assert_string_equal(cmd.text[TEXT_USER], names[i]);
	}
	assert_int_equal(parse(&cmd, "user limits"), -1);
	assert_int_equal(parse(&cmd, "user limits "), -1);
	assert_int_equal(parse(&cmd, "limits reset ann ann"), -1);
}

/* What could stand there is said, and what is ambiguous called so. */
static void
t_errors(void **state)
{
	struct command	 cmd;

	(void)state;
	parse(&cmd, "queue x");
	assert_string_equal(error,
	    "unknown word: x; expected: list show flush remove "
	    "release");
	parse(&cmd, "show s");
	assert_string_equal(error,
	    "more than one reading: s; expected: status stats limits users "
	    "bans grants");
	parse(&cmd, "queue remove");
	assert_string_equal(error, "a word is missing; expected: all ID");
	parse(&cmd, "reload now");
	assert_string_equal(error, "one word too many: now");
}

static void
texts(const char *line, enum action action, const char *const *want,
    unsigned int seconds)
{
	struct command	 cmd;
	unsigned int	 i;

	if (parse(&cmd, line) == -1)
		fail_msg("%s: %s", line, error);
	assert_int_equal(cmd.action, action);
	assert_int_equal(cmd.seconds, seconds);
	for (i = 0; i < TEXT_MAX; i++) {
		if (want[i] == NULL)
			assert_null(cmd.text[i]);
		else
			assert_string_equal(cmd.text[i], want[i]);
	}
}

/* Words of logins: free text, times, and what may be left out. */
static void
t_logins(void **state)
{
	(void)state;
#define W(...)	(const char *const [TEXT_MAX]){ __VA_ARGS__ }
	texts("show users", ACTION_USERS, W(NULL), 0);
	texts("sh b", ACTION_BANS, W(NULL), 0);
	texts("ban 192.0.2.0/24", ACTION_BAN,
	    W([TEXT_NETWORK] = "192.0.2.0/24"), 0);
	texts("ban 2001:db8::1 for 10m", ACTION_BAN,
	    W([TEXT_NETWORK] = "2001:db8::1"), 600);
	texts("unban x", ACTION_UNBAN, W([TEXT_NETWORK] = "x"), 0);
	texts("auth flush ann", ACTION_AUTH_FLUSH, W([TEXT_USER] = "ann"), 0);
	texts("grant 192.0.2.1 as ann for 90s", ACTION_GRANT,
	    W([TEXT_ADDRESS] = "192.0.2.1", [TEXT_USER] = "ann"), 90);
	texts("g 192.0.2.1 a ann b sys f 1d", ACTION_GRANT,
	    W([TEXT_ADDRESS] = "192.0.2.1", [TEXT_USER] = "ann",
	    [TEXT_BLOCK] = "sys"), 86400);
	texts("grant remove ::1", ACTION_UNGRANT,
	    W([TEXT_ADDRESS] = "::1"), 0);
	texts("test auth ann", ACTION_TEST_AUTH, W([TEXT_USER] = "ann"), 0);
	texts("test auth ann sys", ACTION_TEST_AUTH,
	    W([TEXT_USER] = "ann", [TEXT_BLOCK] = "sys"), 0);
	texts("test auth ann from ::1", ACTION_TEST_AUTH,
	    W([TEXT_USER] = "ann", [TEXT_ADDRESS] = "::1"), 0);
	texts("test auth ann sys from ::1", ACTION_TEST_AUTH,
	    W([TEXT_USER] = "ann", [TEXT_BLOCK] = "sys",
	    [TEXT_ADDRESS] = "::1"), 0);
	texts("test session ::1 ann a@b c@d", ACTION_TEST_SESSION,
	    W([TEXT_ADDRESS] = "::1", [TEXT_USER] = "ann",
	    [TEXT_FROM] = "a@b", [TEXT_TO] = "c@d"), 0);
	/* the null sender is an empty word */
	texts("test session ::1 ann  c@d sys", ACTION_TEST_SESSION,
	    W([TEXT_ADDRESS] = "::1", [TEXT_USER] = "ann", [TEXT_FROM] = "",
	    [TEXT_TO] = "c@d", [TEXT_BLOCK] = "sys"), 0);
#undef W
	expect("unban all", ACTION_UNBAN, true, "");
	expect("auth flush", ACTION_AUTH_FLUSH, true, "");
}

static void
t_logins_refused(void **state)
{
	static const char *const lines[] = {
		"ban", "ban ", "ban x for", "ban x for 0s", "ban x for 5",
		"ban x for m", "ban x for 5y", "ban x for -5m", "ban x for 5mm",
		"ban x for 4294967296s", "ban x for 100000d", "ban x 5m",
		"unban", "unban ", "unban all all", "auth", "auth flush a b",
		"grant", "grant x", "grant x as", "grant x as y",
		"grant x as y for", "grant x as  for 1m", "grant x as y block",
		"grant x as y block b", "grant remove", "grant remove a b",
		"test", "test auth", "test auth a b c", "test auth a from",
		"test session a b c", "test session a b c d e f",
		"test session  b c d", "test session a b c "
	};
	struct command	 cmd;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (parse(&cmd, lines[i]) != -1)
			fail_msg("taken: \"%s\"", lines[i]);
}

/* A long word is cut in the message, not behind its end. */
static void
t_long(void **state)
{
	char		 word[4096], small[32];
	char		*words[] = { word };
	struct command	 cmd;

	(void)state;
	memset(word, 'q', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(command_parse(&cmd, 1, words, small, sizeof(small)),
	    -1);
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(t_commands),
		cmocka_unit_test(t_abbreviations),
		cmocka_unit_test(t_levels),
		cmocka_unit_test(t_ids),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_users),
		cmocka_unit_test(t_errors),
		cmocka_unit_test(t_logins),
		cmocka_unit_test(t_logins_refused),
		cmocka_unit_test(t_long)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
