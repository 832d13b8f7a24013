#ifndef FRONTEND_EXTENSION_H
#define FRONTEND_EXTENSION_H

#include <stddef.h>

#include "common/params.h"
#include "msad/frontend/reply.h"
#include "msad/frontend/session.h"

#define EXTENSION_LINES_MAX	512	/* octets that the lines need */

/* The extensions with parameters of MAIL that the session offers: EXT_*. */
unsigned int extension_offered(const struct session *);
/*
 * The lines of EHLO for those that depend on the configuration, each as
 * "250-KEYWORD ...", into buf of EXTENSION_LINES_MAX.
 */
void	 extension_lines(const struct session *, char *buf);
/*
 * Are the parameters within what is offered? REPLY_NONE, or the reply to send
 * with its detail, in a static buffer.
 */
enum reply extension_check(const struct mail_params *, const char **detail);

#endif
