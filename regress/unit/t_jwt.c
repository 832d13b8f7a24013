/* JSON Web Tokens and the keys they are checked by. */
/* links: msad/auth/jwt.c msad/auth/jwks.c */
/* libs: jansson crypto */

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "msad/auth/jwt.h"

#define NOW	1800000000

/* --- examples of the RFCs: made by others --- */

/* RFC 7515 appendix A.3 */
static const char es256_key[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char es256_token[] = "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
    "UJqPP3-Kg6NU1Q";
/* RFC 7515 appendix A.2 */
static const char rs256_key[] = "{\"keys\":[{\"kty\":\"RSA\","
    "\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
    "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690"
    "r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"
    "WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\","
    "\"e\":\"AQAB\"}]}";
static const char rs256_token[] = "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4B"
    "h-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZ"
    "LgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
    "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
    "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/* RFC 8037 appendix A.4; its payload is no claims. */
static const char eddsa_key[] = "{\"keys\":[{\"kty\":\"OKP\","
    "\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
static const char eddsa_data[] = "eyJhbGciOiJFZERTQSJ9."
    "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
static const char eddsa_signature[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AI"
    "bQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static struct jwks *
keys(const char *text)
{
	struct jwks	*set;
	char		 reason[256];

	set = jwks_parse(SLICE_STR(text), "keys", reason, sizeof(reason));
	if (set == NULL)
		fail_msg("%s", reason);
	return set;
}

/* RFC 7515's tokens have no audience: the signature counts, then that. */
static void
examples(void **state)
{
	struct jwt_want	 want = { NULL, "joe", "msad", NULL, "sub",
	    1300819000 };
	struct jwks	*set;
	struct jwt	 jwt;
	unsigned char	 sig[64];
	const char	*reason;
	char		 bad[sizeof(rs256_token)];

	(void)state;
	want.keys = set = keys(es256_key);
	assert_int_equal(jwt_check(SLICE_STR(es256_token), &want, &jwt), -1);
	assert_string_equal(jwt.reason, "the token is for another audience");
	assert_int_equal(jwt_check(SLICE_STR(rs256_token), &want, &jwt), -1);
	assert_string_equal(jwt.reason, "the token does not name its key");
	jwks_release(set);
	want.keys = set = keys(rs256_key);
	assert_int_equal(jwt_check(SLICE_STR(rs256_token), &want, &jwt), -1);
	assert_string_equal(jwt.reason, "the token is for another audience");
	memcpy(bad, rs256_token, sizeof(bad));
	bad[30]++;
	assert_int_equal(jwt_check(SLICE_STR(bad), &want, &jwt), -1);
	assert_string_equal(jwt.reason, "the token's signature is wrong");
	jwks_release(set);
	set = keys(eddsa_key);
	assert_int_equal(base64url_decode(SLICE_STR(eddsa_signature), sig,
	    sizeof(sig)), 64);
	assert_int_equal(jwks_verify(set, JWK_EDDSA, NULL,
	    SLICE_STR(eddsa_data), SLICE(sig, 64), &reason), 0);
	sig[5] ^= 1;
	assert_int_equal(jwks_verify(set, JWK_EDDSA, NULL,
	    SLICE_STR(eddsa_data), SLICE(sig, 64), &reason), -1);
	jwks_release(set);
}

/* --- tokens of our own, signed by libcrypto --- */

static EVP_PKEY		*ed;
static struct jwks	*ours;

static size_t
url(const void *p, size_t n, char *out, size_t size)
{
	int	 len = base64_encode(p, n, out, size), i;

	assert_int_not_equal(len, -1);
	for (i = 0; i < len; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	while (len > 0 && out[len - 1] == '=')
		out[--len] = '\0';
	return (size_t)len;
}

static void
sign(const char *header, const char *claims, char *token, size_t size)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	unsigned char	 sig[64];
	size_t		 n, siglen = sizeof(sig);

	n = url(header, strlen(header), token, size);
	token[n++] = '.';
	n += url(claims, strlen(claims), token + n, size - n);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, ed), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &siglen,
	    (unsigned char *)token, n), 1);
	token[n++] = '.';
	url(sig, siglen, token + n, size - n);
	EVP_MD_CTX_free(ctx);
}

static int
setup(void **state)
{
	unsigned char	 pub[32];
	char		 x[64], text[256];
	size_t		 n = sizeof(pub);

	(void)state;
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_int_equal(EVP_PKEY_get_raw_public_key(ed, pub, &n), 1);
	url(pub, n, x, sizeof(x));
	snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"OKP\",\"crv\":"
	    "\"Ed25519\",\"kid\":\"a\",\"x\":\"%s\"},{\"kty\":\"OKP\","
	    "\"crv\":\"X25519\",\"x\":\"%s\"}]}", x, x);
	ours = keys(text);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	jwks_release(ours);
	EVP_PKEY_free(ed);
	return 0;
}

static const char head[] = "{\"alg\":\"EdDSA\",\"kid\":\"a\"}";

/* NULL: it is good and names ann; else the reason. */
static const char *
check(const char *header, const char *claims, const char *scope)
{
	static struct jwt	 jwt;
	struct jwt_want		 want = { ours, "id", "msad", scope, "sub",
	    NOW };
	char			 token[JWT_SIZE_MAX + 1];

	sign(header, claims, token, sizeof(token));
	if (jwt_check(SLICE_STR(token), &want, &jwt) == -1)
		return jwt.reason;
	assert_string_equal(jwt.name, "ann");
	return NULL;
}

#define BASE	"\"iss\":\"id\",\"sub\":\"ann\""
#define TIMES	"\"exp\":1800000100"

static void
claims(void **state)
{
	static const struct {
		const char	*claims;
		const char	*reason;	/* NULL: good */
	} t[] = {
		{ "{" BASE "," TIMES ",\"aud\":\"msad\"}", NULL },
		{ "{" BASE "," TIMES ",\"aud\":[\"x\",\"msad\"]}", NULL },
		{ "{" BASE ",\"exp\":1799999941,\"aud\":\"msad\"}", NULL },
		{ "{" BASE ",\"exp\":1800000100.5,\"aud\":\"msad\"}", NULL },
		{ "{" BASE "," TIMES ",\"nbf\":1800000060,\"aud\":\"msad\"}",
		    NULL },
		{ "{" BASE ",\"exp\":1799999940,\"aud\":\"msad\"}",
		    "the token has expired" },
		{ "{" BASE ",\"exp\":-1,\"aud\":\"msad\"}",
		    "the token never expires" },
		{ "{" BASE ",\"exp\":1e300,\"aud\":\"msad\"}",
		    "the token never expires" },
		{ "{" BASE ",\"exp\":\"1800000100\",\"aud\":\"msad\"}",
		    "the token never expires" },
		{ "{" BASE "," TIMES ",\"nbf\":1800000061,\"aud\":\"msad\"}",
		    "the token is not valid yet" },
		{ "{" BASE "," TIMES ",\"nbf\":\"1\",\"aud\":\"msad\"}",
		    "the token is not valid yet" },
		{ "{" BASE "," TIMES ",\"iat\":1800000061,\"aud\":\"msad\"}",
		    "the token was issued in the future" },
		{ "{" BASE "," TIMES ",\"aud\":\"msad2\"}",
		    "the token is for another audience" },
		{ "{" BASE "," TIMES ",\"aud\":{\"msad\":1}}",
		    "the token is for another audience" },
		{ "{" BASE "," TIMES ",\"aud\":[[\"msad\"]]}",
		    "the token is for another audience" },
		{ "{\"iss\":\"ID\",\"sub\":\"ann\"," TIMES
		    ",\"aud\":\"msad\"}", "the token is by another issuer" },
		{ "{\"iss\":\"id\"," TIMES ",\"aud\":\"msad\"}",
		    "the token names no user" },
		{ "{\"iss\":\"id\",\"sub\":7," TIMES ",\"aud\":\"msad\"}",
		    "the token names no user" },
		{ "{\"iss\":\"id\",\"sub\":\"ann\\u0000x\"," TIMES
		    ",\"aud\":\"msad\"}", "malformed token" },
		{ "{" BASE "," TIMES ",\"aud\":\"msad\",\"sub\":\"root\"}",
		    "malformed token" },
		{ "[" "{" BASE "," TIMES ",\"aud\":\"msad\"}" "]",
		    "malformed token" },
		{ "{" BASE "," TIMES ",\"aud\":\"msad\"} {}",
		    "malformed token" }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char	*why = check(head, t[i].claims, NULL);

		if (t[i].reason == NULL)
			assert_null(why);
		else {
			assert_non_null(why);
			assert_string_equal(why, t[i].reason);
		}
	}
}

static void
scopes(void **state)
{
#define WITH(s)	"{" BASE "," TIMES ",\"aud\":\"msad\"," s "}"
	(void)state;
	assert_null(check(head, WITH("\"scope\":\"mail\""), "mail"));
	assert_null(check(head, WITH("\"scope\":\"a mail b\""), "mail"));
	assert_null(check(head, WITH("\"scope\":[\"a\",\"mail\"]"), "mail"));
	assert_null(check(head, WITH("\"scp\":\"a mail\""), "mail"));
	assert_string_equal(check(head, WITH("\"scope\":\"mail.x amail\""),
	    "mail"), "the token lacks the scope");
	assert_string_equal(check(head, WITH("\"scope\":[\"a mail\"]"),
	    "mail"), "the token lacks the scope");
	assert_string_equal(check(head, WITH("\"x\":1"), "mail"),
	    "the token lacks the scope");
}

/* An address that the provider did not check is nobody's. */
static void
addresses(void **state)
{
	static const char *const	 bad[] = { "false", "\"false\"", "1",
	    "null", "[true]" };
	struct jwt_want			 want = { ours, "id", "msad", NULL,
	    "email", NOW };
	char				 text[256], token[2048];
	struct jwt			 jwt;
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), WITH("\"email\":\"a@b\","
		    "\"email_verified\":%s"), bad[i]);
		sign(head, text, token, sizeof(token));
		assert_int_equal(jwt_check(SLICE_STR(token), &want, &jwt), -1);
		assert_string_equal(jwt.reason,
		    "the token's address was not verified by its issuer");
	}
	sign(head, WITH("\"email\":\"a@b\",\"email_verified\":true"), token,
	    sizeof(token));
	assert_int_equal(jwt_check(SLICE_STR(token), &want, &jwt), 0);
	assert_string_equal(jwt.name, "a@b");
	/* of another claim that says nothing */
	assert_null(check(head, WITH("\"email_verified\":false"), NULL));
}

static void
headers(void **state)
{
	static const char	 good[] = WITH("\"x\":1");
	static const struct {
		const char	*header;
		const char	*reason;
	} t[] = {
		{ "{\"alg\":\"EdDSA\"}", NULL },
		{ "{\"alg\":\"EdDSA\",\"typ\":\"at+JWT\"}", NULL },
		{ "{\"alg\":\"none\"}", "the token's algorithm is not one of "
		    "RS256, ES256 and EdDSA" },
		{ "{\"alg\":\"HS256\"}", "the token's algorithm is not one of "
		    "RS256, ES256 and EdDSA" },
		{ "{\"alg\":\"eddsa\"}", "the token's algorithm is not one of "
		    "RS256, ES256 and EdDSA" },
		{ "{\"alg\":[\"EdDSA\"]}", "the token's algorithm is not one "
		    "of RS256, ES256 and EdDSA" },
		{ "{}", "the token's algorithm is not one of RS256, ES256 and "
		    "EdDSA" },
		{ "{\"alg\":\"ES256\",\"kid\":\"a\"}",
		    "the token names a key that is not known" },
		{ "{\"alg\":\"EdDSA\",\"kid\":\"b\"}",
		    "the token names a key that is not known" },
		{ "{\"alg\":\"EdDSA\",\"kid\":1}", "malformed token" },
		{ "{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}",
		    "the token asks for what is not known" },
		{ "{\"alg\":\"EdDSA\",\"crit\":[\"x\"]}",
		    "the token asks for what is not known" },
		{ "{\"alg\":\"EdDSA\",\"typ\":\"dpop+jwt\"}",
		    "the token is for something else" }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char	*why = check(t[i].header, good, NULL);

		if (t[i].reason == NULL)
			assert_null(why);
		else
			assert_string_equal(why, t[i].reason);
	}
}

/* X-auth-1: what is large or deep is refused before it costs anything. */
static void
bombs(void **state)
{
	struct jwt_want	 want = { ours, "id", "msad", NULL, "sub", NOW };
	char		 text[JWT_SIZE_MAX + 2], token[JWT_SIZE_MAX * 2];
	struct jwt	 jwt;
	size_t		 n;

	(void)state;
	memset(text, 'A', sizeof(text));
	assert_int_equal(jwt_check(SLICE(text, sizeof(text)), &want, &jwt),
	    -1);
	assert_string_equal(jwt.reason, "the token is empty or too long");
	assert_int_equal(jwt_check(SLICE(text, 0), &want, &jwt), -1);
	memset(text, '[', 5000);
	n = url(text, 5000, token, sizeof(token));
	strlcpy(token + n, ".e30.AAAA", sizeof(token) - n);
	assert_int_equal(jwt_check(SLICE_STR(token), &want, &jwt), -1);
	assert_string_equal(jwt.reason, "malformed token");
	memset(text, '.', 100);
	assert_int_equal(jwt_check(SLICE(text, 100), &want, &jwt), -1);
	assert_int_equal(json_depth_ok(SLICE_STR("{\"a\":\"[[[[\"}"), 1), 1);
	assert_int_equal(json_depth_ok(SLICE_STR("\"\\\"[[[\"[[]]"), 1), 0);
	assert_int_equal(json_depth_ok(SLICE_STR("[][][]"), 1), 1);
}

static void
key_files(void **state)
{
	static const struct {
		const char	*text;
		const char	*reason;
	} t[] = {
		{ "", "k:" },
		{ "[]", "k: no key set: \"keys\" is missing" },
		{ "{\"keys\":{}}", "k: no key set" },
		{ "{\"keys\":[]}", "k: no key for RS256, ES256 or EdDSA" },
		{ "{\"keys\":[7]}", "k: key 1: not an object" },
		{ "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}",
		    "k: key 1: a secret" },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"d\":\"AA\"}]}",
		    "k: key 1: a secret" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\""
		    "}]}", "k: key 1: an RSA key must have 2048 to 4096" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]}",
		    "k: key 1: n or e" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"Ag\"}]}",
		    "k: key 1: n or e" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"}]}",
		    "k: key 1: n or e" },
		/* not on the curve */
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
		    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		    "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
		    "}]}", "k: key 1: x or y of a P-256 key" },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		    "\"x\":\"AA\"}]}", "k: key 1: x of an Ed25519 key" },
		/* for other purposes: passed over */
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed448\"},"
		    "{\"kty\":\"RSA\",\"use\":\"enc\"},"
		    "{\"kty\":\"RSA\",\"alg\":\"PS256\"},"
		    "{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"]},"
		    "{\"kty\":\"new\"}]}", "k: no key for RS256" }
	};
	char	 reason[256];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(jwks_parse(SLICE_STR(t[i].text), "k", reason,
		    sizeof(reason)));
		if (strncmp(reason, t[i].reason, strlen(t[i].reason)) != 0)
			fail_msg("%zu: %s", i, reason);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(examples),
		cmocka_unit_test(claims),
		cmocka_unit_test(scopes),
		cmocka_unit_test(addresses),
		cmocka_unit_test(headers),
		cmocka_unit_test(bombs),
		cmocka_unit_test(key_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
