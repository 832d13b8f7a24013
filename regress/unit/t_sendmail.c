/* links: msactl/sendmail_args.c msactl/sendmail_header.c */
/* The command line of sendmail(8), and what -t reads from a header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msactl/sendmail_args.h"
#include "msactl/sendmail_header.h"

static char	 error[300];

/* Words apart by a blank; "_" stands for an empty one. */
static int
args(struct sendmail_args *a, const char *line)
{
	static char	 copy[512];
	static char	*words[40];
	char		*p = copy, *w;
	int		 n = 0;

	snprintf(copy, sizeof(copy), "sendmail%s%s", *line != '\0' ? " " : "",
	    line);
	while ((w = strsep(&p, " ")) != NULL)
		words[n++] = strcmp(w, "_") == 0 ? w + 1 : w;
	words[n] = NULL;
	error[0] = '\0';
	return sendmail_args(a, n, words, error, sizeof(error));
}

static void
good(struct sendmail_args *a, const char *line)
{
	if (args(a, line) == -1)
		fail_msg("%s: %s", line, error);
}

static void
t_sending(void **state)
{
	struct sendmail_args	 a;

	(void)state;
	good(&a, "ann@x.example bob");
	assert_int_equal(a.mode, SENDMAIL_SEND);
	assert_false(a.headers);
	assert_false(a.dots);
	assert_null(a.from);
	assert_int_equal(a.nrcpts, 2);
	assert_string_equal(a.rcpts[1], "bob");
	good(&a, "-t");
	assert_true(a.headers);
	assert_int_equal(a.nrcpts, 0);
	good(&a, "-ti");
	assert_true(a.headers);
	assert_true(a.dots);
	good(&a, "-t -oi");
	assert_true(a.dots);
	good(&a, "-oem ann");
	assert_false(a.dots);
	good(&a, "-i -- -ann");
	assert_string_equal(a.rcpts[0], "-ann");
	good(&a, "ann -t");	/* options end at the first address */
	assert_false(a.headers);
	assert_int_equal(a.nrcpts, 2);
}

/* As cron, mail(1), mutt, git and PHP write it. */
static void
t_as_programs_do(void **state)
{
	struct sendmail_args	 a;

	(void)state;
	good(&a, "-FCronDaemon -i -B8BITMIME -oem root");
	assert_string_equal(a.name, "CronDaemon");
	assert_true(a.dots);
	assert_string_equal(a.rcpts[0], "root");
	good(&a, "-oi -f me@x.example -- you@y.example");
	assert_string_equal(a.from, "me@x.example");
	good(&a, "-oem -oi -F Me -fme@x.example you@y.example");
	assert_string_equal(a.from, "me@x.example");
	assert_string_equal(a.name, "Me");
	good(&a, "-t -i -f _");
	assert_string_equal(a.from, "");
	good(&a, "-r me -om -odb -oee -v -m -n -U -G -h 3 -L tag -p SMTP:h -X "
	    "/log -C /x -O Timeout=1 -Am -d0.1 you");
	assert_string_equal(a.from, "me");
	assert_int_equal(a.nrcpts, 1);
}

static void
t_modes(void **state)
{
	char			*mailq[] = { (char[]){ "/usr/bin/mailq" },
				    NULL };
	char			*newaliases[] = { (char[]){ "newaliases" },
				    NULL };
	struct sendmail_args	 a;

	(void)state;
	good(&a, "-bs");
	assert_int_equal(a.mode, SENDMAIL_SMTP);
	good(&a, "-bp");
	assert_int_equal(a.mode, SENDMAIL_LIST);
	good(&a, "-q");
	assert_int_equal(a.mode, SENDMAIL_FLUSH);
	good(&a, "-qf");
	assert_int_equal(a.mode, SENDMAIL_FLUSH);
	good(&a, "-bi");
	assert_int_equal(a.mode, SENDMAIL_NOTHING);
	good(&a, "-bm ann");
	assert_int_equal(a.mode, SENDMAIL_SEND);
	assert_int_equal(sendmail_args(&a, 1, mailq, error, sizeof(error)),
	    0);
	assert_int_equal(a.mode, SENDMAIL_LIST);
	assert_int_equal(sendmail_args(&a, 1, newaliases, error,
	    sizeof(error)), 0);
	assert_int_equal(a.mode, SENDMAIL_NOTHING);
	good(&a, "-S /x/s -t");
	assert_string_equal(a.socket, "/x/s");
}

static void
t_dsn(void **state)
{
	struct sendmail_args	 a;

	(void)state;
	good(&a, "-N success,Delay -R hdrs -V a+b=c ann");
	assert_string_equal(a.notify, "SUCCESS,DELAY");
	assert_string_equal(a.ret, "HDRS");
	assert_string_equal(a.envid, "a+b=c");
	good(&a, "-Nnever -RFULL ann");
	assert_string_equal(a.notify, "NEVER");
	assert_string_equal(a.ret, "FULL");
}

static void
t_refused(void **state)
{
	static const char *const	 lines[] = {
		"", "-i", "-bd", "-bv ann", "-q30m", "-Z ann", "-f", "-tf",
		"-N never,success ann", "-N success,success ann", "-N _ ann",
		"-N success, ann", "-R all ann", "-V _ ann", "-V \001 ann",
		"-f a\nb ann", "-F a\rb ann", "a\r\nb", "-b"
	};
	struct sendmail_args	 a;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (args(&a, lines[i]) != -1)
			fail_msg("taken: %s", lines[i]);
		assert_true(error[0] != '\0');
	}
}

/* --- headers --- */

static char	 found[1024];

static int
gather(void *arg, struct slice s)
{
	(void)arg;
	snprintf(found + strlen(found), sizeof(found) - strlen(found),
	    "%.*s|", SLICE_FMT(s));
	return 0;
}

static void
addresses(const char *value, const char *want)
{
	found[0] = '\0';
	assert_int_equal(header_addresses(SLICE_STR(value), gather, NULL), 0);
	assert_string_equal(found, want);
}

static void
t_addresses(void **state)
{
	(void)state;
	addresses(" ann\r\n", "ann|");
	addresses(" ann@x.example, bob\r\n", "ann@x.example|bob|");
	addresses(" Ann Example <ann@x.example>,\r\n\t\"B, C\" <b@x>\r\n",
	    "ann@x.example|b@x|");
	addresses(" root (Cron Daemon)", "root|");
	addresses(" (a, (b) \\) c@d) ann (x)@x.example", "ann (x)@x.example|");
	addresses(" team: ann@x, <bob@y> ; , carl", "ann@x|bob@y|carl|");
	addresses(" undisclosed-recipients:;", "");
	addresses(" <@a.example,@b.example:ann@x>", "ann@x|");
	addresses(" <>", "");
	addresses(" , ,", "");
	addresses("", "");
	addresses(" \"a b\"@x, \"c\\\",d\"@y", "\"a b\"@x|\"c\\\",d\"@y|");
	addresses(" <\"a>b\"@x>", "\"a>b\"@x|");
	addresses(" ann@[IPv6:::1]", "ann@[IPv6:::1]|");
	/* what never ends: the end of the field ends it */
	addresses(" \"ann", "\"ann|");
	addresses(" (ann", "");
	addresses(" <ann", "ann|");
	addresses(" a\\", "a\\|");
}

static int
stop(void *arg, struct slice s)
{
	(void)s;
	return ++*(int *)arg == 2 ? 7 : 0;
}

static void
t_stops(void **state)
{
	int	 n = 0;

	(void)state;
	assert_int_equal(header_addresses(SLICE_STR("a, b, c"), stop, &n), 7);
	assert_int_equal(n, 2);
}

static void
recipients(const char *header, const char *want)
{
	struct header_facts	 facts;

	found[0] = '\0';
	header_look(SLICE_STR(header), &facts);
	assert_int_equal(header_recipients(SLICE_STR(header), &facts, gather,
	    NULL), 0);
	assert_string_equal(found, want);
}

static void
t_recipients(void **state)
{
	(void)state;
	recipients("From: a@x\r\nTo: b@x,\r\n c@x\r\nSubject: To: d@x\r\n"
	    "cc : e@x\r\nBCC: f@x\r\nReply-To: g@x\r\n",
	    "b@x|c@x|e@x|f@x|");
	recipients("To: b@x\r\nResent-To: c@x\r\nBcc: d@x\r\n"
	    "Resent-Bcc: e@x\r\n", "c@x|e@x|");
	recipients("From: a@x\r\n", "");
}

static void
t_fields(void **state)
{
	(void)state;
	assert_int_equal(header_field(SLICE_STR("A: b\r\nC: d\r\n")), 6);
	assert_int_equal(header_field(SLICE_STR("A: b\r\n c\r\n\r\n")), 10);
	assert_int_equal(header_field(SLICE_STR("")), 0);
	assert_int_equal(header_field(SLICE_STR(": x\r\n")), 0);
	assert_int_equal(header_field(SLICE_STR("hello world\r\n")), 0);
	assert_int_equal(header_field(SLICE_STR("\r\n")), 0);
	assert_int_equal(header_field(SLICE_STR(" a: b\r\n")), 0);
	assert_int_equal(header_field(SLICE_STR("A:")), 2);
}

static void
rewritten(const char *header, bool bcc, const char *want)
{
	size_t	 len;
	char	*text = header_rewrite(SLICE_STR(header), "h.example", bcc,
		    &len);

	assert_non_null(text);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
	free(text);
}

static void
t_rewrite(void **state)
{
	(void)state;
	rewritten("From: root (Cron Daemon)\r\nTo: root, a@x\r\nBcc: b\r\n"
	    "Subject: ann, bob\r\n", false,
	    "From: root@h.example (Cron Daemon)\r\n"
	    "To: root@h.example, a@x\r\nSubject: ann, bob\r\n");
	rewritten("Bcc: b\r\nTo: A <a>,\r\n\t\"b\" <b@x>, c\r\n", true,
	    "Bcc: b@h.example\r\nTo: A <a@h.example>,\r\n\t\"b\" <b@x>, "
	    "c@h.example\r\n");
	/* not an address: left as it is, for msad to refuse */
	rewritten("From: Cron Daemon\r\n", true, "From: Cron Daemon\r\n");
	rewritten("Resent-Bcc: a\r\n", false, "");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(t_sending), cmocka_unit_test(t_as_programs_do),
		cmocka_unit_test(t_modes), cmocka_unit_test(t_dsn),
		cmocka_unit_test(t_refused), cmocka_unit_test(t_addresses),
		cmocka_unit_test(t_stops), cmocka_unit_test(t_recipients),
		cmocka_unit_test(t_fields), cmocka_unit_test(t_rewrite)
	};

	return cmocka_run_group_tests_name("sendmail", tests, NULL, NULL);
}
