/*
 * The keys of SCRAM (RFC 5802 section 3, RFC 7677): from a password, and as
 * text in a passwd file. Pure. Used by msad-auth, its hashers and msactl.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base64.h"
#include "common/scram_keys.h"

static const EVP_MD *
md(enum scram_hash hash)
{
	return hash == SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

size_t
scram_hash_len(enum scram_hash hash)
{
	return hash == SCRAM_SHA1 ? 20 : 32;
}

int
scram_hmac(enum scram_hash hash, const uint8_t *key, size_t nkey,
    struct slice text, uint8_t *out)
{
	return HMAC(md(hash), key, (int)nkey, (const uint8_t *)text.p,
	    text.len, out, NULL) == NULL ? -1 : 0;
}

int
scram_h(enum scram_hash hash, const uint8_t *in, uint8_t *out)
{
	return EVP_Digest(in, scram_hash_len(hash), out, NULL, md(hash),
	    NULL) == 1 ? 0 : -1;
}

int
scram_derive(enum scram_hash hash, struct slice password,
    struct scram_verifier *v)
{
	uint8_t	 salted[SCRAM_HASH_MAX], client[SCRAM_HASH_MAX];
	size_t	 n = scram_hash_len(hash);
	int	 rv = -1;

	if (password.len > INT_MAX || v->iterations > INT_MAX)
		return -1;
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.len, v->salt,
	    (int)v->nsalt, (int)v->iterations, md(hash), (int)n,
	    salted) == 1 &&
	    scram_hmac(hash, salted, n, SLICE_STR("Client Key"),
	    client) == 0 &&
	    scram_h(hash, client, v->stored) == 0 &&
	    scram_hmac(hash, salted, n, SLICE_STR("Server Key"),
	    v->server) == 0)
		rv = 0;
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return rv;
}

/* The part before the next comma, or the rest. */
static struct slice
part(struct slice *rest)
{
	struct slice	 s = *rest;
	const char	*comma;

	if (s.len == 0 || (comma = memchr(s.p, ',', s.len)) == NULL)
		*rest = slice_from(s, s.len);
	else {
		s.len = (size_t)(comma - s.p);
		*rest = slice_from(*rest, s.len + 1);
	}
	return s;
}

static bool
number(struct slice s, uint32_t *n)
{
	size_t	 i;

	*n = 0;
	for (i = 0; i < s.len && i < 8; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*n = *n * 10 + (uint32_t)(s.p[i] - '0');
	}
	return s.len > 0 && s.len <= 8 && s.p[0] != '0';
}

int
scram_parse(enum scram_hash hash, struct slice text, struct scram_verifier *v,
    const char **reason)
{
	const int	 want = (int)scram_hash_len(hash);
	int		 n;

	memset(v, 0, sizeof(*v));
	*reason = "iteration count of a SCRAM verifier is not a number from "
	    "4096 to 1000000";
	if (!number(part(&text), &v->iterations) ||
	    v->iterations < SCRAM_ITERATIONS_MIN ||
	    v->iterations > SCRAM_ITERATIONS_MAX)
		return -1;
	*reason = "salt of a SCRAM verifier is not base64 of 8 to 64 octets";
	n = base64_decode(part(&text), v->salt, sizeof(v->salt));
	if (n < 8)
		return -1;
	v->nsalt = (size_t)n;
	*reason = "keys of a SCRAM verifier are not base64 of the hash's "
	    "length";
	if (base64_decode(part(&text), v->stored, (size_t)want) != want ||
	    base64_decode(text, v->server, (size_t)want) != want)
		return -1;
	*reason = NULL;
	return 0;
}

int
scram_print(enum scram_hash hash, const struct scram_verifier *v, char *buf,
    size_t size)
{
	char	 salt[2 * SCRAM_SALT_MAX], stored[64], server[64];
	size_t	 n = scram_hash_len(hash);
	int	 w;

	if (base64_encode(v->salt, v->nsalt, salt, sizeof(salt)) == -1 ||
	    base64_encode(v->stored, n, stored, sizeof(stored)) == -1 ||
	    base64_encode(v->server, n, server, sizeof(server)) == -1)
		return -1;
	w = snprintf(buf, size, "%u,%s,%s,%s", v->iterations, salt, stored,
	    server);
	explicit_bzero(stored, sizeof(stored));
	explicit_bzero(server, sizeof(server));
	return w < 0 || (size_t)w >= size ? -1 : w;
}
