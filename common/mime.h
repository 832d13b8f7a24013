#ifndef COMMON_MIME_H
#define COMMON_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * The body of a message, converted as it passes (RFC 6409 section 8.4), so
 * that what comes out has no part of 8-bit or binary octets or of lines over
 * 998 octets where that can be had without a change of content.
 *
 * The rule, for each part that holds no other parts:
 * - A part that holds nothing of the kind passes as it is.
 * - A part labelled binary is encoded.
 * - Of any other part up to MIME_HOLD octets are held back. An octet above
 *   127, or a line over 998, among them: the part is encoded.
 * - When more comes and nothing was found, a part labelled 8bit is encoded;
 *   one labelled 7bit or not at all is let go as it is. What it holds further
 *   on can no longer be changed: 8-bit octets pass as they are, for next hops
 *   with 8BITMIME; a line over 998 is refused.
 * - Text becomes quoted-printable, everything else base64.
 * - What is encoded already, signed, encrypted, broken or of an unknown kind
 *   passes as it is; a line over 998 in it is refused.
 * - Parts nested deeper than MIME_DEPTH or behind the first MIME_PARTS pass as
 *   they are if they are 7-bit and are refused otherwise (X-mime-1).
 */
#define MIME_HOLD	20480
#define MIME_HEADER_MAX	16384	/* octets of a part's header section */
#define MIME_DEPTH	32
#define MIME_PARTS	1000

struct conf_limits;

/* What holds in this process: the above, or less by the configuration. */
void	 mime_limits_set(const struct conf_limits *);

/* What may be done to the body. */
enum mime_convert {
	MIME_OFF = 0,		/* nothing */
	MIME_ON,
	MIME_BINARY_IN		/* it may hold NUL, bare CR and bare LF, too */
};

struct mime;

/*
 * Where buffers of MIME_HOLD octets come from and go to, of which a message
 * has one at most that is full; malloc and free unless this is called.
 */
void	 mime_memory(void *(*alloc)(size_t), void (*release)(void *));

/*
 * Begin with the message's own header section (complete lines, no blank
 * line). With MIME_OFF all passes as it is, but for lines over 998. NUL, bare
 * CR and bare LF never come out with MIME_BINARY_IN. NULL: out of memory.
 */
struct mime *mime_new(struct slice section, enum mime_convert);
void	 mime_free(struct mime *);
/* Octets of the body, split anywhere. 0, or -1: mime_reason() says why. */
int	 mime_take(struct mime *, const char *, size_t);
/* The body is at its end. 0, or -1 as above. */
int	 mime_end(struct mime *);
/* Why the message cannot be taken; static. NULL: out of memory. */
const char *mime_reason(const struct mime *);

/*
 * Is it known what becomes of the message's own header? Nothing comes out
 * before. If then mime_top_changed(), its Content-Transfer-Encoding has to go
 * (mime_strip_cte()); what mime_top_fields() says has to be added.
 */
bool	 mime_top_known(const struct mime *);
bool	 mime_top_changed(const struct mime *);
const char *mime_top_fields(const struct mime *);

/* What has come out and was not used; valid until the next call. */
struct slice mime_out(const struct mime *);
void	 mime_use(struct mime *, size_t);
/* Will the next octets be encoded or held, and grow? */
bool	 mime_grows(const struct mime *);
/* Has the header of a part been seen to hold octets above 127? */
bool	 mime_header_8bit(const struct mime *);
/* Was anything encoded? */
bool	 mime_changed(const struct mime *);

#endif
