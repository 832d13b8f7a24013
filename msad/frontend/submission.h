#ifndef FRONTEND_SUBMISSION_H
#define FRONTEND_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/conf_header.h"
#include "msad/frontend/reply.h"

#define SUBMISSION_TEXT_MAX	256

#define ADDED_DATE		0x01
#define ADDED_MESSAGE_ID	0x02

struct submission {
	const char	*section;	/* complete lines, no blank line */
	size_t		 len;
	const char	*host;		/* ours; right side of a Message-ID */
	time_t		 now;
	bool		 utf8;		/* MAIL had SMTPUTF8 */
	const struct conf_appends *appends;	/* or NULL */
	/* What comes out. */
	char		*out;		/* malloc'd, the caller's; or NULL */
	size_t		 out_len;
	uint8_t		 added;		/* ADDED_* */
	const char	*detail;	/* for REPLY_MALFORMED */
	char		 text[SUBMISSION_TEXT_MAX];	/* detail may be here */
};

/*
 * Check a header section and correct it as RFC 6409 section 8 has it into a
 * buffer of its own, at most HEADER_SECTION_MAX octets. REPLY_NONE, or why it
 * is refused; then out is NULL.
 */
enum reply submission_correct(struct submission *);

#endif
