#ifndef COMMON_CONF_TENANT_H
#define COMMON_CONF_TENANT_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>

#include "common/conf_rates.h"

struct conf;
struct conf_build;
struct conf_match;

TAILQ_HEAD(conf_matches, conf_match);

/*
 * "tenant NAME { ... }". Its auth blocks, tables and relays stand among all
 * others of struct conf, with its name in their member tenant: a name stands
 * for one thing, whoever has it. Its rules stand here alone.
 */
struct conf_tenant {
	TAILQ_ENTRY(conf_tenant) entry;
	RB_ENTRY(conf_tenant)	 by_name;
	char			*name;
	struct conf_rates	 rates;		/* limit tenant */
	struct conf_rates	 user_rates;	/* limit user */
	struct conf_matches	 matches;
};

TAILQ_HEAD(conf_tenants, conf_tenant);
RB_HEAD(conf_tenant_tree, conf_tenant);

struct conf_tenant *conf_tenant_find(const struct conf *, const char *name);
/*
 * The rules for logins of a tenant; of "" those that stand in no tenant, which
 * are for logins without one alone. None for a tenant that is not there.
 */
const struct conf_matches *conf_tenant_matches(const struct conf *,
    const char *name);

void	 conf_build_tenant_begin(struct conf_build *, const char *name);
void	 conf_build_tenant_end(struct conf_build *);
/* May what stands in the tenant by (NULL: none) use what is the tenant of's? */
bool	 conf_tenant_may(const char *by, const char *of);
/* After the last statement: what is a tenant's stands behind what is not. */
void	 conf_tenant_finish(struct conf_build *);

#endif
