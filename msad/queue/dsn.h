#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/slice.h"

/* Octets of the original header that a report returns at most. */
#define DSN_HEADER_MAX	65536

/* What a report says of a recipient (RFC 3464 section 2.3.3). */
enum dsn_action { DSN_FAILED = 0, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED };

struct dsn_rcpt {
	const char	*addr;		/* as given in RCPT */
	const char	*status;	/* "5.1.1" */
	const char	*remote;	/* host that answered, or "" */
	unsigned int	 code;		/* its reply code, 0: none answered */
	const char	*reply;		/* its text, or our own reason */
	enum dsn_action	 action;
	bool		 unwatched;	/* relayed: its BY is not heeded */
	bool		 silent;	/* relayed: no more reports follow */
	uint32_t	 index;		/* the caller's number of it */
	struct slice	 orcpt;		/* ORCPT as given; p NULL: none */
};

struct dsn {
	const char	*hostname;
	const char	*sender;	/* reverse-path: gets the report */
	uint64_t	 id;		/* of the message */
	uint64_t	 dsn_id;	/* of the report */
	time_t		 arrival;
	time_t		 now;
	const struct dsn_rcpt *rcpts;
	size_t		 nrcpts;
	time_t		 until;		/* tried no longer; for delays */
	time_t		 deliver_by;	/* of BY (RFC 2852); 0: none */
	const char	*future;	/* "for;n", "until;t" or NULL (4865) */
	struct slice	 envid;		/* ENVID as given; p NULL: none */
	struct slice	 returned;	/* of the message, from its start */
	size_t		 header_len;	/* octets of that in its header */
	bool		 whole;		/* all of it, else its header */
	bool		 global;	/* it came with SMTPUTF8 (RFC 6533) */
	bool		 utf8;		/* the way back takes SMTPUTF8 */
	bool		 sevenbit;	/* the way back lacks 8BITMIME */
	bool		 double_bounce;	/* for the postmaster */
	bool		 partly;	/* others are not in the report */
};

/* A report: a whole message with CRLF. */
struct dsn_text {
	char	*p;		/* malloc'd */
	size_t	 len;
	size_t	 header_len;	/* octets of its header section */
	bool	 eightbit;	/* octets above 127 are in it */
	bool	 smtputf8;	/* and they need SMTPUTF8 */
};

/*
 * Write the report; -1 when memory is out. A global one has octets above 127
 * only where the way back takes them; else they are in quoted-printable.
 */
int	 dsn_write(const struct dsn *, struct dsn_text *);

#endif
