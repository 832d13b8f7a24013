/*
 * The grants: which session of which front-end channel is which user. Runs in
 * msad-queue. grant_take() is called for a GRANT message on the channel of
 * msad-auth and from nowhere else; nothing a front-end says makes or changes a
 * grant. It ends with the session, with the channel, after GRANT_AGE_MAX and
 * when auth revokes it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/ipc_types.h"
#include "common/log.h"
#include "common/stats.h"

#include "grant.h"

static int	compare(const struct grant *, const struct grant *);

RB_HEAD(grant_tree, grant);
RB_PROTOTYPE(grant_tree, grant, by_key, compare)
TAILQ_HEAD(grant_list, grant);

static struct grant_tree	tree = RB_INITIALIZER(&tree);
static struct grant_list	ages = TAILQ_HEAD_INITIALIZER(ages);
static void			(*drop_transaction)(struct grant *);

static int
compare(const struct grant *a, const struct grant *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

RB_GENERATE(grant_tree, grant, by_key, compare)

void
grant_init(void (*drop)(struct grant *))
{
	drop_transaction = drop;
}

static void
grant_free(struct grant *g)
{
	free(g->user);
	free(g->tenant);
	free(g->auth);
	free(g->mech);
	free(g->client);
	free(g->own);
	scope_clear(&g->scope);
	free(g);
}

char *
grant_own(struct slice user, struct slice realm, const char *hostname)
{
	struct slice	 domain = realm.len > 0 ? realm : SLICE_STR(hostname);
	char		*own;

	if (memchr(user.p, '@', user.len) != NULL)
		return strndup(user.p, user.len);
	if ((own = malloc(user.len + 1 + domain.len + 1)) == NULL)
		return NULL;
	memcpy(own, user.p, user.len);
	own[user.len] = '@';
	memcpy(own + user.len + 1, domain.p, domain.len);
	own[user.len + 1 + domain.len] = '\0';
	return own;
}

static struct grant *
grant_new(const struct grant_claim *c, const char *hostname)
{
	struct grant	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return NULL;
	g->epoch = c->epoch;
	g->sid = c->sid;
	g->local = (c->sid & IPC_SID_LOCAL) != 0;
	g->user = strndup(c->user.p, c->user.len);
	g->tenant = strndup(c->tenant.p, c->tenant.len);
	g->auth = strndup(c->auth.p, c->auth.len);
	g->mech = strndup(c->mech.p, c->mech.len);
	g->client = strndup(c->client.p, c->client.len);
	g->own = grant_own(c->user, c->realm, hostname);
	if (scope_set(&g->scope, c->scope) == -1 ||
	    g->user == NULL || g->tenant == NULL || g->auth == NULL ||
	    g->mech == NULL || g->client == NULL || g->own == NULL) {
		grant_free(g);
		return NULL;
	}
	return g;
}

struct grant *
grant_take(const struct grant_claim *c, const char *hostname, time_t now)
{
	struct grant	*g;

	if (c->user.len == 0 || grant_find(c->epoch, c->sid) != NULL)
		return NULL;
	if ((g = grant_new(c, hostname)) == NULL)
		return NULL;
	g->since = now;
	RB_INSERT(grant_tree, &tree, g);
	TAILQ_INSERT_TAIL(&ages, g, by_age);
	stats_inc(STAT_QUEUE_GRANTS);
	return g;
}

struct grant *
grant_find(uint64_t epoch, uint64_t sid)
{
	struct grant	 key = { .epoch = epoch, .sid = sid };

	return RB_FIND(grant_tree, &tree, &key);
}

struct grant *
grant_after(uint64_t epoch, uint64_t sid)
{
	struct grant	 key = { .epoch = epoch, .sid = sid };
	struct grant	*g = RB_NFIND(grant_tree, &tree, &key);

	if (g != NULL && g->epoch == epoch && g->sid == sid)
		g = RB_NEXT(grant_tree, &tree, g);
	return g;
}

void
grant_end(struct grant *g)
{
	if (g->tx != NULL)
		drop_transaction(g);
	RB_REMOVE(grant_tree, &tree, g);
	TAILQ_REMOVE(&ages, g, by_age);
	stats_dec(STAT_QUEUE_GRANTS);
	grant_free(g);
}

void
grant_revoke(struct grant *g)
{
	if (g->tx != NULL)
		g->revoked = true;
	else
		grant_end(g);
}

unsigned int
grant_revoke_flagged(uint8_t flags)
{
	struct grant	*g, *next;
	unsigned int	 n = 0;

	TAILQ_FOREACH_SAFE(g, &ages, by_age, next) {
		if ((g->scope.flags & flags) == 0 || g->revoked)
			continue;
		grant_revoke(g);
		n++;
	}
	return n;
}

void
grant_end_channel(uint64_t epoch)
{
	struct grant	 key = { .epoch = epoch, .sid = 0 };
	struct grant	*g, *next;

	for (g = RB_NFIND(grant_tree, &tree, &key);
	    g != NULL && g->epoch == epoch; g = next) {
		next = RB_NEXT(grant_tree, &tree, g);
		grant_end(g);
	}
}

unsigned int
grant_expire(time_t now)
{
	struct grant	*g, *next;
	unsigned int	 n = 0;

	for (g = TAILQ_FIRST(&ages); g != NULL; g = next) {
		if (now - g->since < GRANT_AGE_MAX)
			break;
		next = TAILQ_NEXT(g, by_age);
		if (g->revoked)
			continue;
		log_info("s=%llx-%llx event=grant-expired user=%s",
		    (unsigned long long)g->epoch, (unsigned long long)g->sid,
		    log_q(g->user));
		grant_revoke(g);
		n++;
	}
	return n;
}
