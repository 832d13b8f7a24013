/*
 * The server's part of a SCRAM nonce. A file of its own, so that a test can put
 * that of an RFC's example in its place.
 */

#include <stdint.h>
#include <stdlib.h>

#include "common/base64.h"
#include "msad/auth/scram.h"

#define NONCE_OCTETS	24	/* 192 bits */

void
scram_nonce(char *buf, size_t size)
{
	uint8_t	 octets[NONCE_OCTETS];

	arc4random_buf(octets, sizeof(octets));
	if (base64_encode(octets, sizeof(octets), buf, size) == -1)
		abort();	/* a buffer too small: our own mistake */
}
