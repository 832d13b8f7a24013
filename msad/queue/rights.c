/*
 * What a login may write as, and by which relay that goes: the match rules of
 * the configuration. Called by transaction.c for MAIL with the identity of the
 * grant; the address comes from a front-end and is parsed again. Addresses are
 * compared as idna_address_equal() does (R5321-4.1.2-a, RFC 6531): the domain
 * without case, a U-label equal to its A-label, the local part octet for octet
 * after needless quoting is gone. So nobody has an address that only looks
 * like the own one, or that is it after normalization.
 */
#include <string.h>

#include "common/idna.h"

#include "rights.h"

static bool
is_own(const struct rights_login *login, const struct address *a)
{
	struct address	own;

	return idna_address_parse(SLICE_STR(login->own), &own) ==
	    ADDRESS_OK && idna_address_equal(a, &own);
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

bool
rights_concerns(const struct conf_match *m, const struct rights_login *login)
{
	return m->local == login->local &&
	    (m->user == NULL || strcmp(m->user, login->user) == 0);
}

/* Does the rule's list have sender, which is a when it is not null? */
static bool
rule_allows(const struct conf_match *m, const struct tables *ts,
    const struct rights_login *login, struct slice sender,
    const struct address *a)
{
	const struct conf_sender	*s;

	TAILQ_FOREACH(s, &m->senders, entry)
		if (sender_allows(s, ts, login, sender, a))
			return true;
	return false;
}

bool
rights_sender(const struct conf_match *m, const struct tables *ts,
    const struct rights_login *login, struct slice sender)
{
	const struct conf_sender	*s;
	struct address			 a;

	if (sender.len > 0 && idna_address_parse(sender, &a) == ADDRESS_OK)
		return rule_allows(m, ts, login, sender, &a);
	TAILQ_FOREACH(s, &m->senders, entry)
		if (s->kind == CONF_SENDER_ANY)
			return sender.len > 0;
	return false;
}

enum verdict
rights_match(const struct conf *conf, const struct tables *ts,
    const struct rights_login *login, struct slice sender,
    const struct conf_match **match)
{
	const struct conf_match		*m;
	struct address			 a;
	bool				 any = false;

	if (sender.len > 0 && idna_address_parse(sender, &a) != ADDRESS_OK)
		return VERDICT_BAD_SENDER;
	TAILQ_FOREACH(m, &conf->matches, entry) {
		if (!rights_concerns(m, login))
			continue;
		any = true;
		if (rule_allows(m, ts, login, sender, &a)) {
			*match = m;
			return VERDICT_OK;
		}
	}
	return any ? VERDICT_SENDER_DENIED : VERDICT_NO_ROUTE;
}

enum verdict
rights_route(const struct conf *conf, const struct tables *ts,
    const struct rights_login *login, struct slice sender, const char **relay)
{
	const struct conf_match	*m;
	enum verdict		 v;

	if ((v = rights_match(conf, ts, login, sender, &m)) == VERDICT_OK)
		*relay = m->relay;
	return v;
}
