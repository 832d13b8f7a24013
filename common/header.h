#ifndef COMMON_HEADER_H
#define COMMON_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "common/slice.h"

/*
 * The header section of a message (RFC 5322 section 2.2) as lines with CRLF.
 * One reader for the front-end, which repairs, and the queue, which checks.
 */
#define HEADER_SECTION_MAX	262144
#define HEADER_FIELD_MAX	65536
#define HEADER_FIELDS_MAX	1000
#define HEADER_LINE_MAX		998	/* without CRLF */
#define HEADER_RECEIVED_MAX	100

struct conf_limits;

/* What holds in this process: the above, or less by the configuration. */
extern struct header_limits {
	size_t		section;
	size_t		field;
	unsigned int	fields;
	unsigned int	received;
} header_limits;

void	 header_limits_set(const struct conf_limits *);

struct header_field {
	struct slice	 name;		/* without the colon and white space */
	struct slice	 body;		/* after the colon, final CRLF in it */
	struct slice	 all;		/* the whole field, final CRLF in it */
};

struct header {
	struct slice	 rest;		/* what is still to be read */
	unsigned int	 nfields;
};

/* Begin to read a header section: complete lines, no blank line in it. */
void	 header_begin(struct header *, struct slice section);
/*
 * The next field. 1: there is one, 0: the section is at its end, -1: not a
 * field (no colon, bad name, fold first, bare CR or LF, NUL, a limit);
 * *reason then says what, in words for the reply.
 */
int	 header_next(struct header *, struct header_field *,
    const char **reason);
/* The reason for a field over HEADER_FIELD_MAX (552 5.3.4), by its address. */
extern const char header_too_big[];

/* Drop folds, blanks and comments; -1 when a comment is broken. */
int	 header_skip_cfws(struct slice *);
/* RFC 5322 section 3.3 date-time with numeric zone; returns its length. */
int	 header_date(char *buf, size_t size, time_t);
/* Is this field body a valid date-time (RFC 5322 3.3 and 4.3)? */
bool	 header_date_ok(struct slice body);
/*
 * The same, and is it written as 3.3 has it? 0: yes, it can stay; -1: not
 * valid; else it is obsolete (4.3), and buf has it anew: the length of that.
 */
int	 header_date_fix(struct slice body, char *buf, size_t size);
/* Is this field body one valid msg-id? With UTF-8 in it (RFC 6532)? */
bool	 header_msgid_ok(struct slice body);
bool	 header_msgid_utf8_ok(struct slice body);

#endif
