/*
 * The Received field of RFC 5321 section 4.4, written by msad-queue alone, so
 * that its identity part cannot be forged by the front-end. Client name and
 * address are replaced by our own name (R5321-4.4-d); the log has the true
 * ones. Of what the front-end claims only the cipher's name is used, and only
 * when it is a plain token (R8314-4.3-a). The login was proved, so that the
 * protocol is ESMTPSA or ESMTPA (RFC 3848).
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

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
	if (!r->esmtp)
		return "SMTP";
	return r->tls ? "ESMTPSA" : "ESMTPA";
}

int
received_write(const struct received *r, char *buf, size_t size)
{
	struct slice	 cipher = r->tls ? iana_name(r->cipher) : SLICE("", 0);
	char		 date[64];
	int		 n;

	if (header_date(date, sizeof(date), r->now) == -1)
		return -1;
	n = snprintf(buf, size, "Received: from %s by %s\r\n"
	    "\twith %s id %llx%s%.*s%s%s%.*s;\r\n\t%s\r\n",
	    r->hostname, r->hostname, with_protocol(r),
	    (unsigned long long)r->id,
	    r->rcpt.len > 0 ? "\r\n\tfor <" : "", SLICE_FMT(r->rcpt),
	    r->rcpt.len > 0 ? ">" : "",
	    cipher.len > 0 ? "\r\n\ttls " : "", SLICE_FMT(cipher), date);
	return n < 0 || (size_t)n >= size ? -1 : n;
}
