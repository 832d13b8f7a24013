#ifndef FRONTEND_TLS_H
#define FRONTEND_TLS_H

#include <stddef.h>

struct client_cas;
struct tls;

/* Once, before the first configuration: provider and hook. 0 or -1. */
int	 server_tls_init(void);
/*
 * A libtls server for the certificate chain at pem, whose key is in msad-keys.
 * NULL with a reason in reason.
 */
struct tls *server_tls_new(const char *pem, size_t len, char *reason,
    size_t size);
/*
 * Take a client's socket under TLS, asking for a certificate where there are
 * authorities for one; none, or one that is not good, does not end the
 * handshake. *ssl is OpenSSL's object below the new
 * connection, valid as long as that. NULL on error.
 */
struct tls *server_tls_accept(struct tls *server, struct client_cas *, int fd,
    void **ssl);
/* Octets that were decrypted and not yet read. */
size_t	 server_tls_pending(void *ssl);
/* What a client may bind a login to (RFC 5929, RFC 9266). */
struct tls_bindings {
	unsigned char	 exporter[32];
	unsigned char	 unique[64];
	unsigned char	 endpoint[64];
	/* Octets of each; 0: this connection does not have it. */
	size_t		 nexporter, nunique, nendpoint;
};

void	 server_tls_bindings(void *ssl, struct tls_bindings *);
/*
 * The certificate that the client showed, in DER; its length. 0: there is none
 * of up to size octets. Nothing about it was verified but that the client has
 * its key.
 */
size_t	 server_tls_certificate(void *ssl, unsigned char *der, size_t size);
/* The names of authorities in PEM, for clients to choose by. NULL: none. */
struct client_cas *client_cas_new(const char *pem, size_t len);
void	 client_cas_free(struct client_cas *);
/* The IANA name of the cipher, or "". */
const char *server_tls_cipher(void *ssl);

#endif
