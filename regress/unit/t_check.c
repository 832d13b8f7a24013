/* links: msad/queue/check.c */
/*
 * The queue's second look at every octet: in all splits the same verdict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/header.h"
#include "msad/queue/check.h"

#define FROM	"From: a@b.example\r\n"

struct sample {
	const char	*header;
	size_t		 hlen;
	const char	*body;
	size_t		 blen;
	enum verdict	 want;
};
#define S(h, b, v)	{ h, sizeof(h) - 1, b, sizeof(b) - 1, v }

static const struct sample samples[] = {
	S(FROM, "", VERDICT_OK),
	S(FROM, "hello\r\n", VERDICT_OK),
	S(FROM, "\r\n\r\n", VERDICT_OK),
	S(FROM "Subject: x\r\n y\r\nTo: c@d.example\r\n", "a\r\nb\r\n",
	    VERDICT_OK),
	/* R5321-4.1.1.4-b: bare CR and LF anywhere */
	S(FROM, "a\nb\r\n", VERDICT_MALFORMED),
	S(FROM, "a\rb\r\n", VERDICT_MALFORMED),
	S(FROM, "\n", VERDICT_MALFORMED),
	S(FROM, "\r\r\n", VERDICT_MALFORMED),
	S(FROM, "a\r\n\n", VERDICT_MALFORMED),
	S(FROM, "a\r", VERDICT_MALFORMED),
	S(FROM, "a", VERDICT_MALFORMED),
	S(FROM, "a\0b\r\n", VERDICT_MALFORMED),
	S(FROM "X: a\nb\r\n", "", VERDICT_MALFORMED),
	S(FROM "X: a\rb\r\n", "", VERDICT_MALFORMED),
	S(FROM "X: a\0b\r\n", "", VERDICT_MALFORMED),
	/* a smuggled end of header */
	S(FROM "\r\nX: y\r\n", "", VERDICT_MALFORMED),
	S(FROM "X: y", "", VERDICT_MALFORMED),
	/* R5322-2.2-a, R5322-2.2.3-a */
	S("no colon\r\n" FROM, "", VERDICT_MALFORMED),
	S(" fold\r\n" FROM, "", VERDICT_MALFORMED),
	S("B\xc3\xa4: x\r\n" FROM, "", VERDICT_MALFORMED),
	/* R5322-3.6-a, R5322-3.6-b */
	S("Subject: x\r\n", "", VERDICT_MALFORMED),
	S("", "x\r\n", VERDICT_MALFORMED),
	S(FROM "from: e@f.example\r\n", "", VERDICT_MALFORMED),
	S(FROM "Date: 1 Jan 26 10:00 +0000\r\n"
	    "DATE: 1 Jan 2026 10:00 +0000\r\n", "", VERDICT_MALFORMED),
	/* R5322-3.3-a: the front-end has written it anew */
	S(FROM "Date: 1 Jan 26 10:00 EST\r\n", "", VERDICT_MALFORMED),
	S(FROM "Date: Fri, 1 Jan 2026 10:00 +0000\r\n", "",
	    VERDICT_MALFORMED),
	S(FROM "date: Thu, 1 Jan 2026\r\n 10:00 +0000 (x)\r\n", "",
	    VERDICT_OK),
	S(FROM "Sender: a@b.c\r\nSender: a@b.c\r\n", "", VERDICT_MALFORMED),
	S(FROM "Reply-To: a@b.c\r\nReply-To: a@b.c\r\n", "",
	    VERDICT_MALFORMED),
	S(FROM "Subject: a\r\nsubject: b\r\n", "", VERDICT_MALFORMED),
	S(FROM "Message-ID: <a@b>\r\nmessage-id: <a@b>\r\n", "",
	    VERDICT_MALFORMED),
	S(FROM "References: <a@b>\r\nReferences: <a@b>\r\n", "",
	    VERDICT_MALFORMED),
	S(FROM "In-Reply-To: <a@b>\r\nIn-Reply-To: <a@b>\r\n", "",
	    VERDICT_MALFORMED),
};

static enum verdict
feed(const struct sample *s, size_t at, size_t step, struct check *c)
{
	size_t		i, n, total = s->hlen + s->blen;

	check_begin(c, 1000000);
	for (i = 0; i < total; i += n) {
		n = i == 0 && at > 0 ? at : step;
		if (i < s->hlen) {
			if (n > s->hlen - i)
				n = s->hlen - i;
			check_header(c, s->header + i, n);
		} else {
			if (n > total - i)
				n = total - i;
			check_body(c, s->body + (i - s->hlen), n);
		}
	}
	return check_end(c);
}

static void
every_split(void **state)
{
	struct check	c;
	size_t		i, at, step;

	(void)state;
	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		for (step = 1; step < 8; step++)
			for (at = 0; at <= samples[i].hlen + samples[i].blen;
			    at++) {
				if (feed(&samples[i], at, step, &c) !=
				    samples[i].want)
					fail_msg("sample %zu, first %zu, "
					    "then %zu: %s", i, at, step,
					    c.reason);
				assert_int_equal(c.size, samples[i].hlen +
				    samples[i].blen);
				check_free(&c);
			}
}

/* R6532-3-a, R6409-6.5-a: UTF-8 in fields, and with SMTPUTF8 alone. */
static void
utf8_headers(void **state)
{
	static const struct {
		const char	*header;
		enum verdict	 with, without;
	} list[] = {
		{ FROM "Subject: x\r\n", VERDICT_OK, VERDICT_OK },
		{ FROM "Subject: \xc3\xa9\r\n", VERDICT_OK,
		    VERDICT_MALFORMED },
		{ FROM "X: a\r\n \xe6\x97\xa5\r\n", VERDICT_OK,
		    VERDICT_MALFORMED },
		{ FROM "Subj\xc3\xa9""ct: x\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
		{ FROM "Subject: \xff\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
		{ FROM "Subject: \xc2\x85\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
		{ FROM "Subject: \xc0\xaf\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
		{ FROM "Subject: \xed\xa0\x80\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
		{ FROM "Subject: \xc3\r\n", VERDICT_MALFORMED,
		    VERDICT_MALFORMED },
	};
	struct check	c;
	size_t		i;
	int		utf8;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		for (utf8 = 0; utf8 < 2; utf8++) {
			check_begin(&c, 1000);
			c.utf8 = utf8;
			check_header(&c, list[i].header,
			    strlen(list[i].header));
			check_body(&c, "\xff\r\n", 3);
			if (check_end(&c) != (utf8 ? list[i].with :
			    list[i].without))
				fail_msg("%d: %s", utf8, list[i].header);
			check_free(&c);
		}
}

static enum verdict
body_of(const char *line, size_t len, size_t n)
{
	struct check	c;
	enum verdict	v;
	size_t		i;

	check_begin(&c, SIZE_MAX);
	check_header(&c, FROM, sizeof(FROM) - 1);
	for (i = 0; i < n; i++)
		check_body(&c, line, len);
	check_body(&c, "\r\n", 2);
	v = check_end(&c);
	check_free(&c);
	return v;
}

/* R5321-4.5.3.1.6-b */
static void
line_lengths(void **state)
{
	char	h[2048];
	struct check c;

	(void)state;
	assert_int_equal(body_of("x", 1, CHECK_LINE_MAX), VERDICT_OK);
	assert_int_equal(body_of("x", 1, CHECK_LINE_MAX + 1),
	    VERDICT_MALFORMED);
	memset(h, 'x', sizeof(h));
	memcpy(h, "X: ", 3);
	memcpy(h + HEADER_LINE_MAX, "\r\n", 2);
	check_begin(&c, 100000);
	check_header(&c, FROM, sizeof(FROM) - 1);
	check_header(&c, h, HEADER_LINE_MAX + 2);
	assert_int_equal(check_end(&c), VERDICT_OK);
	check_free(&c);
	h[HEADER_LINE_MAX] = 'x';
	memcpy(h + HEADER_LINE_MAX + 1, "\r\n", 2);
	check_begin(&c, 100000);
	check_header(&c, FROM, sizeof(FROM) - 1);
	check_header(&c, h, HEADER_LINE_MAX + 3);
	assert_int_equal(check_end(&c), VERDICT_MALFORMED);
	check_free(&c);
}

/* R5321-6.3-a */
static enum verdict
with_received(unsigned int n)
{
	struct check	c;
	enum verdict	v;

	check_begin(&c, 1000000);
	while (n-- > 0)
		check_header(&c, "Received: by x; y\r\n", 19);
	check_header(&c, FROM, sizeof(FROM) - 1);
	v = check_end(&c);
	check_free(&c);
	return v;
}

static void
loops(void **state)
{
	(void)state;
	assert_int_equal(with_received(100), VERDICT_OK);
	assert_int_equal(with_received(101), VERDICT_LOOP);
}

static void
sizes(void **state)
{
	struct check	c;
	size_t		i;

	(void)state;
	check_begin(&c, sizeof(FROM) - 1 + 4);
	check_header(&c, FROM, sizeof(FROM) - 1);
	check_body(&c, "ab\r\n", 4);
	assert_int_equal(check_end(&c), VERDICT_OK);
	check_free(&c);
	check_begin(&c, sizeof(FROM) - 1 + 3);
	check_header(&c, FROM, sizeof(FROM) - 1);
	check_body(&c, "ab\r\n", 4);
	assert_int_equal(check_end(&c), VERDICT_TOO_BIG);
	check_free(&c);
	/* No more than the section's bound is ever kept. */
	check_begin(&c, SIZE_MAX);
	for (i = 0; i < 2 * HEADER_SECTION_MAX / 8; i++)
		check_header(&c, "X: abc\r\n", 8);
	assert_true(c.header_len <= HEADER_SECTION_MAX);
	assert_int_equal(check_end(&c), VERDICT_MALFORMED);
	check_free(&c);
}

static void
what_it_learns(void **state)
{
	struct check	c;

	(void)state;
	check_begin(&c, 1000);
	check_header(&c, FROM "Message-ID:\r\n  <id@x>  \r\n",
	    sizeof(FROM "Message-ID:\r\n  <id@x>  \r\n") - 1);
	check_body(&c, "x\r\n", 3);
	assert_int_equal(check_end(&c), VERDICT_OK);
	assert_string_equal(c.msgid, "<id@x>");
	assert_false(c.eightbit);
	check_free(&c);
	check_begin(&c, 1000);
	check_header(&c, FROM, sizeof(FROM) - 1);
	check_body(&c, "\xc3\xa4\r\n", 4);
	assert_int_equal(check_end(&c), VERDICT_OK);
	assert_true(c.eightbit);
	check_free(&c);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(every_split),
		cmocka_unit_test(utf8_headers),
		cmocka_unit_test(line_lengths),
		cmocka_unit_test(loops),
		cmocka_unit_test(sizes),
		cmocka_unit_test(what_it_learns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
