/*
 * The public keys of an identity provider, from a file in the form of RFC
 * 7517, and what they are for: is this its signature?
 *
 * Runs in msad-auth; the file comes open from msad and is the administrator's,
 * what is to be verified comes from the network. JSON is read by jansson, all
 * cryptography is libcrypto's EVP_DigestVerify(), one way for the three
 * algorithms: neither cjose nor libjwt, as they are packaged, knows EdDSA, and
 * both bring along what must not be here, keyed hashes and "none". A key is
 * tied to one algorithm when it is read, so that a token has no say in how
 * its key is used (RFC 8725 section 3.1).
 */

#include <sys/stat.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "msad/auth/jwks.h"

#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	4096
#define EXPONENT_MAX	4	/* octets */
#define TEXT_MAX	12288	/* octets of base64 */

struct jwk {
	enum jwk_alg	 alg;
	char		*kid;		/* or NULL */
	EVP_PKEY	*key;
};

struct jwks {
	unsigned int	 refs;
	struct jwk	 keys[JWKS_KEYS_MAX];
	size_t		 n;
};

/* --- text --- */

int
base64url_decode(struct slice in, unsigned char *out, size_t size)
{
	char	 std[TEXT_MAX];
	size_t	 i, n = in.len;

	if (n > sizeof(std) - 4 || n % 4 == 1)
		return -1;
	for (i = 0; i < n; i++) {
		if (in.p[i] == '+' || in.p[i] == '/' || in.p[i] == '=')
			return -1;
		std[i] = in.p[i] == '-' ? '+' : in.p[i] == '_' ? '/' :
		    in.p[i];
	}
	while (n % 4 != 0)
		std[n++] = '=';
	return base64_decode(SLICE(std, n), out, size);
}

int
json_depth_ok(struct slice text, unsigned int max)
{
	unsigned int	 depth = 0;
	bool		 string = false;
	size_t		 i;

	for (i = 0; i < text.len; i++) {
		if (string && text.p[i] == '\\')
			i++;
		else if (text.p[i] == '"')
			string = !string;
		else if (string)
			continue;
		else if (text.p[i] == '[' || text.p[i] == '{') {
			if (++depth > max)
				return 0;
		} else if ((text.p[i] == ']' || text.p[i] == '}') &&
		    depth > 0)
			depth--;
	}
	return 1;
}

enum jwk_alg
jwk_alg(const char *name)
{
	if (strcmp(name, "RS256") == 0)
		return JWK_RS256;
	if (strcmp(name, "ES256") == 0)
		return JWK_ES256;
	if (strcmp(name, "EdDSA") == 0)
		return JWK_EDDSA;
	return JWK_NONE;
}

/* --- keys --- */

/* The octets of a member in base64url, or -1. */
static int
octets(const json_t *jwk, const char *name, unsigned char *out, size_t size)
{
	const char	*s = json_string_value(json_object_get(jwk, name));

	return s == NULL ? -1 : base64url_decode(SLICE_STR(s), out, size);
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY	*key = NULL;

	if (ctx == NULL || params == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key,
	    EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *
rsa_build(const unsigned char *n, int nlen, const unsigned char *e, int elen)
{
	OSSL_PARAM_BLD	*bld = OSSL_PARAM_BLD_new();
	BIGNUM		*bn = BN_bin2bn(n, nlen, NULL);
	BIGNUM		*be = BN_bin2bn(e, elen, NULL);
	OSSL_PARAM	*params = NULL;
	EVP_PKEY	*key = NULL;

	if (bld != NULL && bn != NULL && be != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params != NULL)
		key = from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return key;
}

static EVP_PKEY *
rsa_key(const json_t *jwk, const char **reason)
{
	unsigned char	 n[RSA_BITS_MAX / 8 + 1], e[EXPONENT_MAX];
	EVP_PKEY	*key;
	int		 nlen, elen, bits;

	nlen = octets(jwk, "n", n, sizeof(n));
	elen = octets(jwk, "e", e, sizeof(e));
	*reason = "n or e of an RSA key is missing or malformed";
	if (nlen < 1 || elen < 1 || (e[elen - 1] & 1) == 0 ||
	    (elen == 1 && e[0] == 1) ||
	    (key = rsa_build(n, nlen, e, elen)) == NULL)
		return NULL;
	bits = EVP_PKEY_get_bits(key);
	if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
		return key;
	*reason = "an RSA key must have 2048 to 4096 bits";
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
ec_key(const json_t *jwk, const char **reason)
{
	char		 group[] = "prime256v1";
	unsigned char	 point[65] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM	 params[3];

	*reason = "x or y of a P-256 key is missing, or no point of it";
	if (octets(jwk, "x", point + 1, 32) != 32 ||
	    octets(jwk, "y", point + 33, 32) != 32)
		return NULL;
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	return from_params("EC", params);
}

static EVP_PKEY *
ed25519_key(const json_t *jwk, const char **reason)
{
	unsigned char	 x[32];

	*reason = "x of an Ed25519 key is missing or malformed";
	if (octets(jwk, "x", x, sizeof(x)) != (int)sizeof(x))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x,
	    sizeof(x));
}

/* A string member; "" when it is not there. */
static const char *
member(const json_t *jwk, const char *name)
{
	const char	*s = json_string_value(json_object_get(jwk, name));

	return s != NULL ? s : "";
}

static const struct kind {
	const char	*kty, *crv, *name;
	enum jwk_alg	 alg;
	EVP_PKEY	*(*read)(const json_t *, const char **);
} kinds[] = {
	{ "RSA", "", "RS256", JWK_RS256, rsa_key },
	{ "EC", "P-256", "ES256", JWK_ES256, ec_key },
	{ "OKP", "Ed25519", "EdDSA", JWK_EDDSA, ed25519_key }
};

static bool
has_verify(const json_t *ops)
{
	size_t	 i;

	for (i = 0; i < json_array_size(ops); i++)
		if (json_is_string(json_array_get(ops, i)) &&
		    strcmp(json_string_value(json_array_get(ops, i)),
		    "verify") == 0)
			return true;
	return false;
}

/* What the key is for, as far as it says; NULL: nothing that is done here. */
static const struct kind *
purpose(const json_t *jwk)
{
	const char	*alg = member(jwk, "alg"), *use = member(jwk, "use");
	const json_t	*ops = json_object_get(jwk, "key_ops");
	size_t		 i;

	if ((*use != '\0' && strcmp(use, "sig") != 0) ||
	    (ops != NULL && !has_verify(ops)))
		return NULL;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(member(jwk, "kty"), kinds[i].kty) == 0 &&
		    strcmp(member(jwk, "crv"), kinds[i].crv) == 0 &&
		    (*alg == '\0' || strcmp(alg, kinds[i].name) == 0))
			return &kinds[i];
	return NULL;
}

static const struct jwk *
find(const struct jwks *set, enum jwk_alg alg, const char *kid)
{
	size_t	 i;

	for (i = 0; i < set->n; i++)
		if (set->keys[i].alg == alg && set->keys[i].kid != NULL &&
		    strcmp(set->keys[i].kid, kid) == 0)
			return &set->keys[i];
	return NULL;
}

/* One key. 0, also when it is passed over, or -1 with *reason. */
static int
add(struct jwks *set, const json_t *jwk, const char **reason)
{
	const char		*kid = member(jwk, "kid");
	const struct kind	*kind;
	struct jwk		*k = &set->keys[set->n];

	*reason = "not an object";
	if (!json_is_object(jwk))
		return -1;
	*reason = "a secret: only public keys belong into this file";
	if (json_object_get(jwk, "d") != NULL ||
	    strcmp(member(jwk, "kty"), "oct") == 0)
		return -1;
	if ((kind = purpose(jwk)) == NULL)
		return 0;
	*reason = "too many keys";
	if (set->n == JWKS_KEYS_MAX)
		return -1;
	*reason = "its kid is there already";
	if (*kid != '\0' && find(set, kind->alg, kid) != NULL)
		return -1;
	if ((k->key = kind->read(jwk, reason)) == NULL)
		return -1;
	k->alg = kind->alg;
	k->kid = *kid != '\0' ? strdup(kid) : NULL;
	set->n++;
	return 0;
}

/* --- the file --- */

static struct jwks *
from_json(const json_t *keys, const char *path, char *reason, size_t size)
{
	struct jwks	*set;
	const char	*why;
	size_t		 i;

	if ((set = calloc(1, sizeof(*set))) == NULL) {
		snprintf(reason, size, "out of memory");
		return NULL;
	}
	set->refs = 1;
	for (i = 0; i < json_array_size(keys); i++)
		if (add(set, json_array_get(keys, i), &why) == -1) {
			snprintf(reason, size, "%s: key %zu: %s", path, i + 1,
			    why);
			jwks_release(set);
			return NULL;
		}
	if (set->n > 0)
		return set;
	snprintf(reason, size, "%s: no key for RS256, ES256 or EdDSA", path);
	jwks_release(set);
	return NULL;
}

struct jwks *
jwks_parse(struct slice text, const char *path, char *reason, size_t size)
{
	struct jwks	*set = NULL;
	json_error_t	 error;
	json_t		*root;

	if (!json_depth_ok(text, JWKS_DEPTH_MAX)) {
		snprintf(reason, size, "%s: nested too deep", path);
		return NULL;
	}
	root = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		snprintf(reason, size, "%s:%d: %s", path, error.line,
		    error.text);
	else if (!json_is_array(json_object_get(root, "keys")))
		snprintf(reason, size, "%s: no key set: \"keys\" is missing",
		    path);
	else
		set = from_json(json_object_get(root, "keys"), path, reason,
		    size);
	json_decref(root);
	ERR_clear_error();
	return set;
}

struct jwks *
jwks_load(int fd, const char *path, char *reason, size_t size)
{
	struct jwks	*set;
	struct stat	 st;
	ssize_t		 n;
	char		*text;

	if (fstat(fd, &st) == -1 || st.st_size > JWKS_SIZE_MAX ||
	    (text = malloc(JWKS_SIZE_MAX)) == NULL) {
		snprintf(reason, size, "%s: longer than %d octets", path,
		    JWKS_SIZE_MAX);
		return NULL;
	}
	if ((n = pread(fd, text, JWKS_SIZE_MAX, 0)) == -1) {
		snprintf(reason, size, "%s: %s", path, strerror(errno));
		set = NULL;
	} else
		set = jwks_parse(SLICE(text, (size_t)n), path, reason, size);
	free(text);
	return set;
}

struct jwks *
jwks_ref(struct jwks *set)
{
	set->refs++;
	return set;
}

void
jwks_release(struct jwks *set)
{
	size_t	 i;

	if (set == NULL || --set->refs > 0)
		return;
	for (i = 0; i < set->n; i++) {
		EVP_PKEY_free(set->keys[i].key);
		free(set->keys[i].kid);
	}
	free(set);
}

/* --- signatures --- */

/* The only key of that algorithm, whatever its id. */
static const struct jwk *
find_only(const struct jwks *set, enum jwk_alg alg)
{
	const struct jwk	*found = NULL;
	size_t			 i;

	for (i = 0; i < set->n; i++) {
		if (set->keys[i].alg != alg)
			continue;
		if (found != NULL)
			return NULL;
		found = &set->keys[i];
	}
	return found;
}

static bool
check(EVP_PKEY *key, const EVP_MD *md, struct slice data,
    const unsigned char *sig, size_t n)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	bool		 good;

	good = ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, sig, n, (const unsigned char *)data.p,
	    data.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* R and S, 32 octets each (RFC 7518 section 3.4), in libcrypto's form. */
static bool
check_ecdsa(EVP_PKEY *key, struct slice data, struct slice signature)
{
	const unsigned char	*p = (const unsigned char *)signature.p;
	unsigned char		*der = NULL;
	ECDSA_SIG		*sig = ECDSA_SIG_new();
	BIGNUM			*r, *s;
	bool			 good = false;
	int			 n;

	if (sig == NULL || signature.len != 64) {
		ECDSA_SIG_free(sig);
		return false;
	}
	r = BN_bin2bn(p, 32, NULL);
	s = BN_bin2bn(p + 32, 32, NULL);
	if (r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else if ((n = i2d_ECDSA_SIG(sig, &der)) > 0)
		good = check(key, EVP_sha256(), data, der, (size_t)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return good;
}

int
jwks_verify(const struct jwks *set, enum jwk_alg alg, const char *kid,
    struct slice data, struct slice signature, const char **reason)
{
	const struct jwk	*k;
	const unsigned char	*sig = (const unsigned char *)signature.p;
	bool			 good = false;

	k = kid != NULL ? find(set, alg, kid) : find_only(set, alg);
	*reason = kid != NULL ? "the token names a key that is not known" :
	    "the token does not name its key";
	if (k == NULL)
		return -1;
	switch (k->alg) {
	case JWK_NONE:
		break;
	case JWK_RS256:
		good = check(k->key, EVP_sha256(), data, sig, signature.len);
		break;
	case JWK_ES256:
		good = check_ecdsa(k->key, data, signature);
		break;
	case JWK_EDDSA:
		good = check(k->key, NULL, data, sig, signature.len);
		break;
	}
	*reason = "the token's signature is wrong";
	return good ? 0 : -1;
}
