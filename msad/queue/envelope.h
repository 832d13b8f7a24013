#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/*
 * What the queue keeps about a message and about each recipient, and how it is
 * written into the spool: version octet first, integers big-endian, strings
 * with a 16-bit length. Decoding allocates nothing; slices point into the
 * blob.
 */
/*
 * 1, without parameters, 2, without not_before, and 3, without where it came
 * from, are read too.
 */
#define ENVELOPE_VERSION	4
#define RCPT_RECORD_VERSION	2	/* 1, without flags, is read too */
#define ENVELOPE_RCPTS_MAX	1000
/* octets of all recipients with parameters; spool.h bounds the envelope */
#define ENVELOPE_RCPTS_SIZE_MAX	(480 * 1024)
#define ENVELOPE_STR_MAX	1024	/* octets of any other string */
#define ENVELOPE_PATH_MAX	256	/* octets of an address */

#define ENVELOPE_8BITMIME	0x01	/* octets above 127 are in it */
#define ENVELOPE_DSN		0x02	/* made by the queue itself */
#define ENVELOPE_UTF8HEADER	0x04	/* SMTPUTF8, and headers need it */
#define ENVELOPE_HELD		0x08	/* until not_before, by a limit */
#define ENVELOPE_FUTURE		0x10	/* until not_before, as was asked */
#define ENVELOPE_STOPPED	0x20	/* held by a rule when it came */
#define ENVELOPE_FLAGS		0x3f

struct envelope {
	uint8_t		 flags;
	uint64_t	 arrival;	/* seconds */
	uint64_t	 not_before;	/* seconds; 0: relay at once */
	uint32_t	 header_len;	/* octets of the header section */
	uint64_t	 epoch, sid;	/* the session it came by; 0: none */
	struct slice	 user, tenant, auth, mech;
	struct slice	 relay;		/* name of the relay it is routed to */
	struct slice	 sender;	/* reverse-path, "" for the null one */
	struct slice	 msgid;		/* for the log */
	struct slice	 params;	/* of MAIL, canonical (params.h) */
	struct slice	 client;	/* numeric address, "" local or ours */
	uint8_t		 version;	/* as it was read */
	uint32_t	 nrcpts;	/* at least 1 */
	struct slice	 rcpts;		/* encoded, for envelope_rcpt() */
};

/*
 * Encode e with n recipients (e->rcpts and e->nrcpts are not looked at) and
 * their parameters (canonical; NULL: none have any). Returns a malloc'd blob
 * and its length, NULL when memory is out or something is over its bound.
 */
uint8_t	*envelope_encode(const struct envelope *, const struct slice *rcpts,
    const struct slice *params, uint32_t n, size_t *len);
/* 0, or -1: not an envelope of ours. */
int	 envelope_decode(const void *, size_t, struct envelope *);
/* Take the next recipient off e->rcpts: 1, or 0 at the end. */
int	 envelope_rcpt(struct envelope *, struct slice *addr,
    struct slice *params);

enum rcpt_status {
	RCPT_WAITING = 0,
	RCPT_INFLIGHT,		/* in memory alone */
	RCPT_DONE,
	RCPT_FAILED,
	RCPT_REPORTING		/* in memory alone: its DSN is being written */
};

#define RCPT_REPLY_MAX	4096

#define RCPT_WARNED	0x01	/* its DSN(delayed) is written */
#define RCPT_OWED	0x02	/* at its end; its DSN is not written yet */
#define RCPT_RELAYED	0x04	/* with OWED: to a next hop without DSN */
#define RCPT_LATE	0x08	/* DSN(delayed) of its BY is written */
#define RCPT_FLAGS	0x0f

/* The state of one recipient, newest wins; its key is its number. */
struct rcpt_record {
	uint8_t		 status;	/* WAITING, DONE or FAILED */
	uint16_t	 code;		/* the next hop's, 0: none */
	uint32_t	 tries;
	uint64_t	 next;		/* seconds */
	uint64_t	 last;		/* seconds: when it was tried */
	struct slice	 enhanced;	/* "4.4.1" */
	struct slice	 remote;	/* host */
	struct slice	 reply;		/* text, or a reason of our own */
	uint8_t		 flags;		/* RCPT_WARNED to RCPT_LATE */
};

#define RCPT_RECORD_MAX	(1 + 1 + 2 + 4 + 8 + 8 + 1 + 3 * 2 + 32 + 255 + \
    RCPT_REPLY_MAX)

/*
 * The state of a message as a whole, beside those of its recipients, newest
 * wins: what operators did to it. Its key is KEY_MESSAGE (registers.h).
 */
#define MARK_RECORD_VERSION	2	/* 1, a release alone, is read too */
#define MARK_STOPPED		0x01	/* held until released */
#define MARK_RELEASED		0x02	/* not_before is this record's */
#define MARK_FLAGS		0x03
#define MARK_RECORD_MAX		(1 + 1 + 8 + 2 + ENVELOPE_STR_MAX)

struct mark_record {
	uint8_t		 flags;		/* MARK_* */
	uint64_t	 not_before;	/* seconds, with MARK_RELEASED */
	struct slice	 relay;		/* it was rerouted to; "": no */
};

/* Into buf of MARK_RECORD_MAX; returns the length. */
size_t	 mark_record_encode(const struct mark_record *, uint8_t *buf);
int	 mark_record_decode(const void *, size_t, struct mark_record *);

/* Encode into buf of RCPT_RECORD_MAX; strings over their bound are cut. */
size_t	 rcpt_record_encode(const struct rcpt_record *, uint8_t *buf);
int	 rcpt_record_decode(const void *, size_t, struct rcpt_record *);

#endif
