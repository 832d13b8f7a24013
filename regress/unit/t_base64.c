/* Strict base64 (RFC 4648 section 4; CONFORMANCE R4954-4-h). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/base64.h"

static void
decodes(const char *text, const char *octets, size_t n)
{
	uint8_t	out[64];

	assert_int_equal(base64_decode(SLICE_STR(text), out, sizeof(out)),
	    (int)n);
	assert_memory_equal(out, octets, n);
}

static void
t_decode(void **state)
{
	(void)state;
	decodes("", "", 0);
	decodes("Zg==", "f", 1);
	decodes("Zm8=", "fo", 2);
	decodes("Zm9v", "foo", 3);
	decodes("Zm9vYmFy", "foobar", 6);
	decodes("AGFubgBwdw==", "\0ann\0pw", 7);
	decodes("+/+/", "\xfb\xff\xbf", 3);
}

static void
t_R4954_4_h(void **state)
{
	static const char *const	bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg==Zg==",
		"Zm=v", "Z=9v", "Zm9v ", " Zm9v", "Zm9v\t", "Zm9\nvYmF",
		"Zm9-", "Zm9_", "Zh==", "Zm9=", "Zm\xc3\xa9",
	};
	uint8_t				out[64];
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64_decode(SLICE_STR(bad[i]), out, sizeof(out)) != -1)
			fail_msg("taken: \"%s\"", bad[i]);
	assert_int_equal(base64_decode(SLICE("Zm\0v", 4), out, 64), -1);
	assert_int_equal(base64_decode(SLICE_STR("Zm9v"), out, 2), -1);
	assert_int_equal(base64_decode(SLICE_STR("Zm9v"), out, 3), 3);
}

static void
t_encode(void **state)
{
	char	out[16];

	(void)state;
	assert_int_equal(base64_encode("Username:", 9, out, 13), 12);
	assert_string_equal(out, "VXNlcm5hbWU6");
	assert_int_equal(base64_encode("f", 1, out, 5), 4);
	assert_string_equal(out, "Zg==");
	assert_int_equal(base64_encode("", 0, out, 1), 0);
	assert_int_equal(base64_encode("foo", 3, out, 4), -1);
}

static void
t_round(void **state)
{
	uint8_t	in[256], back[256];
	char	text[400];
	size_t	n, i;
	int	len;

	(void)state;
	for (n = 0; n <= sizeof(in); n++) {
		for (i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 7 + n);
		len = base64_encode(in, n, text, sizeof(text));
		assert_true(len >= 0);
		assert_int_equal(base64_decode(SLICE(text, (size_t)len), back,
		    sizeof(back)), (int)n);
		assert_memory_equal(in, back, n);
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_decode),
		cmocka_unit_test(t_R4954_4_h),
		cmocka_unit_test(t_encode),
		cmocka_unit_test(t_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
