#ifndef QUEUE_RIGHTS_H
#define QUEUE_RIGHTS_H

#include "common/conf.h"
#include "common/slice.h"
#include "common/verdict.h"

#include "tables.h"

/* Who asks: the part of a grant that rights depend on. */
struct rights_login {
	const char	*user;
	const char	*own;	/* the address `own` stands for */
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

#endif
