/*
 * The front-end's way to private keys that it does not have.
 *
 * tls.c gives libtls the certificate and, as key, a PEM block with the public
 * key only. The OpenSSL provider in remote_key_provider.c takes that block and
 * turns each signature into a request to msad-keys, sent from here. msad-keys
 * is trusted with the answer; a wrong signature only fails the handshake.
 *
 * This is the front-end's one synchronous wait: libtls has no way to come back
 * for a signature later. It is bounded in time, and msad-keys waits on nobody.
 *
 * The seam for LibreSSL, which has no providers: remote_key_install() would
 * set default RSA and EC methods whose sign functions call remote_key_sign(),
 * and tls.c would use tls_config_use_fake_private_key(). Untested, not built.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "msad/frontend/remote_key.h"
#include "msad/frontend/remote_key_provider.h"

#define SIGN_WAIT_MS	5000

static struct ipc	*channel;
static OSSL_PROVIDER	*default_provider;
static OSSL_PROVIDER	*own_provider;

/* The request under way; answers to older ones are dropped. */
static struct {
	uint64_t	 sid;
	bool		 answered;
	bool		 ok;
	uint8_t		*sig;
	size_t		 size;		/* room, then the signature's length */
} request;

int
remote_key_install(void)
{
	/*
	 * The default provider must be first, and be preferred by property:
	 * loading one by hand switches its automatic loading off, and of two
	 * key types "RSA" the first would win.
	 */
	default_provider = OSSL_PROVIDER_load(NULL, "default");
	if (default_provider == NULL || OSSL_PROVIDER_add_builtin(NULL, "msad",
	    remote_key_provider_init) != 1 ||
	    (own_provider = OSSL_PROVIDER_load(NULL, "msad")) == NULL ||
	    EVP_set_default_properties(NULL, "?provider=default") != 1) {
		ERR_clear_error();
		return -1;
	}
	return 0;
}

void
remote_key_uninstall(void)
{
	if (own_provider != NULL)
		OSSL_PROVIDER_unload(own_provider);
	if (default_provider != NULL)
		OSSL_PROVIDER_unload(default_provider);
	own_provider = default_provider = NULL;
}

/* The SubjectPublicKeyInfo of the first certificate; OPENSSL_free it. */
static int
cert_spki(const char *cert, size_t len, unsigned char **der)
{
	EVP_PKEY	*pkey;
	X509		*x509;
	BIO		*bio;
	int		 n = -1;

	*der = NULL;
	if (len > INT32_MAX || (bio = BIO_new_mem_buf(cert, (int)len)) == NULL)
		return -1;
	if ((x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL &&
	    (pkey = X509_get0_pubkey(x509)) != NULL)
		n = i2d_PUBKEY(pkey, der);
	X509_free(x509);
	BIO_free(bio);
	return n;
}

char *
remote_key_pem(const char *cert, size_t len, size_t *outlen)
{
	unsigned char	*der;
	char		*text, *out = NULL;
	long		 n;
	BIO		*bio = NULL;
	int		 derlen;

	if ((derlen = cert_spki(cert, len, &der)) <= 0 ||
	    (bio = BIO_new(BIO_s_mem())) == NULL ||
	    PEM_write_bio(bio, REMOTE_KEY_LABEL, "", der, derlen) <= 0 ||
	    (n = BIO_get_mem_data(bio, &text)) <= 0)
		goto done;
	if ((out = malloc((size_t)n + 1)) != NULL) {
		memcpy(out, text, (size_t)n);
		out[n] = '\0';
		*outlen = (size_t)n;
	}
done:
	ERR_clear_error();
	OPENSSL_free(der);
	BIO_free(bio);
	return out;
}

void
remote_key_channel(struct ipc *ch)
{
	channel = ch;
}

static int
signed_by_keys(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 sig;
	bool			 ok;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	ok = ipc_get_u8(&r) == 1;
	sig = ipc_get_bytes(&r);
	if (!ipc_done(&r))
		return -1;
	if (request.sig == NULL || request.answered ||
	    msg->sid != request.sid)
		return 0;
	request.answered = true;
	if (!ok || sig.len == 0 || sig.len > request.size)
		return 0;
	memcpy(request.sig, sig.p, sig.len);
	request.size = sig.len;
	request.ok = true;
	return 0;
}

const struct ipc_handler remote_key_handlers[] = {
	{ IPC_KEY_SIGNED, signed_by_keys },
	{ 0, NULL }
};

/* Wait for the answer to the request under way; late ones may come first. */
static void
wait_for_answer(void)
{
	int64_t	 end = clock_ms() + SIGN_WAIT_MS, left;

	while (!request.answered && (left = end - clock_ms()) > 0) {
		if (ipc_wait(channel, IPC_KEY_SIGNED, (int)left) == -1)
			break;
	}
	if (!request.answered)
		log_warn("event=sign-failed reason=\"no answer from keys\"");
}

int
remote_key_sign(const uint8_t id[REMOTE_KEY_ID_LEN], uint8_t padding,
    const char *digest, struct slice tbs, uint8_t *sig, size_t size)
{
	static uint64_t	 last_sid;

	if (channel == NULL || tbs.len > REMOTE_KEY_TBS_MAX)
		return -1;
	request.sid = ++last_sid;
	request.answered = request.ok = false;
	request.sig = sig;
	request.size = size;

	ipc_start(channel, IPC_KEY_SIGN, request.sid);
	ipc_put_raw(channel, id, REMOTE_KEY_ID_LEN);
	ipc_put_u8(channel, padding);
	ipc_put_str(channel, digest);
	ipc_put_bytes(channel, tbs.p, tbs.len);
	ipc_send(channel);
	wait_for_answer();

	request.sig = NULL;
	return request.ok ? (int)request.size : -1;
}
