/*
 * What msad-keys signs: a server's part of a TLS handshake and nothing else.
 *
 * Called by the key store for each request of a front-end, which is not
 * trusted at all. The whole input of the signature comes across, before any
 * hashing, so that its form can be checked here:
 *
 * TLS 1.3 (RFC 8446 section 4.4.3): 64 spaces, the server's context string, a
 * NUL, the transcript hash. TLS 1.2 (RFC 8422 section 5.4): client random,
 * server random, and ServerECDHParams with a named curve. Octet 65 is 'T' in
 * the one and 3 in the other: no input has both forms, and no DKIM header,
 * certificate or other signed object has either.
 */

#include <stdbool.h>
#include <string.h>

#include "msad/keys/tls_sign.h"

#define SPACES		64
#define RANDOMS		64	/* client and server random */
#define CURVE_NAMED	3	/* ECCurveType named_curve */

/* With the NUL that ends it. */
static const char context13[] = "TLS 1.3, server CertificateVerify";

enum form { FORM_BAD, FORM_TLS12, FORM_TLS13 };

/* Octets of a public point on the curves of RFC 8422 section 5.1.1. */
static const struct {
	uint16_t	 id;
	uint8_t		 len;
	bool		 uncompressed;	/* begins with 4 */
} curves[] = {
	{ 23, 65, true },	/* secp256r1 */
	{ 24, 97, true },	/* secp384r1 */
	{ 25, 133, true },	/* secp521r1 */
	{ 29, 32, false },	/* x25519 */
	{ 30, 56, false }	/* x448 */
};

static bool
is_tls13(const uint8_t *p, size_t len)
{
	size_t	 i;

	if (len != SPACES + sizeof(context13) + 32 &&
	    len != SPACES + sizeof(context13) + 48)
		return false;
	for (i = 0; i < SPACES; i++)
		if (p[i] != ' ')
			return false;
	return memcmp(p + SPACES, context13, sizeof(context13)) == 0;
}

static bool
is_tls12(const uint8_t *p, size_t len)
{
	const uint8_t	*params = p + RANDOMS;
	unsigned int	 id;
	size_t		 i;

	if (len < RANDOMS + 5 || params[0] != CURVE_NAMED)
		return false;
	id = (unsigned int)params[1] << 8 | params[2];
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (curves[i].id != id)
			continue;
		return params[3] == curves[i].len &&
		    len == RANDOMS + 4 + (size_t)curves[i].len &&
		    (!curves[i].uncompressed || params[4] == 4);
	}
	return false;
}

static enum form
tbs_form(struct slice tbs)
{
	const uint8_t	*p = (const uint8_t *)tbs.p;

	if (is_tls13(p, tbs.len))
		return FORM_TLS13;
	if (is_tls12(p, tbs.len))
		return FORM_TLS12;
	return FORM_BAD;
}

static bool
digest_known(struct slice digest)
{
	return slice_is(digest, "SHA256") || slice_is(digest, "SHA384") ||
	    slice_is(digest, "SHA512");
}

/* RFC 8446 section 4.2.3: the schemes of TLS 1.3; 1.2 has PKCS#1 as well. */
static bool
rsa_ok(enum form form, uint8_t padding, struct slice digest)
{
	if (!digest_known(digest))
		return false;
	return padding == TLS_PADDING_PSS ||
	    (padding == TLS_PADDING_PKCS1 && form == FORM_TLS12);
}

/* TLS 1.3 binds the digest to the curve, 1.2 does not. */
static bool
ecdsa_ok(enum form form, uint8_t padding, struct slice digest,
    const char *digest13)
{
	if (padding != TLS_PADDING_NONE)
		return false;
	return form == FORM_TLS13 ? slice_is(digest, digest13) :
	    digest_known(digest);
}

const char *
tls_sign_refusal(enum tls_key_kind kind, uint8_t padding, struct slice digest,
    struct slice tbs)
{
	enum form	 form = tbs_form(tbs);
	bool		 ok = false;

	if (form == FORM_BAD)
		return "not a TLS handshake";
	switch (kind) {
	case TLS_KEY_RSA:
		ok = rsa_ok(form, padding, digest);
		break;
	case TLS_KEY_P256:
		ok = ecdsa_ok(form, padding, digest, "SHA256");
		break;
	case TLS_KEY_P384:
		ok = ecdsa_ok(form, padding, digest, "SHA384");
		break;
	case TLS_KEY_ED25519:
		ok = padding == TLS_PADDING_NONE && digest.len == 0;
		break;
	}
	return ok ? NULL : "padding and digest do not fit the key";
}
