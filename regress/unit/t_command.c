/* links: msad/frontend/command.c msad/frontend/reply.c */
/* Command lines, MAIL and RCPT, and the table of replies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/command.h"

static enum verb
verb(const char *line)
{
	struct command	cmd;

	command_parse(SLICE_STR(line), &cmd);
	return cmd.verb;
}

static void
args_are(const char *line, enum verb v, const char *args)
{
	struct command	cmd;

	command_parse(SLICE_STR(line), &cmd);
	assert_int_equal(cmd.verb, v);
	if (!slice_is(cmd.args, args))
		fail_msg("%s gives \"%.*s\"", line, SLICE_FMT(cmd.args));
}

static void
t_verbs(void **state)
{
	(void)state;
	args_are("EHLO a.example", VERB_EHLO, "a.example");
	args_are("ehlo  a  ", VERB_EHLO, "a");
	args_are("QuIt", VERB_QUIT, "");
	args_are("RSET \t ", VERB_RSET, "");		/* R5321-4.1.1-a */
	args_are("DATA x", VERB_DATA, "x");
	args_are("STARTTLS", VERB_STARTTLS, "");
	assert_int_equal(verb("EXPN x"), VERB_UNIMPLEMENTED);
	assert_int_equal(verb("ETRN x"), VERB_UNIMPLEMENTED);
	assert_int_equal(verb("TURN"), VERB_UNIMPLEMENTED);
	assert_int_equal(verb("BDAT 3"), VERB_BDAT);
	assert_int_equal(verb("XYZZY"), VERB_UNKNOWN);
	assert_int_equal(verb("MAILFROM:<a@b>"), VERB_UNKNOWN);
	assert_int_equal(verb(" EHLO x"), VERB_UNKNOWN);
}

static void
t_bad_octets(void **state)
{
	struct command	cmd;

	(void)state;
	assert_int_equal(verb(""), VERB_BAD);
	assert_int_equal(verb("NOOP a\nb"), VERB_BAD);	/* R5321-2.3.8-b */
	assert_int_equal(verb("NOOP a\rb"), VERB_BAD);
	assert_int_equal(verb("MAIL FROM:<a\nb@c>"), VERB_BAD);
	assert_int_equal(verb("EHLO a\nMAIL"), VERB_BAD);
	assert_int_equal(verb("NOOP \xc3\xa9"), VERB_BAD);
	assert_int_equal(verb("NOOP \x07"), VERB_BAD);	/* X-ctl-1 */
	assert_int_equal(verb("NOOP \x7f"), VERB_BAD);
	command_parse(SLICE("NOOP \0", 6), &cmd);
	assert_int_equal(cmd.verb, VERB_BAD);
	command_parse(SLICE("RCPT TO:<a\0@b>", 14), &cmd);
	assert_int_equal(cmd.verb, VERB_BAD);
	/* In a path they are the path's to refuse. */
	assert_int_equal(verb("MAIL FROM:<a\x1b@b>"), VERB_MAIL);
	assert_int_equal(verb("MAIL FROM:<\xc3\xa9@b>"), VERB_MAIL);
	assert_int_equal(verb("MAIL FROM:<a@b> X=\xc3\xa9"), VERB_BAD);
	assert_int_equal(verb("MAIL\x01 FROM:<a@b>"), VERB_UNKNOWN);
}

static void
t_X_http_1(void **state)
{
	(void)state;
	assert_int_equal(verb("GET / HTTP/1.1"), VERB_HTTP);
	assert_int_equal(verb("POST / HTTP/1.1"), VERB_HTTP);
	assert_int_equal(verb("Host: x"), VERB_HTTP);
	assert_int_equal(verb("CONNECT x:25 HTTP/1.1"), VERB_HTTP);
	assert_int_equal(verb("GET"), VERB_UNKNOWN);
	assert_int_equal(verb("HOSTS"), VERB_UNKNOWN);
}

#define OFFERED	(EXT_SIZE | EXT_8BITMIME | EXT_AUTH)

static enum reply
mail(const char *args, struct mail_args *m)
{
	return command_mail(SLICE_STR(args), OFFERED, m);
}

static void
t_mail(void **state)
{
	struct mail_args	m;

	(void)state;
	assert_int_equal(mail("FROM:<a@b.example>", &m), REPLY_NONE);
	assert_true(slice_is(m.path, "a@b.example"));
	assert_int_equal(m.params.size, 0);
	assert_int_equal(mail("from: <a@b.example>", &m), REPLY_NONE);
	/* R6409-3.2-a */
	assert_int_equal(mail("FROM:<>", &m), REPLY_NONE);
	assert_int_equal(m.path.len, 0);
	assert_int_equal(mail("FROM:<a@b.example> size=10  Body=8bitmime "
	    "AUTH=<>", &m), REPLY_NONE);
	assert_int_equal(m.params.size, 10);
	assert_int_equal(m.params.body, PARAMS_8BITMIME);
	assert_int_equal(mail("FROM:<a@[192.0.2.1]>", &m), REPLY_NONE);
	assert_int_equal(mail("FROM :<a@b.example>", &m), REPLY_BAD_SYNTAX);
	assert_int_equal(mail("", &m), REPLY_BAD_SYNTAX);
	assert_int_equal(mail("TO:<a@b.example>", &m), REPLY_BAD_SYNTAX);
	assert_int_equal(mail("FROM:  <a@b.example>", &m), REPLY_BAD_SENDER);
	assert_int_equal(mail("FROM:a@b.example", &m), REPLY_BAD_SENDER);
	assert_int_equal(mail("FROM:<a@b.example", &m), REPLY_BAD_SENDER);
	assert_int_equal(mail("FROM:<a\x1b@b.example>", &m), REPLY_BAD_SENDER);
	assert_int_equal(mail("FROM:<postmaster>", &m), REPLY_BAD_SENDER);
	assert_int_equal(mail("FROM:<\xc3\xa9@b.example>", &m),
	    REPLY_SENDER_8BIT);
	assert_int_equal(mail("FROM:<a@local>", &m), REPLY_SENDER_SHORT);
}

/* R6531-3.4-a, R6531-3.3-a, X-utf8-1 */
static void
t_utf8(void **state)
{
	static const struct {
		const char	*args;
		enum reply	 reply;
	} mails[] = {
		{ "FROM:<\xc3\xa9@b.example>", REPLY_SENDER_8BIT },
		{ "FROM:<\xc3\xa9@b.example> SIZE=1", REPLY_SENDER_8BIT },
		{ "FROM:<\xc3\xa9@b.example> SMTPUTF8", REPLY_NONE },
		{ "FROM:<\xc3\xa9@b.example> SIZE=1 SMTPUTF8", REPLY_NONE },
		{ "FROM:<a@\xc3\xa9.example> SMTPUTF8", REPLY_NONE },
		{ "FROM:<a@b.example> SMTPUTF8", REPLY_NONE },
		{ "FROM:<> SMTPUTF8", REPLY_NONE },
		{ "FROM:<\xc3\xa9@b.example> SMTPUTF8=x",
		    REPLY_BAD_PARAMETER },
		{ "FROM:<\xff@b.example>", REPLY_SENDER_8BIT },
		{ "FROM:<\xff@b.example> SMTPUTF8", REPLY_BAD_SENDER },
		{ "FROM:<\xc2\x85@b.example> SMTPUTF8", REPLY_BAD_SENDER },
		{ "FROM:<a@\xe2\x98\x83.net> SMTPUTF8", REPLY_BAD_SENDER },
		{ "FROM:<a@\xe2\x98\x83.net>", REPLY_SENDER_8BIT },
		{ "FROM:<\xc3\xa9> SMTPUTF8", REPLY_BAD_SENDER },
		{ "FROM:<\xc3\xa9@b.example SMTPUTF8", REPLY_SENDER_8BIT },
		{ "FROM:<a@\xc3\xa9> SMTPUTF8", REPLY_SENDER_SHORT },
		{ "FROM:<\"\xc3\xa9>\"@b.example>", REPLY_SENDER_8BIT },
		{ "FROM:<\"\xc3\xa9>\"@b.example> SMTPUTF8", REPLY_NONE },
		{ "FROM:<a@b.example> AUTH=j+C3+B6@b.example", REPLY_NONE },
		{ "FROM:<a@b.example> AUTH=j+C2+85@b.example",
		    REPLY_BAD_PARAMETER },
	}, rcpts[] = {
		{ "TO:<\xc3\xa9@b.example>", REPLY_NONE },
		{ "TO:<a@\xc3\xa9.example> NOTIFY=NEVER", REPLY_NONE },
		{ "TO:<\xc3\xa9@b.example> ORCPT=utf-8;\xc3\xa9@b",
		    REPLY_NONE },
		{ "TO:<a@b.example> ORCPT=utf-8;\xff@b",
		    REPLY_BAD_PARAMETER },
		{ "TO:<a@b.example> NOTIFY=\xc3\xa9", REPLY_BAD_PARAMETER },
		{ "TO:<\xff@b.example>", REPLY_BAD_RCPT },
		{ "TO:<a@\xe2\x98\x83.net>", REPLY_BAD_RCPT },
	};
	struct mail_args	m;
	struct rcpt_args	r;
	struct command		cmd;
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(mails) / sizeof(mails[0]); i++)
		if (command_mail(SLICE_STR(mails[i].args), OFFERED |
		    EXT_SMTPUTF8, &m) != mails[i].reply)
			fail_msg("%s", mails[i].args);
	for (i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++)
		if (command_rcpt(SLICE_STR(rcpts[i].args), EXT_DSN |
		    EXT_SMTPUTF8, &r) != rcpts[i].reply)
			fail_msg("%s", rcpts[i].args);
	/* not asked for in MAIL */
	assert_int_equal(command_rcpt(SLICE_STR("TO:<\xc3\xa9@b.example>"),
	    EXT_DSN, &r), REPLY_RCPT_8BIT);
	assert_int_equal(command_rcpt(SLICE_STR("TO:<a@b.example> "
	    "ORCPT=utf-8;\xc3\xa9@b"), EXT_DSN, &r), REPLY_BAD_LINE);
	assert_int_equal(command_rcpt(SLICE_STR("TO:<a@b.example> "
	    "ORCPT=utf-8;\\x{E9}@b"), EXT_DSN, &r), REPLY_NONE);
	/* R5321-2.4-b: not outside a path, an ORCPT, a VRFY that asks */
	assert_int_equal(verb("MAIL FROM:<a@b.example> X=\xc3\xa9"),
	    VERB_BAD);
	assert_int_equal(verb("MAIL \xc3\xa9 FROM:<a@b.example>"), VERB_BAD);
	assert_int_equal(verb("RCPT TO\xc3\xa9:<a@b.example>"), VERB_BAD);
	assert_int_equal(verb("NOOP \xc3\xa9"), VERB_BAD);
	assert_int_equal(verb("VRFY \xc3\xa9"), VERB_BAD);
	assert_int_equal(verb("VRFY \xc3\xa9 SMTPUTF8"), VERB_VRFY);
	assert_int_equal(verb("VRFY \xc3 SMTPUTF8"), VERB_BAD);
	assert_int_equal(verb("VRFY \xc2\x85 SMTPUTF8"), VERB_BAD);
	command_parse(SLICE_STR("VRFY x SMTPUTF8"), &cmd);
	assert_int_equal(cmd.verb, VERB_VRFY);
}

static void
t_parameters(void **state)
{
	static const struct {
		const char	*text;
		enum reply	 reply;
	} cases[] = {
		{ " SIZE=0", REPLY_NONE },
		{ " SIZE=52428800", REPLY_NONE },
		{ " SIZE=99999999999999999999", REPLY_NONE },
		{ " SIZE=100000000000000000000", REPLY_BAD_PARAMETER },
		{ " SIZE=", REPLY_BAD_PARAMETER },
		{ " SIZE", REPLY_BAD_PARAMETER },
		{ " SIZE=-1", REPLY_BAD_PARAMETER },
		{ " SIZE=+1", REPLY_BAD_PARAMETER },
		{ " SIZE=1k", REPLY_BAD_PARAMETER },
		{ " SIZE=1 SIZE=1", REPLY_BAD_PARAMETER },
		{ " BODY=7bit", REPLY_NONE },
		{ " BODY=BINARYMIME", REPLY_BAD_PARAMETER },
		{ " BODY=7BIT BODY=7BIT", REPLY_BAD_PARAMETER },
		{ " BODY", REPLY_BAD_PARAMETER },
		{ " AUTH=a+40b.example", REPLY_NONE },
		{ " AUTH=a@b.example", REPLY_NONE },
		{ " AUTH=a+2Bb@b.example", REPLY_NONE },
		{ " AUTH=a+2bb@b.example", REPLY_BAD_PARAMETER },
		{ " AUTH=+", REPLY_BAD_PARAMETER },
		{ " AUTH=a+0D+0A@b.example", REPLY_BAD_PARAMETER },
		{ " AUTH", REPLY_BAD_PARAMETER },
		{ " RET=HDRS", REPLY_UNKNOWN_PARAMETER },
		{ " X", REPLY_UNKNOWN_PARAMETER },
		{ " X=1=2", REPLY_UNKNOWN_PARAMETER },
		{ " =1", REPLY_BAD_PARAMETER },
		{ " -X=1", REPLY_BAD_PARAMETER },
		{ "SIZE=1", REPLY_BAD_PARAMETER },
	};
	struct mail_args	m;
	char			buf[200];
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(buf, sizeof(buf), "FROM:<a@b.example>%s",
		    cases[i].text);
		if (mail(buf, &m) == cases[i].reply)
			continue;
		fail_msg("%s: %u", cases[i].text, reply_code(mail(buf, &m)));
	}
	mail("FROM:<a@b.example> SIZE=99999999999999999999", &m);
	assert_true(m.params.size == UINT64_MAX);
}

static void
t_rcpt(void **state)
{
	static const struct {
		const char	*args;
		enum reply	 reply;
	} cases[] = {
		{ "TO:<a@b.example>", REPLY_NONE },
		{ "to: <Postmaster>", REPLY_NONE },
		{ "TO:<>", REPLY_BAD_RCPT },
		{ "TO:<a@b_c.example>", REPLY_BAD_RCPT },
		{ "TO:<a@[1.2.3]>", REPLY_BAD_RCPT },
		{ "TO :<a@b.example>", REPLY_BAD_SYNTAX },
		{ "TO:<a@b.example> NOTIFY=X", REPLY_UNKNOWN_PARAMETER },
		{ "TO:<\xc3\xa9@b.example>", REPLY_RCPT_8BIT },
		{ "TO:<a@local>", REPLY_RCPT_SHORT },
	};
	struct rcpt_args	r;
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (command_rcpt(SLICE_STR(cases[i].args), OFFERED, &r) !=
		    cases[i].reply)
			fail_msg("%s", cases[i].args);
	assert_int_equal(command_rcpt(SLICE_STR("TO:<@x.example:a@b.example>"),
	    OFFERED, &r), REPLY_NONE);
	assert_true(slice_is(r.path, "a@b.example"));
	/* with DSN offered: R3461-4-a, R3461-5.1-a */
	assert_int_equal(command_rcpt(SLICE_STR("TO:<a@b.example> NOTIFY=X"),
	    EXT_DSN, &r), REPLY_BAD_PARAMETER);
	assert_int_equal(command_rcpt(SLICE_STR("TO:<a@b.example>NOTIFY=NEVER"),
	    EXT_DSN, &r), REPLY_BAD_PARAMETER);
	assert_int_equal(command_rcpt(SLICE_STR("TO:<a@b.example> "
	    "notify=never"), EXT_DSN, &r), REPLY_NONE);
	assert_int_equal(r.params.notify, NOTIFY_NEVER);
}

static void
t_R5321_4_1_1_1_b(void **state)
{
	static const char *const	good[] = {
		"a", "a.example", "my_pc", "[192.0.2.1]",
		"[IPv6:2001:db8::1]", "a:b"
	};
	static const char *const	bad[] = {
		"", "a b", "a\x01", "\xc3\xa9", "[192.0.2]", "[x", "a\tb"
	};
	char				buf[300];
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(command_helo(SLICE_STR(good[i])), REPLY_NONE);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(command_helo(SLICE_STR(bad[i])),
		    REPLY_BAD_HELO);
	memset(buf, 'a', sizeof(buf));
	assert_int_equal(command_helo(SLICE(buf, 255)), REPLY_NONE);
	assert_int_equal(command_helo(SLICE(buf, 256)), REPLY_BAD_HELO);
}

static void
t_auth(void **state)
{
	struct auth_args	a;

	(void)state;
	assert_int_equal(command_auth(SLICE_STR(""), &a), REPLY_BAD_PARAMETER);
	assert_int_equal(command_auth(SLICE_STR("PLAIN"), &a), REPLY_NONE);
	assert_false(a.has_initial);
	assert_int_equal(command_auth(SLICE_STR("PLAIN ="), &a), REPLY_NONE);
	assert_true(a.has_initial && slice_is(a.initial, "="));
	assert_int_equal(command_auth(SLICE_STR("LOGIN Zm8= x"), &a),
	    REPLY_NONE);
	assert_true(slice_is(a.initial, "Zm8= x"));
}

/* Each reply of the table obeys R5321-4.2-a, R2034-3-a and R2034-4-a. */
static void
check_reply(enum reply r, const char *detail)
{
	struct reply_args	 a = { "mail.example.org", detail, "1-2" };
	char			 buf[REPLY_TEXT_MAX + 1], code[8], *p, *end;
	const char		*enh = reply_enhanced(r);
	size_t			 n;

	n = reply_format(buf, r, &a);
	assert_true(n < REPLY_TEXT_MAX);
	buf[n] = '\0';
	snprintf(code, sizeof(code), "%u", reply_code(r));
	for (p = buf; *p != '\0'; p = end + 2) {
		end = strstr(p, "\r\n");
		assert_non_null(end);
		assert_true(end + 2 - p <= REPLY_LINE_MAX);
		assert_memory_equal(p, code, 3);
		assert_int_equal(p[3], end[2] == '\0' ? ' ' : '-');
		assert_memory_equal(p + 4, enh, strlen(enh));
		if (enh[0] != '\0')
			assert_int_equal(p[4], code[0]);
	}
	assert_true(reply_code(r) < 400 || strstr(buf, "(1-2)") != NULL);
}

static void
t_replies(void **state)
{
	char	detail[900];
	int	r;

	(void)state;
	memset(detail, 'x', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	for (r = REPLY_NONE + 1; r < REPLY_MAX; r++) {
		check_reply((enum reply)r, "detail");
		check_reply((enum reply)r, "a\r\nb\x01\xff");
		check_reply((enum reply)r, NULL);
	}
	check_reply(REPLY_MALFORMED, detail);
	assert_int_equal(reply_code(reply_of_verdict(VERDICT_NO_SPACE)), 452);
	assert_int_equal(reply_of_verdict(200), REPLY_TROUBLE);
}

static void
t_R3030_2_d(void **state)
{
	static const char *const bad[] = {
		"", " ", "-1", "+1", "1e9", "0x10", "LAST", "1 LASTS", "1 L",
		"1LAST", "1 2", "1 LAST LAST", "18446744073709551616",
		"000000000000000000001", "1\tLAST", "\xe9"
	};
	uint64_t	n;
	size_t		i;
	bool		last;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (command_bdat(SLICE_STR(bad[i]), &n, &last))
			fail_msg("taken: %s", bad[i]);
	assert_true(command_bdat(SLICE_STR("0"), &n, &last));
	assert_true(n == 0 && !last);
	assert_true(command_bdat(SLICE_STR("18446744073709551615"), &n,
	    &last));
	assert_true(n == UINT64_MAX && !last);
	assert_true(command_bdat(SLICE_STR("12  last"), &n, &last));
	assert_true(n == 12 && last);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_R3030_2_d),
		cmocka_unit_test(t_verbs),
		cmocka_unit_test(t_bad_octets),
		cmocka_unit_test(t_X_http_1),
		cmocka_unit_test(t_mail),
		cmocka_unit_test(t_utf8),
		cmocka_unit_test(t_parameters),
		cmocka_unit_test(t_rcpt),
		cmocka_unit_test(t_R5321_4_1_1_1_b),
		cmocka_unit_test(t_auth),
		cmocka_unit_test(t_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
