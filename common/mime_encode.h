#ifndef COMMON_MIME_ENCODE_H
#define COMMON_MIME_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define MIME_LINE	76	/* octets of an encoded line without CRLF */

/* Octets that a call with n octets of input may write; its end as well. */
#define MIME_ENCODED(n)	(4 * (n) + 16)

/* Quoted-printable under way; begin with {0}. */
struct qp {
	unsigned int	 col;		/* of the line being written */
	char		 blank;		/* a blank or tab held back, or 0 */
	bool		 cr;		/* a CR held back */
	bool		 soft;		/* this line follows a soft break */
};

/* Base64 under way; begin with {0}. */
struct b64 {
	uint8_t		 left[3];
	unsigned int	 nleft;
	unsigned int	 col;
};

/*
 * Encode the octets of in, which may be split anywhere; returns the octets
 * written. CRLF of the input is a line end of text, every other CR or LF is
 * encoded (RFC 2045 section 6.7).
 */
size_t	 qp_encode(struct qp *, struct slice in, char *out);
/* The content is at its end; an open line is closed by "=" CRLF if close. */
size_t	 qp_end(struct qp *, bool close, char *out);
/* RFC 2045 section 6.8, in lines of 76. */
size_t	 b64_encode(struct b64 *, struct slice in, char *out);
/* The last group; a line that is open gets its CRLF if close. */
size_t	 b64_end(struct b64 *, bool close, char *out);

#endif
