/*
 * Sets of private keys in memory: read from PEM, found by the SHA-256 of
 * their public half, used for TLS signatures.
 *
 * Runs in msad-keys, called by keys.c. The PEM text comes from files that the
 * operator named and msad opened; requests come from front-ends and are not
 * trusted (tls_sign.c decides what they may have). A set is one generation of
 * the configuration. OpenSSL keeps the private numbers in its secure heap.
 */

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "msad/keys/key_store.h"
#include "msad/keys/tls_sign.h"

#define SECURE_HEAP	(4U * 1024 * 1024)	/* some 1,500 RSA keys */
#define KEYS_MAX	4096			/* in a set */
#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	8192

struct key {
	TAILQ_ENTRY(key)	 entry;
	RB_ENTRY(key)		 node;
	uint8_t			 id[KEY_ID_LEN];
	enum tls_key_kind	 kind;
	EVP_PKEY		*pkey;
	char			*name;
};

RB_HEAD(key_tree, key);

struct key_set {
	TAILQ_HEAD(, key)	 keys;
	struct key_tree		 tree;	/* one of those with the same id */
	size_t			 count;
};

static int
key_cmp(const struct key *a, const struct key *b)
{
	return memcmp(a->id, b->id, KEY_ID_LEN);
}

RB_PROTOTYPE(key_tree, key, node, key_cmp)
RB_GENERATE(key_tree, key, node, key_cmp)

int
key_store_init(void)
{
	/* 1: allocated and locked; 2: allocated, but not locked. */
	return CRYPTO_secure_malloc_init(SECURE_HEAP, 32) == 1 ? 0 : -1;
}

struct key_set *
key_set_new(void)
{
	struct key_set	*set;

	if ((set = calloc(1, sizeof(*set))) == NULL)
		return NULL;
	TAILQ_INIT(&set->keys);
	RB_INIT(&set->tree);
	return set;
}

static void
key_free(struct key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);	/* wipes the private half */
	free(key->name);
	free(key);
}

void
key_set_free(struct key_set *set)
{
	struct key	*key;

	if (set == NULL)
		return;
	while ((key = TAILQ_FIRST(&set->keys)) != NULL) {
		TAILQ_REMOVE(&set->keys, key, entry);
		key_free(key);
	}
	free(set);
}

/* A key with a pass phrase: there is nobody to ask. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *
pem_read(struct slice pem)
{
	EVP_PKEY	*pkey;
	BIO		*bio;

	if (pem.len > KEY_FILE_MAX ||
	    (bio = BIO_new_mem_buf(pem.p, (int)pem.len)) == NULL)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

/* Which kind is it? 0, or -1: none that we take. */
static int
key_kind(EVP_PKEY *pkey, enum tls_key_kind *kind)
{
	char	 group[32];
	int	 bits;

	if (EVP_PKEY_is_a(pkey, "RSA")) {
		bits = EVP_PKEY_get_bits(pkey);
		*kind = TLS_KEY_RSA;
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? 0 : -1;
	}
	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*kind = TLS_KEY_ED25519;
		return 0;
	}
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return -1;
	if (strcmp(group, "prime256v1") == 0)
		*kind = TLS_KEY_P256;
	else if (strcmp(group, "secp384r1") == 0)
		*kind = TLS_KEY_P384;
	else
		return -1;
	return 0;
}

static int
key_id(EVP_PKEY *pkey, uint8_t id[KEY_ID_LEN])
{
	unsigned char	*der = NULL;
	int		 len;

	if ((len = i2d_PUBKEY(pkey, &der)) <= 0)
		return -1;
	SHA256(der, (size_t)len, id);
	OPENSSL_free(der);
	return 0;
}

int
key_set_add(struct key_set *set, struct slice name, struct slice pem,
    char *reason, size_t size)
{
	const char	*why = "out of memory";
	struct key	*key;

	if ((key = calloc(1, sizeof(*key))) == NULL ||
	    (key->name = strndup(name.p, name.len)) == NULL)
		goto fail;
	why = "too many keys";
	if (set->count >= KEYS_MAX)
		goto fail;
	why = "not a PEM private key without pass phrase";
	if ((key->pkey = pem_read(pem)) == NULL)
		goto fail;
	why = "the key is none of RSA from 2048 bits, P-256, P-384, Ed25519";
	if (key_kind(key->pkey, &key->kind) == -1 ||
	    key_id(key->pkey, key->id) == -1)
		goto fail;

	TAILQ_INSERT_TAIL(&set->keys, key, entry);
	RB_INSERT(key_tree, &set->tree, key);
	set->count++;
	return 0;
fail:
	snprintf(reason, size, "pki %.*s: %s", SLICE_FMT(name), why);
	ERR_clear_error();
	key_free(key);
	return -1;
}

bool
key_set_has(const struct key_set *set, const char *name)
{
	const struct key	*key;

	TAILQ_FOREACH(key, &set->keys, entry)
		if (strcmp(key->name, name) == 0)
			return true;
	return false;
}

size_t
key_set_count(const struct key_set *set)
{
	return set->count;
}

const struct key *
key_set_find(const struct key_set *set, const uint8_t *id)
{
	struct key_tree	*tree;
	struct key	 want;

	memcpy(want.id, id, KEY_ID_LEN);
	/* RB_FIND changes nothing but takes no const. */
	tree = (struct key_tree *)(uintptr_t)&set->tree;
	return RB_FIND(key_tree, tree, &want);
}

/* tls_sign_refusal() has let these pass only. */
static const EVP_MD *
digest_of(struct slice name)
{
	if (slice_is(name, "SHA256"))
		return EVP_sha256();
	if (slice_is(name, "SHA384"))
		return EVP_sha384();
	if (slice_is(name, "SHA512"))
		return EVP_sha512();
	return NULL;
}

static bool
set_padding(EVP_PKEY_CTX *ctx, uint8_t padding)
{
	switch (padding) {
	case TLS_PADDING_NONE:
		return true;
	case TLS_PADDING_PKCS1:
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PADDING) > 0;
	case TLS_PADDING_PSS:
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) > 0 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
		    RSA_PSS_SALTLEN_DIGEST) > 0;
	default:
		return false;
	}
}

int
key_sign(const struct key *key, uint8_t padding, struct slice digest,
    struct slice tbs, uint8_t *sig, const char **reason)
{
	EVP_PKEY_CTX	*pctx;
	EVP_MD_CTX	*ctx;
	size_t		 len = KEY_SIG_MAX;
	bool		 ok;

	*reason = tls_sign_refusal(key->kind, padding, digest, tbs);
	if (*reason != NULL)
		return -1;

	*reason = "signing failed";
	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return -1;
	ok = EVP_DigestSignInit(ctx, &pctx, digest_of(digest), NULL,
	    key->pkey) > 0 && set_padding(pctx, padding) &&
	    EVP_DigestSign(ctx, sig, &len, (const unsigned char *)tbs.p,
	    tbs.len) > 0;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? (int)len : -1;
}
