#ifndef FRONTEND_REMOTE_KEY_H
#define FRONTEND_REMOTE_KEY_H

#include <stddef.h>

#include "common/ipc.h"

/*
 * Private keys that live in msad-keys, made usable for libtls here.
 *
 *	remote_key_install();			once, before any TLS object
 *	remote_key_channel(keys);		when the channel comes
 *	key = remote_key_pem(cert, certlen, &keylen);
 *	tls_config_set_keypair_mem(config, cert, certlen, key, keylen);
 *
 * Do not call tls_config_skip_private_key_check(): the check passes, and
 * skipping it breaks the load.
 */

/* Load OpenSSL's default provider and ours. 0 or -1. */
int	 remote_key_install(void);
/* Before exit, when no TLS object is left; only leak checkers care. */
void	 remote_key_uninstall(void);
/*
 * The text that stands for the private key of the first certificate in the
 * PEM chain at cert: a block "MSAD REMOTE KEY" with its SubjectPublicKeyInfo.
 * malloc'd with a NUL that *outlen does not count; NULL on error.
 */
char	*remote_key_pem(const char *cert, size_t len, size_t *outlen);
/* Ask for signatures here from now on; NULL: signing fails. */
void	 remote_key_channel(struct ipc *);
/* For ipc_new() of that channel; arg is not used. */
extern const struct ipc_handler remote_key_handlers[];

#endif
