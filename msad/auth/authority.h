#ifndef AUTH_AUTHORITY_H
#define AUTH_AUTHORITY_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/slice.h"
#include "msad/auth/blocks.h"

/*
 * Whose client certificates count in an auth block: the authorities of its ca
 * file and their revocation lists. Counted references.
 */
struct authority;

#define AUTHORITY_SIZE_MAX	(4 * 1024 * 1024)	/* octets of a file */
#define AUTHORITY_CERT_MAX	8192	/* octets of a certificate (DER) */

/*
 * Read both files, which stay open; crl -1: nothing is known of revocations.
 * NULL with "path: reason" in reason.
 */
struct authority *authority_load(int ca, const char *ca_path, int crl,
	    const char *crl_path, char *reason, size_t size);
struct authority *authority_ref(struct authority *);
void	 authority_release(struct authority *);

/*
 * Is the certificate valid now, for a client, and not revoked; and whom does
 * it name? name has IPC_USER_MAX + 1 octets. list: of a table, ends with a
 * NULL key. 0, or -1 with a static reason in plain words.
 */
int	 authority_check(const struct authority *, struct slice der,
	    enum conf_cert_user, const struct cert_user *list, char *name,
	    const char **reason);

/* Its subject as a line (RFC 4514) for the log; "" where there is none. */
void	 authority_subject(struct slice der, char *buf, size_t size);

#endif
