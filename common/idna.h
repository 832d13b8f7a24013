#ifndef COMMON_IDNA_H
#define COMMON_IDNA_H

#include <stdbool.h>
#include <stddef.h>

#include "common/address.h"
#include "common/slice.h"

/*
 * Internationalized domain names (RFC 5890 to 5893) and mailboxes that may
 * hold UTF-8 (RFC 6531). Needs libidn2: only msad-frontend, msad-queue and
 * msad-relay may use it.
 */
#define IDNA_DOMAIN_MAX	255	/* octets, as given and as A-labels */
/* Room for what idna_address_key() writes, with its NUL. */
#define IDNA_KEY_MAX	(2 * 64 + 2 + 1 + IDNA_DOMAIN_MAX + 1)

/*
 * Write the domain (UTF-8, U- and A-labels mixed) as A-labels in lower case
 * with a NUL. Returns the length, or -1: not valid, or it does not fit. A
 * domain of ASCII alone has to be of letters, digits and hyphens and is not
 * looked at otherwise; an address literal is no domain.
 *
 * U-labels have to be such as RFC 5890 has them: capital letters of ASCII are
 * taken for small ones and decomposed characters are composed, but nothing
 * else is mapped (no wide or styled letters, no other dots, no joiners that
 * are dropped), so that what one reads is what is looked up.
 */
int	 idna_to_ascii(struct slice domain, char *buf, size_t size);
/* Is it a domain that idna_to_ascii() takes, or a literal when that may be? */
bool	 idna_domain_ok(struct slice domain, bool literal);
/*
 * Write a mailbox for who takes ASCII alone, its domain as A-labels, with a
 * NUL; one of ASCII stays as it is. 0, or -1: its local part is not ASCII, or
 * the domain has no such form, or it does not fit.
 */
int	 idna_path_to_ascii(const char *path, char *buf, size_t size);
/* Do both name the same domain? False when one of them is not valid. */
bool	 idna_domain_equal(struct slice, struct slice);

/* address_parse() with UTF-8 in both parts and a domain that is valid. */
enum address_verdict idna_address_parse(struct slice, struct address *);
/*
 * Is the domain of this address, which was parsed with UTF-8, valid, and is
 * the address within the limits with A-labels too?
 */
bool	 idna_address_ok(const struct address *);
/* address_equal(); the domains as idna_domain_equal() does. */
bool	 idna_address_equal(const struct address *, const struct address *);
/*
 * The one form of a mailbox that is compared: least-quoted local part, '@',
 * domain as A-labels in lower case, a NUL. The local part is kept octet for
 * octet: composed and decomposed characters make two mailboxes of it. Returns
 * the length, or -1.
 */
int	 idna_address_key(const struct address *, char *buf, size_t size);

#endif
