/* links: msad/queue/dsn*.c msad/queue/received.c */
/* libs: idn2 */
/*
 * Reports of failure, and the Received field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/dsn.h"
#include "msad/queue/received.h"

static char		*text;
static size_t		 text_len;
static struct dsn_text	 out;

static void
write_dsn(struct dsn *d)
{
	if (d->header_len == 0)
		d->header_len = d->returned.len;
	assert_int_equal(dsn_write(d, &out), 0);
	text = out.p;
	text_len = out.len;
	assert_int_equal(strlen(text), text_len);
}

static void
write_one(const struct dsn_rcpt *rcpts, size_t n, const char *header)
{
	struct dsn	d = { .hostname = "mail.example.org",
		.sender = "ann@example.org", .id = 0x1a2b, .dsn_id = 0x77,
		.arrival = 1000000000, .now = 1000003600, .rcpts = rcpts,
		.nrcpts = n, .returned = SLICE_STR(header) };

	write_dsn(&d);
}

/* No bare CR or LF, no line over 998. */
static void
check_lines(void)
{
	size_t	i, line = 0;

	for (i = 0; i < text_len; i++) {
		if (text[i] == '\n') {
			assert_true(i > 0 && text[i - 1] == '\r');
			assert_true(line - 1 <= 998);
			line = 0;
			continue;
		}
		if (text[i] == '\r')
			assert_true(text[i + 1] == '\n');
		line++;
	}
	assert_int_equal(line, 0);
}

static void
has(const char *s)
{
	if (strstr(text, s) == NULL)
		fail_msg("missing: %s\nin: %s", s, text);
}

/* R6522-3-a, R3464-2.2-a, R3464-2.3-a, R3464-2.3.5-a */
static void
parts_and_fields(void **state)
{
	const struct dsn_rcpt	r[] = {
		{ "bob@x.example", "5.1.1", "mx.x.example", 550, "no such",
		    DSN_FAILED, false, false, 0,
		    { NULL, 0 } },
		{ "eve@y.example", "4.4.7", "", 0, "too old",
		    DSN_FAILED, false, false, 0,
		    { NULL, 0 } },
	};

	(void)state;
	write_one(r, 2, "From: ann@example.org\r\nSubject: hi\r\n");
	check_lines();
	has("From: Mail Delivery <postmaster@mail.example.org>\r\n");
	has("To: <ann@example.org>\r\n");
	has("Auto-Submitted: auto-replied\r\n");
	has("Message-ID: <77.dsn@mail.example.org>\r\n");
	has("multipart/report; report-type=delivery-status;");
	has("Reporting-MTA: dns; mail.example.org\r\n"
	    "Arrival-Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n");
	has("\r\n\r\nFinal-Recipient: rfc822; bob@x.example\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.x.example\r\n"
	    "Diagnostic-Code: smtp; 550 no such\r\n\r\n");
	has("Final-Recipient: rfc822; eve@y.example\r\n"
	    "Action: failed\r\nStatus: 4.4.7\r\n\r\n--");
	has("Content-Type: text/rfc822-headers\r\n");
	has("\r\n\r\nFrom: ann@example.org\r\nSubject: hi\r\n\r\n--");
	assert_false(out.eightbit);
	assert_memory_equal(text + out.header_len, "\r\n", 2);
	free(text);
}

/* R3464-4-a */
static void
foreign_text_is_harmless(void **state)
{
	static char	long_text[6000];
	struct dsn_rcpt	r = { "bob@x.example", "5.0.0",
		"evil\r\nX-Host: 1", 554,
		"a\r\nX-Injected: yes\r\n\r\n--=_msad\x01\xff\\",
		    DSN_FAILED, false, false, 0,
		    { NULL, 0 } };

	(void)state;
	write_one(&r, 1, "From: a\r\n");
	check_lines();
	has("Diagnostic-Code: smtp; 554 a\\x0D\\x0AX-Injected: yes");
	has("\\x01\\xFF\\x5C\r\n");
	assert_null(strstr(text, "\nX-Injected"));
	assert_null(strstr(text, "\nX-Host"));
	free(text);
	memset(long_text, '\n', sizeof(long_text) - 1);
	r.reply = long_text;
	write_one(&r, 1, "From: a\r\n");
	check_lines();
	assert_true(text_len < 2 * 4 * 4200 + 3000);
	free(text);
}

static void
returned_header_is_bounded(void **state)
{
	const struct dsn_rcpt	r = { "b@x.example", "5.0.0", "", 0, "x",
		    DSN_FAILED, false, false, 0,
		    { NULL, 0 } };
	char			*h;
	size_t			 i;

	(void)state;
	assert_non_null(h = malloc(100001));
	for (i = 0; i < 100000; i += 10)
		memcpy(h + i, "X: \xc3\xa4yyy\r\n", 10);
	h[100000] = '\0';
	write_one(&r, 1, h);
	check_lines();
	assert_true(text_len < DSN_HEADER_MAX + 4000);
	has("Content-Transfer-Encoding: 8bit\r\n");
	assert_true(out.eightbit);
	free(text);
	write_one(&r, 1, "");
	check_lines();
	free(text);
	free(h);
}

/* R3464-4-a: many long answers do not make a report that nobody can send. */
static void
report_is_bounded(void **state)
{
	static struct dsn_rcpt	r[1000];
	static char		reply[4097], remote[256], addr[255];
	char			*h;
	size_t			 i;

	(void)state;
	memset(reply, '\n', sizeof(reply) - 1);
	memset(remote, '\t', sizeof(remote) - 1);
	memset(addr, 'a', sizeof(addr) - 1);
	assert_non_null(h = malloc(70001));
	for (i = 0; i < 70000; i += 10)
		memcpy(h + i, "X: yyyyy\r\n", 10);
	h[70000] = '\0';
	for (i = 0; i < 1000; i++)
		r[i] = (struct dsn_rcpt){ addr, "5.100.100", remote, 550,
			reply, DSN_FAILED, false, false, 0,
		    { NULL, 0 } };
	write_one(r, 1000, h);
	check_lines();
	assert_true(text_len < 1024 * 1024);
	free(text);
	/* Few of them are told whole. */
	memset(reply, 'r', sizeof(reply) - 1);
	write_one(r, 10, h);
	check_lines();
	assert_true(text_len > 10 * 2 * 4090);
	free(text);
	free(h);
}

static char	field[RECEIVED_MAX];

static void
received(bool esmtp, bool tls, const char *cipher, const char *rcpt)
{
	struct received	r = { .hostname = "mail.example.org", .id = 0xbeef,
		.esmtp = esmtp, .tls = tls, .cipher = SLICE_STR(cipher),
		.rcpt = SLICE_STR(rcpt), .now = 1000000000 };
	int		n = received_write(&r, field, sizeof(field));

	assert_true(n > 0 && (size_t)n == strlen(field));
}

/* R8601-2.7.4-a: names that need quotes have them, others no field. */
static void
results(void **state)
{
	static const struct {
		const char	*login;
		const char	*want;		/* NULL: no field */
	} rows[] = {
		{ "ann", "ann" }, { "a.b-c_9@x.example", "a.b-c_9@x.example" },
		{ "a b", "\"a b\"" }, { "a\"\\", "\"a\\\"\\\\\"" },
		{ "a@b@c", "\"a@b@c\"" }, { ".a", "\".a\"" },
		{ "a.", "\"a.\"" }, { "a;x=y", "\"a;x=y\"" },
		{ "(a", "\"(a\"" }, { "\xc3\xa9", NULL }, { "a\r\nb", NULL },
	};
	struct received	r = { .hostname = "h.example", .id = 1, .esmtp = true,
		.cipher = SLICE("", 0), .rcpt = SLICE("", 0), .now = 1 };
	char		want[256];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.login = rows[i].login;
		want[0] = '\0';
		if (rows[i].want != NULL)
			snprintf(want, sizeof(want), "Authentication-Results: "
			    "h.example;\r\n\tauth=pass smtp.auth=%s\r\n",
			    rows[i].want);
		strlcat(want, "Received: from ", sizeof(want));
		assert_true(received_write(&r, field, sizeof(field)) > 0);
		assert_int_equal(strncmp(field, want, strlen(want)), 0);
	}
}

/* R5321-4.4-a, R5321-4.4-d: names and addresses that cannot stand do not. */
static void
shown_client(void **state)
{
	static const struct {
		const char	*helo, *client, *want;
	} rows[] = {
		{ "c.example", "192.0.2.1", "c.example ([192.0.2.1])" },
		{ "[192.0.2.9]", "::1", "[192.0.2.9] ([IPv6:::1])" },
		{ "my_pc", "192.0.2.1", "my_pc ([192.0.2.1])" },
		{ "a b", "192.0.2.1", "unknown ([192.0.2.1])" },
		{ "x\r\nBcc: y", "192.0.2.1", "unknown ([192.0.2.1])" },
		{ "(", "192.0.2.1", "unknown ([192.0.2.1])" },
		{ "", "192.0.2.1", "unknown ([192.0.2.1])" },
		{ "c.example", "192.0.2.1\r\nX: y", "h.example" },
		{ "c.example", "local", "h.example" },
		{ NULL, "192.0.2.1", "h.example" },
	};
	struct received	r = { .hostname = "h.example", .id = 1, .esmtp = true,
		.cipher = SLICE("", 0), .rcpt = SLICE("", 0), .now = 1 };
	char		want[256];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.helo = rows[i].helo;
		r.client = rows[i].client;
		snprintf(want, sizeof(want), "Received: from %s by h.example"
		    "\r\n", rows[i].want);
		assert_true(received_write(&r, field, sizeof(field)) > 0);
		if (strncmp(field, want, strlen(want)) != 0)
			fail_msg("%s", field);
	}
}

static void
every_action(void **state)
{
	const struct dsn_rcpt	r[] = {
		{ .addr = "a@x.example", .status = "5.1.1", .remote = "mx",
		  .code = 550, .reply = "no",
		  .orcpt = SLICE_STR("rfc822;A+2Bb@x.example") },
		{ .addr = "b@x.example", .status = "4.0.0", .remote = "",
		  .reply = "not yet", .action = DSN_DELAYED },
		{ .addr = "c@x.example", .status = "2.1.5", .remote = "mx",
		  .code = 250, .reply = "ok", .action = DSN_RELAYED },
		{ .addr = "d@x.example", .status = "2.0.0", .remote = "",
		  .reply = "ok", .action = DSN_DELIVERED },
	};
	struct dsn		d = { .hostname = "mail.example.org",
		.sender = "ann@example.org", .arrival = 1000000000,
		.now = 1000003600, .until = 1000000000 + 86400, .rcpts = r,
		.nrcpts = 4, .envid = SLICE_STR("Q+3D+20z"), .whole = true,
		.returned = SLICE_STR("From: a\r\n\r\nb\xc3\xa9\r\n") };

	(void)state;
	write_dsn(&d);
	check_lines();
	assert_true(out.eightbit);
	/* R3464-2.2-a */
	has("\r\nOriginal-Envelope-Id: Q= z\r\n");
	/* R3464-2.3-a */
	has("\r\n\r\nOriginal-Recipient: rfc822; A+b@x.example\r\n"
	    "Final-Recipient: rfc822; a@x.example\r\nAction: failed\r\n");
	/* R3464-2.3.9-a */
	has("Final-Recipient: rfc822; b@x.example\r\nAction: delayed\r\n"
	    "Status: 4.0.0\r\n"
	    "Will-Retry-Until: Mon, 10 Sep 2001 01:46:40 +0000\r\n\r\n");
	has("Action: relayed\r\nStatus: 2.1.5\r\nRemote-MTA: dns; mx\r\n");
	has("Action: delivered\r\nStatus: 2.0.0\r\n\r\n");
	has("Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "From: a\r\n\r\nb\xc3\xa9\r\n\r\n--");
	free(text);
}

/* R2852-4.1.4-a, R4865-5.1.2-a; and what people read. */
static void
time_fields_and_words(void **state)
{
	const struct dsn_rcpt	r[] = {
		{ .addr = "a@x.example", .status = "5.4.7", .code = 450,
		  .remote = "mx.x.example[192.0.2.1]:25", .reply = "busy" },
		{ .addr = "b@x.example", .status = "5.2.2", .code = 552,
		  .remote = "192.0.2.1[192.0.2.1]:25", .reply = "5.2.2 full" },
		{ .addr = "c@x.example", .status = "2.0.0", .code = 250,
		  .remote = "[::1]", .reply = "ok", .action = DSN_RELAYED,
		  .unwatched = true },
	};
	struct dsn		d = { .hostname = "mail.example.org",
		.sender = "ann@example.org", .id = 0x1a2b,
		.arrival = 1000000000, .now = 1000003600, .rcpts = r,
		.nrcpts = 3, .deliver_by = 1000003600, .future = "for;60",
		.partly = true,
		.returned = SLICE_STR("X: y\r\nsubject: the\r\n\tplan\r\n") };

	(void)state;
	write_dsn(&d);
	check_lines();
	has("Arrival-Date: Sun, 9 Sep 2001 01:46:40 +0000\r\n"
	    "Deliver-By-Date: Sun, 9 Sep 2001 02:46:40 +0000\r\n"
	    "Future-Release-Request: for;60\r\n");
	has("\r\n\r\nYour message could not be delivered to some of its "
	    "recipients.\r\n\r\n  Subject: the plan\r\n  Sent: Sun, 9 Sep");
	has("  <a@x.example>\r\n    The time by which you wanted it "
	    "delivered has passed.\r\n    mx.x.example said: 450 busy\r\n");
	has("    The mailbox is full. Its owner has to make room first.\r\n"
	    "    [192.0.2.1] said: 552 5.2.2 full\r\n");
	has("Remote-MTA: dns; [192.0.2.1]\r\n");
	has("does not heed the time");
	has("queue id 1a2b of mail.example.org");
	free(text);
}

/* A Subject that is no plain text is left to the header below. */
static void
subjects_are_harmless(void **state)
{
	static const char *const	bad[] = {
		"Subject: a\rb\r\n", "Subject: a\x01z\r\n",
		"Subject: \xc3\xbc\r\n", "Subject: =?utf-8?Q?a?=\r\n",
		"Subject:\r\n", "Subject: ", "X-Subject: a\r\n", "Subject",
	};
	const struct dsn_rcpt		r = { .addr = "a@x.example",
		.status = "5.0.0", .remote = "", .reply = "no" };
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_one(&r, 1, bad[i]);
		if (i != 0 && strstr(text, "\n  Subject:") != NULL)
			fail_msg("%s", text);
		free(text);
	}
}

/* To the postmaster. */
static void
double_bounce(void **state)
{
	const struct dsn_rcpt	r = { .addr = "a@x.example",
		.status = "5.1.1", .remote = "mx", .code = 550,
		.reply = "no" };
	struct dsn		d = { .hostname = "mail.example.org",
		.sender = "root@example.org", .arrival = 1000000000,
		.now = 1000003600, .rcpts = &r, .nrcpts = 1, .whole = true,
		.double_bounce = true,
		.returned = SLICE_STR("From: a\r\n\r\nb\r\n") };

	(void)state;
	write_dsn(&d);
	has("Subject: Report that could not be delivered\r\n");
	has("To: <root@example.org>\r\n");
	has("You get it as the postmaster.");
	free(text);
}

/* Of an SMTPUTF8 message, by a way back with or without it. */
static void
global(const char *sender, bool utf8, const struct dsn_rcpt *rcpts, size_t n)
{
	struct dsn	d = { .hostname = "mail.example.org",
		.sender = sender, .arrival = 1000000000, .now = 1000003600,
		.rcpts = rcpts, .nrcpts = n, .global = true, .utf8 = utf8,
		.returned = SLICE_STR("Subject: \xc3\xbc\r\n\r\n"
		"b\xc3\xa9\r\n"),
		.header_len = 13, .whole = true };

	write_dsn(&d);
	check_lines();
}

static bool
ascii(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] > 127)
			return false;
	return true;
}

/* R6533-4-a */
static void
global_report(void **state)
{
	const struct dsn_rcpt	r[] = {
		{ .addr = "j\xc3\xb6rg@x.example", .status = "5.6.7",
		  .remote = "", .reply = "no",
		  .orcpt = SLICE_STR("utf-8;J\\x{F6}rg\\x{20}\\x{85}"
		  "\\x{1F600}@x.example") },
		{ .addr = "plain@x.example", .status = "5.1.1",
		  .remote = "", .reply = "no",
		  .orcpt = SLICE_STR("rfc822;a+2Bb@x.example") },
	};

	(void)state;
	global("ann@example.org", true, r, 2);
	assert_true(out.eightbit && out.smtputf8);
	assert_true(ascii(text, out.header_len));
	has("\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n");
	has("\r\nContent-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nReporting-MTA: ");
	has("\r\nOriginal-Recipient: utf-8; J\xc3\xb6rg\\x{20}\\x{85}"
	    "\xf0\x9f\x98\x80@x.example\r\n"
	    "Final-Recipient: utf-8; j\xc3\xb6rg@x.example\r\n");
	has("\r\nOriginal-Recipient: rfc822; a+b@x.example\r\n"
	    "Final-Recipient: rfc822; plain@x.example\r\n");
	has("\r\nContent-Type: message/global\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: \xc3\xbc\r\n");
	free(text);
	global("ann@b\xc3\xbc" "cher.example", false, r, 2);
	assert_false(out.eightbit || out.smtputf8);
	has("\r\nTo: <ann@xn--bcher-kva.example>\r\n");
	has("\r\nContent-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	has("\r\nFinal-Recipient: utf-8; j=C3=B6rg@x.example\r\n");
	has("\r\nContent-Type: message/global\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Subject: =C3=BC\r\n\r\nb=C3=A9\r\n\r\n--");
	free(text);
	/* Nothing of it is outside ASCII: no encoding is needed. */
	global("ann@example.org", false, r + 1, 1);
	has("message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n");
	free(text);
	/* Who can be reached by SMTPUTF8 alone gets it so. */
	global("\xc3\xa4@example.org", false, r, 2);
	assert_true(out.eightbit && out.smtputf8);
	has("\r\nTo: <\xc3\xa4@example.org>\r\n");
	free(text);
}

/* R6533-4-a: what quoted-printable makes too large is not returned whole. */
static void
global_is_bounded(void **state)
{
	const struct dsn_rcpt	r = { .addr = "a@x.example",
		.status = "5.1.1", .remote = "", .reply = "no" };
	struct dsn		d = { .hostname = "h", .sender = "a@b",
		.rcpts = &r, .nrcpts = 1, .global = true, .whole = true,
		.header_len = 6 };
	char			*m;

	(void)state;
	assert_non_null(m = malloc(400001));
	memset(m, '\xc3', 400000);
	memcpy(m, "A: b\r\n\r\n", 8);
	m[400000] = '\0';
	d.returned = SLICE_STR(m);
	write_dsn(&d);
	check_lines();
	assert_true(text_len < 4000);
	has("Content-Type: message/global-headers\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nA: b\r\n\r\n--");
	free(text);
	free(m);
}

/* R5321-4.4-a, R5321-4.4-b, R5321-4.4-d, R3848-1-a, R8314-4.3-a */
static void
received_field(void **state)
{
	(void)state;
	received(true, true, "TLS_AES_256_GCM_SHA384", "bob@x.example");
	assert_string_equal(field,
	    "Received: from mail.example.org by mail.example.org\r\n"
	    "\twith ESMTPSA id beef\r\n\tfor <bob@x.example>\r\n"
	    "\ttls TLS_AES_256_GCM_SHA384;\r\n"
	    "\tSun, 9 Sep 2001 01:46:40 +0000\r\n");
	received(true, true, "ECDHE-RSA-AES128-GCM-SHA256", "");
	assert_string_equal(field,
	    "Received: from mail.example.org by mail.example.org\r\n"
	    "\twith ESMTPSA id beef\r\n"
	    "\ttls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;\r\n"
	    "\tSun, 9 Sep 2001 01:46:40 +0000\r\n");
	received(true, false, "TLS_AES_256_GCM_SHA384", "");
	assert_non_null(strstr(field, "with ESMTPA id beef;\r\n"));
	received(false, true, "", "");
	assert_non_null(strstr(field, "with SMTP id beef;\r\n"));
	/* What a front-end claims cannot leave its place. */
	received(true, true, "TLS_X\r\nBcc: evil", "");
	assert_null(strstr(field, "Bcc"));
	received(true, true, "TLS_X; y", "");
	assert_null(strstr(field, "tls"));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(parts_and_fields),
		cmocka_unit_test(foreign_text_is_harmless),
		cmocka_unit_test(returned_header_is_bounded),
		cmocka_unit_test(report_is_bounded),
		cmocka_unit_test(every_action),
		cmocka_unit_test(time_fields_and_words),
		cmocka_unit_test(subjects_are_harmless),
		cmocka_unit_test(double_bounce),
		cmocka_unit_test(results),
		cmocka_unit_test(shown_client),
		cmocka_unit_test(global_report),
		cmocka_unit_test(global_is_bounded),
		cmocka_unit_test(received_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
