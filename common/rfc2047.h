#ifndef COMMON_RFC2047_H
#define COMMON_RFC2047_H

#include <stddef.h>

#include "common/slice.h"

#define RFC2047_WORD_MAX	75	/* octets of one encoded word */
/* Room that encoding n octets needs, folds and names counted. */
#define RFC2047_ROOM(n)		((n) * 5 + 64)

/*
 * Write text (UTF-8 without folds, not empty) as encoded words (RFC 2047)
 * that are valid in a phrase and in unstructured text alike, each on a line of
 * its own when it is not the first: "=?utf-8?Q?...?=\r\n =?utf-8?..". No
 * character is split. column is how much of the first line is taken. out has
 * RFC2047_ROOM(text.len) octets; returns how many were written.
 */
size_t	 rfc2047_encode(struct slice text, size_t column, char *out);

#endif
