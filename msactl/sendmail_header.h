#ifndef MSACTL_SENDMAIL_HEADER_H
#define MSACTL_SENDMAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/* Octets of a header, and addresses in it, that are taken. */
#define SENDMAIL_HEADER_MAX	1048576
#define SENDMAIL_RCPTS_MAX	10000

/*
 * Find the addresses of a field's value (RFC 5322 section 3.4: lists, groups,
 * comments, quoted strings, folding; also routes). fn gets each one as it
 * stands in the value, without brackets; what fn returns, when not 0, ends the
 * search and is returned. 0 at the end.
 */
int	 header_addresses(struct slice value,
	    int (*fn)(void *arg, struct slice address), void *arg);

/* The length of the field at the start of text, with its folded lines. 0:
 * there is none (the header is over, or this is no field). */
size_t	 header_field(struct slice text);
/* Is it a field of that name? Then its value, with its line ends. */
bool	 header_named(struct slice field, const char *name,
	    struct slice *value);

/* What sending needs to know of a header. */
struct header_facts {
	bool	 from;		/* there is a From field */
	bool	 resent;	/* there is a Resent- recipient field */
};
void	 header_look(struct slice header, struct header_facts *);
/*
 * The recipients that a header names: To, Cc and Bcc, or the Resent- ones
 * where there are any. As header_addresses().
 */
int	 header_recipients(struct slice header, const struct header_facts *,
	    int (*fn)(void *arg, struct slice address), void *arg);
/*
 * The header as it is sent, malloc'd, *len octets: without Bcc and Resent-Bcc
 * when bcc is false, addresses without a domain qualified with host. NULL:
 * memory is out.
 */
char	*header_rewrite(struct slice header, const char *host, bool bcc,
	    size_t *len);

#endif
