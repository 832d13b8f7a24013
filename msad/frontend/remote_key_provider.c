/*
 * An OpenSSL 3 provider "msad" for private keys that are elsewhere.
 *
 * Runs inside the front-end, called by libssl under libtls. It has a decoder,
 * which turns the PEM block of remote_key_pem() into a key; key management,
 * which answers every question about a key from its public half (a key of the
 * default provider); and signatures, which send the whole input to msad-keys.
 *
 * What OpenSSL asks of it, learnt by trial:
 * - key types must have the plain names, since libssl asks by name; signature
 *   algorithms must have names of their own and private parts must not be
 *   exported, or the default provider takes a public copy of the key and every
 *   handshake fails for want of the private one.
 * - comparing certificate and key imports the certificate's public key here.
 * - signing is initialized once more than it signs: nothing is sent there.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "msad/frontend/remote_key_provider.h"

#define PEM_MAX		8192	/* octets of a PEM block with a public key */
#define PROPERTY	"provider=msad"
#define OTHERS		"provider=default"
#define ENTRY(id, fn)	{ (id), (void (*)(void))(fn) }
#define LAST_ENTRY	{ 0, NULL }

enum kind { KIND_RSA, KIND_EC, KIND_ED25519 };

static const char *const kind_name[] = { "RSA", "EC", "ED25519" };

struct remote_key {
	enum kind	 kind;
	bool		 can_sign;	/* false: imported, to compare with */
	EVP_PKEY	*public;	/* of the default provider */
	uint8_t		 id[REMOTE_KEY_ID_LEN];
};

/* Of the library, given at initialization. */
static OSSL_FUNC_BIO_read_ex_fn	*core_bio_read;

/* --- keys --- */

static struct remote_key *
key_new(enum kind kind)
{
	struct remote_key	*key;

	if ((key = OPENSSL_zalloc(sizeof(*key))) != NULL)
		key->kind = kind;
	return key;
}

static void *
key_new_rsa(void *provider)
{
	(void)provider;
	return key_new(KIND_RSA);
}

static void *
key_new_ec(void *provider)
{
	(void)provider;
	return key_new(KIND_EC);
}

static void *
key_new_ed25519(void *provider)
{
	(void)provider;
	return key_new(KIND_ED25519);
}

static void
key_free(void *arg)
{
	struct remote_key	*key = arg;

	if (key == NULL)
		return;
	EVP_PKEY_free(key->public);
	OPENSSL_free(key);
}

/* Take the key over from the decoder, which made the reference. */
static void *
key_load(const void *reference, size_t size)
{
	struct remote_key	*key, **from;

	if (size != sizeof(key))
		return NULL;
	from = (struct remote_key **)(uintptr_t)reference;
	key = *from;
	*from = NULL;
	return key;
}

static int
key_has(const void *arg, int selection)
{
	const struct remote_key	*key = arg;

	if (key == NULL || key->public == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	    key->can_sign;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct remote_key	*ka = a, *kb = b;

	(void)selection;
	return EVP_PKEY_eq(ka->public, kb->public) == 1;
}

static int
key_get_params(void *arg, OSSL_PARAM params[])
{
	struct remote_key	*key = arg;

	return EVP_PKEY_get_params(key->public, params);
}

/* What libssl and libtls ask, all of it public. */
static const OSSL_PARAM key_params[] = {
	OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
	OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
	OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
	OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
	OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
	OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
	OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
	OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
	OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
	OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
	OSSL_PARAM_END
};

static const OSSL_PARAM *
key_gettable_params(void *provider)
{
	(void)provider;
	return key_params;
}

static const OSSL_PARAM *
key_transfer_types(int selection)
{
	(void)selection;
	return key_params;
}

static int
key_import(void *arg, int selection, const OSSL_PARAM params[])
{
	struct remote_key	*key = arg;
	EVP_PKEY_CTX		*ctx;
	int			 ok;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kind_name[key->kind], OTHERS);
	ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
	    EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY,
	    (OSSL_PARAM *)(uintptr_t)params) > 0;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int
key_export(void *arg, int selection, OSSL_CALLBACK *callback, void *cbarg)
{
	struct remote_key	*key = arg;

	if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	return EVP_PKEY_export(key->public, EVP_PKEY_PUBLIC_KEY, callback,
	    cbarg);
}

static const char *
key_operation_rsa(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "MSAD-RSA" : NULL;
}

static const char *
key_operation_ec(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "MSAD-EC" : NULL;
}

static const char *
key_operation_ed25519(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "MSAD-ED25519" : NULL;
}

#define KEY_TABLE(kind)							\
	static const OSSL_DISPATCH key_table_##kind[] = {		\
		ENTRY(OSSL_FUNC_KEYMGMT_NEW, key_new_##kind),		\
		ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),		\
		ENTRY(OSSL_FUNC_KEYMGMT_LOAD, key_load),		\
		ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has),			\
		ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),		\
		ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),	\
		ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS,		\
		    key_gettable_params),				\
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),		\
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES,			\
		    key_transfer_types),				\
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),		\
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES,			\
		    key_transfer_types),				\
		ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME,		\
		    key_operation_##kind),				\
		LAST_ENTRY						\
	}

KEY_TABLE(rsa);
KEY_TABLE(ec);
KEY_TABLE(ed25519);

/* --- signatures --- */

struct signer {
	const struct remote_key	*key;	/* held by the caller's EVP_PKEY */
	const char		*digest;
	uint8_t			 padding;
};

static void *
signer_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return OPENSSL_zalloc(sizeof(struct signer));
}

static void
signer_free(void *arg)
{
	OPENSSL_free(arg);
}

static void *
signer_dup(void *arg)
{
	return OPENSSL_memdup(arg, sizeof(struct signer));
}

/* The name as KEY_SIGN has it, "" for none; NULL: not one of ours. */
static const char *
digest_name(const char *name)
{
	static const struct {
		const char	*alias;
		const char	*name;
	} names[] = {
		{ "SHA256", "SHA256" }, { "SHA2-256", "SHA256" },
		{ "SHA384", "SHA384" }, { "SHA2-384", "SHA384" },
		{ "SHA512", "SHA512" }, { "SHA2-512", "SHA512" }
	};
	size_t	 i;

	if (name == NULL || *name == '\0')
		return "";
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i].alias) == 0)
			return names[i].name;
	return NULL;
}

/* Padding comes as a word or as a number of rsa.h. */
static int
set_padding(struct signer *signer, const OSSL_PARAM *param)
{
	int	 mode = 0;

	if (param->data_type == OSSL_PARAM_UTF8_STRING) {
		if (strcmp(param->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
			mode = RSA_PKCS1_PSS_PADDING;
		else if (strcmp(param->data,
		    OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0)
			mode = RSA_PKCS1_PADDING;
	} else if (!OSSL_PARAM_get_int(param, &mode))
		return 0;

	if (mode == RSA_PKCS1_PSS_PADDING)
		signer->padding = REMOTE_KEY_PSS;
	else if (mode == RSA_PKCS1_PADDING)
		signer->padding = REMOTE_KEY_PKCS1;
	else
		return 0;
	return 1;
}

/* TLS has salts of the digest's length alone (RFC 8446 section 4.2.3). */
static int
salt_ok(const OSSL_PARAM *param)
{
	int	 len;

	if (param->data_type == OSSL_PARAM_UTF8_STRING)
		return strcmp(param->data,
		    OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(param, &len) &&
	    len == RSA_PSS_SALTLEN_DIGEST;
}

static int
signer_set_params(void *arg, const OSSL_PARAM params[])
{
	const OSSL_PARAM	*param;

	if (params == NULL)
		return 1;
	param = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (param != NULL && !set_padding(arg, param))
		return 0;
	param = OSSL_PARAM_locate_const(params,
	    OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return param == NULL || salt_ok(param);
}

static const OSSL_PARAM *
signer_settable_params(void *signer, void *provider)
{
	static const OSSL_PARAM	 params[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)signer;
	(void)provider;
	return params;
}

static int
signer_init(void *arg, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signer	*signer = arg;

	signer->key = key;
	if (signer->key == NULL || !signer->key->can_sign ||
	    (signer->digest = digest_name(digest)) == NULL)
		return 0;
	signer->padding = signer->key->kind == KIND_RSA ? REMOTE_KEY_PKCS1 :
	    REMOTE_KEY_NONE;
	return signer_set_params(arg, params);
}

static int
signer_sign(void *arg, unsigned char *sig, size_t *siglen, size_t size,
    const unsigned char *tbs, size_t len)
{
	struct signer	*signer = arg;
	int		 n;

	if (sig == NULL) {
		*siglen = (size_t)EVP_PKEY_get_size(signer->key->public);
		return 1;
	}
	n = remote_key_sign(signer->key->id, signer->padding, signer->digest,
	    SLICE(tbs, len), sig, size);
	if (n == -1) {
		ERR_raise_data(ERR_LIB_USER, 1, "no signature from msad-keys");
		return 0;
	}
	*siglen = (size_t)n;
	return 1;
}

static const OSSL_DISPATCH signer_table[] = {
	ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signer_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signer_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, signer_dup),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signer_init),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signer_sign),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signer_set_params),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signer_settable_params),
	LAST_ENTRY
};

/* --- the decoder, from PEM to a key in one step --- */

static void *
decoder_new(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(1);
}

static void
decoder_free(void *decoder)
{
	OPENSSL_free(decoder);
}

static int
decoder_does_selection(void *provider, int selection)
{
	(void)provider;
	return selection == 0 ||
	    (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

/* The key behind this DER, if it is of that kind; else NULL. */
static struct remote_key *
key_from_der(enum kind kind, const unsigned char *der, long len)
{
	const unsigned char	*p = der;
	struct remote_key	*key;

	if ((key = key_new(kind)) == NULL)
		return NULL;
	key->public = d2i_PUBKEY_ex(NULL, &p, len, NULL, OTHERS);
	if (key->public == NULL || p != der + len ||
	    !EVP_PKEY_is_a(key->public, kind_name[kind])) {
		key_free(key);
		return NULL;
	}
	SHA256(der, (size_t)len, key->id);
	key->can_sign = true;
	return key;
}

/* A key when buf is our PEM block, NULL when it is something else. */
static struct remote_key *
key_from_pem(enum kind kind, const char *buf, size_t len)
{
	struct remote_key	*key = NULL;
	unsigned char		*der = NULL;
	char			*name = NULL, *header = NULL;
	long			 derlen = 0;
	BIO			*bio;

	if ((bio = BIO_new_mem_buf(buf, (int)len)) == NULL)
		return NULL;
	ERR_set_mark();
	if (PEM_read_bio(bio, &name, &header, &der, &derlen) == 1 &&
	    strcmp(name, REMOTE_KEY_LABEL) == 0)
		key = key_from_der(kind, der, derlen);
	ERR_pop_to_mark();
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(bio);
	return key;
}

/* Give the key to the library, which calls key_load(). */
static int
key_deliver(struct remote_key *key, OSSL_CALLBACK *callback, void *cbarg)
{
	OSSL_PARAM	 params[4];
	int		 type = OSSL_OBJECT_PKEY, ok;

	params[0] = OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type);
	params[1] = OSSL_PARAM_construct_utf8_string(
	    OSSL_OBJECT_PARAM_DATA_TYPE,
	    (char *)(uintptr_t)kind_name[key->kind], 0);
	params[2] = OSSL_PARAM_construct_octet_string(
	    OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(key));
	params[3] = OSSL_PARAM_construct_end();
	ok = callback(params, cbarg);
	key_free(key);		/* NULL by now if it was taken */
	return ok;
}

/* Returns 1 without a callback for "not mine, ask the next decoder". */
static int
decode(enum kind kind, OSSL_CORE_BIO *in, OSSL_CALLBACK *callback, void *cbarg)
{
	struct remote_key	*key;
	char			 buf[PEM_MAX];
	size_t			 len = 0, n;

	while (len < sizeof(buf) && core_bio_read(in, buf + len,
	    sizeof(buf) - len, &n) == 1 && n > 0)
		len += n;
	if ((key = key_from_pem(kind, buf, len)) == NULL)
		return 1;
	return key_deliver(key, callback, cbarg);
}

#define DECODER(kind, KIND)						\
	static int							\
	decode_##kind(void *decoder, OSSL_CORE_BIO *in, int selection,	\
	    OSSL_CALLBACK *callback, void *cbarg,			\
	    OSSL_PASSPHRASE_CALLBACK *passphrase, void *pparg)		\
	{								\
		(void)decoder;						\
		(void)selection;					\
		(void)passphrase;					\
		(void)pparg;						\
		return decode(KIND, in, callback, cbarg);		\
	}								\
	static const OSSL_DISPATCH decoder_table_##kind[] = {		\
		ENTRY(OSSL_FUNC_DECODER_NEWCTX, decoder_new),		\
		ENTRY(OSSL_FUNC_DECODER_FREECTX, decoder_free),		\
		ENTRY(OSSL_FUNC_DECODER_DOES_SELECTION,			\
		    decoder_does_selection),				\
		ENTRY(OSSL_FUNC_DECODER_DECODE, decode_##kind),		\
		LAST_ENTRY						\
	}

DECODER(rsa, KIND_RSA);
DECODER(ec, KIND_EC);
DECODER(ed25519, KIND_ED25519);

/* --- the provider --- */

#define ALGORITHM(names, property, table)				\
	{ (names), (property), (table), "" }
#define LAST_ALGORITHM	{ NULL, NULL, NULL, NULL }

static const OSSL_ALGORITHM key_algorithms[] = {
	ALGORITHM("RSA", PROPERTY, key_table_rsa),
	ALGORITHM("EC", PROPERTY, key_table_ec),
	ALGORITHM("ED25519", PROPERTY, key_table_ed25519),
	LAST_ALGORITHM
};

static const OSSL_ALGORITHM signature_algorithms[] = {
	ALGORITHM("MSAD-RSA", PROPERTY, signer_table),
	ALGORITHM("MSAD-EC", PROPERTY, signer_table),
	ALGORITHM("MSAD-ED25519", PROPERTY, signer_table),
	LAST_ALGORITHM
};

static const OSSL_ALGORITHM decoder_algorithms[] = {
	ALGORITHM("RSA", PROPERTY ",input=pem", decoder_table_rsa),
	ALGORITHM("EC", PROPERTY ",input=pem", decoder_table_ec),
	ALGORITHM("ED25519", PROPERTY ",input=pem", decoder_table_ed25519),
	LAST_ALGORITHM
};

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return key_algorithms;
	case OSSL_OP_SIGNATURE:
		return signature_algorithms;
	case OSSL_OP_DECODER:
		return decoder_algorithms;
	default:
		return NULL;
	}
}

static const OSSL_DISPATCH provider_table[] = {
	ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
	LAST_ENTRY
};

int
remote_key_provider_init(const OSSL_CORE_HANDLE *handle,
    const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider)
{
	for (; in->function_id != 0; in++)
		if (in->function_id == OSSL_FUNC_BIO_READ_EX)
			core_bio_read = OSSL_FUNC_BIO_read_ex(in);
	*out = provider_table;
	*provider = (void *)(uintptr_t)handle;
	return core_bio_read != NULL;
}
