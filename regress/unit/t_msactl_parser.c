/* links: msactl/parser.c msactl/picked.c */
/* The words of msactl's command line: abbreviations, ids, usage errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/selection.h"

#include "msactl/parser.h"

static char	 error[512];

/*
 * Parse words that are apart by a blank; the result of command_parse(). What
 * the last one selected is freed.
 */
static int
parse(struct command *cmd, const char *line)
{
	static struct command	 last;
	static char		 copy[256];
	char			*words[32], *p = copy, *w;
	int			 ret, n = 0;

	command_free(&last);
	snprintf(copy, sizeof(copy), "%s", line);
	while ((w = strsep(&p, " ")) != NULL)
		words[n++] = w;
	error[0] = '\0';
	ret = command_parse(cmd, n, words, error, sizeof(error));
	last = *cmd;
	return ret;
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
	expect("queue cat 1a2b", ACTION_QUEUE_CAT, false, "1a2b");
	expect("queue log 1a2b", ACTION_QUEUE_LOG, false, "1a2b");
	expect("queue rule list", ACTION_RULE_LIST, false, "");
	expect("queue rule remove all", ACTION_RULE_REMOVE, true, "");
	expect("show pauses", ACTION_PAUSES, false, "");
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
	expect("q sh 1", ACTION_QUEUE_SHOW, false, "1");
	expect("q lo 1", ACTION_QUEUE_LOG, false, "1");
	expect("m", ACTION_MONITOR, false, "");
	expect("rel", ACTION_RELOAD, false, "");
	expect("q ru l", ACTION_RULE_LIST, false, "");
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
		"queue list x", "reload now", "queue hold", "queue release",
		"queue drop", "queue expire", "queue fail", "queue reroute",
		"queue age x", "queue cat", "queue cat all", "queue log 1 2",
		"queue list user", "queue list all all 1", "queue list all 1",
		"queue list all user ann", "queue list all -",
		"queue list state", "queue list state x", "queue list state f",
		"queue list id 0", "queue list id x", "queue list age 1",
		"queue list age 1y", "queue list size x", "queue list size 1T",
		"queue list domain a@b", "queue list nonsense 1",
		"queue hold user ", "queue hold user ann reason",
		"queue hold reason x", "queue fail reason x",
		"queue fail user ann because x", "queue release 1 reason x",
		"queue reroute 1", "queue reroute to smart",
		"queue reroute 1 to", "queue reroute 1 to smart 2",
		"queue reroute to bob to", "queue reroute all smart",
		"queue summary x", "queue summary relay x", "queue rule",
		"queue rule add", "queue rule add drop user ann for 1h",
		"queue rule add hold user ann", "queue rule add hold for 1h",
		"queue rule add hold user ann for",
		"queue rule add hold user ann for 1",
		"queue rule add hold user ann for 1h reason",
		"queue rule add hold 1 for 1h",
		"queue rule add hold age 1d for 1h",
		"queue rule add hold state held for 1h",
		"queue rule add hold error x for 1h", "queue rule remove",
		"queue rule remove x", "queue rule remove 0",
		"queue rule remove 1 2", "queue rule list 1", "pause",
		"pause x", "pause domain", "pause tenant", "pause domain a b",
		"pause accept x", "pause accept for", "pause relay a b",
		"pause relay for", "resume", "resume domain",
		"resume relay a for 1h", "resume accept for 1h", "q s", "q r",
		"show pauses 1", "queue show 0", "queue show g",
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

/* What a line selects, as the queue gets it; | stands for a line feed. */
static void
picks(const char *line, enum action action, const char *want)
{
	struct selection	 sel;
	struct command		 cmd;
	char			 err[256], *text, *p;
	size_t			 pos = 0;

	if (parse(&cmd, line) == -1)
		fail_msg("%s: %s", line, error);
	assert_int_equal(cmd.action, action);
	assert_true(picked_any(&cmd.picked));
	text = picked_batch(&cmd.picked, &pos);
	assert_int_equal(selection_parse(&sel, SLICE_STR(text), err,
	    sizeof(err)), 0);
	selection_free(&sel);
	for (p = text; *p != '\0'; p++)
		if (*p == '\n')
			*p = '|';
	assert_string_equal(text, want);
	free(text);
	assert_null(picked_batch(&cmd.picked, &pos));
}

static void
t_selections(void **state)
{
	struct command	 cmd;

	(void)state;
	assert_int_equal(parse(&cmd, "queue list"), 0);
	assert_false(picked_any(&cmd.picked));
	picks("q l u ann", ACTION_QUEUE_LIST, "user ann");
	picks("queue age domain example.net", ACTION_QUEUE_AGE,
	    "domain example.net");
	picks("queue flush", ACTION_QUEUE_FLUSH, "all");
	picks("queue flush all", ACTION_QUEUE_FLUSH, "all");
	picks("queue flush f", ACTION_QUEUE_FLUSH, "id f");
	picks("queue remove all", ACTION_QUEUE_DROP, "all");
	picks("q rem 1", ACTION_QUEUE_DROP, "id 1");
	picks("queue drop FFFFFFFFFFFFFFFF id 00A 1", ACTION_QUEUE_DROP,
	    "id ffffffffffffffff|id a|id 1");
	/* "a" is an id, never "all" nor "age" */
	picks("queue drop a", ACTION_QUEUE_DROP, "id a");
	picks("queue hold user ann age 1d 1a2b domain x.example state h",
	    ACTION_QUEUE_HOLD,
	    "user ann|age 1d|domain x.example|state held|id 1a2b");
	picks("queue release st def si <1M er refused", ACTION_QUEUE_RELEASE,
	    "state deferred|size <1M|error refused");
	picks("queue expire from <> from a*b te acme", ACTION_QUEUE_EXPIRE,
	    "from <>|from a*b|tenant acme");
	/* values are no keys */
	picks("queue list user to to user", ACTION_QUEUE_LIST,
	    "user to|to user");
}

static void
t_steering(void **state)
{
	struct command	 cmd;

	(void)state;
	picks("queue fail 1 reason gone", ACTION_QUEUE_FAIL, "id 1");
	assert_int_equal(parse(&cmd, "queue fail 1 reason gone"), 0);
	assert_string_equal(cmd.text[TEXT_REASON], "gone");
	assert_int_equal(parse(&cmd, "queue hold all"), 0);
	assert_null(cmd.text[TEXT_REASON]);
	picks("queue reroute to bob@x.example to smart", ACTION_QUEUE_REROUTE,
	    "to bob@x.example");
	assert_int_equal(parse(&cmd, "queue reroute relay a to b"), 0);
	assert_string_equal(cmd.text[TEXT_TO], "b");
	assert_true(command_steers(cmd.action));
	/* ids alone from standard input; nothing is read here */
	assert_int_equal(parse(&cmd, "queue drop - user ann"), 0);
	assert_true(cmd.picked.input);
	assert_int_equal(cmd.picked.nterms, 1);
	assert_int_equal(parse(&cmd, "queue list"), 0);
	assert_false(command_steers(cmd.action));
	assert_int_equal(parse(&cmd, "queue summary"), 0);
	assert_null(cmd.text[TEXT_WHAT]);
	assert_int_equal(parse(&cmd, "q su d"), 0);
	assert_string_equal(cmd.text[TEXT_WHAT], "domain");
}

static void
t_rules(void **state)
{
	struct command	 cmd;

	(void)state;
	picks("queue rule add hold user ann size 1M for 2h", ACTION_RULE_ADD,
	    "user ann|size 1M");
	picks("queue rule add hold all for 1h", ACTION_RULE_ADD, "all");
	assert_int_equal(parse(&cmd,
	    "q ru a rej domain x.example for 1w reason no"), 0);
	assert_string_equal(cmd.text[TEXT_WHAT], "reject");
	assert_string_equal(cmd.text[TEXT_REASON], "no");
	assert_int_equal(cmd.seconds, 604800);
	assert_int_equal(parse(&cmd, "queue rule remove 12"), 0);
	assert_int_equal(cmd.action, ACTION_RULE_REMOVE);
	assert_int_equal(cmd.number, 12);
}

static void
pauses(const char *line, enum action action, const char *what,
    const char *name, unsigned int seconds)
{
	struct command	 cmd;

	if (parse(&cmd, line) == -1)
		fail_msg("%s: %s", line, error);
	assert_int_equal(cmd.action, action);
	assert_string_equal(cmd.text[TEXT_WHAT], what);
	if (name == NULL)
		assert_null(cmd.text[TEXT_NAME]);
	else
		assert_string_equal(cmd.text[TEXT_NAME], name);
	assert_int_equal(cmd.seconds, seconds);
}

static void
t_pauses(void **state)
{
	(void)state;
	pauses("pause accept", ACTION_PAUSE, "accept", NULL, 0);
	pauses("p a f 10m", ACTION_PAUSE, "accept", NULL, 600);
	pauses("pause relay", ACTION_PAUSE, "relay", NULL, 0);
	pauses("pause relay smart", ACTION_PAUSE, "relay", "smart", 0);
	pauses("pause relay for 1h", ACTION_PAUSE, "relay", NULL, 3600);
	pauses("pause relay smart for 1h", ACTION_PAUSE, "relay", "smart",
	    3600);
	pauses("pause domain x.example", ACTION_PAUSE, "domain", "x.example",
	    0);
	pauses("pause tenant for for 1h", ACTION_PAUSE, "tenant", "for", 3600);
	pauses("resume relay", ACTION_RESUME, "relay", NULL, 0);
	pauses("res t acme", ACTION_RESUME, "tenant", "acme", 0);
	pauses("resume accept", ACTION_RESUME, "accept", NULL, 0);
}

/* Ids from a stream, each once, in order and in batches that fit. */
static void
t_batches(void **state)
{
	struct selection	 sel;
	struct picked		 p = { 0 };
	char			*text, err[256];
	uint64_t		 next = 1;
	size_t			 i, pos = 0, batches = 0, n = 0;
	FILE			*f = tmpfile();

	(void)state;
	for (i = 1000; i > 0; i--)
		fprintf(f, "%zx%s", i, i % 7 == 0 ? "\r\n" : " \t 1\n");
	rewind(f);
	picked_term(&p, "user", "ann");
	assert_int_equal(picked_read(&p, f, err, sizeof(err)), 0);
	fclose(f);
	picked_sort(&p);
	assert_int_equal(p.nids, 1000);
	while ((text = picked_batch(&p, &pos)) != NULL) {
		assert_int_equal(selection_parse(&sel, SLICE_STR(text), err,
		    sizeof(err)), 0);
		assert_int_equal(sel.terms[sel.nterms - 1].key,
		    SELECTION_USER);
		for (i = 0; i + 1 < sel.nterms; i++)
			assert_true(sel.terms[i].number == next++);
		n += sel.nterms - 1;
		selection_free(&sel);
		free(text);
		batches++;
	}
	assert_int_equal(n, 1000);
	assert_int_equal(batches, 4);
	picked_free(&p);
}

static void
t_stream_refused(void **state)
{
	static const char *const texts[] = { "x", "1 2 x", "0", "-1", "0x1",
		"11111111111111111", "1,2",
		"1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct picked	 p = { 0 };
	char		 err[256];
	size_t		 i;
	FILE		*f;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		f = fmemopen((char *)(uintptr_t)texts[i], strlen(texts[i]),
		    "r");
		if (picked_read(&p, f, err, sizeof(err)) != -1)
			fail_msg("taken: %s", texts[i]);
		assert_non_null(strstr(err, "not a queue id"));
		fclose(f);
	}
	picked_free(&p);
	/* a line feed would make one term two */
	picked_term(&p, "user", "ann\nall");
	assert_int_equal(picked_check(&p, err, sizeof(err)), -1);
	picked_free(&p);
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
	assert_int_equal(parse(&cmd, "limits reset tenant acme"), 0);
	assert_int_equal(cmd.action, ACTION_LIMITS_RESET);
	assert_string_equal(cmd.text[TEXT_TENANT], "acme");
	assert_null(cmd.text[TEXT_USER]);
	assert_int_equal(parse(&cmd, "limits reset ten"), 0);
	assert_string_equal(cmd.text[TEXT_USER], "ten");
	assert_int_equal(parse(&cmd, "limits reset tenant"), -1);
}

/* What could stand there is said, and what is ambiguous called so. */
static void
t_errors(void **state)
{
	struct command	 cmd;

	(void)state;
	parse(&cmd, "queue x");
	assert_string_equal(error,
	    "unknown word: x; expected: list age summary show cat log hold "
	    "release flush expire fail drop remove reroute rule");
	parse(&cmd, "show s");
	assert_string_equal(error,
	    "more than one reading: s; expected: status stats limits users "
	    "bans grants pauses");
	parse(&cmd, "queue remove");
	assert_string_equal(error, "a word is missing; expected: all - ID "
	    "user tenant from to domain relay size state age error id");
	parse(&cmd, "queue reroute user ann");
	assert_string_equal(error, "a word is missing; expected: all - ID "
	    "user tenant from to domain relay size state age error id, "
	    "then to RELAY");
	parse(&cmd, "queue list user");
	assert_string_equal(error, "a word is missing; expected: a value of "
	    "user");
	parse(&cmd, "queue list x");
	assert_string_equal(error, "unknown word: x; expected: all - ID user "
	    "tenant from to domain relay size state age error id");
	parse(&cmd, "queue fail re x");
	assert_non_null(strstr(error, "more than one reading: re; "));
	parse(&cmd, "queue fail reason x");
	assert_non_null(strstr(error, "nothing is selected; expected: all "));
	parse(&cmd, "queue list state f");
	assert_string_equal(error, "more than one reading: f; expected: "
	    "waiting deferred inflight held future failed");
	parse(&cmd, "queue list age 1y");
	assert_string_equal(error, "\"age 1y\": an age is a number and s, m, "
	    "h, d or w");
	parse(&cmd, "queue list all user ann");
	assert_non_null(strstr(error, "all stands alone"));
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
		cmocka_unit_test(t_selections),
		cmocka_unit_test(t_steering),
		cmocka_unit_test(t_rules),
		cmocka_unit_test(t_pauses),
		cmocka_unit_test(t_batches),
		cmocka_unit_test(t_stream_refused),
		cmocka_unit_test(t_users),
		cmocka_unit_test(t_errors),
		cmocka_unit_test(t_logins),
		cmocka_unit_test(t_logins_refused),
		cmocka_unit_test(t_long)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
