#ifndef COMMON_SASLPREP_H
#define COMMON_SASLPREP_H

#include <stddef.h>

#include "common/slice.h"

/*
 * The SASLprep form (RFC 4013) of a user name or password in out, with a NUL.
 * Returns its length; -1: not UTF-8, prohibited, empty, or too long for out.
 */
int	 saslprep(struct slice in, char *out, size_t size);
/*
 * One text for all names that some backend could take for the same: compatible
 * characters and letter cases are one, so are spaces, and those at the ends are
 * none (RFC 4518). Not for looking anybody up. Returns its length, without NUL;
 * a name that has no such form stands for itself, cut to size.
 */
size_t	 saslprep_loosely(struct slice name, char *out, size_t size);

#endif
