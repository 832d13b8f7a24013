/*
 * The header of the PROXY protocol: what is one, what is none, and that no
 * split of the stream changes the verdict (PX-3 to PX-8).
 */
/* links: msad/frontend/proxy.c */

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/crc32c.h"
#include "msad/frontend/proxy.h"

#define BOTH	(PROXY_V1 | PROXY_V2)
#define SIGN	"\r\n\r\n\0\r\nQUIT\n"

static struct proxy	 px;

/* Whole, it is a header of len octets; every beginning of it wants more. */
static void
takes_octets(const char *p, size_t len, size_t header)
{
	size_t	n;

	for (n = 0; n < header; n++)
		if (proxy_parse(SLICE(p, n), BOTH, &px) != PROXY_MORE)
			fail_msg("%zu of %zu octets do not want more", n,
			    header);
	assert_int_equal(proxy_parse(SLICE(p, len), BOTH, &px), PROXY_DONE);
	assert_int_equal(px.len, header);
}

static void
takes(const char *text)
{
	takes_octets(text, strlen(text),
	    (size_t)(strchr(text, '\n') - text) + 1);
}

static void
refuses(const char *text)
{
	if (proxy_parse(SLICE_STR(text), BOTH, &px) != PROXY_BAD)
		fail_msg("taken: %s", text);
}

static void
is_client(const char *address, uint16_t port)
{
	const struct sockaddr_in	*in = (const void *)&px.client;
	const struct sockaddr_in6	*in6 = (const void *)&px.client;
	char				 buf[INET6_ADDRSTRLEN];

	if (px.client.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, buf, sizeof(buf));
		assert_int_equal(ntohs(in->sin_port), port);
	} else {
		assert_int_equal(px.client.ss_family, AF_INET6);
		inet_ntop(AF_INET6, &in6->sin6_addr, buf, sizeof(buf));
		assert_int_equal(ntohs(in6->sin6_port), port);
	}
	assert_string_equal(buf, address);
}

static void
test_v1(void **state)
{
	(void)state;
	takes("PROXY TCP4 192.0.2.1 198.51.100.2 56324 465\r\n");
	is_client("192.0.2.1", 56324);
	takes("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\nEHLO x\r\n");
	is_client("2001:db8::1", 1);
	takes("PROXY UNKNOWN\r\n");
	assert_int_equal(px.client.ss_family, AF_UNSPEC);
	takes("PROXY UNKNOWN ffff:f...f:ffff 65535 65535 x\r\n");
	assert_int_equal(px.client.ss_family, AF_UNSPEC);
	takes("PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n");
}

static void
test_v1_bad(void **state)
{
	static const char *const	 bad[] = {
		"PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.002 1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 00\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n",
		"PROXY TCP6 2001:0db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
		"PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 99999999\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n",
		"PROXY TCP4\r\n", "PROXY \r\n", "PROXY\r\n",
		"PROXY  UNKNOWN\r\n",
		"PROXY UNKNOWNX\r\n", "PROXY unknown\r\n", "proxy UNKNOWN\r\n",
		"PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n", "PROXY\n",
		"EHLO x\r\n", " PROXY UNKNOWN\r\n", "P\r\n"
	};
	char				 line[PROXY_V1_MAX + 2];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i]);
	/* 107 octets with CRLF, and no more (PX-4) */
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
	takes_octets(line, PROXY_V1_MAX, PROXY_V1_MAX);
	memcpy(line + PROXY_V1_MAX - 2, "x\r\n", 3);
	assert_int_equal(proxy_parse(SLICE(line, PROXY_V1_MAX + 1), BOTH,
	    &px), PROXY_BAD);
	assert_int_equal(proxy_parse(SLICE(line, PROXY_V1_MAX - 1), BOTH,
	    &px), PROXY_MORE);
	assert_int_equal(proxy_parse(SLICE_STR("PROXY UNKNOWN\r\n"), PROXY_V2,
	    &px), PROXY_BAD);
}

/* --- version 2 --- */

static uint8_t	 v2buf[PROXY_HEADER_MAX + 64];
static size_t	 v2len;

static void
v2(uint8_t command, uint8_t family, const void *block, size_t n)
{
	memcpy(v2buf, SIGN, 12);
	v2buf[12] = command;
	v2buf[13] = family;
	v2buf[14] = (uint8_t)(n >> 8);
	v2buf[15] = (uint8_t)n;
	memcpy(v2buf + 16, block, n);
	v2len = 16 + n;
}

static enum proxy_verdict
v2_parse(void)
{
	return proxy_parse(SLICE(v2buf, v2len), BOTH, &px);
}

static const uint8_t	 four[] = { 192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90,
	0x01, 0xd1 };
static const uint8_t	 six[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1,
	0x20, 0x01, 0x0d, 0xb8, [31] = 2, 0x1f, 0x90, 0x01, 0xd1 };

static void
test_v2(void **state)
{
	(void)state;
	v2(0x21, 0x11, four, sizeof(four));
	memcpy(v2buf + v2len, "EHLO", 4);
	takes_octets((char *)v2buf, v2len + 4, v2len);
	is_client("192.0.2.1", 8080);
	v2(0x21, 0x21, six, sizeof(six));
	takes_octets((char *)v2buf, v2len, v2len);
	is_client("2001:db8::1", 8080);
	/* LOCAL, and no family: the socket's address */
	v2(0x20, 0x11, four, sizeof(four));
	takes_octets((char *)v2buf, v2len, v2len);
	assert_int_equal(px.client.ss_family, AF_UNSPEC);
	v2(0x20, 0xff, "anything", 8);
	assert_int_equal(v2_parse(), PROXY_DONE);
	v2(0x21, 0x00, "", 0);
	assert_int_equal(v2_parse(), PROXY_DONE);
	assert_int_equal(px.client.ss_family, AF_UNSPEC);
}

static void
test_v2_bad(void **state)
{
	static const uint8_t	 commands[] = { 0x22, 0x2f, 0x11, 0x31, 0x01 },
				 families[] = { 0x12, 0x22, 0x31, 0x41, 0x10,
				    0x20, 0x13 };
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(commands); i++) {
		v2(commands[i], 0x11, four, sizeof(four));
		assert_int_equal(v2_parse(), PROXY_BAD);
	}
	for (i = 0; i < sizeof(families); i++) {
		v2(0x21, families[i], six, sizeof(six));
		assert_int_equal(v2_parse(), PROXY_BAD);
	}
	v2(0x21, 0x11, four, sizeof(four) - 1);
	assert_int_equal(v2_parse(), PROXY_BAD);
	v2(0x21, 0x21, six, sizeof(six) - 1);
	assert_int_equal(v2_parse(), PROXY_BAD);
	for (i = 0; i < 12; i++) {
		v2(0x21, 0x11, four, sizeof(four));
		v2buf[i] ^= 1;
		assert_int_equal(v2_parse(), PROXY_BAD);
	}
	v2(0x21, 0x11, four, sizeof(four));
	v2buf[14] = 0xff;	/* more than is read of anybody */
	assert_int_equal(v2_parse(), PROXY_BAD);
	v2(0x21, 0x11, four, sizeof(four));
	assert_int_equal(proxy_parse(SLICE(v2buf, v2len), PROXY_V1, &px),
	    PROXY_BAD);
}

/* Addresses and one more value. */
static void
with_value(uint8_t type, const void *value, size_t n, size_t said)
{
	uint8_t	 block[512];

	memcpy(block, four, sizeof(four));
	block[12] = type;
	block[13] = (uint8_t)(said >> 8);
	block[14] = (uint8_t)said;
	memcpy(block + 15, value, n);
	v2(0x21, 0x11, block, 15 + n);
}

static void
test_v2_values(void **state)
{
	uint32_t	 crc;
	size_t		 i;

	(void)state;
	with_value(0x20, "\1\0\0\0\0", 5, 5);		/* SSL */
	assert_int_equal(v2_parse(), PROXY_DONE);
	is_client("192.0.2.1", 8080);
	with_value(0x02, "x.example", 9, 9);		/* AUTHORITY */
	assert_int_equal(v2_parse(), PROXY_DONE);
	with_value(0x04, "", 0, 0);			/* NOOP */
	assert_int_equal(v2_parse(), PROXY_DONE);
	with_value(0x04, "abc", 3, 4);			/* past the end */
	assert_int_equal(v2_parse(), PROXY_BAD);
	with_value(0x04, "abc\4\0", 5, 3);		/* half a value */
	assert_int_equal(v2_parse(), PROXY_BAD);
	with_value(0x03, "\0\0\0\0", 4, 4);
	crc = crc32c(0, v2buf, v2len);
	for (i = 0; i < 4; i++)
		v2buf[v2len - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
	assert_int_equal(v2_parse(), PROXY_DONE);
	v2buf[20] ^= 1;					/* another address */
	assert_int_equal(v2_parse(), PROXY_BAD);
	with_value(0x03, "\0\0\0", 3, 3);
	assert_int_equal(v2_parse(), PROXY_BAD);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v1_bad),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v2_bad),
		cmocka_unit_test(test_v2_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
