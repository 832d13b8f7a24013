/*
 * TLS set-up of msad-relay, called by pool.c and conn.c.
 *
 * libtls reads the CA certificates anew for each connection, which takes
 * some 18 ms of processor for a system's bundle, six times the handshake.
 * So the bundle is made a store once, and libtls is given its first
 * certificate only; the connection's SSL object, which an ex_data callback of
 * OpenSSL tells us (TLS through libtls has no other way to it), is then
 * pointed to the whole store. Should the object not be found, the handshake
 * is not begun. Verification itself, of chain and name, stays libtls's.
 */

#include <sys/types.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "msad/relay/trust.h"

struct trust {
	struct tls_config	*config;
	X509_STORE		*store;		/* NULL: no verification */
};

/* The SSL object that was made last; one thread, so it is ours. */
static SSL	*newest;

static void
note_ssl(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
    void *argp)
{
	(void)ptr;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	newest = parent;
}

int
trust_init(void)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    tls_init() == -1 ||
	    SSL_get_ex_new_index(0, NULL, note_ssl, NULL, NULL) == -1)
		return -1;
	return 0;
}

/* Put the certificates of the bundle into the store; the first into *first. */
static int
trust_load(X509_STORE *store, BIO *in, X509 **first)
{
	X509	*cert;
	int	 n = 0;

	while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_cert(store, cert) != 1) {
			X509_free(cert);
			return -1;
		}
		if (n++ == 0)
			*first = cert;
		else
			X509_free(cert);
	}
	return n == 0 ? -1 : 0;
}

static int
trust_set_first(struct tls_config *config, X509 *cert)
{
	BIO	*out;
	char	*pem;
	long	 len;
	int	 ret = -1;

	if ((out = BIO_new(BIO_s_mem())) == NULL)
		return -1;
	if (PEM_write_bio_X509(out, cert) == 1 &&
	    (len = BIO_get_mem_data(out, &pem)) > 0)
		ret = tls_config_set_ca_mem(config, (uint8_t *)pem,
		    (size_t)len);
	BIO_free(out);
	return ret;
}

static int
trust_set_ca(struct trust *t, const void *ca, size_t calen)
{
	X509	*first = NULL;
	BIO	*in;
	int	 ret = -1;

	if (calen > INT_MAX || (in = BIO_new_mem_buf(ca, (int)calen)) == NULL)
		return -1;
	if ((t->store = X509_STORE_new()) != NULL &&
	    trust_load(t->store, in, &first) == 0)
		ret = trust_set_first(t->config, first);
	X509_free(first);
	BIO_free(in);
	ERR_clear_error();
	return ret;
}

struct trust *
trust_new(bool verify, const void *ca, size_t calen, const char **reason)
{
	struct trust	*t;

	*reason = "out of memory";
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	if ((t->config = tls_config_new()) == NULL) {
		free(t);
		return NULL;
	}
	if (!verify) {
		tls_config_insecure_noverifycert(t->config);
		tls_config_insecure_noverifyname(t->config);
		return t;
	}
	*reason = "no CA certificates to verify with";
	if (ca == NULL || trust_set_ca(t, ca, calen) == -1) {
		trust_free(t);
		return NULL;
	}
	return t;
}

void
trust_free(struct trust *t)
{
	if (t == NULL)
		return;
	tls_config_free(t->config);
	X509_STORE_free(t->store);
	free(t);
}

int
trust_connect(const struct trust *t, struct tls *tls, int fd,
    const char *name)
{
	newest = NULL;
	if (tls_configure(tls, t->config) == -1 ||
	    tls_connect_fds(tls, fd, fd, name) == -1)
		return -1;
	if (t->store == NULL)
		return 0;
	if (newest == NULL || SSL_set1_verify_cert_store(newest,
	    t->store) != 1)
		return -1;
	return 0;
}
