#ifndef FRONTEND_REWRITE_H
#define FRONTEND_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/conf_header.h"
#include "common/header.h"

/* The corrected section as it grows; full: memory or HEADER_SECTION_MAX. */
struct rewrite_out {
	char	*p;
	size_t	 len;
	size_t	 cap;
	bool	 full;
};

void	 rewrite_put(struct rewrite_out *, const char *, size_t);

/* Put a field body, without continuation lines that are blank. */
void	 rewrite_body(struct rewrite_out *, struct slice);

struct rewrite_rules {
	bool			 utf8;
	const struct conf_appends *appends;	/* or NULL */
};

/* What a look at an address field found. */
struct rewrite_found {
	size_t	 naddrs;
	size_t	 ngroups;
	bool	 change;	/* it has to be written anew */
};

/*
 * Read an address field. 0, or -1 with *reason (static) when it is refused:
 * not parsable, or an address without a complete domain.
 */
int	 rewrite_look(const struct rewrite_rules *, struct slice body,
    struct rewrite_found *, const char **reason);
/*
 * Write the addresses of a body that rewrite_look() took, in current form;
 * *first: nothing stands before them. No CRLF behind the last one.
 */
void	 rewrite_addresses(struct rewrite_out *, const struct rewrite_rules *,
    struct slice body, bool *first);
/* Write a field of unstructured UTF-8 text as encoded words. */
void	 rewrite_text(struct rewrite_out *, const struct header_field *);

#endif
