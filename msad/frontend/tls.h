#ifndef FRONTEND_TLS_H
#define FRONTEND_TLS_H

#include <stddef.h>

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
 * Take a client's socket under TLS. *ssl is OpenSSL's object below the new
 * connection, valid as long as that. NULL on error.
 */
struct tls *server_tls_accept(struct tls *server, int fd, void **ssl);
/* Octets that were decrypted and not yet read. */
size_t	 server_tls_pending(void *ssl);
/* The IANA name of the cipher, or "". */
const char *server_tls_cipher(void *ssl);

#endif
