/* links: msad/frontend/submission.c */
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

static char	section[4096], corrected[8192];

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
	if ((r = submission_correct(&sub)) == REPLY_NONE)
		snprintf(corrected, sizeof(corrected), "%.*s%.*s",
		    (int)sub.len, section, (int)sub.fields_len, sub.fields);
	return r;
}

#define FROM	"From: a@b.example\r\n"
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
	assert_int_equal(correct("From \t: a@b.example\r\n" DATE ID
	    "Subject: a\r\n \t\r\n b\r\n"), REPLY_NONE);
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
	assert_int_equal(correct(FROM "Subject: \xc3\xa9\r\n"),
	    REPLY_MALFORMED);
	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		snprintf(buf, sizeof(buf), "From: x@y.z\r\n%s: <a@b>\r\n"
		    "%s: <a@b>\r\n", single[i], single[i]);
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

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_fields),
		cmocka_unit_test(t_R5322_2_2_a),
		cmocka_unit_test(t_limits),
		cmocka_unit_test(t_R5322_3_3_a),
		cmocka_unit_test(t_date),
		cmocka_unit_test(t_msgid),
		cmocka_unit_test(t_R6409_8),
		cmocka_unit_test(t_removed),
		cmocka_unit_test(t_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
