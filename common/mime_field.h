#ifndef COMMON_MIME_FIELD_H
#define COMMON_MIME_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

#define MIME_BOUNDARY_MAX	70	/* RFC 2046 section 5.1.1 */

enum mime_kind {
	MIME_TEXT = 0,		/* text of any subtype, or no Content-Type */
	MIME_OTHER,
	MIME_MULTIPART,
	MIME_DIGEST,		/* multipart/digest */
	MIME_MESSAGE,		/* message/rfc822 */
	MIME_SEALED,		/* signed or encrypted: never touched */
	MIME_OPAQUE		/* nothing that we can be sure about */
};

enum mime_cte {
	MIME_NONE = 0,		/* no label, which means 7bit */
	MIME_7BIT,
	MIME_8BIT,
	MIME_BINARY,
	MIME_ENCODED_CTE,	/* quoted-printable or base64 */
	MIME_UNKNOWN
};

/* What a header section says of its content. */
struct mime_part {
	enum mime_kind	 kind;
	enum mime_cte	 cte;
	bool		 version;	/* MIME-Version is there */
	bool		 typed;		/* Content-Type is there */
	char		 boundary[MIME_BOUNDARY_MAX + 1];
};

/* Read a header section: complete lines with CRLF, no blank line. */
void	 mime_part_parse(struct slice section, struct mime_part *);
/*
 * Take every Content-Transfer-Encoding away, in place; the new length. A
 * section that is no list of fields stays as it is.
 */
size_t	 mime_strip_cte(char *section, size_t len);

#endif
