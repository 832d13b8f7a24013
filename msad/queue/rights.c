/*
 * What a login may write as, and by which relay that goes: the match rules of
 * the configuration. Called by transaction.c for MAIL with the identity of the
 * grant; the address comes from a front-end and is parsed again. Addresses are
 * compared as address_equal() does (R5321-4.1.2-a): the domain without case,
 * the local part octet for octet after needless quoting is gone.
 */
#include "common/address.h"

#include "rights.h"

static bool
is_own(const struct rights_login *login, const struct address *a)
{
	struct address	own;

	return address_parse(SLICE_STR(login->own), &own) == ADDRESS_OK &&
	    address_equal(a, &own);
}

static bool
sender_allows(const struct conf_sender *s, const struct tables *ts,
    const struct rights_login *login, struct slice sender,
    const struct address *a)
{
	switch (s->kind) {
	case CONF_SENDER_ANY:
		return true;
	case CONF_SENDER_OWN:
		return sender.len == 0 || is_own(login, a);
	case CONF_SENDER_TABLE:
		return sender.len == 0 || tables_sender(ts, s->table,
		    SLICE_STR(login->user), sender);
	}
	return false;
}

enum verdict
rights_route(const struct conf *conf, const struct tables *ts,
    const struct rights_login *login, struct slice sender, const char **relay)
{
	const struct conf_match		*m;
	const struct conf_sender	*s;
	struct address			 a;

	if (sender.len > 0 && address_parse(sender, &a) != ADDRESS_OK)
		return VERDICT_BAD_SENDER;
	TAILQ_FOREACH(m, &conf->matches, entry)
		TAILQ_FOREACH(s, &m->senders, entry)
			if (sender_allows(s, ts, login, sender, &a)) {
				*relay = m->relay;
				return VERDICT_OK;
			}
	return TAILQ_EMPTY(&conf->matches) ? VERDICT_NO_ROUTE :
	    VERDICT_SENDER_DENIED;
}
