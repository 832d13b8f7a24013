#ifndef RELAY_DOWNGRADE_H
#define RELAY_DOWNGRADE_H

#include "msad/relay/job.h"

struct client;

/* The extensions (CAP_*) without which a part of the job has to fail. */
unsigned int downgrade_needs(const struct job *);
/*
 * May another address of the host list an extension that the job needs and
 * this one lacks? Then a connection made for that job looks for it.
 */
int	 downgrade_other_address(const struct client *, const struct job *);
/*
 * Can the next hop take this message at all, and of its job's recipients this
 * one? 0, or -1 and the result.
 */
int	 downgrade_job(const struct client *, struct job *, struct result *);
int	 downgrade_rcpt(const struct client *, const struct rcpt *,
	    struct result *);
/* Does this recipient's MAIL say <> (R3461-5.2.2-b)? */
int	 downgrade_null_sender(const struct client *, const struct rcpt *);
/* Does the transaction as gathered need SMTPUTF8, which the next hop has? */
int	 downgrade_utf8(const struct client *);

#endif
