/* links: msad/relay/reply_parser.c */
/* The parser of a next hop's replies: R5321-4.2-b, R3463-3-a, X-nh-1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/relay/reply_parser.h"

/* Feed all at once; returns the status of the last piece. */
static enum reply_status
feed(struct reply *r, const char *s, size_t *used)
{
	return reply_feed(r, s, strlen(s), used);
}

/* Whatever way s is cut in two, or octet by octet, the result is the same. */
static void
check_all_splits(const char *s, unsigned int code, const char *text,
    const char *enhanced)
{
	struct reply		 r;
	enum reply_status	 st;
	char			 buf[1024], enh[16];
	size_t			 i, cut, used, len = strlen(s);

	reply_init(&r);
	for (cut = 0; cut <= len; cut++) {
		reply_reset(&r);
		st = reply_feed(&r, s, cut, &used);
		assert_int_equal(st, cut == len ? REPLY_DONE : REPLY_MORE);
		assert_int_equal(used, cut);
		if (cut < len) {
			st = reply_feed(&r, s + cut, len - cut, &used);
			assert_int_equal(st, REPLY_DONE);
			assert_int_equal(used, len - cut);
		}
		assert_int_equal(r.code, code);
		reply_text(&r, buf, sizeof(buf));
		assert_string_equal(buf, text);
		reply_enhanced(&r, enh, sizeof(enh));
		assert_string_equal(enh, enhanced);
	}
	reply_reset(&r);
	for (i = 0; i < len; i++) {
		st = reply_feed(&r, s + i, 1, &used);
		assert_int_equal(st, i + 1 == len ? REPLY_DONE : REPLY_MORE);
	}
	reply_free(&r);
}

static void
whole_replies(void **state)
{
	(void)state;
	check_all_splits("250 Ok\r\n", 250, "Ok", "2.0.0");
	check_all_splits("250 2.1.5 Ok\r\n", 250, "2.1.5 Ok", "2.1.5");
	check_all_splits("250\r\n", 250, "", "2.0.0");
	check_all_splits("250 \r\n", 250, "", "2.0.0");
	check_all_splits("250 Ok\n", 250, "Ok", "2.0.0");
	check_all_splits("550-5.1.1 no\r\n550 such user\r\n", 550,
	    "5.1.1 no such user", "5.1.1");
	check_all_splits("250-a\r\n250-\r\n250-SIZE 1\r\n250 b\r\n", 250,
	    "a  SIZE 1 b", "2.0.0");
	check_all_splits("354 go\r\n", 354, "go", "");
	check_all_splits("599 x\r\n", 599, "x", "5.0.0");
}

static void
enhanced_codes(void **state)
{
	(void)state;
	/* the class contradicts the reply: ignored (R3463-3-a) */
	check_all_splits("550 4.1.1 x\r\n", 550, "4.1.1 x", "5.0.0");
	check_all_splits("450 5.1.1 x\r\n", 450, "5.1.1 x", "4.0.0");
	check_all_splits("550 5.1234.1 x\r\n", 550, "5.1234.1 x", "5.0.0");
	check_all_splits("550 5.123.456\r\n", 550, "5.123.456", "5.123.456");
	check_all_splits("550 5.1.1: x\r\n", 550, "5.1.1: x", "5.0.0");
	check_all_splits("550 5.1\r\n", 550, "5.1", "5.0.0");
	check_all_splits("550 5..1 x\r\n", 550, "5..1 x", "5.0.0");
}

static void
control_octets_are_masked(void **state)
{
	struct reply	 r;
	char		 buf[64];
	size_t		 used;
	static const char s[] = "250 a\0b\033c\rd\r\n";

	(void)state;
	reply_init(&r);
	assert_int_equal(reply_feed(&r, s, sizeof(s) - 1, &used), REPLY_DONE);
	reply_text(&r, buf, sizeof(buf));
	assert_string_equal(buf, "a?b?c?d");
	reply_free(&r);
}

static void
only_one_reply_is_taken(void **state)
{
	struct reply	 r;
	size_t		 used;

	(void)state;
	reply_init(&r);
	assert_int_equal(feed(&r, "250 a\r\n550 b\r\n", &used), REPLY_DONE);
	assert_int_equal(used, 7);
	assert_int_equal(r.code, 250);
	reply_free(&r);
}

static void
broken_replies(void **state)
{
	static const char *const bad[] = {
		"150 x\r\n", "650 x\r\n", "050 x\r\n", "x\r\n", "\r\n", "\n",
		"25 x\r\n", "25\r\n", "2500 x\r\n", "250:x\r\n", "250\rx\r\n",
		"250-a\r\n251 b\r\n", "250-a\r\nb\r\n", "250-a\r\n\r\n",
		"25a x\r\n", " 250 x\r\n", "\r250 x\r\n", "250-a\r\n550\r\n",
	};
	struct reply	 r;
	size_t		 i, j, used;
	int		 broken;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reply_init(&r);
		assert_int_equal(feed(&r, bad[i], &used), REPLY_BROKEN);
		assert_non_null(r.reason);
		/* and stays so */
		assert_int_equal(feed(&r, "250 x\r\n", &used), REPLY_BROKEN);
		reply_reset(&r);
		for (broken = 0, j = 0; j < strlen(bad[i]); j++)
			if (reply_feed(&r, bad[i] + j, 1, &used) ==
			    REPLY_BROKEN)
				broken = 1;
		assert_true(broken);
		reply_free(&r);
	}
}

static void
bounds(void **state)
{
	struct reply		 r;
	enum reply_status	 st = REPLY_MORE;
	char			 line[REPLY_LINE_MAX + 1], buf[16];
	size_t			 used, n;

	(void)state;
	/* a line of exactly the limit, and one more */
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	memcpy(line + REPLY_LINE_MAX - 2, "\r\n", 2);
	reply_init(&r);
	assert_int_equal(reply_feed(&r, line, REPLY_LINE_MAX, &used),
	    REPLY_DONE);
	reply_text(&r, buf, sizeof(buf));
	assert_string_equal(buf, "xxxxxxxxxxxx...");
	reply_reset(&r);
	memcpy(line + REPLY_LINE_MAX - 2, "x\r\n", 3);
	assert_int_equal(reply_feed(&r, line, REPLY_LINE_MAX + 1, &used),
	    REPLY_BROKEN);

	/* endless continuation lines end at REPLY_MAX, so does the memory */
	reply_reset(&r);
	for (n = 0; st == REPLY_MORE && n < 2 * REPLY_MAX; n += 10)
		st = reply_feed(&r, "250-abcd\r\n", 10, &used);
	assert_int_equal(st, REPLY_BROKEN);
	assert_true(n <= REPLY_MAX + 10 && n > REPLY_MAX - 10);
	assert_true(r.size <= REPLY_MAX);
	reply_free(&r);
}

static void
lines(void **state)
{
	struct reply	 r;
	const char	*p;
	size_t		 used, len;

	(void)state;
	reply_init(&r);
	feed(&r, "250-h\r\n250-SIZE 10\r\n250\r\n", &used);
	assert_int_equal(r.nlines, 3);
	assert_int_equal(reply_line(&r, 1, &p, &len), 0);
	assert_int_equal(len, 7);
	assert_memory_equal(p, "SIZE 10", 7);
	assert_int_equal(reply_line(&r, 2, &p, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(reply_line(&r, 3, &p, &len), -1);
	reply_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_replies),
		cmocka_unit_test(enhanced_codes),
		cmocka_unit_test(control_octets_are_masked),
		cmocka_unit_test(only_one_reply_is_taken),
		cmocka_unit_test(broken_replies),
		cmocka_unit_test(bounds),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
