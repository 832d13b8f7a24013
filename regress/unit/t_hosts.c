/* links: msad/resolver/hosts.c msad/resolver/dns.c */
/* The hosts file, resolv.conf and DNS messages as the resolver reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/resolver/dns.h"
#include "msad/resolver/hosts.h"

static struct hosts *
parse(const char *s)
{
	struct hosts	*h = hosts_parse(s, strlen(s));

	assert_non_null(h);
	return h;
}

static void
check(const char *text, const char *name, int family, const char *want)
{
	struct hosts	*h = parse(text);
	const char	*addr[4];
	char		 got[256] = "";
	size_t		 i, n;

	n = hosts_find(h, name, family, addr, 4);
	for (i = 0; i < n; i++) {
		strlcat(got, i > 0 ? " " : "", sizeof(got));
		strlcat(got, addr[i], sizeof(got));
	}
	assert_string_equal(got, want);
	hosts_free(h);
}

static void
finding(void **state)
{
	static const char text[] =
	    "# a comment\n"
	    "127.0.0.1\tlocalhost\n"
	    "::1 localhost ip6-localhost\n"
	    "10.0.0.2 B.Example.  b # behind\n"
	    "10.0.0.1 b.example\n"
	    "10.0.0.2 b.example\n"
	    "0:0:0:0:0:0:0:2 c\r\n"
	    "  10.9.9.9   d\n"
	    "10.1.1.1 last";

	(void)state;
	check(text, "localhost", 0, "127.0.0.1 ::1");
	check(text, "localhost", 4, "127.0.0.1");
	check(text, "localhost", 6, "::1");
	check(text, "ip6-localhost", 0, "::1");
	check(text, "b.example", 0, "10.0.0.2 10.0.0.1");
	check(text, "b", 0, "10.0.0.2");
	check(text, "behind", 0, "");
	check(text, "c", 0, "::2");
	check(text, "d", 0, "10.9.9.9");
	check(text, "last", 0, "10.1.1.1");
	check(text, "nothing", 0, "");
	check("", "x", 0, "");
	check("\n\n", "x", 0, "");
}

static void
bad_lines_do_not_count(void **state)
{
	char	 text[HOSTS_LINE_MAX + 64];

	(void)state;
	check("1.2.3 x\n1.2.3.4.5 x\nnonsense x\n1.2.3.4\nx 1.2.3.4\n"
	    "fe80::1%eth0 x\n1.2.3.4 ok\n", "x", 0, "");
	check("1.2.3 x\n1.2.3.4 ok\n", "ok", 0, "1.2.3.4");
	check("1.2.3.4 a..b .a a/b b\n", "b", 0, "1.2.3.4");
	/* a line over the limit, and what follows it */
	memset(text, ' ', sizeof(text));
	memcpy(text, "1.1.1.1 x", 9);
	memcpy(text + HOSTS_LINE_MAX + 1, "\n1.1.1.2 y\n", 12);
	check(text, "x", 0, "");
	check(text, "y", 0, "1.1.1.2");
	/* a line of the limit */
	text[HOSTS_LINE_MAX] = '\n';
	check(text, "x", 0, "1.1.1.1");
}

static void
answers_are_bounded(void **state)
{
	(void)state;
	check("1.0.0.1 x\n1.0.0.2 x\n1.0.0.3 x\n1.0.0.4 x\n1.0.0.5 x\n", "x",
	    0, "1.0.0.1 1.0.0.2 1.0.0.3 1.0.0.4");
}

static void
names(void **state)
{
	char	 out[256], name[300];

	(void)state;
	assert_int_equal(host_name("Mail.Example.", 13, out, 256), 0);
	assert_string_equal(out, "mail.example");
	assert_int_equal(host_name("", 0, out, 256), -1);
	assert_int_equal(host_name(".", 1, out, 256), -1);
	assert_int_equal(host_name("a..b", 4, out, 256), -1);
	assert_int_equal(host_name("a b", 3, out, 256), -1);
	assert_int_equal(host_name("a\0b", 3, out, 256), -1);
	memset(name, 'a', sizeof(name));
	assert_int_equal(host_name(name, 253, out, 256), 0);
	assert_int_equal(host_name(name, 254, out, 256), -1);
	assert_int_equal(host_name(name, 10, out, 10), -1);
}

static void
resolv_conf(void **state)
{
	static const char text[] =
	    "; comment\n# nameserver 1.1.1.1\nsearch example.org\n"
	    "nameserver 10.0.0.1\nnameserver\t2001:DB8::1 # x\r\n"
	    "nameserver bad\nnameserverx 1.1.1.2\noptions rotate\n"
	    "nameserver 10.0.0.2";
	char	 servers[RESOLV_MAX][64], many[RESOLV_MAX * 40] = "";
	int	 i;

	(void)state;
	assert_int_equal(resolv_parse(text, sizeof(text) - 1, servers), 3);
	assert_string_equal(servers[0], "10.0.0.1");
	assert_string_equal(servers[1], "2001:db8::1");
	assert_string_equal(servers[2], "10.0.0.2");
	assert_int_equal(resolv_parse("", 0, servers), 0);
	for (i = 0; i < RESOLV_MAX + 3; i++)
		strlcat(many, "nameserver 10.0.0.1\n", sizeof(many));
	assert_int_equal(resolv_parse(many, strlen(many), servers),
	    RESOLV_MAX);
}

/* example.org A? with a CNAME, two A and an AAAA in the answer. */
static const uint8_t packet[] =
	"\x12\x34\x81\x80\0\1\0\4\0\0\0\0"
	"\7example\3org\0\0\1\0\1"
	"\xc0\x0c\0\5\0\1\0\0\0\x05\0\4\1a\xc0\x0c"
	"\xc0\x28\0\1\0\1\0\0\1\0\0\4\x7f\0\0\1"
	"\xc0\x28\0\1\0\1\0\0\0\x20\0\4\x7f\0\0\2"
	"\xc0\x28\0\x1c\0\1\0\0\0\1\0\x10"
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";

static void
dns_messages(void **state)
{
	struct dns_answer	 a;
	uint8_t			*copy;
	size_t			 len, size = sizeof(packet) - 1;

	(void)state;
	assert_int_equal(dns_addresses(packet, size, DNS_TYPE_A, &a), 0);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.ttl, 32);
	assert_int_equal(a.rcode, 0);
	assert_memory_equal(a.addr[1].octets, "\x7f\0\0\2", 4);
	assert_int_equal(dns_addresses(packet, size, DNS_TYPE_AAAA, &a), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.addr[0].len, 16);
	/* cut anywhere: malformed, and nothing read past the end */
	for (len = 0; len < size; len++) {
		copy = malloc(len + 1);
		memcpy(copy, packet, len);
		assert_int_equal(dns_addresses(copy, len, DNS_TYPE_A, &a),
		    -1);
		free(copy);
	}
	/* an A record of 5 octets; a label type that does not exist */
	copy = malloc(size);
	memcpy(copy, packet, size);
	copy[55] = 3;
	assert_int_equal(dns_addresses(copy, size, DNS_TYPE_A, &a), -1);
	memcpy(copy, packet, size);
	copy[12] = 0x87;
	assert_int_equal(dns_addresses(copy, size, DNS_TYPE_A, &a), -1);
	free(copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finding),
		cmocka_unit_test(bad_lines_do_not_count),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(names),
		cmocka_unit_test(resolv_conf),
		cmocka_unit_test(dns_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
