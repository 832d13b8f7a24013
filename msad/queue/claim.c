/*
 * Which rates a message is measured by: that of its user ("limit user" within
 * its tenant, outside, "limit default") and that of its tenant ("limit
 * tenant"). Runs in msad-queue, called by limits.c and held.c.
 */
#include "common/child.h"
#include "common/conf.h"

#include "claim.h"

static const char *const	 tenant_words[CONF_RATE_MAX] = {
	[CONF_RATE_MESSAGES] = "tenant-messages",
	[CONF_RATE_RECIPIENTS] = "tenant-recipients",
	[CONF_RATE_BYTES] = "tenant-bytes"
};

/* Add the rate, where there is one. */
static size_t
put(struct claim *c, const struct conf_rates *r, enum conf_rate_kind kind)
{
	if (r->rate[kind].period == 0)
		return 0;
	c->rate = (struct rate){ r->rate[kind].n, r->rate[kind].period };
	c->hold = r->over == CONF_OVER_HOLD;
	return 1;
}

size_t
claims_of(const char *tenant, const char *own, enum conf_rate_kind kind,
    struct claim claims[CLAIMS_MAX])
{
	const struct conf_rates	*t;
	struct conf_rates	 r;
	size_t			 n;

	conf_rates_user(child_conf(), tenant, &r);
	claims[0].key = (struct rate_key){ (enum rate_kind)(RATE_MESSAGES +
	    (unsigned int)kind), tenant, own, "" };
	claims[0].word = conf_rate_word(kind);
	n = put(&claims[0], &r, kind);
	if ((t = conf_rates_tenant(child_conf(), tenant)) == NULL)
		return n;
	claims[n].key = (struct rate_key){ (enum rate_kind)
	    (RATE_TENANT_MESSAGES + (unsigned int)kind), tenant, "", "" };
	claims[n].word = tenant_words[kind];
	return n + put(&claims[n], t, kind);
}
