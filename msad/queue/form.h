#ifndef QUEUE_FORM_H
#define QUEUE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf.h"
#include "common/slice.h"

/* Octets of an address in the form that is compared. */
#define FORM_MAX	512

/* How addresses are compared: the directives local-part and subaddress. */
struct form_rules {
	bool	 fold;		/* local parts without case */
	char	 separators[CONF_SEPARATORS_MAX + 1];	/* "": none */
};

/* An address, ready to be compared octet for octet. */
struct forms {
	char		 exact[FORM_MAX];
	char		 base[FORM_MAX];	/* without the sub-address */
	struct slice	 address;	/* exact */
	struct slice	 domain;	/* "@domain", within exact */
	struct slice	 plain;		/* base; empty: no sub-address */
};

void	 form_rules_set(struct form_rules *, const struct conf *);
/*
 * A mailbox (RFC 5321) in its form: domain in lower case, local part least
 * quoted (R5321-4.1.2-a). False when it is none.
 */
bool	 form_mailbox(const struct form_rules *, struct slice,
    struct forms *);
/*
 * What a table or a credential lists: a mailbox, "@domain", or "*" when any
 * is set. Its form into buf of FORM_MAX; the length, or -1.
 */
int	 form_entry(const struct form_rules *, struct slice, bool any,
    char *buf);
/*
 * Does the entry, in its form, cover the address? plain says whether the
 * address may count as the one without its sub-address.
 */
bool	 form_covers(struct slice entry, const struct forms *, bool plain);

#endif
