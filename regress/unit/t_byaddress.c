/* links: msad/auth/byaddress.c */
/* Addresses that stand for a login: all their bits, per block, for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "msad/auth/byaddress.h"

static unsigned int	 ngone;
static char		 gone_user[64];

static void
on_gone(const struct byaddress *b)
{
	ngone++;
	strlcpy(gone_user, b->user, sizeof(gone_user));
}

static struct network
address(const char *text)
{
	struct network	 n;

	if (!byaddress_parse(SLICE_STR(text), &n))
		fail_msg("not taken: %s", text);
	return n;
}

static void
grant(const char *text, const char *block, const char *user,
    unsigned int seconds, int64_t now)
{
	const struct network	 n = address(text);

	assert_int_equal(byaddress_grant(&n, block, user, seconds, now), 0);
}

static const char *
user_of(const char *text, const char *block, int64_t now)
{
	const struct network	 n = address(text);
	struct byaddress	*b = byaddress_find(&n, block, now);

	return b != NULL ? b->user : "";
}

static int
setup(void **state)
{
	(void)state;
	ngone = 0;
	byaddress_init(on_gone);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return byaddress_expire(INT64_MAX) == 0 ? 0 : -1;
}

static void
t_parse(void **state)
{
	static const char *const bad[] = {
		"", "x", "1.2.3", "1.2.3.4/32", "1.2.3.4 ", " 1.2.3.4",
		"01.2.3.4", "256.1.1.1", "::1%lo", "::g", "unknown",
		"1:2:3:4:5:6:7:8:9", "local",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"
	};
	struct network	 n;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (byaddress_parse(SLICE_STR(bad[i]), &n))
			fail_msg("taken: %s", bad[i]);
	assert_false(byaddress_parse(SLICE("1.2.3.4\0", 8), &n));
	n = address("2001:db8::1");
	assert_int_equal(n.prefix, 128);
	n = address("::ffff:192.0.2.1");
	assert_int_equal(n.family, AF_INET);
	assert_int_equal(n.prefix, 32);
}

/* The whole address, the block, and the time count. */
static void
t_find(void **state)
{
	(void)state;
	grant("192.0.2.1", "sys", "ann", 10, 1000);
	assert_string_equal(user_of("192.0.2.1", "sys", 1000), "ann");
	assert_string_equal(user_of("::ffff:192.0.2.1", "sys", 1000), "ann");
	assert_string_equal(user_of("192.0.2.2", "sys", 1000), "");
	assert_string_equal(user_of("192.0.2.1", "other", 1000), "");
	assert_string_equal(user_of("192.0.2.1", "sys", 10999), "ann");
	assert_string_equal(user_of("192.0.2.1", "sys", 11000), "");
	grant("2001:db8::1", "sys", "bob", 10, 1000);
	assert_string_equal(user_of("2001:db8::1", "sys", 1000), "bob");
	assert_string_equal(user_of("2001:db8::2", "sys", 1000), "");
	/* an address of IPv4 is none of IPv6 with the same octets */
	assert_string_equal(user_of("c000:201::", "sys", 1000), "");
}

/* Again for the same user: longer. For another: its sessions end. */
static void
t_again(void **state)
{
	(void)state;
	grant("192.0.2.1", "sys", "ann", 10, 0);
	grant("192.0.2.1", "sys", "ann", 10, 9000);
	assert_int_equal(ngone, 0);
	assert_string_equal(user_of("192.0.2.1", "sys", 18999), "ann");
	grant("192.0.2.1", "sys", "bob", 10, 9000);
	assert_int_equal(ngone, 1);
	assert_string_equal(gone_user, "ann");
	assert_string_equal(user_of("192.0.2.1", "sys", 9000), "bob");
	/* a shorter time counts as well */
	grant("192.0.2.1", "sys", "bob", 1, 9000);
	assert_string_equal(user_of("192.0.2.1", "sys", 10000), "");
}

static void
t_end(void **state)
{
	struct network	 n = address("192.0.2.1");

	(void)state;
	grant("192.0.2.1", "sys", "ann", 10, 0);
	grant("192.0.2.1", "other", "bob", 20, 0);
	grant("192.0.2.9", "sys", "cat", 30, 0);
	assert_int_equal(byaddress_expire(9999), 3);
	assert_int_equal(byaddress_expire(10000), 2);
	assert_string_equal(gone_user, "ann");
	assert_int_equal(byaddress_remove(&n), 1);
	assert_string_equal(gone_user, "bob");
	assert_int_equal(byaddress_remove(&n), 0);
	assert_string_equal(user_of("192.0.2.9", "sys", 0), "cat");
}

static void
t_list(void **state)
{
	const struct byaddress	*b;
	uint64_t		 serial = 0;
	char			 text[32];
	unsigned int		 i;

	(void)state;
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 200 - i);
		grant(text, "sys", "ann", 10, 0);
	}
	for (i = 0; (b = byaddress_after(serial)) != NULL; i++) {
		assert_true(b->serial > serial);
		assert_int_equal(b->address.addr[3], 200 - i);
		serial = b->serial;
	}
	assert_int_equal(i, 5);
}

/* The table is bounded; what is in it may still be made longer. */
static void
t_bound(void **state)
{
	struct network	 n = address("10.0.0.0");
	unsigned int	 i;

	(void)state;
	for (i = 0; i < BYADDRESS_MAX; i++) {
		n.addr[1] = (uint8_t)(i >> 16);
		n.addr[2] = (uint8_t)(i >> 8);
		n.addr[3] = (uint8_t)i;
		assert_int_equal(byaddress_grant(&n, "sys", "ann", 10, 0), 0);
	}
	assert_int_equal(byaddress_grant(&n, "sys", "ann", 20, 0), 0);
	n.addr[0] = 11;
	assert_int_equal(byaddress_grant(&n, "sys", "ann", 10, 0), -1);
	assert_int_equal(byaddress_expire(10000), 1);
	assert_int_equal(byaddress_grant(&n, "sys", "ann", 10, 0), 0);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(t_parse), T(t_find), T(t_again), T(t_end), T(t_list),
		T(t_bound)
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
