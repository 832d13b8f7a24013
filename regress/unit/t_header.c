/* links: msad/frontend/submission.c msad/frontend/rewrite.c */
/* The header section: fields, dates, ids (RFC 5322), corrections (RFC 6409). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "msad/frontend/submission.h"

/* Fields of the section, or -1. */
static int
count(struct slice section)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason = NULL;
	int			 n = 0, r;

	header_begin(&h, section);
	while ((r = header_next(&h, &f, &reason)) == 1)
		n++;
	if (r == -1)
		assert_non_null(reason);
	return r == -1 ? -1 : n;
}

static void
t_fields(void **state)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason;

	(void)state;
	header_begin(&h, SLICE_STR("A: b\r\n c\r\nLong-Name \t:\r\nX:y\r\n"));
	assert_int_equal(header_next(&h, &f, &reason), 1);
	assert_true(slice_is(f.name, "A"));
	assert_true(slice_is(f.body, " b\r\n c\r\n"));
	assert_true(slice_is(f.all, "A: b\r\n c\r\n"));
	assert_int_equal(header_next(&h, &f, &reason), 1);
	assert_true(slice_is(f.name, "Long-Name"));
	assert_true(slice_is(f.body, "\r\n"));
	assert_int_equal(header_next(&h, &f, &reason), 1);
	assert_true(slice_is(f.body, "y\r\n"));
	assert_int_equal(header_next(&h, &f, &reason), 0);
	assert_int_equal(count(SLICE_STR("")), 0);
}

static void
t_R5322_2_2_a(void **state)
{
	static const char *const	bad[] = {
		"no colon\r\n", ": x\r\n", " A: b\r\n", "\tA: b\r\n",
		"From ann Sun Nov 22 03:00:00 2026\r\n", "A b: c\r\n",
		"\xc3\xa9: x\r\n", "A: b", "A: b\n", "A: b\r", "A: b\rc\r\n",
		"A: b\nc\r\n", "A: b\r\r\n", "A: b\r\n\r\nB: c\r\n", "\r\n",
		"A\x01: b\r\n", "A\x7f: b\r\n", "A: b\r\n c",
	};
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (count(SLICE_STR(bad[i])) != -1)
			fail_msg("taken: \"%s\"", bad[i]);
	assert_int_equal(count(SLICE("A: \0\r\n", 6)), -1);
	assert_int_equal(count(SLICE("A\0: b\r\n", 7)), -1);
}

static char *
repeat(const char *s, size_t times)
{
	size_t	 n = strlen(s), i;
	char	*p = malloc(n * times + 1);

	assert_non_null(p);
	for (i = 0; i < times; i++)
		memcpy(p + i * n, s, n);
	p[n * times] = '\0';
	return p;
}

static void
t_limits(void **state)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason = NULL;
	char			*x = repeat("x", 996), *folds, *p, buf[1100];
	size_t			 size;

	(void)state;
	snprintf(buf, sizeof(buf), "A:%s\r\n", x);
	assert_int_equal(count(SLICE_STR(buf)), 1);
	snprintf(buf, sizeof(buf), "A:%sx\r\n", x);
	assert_int_equal(count(SLICE_STR(buf)), -1);
	p = repeat("A: b\r\n", HEADER_FIELDS_MAX + 1);
	assert_int_equal(count(SLICE(p, 6 * HEADER_FIELDS_MAX)), 1000);
	assert_int_equal(count(SLICE_STR(p)), -1);
	free(p);
	folds = repeat(" y\r\n", HEADER_FIELD_MAX / 4);
	size = strlen(folds) + 6;
	p = malloc(size + 1);
	assert_non_null(p);
	snprintf(p, size + 1, "A: b\r\n%s", folds);
	header_begin(&h, SLICE_STR(p));
	assert_int_equal(header_next(&h, &f, &reason), -1);
	assert_ptr_equal(reason, header_too_big);
	assert_int_equal(count(SLICE(p, size - 8)), 1);
	free(p);
	free(folds);
	free(x);
}

static void
t_R5322_3_3_a(void **state)
{
	static const char *const	good[] = {
		" Sun, 22 Nov 2026 03:24:08 +0000\r\n",
		" 22 Nov 2026 03:24 +0130\r\n",
		"1 Jan 99 00:00:60 EST\r\n", "1 jan 2000 00:00:00 z\r\n",
		" Sun ,\r\n 22 Nov\r\n 2026 03 : 24 : 08 -0700 (a (b) c)\r\n",
		" 29 Feb 2024 12:00:00 GMT\r\n",
		" Thu, 1 Jan 126 00:00:00 -0000\r\n", " 1 Jan 01 23:59:59 UT",
	};
	static const char *const	bad[] = {
		"", " ", "Mon, 22 Nov 2026 03:24:08 +0000",
		"Sun 22 Nov 2026 03:24:08 +0000", "22 Nov 2026 03:24:08",
		"22 Nov 2026 24:00:00 +0000", "22 Nov 2026 03:60:00 +0000",
		"22 Nov 2026 03:00:61 +0000", "22 Nov 2026 03:00:00 +0060",
		"22 Nov 2026 03:00:00 +000", "22 Nov 2026 03:00:00 +00000",
		"30 Feb 2024 12:00:00 GMT", "29 Feb 2026 12:00:00 GMT",
		"0 Jan 2026 12:00:00 GMT", "32 Jan 2026 12:00:00 GMT",
		"22 Foo 2026 12:00:00 GMT", "22 Nov 1899 12:00:00 GMT",
		"22 Nov 2026 3:24:08 +0000", "22 Nov 2026 03:24:08 +0000 x",
		"22 Nov 2026 03:24:08 +0000 (x", "2026-11-22T03:24:08Z",
		"22 Nov 2026 03:24:08 +\xc3\xa9", "22 Nov 6 03:24:08 +0000",
	};
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!header_date_ok(SLICE_STR(good[i])))
			fail_msg("not taken: \"%s\"", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (header_date_ok(SLICE_STR(bad[i])))
			fail_msg("taken: \"%s\"", bad[i]);
}

/* What is obsolete is written anew; what is current is not touched. */
static void
t_R5322_3_3_a_anew(void **state)
{
	static const struct {
		const char	*in;
		const char	*out;		/* NULL: not a date */
	} rows[] = {
		{ " 1 Jan 26 10:00 EST", "Thu, 1 Jan 2026 10:00:00 -0500" },
		{ "Thu, 1 Jan 26 10:00 EST\r\n",
		    "Thu, 1 Jan 2026 10:00:00 -0500" },
		{ "Fri, 1 Jan 26 10:00 EST", NULL },
		{ "1 Jan 99 00:00:60 pdt", "Fri, 1 Jan 1999 00:00:60 -0700" },
		{ "31 Dec 49 23:59 UT", "Fri, 31 Dec 2049 23:59:00 +0000" },
		{ "1 Jan 50 00:00 GMT", "Sun, 1 Jan 1950 00:00:00 +0000" },
		{ "1 Jan 126 00:00 +0130", "Thu, 1 Jan 2026 00:00:00 +0130" },
		{ "1 Jan 2026 00:00 Z", "Thu, 1 Jan 2026 00:00:00 -0000" },
		{ "1 Jan 2026 00:00 XYZ", "Thu, 1 Jan 2026 00:00:00 -0000" },
		{ "1Jan2026 00:00 -0700", "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "1 (x) Jan 2026 00:00 -0700",
		    "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "Thu , 1 Jan 2026 00:00 -0700",
		    "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "1 Jan 2026 00 : 00 -0700",
		    "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "1 Jan 2026 00:00-0700", "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "1 Jan 2026 00:00 (x) -0700",
		    "Thu, 1 Jan 2026 00:00:00 -0700" },
		{ "Sun, 22 Nov 2026 03:24:08 +0000", "" },
		{ "Sun,22 Nov 2026 03:24:08 +0000\r\n", "" },
		{ " Sun,\r\n 22 Nov\r\n 2026 03:24 -0100 (here)\r\n", "" },
		{ "\t01 jan 12026 03:24 -0000", "" },
		{ "yesterday", NULL },
	};
	char	buf[64];
	size_t	i;
	int	n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = header_date_fix(SLICE_STR(rows[i].in), buf, sizeof(buf));
		if (rows[i].out == NULL ? n != -1 : n != (int)strlen(
		    rows[i].out) || memcmp(buf, rows[i].out, (size_t)n) != 0)
			fail_msg("\"%s\": %d \"%s\"", rows[i].in, n,
			    n > 0 ? buf : "");
		if (n > 0)
			assert_int_equal(header_date_fix(SLICE_STR(buf), buf,
			    sizeof(buf)), 0);
	}
}

static void
t_date(void **state)
{
	char	buf[64];
	time_t	t;

	(void)state;
	assert_int_equal(header_date(buf, sizeof(buf), 1795317848), 31);
	assert_string_equal(buf, "Sun, 22 Nov 2026 03:24:08 +0000");
	assert_int_equal(header_date(buf, 31, 1795317848), -1);
	for (t = 0; t < 4000000000; t += 7654321) {
		assert_true(header_date(buf, sizeof(buf), t) > 0);
		assert_true(header_date_ok(SLICE_STR(buf)));
	}
}

static void
t_msgid(void **state)
{
	static const char *const	good[] = {
		" <a@b>\r\n", "<a.b.c@d.e>", " (c) <a@[1.2.3.4]> (d)\r\n",
		"<\"a\\\"b\"@c>", "\r\n <a+b=c/d@x-y_z>\r\n",
	};
	static const char *const	bad[] = {
		"", "a@b", "<a@b", "<a>", "<@b>", "<a@>", "<a b@c>",
		"<a@b> x", "<a@b><c@d>", "<a@b c>", "<.a@b>", "<a@b@c>",
		"<\xc3\xa9@b>", "<a@b> (", "<a@b\r\n >",
	};
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!header_msgid_ok(SLICE_STR(good[i])))
			fail_msg("not taken: \"%s\"", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (header_msgid_ok(SLICE_STR(bad[i])))
			fail_msg("taken: \"%s\"", bad[i]);
}

static char			section[4096], corrected[8192];
static bool			utf8;
static struct conf_appends	appends = TAILQ_HEAD_INITIALIZER(appends);
static struct conf_append	append_none = { .label = "",
	.domain = "example.org" };
static struct conf_append	append_corp = { .label = "corp",
	.domain = "example.com" };

/* Correct text; the result, fields added at the end, is in corrected. */
static enum reply
correct(const char *text)
{
	struct submission	sub;
	enum reply		r;

	memset(&sub, 0, sizeof(sub));
	assert_true(strlen(text) < sizeof(section));
	memcpy(section, text, strlen(text));
	sub.section = section;
	sub.len = strlen(text);
	sub.host = "mail.example.org";
	sub.now = 1795317848;
	sub.utf8 = utf8;
	sub.appends = &appends;
	if ((r = submission_correct(&sub)) == REPLY_NONE)
		snprintf(corrected, sizeof(corrected), "%.*s",
		    (int)sub.out_len, sub.out);
	else
		snprintf(corrected, sizeof(corrected), "%s",
		    sub.detail != NULL ? sub.detail : "");
	free(sub.out);
	return r;
}

#define FROM	"From: a@b.example\r\nTo: c@d.example\r\n"
#define DATE	"Date: 22 Nov 2026 03:24:08 +0000\r\n"
#define ID	"Message-ID: <x@y>\r\n"

static void
t_R6409_8(void **state)
{
	(void)state;
	assert_int_equal(correct(FROM DATE ID), REPLY_NONE);
	assert_string_equal(corrected, FROM DATE ID);
	assert_int_equal(correct(FROM ID), REPLY_NONE);
	assert_string_equal(corrected, FROM ID
	    "Date: Sun, 22 Nov 2026 03:24:08 +0000\r\n");
	assert_int_equal(correct("Date: yesterday\r\n" FROM ID), REPLY_NONE);
	assert_string_equal(corrected, FROM ID
	    "Date: Sun, 22 Nov 2026 03:24:08 +0000\r\n");
	assert_int_equal(correct(FROM DATE "message-id: none\r\nX: y\r\n"),
	    REPLY_NONE);
	assert_memory_equal(corrected, FROM DATE "X: y\r\nMessage-ID: <",
	    strlen(FROM DATE "X: y\r\nMessage-ID: <"));
	assert_non_null(strstr(corrected, "@mail.example.org>\r\n"));
}

static void
t_removed(void **state)
{
	(void)state;
	/* R5321-4.4-e, R6409-8.8-b */
	assert_int_equal(correct("Return-Path: <x@y>\r\n" FROM
	    "BCC: secret@x.example,\r\n other@x.example\r\n" DATE
	    "Resent-Bcc: z@x.example\r\n" ID), REPLY_NONE);
	assert_string_equal(corrected, FROM DATE ID);
	/* R5322-4.4-a, R5322-2.2.3-a */
	assert_int_equal(correct("From \t: a@b.example\r\nTo: c@d.example\r\n"
	    DATE ID "Subject: a\r\n \t\r\n b\r\n"), REPLY_NONE);
	assert_string_equal(corrected, FROM DATE ID
	    "Subject: a\r\n b\r\n");
}

static void
t_refused(void **state)
{
	static const char *const	single[] = {
		"From", "Sender", "Reply-To", "Date", "Subject", "Message-ID",
		"In-Reply-To", "References"
	};
	char				 buf[300], *many;
	size_t				 i;

	(void)state;
	assert_int_equal(correct(DATE ID), REPLY_MALFORMED);
	assert_int_equal(correct(FROM "Subject: \xe9\r\n"),
	    REPLY_MALFORMED);
	assert_string_equal(corrected,
	    "the Subject field has octets that are not UTF-8");
	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		snprintf(buf, sizeof(buf), "From: x@y.z\r\n%s: <a@b.c>\r\n"
		    "%s: <a@b.c>\r\n", single[i], single[i]);
		assert_int_equal(correct(buf), REPLY_MALFORMED);
	}
	many = repeat("Received: x\r\n", 101);
	snprintf(corrected, sizeof(corrected), FROM "%s", many);
	assert_int_equal(correct(corrected), REPLY_LOOP);
	many[13 * 100] = '\0';
	snprintf(corrected, sizeof(corrected), FROM "%s", many);
	assert_int_equal(correct(corrected), REPLY_NONE);
	free(many);
}

/* Text of a section without From, Date and Message-ID becomes another. */
struct change {
	const char	*row;
	const char	*in;
	const char	*out;
};

static const struct change changes[] = {
	{ "R5322-4.5.3-a", "To: a@b.example\r\nX: y\r\nTo: c@d.example,\r\n"
	    " e@f.example\r\nCc: g@h.example\r\ncc: i@j.example\r\n",
	    "To: a@b.example,\r\n c@d.example,\r\n e@f.example\r\nX: y\r\n"
	    "Cc: g@h.example,\r\n i@j.example\r\n" },
	{ "R5322-3.4-a", "To: undisclosed-recipients:;\r\n",
	    "To: undisclosed-recipients:;\r\n" },
	{ "R5322-3.4-a", "To: A: \"x\" <a@b.example>, c@d.example;,\r\n"
	    " e@f.example\r\nReply-To: nobody:;\r\n",
	    "To: A: \"x\" <a@b.example>, c@d.example;,\r\n e@f.example\r\n"
	    "Reply-To: nobody:;\r\n" },
	{ "R5322-2.2.3-a", "To: (one)\r\n a@b.example (two\r\n three)\r\n",
	    "To: (one)\r\n a@b.example (two\r\n three)\r\n" },
	{ "R5322-4.4-a route", "To: Ann <@r.example,@s.example:a@b.example>"
	    "\r\n", "To: \"Ann\" <a@b.example>\r\n" },
	{ "R5322-4.4-a dots", "To: ann . lee (x) @ b . example\r\n",
	    "To: ann.lee@b.example (x)\r\n" },
	{ "R5322-4.4-a empty", "To: ,a@b.example,, ,c@d.example,\r\n",
	    "To: a@b.example,\r\n c@d.example\r\n" },
	{ "R5322-4.4-a group", "To: g:,a@b.example,; , c@d.example\r\n",
	    "To: g: a@b.example;,\r\n c@d.example\r\n" },
	{ "R5322-4.4-a phrase", "To: John Q. Public <a@b.example>\r\n",
	    "To: \"John Q. Public\" <a@b.example>\r\n" },
	{ "R5322-4.4-a colon", "To \t: a@b.example\r\n",
	    "To: a@b.example\r\n" },
	{ "R5322-4.4-a quoted", "To: \"a b\".c@b.example\r\n",
	    "To: \"a b.c\"@b.example\r\n" },
	{ "encoded words stay", "To: =?utf-8?Q?J._x?= <a@b.example>\r\n",
	    "To: =?utf-8?Q?J._x?= <a@b.example>\r\n" },
	{ "empty fields go", "To: a@b.example\r\nCc:\r\nReply-To: \r\n",
	    "To: a@b.example\r\n" },
	{ "R6409-4.2-c", "To: ann@corp, Bob <bob>, x@Corp\r\n"
	    "Resent-To: ann@CORP\r\n",
	    "To: ann@corp.example.com,\r\n Bob <bob@example.org>,\r\n"
	    " x@Corp.example.com\r\nResent-To: ann@CORP.example.com\r\n" },
	{ "R6409-6.5-a text", "To: a@b.example\r\nSubject: Gr\xc3\xbc\xc3\x9f"
	    "e aus K\xc3\xb6ln an\r\n alle\r\n",
	    "To: a@b.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_"
	    "K=C3=B6ln?= an\r\n alle\r\n" },
	{ "R6409-6.5-a name", "To: \"Bj\xc3\xb6rn, B\" <a@b.example>,\r\n"
	    " J\xc3\xbcrgen Q. <c@d.example>\r\n",
	    "To: =?utf-8?Q?Bj=C3=B6rn=2C_B?= <a@b.example>,\r\n"
	    " =?utf-8?Q?J=C3=BCrgen_Q=2E?= <c@d.example>\r\n" },
	{ "R6409-6.5-a group", "To: Fr\xc3\xb6sche: a@b.example;\r\n",
	    "To: =?utf-8?Q?Fr=C3=B6sche?=: a@b.example;\r\n" },
	{ "R6409-8.8-b", "To: a@b.example\r\nBcc: s@x.example,\r\n"
	    " t@x.example\r\nResent-Bcc: u@x.example\r\n",
	    "To: a@b.example\r\n" },
	{ "R5322-3.6.6-a", "Resent-From: x@y.example\r\nResent-To: z@y.example"
	    "\r\nResent-From: v@w.example\r\nTo: a@b.example\r\n",
	    "Resent-From: x@y.example\r\nResent-To: z@y.example\r\n"
	    "Resent-From: v@w.example\r\nTo: a@b.example\r\n" },
	{ "R8601-5-a", "Authentication-Results: mail.example.org; auth=pass\r\n"
	    "Authentication-Results: (a) MAIL.(b)example.org 1; none\r\n"
	    "authentication-results: Mail.Example.ORG 1; none\r\n"
	    "Authentication-Results: \"mail.example.org\"; none\r\n"
	    "Authentication-Results: (mail (x))\r\n mail.example.org(y);"
	    " none\r\nTo: a@b.example\r\n", "To: a@b.example\r\n" },
	{ "R8601-5-b", "Authentication-Results: mx.example.org; none\r\n"
	    "Authentication-Results: mx.example.org 1; none\r\n"
	    "Authentication-Results: mx.example.org 2; none\r\n"
	    "Authentication-Results: ; none\r\n"
	    "Authentication-Results: mx.example.org\r\n"
	    "Authentication-Results: (mx\r\nTo: a@b.example\r\n",
	    "Authentication-Results: mx.example.org; none\r\n"
	    "Authentication-Results: mx.example.org 1; none\r\n"
	    "To: a@b.example\r\n" },
	{ "no destination", "Bcc: s@x.example\r\nX: y\r\n",
	    "X: y\r\nTo: undisclosed-recipients:;\r\n" },
};

static void
t_changes(void **state)
{
	char	in[2048], out[2048];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		snprintf(in, sizeof(in), "From: a@b.example\r\n" DATE ID "%s",
		    changes[i].in);
		snprintf(out, sizeof(out), "From: a@b.example\r\n" DATE ID
		    "%s", changes[i].out);
		if (correct(in) != REPLY_NONE || strcmp(corrected, out) != 0)
			fail_msg("%s: got\n%s", changes[i].row, corrected);
		/* What was corrected stays as it is. */
		if (correct(out) != REPLY_NONE || strcmp(corrected, out) != 0)
			fail_msg("%s: again\n%s", changes[i].row, corrected);
	}
}

static const struct change refusals[] = {
	{ "R5322-3.2.2-a", "To: (a\r\n", "the To field has a comment without "
	    "its end" },
	{ "R5322-3.2.2-a", "Cc: \"a <b@c.example>\r\n", "the Cc field has a "
	    "quoted string without its end" },
	{ "R6409-5.1-b", "To: a@b.example c@d.example\r\n", "the To field has "
	    "addresses without a comma between" },
	{ "R6409-5.1-b", "To: <a@b.example\r\n", "the To field has an address "
	    "without its closing bracket" },
	{ "R6409-5.1-b", "Reply-To: g: h: a@b.example;;\r\n", "the Reply-To "
	    "field has a group within a group" },
	{ "R6409-5.1-b", "resent-to: a@\r\n", "the resent-to field has an "
	    "address without a domain behind its @" },
	{ "R6409-8.1-a", "Sender: a@b.example, c@d.example\r\n",
	    "the Sender field has to be one address" },
	{ "R6409-4.2-c", "To: ann@unknown\r\n", "the To field has an address "
	    "without a complete domain" },
	{ "R6409-6.5-a", "To: j\xc3\xbcrgen@b.example\r\n", "the To field has "
	    "an address with characters outside ASCII" },
	{ "R6409-6.5-a", "To: a@b.example (J\xc3\xbcrgen)\r\n", "the To field "
	    "has characters outside ASCII in a comment" },
	{ "R6409-6.5-a", "References: \xc3\xbc\r\n", "the References field has "
	    "characters outside ASCII, which have to be encoded" },
	{ "R6409-6.5-a", "To: \xff <a@b.example>\r\n", "the To field has "
	    "octets that are not UTF-8" },
};

static void
t_refusals(void **state)
{
	char	in[1024];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		snprintf(in, sizeof(in), "From: a@b.example\r\n%s",
		    refusals[i].in);
		if (correct(in) != REPLY_MALFORMED ||
		    strcmp(corrected, refusals[i].out) != 0)
			fail_msg("%s: %s: got %s", refusals[i].row,
			    refusals[i].in, corrected);
	}
	assert_int_equal(correct("From:\r\n"), REPLY_MALFORMED);
	assert_string_equal(corrected, "the From field has no address");
}

/* With SMTPUTF8 raw UTF-8 stays; the rest is the same. */
static void
t_utf8(void **state)
{
	const char	*text = "From: J\xc3\xbcrgen <j\xc3\xbc@b\xc3\xbc."
	    "example>\r\nTo: a@b.example (\xc3\xbc)\r\n" DATE ID
	    "Subject: \xc3\xbc\r\nReferences: <\xc3\xbc@x>\r\n";

	(void)state;
	utf8 = true;
	assert_int_equal(correct(text), REPLY_NONE);
	assert_string_equal(corrected, text);
	assert_int_equal(correct("From: a@b.example\r\nX: \xc0\x80\r\n"),
	    REPLY_MALFORMED);
	utf8 = false;
	assert_int_equal(correct(text), REPLY_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_fields),
		cmocka_unit_test(t_R5322_2_2_a),
		cmocka_unit_test(t_limits),
		cmocka_unit_test(t_R5322_3_3_a),
		cmocka_unit_test(t_R5322_3_3_a_anew),
		cmocka_unit_test(t_date),
		cmocka_unit_test(t_msgid),
		cmocka_unit_test(t_R6409_8),
		cmocka_unit_test(t_removed),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_changes),
		cmocka_unit_test(t_refusals),
		cmocka_unit_test(t_utf8),
	};

	TAILQ_INSERT_TAIL(&appends, &append_none, entry);
	TAILQ_INSERT_TAIL(&appends, &append_corp, entry);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
