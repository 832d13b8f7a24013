/* What msad-keys may sign: good forms and many bad ones (DESIGN.md P2). */
/* links: msad/keys/tls_sign.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "msad/keys/tls_sign.h"

#define CONTEXT	"TLS 1.3, server CertificateVerify"

static uint8_t	 tbs[512];

/* 64 spaces, the context with its NUL, a hash: the length of all. */
static size_t
make13(const char *context, size_t hash)
{
	size_t	 n = strlen(context) + 1;

	memset(tbs, ' ', 64);
	memcpy(tbs + 64, context, n);
	memset(tbs + 64 + n, 0xab, hash);
	return 64 + n + hash;
}

/* Two randoms and ServerECDHParams. */
static size_t
make12(unsigned int curve, uint8_t len, uint8_t first)
{
	memset(tbs, 0x5a, sizeof(tbs));
	tbs[64] = 3;
	tbs[65] = (uint8_t)(curve >> 8);
	tbs[66] = (uint8_t)curve;
	tbs[67] = len;
	tbs[68] = first;
	return 64 + 4 + (size_t)len;
}

static int
may(enum tls_key_kind kind, uint8_t padding, const char *digest, size_t len)
{
	/* Exactly len octets, so that a sanitizer sees a read past them. */
	uint8_t		*copy = test_malloc(len + 1);
	const char	*reason;

	memcpy(copy + 1, tbs, len);
	reason = tls_sign_refusal(kind, padding, SLICE_STR(digest),
	    SLICE(copy + 1, len));
	test_free(copy);
	return reason == NULL;
}

static void
tls13_good(void **state)
{
	size_t	 n;

	(void)state;
	n = make13(CONTEXT, 32);
	assert_int_equal(n, 130);
	assert_true(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA256", n));
	assert_true(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA384", n));
	assert_true(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA512", n));
	assert_true(may(TLS_KEY_P256, TLS_PADDING_NONE, "SHA256", n));
	assert_true(may(TLS_KEY_P384, TLS_PADDING_NONE, "SHA384", n));
	assert_true(may(TLS_KEY_ED25519, TLS_PADDING_NONE, "", n));
	n = make13(CONTEXT, 48);
	assert_true(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA256", n));
	assert_true(may(TLS_KEY_P256, TLS_PADDING_NONE, "SHA256", n));
	assert_true(may(TLS_KEY_ED25519, TLS_PADDING_NONE, "", n));
}

static void
tls13_bad_form(void **state)
{
	size_t	 n, i;

	(void)state;
	for (i = 0; i <= 128; i++) {
		n = make13(CONTEXT, i);
		assert_int_equal(may(TLS_KEY_ED25519, 0, "", n),
		    i == 32 || i == 48);
	}
	/* Each octet of the fixed part matters, its NUL too. */
	for (i = 0; i < 98; i++) {
		n = make13(CONTEXT, 32);
		tbs[i] ^= 1;
		assert_false(may(TLS_KEY_ED25519, 0, "", n));
	}
	/* A client's proof would log in elsewhere with our certificate. */
	n = make13("TLS 1.3, client CertificateVerify", 32);
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	n = make13("TLS 1.3, server CertificateVerifx", 48);
	assert_false(may(TLS_KEY_P256, 0, "SHA256", n));
}

static void
tls13_bad_combination(void **state)
{
	size_t	 n = make13(CONTEXT, 32);

	(void)state;
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "SHA256", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_NONE, "SHA256", n));
	assert_false(may(TLS_KEY_RSA, 3, "SHA256", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA1", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "MD5", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA2", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA2560", n));
	assert_false(may(TLS_KEY_P256, TLS_PADDING_NONE, "SHA384", n));
	assert_false(may(TLS_KEY_P256, TLS_PADDING_PSS, "SHA256", n));
	assert_false(may(TLS_KEY_P384, TLS_PADDING_NONE, "SHA256", n));
	assert_false(may(TLS_KEY_ED25519, TLS_PADDING_NONE, "SHA512", n));
	assert_false(may(TLS_KEY_ED25519, TLS_PADDING_PSS, "", n));
}

static const struct {
	unsigned int	 curve;
	uint8_t		 len;
	uint8_t		 first;
} curves[] = {
	{ 23, 65, 4 }, { 24, 97, 4 }, { 25, 133, 4 }, { 29, 32, 0x11 },
	{ 30, 56, 0x11 }
};

static void
tls12_good(void **state)
{
	size_t	 i, n;

	(void)state;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		n = make12(curves[i].curve, curves[i].len, curves[i].first);
		assert_true(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "SHA256", n));
		assert_true(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA512", n));
		assert_true(may(TLS_KEY_P256, 0, "SHA256", n));
		assert_true(may(TLS_KEY_P256, 0, "SHA512", n));
		assert_true(may(TLS_KEY_P384, 0, "SHA256", n));
		assert_true(may(TLS_KEY_ED25519, 0, "", n));
	}
}

static void
tls12_bad_form(void **state)
{
	size_t	 i, n, j;

	(void)state;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		n = make12(curves[i].curve, curves[i].len, curves[i].first);
		for (j = 0; j < sizeof(tbs); j++)
			assert_int_equal(may(TLS_KEY_ED25519, 0, "", j),
			    j == n);
		/* The length octet and the real length differ. */
		tbs[67]++;
		assert_false(may(TLS_KEY_ED25519, 0, "", n));
		assert_false(may(TLS_KEY_ED25519, 0, "", n + 1));
	}
	/* Curve types other than named ones, unknown curves, points. */
	n = make12(23, 65, 4);
	tbs[64] = 1;
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	tbs[64] = 2;
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	n = make12(22, 65, 4);
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	n = make12(23 | 0x100, 65, 4);
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	n = make12(23, 65, 2);
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
	n = make12(23, 33, 2);
	assert_false(may(TLS_KEY_ED25519, 0, "", n));
}

static void
tls12_bad_combination(void **state)
{
	size_t	 n = make12(29, 32, 0x11);

	(void)state;
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "SHA1", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "", n));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_NONE, "SHA256", n));
	assert_false(may(TLS_KEY_P256, 0, "SHA1", n));
	assert_false(may(TLS_KEY_P256, 0, "", n));
	assert_false(may(TLS_KEY_P384, TLS_PADDING_PKCS1, "SHA384", n));
	assert_false(may(TLS_KEY_ED25519, 0, "SHA256", n));
}

static void
other_objects(void **state)
{
	static const char	 dkim[] =
	    "from:Ann <ann@example.org>\r\ndkim-signature:v=1; a=rsa-sha256; "
	    "d=example.org; s=a; h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAA=; b=";
	size_t			 i;

	(void)state;
	memcpy(tbs, dkim, sizeof(dkim));
	assert_false(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "SHA256",
	    sizeof(dkim) - 1));
	/* A bare hash, nothing, all of one octet. */
	for (i = 0; i < 256; i++) {
		memset(tbs, (int)i, sizeof(tbs));
		assert_false(may(TLS_KEY_RSA, TLS_PADDING_PKCS1, "SHA256",
		    32));
		assert_false(may(TLS_KEY_RSA, TLS_PADDING_PSS, "SHA256", 130));
		assert_false(may(TLS_KEY_ED25519, 0, "", 0));
		assert_false(may(TLS_KEY_ED25519, 0, "", sizeof(tbs)));
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(tls13_good),
		cmocka_unit_test(tls13_bad_form),
		cmocka_unit_test(tls13_bad_combination),
		cmocka_unit_test(tls12_good),
		cmocka_unit_test(tls12_bad_form),
		cmocka_unit_test(tls12_bad_combination),
		cmocka_unit_test(other_objects)
	};

	return cmocka_run_group_tests_name("tls_sign", tests, NULL, NULL);
}
