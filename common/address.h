#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * Mailboxes of RFC 5321 section 4.1.2, as in MAIL and RCPT. Nothing is
 * allocated; slices point into what was given. Limits: local part 64, domain
 * 255, label 63, path with brackets 256 octets.
 */
struct address {
	struct slice	 local;		/* as written: maybe quoted */
	struct slice	 domain;	/* "" for <Postmaster>, or [literal] */
};

enum address_verdict {
	ADDRESS_OK = 0,
	ADDRESS_NULL,		/* <>: only where allowed */
	ADDRESS_BAD		/* syntax, or over a limit */
};

/*
 * Parse "<path>" at the start of in: brackets, an optional source route that
 * is dropped, a mailbox. *used gets the octets taken, *path the mailbox
 * without brackets and route. 8-bit octets are bad. *used is 0 when the path
 * has no end.
 */
enum address_verdict address_parse_path(struct slice in, struct address *,
    struct slice *path, size_t *used);
/* The whole of in is one mailbox (no brackets). */
enum address_verdict address_parse(struct slice in, struct address *);
/*
 * The same two for RFC 6531: local part and domain may hold UTF-8 without
 * control characters. Whether a domain outside ASCII is valid is for
 * idna_address_ok() to say.
 */
enum address_verdict address_parse_path_utf8(struct slice in,
    struct address *, struct slice *path, size_t *used);
enum address_verdict address_parse_utf8(struct slice in, struct address *);
/* A domain name of LDH labels, or an address literal when literal is true. */
bool	 address_domain_ok(struct slice, bool literal);
/*
 * Compare mailboxes: domains without case, local parts exactly after
 * needless quoting is taken away (R5321-4.1.2-a). U-labels are not taken for
 * A-labels; idna_address_equal() does that.
 */
bool	 address_equal(const struct address *, const struct address *);
/*
 * Write the least-quoted form of the mailbox with a NUL into buf. Returns its
 * length, or -1 when it does not fit.
 */
int	 address_normal(const struct address *, char *buf, size_t size);

#endif
