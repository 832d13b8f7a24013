#ifndef QUEUE_RIGHTS_H
#define QUEUE_RIGHTS_H

#include <stdbool.h>

#include "common/conf.h"
#include "common/slice.h"
#include "common/verdict.h"

#include "tables.h"

/* Who asks: the part of a grant that rights depend on. */
struct rights_login {
	const char	*user;
	const char	*own;	/* the address `own` stands for */
	bool		 local;	/* by the local socket: `match from local` */
	bool		 utf8;	/* SMTPUTF8: what is written may be UTF-8 */
};

/*
 * May this login use the reverse-path (without brackets; "" is the null one,
 * which everybody may use), and where does its mail go? The match rules are
 * asked in order; the first whose senders allow it gives the relay. Returns
 * VERDICT_OK with *relay (owned by conf), else VERDICT_BAD_SENDER,
 * VERDICT_SENDER_DENIED, or VERDICT_NO_ROUTE when there is no rule at all.
 */
enum verdict rights_route(const struct conf *, const struct tables *,
    const struct rights_login *, struct slice sender, const char **relay);
/* Is the rule for logins of this kind, and for this user? */
bool	 rights_concerns(const struct conf_match *,
    const struct rights_login *);
/* The same, giving the rule. */
enum verdict rights_match(const struct conf *, const struct tables *,
    const struct rights_login *, struct slice sender,
    const struct conf_match **);
/*
 * May the login write as this address by this rule? What is no address in the
 * sense of RFC 5321 only `any` allows; "" nobody may.
 */
bool	 rights_sender(const struct conf_match *, const struct tables *,
    const struct rights_login *, struct slice sender);

#endif
