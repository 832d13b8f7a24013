/* links: msad/queue/received.c */
/* The priority in the Received field (RFC 6710); t_dsn.c has the rest of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/received.h"

static const char *
write_one(bool has_priority, int priority, const char *cipher,
    const char *rcpt)
{
	static char	buf[RECEIVED_MAX];
	struct received	r = { .hostname = "mail.example.org", .id = 0x2a,
		.esmtp = true, .tls = cipher[0] != '\0',
		.cipher = SLICE_STR(cipher), .rcpt = SLICE_STR(rcpt),
		.has_priority = has_priority, .priority = priority };
	int		n = received_write(&r, buf, sizeof(buf));

	assert_int_equal(n, strlen(buf));
	return buf;
}

static void
t_R6710_4_1_a(void **state)
{
	static const struct {
		int		 priority;
		const char	*cipher, *rcpt, *end;
	} table[] = {
		{ 9, "", "", "id 2a\r\n\tPRIORITY 9;\r\n\t" },
		{ 0, "", "", "id 2a\r\n\tPRIORITY 0;\r\n\t" },
		{ -9, "TLS_AES_128_GCM_SHA256", "b@x.example", "id 2a\r\n"
		    "\tfor <b@x.example>\r\n\ttls TLS_AES_128_GCM_SHA256\r\n"
		    "\tPRIORITY -9;\r\n\t" },
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_non_null(strstr(write_one(true, table[i].priority,
		    table[i].cipher, table[i].rcpt), table[i].end));
	assert_null(strstr(write_one(false, 0, "", ""), "PRIORITY"));
}

/* It does not fit: nothing is cut. */
static void
t_room(void **state)
{
	struct received	r = { .hostname = "mail.example.org", .id = 1,
		.has_priority = true, .priority = -1 };
	char		buf[RECEIVED_MAX];
	int		n = received_write(&r, buf, sizeof(buf));

	(void)state;
	assert_true(n > 0);
	assert_int_equal(received_write(&r, buf, (size_t)n), -1);
	assert_int_equal(received_write(&r, buf, (size_t)n + 1), n);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_R6710_4_1_a),
		cmocka_unit_test(t_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
