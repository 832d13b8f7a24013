#ifndef QUEUE_CHECK_H
#define QUEUE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/verdict.h"

#define CHECK_LINE_MAX	65536	/* octets of a body line, CRLF not counted */
#define CHECK_MSGID_MAX	255

/*
 * The queue's own look at every octet of a message, piece by piece in any
 * split. The first fault is kept; what comes after it is counted and
 * otherwise ignored, so that the answer is given at the end.
 */
struct check {
	uint64_t	 max;		/* octets a message may have */
	uint64_t	 size;		/* header and body seen so far */
	char		*header;	/* the section, whole */
	size_t		 header_len;
	size_t		 header_cap;
	size_t		 line;		/* body: octets in the open line */
	bool		 cr;		/* body: the last octet was CR */
	bool		 header_done;
	bool		 utf8;		/* by the caller: the header may be
					 * UTF-8 (RFC 6532), else ASCII */
	bool		 eightbit;	/* an octet above 127 was seen */
	enum verdict	 verdict;
	const char	*reason;	/* for the reply; static */
	char		 msgid[CHECK_MSGID_MAX + 1];	/* for the log */
};

void	 check_begin(struct check *, uint64_t max);
/* Free the header; checking may go on when that is done. */
void	 check_free(struct check *);
/* Octets of the header section: lines with CRLF, no blank line. */
void	 check_header(struct check *, const void *, size_t);
/* The header section is complete; the first check_body() does it as well. */
void	 check_header_end(struct check *);
/* And has no Authentication-Results in the name of host (R8601-5-a). */
void	 check_results(struct check *, const char *host);
/* Octets of the body after the blank line. */
void	 check_body(struct check *, const void *, size_t);
/* All is there: the verdict, VERDICT_OK when the message may be queued. */
enum verdict check_end(struct check *);
/* Is there an octet above 127? */
bool	 check_8bit(const char *, size_t);

#endif
