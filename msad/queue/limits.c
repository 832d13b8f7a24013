/*
 * How much a login may send: the rates of "limit user" and "limit default", of
 * its credential and its tenant, and its tenant's room in the queue (room.c).
 * Runs in msad-queue, called by transaction.c as a message comes in. What
 * counts it is in rate.c, what keeps it in rate_store.c.
 *
 * A user is its tenant and the address that is its own, so that the same user
 * counts once whatever it logs in with, and two of one name at different
 * realms are two. What is taken is taken when it is asked for, not when the
 * message is there, so that nobody waits with many of them open; it is given
 * back when the message comes to nothing.
 *
 * With "over hold", what is over a rate is accepted and relayed when the rate
 * has come to it: so the user's messages leave at the rate. As much as the rate
 * allows in a period may be held, what is over that too is refused.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"

#include "claim.h"
#include "grant.h"
#include "limits.h"

/* What a credential's rate is of (msad-passwd(5)). */
#define CREDENTIAL_PERIOD	3600

int64_t
limits_clock(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
lower(uint64_t *size, uint64_t limit)
{
	if (limit != 0 && limit < *size)
		*size = limit;
}

uint64_t
limits_size(const struct grant *g)
{
	const struct conf_rates	*t = conf_rates_tenant(child_conf(), g->tenant);
	struct conf_rates	 r;
	uint64_t		 size = child_conf()->message_size;

	conf_rates_user(child_conf(), g->tenant, &r);
	lower(&size, r.size);
	/* a bigger one than a rate would never be let in */
	lower(&size, r.rate[CONF_RATE_BYTES].n);
	if (t != NULL) {
		lower(&size, t->rate[CONF_RATE_BYTES].n);
		lower(&size, t->octets);
	}
	return size;
}

static struct rate_key
credential_key(const struct grant *g)
{
	return (struct rate_key){ RATE_CREDENTIAL, g->auth, g->user,
	    g->scope.label };
}

/* For the reply: when, and whose rate it is where that is not his own. */
static void
say_when(const char *word, uint64_t wait, char *text)
{
	time_t		again = time(NULL) + (time_t)((wait + 999) / 1000);
	struct tm	tm;
	bool		all = strncmp(word, "tenant-", 7) == 0;

	text[0] = '\0';
	if (gmtime_r(&again, &tm) != NULL)
		strftime(text, LIMITS_TEXT_MAX, all ? "it is your tenant's "
		    "limit; try again after %Y-%m-%d %H:%M:%S UTC" :
		    "try again after %Y-%m-%d %H:%M:%S UTC", &tm);
}

static void
log_over(const struct grant *g, const char *what, const char *action,
    uint64_t wait)
{
	log_notice("s=%llx-%llx event=over-limit user=%s tenant=%s limit=%s "
	    "action=%s seconds=%llu", (unsigned long long)g->epoch,
	    (unsigned long long)g->sid, log_q(g->user), log_q(g->tenant), what,
	    action, (unsigned long long)(wait + 999) / 1000);
}

/* What the login's messages are measured by. */
static size_t
claims(const struct grant *g, enum conf_rate_kind kind,
    struct claim c[CLAIMS_MAX])
{
	return claims_of(g->tenant, g->own, kind, c);
}

/* It is to be held for that many milliseconds. */
static void
hold(const struct grant *g, struct limits_taken *t, const char *word,
    uint64_t wait)
{
	time_t	until = time(NULL) + (time_t)((wait + 999) / 1000);

	if (t->until == 0)
		log_over(g, word, "hold", wait);
	if (until > t->until)
		t->until = until;
}

static enum verdict
refuse(const struct grant *g, const char *word, uint64_t wait, char *text)
{
	stats_inc(STAT_QUEUE_RATE_REFUSED);
	log_over(g, word, "reject", wait);
	say_when(word, wait, text);
	return VERDICT_RATE;
}

static enum verdict
take_credential(const struct grant *g, struct limits_taken *t, int64_t now,
    char *text)
{
	const struct rate_key	k = credential_key(g);
	const struct rate	rate = { g->scope.rate, CREDENTIAL_PERIOD };
	uint64_t		wait;

	if (rate.n == 0)
		return VERDICT_OK;
	if (rate_take(&k, rate, 1, 0, now, &wait)) {
		t->credential = true;
		return VERDICT_OK;
	}
	return refuse(g, "credential", wait, text);
}

/* Take n of every rate there is for that; of none when one refuses. */
static enum verdict
take(const struct grant *g, struct limits_taken *t, enum conf_rate_kind kind,
    uint64_t n, int64_t now, char *text)
{
	struct claim	c[CLAIMS_MAX];
	uint64_t	wait[CLAIMS_MAX];
	size_t		nclaims = claims(g, kind, c), i, j;

	for (i = 0; i < nclaims; i++) {
		if (rate_take(&c[i].key, c[i].rate, n, c[i].hold ?
		    c[i].rate.n : 0, now, &wait[i]))
			continue;
		for (j = 0; j < i; j++)
			rate_return(&c[j].key, n, now);
		return refuse(g, c[i].word, wait[i], text);
	}
	for (i = 0; i < nclaims; i++)
		if (wait[i] > 0)
			hold(g, t, c[i].word, wait[i]);
	return VERDICT_OK;
}

/* Give back n of every rate there is for that. */
static void
give_back(const struct grant *g, enum conf_rate_kind kind, uint64_t n,
    int64_t now)
{
	struct claim	c[CLAIMS_MAX];
	size_t		nclaims = claims(g, kind, c), i;

	for (i = 0; i < nclaims; i++)
		rate_return(&c[i].key, n, now);
}

static enum verdict
take_room(const struct grant *g, struct limits_taken *t, uint64_t size)
{
	if (room_take(g->tenant, &t->room, size))
		return VERDICT_OK;
	stats_inc(STAT_QUEUE_RATE_REFUSED);
	log_notice("s=%llx-%llx event=over-limit user=%s tenant=%s "
	    "limit=tenant-queue action=reject seconds=0",
	    (unsigned long long)g->epoch, (unsigned long long)g->sid,
	    log_q(g->user), log_q(g->tenant));
	return VERDICT_QUEUE_FULL;
}

enum verdict
limits_mail(const struct grant *g, struct limits_taken *t, uint64_t size,
    char *text)
{
	int64_t		now = limits_clock();
	enum verdict	v;

	/* One octet at least: who has none left hears of it here. */
	if (size == 0)
		size = 1;
	if ((v = take_room(g, t, size)) == VERDICT_OK)
		v = take_credential(g, t, now, text);
	if (v == VERDICT_OK)
		v = take(g, t, CONF_RATE_MESSAGES, 1, now, text);
	if (v == VERDICT_OK) {
		t->message = true;
		v = take(g, t, CONF_RATE_BYTES, size, now, text);
	}
	if (v == VERDICT_OK)
		t->bytes = size;
	else
		limits_return(g, t);
	return v;
}

enum verdict
limits_rcpt(const struct grant *g, struct limits_taken *t, char *text)
{
	enum verdict	v;

	v = take(g, t, CONF_RATE_RECIPIENTS, 1, limits_clock(), text);
	if (v == VERDICT_OK)
		t->recipients++;
	return v;
}

/* Is it more than a rate holds, so that it could never go? */
static bool
is_too_big(const struct grant *g, uint64_t size)
{
	struct claim	c[CLAIMS_MAX];
	size_t		nclaims = claims(g, CONF_RATE_BYTES, c), i;

	for (i = 0; i < nclaims; i++)
		if (size > c[i].rate.n)
			return true;
	return false;
}

enum verdict
limits_end(const struct grant *g, struct limits_taken *t, uint64_t size,
    char *text)
{
	int64_t		now = limits_clock();
	enum verdict	v = VERDICT_OK;

	if (is_too_big(g, size))
		return VERDICT_TOO_BIG;
	if (size > t->bytes)
		v = take(g, t, CONF_RATE_BYTES, size - t->bytes, now, text);
	else
		give_back(g, CONF_RATE_BYTES, t->bytes - size, now);
	if (v != VERDICT_OK)
		return v;
	t->bytes = size;
	return take_room(g, t, size);
}

void
limits_return(const struct grant *g, struct limits_taken *t)
{
	const struct rate_key	credential = credential_key(g);
	int64_t			now;

	room_return(g->tenant, &t->room);
	if (!t->credential && !t->message)
		return;			/* nor anything else then */
	now = limits_clock();
	if (t->credential)
		rate_return(&credential, 1, now);
	if (t->message)
		give_back(g, CONF_RATE_MESSAGES, 1, now);
	give_back(g, CONF_RATE_RECIPIENTS, t->recipients, now);
	give_back(g, CONF_RATE_BYTES, t->bytes, now);
	memset(t, 0, sizeof(*t));
}

void
limits_stored(const char *tenant, struct limits_taken *t)
{
	room_return(tenant, &t->room);
}

/* --- for the operator --- */

/* Is it this user's? The name may be without its realm. */
static bool
is_of(const struct rate_key *k, const char *user)
{
	const char	*at;
	size_t		 len = strlen(user);

	if (*user == '\0' || strcmp(k->user, user) == 0)
		return true;
	return strchr(user, '@') == NULL &&
	    (at = strrchr(k->user, '@')) != NULL &&
	    (size_t)(at - k->user) == len && memcmp(k->user, user, len) == 0;
}

static bool
is_tenant(const struct rate_key *k, const char *tenant)
{
	return k->kind >= RATE_TENANT_MESSAGES &&
	    strcmp(k->space, tenant) == 0;
}

/* The rate that holds now, where that can be told; of period 0: none. */
static struct rate
rate_now(const struct rate_state *s)
{
	struct claim	c[CLAIMS_MAX];
	unsigned int	first;
	size_t		n;

	if (s->key.kind == RATE_CREDENTIAL)
		return s->rate;
	first = s->key.kind >= RATE_TENANT_MESSAGES ? RATE_TENANT_MESSAGES :
	    RATE_MESSAGES;
	n = claims_of(s->key.space, s->key.user, (enum conf_rate_kind)
	    ((unsigned int)s->key.kind - first), c);
	while (n-- > 0)
		if (c[n].key.kind == s->key.kind)
			return c[n].rate;
	return (struct rate){ 0, 0 };
}

unsigned int
limits_each(uint32_t *place, const char *user, unsigned int max,
    void (*fn)(void *, const struct limits_line *), void *arg)
{
	struct limits_line	 line;
	struct rate_state	*s = &line.state;
	int64_t			 now = limits_clock();
	unsigned int		 n = 0;

	while (n < max &&
	    (*place = rate_next(*place, now, s)) != RATE_NONE) {
		(*place)++;
		if (s->used == 0 || !is_of(&s->key, user))
			continue;
		s->rate = rate_now(s);
		if (s->rate.period == 0)
			continue;	/* no limit any more */
		line.wait = s->used < s->rate.n ? 0 :
		    (s->used - s->rate.n + 1) * s->rate.period * 1000 /
		    s->rate.n;
		fn(arg, &line);
		n++;
	}
	return n;
}

unsigned int
limits_reset(const char *user, const char *tenant)
{
	struct rate_state	 s;
	int64_t			 now = limits_clock();
	uint32_t		 place = 0;
	unsigned int		 n = 0;

	for (; (place = rate_next(place, now, &s)) != RATE_NONE; place++)
		if ((tenant == NULL ? is_of(&s.key, user) :
		    is_tenant(&s.key, tenant)) && rate_reset(&s.key, now))
			n++;
	return n;
}
