/*
 * What MAIL asks of time and priority, and what of it is granted. Runs in
 * msad-queue; called by transaction.c. The front-end has looked at the same
 * parameters and told the client what is wrong with them: here they are looked
 * at again, and what it should have refused by any configuration it may go by
 * is a violation. What depends on the clock or on a reload is answered.
 *
 * Nobody is refused for a priority that is too high for him: it is lowered, and
 * the reply says so (RFC 6710 section 4.1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"

#include "accept.h"
#include "grant.h"
#include "index.h"
#include "limits.h"
#include "schedule.h"
#include "terms.h"

/* What stood before the last reload, and what may stand after the next. */
static struct conf_ext	now_in_force, before, next;
static bool		had_conf, has_next;

void
terms_prepare(const struct conf *conf)
{
	if ((has_next = conf != NULL))
		next = conf->ext;
}

void
terms_conf(const struct conf *conf)
{
	has_next = false;
	before = had_conf ? now_in_force : conf->ext;
	now_in_force = conf->ext;
	had_conf = true;
}

bool
terms_possible(const struct mail_params *m)
{
	return conf_ext_possible(&now_in_force, m) ||
	    conf_ext_possible(&before, m) ||
	    (has_next && conf_ext_possible(&next, m));
}

/* The text with the priority that is granted. */
static int
lower(struct terms *t, char **params, struct mail_params *m, int highest)
{
	char	buf[PARAMS_TEXT_MAX + 1], *text;

	m->priority = highest;
	if (params_mail_print(m, buf, sizeof(buf)) == -1 ||
	    (text = strdup(buf)) == NULL)
		return -1;
	free(*params);
	*params = text;
	t->priority = highest;
	t->lowered = true;
	return 0;
}

/* RFC 6710 section 4.2: too big for how urgent it is? */
static enum verdict
urgent_size(const struct terms *t, uint64_t size, char *detail, size_t n)
{
	const struct conf_ext	*e = &child_conf()->ext;

	if (e->urgent_size == 0 || t->priority <= e->urgent_above ||
	    size <= e->urgent_size)
		return VERDICT_OK;
	snprintf(detail, n, "%llu octets at most above priority %d",
	    (unsigned long long)e->urgent_size, e->urgent_above);
	return VERDICT_PRIORITY_SIZE;
}

static enum verdict
below_floor(const struct terms *t, char *detail)
{
	const struct conf_ext	*e = &child_conf()->ext;

	if (e->priority_off || t->priority >= e->floor)
		return VERDICT_OK;
	snprintf(detail, LIMITS_TEXT_MAX, "%d", e->floor);
	return e->floor_defer ? VERDICT_PRIORITY_LATER :
	    VERDICT_PRIORITY_FLOOR;
}

/* May the user have one more message that waits for its time (RFC 4865)? */
static enum verdict
future_room(const struct terms *t, const struct grant *g)
{
	uint64_t	held = child_conf()->ext.future_held, pending;

	if (t->holdfor == 0 && t->holduntil == 0)
		return VERDICT_OK;
	pending = accept_future(g->tenant, g->user);
	if (pending >= held || index_future_full(SLICE_STR(g->tenant),
	    SLICE_STR(g->user), held - pending, (uint64_t)schedule_now()))
		return VERDICT_HELD_QUOTA;
	return VERDICT_OK;
}

enum verdict
terms_mail(struct terms *t, char **params, const struct grant *g,
    uint64_t size, int highest, char *detail)
{
	struct mail_params	m;
	enum verdict		v;
	int			asked;

	if (!params_mail_canonical(SLICE_STR(*params), &m) ||
	    !conf_ext_possible(&child_conf()->ext, &m) ||
	    conf_ext_check(&child_conf()->ext, &m, (int64_t)schedule_now()) !=
	    EXT_OK)
		return VERDICT_BAD_PARAMETER;
	t->holdfor = m.holdfor;
	t->holduntil = m.holduntil_time;
	t->has_priority = m.has_priority;
	t->priority = asked = m.priority;
	if (asked > highest) {
		if (lower(t, params, &m, highest) == -1)
			return VERDICT_TROUBLE;
		log_info("s=%llx-%llx event=priority user=%s asked=%d "
		    "priority=%d", (unsigned long long)g->epoch,
		    (unsigned long long)g->sid, log_q(g->user), asked,
		    highest);
	}
	if ((v = below_floor(t, detail)) != VERDICT_OK ||
	    (v = urgent_size(t, size, detail, LIMITS_TEXT_MAX)) != VERDICT_OK)
		return v;
	return future_room(t, g);
}

enum verdict
terms_end(const struct terms *t, const struct grant *g, uint64_t size,
    char *detail, size_t detail_size)
{
	enum verdict	v;

	v = urgent_size(t, size, detail, detail_size);
	return v == VERDICT_OK ? future_room(t, g) : v;
}

int64_t
terms_release(const struct terms *t, int64_t arrival)
{
	return t->holdfor != 0 ? arrival + (int64_t)t->holdfor : t->holduntil;
}

void
terms_detail(const struct terms *t, char *detail)
{
	snprintf(detail, LIMITS_TEXT_MAX, "%d", t->priority);
}
