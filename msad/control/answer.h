#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/*
 * A JSON string of text that came from anywhere: octets that are not UTF-8
 * become U+FFFD. NULL only when memory is out.
 */
json_t	*answer_text(struct slice);
/* A JSON number; what JSON's consumers cannot hold becomes INT64_MAX. */
json_t	*answer_number(uint64_t);
/* A queue id: lower-case hexadecimal text. */
json_t	*answer_id(uint64_t);

/*
 * Octets of the UTF-8 character at the beginning of s (RFC 3629: no surrogate,
 * no overlong form, nothing above U+10FFFF), or 0 when there is none.
 */
size_t	 answer_utf8(struct slice);

#endif
