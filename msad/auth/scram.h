#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include <stddef.h>

#include "common/scram_keys.h"

#define SCRAM_NONCE_MAX	64	/* octets of our part, with NUL */

/* Our part of a nonce: printable octets without a comma (nonce.c). */
void	 scram_nonce(char *buf, size_t size);

#endif
