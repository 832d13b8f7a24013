#ifndef RELAY_TRUST_H
#define RELAY_TRUST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How the TLS of a relay block is set up and whom it trusts. Made once a
 * generation of the configuration, used by each connection.
 */
struct trust;
struct tls;

/* Once, before the sandbox. 0 or -1. */
int	 trust_init(void);
/*
 * With verify: chain to the PEM certificates at ca, and the name. Without:
 * encryption alone. NULL with a constant reason.
 */
struct trust *trust_new(bool verify, const void *ca, size_t calen,
	    const char **reason);
void	 trust_free(struct trust *);
/* Begin a handshake on fd with the host called name. 0, or -1: tls_error(). */
int	 trust_connect(const struct trust *, struct tls *, int fd,
	    const char *name);

#endif
