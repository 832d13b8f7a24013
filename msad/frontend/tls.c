/*
 * TLS of the front-end by libtls: a server object a listener, from the public
 * certificate and a stand-in for the key, which stays in msad-keys
 * (remote_key.h). TLS 1.2 and 1.3 alone.
 *
 * libtls does not show the OpenSSL object that it makes. OpenSSL calls
 * ssl_made() for each one by way of the ex_data of its class: there buffers
 * are told to go away while a connection is idle (14 kB each instead of 47),
 * renegotiation and tickets are turned off, and the object is remembered for
 * server_tls_accept(). One thread, so nobody comes in between.
 */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "common/log.h"
#include "common/mime.h"
#include "msad/frontend/remote_key.h"
#include "msad/frontend/slots.h"
#include "msad/frontend/tls.h"

/* ECDHE with AEAD alone in TLS 1.2 (R9325-4.2-a); 1.3 has its own list. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static SSL	*made;

static void
ssl_made(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
    void *argp)
{
	SSL	*ssl = parent;

	(void)ptr;
	(void)ad;
	(void)idx;
	(void)argl;
	(void)argp;
	SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	/* What was read may have been a password: wiped when it is let go. */
	SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	    SSL_OP_CLEANSE_PLAINTEXT);
	SSL_set_num_tickets(ssl, 0);
	made = ssl;
}

/* --- OpenSSL's memory, see slots.h --- */

static void *
ssl_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return slots_malloc(n);
}

static void *
ssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return slots_realloc(p, n);
}

static void
ssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	slots_free(p);
}

int
server_tls_init(void)
{
#ifndef __SANITIZE_ADDRESS__	/* which watches over malloc's memory alone */
	if (slots_init() == -1)
		log_warn("event=slots error=%s", log_q(strerror(errno)));
#endif
	mime_memory(slots_malloc, slots_free);
	/* Before its first allocation, or OpenSSL keeps to its own. */
	if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
		log_warn("event=slots error=\"OpenSSL has memory already\"");
	if (remote_key_install() == -1 || tls_init() == -1)
		return -1;
	return SSL_get_ex_new_index(0, NULL, ssl_made, NULL, NULL) < 0 ? -1 :
	    0;
}

static struct tls_config *
make_config(const char *pem, size_t len, const char **error)
{
	struct tls_config	*config;
	char			*key;
	size_t			 keylen;

	*error = "out of memory";
	if ((config = tls_config_new()) == NULL)
		return NULL;
	if ((key = remote_key_pem(pem, len, &keylen)) == NULL) {
		*error = "no certificate in the file";
		tls_config_free(config);
		return NULL;
	}
	if (tls_config_set_protocols(config,
	    TLS_PROTOCOL_TLSv1_2 | TLS_PROTOCOL_TLSv1_3) == -1 ||
	    tls_config_set_ciphers(config, ciphers) == -1 ||
	    tls_config_set_keypair_mem(config, (const uint8_t *)pem, len,
	    (const uint8_t *)key, keylen) == -1) {
		*error = tls_config_error(config);
		log_warn("event=tls-config error=%s", log_q(*error != NULL ?
		    *error : "unknown"));
		*error = "the certificate cannot be used";
		tls_config_free(config);
		config = NULL;
	} else
		tls_config_prefer_ciphers_server(config);
	free(key);
	return config;
}

struct tls *
server_tls_new(const char *pem, size_t len, char *reason, size_t size)
{
	struct tls_config	*config;
	struct tls		*server;
	const char		*error;

	if ((config = make_config(pem, len, &error)) == NULL) {
		snprintf(reason, size, "%s", error);
		return NULL;
	}
	if ((server = tls_server()) == NULL)
		snprintf(reason, size, "out of memory");
	else if (tls_configure(server, config) == -1) {
		error = tls_error(server);
		snprintf(reason, size, "%s", error != NULL ? error :
		    "TLS cannot be configured");
		tls_free(server);
		server = NULL;
	}
	tls_config_free(config);
	return server;
}

/*
 * The first of the client's protocol names that is ours (R9325-3.8-a). One
 * that offers names and none of ours, a browser, gets an alert.
 */
static int
select_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned int inlen, void *arg)
{
	static const char *const	names[] = {
		"smtp", "esmtp", "submission"
	};
	size_t				i;

	(void)ssl;
	(void)arg;
	for (; inlen > 0 && inlen > in[0]; inlen -= in[0] + 1U,
	    in += in[0] + 1)
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strlen(names[i]) == in[0] &&
			    memcmp(names[i], in + 1, in[0]) == 0) {
				*out = in + 1;
				*outlen = in[0];
				return SSL_TLSEXT_ERR_OK;
			}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- client certificates --- */

struct client_cas {
	STACK_OF(X509_NAME)	*names;
};

struct client_cas *
client_cas_new(const char *pem, size_t len)
{
	struct client_cas	*cas = calloc(1, sizeof(*cas));
	BIO			*bio = BIO_new_mem_buf(pem, (int)len);
	X509			*cert;
	X509_NAME		*name;

	if (cas != NULL)
		cas->names = sk_X509_NAME_new_null();
	while (cas != NULL && bio != NULL &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		name = X509_NAME_dup(X509_get_subject_name(cert));
		if (name != NULL && sk_X509_NAME_push(cas->names, name) <= 0)
			X509_NAME_free(name);
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (cas != NULL && sk_X509_NAME_num(cas->names) > 0)
		return cas;
	client_cas_free(cas);
	return NULL;
}

void
client_cas_free(struct client_cas *cas)
{
	if (cas == NULL)
		return;
	sk_X509_NAME_pop_free(cas->names, X509_NAME_free);
	free(cas);
}

/* Whether it is good is decided in msad-auth, after the handshake. */
static int
any_certificate(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

static void
ask_certificate(SSL *ssl, const struct client_cas *cas)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, any_certificate);
	SSL_set_verify_depth(ssl, 0);
	SSL_set_client_CA_list(ssl, SSL_dup_CA_list(cas->names));
}

size_t
server_tls_certificate(void *ssl, unsigned char *der, size_t size)
{
	X509	*cert;
	int	 n = 0;

	/* One of an earlier session would prove nothing about this client. */
	if (ssl == NULL || SSL_session_reused(ssl) ||
	    (cert = SSL_get1_peer_certificate(ssl)) == NULL)
		return 0;
	if ((n = i2d_X509(cert, NULL)) > 0 && (size_t)n <= size)
		n = i2d_X509(cert, &der);
	else
		n = 0;
	X509_free(cert);
	return n > 0 ? (size_t)n : 0;
}

struct tls *
server_tls_accept(struct tls *server, struct client_cas *cas, int fd,
    void **ssl)
{
	struct tls	*conn = NULL;

	made = NULL;
	if (tls_accept_socket(server, &conn, fd) == -1)
		return NULL;
	if ((*ssl = made) != NULL)
		SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(made), select_alpn,
		    NULL);
	if (made != NULL && cas != NULL)
		ask_certificate(made, cas);
	return conn;
}

size_t
server_tls_pending(void *ssl)
{
	int	n = ssl == NULL ? 0 : SSL_pending(ssl);

	return n > 0 ? (size_t)n : 0;
}

/* --- channel bindings --- */

/* The hash of our certificate by that of its signature (RFC 5929 section 4). */
static size_t
endpoint_binding(SSL *ssl, unsigned char *out)
{
	X509		*cert = SSL_get_certificate(ssl);
	const EVP_MD	*md;
	unsigned int	 n = 0;
	int		 nid;

	if (cert == NULL ||
	    X509_get_signature_info(cert, &nid, NULL, NULL, NULL) != 1)
		return 0;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	/* EdDSA names no hash, and the RFC has none for it. */
	if (nid == NID_undef || (md = EVP_get_digestbynid(nid)) == NULL ||
	    X509_digest(cert, md, out, &n) != 1)
		return 0;
	return n;
}

void
server_tls_bindings(void *ptr, struct tls_bindings *b)
{
	static const char	 label[] = "EXPORTER-Channel-Binding";
	SSL			*ssl = ptr;

	memset(b, 0, sizeof(*b));
	if (ssl == NULL)
		return;
	b->nendpoint = endpoint_binding(ssl, b->endpoint);
	if (SSL_version(ssl) == TLS1_3_VERSION) {
		if (SSL_export_keying_material(ssl, b->exporter,
		    sizeof(b->exporter), label, sizeof(label) - 1,
		    (const unsigned char *)"", 0, 1) == 1)
			b->nexporter = sizeof(b->exporter);
	} else if (SSL_get_extms_support(ssl) == 1) {
		/* The first Finished message: ours when resumed. */
		b->nunique = SSL_session_reused(ssl) ?
		    SSL_get_finished(ssl, b->unique, sizeof(b->unique)) :
		    SSL_get_peer_finished(ssl, b->unique, sizeof(b->unique));
	}
}

const char *
server_tls_cipher(void *ssl)
{
	const SSL_CIPHER	*cipher;
	const char		*name = NULL;

	if (ssl != NULL && (cipher = SSL_get_current_cipher(ssl)) != NULL)
		name = SSL_CIPHER_standard_name(cipher);
	return name == NULL ? "" : name;
}
