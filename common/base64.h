#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* Strict base64 of RFC 4648 section 4: padding due, no white space. */
/* Returns the octets written, or -1: not base64, or more than size. */
int	 base64_decode(struct slice in, uint8_t *out, size_t size);
/* Writes a NUL-terminated string; returns its length or -1 when too long. */
int	 base64_encode(const void *in, size_t len, char *out, size_t size);

#endif
