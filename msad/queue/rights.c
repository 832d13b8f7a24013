/*
 * What a login may write as, and by which relay that goes: the match rules of
 * the configuration. Called by transaction.c for MAIL with the identity of the
 * grant, and by author.c for the header; the address comes from a front-end
 * and is parsed again. Addresses are compared in the form of form.c: the domain
 * without case, a U-label equal to its A-label (RFC 6531), the local part octet
 * for octet after needless quoting is gone (R5321-4.1.2-a), unless local-part
 * and subaddress say more. So nobody has an address that only looks like the
 * own one, or that is it after normalization.
 *
 * What a database says was asked before (lookup.c). Where it could not be told,
 * no rule behind that one is looked at: the answer is that it is not known.
 */
#include <string.h>

#include "common/conf_table.h"
#include "common/ipc_types.h"

#include "lookup.h"
#include "rights.h"
#include "scope.h"

/* An address that is asked for; f is set when it is not null. */
struct asked {
	const struct forms	*f;	/* NULL: the null reverse-path */
	bool			 plain;	/* may count without sub-address */
};

static bool
is_own(const struct tables *ts, const struct rights_login *login,
    const struct asked *a)
{
	char	own[FORM_MAX];
	int	n;

	n = form_entry(tables_rules(ts), SLICE_STR(login->own), false, own);
	return n > 0 && own[0] != '@' &&
	    form_covers(SLICE(own, (size_t)n), a->f, a->plain);
}

static enum right
table_allows(const char *name, const struct tables *ts,
    const struct rights_login *login, const struct asked *a)
{
	if (!tables_remote(ts, name))
		return tables_sender(ts, name, SLICE_STR(login->user), a->f) ?
		    RIGHT_YES : RIGHT_NO;
	switch (lookups_sender(login->lookups, name, tables_rules(ts), a->f,
	    a->plain)) {
	case LOOKUP_YES:
		return RIGHT_YES;
	case LOOKUP_NO:
		return RIGHT_NO;
	default:
		return RIGHT_UNKNOWN;
	}
}

static enum right
sender_allows(const struct conf_sender *s, const struct tables *ts,
    const struct rights_login *login, const struct asked *a)
{
	if (s->kind == CONF_SENDER_ANY || a->f == NULL)
		return RIGHT_YES;
	if (s->kind == CONF_SENDER_OWN)
		return is_own(ts, login, a) ? RIGHT_YES : RIGHT_NO;
	return table_allows(s->table, ts, login, a);
}

const struct conf_matches *
rights_rules(const struct conf *conf, const struct rights_login *login)
{
	return conf_tenant_matches(conf, login->tenant != NULL ?
	    login->tenant : "");
}

bool
rights_concerns(const struct conf_match *m, const struct rights_login *login)
{
	unsigned int	flags = login->scope != NULL ? login->scope->flags : 0;

	if ((m->except & CONF_EXCEPT_EXTERNAL) && (flags & GRANT_SEEN))
		return false;
	if ((m->except & CONF_EXCEPT_ADDRESS) && (flags & GRANT_ADDRESS))
		return false;
	return m->local == login->local &&
	    (m->user == NULL || strcmp(m->user, login->user) == 0);
}

/* Has the rule's list the sender? */
static enum right
rule_allows(const struct conf_match *m, const struct tables *ts,
    const struct rights_login *login, const struct asked *a)
{
	const struct conf_sender	*s;
	enum right			 r, all = RIGHT_NO;

	TAILQ_FOREACH(s, &m->senders, entry) {
		if ((r = sender_allows(s, ts, login, a)) == RIGHT_YES)
			return r;
		if (r == RIGHT_UNKNOWN)
			all = r;
	}
	return all;
}

/* False: it is no mailbox, or not one of those the credential is for. */
static bool
ask_for(struct asked *a, struct forms *f, const struct tables *ts,
    const struct rights_login *login, struct slice sender)
{
	if (!form_mailbox(tables_rules(ts), sender, f))
		return false;
	a->f = f;
	a->plain = !tables_listed(ts, f);
	return scope_sender(login->scope, tables_rules(ts), f, a->plain);
}

bool
rights_outside(const struct tables *ts, const struct rights_login *login,
    struct slice sender)
{
	struct asked	a;
	struct forms	f;

	return login->scope != NULL && login->scope->nsenders > 0 &&
	    !ask_for(&a, &f, ts, login, sender);
}

enum right
rights_sender(const struct conf_match *m, const struct tables *ts,
    const struct rights_login *login, struct slice sender)
{
	const struct conf_sender	*s;
	struct asked			 a;
	struct forms			 f;

	if (ask_for(&a, &f, ts, login, sender))
		return rule_allows(m, ts, login, &a);
	if (rights_outside(ts, login, sender) ||
	    form_mailbox(tables_rules(ts), sender, &f))
		return RIGHT_NO;
	TAILQ_FOREACH(s, &m->senders, entry)
		if (s->kind == CONF_SENDER_ANY)
			return sender.len > 0 ? RIGHT_YES : RIGHT_NO;
	return RIGHT_NO;
}

enum verdict
rights_match(const struct conf *conf, const struct tables *ts,
    const struct rights_login *login, struct slice sender,
    const struct conf_match **match)
{
	const struct conf_match		*m;
	struct asked			 a = { NULL, false };
	struct forms			 f;
	bool				 any = false, inside = true;

	if (sender.len > 0) {
		inside = ask_for(&a, &f, ts, login, sender);
		if (a.f == NULL)
			return VERDICT_BAD_SENDER;
	}
	TAILQ_FOREACH(m, rights_rules(conf, login), entry) {
		if (!rights_concerns(m, login))
			continue;
		any = true;
		if (!inside)
			break;
		switch (rule_allows(m, ts, login, &a)) {
		case RIGHT_YES:
			*match = m;
			return VERDICT_OK;
		case RIGHT_UNKNOWN:
			return VERDICT_TROUBLE;
		default:
			break;
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

/* Is the name among the first n? */
static bool
has_name(const char **names, size_t n, const char *name)
{
	while (n-- > 0)
		if (strcmp(names[n], name) == 0)
			return true;
	return false;
}

size_t
rights_lookups(const struct conf *conf, const struct rights_login *login,
    const char **tables, size_t max)
{
	const struct conf_match		*m;
	const struct conf_sender	*s;
	const struct conf_table		*t;
	size_t				 n = 0;

	TAILQ_FOREACH(m, rights_rules(conf, login), entry) {
		if (!rights_concerns(m, login))
			continue;
		TAILQ_FOREACH(s, &m->senders, entry)
			if (s->kind == CONF_SENDER_TABLE && n < max &&
			    !has_name(tables, n, s->table) &&
			    (t = conf_table_find(conf, s->table)) != NULL &&
			    conf_table_remote(t))
				tables[n++] = s->table;
	}
	return n;
}
