/*
 * The address type utf-8 of RFC 6533.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/orcpt.h"
#include "common/params.h"

#define JOERG	"j\xc3\xb6rg"

static char	buf[ORCPT_ESCAPED_MAX];

static void
encodes(const char *mailbox, bool eightbit, const char *want)
{
	int	n = orcpt_encode(SLICE_STR(mailbox), eightbit, buf,
		    sizeof(buf));

	if (want == NULL) {
		assert_int_equal(n, -1);
		return;
	}
	assert_string_equal(buf, want);
	assert_int_equal(n, strlen(want));
}

/* R3461-5.2.1-a, R6533-3-a: what is added for a recipient */
static void
encode(void **state)
{
	(void)state;
	encodes("a+b@x.example", true, "rfc822;a+2Bb@x.example");
	encodes("a b@x.example", false, "rfc822;a+20b@x.example");
	encodes(JOERG "@x.example", true, "utf-8;" JOERG "@x.example");
	encodes(JOERG "@x.example", false, "utf-8;j\\x{F6}rg@x.example");
	encodes("\xe2\x82\xac\xf0\x9f\x98\x80@x", false,
	    "utf-8;\\x{20AC}\\x{1F600}@x");
	encodes("\xc3\xa9+=\\ @x", true,
	    "utf-8;\xc3\xa9\\x{2B}\\x{3D}\\x{5C}\\x{20}@x");
	encodes("\xc3\xa9+=\\ @x", false,
	    "utf-8;\\x{E9}\\x{2B}\\x{3D}\\x{5C}\\x{20}@x");
	encodes("\xc3@x", false, NULL);
	encodes("\xed\xa0\x80@x", true, NULL);
	encodes("\xc0\x80@x", true, NULL);
	encodes("\xf4\x90\x80\x80@x", true, NULL);
	encodes("a\xff@x", false, NULL);
	encodes("\xc3\xa9", false, "utf-8;\\x{E9}");
	/* What is written is what the parser of ORCPT takes. */
	encodes(JOERG "+=\\@x.example", false,
	    "utf-8;j\\x{F6}rg\\x{2B}\\x{3D}\\x{5C}@x.example");
}

/* R6533-3-a: in no room too small is anything written */
static void
bounds(void **state)
{
	char	small[24];
	size_t	size;

	(void)state;
	for (size = 0; size < sizeof(small); size++) {
		memset(small, '#', sizeof(small));
		if (orcpt_encode(SLICE_STR("\xc3\xa9@x"), false, small,
		    size) != -1)
			assert_string_equal(small, "utf-8;\\x{E9}@x");
		assert_int_equal(small[size], '#');
		memset(small, '#', sizeof(small));
		if (orcpt_show(SLICE_STR("utf-8;\\x{E9}@x"), small, size) !=
		    -1)
			assert_string_equal(small, "\xc3\xa9@x");
		assert_int_equal(small[size], '#');
	}
}

static void
escapes(const char *value, const char *want)
{
	int	n = orcpt_escape(SLICE_STR(value), buf, sizeof(buf));

	assert_string_equal(buf, want);
	assert_int_equal(n, strlen(want));
}

/* R6533-3-a */
static void
escape(void **state)
{
	char	value[PARAMS_ORCPT_MAX + 1];
	size_t	i;

	(void)state;
	escapes("utf-8;" JOERG "@x", "utf-8;j\\x{F6}rg@x");
	escapes("utf-8;a\\x{2B}b+@x", "utf-8;a\\x{2B}b+@x");
	assert_int_equal(orcpt_escape(SLICE_STR("utf-8;\xff"), buf,
	    sizeof(buf)), -1);
	/* the longest there is */
	for (i = 0; i + 1 < sizeof(value); i += 2)
		memcpy(value + i, "\xc3\xa9", 2);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(orcpt_escape(SLICE_STR(value), buf, sizeof(buf)),
	    PARAMS_ORCPT_MAX / 2 * 6);
}

static void
shows(const char *value, const char *want)
{
	int	n = orcpt_show(SLICE_STR(value), buf, sizeof(buf));

	assert_string_equal(buf, want);
	assert_int_equal(n, strlen(want));
}

/* R6533-4-a: no escape becomes a control, or what it is not */
static void
show(void **state)
{
	(void)state;
	shows("utf-8;j\\x{F6}rg@x", JOERG "@x");
	shows("utf-8;" JOERG "@x", JOERG "@x");
	shows("UTF-8;\\x{20AC}\\x{1F600}", "\xe2\x82\xac\xf0\x9f\x98\x80");
	shows("utf-8;\\x{0A}\\x{0D}\\x{7F}\\x{85}\\x{9F}\\x{20}\\x{5C}",
	    "\\x{0A}\\x{0D}\\x{7F}\\x{85}\\x{9F}\\x{20}\\x{5C}");
	shows("utf-8;\\x{D800}\\x{110000}\\x{FFFFFFF}\\x{}\\x{E9\\x{g9}",
	    "\\x{D800}\\x{110000}\\x{FFFFFFF}\\x{}\\x{E9\\x{g9}");
	shows("utf-8;\\x{A0}\\x{7FF}\\x{800}\\x{FFFF}\\x{10000}\\x{10FFFF}",
	    "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80"
	    "\xf4\x8f\xbf\xbf");
	shows("utf-8;", "");
}

static void
types(void **state)
{
	(void)state;
	assert_true(orcpt_is_utf8(SLICE_STR("utf-8;x")));
	assert_true(orcpt_is_utf8(SLICE_STR("UTF-8;")));
	assert_false(orcpt_is_utf8(SLICE_STR("utf-8")));
	assert_false(orcpt_is_utf8(SLICE_STR("rfc822;utf-8;")));
	assert_true(orcpt_is_ascii(SLICE("", 0)));
	assert_true(orcpt_is_ascii(SLICE_STR("\x7f")));
	assert_false(orcpt_is_ascii(SLICE_STR("a\x80")));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(encode),
		cmocka_unit_test(bounds),
		cmocka_unit_test(escape),
		cmocka_unit_test(show),
		cmocka_unit_test(types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
