/* Fuzz: tokens, with a signature that counts and without; key files. */
/* links: msad/auth/jwt.c msad/auth/jwks.c */
/* libs: jansson crypto */

#include <openssl/evp.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "msad/auth/jwt.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static EVP_PKEY		*key;
static struct jwks	*set;

static void
require(int ok)
{
	if (!ok)
		abort();
}

static size_t
url(const void *p, size_t n, char *out, size_t size)
{
	int	 len = base64_encode(p, n, out, size), i;

	require(len >= 0);
	for (i = 0; i < len; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	while (len > 0 && out[len - 1] == '=')
		out[--len] = '\0';
	return (size_t)len;
}

static void
prepare(void)
{
	unsigned char	 secret[32] = "a key that is no secret at all", pub[32];
	char		 x[64], text[256], why[128];
	size_t		 n = sizeof(pub);

	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
	require(key != NULL &&
	    EVP_PKEY_get_raw_public_key(key, pub, &n) == 1);
	url(pub, n, x, sizeof(x));
	snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"OKP\",\"crv\":"
	    "\"Ed25519\",\"x\":\"%s\"}]}", x);
	set = jwks_parse(SLICE_STR(text), "k", why, sizeof(why));
	require(set != NULL);
}

/* A token whose claims are the input and whose signature is good. */
static size_t
sign(const uint8_t *data, size_t size, char *token, size_t max)
{
	static const char	 head[] = "{\"alg\":\"EdDSA\"}";
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	unsigned char		 sig[64];
	size_t			 n, nsig = sizeof(sig);

	n = url(head, sizeof(head) - 1, token, max);
	token[n++] = '.';
	n += url(data, size, token + n, max - n);
	require(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(ctx, sig, &nsig, (unsigned char *)token, n) == 1);
	token[n++] = '.';
	n += url(sig, nsig, token + n, max - n);
	EVP_MD_CTX_free(ctx);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jwt_want	 want = { NULL, "id", "msad", NULL, "sub", 1000 };
	char		 token[JWT_SIZE_MAX * 2], why[256] = "";
	struct jwks	*other;
	struct jwt	 jwt;
	int		 r;

	if (set == NULL)
		prepare();
	if (size == 0 || size > 5000)
		return 0;
	want.keys = set;
	want.scope = data[0] & 4 ? "mail" : NULL;
	switch (data[0] & 3) {
	case 0:
		r = jwt_check(SLICE(data + 1, size - 1), &want, &jwt);
		break;
	case 1:
		r = jwt_check(SLICE(token, sign(data + 1, size - 1, token,
		    sizeof(token))), &want, &jwt);
		break;
	default:
		other = jwks_parse(SLICE(data + 1, size - 1), "k", why,
		    sizeof(why));
		require(other != NULL || why[0] != '\0');
		jwks_release(other);
		return 0;
	}
	if (r == 0)
		require(jwt.name[0] != '\0');
	else
		require(jwt.reason != NULL);
	return 0;
}
