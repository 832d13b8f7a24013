/*
 * ESMTP parameters: what each extension's values may be, that canonical text
 * is read back as it was written, and xtext.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/params.h"
#include "common/xtext.h"

static struct mail_params	m;
static struct rcpt_params	r;

static enum params_verdict
mail(const char *text)
{
	return params_mail(SLICE_STR(text), EXT_ALL, &m);
}

static enum params_verdict
rcpt(const char *text)
{
	return params_rcpt(SLICE_STR(text), EXT_ALL, &r);
}

struct sample {
	const char		*text;
	enum params_verdict	 verdict;
};

static void
check_mail(const struct sample *s, size_t n)
{
	for (; n > 0; n--, s++)
		if (mail(s->text) != s->verdict)
			fail_msg("%s: %d", s->text, (int)mail(s->text));
}

#define CHECK(list)	check_mail(list, sizeof(list) / sizeof(list[0]))

static void
t_mail(void **state)
{
	static const struct sample	list[] = {
		{ "", PARAMS_OK }, { "  ", PARAMS_OK },
		{ "SIZE=1 BODY=BinaryMIME SMTPUTF8", PARAMS_OK },
		{ "SIZE=100000000000000000000", PARAMS_BAD },
		{ "BODY=9BIT", PARAMS_BAD }, { "SMTPUTF8=1", PARAMS_BAD },
		{ "SMTPUTF8 SMTPUTF8", PARAMS_BAD }, { "X-Y", PARAMS_UNKNOWN },
		{ "=1", PARAMS_BAD }, { "-X", PARAMS_BAD },
		{ "NOTIFY=NEVER", PARAMS_UNKNOWN },
		{ "AUTH=<>", PARAMS_OK }, { "AUTH=a+2Bb@b.example", PARAMS_OK },
		{ "AUTH=a@b.example AUTH=<>", PARAMS_BAD },
		{ "AUTH=", PARAMS_BAD }, { "AUTH=a=b@c.example", PARAMS_BAD },
	};

	(void)state;
	CHECK(list);
	assert_int_equal(mail("SIZE=99999999999999999999"), PARAMS_OK);
	assert_true(m.has_size && m.size == UINT64_MAX);
	/* a value needs its own extension */
	assert_int_equal(params_mail(SLICE_STR("BODY=BINARYMIME"),
	    EXT_8BITMIME, &m), PARAMS_BAD);
	assert_int_equal(params_mail(SLICE_STR("RET=FULL"),
	    EXT_ALL & ~EXT_DSN, &m), PARAMS_UNKNOWN);
}

/* R3461-4-a, R3461-5.1-a */
static void
t_dsn_mail(void **state)
{
	static const struct sample	list[] = {
		{ "RET=FULL ENVID=x", PARAMS_OK },
		{ "ret=hdrs envid=QQ314159", PARAMS_OK },
		{ "ENVID=a+2Bb+20c", PARAMS_OK },
		{ "RET=BOTH", PARAMS_BAD }, { "RET=", PARAMS_BAD },
		{ "RET", PARAMS_BAD }, { "RET=FULL RET=FULL", PARAMS_BAD },
		{ "ENVID", PARAMS_BAD }, { "ENVID=", PARAMS_BAD },
		{ "ENVID=+0g", PARAMS_BAD }, { "ENVID=+2b", PARAMS_BAD },
		{ "ENVID=+", PARAMS_BAD }, { "ENVID=a=b", PARAMS_BAD },
		{ "ENVID=+0D+0A", PARAMS_BAD }, { "ENVID=+7F", PARAMS_BAD },
		{ "ENVID=+C3+A9", PARAMS_BAD },
		{ "ENVID=a ENVID=a", PARAMS_BAD },
	};

	(void)state;
	CHECK(list);
	assert_int_equal(mail("Ret=Full envid=Ab"), PARAMS_OK);
	assert_int_equal(m.ret, PARAMS_RET_FULL);
	assert_true(slice_is(m.ret_text, "Full"));
	assert_true(slice_is(m.envid, "Ab"));
}

static void
t_dsn_rcpt(void **state)
{
	static const struct sample	list[] = {
		{ "NOTIFY=NEVER", PARAMS_OK },
		{ "notify=delay,Failure ORCPT=rfc822;a@b.example", PARAMS_OK },
		{ "ORCPT=x-y;anything+20goes", PARAMS_OK },
		{ "NOTIFY=NEVER,SUCCESS", PARAMS_BAD },
		{ "NOTIFY=SUCCESS,NEVER", PARAMS_BAD },
		{ "NOTIFY=SUCCESS,", PARAMS_BAD }, { "NOTIFY=", PARAMS_BAD },
		{ "NOTIFY=,DELAY", PARAMS_BAD }, { "NOTIFY", PARAMS_BAD },
		{ "NOTIFY=ALWAYS", PARAMS_BAD },
		{ "NOTIFY=DELAY NOTIFY=DELAY", PARAMS_BAD },
		{ "ORCPT=a@b.example", PARAMS_BAD },
		{ "ORCPT=;a@b.example", PARAMS_BAD },
		{ "ORCPT=rfc822;a+0D+0Ab", PARAMS_BAD },
		{ "ORCPT=rfc822;a=b", PARAMS_BAD },
		{ "ORCPT=rfc822;a ORCPT=rfc822;a", PARAMS_BAD },
		{ "SIZE=1", PARAMS_UNKNOWN }, { "X", PARAMS_UNKNOWN },
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (rcpt(list[i].text) != list[i].verdict)
			fail_msg("%s", list[i].text);
	assert_int_equal(rcpt("NOTIFY=success,DELAY"), PARAMS_OK);
	assert_int_equal(r.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_int_equal(params_rcpt(SLICE_STR("NOTIFY=NEVER"), 0, &r),
	    PARAMS_UNKNOWN);
}

/* R6533-3-a: 8-bit text where SMTPUTF8 was asked, escapes always. */
static void
t_orcpt_utf8(void **state)
{
	static const struct {
		const char		*text;
		enum params_verdict	 with, without;
		const char		*canonical;
	} list[] = {
		{ "ORCPT=utf-8;\xc3\xa9@b", PARAMS_OK, PARAMS_BAD,
		    "ORCPT=utf-8;\\x{E9}@b" },
		{ "ORCPT=UTF-8;j\xc3\xb6rg@m\xc3\xbcn.de", PARAMS_OK,
		    PARAMS_BAD, "ORCPT=UTF-8;j\\x{F6}rg@m\\x{FC}n.de" },
		{ "ORCPT=utf-8;\xf0\x9f\x98\x80@b", PARAMS_OK, PARAMS_BAD,
		    "ORCPT=utf-8;\\x{1F600}@b" },
		{ "ORCPT=utf-8;\\x{E9}\xc3\xa9", PARAMS_OK, PARAMS_BAD,
		    "ORCPT=utf-8;\\x{E9}\\x{E9}" },
		{ "ORCPT=utf-8;\\x{E9}@b", PARAMS_OK, PARAMS_OK, NULL },
		{ "ORCPT=utf-8;a@b", PARAMS_OK, PARAMS_OK, NULL },
		{ "ORCPT=utf-8;\\x{20}\\x{2B}\\x{3D}\\x{5C}", PARAMS_OK,
		    PARAMS_OK, NULL },
		{ "ORCPT=utf-8;\\x{10FFFF}", PARAMS_OK, PARAMS_OK, NULL },
		{ "ORCPT=utf-8;", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\xff", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\xc0\xaf", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\xc2\x85", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\xed\xa0\x80", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;a+2Bb", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;a=b", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;a\\b", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{E9", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{0A}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{00E9}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{7F}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{85}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{41}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{D800}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{110000}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=utf-8;\\x{1234567}", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=rfc822;\xc3\xa9@b", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "ORCPT=\xc3\xa9;a", PARAMS_BAD, PARAMS_BAD, NULL },
		{ "NOTIFY=\xc3\xa9", PARAMS_BAD, PARAMS_BAD, NULL },
	};
	struct rcpt_params	again;
	char			buf[PARAMS_TEXT_MAX + 1], in[700];
	size_t			i;
	int			n;

	(void)state;
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (params_rcpt(SLICE_STR(list[i].text), EXT_DSN, &r) !=
		    list[i].without)
			fail_msg("without: %s", list[i].text);
		if (rcpt(list[i].text) != list[i].with)
			fail_msg("%s", list[i].text);
		if (list[i].with != PARAMS_OK)
			continue;
		n = params_rcpt_print(&r, buf, sizeof(buf));
		assert_int_not_equal(n, -1);
		assert_string_equal(buf, list[i].canonical != NULL ?
		    list[i].canonical : list[i].text);
		assert_true(params_rcpt_canonical(SLICE_STR(buf), &again));
		assert_int_equal(params_rcpt_canonical(
		    SLICE_STR(list[i].text), &again),
		    list[i].canonical == NULL);
	}
	/* what does not fit when it is escaped cannot be printed */
	strlcpy(in, "ORCPT=utf-8;", sizeof(in));
	for (i = 0; i < 150; i++)
		strlcat(in, "\xc3\xa9", sizeof(in));
	assert_int_equal(rcpt(in), PARAMS_OK);
	assert_int_equal(params_rcpt_print(&r, buf, sizeof(buf)), -1);
	in[strlen(in) - 2 * 5] = '\0';		/* 145 of them, 876 octets */
	assert_int_equal(rcpt(in), PARAMS_OK);
	n = params_rcpt_print(&r, buf, sizeof(buf));
	assert_int_not_equal(n, -1);
	assert_true(params_rcpt_canonical(SLICE(buf, (size_t)n), &again));
}

/* R3461-5.4-a: the bounds themselves are accepted, one more is not. */
static void
t_bounds(void **state)
{
	char	buf[600];

	(void)state;
	memset(buf, 'e', sizeof(buf));
	memcpy(buf, "ENVID=", 6);
	buf[106] = '\0';
	assert_int_equal(mail(buf), PARAMS_OK);
	buf[106] = 'e';
	buf[107] = '\0';
	assert_int_equal(mail(buf), PARAMS_BAD);
	memset(buf, 'o', sizeof(buf));
	memcpy(buf, "ORCPT=rfc822;", 13);
	buf[506] = '\0';
	assert_int_equal(rcpt(buf), PARAMS_OK);
	buf[506] = 'o';
	buf[507] = '\0';
	assert_int_equal(rcpt(buf), PARAMS_BAD);
}

/* R2852-4-a */
static void
t_deliverby(void **state)
{
	static const struct sample	list[] = {
		{ "BY=120;R", PARAMS_OK }, { "BY=-3;NT", PARAMS_OK },
		{ "BY=+999999999;rt", PARAMS_OK }, { "BY=0;N", PARAMS_OK },
		{ "BY=0;R", PARAMS_BAD }, { "BY=-1;R", PARAMS_BAD },
		{ "BY=1000000000;R", PARAMS_BAD }, { "BY=;R", PARAMS_BAD },
		{ "BY=1", PARAMS_BAD }, { "BY=1;", PARAMS_BAD },
		{ "BY=1;X", PARAMS_BAD }, { "BY=1;RX", PARAMS_BAD },
		{ "BY=1;RTT", PARAMS_BAD }, { "BY", PARAMS_BAD },
		{ "BY=1;R BY=1;R", PARAMS_BAD },
	};

	(void)state;
	CHECK(list);
	assert_int_equal(mail("BY=-3;nT"), PARAMS_OK);
	assert_true(m.has_by && m.by == -3 && !m.by_return && m.by_trace);
}

/* R4865-4.2-b, R4865-4.2-c (as far as they are syntax) */
static void
t_futurerelease(void **state)
{
	static const struct sample	list[] = {
		{ "HOLDFOR=1", PARAMS_OK }, { "HOLDFOR=999999999", PARAMS_OK },
		{ "HOLDFOR=0", PARAMS_BAD }, { "HOLDFOR=-1", PARAMS_BAD },
		{ "HOLDFOR=1000000000", PARAMS_BAD },
		{ "HOLDFOR=", PARAMS_BAD }, { "HOLDFOR=1 HOLDFOR=1",
		  PARAMS_BAD },
		{ "HOLDUNTIL=2030-02-28T23:59:60Z", PARAMS_OK },
		{ "HOLDUNTIL=2030-01-01T00:00:00.25z", PARAMS_OK },
		{ "HOLDUNTIL=2030-02-29T00:00:00Z", PARAMS_BAD },
		{ "HOLDUNTIL=2030-13-01T00:00:00Z", PARAMS_BAD },
		{ "HOLDUNTIL=2030-01-01T24:00:00Z", PARAMS_BAD },
		{ "HOLDUNTIL=2030-01-01T00:00:00.Z", PARAMS_BAD },
		{ "HOLDUNTIL=2030-01-01T00:00:00+01:00", PARAMS_BAD },
		{ "HOLDUNTIL=2030-01-01 00:00:00Z", PARAMS_BAD },
		{ "HOLDUNTIL=tomorrow", PARAMS_BAD },
		{ "HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", PARAMS_BAD },
		{ "HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=1", PARAMS_BAD },
	};

	(void)state;
	CHECK(list);
	assert_int_equal(mail("HOLDUNTIL=2001-09-09T01:46:40Z"), PARAMS_OK);
	assert_true(m.holduntil_time == 1000000000);
}

/* R6710-4.1-a, R8689-2-a */
static void
t_priority(void **state)
{
	static const struct sample	list[] = {
		{ "MT-PRIORITY=-9", PARAMS_OK }, { "MT-PRIORITY=0", PARAMS_OK },
		{ "mt-priority=9", PARAMS_OK },
		{ "MT-PRIORITY=+1", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY=10", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY=-0", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY=01", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY=-10", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY", PARAMS_BAD_PRIORITY },
		{ "MT-PRIORITY=1 MT-PRIORITY=1", PARAMS_BAD_PRIORITY },
		{ "REQUIRETLS", PARAMS_OK }, { "REQUIRETLS=1", PARAMS_BAD },
		{ "REQUIRETLS=", PARAMS_BAD },
		{ "REQUIRETLS REQUIRETLS", PARAMS_BAD },
	};

	(void)state;
	CHECK(list);
	assert_int_equal(mail("MT-PRIORITY=-4"), PARAMS_OK);
	assert_true(m.has_priority && m.priority == -4);
	assert_int_equal(params_mail(SLICE_STR("REQUIRETLS"),
	    EXT_ALL & ~EXT_REQUIRETLS, &m), PARAMS_UNKNOWN);
}

static void
t_canonical(void **state)
{
	static const char *const	same[] = {
		"", "BODY=8BITMIME",
		("BODY=BINARYMIME SMTPUTF8 RET=full ENVID=a+2Bb BY=-5;NT "
		    "HOLDFOR=77 MT-PRIORITY=-9 REQUIRETLS"),
		"HOLDUNTIL=2030-01-01t00:00:00z"
	};
	static const char *const	not[] = {
		" BODY=7BIT", "BODY=7BIT ", "body=7BIT", "BODY=7bit",
		"BY=+5;N", "BY=05;N", "SMTPUTF8 BODY=7BIT", "SIZE=1",
		"AUTH=<>", "HOLDFOR=01", "BODY=7BIT  SMTPUTF8"
	};
	char				buf[PARAMS_TEXT_MAX + 1];
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_true(params_mail_canonical(SLICE_STR(same[i]), &m));
	for (i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (params_mail_canonical(SLICE_STR(not[i]), &m))
			fail_msg("%s", not[i]);
	assert_int_equal(mail("size=3  requiretls by=+05;nt body=8bitmime "
	    "auth=<>"), PARAMS_OK);
	assert_int_equal(params_mail_print(&m, buf, sizeof(buf)), 32);
	assert_string_equal(buf, "BODY=8BITMIME BY=5;NT REQUIRETLS");
	assert_int_equal(params_mail_print(&m, buf, 32), -1);
	assert_true(params_rcpt_canonical(SLICE_STR("NOTIFY=delay,FAILURE "
	    "ORCPT=rfc822;x"), &r));
	assert_false(params_rcpt_canonical(SLICE_STR("ORCPT=rfc822;x "
	    "NOTIFY=DELAY"), &r));
	memset(&r, 0, sizeof(r));
	r.notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	assert_int_equal(params_rcpt_print(&r, buf, sizeof(buf)), 20);
	assert_string_equal(buf, "NOTIFY=SUCCESS,DELAY");
}

static void
t_xtext(void **state)
{
	char	buf[16];

	(void)state;
	assert_int_equal(xtext_decode(SLICE_STR("a+2Bb+20c"), buf, 6), 5);
	assert_string_equal(buf, "a+b c");
	assert_int_equal(xtext_decode(SLICE_STR("a+2Bb+20c"), buf, 5), -1);
	assert_int_equal(xtext_decode(SLICE_STR("a b"), buf, 16), -1);
	assert_int_equal(xtext_decode(SLICE_STR("a+2"), buf, 16), -1);
	assert_int_equal(xtext_decode(SLICE_STR("+00"), buf, 16), -1);
	assert_int_equal(xtext_encode(SLICE_STR("a+b= \xc3"), buf, 16), 14);
	assert_string_equal(buf, "a+2Bb+3D+20+C3");
	assert_int_equal(xtext_encode(SLICE_STR("a+b= \xc3"), buf, 14), -1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_mail),
		cmocka_unit_test(t_dsn_mail),
		cmocka_unit_test(t_dsn_rcpt),
		cmocka_unit_test(t_orcpt_utf8),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_deliverby),
		cmocka_unit_test(t_futurerelease),
		cmocka_unit_test(t_priority),
		cmocka_unit_test(t_canonical),
		cmocka_unit_test(t_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
