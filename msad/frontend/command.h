#ifndef FRONTEND_COMMAND_H
#define FRONTEND_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/params.h"
#include "common/slice.h"
#include "msad/frontend/reply.h"

/* Command lines with CRLF (R5321-4.5.3.1.4-a, R4954-4-i). */
#define COMMAND_LINE_MAX	4096
#define COMMAND_SASL_MAX	12288

enum verb {
	VERB_BAD = 0,		/* octets that no command may have: 500 */
	VERB_UNKNOWN,
	VERB_HTTP,
	VERB_UNIMPLEMENTED,	/* known and not offered: 502 */
	VERB_EHLO,
	VERB_HELO,
	VERB_STARTTLS,
	VERB_AUTH,
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_RSET,
	VERB_NOOP,
	VERB_VRFY,
	VERB_HELP,
	VERB_QUIT,
	VERB_MAX
};

struct command {
	enum verb	 verb;
	struct slice	 args;	/* after the blank, trailing blanks gone */
};

struct mail_args {
	struct slice		 path;	/* without brackets; "" for <> */
	struct mail_params	 params;
};

struct rcpt_args {
	struct slice		 path;	/* without brackets */
	struct rcpt_params	 params;
};

struct auth_args {
	struct slice	 mechanism;
	bool		 has_initial;
	struct slice	 initial;	/* as written, "=" included */
};

/* Take a line without its CRLF apart. */
void	 command_parse(struct slice line, struct command *);
/* Does the line begin like a request of HTTP (X-http-1)? */
bool	 command_is_http(struct slice line);
/* Does the line begin with AUTH and a blank (it may be longer then)? */
bool	 command_is_auth(struct slice line);
/*
 * Arguments. REPLY_NONE when they are fine, otherwise the reply to send; the
 * order of checks is that of P-ses-1. Slices point into args. extensions
 * (EXT_*) are those that are offered; for RCPT, EXT_SMTPUTF8 means that MAIL
 * asked for it.
 */
enum reply command_mail(struct slice args, unsigned int extensions,
    struct mail_args *);
enum reply command_rcpt(struct slice args, unsigned int extensions,
    struct rcpt_args *);
enum reply command_helo(struct slice args);
/* Size and LAST of BDAT; false when they cannot be read (R3030-2-d). */
bool	 command_bdat(struct slice args, uint64_t *size, bool *last);
enum reply command_auth(struct slice args, struct auth_args *);

#endif
