/*
 * The Received field of RFC 5321 section 4.4, written by msad-queue alone, so
 * that its identity part cannot be forged by the front-end. Client name and
 * address are replaced by our own name unless the configuration has them shown
 * (R5321-4.4-d); the log has the true ones. Of what the front-end claims, the
 * client's name and the cipher's are used, when they are plain tokens
 * (R8314-4.3-a), and the address when it is one. The login was proved, so that
 * the protocol is ESMTPSA or ESMTPA (RFC 3848), or UTF8SMTPSA or UTF8SMTPA
 * (RFC 6531 section 3.7.3). A priority that was asked for is in it (RFC 6710
 * section 3). Above it, when the configuration says so, who
 * logged in (RFC 8601 section 2.7.4).
 */
#include <arpa/inet.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/header.h"

#include "received.h"

/* Registered names of the TLS 1.2 suites that libtls negotiates. */
static const struct {
	const char	*openssl;
	const char	*iana;
} suites[] = {
	{ "ECDHE-ECDSA-AES128-GCM-SHA256",
	    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ "ECDHE-ECDSA-AES256-GCM-SHA384",
	    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ "ECDHE-ECDSA-CHACHA20-POLY1305",
	    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "ECDHE-RSA-AES128-GCM-SHA256",
	    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ "ECDHE-RSA-AES256-GCM-SHA384",
	    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ "ECDHE-RSA-CHACHA20-POLY1305",
	    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "DHE-RSA-AES128-GCM-SHA256",
	    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ "DHE-RSA-AES256-GCM-SHA384",
	    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ "DHE-RSA-CHACHA20-POLY1305",
	    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "AEAD-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256" },
	{ "AEAD-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384" },
	{ "AEAD-CHACHA20-POLY1305-SHA256", "TLS_CHACHA20_POLY1305_SHA256" }
};

/* The suite's registered name, or "" when it is not one. */
static struct slice
iana_name(struct slice cipher)
{
	size_t	i;

	for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
		if (slice_is(cipher, suites[i].openssl))
			return SLICE_STR(suites[i].iana);
	if (cipher.len < 5 || cipher.len > 64 ||
	    memcmp(cipher.p, "TLS_", 4) != 0)
		return SLICE("", 0);
	for (i = 0; i < cipher.len; i++)
		if (!isalnum((unsigned char)cipher.p[i]) && cipher.p[i] != '_')
			return SLICE("", 0);
	return cipher;
}

static const char *
with_protocol(const struct received *r)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTPA", "ESMTP" }, { "ESMTPSA", "ESMTPS" } },
		{ { "UTF8SMTPA", "UTF8SMTP" }, { "UTF8SMTPSA", "UTF8SMTPS" } }
	};

	if (!r->utf8 && !r->esmtp)
		return "SMTP";
	return names[r->utf8][r->tls][r->by_address];
}

/* Can the name stand without quotes, as local part and domain do? */
static bool
plain_name(const char *user)
{
	bool	at = false, atom = false;

	for (; *user != '\0'; user++) {
		if (isalnum((unsigned char)*user) || *user == '-' ||
		    *user == '_')
			atom = true;
		else if (atom && (*user == '.' || (*user == '@' && !at))) {
			at = at || *user == '@';
			atom = false;
		} else
			return false;
	}
	return atom;
}

/* The Authentication-Results field of a login; its length, or 0. */
static int
results_write(const char *hostname, const char *user, char *buf, size_t size)
{
	bool		 quote = !plain_name(user);
	char		 name[2 * 255 + 3];
	size_t		 len = 0;
	int		 n;

	if (quote)
		name[len++] = '"';
	for (; *user != '\0'; user++) {
		if (*user < ' ' || *user > '~' || len > sizeof(name) - 4)
			return 0;
		if (*user == '"' || *user == '\\')
			name[len++] = '\\';
		name[len++] = *user;
	}
	if (quote)
		name[len++] = '"';
	n = snprintf(buf, size, "Authentication-Results: %s;\r\n"
	    "\tauth=pass smtp.auth=%.*s\r\n", hostname, (int)len, name);
	return n < 0 || (size_t)n >= size ? 0 : n;
}

/*
 * What stands behind "from": our own name, or the name that the client gave
 * and its address (RFC 5321 section 4.4). Both are claims of the front-end.
 */
static void
from_clause(const struct received *r, char *buf, size_t size)
{
	unsigned char	 addr[16];
	const char	*name = r->helo;
	size_t		 i;

	strlcpy(buf, r->hostname, size);
	if (r->helo == NULL || strlen(r->helo) > 255)
		return;
	if (*r->helo == '\0')
		name = "unknown";
	else if (!address_domain_ok(SLICE_STR(r->helo), true))
		for (i = 0; r->helo[i] != '\0'; i++)
			if (!isalnum((unsigned char)r->helo[i]) &&
			    strchr("-._", r->helo[i]) == NULL)
				name = "unknown";
	if (inet_pton(AF_INET, r->client, addr) == 1)
		snprintf(buf, size, "%s ([%s])", name, r->client);
	else if (inet_pton(AF_INET6, r->client, addr) == 1)
		snprintf(buf, size, "%s ([IPv6:%s])", name, r->client);
}

int
received_write(const struct received *r, char *buf, size_t size)
{
	struct slice	 cipher = r->tls ? iana_name(r->cipher) : SLICE("", 0);
	char		 date[64], from[350], priority[24] = "";
	int		 n, results = 0;

	if (header_date(date, sizeof(date), r->now) == -1)
		return -1;
	if (r->login != NULL)
		results = results_write(r->hostname, r->login, buf, size);
	from_clause(r, from, sizeof(from));
	if (r->has_priority)
		snprintf(priority, sizeof(priority), "\r\n\tPRIORITY %d",
		    r->priority);
	buf += results;
	size -= (size_t)results;
	n = snprintf(buf, size, "Received: from %s by %s\r\n"
	    "\twith %s id %llx%s%.*s%s%s%.*s%s;\r\n\t%s\r\n",
	    from, r->hostname, with_protocol(r),
	    (unsigned long long)r->id,
	    r->rcpt.len > 0 ? "\r\n\tfor <" : "", SLICE_FMT(r->rcpt),
	    r->rcpt.len > 0 ? ">" : "",
	    cipher.len > 0 ? "\r\n\ttls " : "", SLICE_FMT(cipher),
	    priority, date);
	return n < 0 || (size_t)n >= size ? -1 : n + results;
}
