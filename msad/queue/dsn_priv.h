/* What dsn.c and dsn_text.c share. */
#ifndef QUEUE_DSN_PRIV_H
#define QUEUE_DSN_PRIV_H

#include <stdio.h>

#include "dsn.h"

/*
 * Octets that each of the four texts from outside about one recipient may
 * take, so that the report as a whole stays bounded.
 */
size_t	 dsn_text_max(const struct dsn *);
/*
 * Write a text from outside, max octets at most: printable ASCII as it is, all
 * else as \xHH. Lines that get long are folded; prefix begins the next one.
 */
void	 dsn_write_escaped(FILE *, const char *, const char *prefix,
	    size_t max);
/* "NAME: date\r\n". */
void	 dsn_write_date(FILE *, const char *name, time_t);
/* Is there a recipient of this kind? */
bool	 dsn_has(const struct dsn *, enum dsn_action);
/* What to write as the host that answered: its name, or [address]. */
const char *dsn_host(const char *remote, char *buf, size_t size);

/* dsn_text.c: what stands in the Subject, and in the part for people. */
const char *dsn_subject(const struct dsn *);
void	 dsn_write_text(FILE *, const struct dsn *);

#endif
