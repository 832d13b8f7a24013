/*
 * How much a login may send: the rates of "limit user" and "limit default",
 * and of its credential. Runs in msad-queue, called by transaction.c as a
 * message comes in. What counts it is in rate.c, what keeps it in rate_store.c.
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

uint64_t
limits_size(void)
{
	struct conf_rates	 r;
	const struct conf_rate	*bytes = &r.rate[CONF_RATE_BYTES];
	uint64_t		 size = child_conf()->message_size;

	conf_rates_user(child_conf(), &r);
	if (r.size != 0 && r.size < size)
		size = r.size;
	/* a bigger one would never be let in */
	if (bytes->period != 0 && bytes->n < size)
		size = bytes->n;
	return size;
}

static struct rate_key
credential_key(const struct grant *g)
{
	return (struct rate_key){ RATE_CREDENTIAL, g->auth, g->user,
	    g->scope.label };
}

static struct rate_key
user_key(const struct grant *g, enum conf_rate_kind kind)
{
	return (struct rate_key){ (enum rate_kind)(RATE_MESSAGES + kind),
	    g->tenant, g->own, "" };
}

static void
say_when(uint64_t wait, char *text)
{
	time_t		again = time(NULL) + (time_t)((wait + 999) / 1000);
	struct tm	tm;

	text[0] = '\0';
	if (gmtime_r(&again, &tm) != NULL)
		strftime(text, LIMITS_TEXT_MAX,
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
	stats_inc(STAT_QUEUE_RATE_REFUSED);
	log_over(g, "credential", "reject", wait);
	say_when(wait, text);
	return VERDICT_RATE;
}

/* Take n of a user's rate. */
static enum verdict
take_user(const struct grant *g, struct limits_taken *t,
    enum conf_rate_kind kind, uint64_t n, int64_t now, char *text)
{
	const struct rate_key	k = user_key(g, kind);
	struct conf_rates	r;
	struct rate		rate;
	uint64_t		wait;
	time_t			until;
	bool			hold;

	conf_rates_user(child_conf(), &r);
	if (r.rate[kind].period == 0)
		return VERDICT_OK;
	rate = (struct rate){ r.rate[kind].n, r.rate[kind].period };
	hold = r.over == CONF_OVER_HOLD;
	if (!rate_take(&k, rate, n, hold ? rate.n : 0, now, &wait)) {
		stats_inc(STAT_QUEUE_RATE_REFUSED);
		log_over(g, conf_rate_word(kind), "reject", wait);
		say_when(wait, text);
		return VERDICT_RATE;
	}
	if (wait == 0)
		return VERDICT_OK;
	until = time(NULL) + (time_t)((wait + 999) / 1000);
	if (t->until == 0)
		log_over(g, conf_rate_word(kind), "hold", wait);
	if (until > t->until)
		t->until = until;
	return VERDICT_OK;
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
	if ((v = take_credential(g, t, now, text)) != VERDICT_OK)
		return v;
	v = take_user(g, t, CONF_RATE_MESSAGES, 1, now, text);
	if (v == VERDICT_OK) {
		t->message = true;
		v = take_user(g, t, CONF_RATE_BYTES, size, now, text);
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

	v = take_user(g, t, CONF_RATE_RECIPIENTS, 1, limits_clock(), text);
	if (v == VERDICT_OK)
		t->recipients++;
	return v;
}

enum verdict
limits_end(const struct grant *g, struct limits_taken *t, uint64_t size,
    char *text)
{
	const struct rate_key	k = user_key(g, CONF_RATE_BYTES);
	struct conf_rates	r;
	int64_t			now = limits_clock();
	enum verdict		v;

	conf_rates_user(child_conf(), &r);
	if (r.rate[CONF_RATE_BYTES].period == 0 || size == t->bytes)
		return VERDICT_OK;
	if (size > r.rate[CONF_RATE_BYTES].n)
		return VERDICT_TOO_BIG;
	if (size < t->bytes) {
		rate_return(&k, t->bytes - size, now);
		t->bytes = size;
		return VERDICT_OK;
	}
	v = take_user(g, t, CONF_RATE_BYTES, size - t->bytes, now, text);
	if (v == VERDICT_OK)
		t->bytes = size;
	return v;
}

void
limits_return(const struct grant *g, struct limits_taken *t)
{
	const struct rate_key	credential = credential_key(g);
	const struct rate_key	messages = user_key(g, CONF_RATE_MESSAGES);
	const struct rate_key	rcpts = user_key(g, CONF_RATE_RECIPIENTS);
	const struct rate_key	bytes = user_key(g, CONF_RATE_BYTES);
	int64_t			now;

	if (!t->credential && !t->message)
		return;			/* nor anything else then */
	now = limits_clock();
	if (t->credential)
		rate_return(&credential, 1, now);
	if (t->message)
		rate_return(&messages, 1, now);
	rate_return(&rcpts, t->recipients, now);
	rate_return(&bytes, t->bytes, now);
	memset(t, 0, sizeof(*t));
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

/* The rate that holds now, where that can be told. */
static struct rate
rate_now(const struct rate_state *s)
{
	struct conf_rates	 r;
	const struct conf_rate	*c;

	if (s->key.kind == RATE_CREDENTIAL)
		return s->rate;
	conf_rates_user(child_conf(), &r);
	c = &r.rate[s->key.kind - RATE_MESSAGES];
	return (struct rate){ c->n, c->period };
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
limits_reset(const char *user)
{
	struct rate_state	 s;
	int64_t			 now = limits_clock();
	uint32_t		 place = 0;
	unsigned int		 n = 0;

	for (; (place = rate_next(place, now, &s)) != RATE_NONE; place++)
		if (is_of(&s.key, user) && rate_reset(&s.key, now))
			n++;
	return n;
}
