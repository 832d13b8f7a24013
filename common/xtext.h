#ifndef COMMON_XTEXT_H
#define COMMON_XTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * Decode xtext (RFC 3461 section 4: "+" and two upper-case hex digits for an
 * octet; no bare "+" or "="). Printable ASCII alone may come out: xtext that
 * hides a control character is bad. Writes a NUL; returns the length, or -1:
 * bad, or longer than size allows. Octets outside ASCII stand for themselves
 * nowhere.
 */
int	 xtext_decode(struct slice, char *buf, size_t size);
/* The same, and octets above 127 may come out. */
int	 xtext_decode_utf8(struct slice, char *buf, size_t size);
/* Is it xtext that xtext_decode() takes, of any length? */
bool	 xtext_ok(struct slice);
/* Write s as xtext with a NUL; its length, or -1: does not fit. */
int	 xtext_encode(struct slice, char *buf, size_t size);

#endif
