#ifndef COMMON_ORCPT_H
#define COMMON_ORCPT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * Addresses with octets outside ASCII in reports and in what asks for them
 * (RFC 6533 section 3): address type "utf-8", either as UTF-8 or, 7-bit, with
 * such characters as \x{E9}. All of these write a NUL and return the length,
 * or -1: does not fit, or is not UTF-8.
 */

/* Room for any value that orcpt_escape() makes of one of PARAMS_ORCPT_MAX. */
#define ORCPT_ESCAPED_MAX	1600

bool	 orcpt_is_ascii(struct slice);
/* Is this value, "type;address", one of type utf-8? */
bool	 orcpt_is_utf8(struct slice);
/*
 * A value of ORCPT for a mailbox: rfc822 and xtext where it is ASCII, else
 * utf-8, as it is (eightbit) or escaped.
 */
int	 orcpt_encode(struct slice mailbox, bool eightbit, char *, size_t);
/* A value as given, what is outside ASCII escaped; nothing else changes. */
int	 orcpt_escape(struct slice value, char *, size_t);
/*
 * The address of a utf-8 value as a report shows it: escapes that stand for a
 * character outside ASCII, other than a control, become that character.
 */
int	 orcpt_show(struct slice value, char *, size_t);

#endif
