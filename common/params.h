#ifndef COMMON_PARAMS_H
#define COMMON_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/*
 * The ESMTP parameters of MAIL and RCPT that travel with a message: from the
 * client's command line through front-end, queue, spool and relay to the next
 * hop. Everywhere they are the same text, "KEY=VALUE KEY ...", in canonical
 * form: keys in upper case, this order, one blank, values as xtext or atoms
 * as the RFCs write them, octet for octet where the client chose. It is ASCII:
 * UTF-8 in an ORCPT becomes the escapes of RFC 6533 section 3, which every
 * next hop takes. One parser reads it, in every process; SIZE and AUTH do not
 * travel.
 *
 * MAIL: BODY SMTPUTF8 RET ENVID BY HOLDFOR HOLDUNTIL MT-PRIORITY REQUIRETLS
 * RCPT: NOTIFY ORCPT
 */
#define PARAMS_TEXT_MAX		1024	/* octets of canonical text, no NUL */
#define PARAMS_ENVID_MAX	100	/* octets of xtext (RFC 3461 4.4) */
#define PARAMS_ORCPT_MAX	500	/* octets of the value (RFC 3461 4.2) */
#define PARAMS_ESCAPED_MAX	900	/* of a utf-8 one with escapes */
#define PARAMS_VALUE_MAX	64	/* of other values that are kept */

enum params_body { PARAMS_7BIT = 0, PARAMS_8BITMIME, PARAMS_BINARYMIME };
enum params_ret { PARAMS_RET_NONE = 0, PARAMS_RET_FULL, PARAMS_RET_HDRS };

#define NOTIFY_NEVER	0x01
#define NOTIFY_SUCCESS	0x02
#define NOTIFY_FAILURE	0x04
#define NOTIFY_DELAY	0x08

struct mail_params {
	bool		 has_size;
	uint64_t	 size;		/* SIZE=, clamped at UINT64_MAX */
	enum params_body body;
	bool		 has_body;
	bool		 smtputf8;
	enum params_ret	 ret;
	struct slice	 ret_text;	/* its value as given */
	struct slice	 envid;		/* xtext as given; p NULL: absent */
	bool		 has_by;	/* RFC 2852 */
	int32_t		 by;		/* seconds */
	bool		 by_return;	/* R, else N */
	bool		 by_trace;	/* T */
	uint32_t	 holdfor;	/* seconds; 0: absent (RFC 4865) */
	struct slice	 holduntil;	/* as given; p NULL: absent */
	int64_t		 holduntil_time; /* seconds since 1970 */
	bool		 has_priority;	/* RFC 6710 */
	int		 priority;	/* -9 to 9 */
	bool		 requiretls;	/* RFC 8689 */
};

struct rcpt_params {
	unsigned int	 notify;	/* NOTIFY_*; 0: absent */
	struct slice	 notify_text;	/* its value as given; may be empty */
	struct slice	 orcpt;		/* "type;xtext" as given, or p NULL */
};

/* Why a text is refused; the front-end's replies are in brackets. */
enum params_verdict {
	PARAMS_OK = 0,
	PARAMS_UNKNOWN,		/* [555 5.5.4] */
	PARAMS_BAD,		/* bad value, or twice [501 5.5.4] */
	PARAMS_BAD_PRIORITY	/* [501 5.5.2] (R6710-4.1-a) */
};

/* Extensions that are offered: a parameter of another one is unknown. */
#define EXT_SIZE		0x0001
#define EXT_8BITMIME		0x0002
#define EXT_AUTH		0x0004
#define EXT_DSN			0x0008
#define EXT_SMTPUTF8		0x0010
#define EXT_BINARYMIME		0x0020
#define EXT_DELIVERBY		0x0040
#define EXT_FUTURERELEASE	0x0080
#define EXT_MT_PRIORITY		0x0100
#define EXT_REQUIRETLS		0x0200
#define EXT_ALL			0x03ff
/* What canonical text may hold. */
#define EXT_TRAVEL		(EXT_ALL & ~(EXT_SIZE | EXT_AUTH))

/*
 * Parse what follows the path (blanks between parameters). Slices point into
 * text. Nothing is allocated. With EXT_SMTPUTF8, params_rcpt() takes UTF-8 in
 * an ORCPT: say so when MAIL had SMTPUTF8.
 */
enum params_verdict params_mail(struct slice text, unsigned int extensions,
    struct mail_params *);
enum params_verdict params_rcpt(struct slice text, unsigned int extensions,
    struct rcpt_params *);
/* Write the canonical text with a NUL; its length, or -1: does not fit. */
int	 params_mail_print(const struct mail_params *, char *, size_t);
int	 params_rcpt_print(const struct rcpt_params *, char *, size_t);
/*
 * Parse text that another process or the disk says is canonical (EXT_TRAVEL):
 * true when it parses and would be printed just so.
 */
bool	 params_mail_canonical(struct slice text, struct mail_params *);
bool	 params_rcpt_canonical(struct slice text, struct rcpt_params *);

#endif
