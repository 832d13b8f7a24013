/* The private keys of msad-keys: which are taken, found, and what they sign. */
/* links: msad/keys/key_store.c msad/keys/tls_sign.c */
/* libs: crypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "msad/keys/key_store.h"
#include "msad/keys/tls_sign.h"

static struct key_set	*set;
static char		 reason[256];

static int
setup(void **state)
{
	(void)state;
	set = key_set_new();
	reason[0] = '\0';
	return set == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	key_set_free(set);
	return 0;
}

/* Add the key as PEM, under a pass phrase if one is given. */
static int
add(const char *name, EVP_PKEY *pkey, const char *passphrase)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*p;
	long	 n;
	int	 rc;

	assert_non_null(pkey);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey,
	    passphrase != NULL ? EVP_aes_128_cbc() : NULL,
	    (const unsigned char *)passphrase,
	    passphrase != NULL ? (int)strlen(passphrase) : 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	rc = key_set_add(set, SLICE_STR(name), SLICE(p, n), reason,
	    sizeof(reason));
	BIO_free(bio);
	return rc;
}

static void
id_of(EVP_PKEY *pkey, uint8_t id[KEY_ID_LEN])
{
	unsigned char	*der = NULL;
	int		 len = i2d_PUBKEY(pkey, &der);

	assert_true(len > 0);
	EVP_Digest(der, (size_t)len, id, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
}

/* What a server of TLS 1.3 signs. */
static struct slice
tls13(void)
{
	static char	 tbs[130];

	memset(tbs, ' ', sizeof(tbs));
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	return SLICE(tbs, sizeof(tbs));
}

/* Taken, found, signs; the signature verifies with the public half. */
static void
good_key(EVP_PKEY *pkey, uint8_t padding, const char *digest)
{
	const struct key	*key;
	const char		*why;
	EVP_PKEY_CTX		*pctx;
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	struct slice		 tbs = tls13();
	uint8_t			 id[KEY_ID_LEN], sig[KEY_SIG_MAX];
	int			 len;

	assert_int_equal(add("main", pkey, NULL), 0);
	id_of(pkey, id);
	key = key_set_find(set, id);
	assert_non_null(key);
	len = key_sign(key, padding, SLICE_STR(digest), tbs, sig, &why);
	assert_true(len > 0);
	assert_int_equal(EVP_DigestVerifyInit(ctx, &pctx,
	    *digest == '\0' ? NULL : EVP_get_digestbyname(digest), NULL,
	    pkey), 1);
	if (padding == TLS_PADDING_PSS)
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_DIGEST) > 0);
	assert_int_equal(EVP_DigestVerify(ctx, sig, (size_t)len,
	    (const unsigned char *)tbs.p, tbs.len), 1);
	EVP_MD_CTX_free(ctx);

	/* Nothing but a handshake. */
	assert_int_equal(key_sign(key, padding, SLICE_STR(digest),
	    SLICE_STR("from:ann@example.org"), sig, &why), -1);
	assert_string_equal(why, "not a TLS handshake");
	id[0] ^= 1;
	assert_null(key_set_find(set, id));
	EVP_PKEY_free(pkey);
}

static void
good(void **state)
{
	(void)state;
	good_key(EVP_RSA_gen(2048), TLS_PADDING_PSS, "SHA256");
	good_key(EVP_EC_gen("P-256"), TLS_PADDING_NONE, "SHA256");
	good_key(EVP_EC_gen("P-384"), TLS_PADDING_NONE, "SHA384");
	good_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), TLS_PADDING_NONE,
	    "");
	assert_int_equal(key_set_count(set), 4);
	assert_true(key_set_has(set, "main"));
	assert_false(key_set_has(set, "mai"));
}

static void
bad_key(EVP_PKEY *pkey, const char *passphrase)
{
	reason[0] = '\0';
	assert_int_equal(add("main", pkey, passphrase), -1);
	assert_non_null(strstr(reason, "pki main: "));
	EVP_PKEY_free(pkey);
}

static void
bad(void **state)
{
	(void)state;
	bad_key(EVP_RSA_gen(1024), NULL);
	bad_key(EVP_EC_gen("P-521"), NULL);
	bad_key(EVP_EC_gen("secp256k1"), NULL);
	bad_key(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), NULL);
	bad_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL);
	bad_key(EVP_EC_gen("P-256"), "locked");
	assert_int_equal(key_set_count(set), 0);
	assert_false(key_set_has(set, "main"));
}

static void
not_a_key(void **state)
{
	static const char *const texts[] = {
		"", "\n", "rubbish", "-----BEGIN PRIVATE KEY-----\n",
		("-----BEGIN PRIVATE KEY-----\nAAAA\n"
		    "-----END PRIVATE KEY-----\n"),
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(key_set_add(set, SLICE_STR("x"),
		    SLICE_STR(texts[i]), reason, sizeof(reason)), -1);
}

/* Two pki blocks with one key. */
static void
same_key_twice(void **state)
{
	EVP_PKEY	*pkey = EVP_EC_gen("P-256");
	uint8_t		 id[KEY_ID_LEN];

	(void)state;
	assert_int_equal(add("one", pkey, NULL), 0);
	assert_int_equal(add("two", pkey, NULL), 0);
	assert_true(key_set_has(set, "one") && key_set_has(set, "two"));
	id_of(pkey, id);
	assert_non_null(key_set_find(set, id));
	EVP_PKEY_free(pkey);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(good), TEST(bad), TEST(not_a_key), TEST(same_key_twice)
	};

	return cmocka_run_group_tests_name("key_store", tests, NULL, NULL);
}
