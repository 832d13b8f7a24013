/*
 * "tenant NAME { ... }": what is one tenant's alone. Part of the grammar
 * (conf.y) and used wherever the configuration is.
 *
 * While the text is read, all rules stand in one list and all relays in the
 * order of the text. conf_tenant_finish() gives each tenant its rules, so that
 * the logins of one cannot come near those of another, and puts what is in no
 * tenant first, as the canonical text has it: places must be the same in msad,
 * which reads the file, and in its children.
 */
#include <sys/types.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "common/conf_build.h"
#include "common/log.h"

static const struct conf_matches no_matches = { NULL, NULL };

static int	compare(const struct conf_tenant *,
		    const struct conf_tenant *);

RB_PROTOTYPE(conf_tenant_tree, conf_tenant, by_name, compare)

static int
compare(const struct conf_tenant *a, const struct conf_tenant *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE(conf_tenant_tree, conf_tenant, by_name, compare)

struct conf_tenant *
conf_tenant_find(const struct conf *conf, const char *name)
{
	struct conf_tenant_tree	 tree = conf->tenants_by_name;
	struct conf_tenant	 key = { .name = (char *)(uintptr_t)name };

	return RB_FIND(conf_tenant_tree, &tree, &key);
}

const struct conf_matches *
conf_tenant_matches(const struct conf *conf, const char *name)
{
	const struct conf_tenant	*t;

	if (*name == '\0')
		return &conf->matches;
	t = conf_tenant_find(conf, name);
	return t != NULL ? &t->matches : &no_matches;
}

bool
conf_tenant_may(const char *by, const char *of)
{
	return of == NULL || (by != NULL && strcmp(by, of) == 0);
}

void
conf_build_tenant_begin(struct conf_build *b, const char *name)
{
	struct conf_tenant	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		err(1, "calloc");
	TAILQ_INIT(&t->matches);
	t->name = conf_build_name(b, name, conf_tenant_find(b->conf, name),
	    "tenant");
	TAILQ_INSERT_TAIL(&b->conf->tenants, t, entry);
	RB_INSERT(conf_tenant_tree, &b->conf->tenants_by_name, t);
	b->tenant = t;
}

void
conf_build_tenant_end(struct conf_build *b)
{
	b->tenant = NULL;
}

/* To each tenant its rules, out of the list of all. */
static void
take_rules(struct conf *conf)
{
	struct conf_tenant	*t = TAILQ_FIRST(&conf->tenants);
	struct conf_match	*m, *next;

	TAILQ_FOREACH_SAFE(m, &conf->matches, entry, next) {
		if (m->tenant == NULL)
			continue;
		while (t->name != m->tenant)	/* in the same order */
			t = TAILQ_NEXT(t, entry);
		TAILQ_REMOVE(&conf->matches, m, entry);
		TAILQ_INSERT_TAIL(&t->matches, m, entry);
	}
}

/* To the end of the list, in the order of the tenants. */
#define MOVE_BACK(head, type, name) do {				\
	struct type	*item_, *next_;					\
	struct type	*last_ = TAILQ_LAST(head, type##s);		\
									\
	for (item_ = TAILQ_FIRST(head); item_ != NULL; item_ = next_) {	\
		next_ = item_ == last_ ? NULL :				\
		    TAILQ_NEXT(item_, entry);				\
		if (item_->tenant != name)				\
			continue;					\
		TAILQ_REMOVE(head, item_, entry);			\
		TAILQ_INSERT_TAIL(head, item_, entry);			\
	}								\
} while (0)

/* May logins by the block write as what is their own? */
static bool
has_own(const struct conf *conf, const struct conf_auth *auth)
{
	const struct conf_match		*m;
	const struct conf_sender	*s;

	TAILQ_FOREACH(m, conf_tenant_matches(conf, auth->tenant != NULL ?
	    auth->tenant : ""), entry)
		TAILQ_FOREACH(s, &m->senders, entry)
			if (!m->local && s->kind == CONF_SENDER_OWN)
				return true;
	return false;
}

static int
by_realm(const void *a, const void *b)
{
	const struct conf_auth *const	*x = a, *const *y = b;

	return strcasecmp((*x)->realm, (*y)->realm);
}

/*
 * A user's own address is of the realm: were it that of two tenants, each would
 * write as users of the other (P3).
 */
static void
check_realms(struct conf_build *b)
{
	const struct conf_auth	*auth, **list;
	size_t			 i, n = 0;

	TAILQ_FOREACH(auth, &b->conf->auths, entry)
		n++;
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		err(1, "calloc");
	n = 0;
	TAILQ_FOREACH(auth, &b->conf->auths, entry)
		if (auth->realm != NULL && has_own(b->conf, auth))
			list[n++] = auth;
	qsort(list, n, sizeof(*list), by_realm);
	for (i = 1; i < n; i++)
		if (by_realm(&list[i - 1], &list[i]) == 0 &&
		    list[i - 1]->tenant != list[i]->tenant)
			conf_lex_error(b->lex, "auth %s and auth %s have the "
			    "realm %s both, for different tenants: the own "
			    "addresses of their users would be the same",
			    log_q(list[i - 1]->name), log_q(list[i]->name),
			    log_q(list[i]->realm));
	free(list);
}

void
conf_tenant_finish(struct conf_build *b)
{
	struct conf		*conf = b->conf;
	struct conf_tenant	*t;
	struct conf_relay	*r;
	unsigned int		 n = 0;

	take_rules(conf);
	TAILQ_FOREACH(t, &conf->tenants, entry) {
		MOVE_BACK(&conf->auths, conf_auth, t->name);
		MOVE_BACK(&conf->tables, conf_table, t->name);
		MOVE_BACK(&conf->relays, conf_relay, t->name);
	}
	TAILQ_FOREACH(r, &conf->relays, entry)
		r->index = n++;
	if (!TAILQ_EMPTY(&conf->tenants))
		check_realms(b);
}
