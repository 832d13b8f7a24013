#ifndef FRONTEND_SUBMISSION_H
#define FRONTEND_SUBMISSION_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "msad/frontend/reply.h"

#define SUBMISSION_ADDED_MAX	512

#define ADDED_DATE		0x01
#define ADDED_MESSAGE_ID	0x02

struct submission {
	char		*section;	/* complete lines, no blank line */
	size_t		 len;
	const char	*host;		/* right side of a Message-ID */
	time_t		 now;
	/* What comes out: section and len as corrected, and */
	uint8_t		 added;		/* ADDED_* */
	char		 fields[SUBMISSION_ADDED_MAX];	/* to append */
	size_t		 fields_len;
	const char	*detail;	/* for REPLY_MALFORMED; static */
};

/*
 * Check a header section and correct it as RFC 6409 section 8 has it, in
 * place: it never gets longer. REPLY_NONE, or why it is refused.
 */
enum reply submission_correct(struct submission *);

#endif
