#ifndef QUEUE_RIGHTS_H
#define QUEUE_RIGHTS_H

#include <stdbool.h>

#include "common/conf.h"
#include "common/slice.h"
#include "common/verdict.h"

#include "form.h"
#include "tables.h"

struct lookups;
struct scope;

/* Who asks: the part of a grant that rights depend on. */
struct rights_login {
	const char	*user;
	const char	*own;	/* the address `own` stands for */
	const char	*tenant;	/* whose rules; NULL or "": none */
	bool		 local;	/* by the local socket: `match from local` */
	const struct scope *scope;	/* of its credential; NULL: none */
	const struct lookups *lookups;	/* what databases said; or NULL */
	bool		 utf8;	/* SMTPUTF8: what is written may be UTF-8 */
};

/* UNKNOWN: a database that decides it could not be asked. */
enum right { RIGHT_NO, RIGHT_YES, RIGHT_UNKNOWN };

/*
 * May this login use the reverse-path (without brackets; "" is the null one,
 * which everybody may use), and where does its mail go? The match rules are
 * asked in order; the first whose senders allow it gives the relay; what the
 * credential is restricted to must allow it as well. Returns VERDICT_OK with
 * *relay (owned by conf), else VERDICT_BAD_SENDER, VERDICT_SENDER_DENIED,
 * VERDICT_NO_ROUTE when there is no rule at all, or VERDICT_TROUBLE when it
 * depends on a table that cannot be asked.
 */
enum verdict rights_route(const struct conf *, const struct tables *,
    const struct rights_login *, struct slice sender, const char **relay);
/* The rules for logins of this tenant, or of none. */
const struct conf_matches *rights_rules(const struct conf *,
    const struct rights_login *);
/* Is the rule of those for logins of this kind, and for this user? */
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
enum right rights_sender(const struct conf_match *, const struct tables *,
    const struct rights_login *, struct slice sender);
/* Does the login's credential forbid this address, whatever the rules say? */
bool	 rights_outside(const struct tables *, const struct rights_login *,
    struct slice sender);
/*
 * The tables of databases that the rules for this login name, each once, at
 * most max. Returns how many.
 */
size_t	 rights_lookups(const struct conf *, const struct rights_login *,
    const char **tables, size_t max);

#endif
