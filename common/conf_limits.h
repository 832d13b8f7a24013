#ifndef COMMON_CONF_LIMITS_H
#define COMMON_CONF_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum limit_unit { LIMIT_COUNT, LIMIT_SIZE, LIMIT_TIME };

/*
 * L(word, member, unit, default, min, max): what "limit session" may bound.
 * Sizes are octets, times are seconds.
 */
#define CONF_LIMITS_TABLE(L) \
	/* connections of all front-end workers together, in all, ... */ \
	L("connections", connections, COUNT, 10000, 1, 1000000) \
	/* of one IPv4 address or one IPv6 network of ipv6-address bits */ \
	L("per-address", per_address, COUNT, 250, 1, 60000) \
	/* of one network of ipv4-network or ipv6-network bits */ \
	L("per-network", per_network, COUNT, 2000, 1, 60000) \
	L("ipv6-address", ipv6_address, COUNT, 64, 1, 128) \
	L("ipv4-network", ipv4_network, COUNT, 24, 1, 32) \
	L("ipv6-network", ipv6_network, COUNT, 48, 1, 128) \
	L("size", size, SIZE, 52428800, 65536, 4294967296) \
	L("recipients", recipients, COUNT, 1000, 1, 1000) \
	L("mails", mails, COUNT, 100, 1, 1000000000) \
	L("command-line", command_line, SIZE, 4096, 512, 8192) \
	L("sasl-line", sasl_line, SIZE, 12288, 512, 12288) \
	/* of a body; from 998 on the part is encoded */ \
	L("text-line", text_line, SIZE, 65536, 998, 65536) \
	L("mime-parts", mime_parts, COUNT, 1000, 1, 1000) \
	L("mime-depth", mime_depth, COUNT, 32, 1, 32) \
	L("header-size", header_size, SIZE, 262144, 1024, 262144) \
	L("header-field", header_field, SIZE, 65536, 998, 65536) \
	L("header-fields", header_fields, COUNT, 1000, 10, 1000) \
	L("received", received, COUNT, 100, 1, 100) \
	L("bad-commands", bad_commands, COUNT, 10, 1, 250) \
	L("failed-logins", failed_logins, COUNT, 3, 1, 100) \
	/* for a command, for a block of data, for the login in all */ \
	L("idle-time", idle_time, TIME, 300, 1, 86400) \
	L("data-time", data_time, TIME, 180, 1, 86400) \
	L("login-time", login_time, TIME, 600, 1, 86400) \
	/* octets a second, on average over five minutes */ \
	L("data-rate", data_rate, COUNT, 100, 0, 1000000)

/* All as uint64_t, for the table's sake. */
struct conf_limits {
#define L(word, member, unit, value, min, max)	uint64_t member;
	CONF_LIMITS_TABLE(L)
#undef L
};

struct conf_build;

/*
 * The value of a word: digits, and K, M or G behind a size, s, m, h or d
 * behind a time. False: none from min to max.
 */
bool	 conf_limit_value(enum limit_unit, const char *text, uint64_t min,
	    uint64_t max, uint64_t *value);
/* What is expected there: "a number", "a time such as ...". */
const char *conf_limit_kind(enum limit_unit);

void	 conf_limits_default(struct conf_limits *);
/* "WORD VALUE" of the block; says what is wrong with it. */
void	 conf_build_limit(struct conf_build *, const char *word,
	    const char *value);
/* The block as canonical text, if anything differs from the defaults. */
void	 conf_limits_print(FILE *, const struct conf_limits *);

#endif
