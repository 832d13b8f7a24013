/*
 * Reports that have to wait: because they cannot be written now, or because
 * there were too many. Runs in msad-queue, called by outcome.c.
 *
 * One address gets so many reports in a period and no more ("bounce { reports
 * }"), and the messages of one user or tenant cause no more than that one may
 * send messages ("limit user", "limit tenant"): so nobody makes more mail out
 * of failures than he may send himself. Those above that wait for their turn;
 * what fails of the same message meanwhile goes into the same report. The
 * counts are in memory alone; they begin anew with the process, and when the
 * first of these rates is changed.
 */
#include <sys/types.h>
#include <sys/tree.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"

#include "report_wait.h"
#include "wakes.h"

#define TICK_MAX	2000	/* messages; the rest a second later */
#define WAIT_MAX	((int64_t)INT32_MAX)	/* seconds */

#define KIND_ADDRESS	'a'
#define KIND_USER	'u'
#define KIND_TENANT	't'

/* Counts seconds as they pass here, whatever the clocks say. */
static uint32_t		ticks;
static struct wakes	waiting;
static bool		anew;		/* those that are due take a new turn */

void
report_wait(struct message *m, unsigned int seconds)
{
	if (m->flags & MESSAGE_WAITS_REPORT)
		return;
	m->flags |= MESSAGE_WAITS_REPORT;
	wakes_add(&waiting, m->id, ticks + seconds);
}

/* --- turns --- */

/* When all places of a name are free again. */
struct turn {
	RB_ENTRY(turn)	 entry;
	int64_t		 free_at;	/* milliseconds */
	int64_t		 step;		/* what one place takes */
	char		 key[];		/* kind, then the name */
};

static int	compare(const struct turn *, const struct turn *);

RB_HEAD(turn_tree, turn);
RB_PROTOTYPE(turn_tree, turn, entry, compare)

static struct turn_tree	turns = RB_INITIALIZER(&turns);
static unsigned int	nturns;

static int
compare(const struct turn *a, const struct turn *b)
{
	return strcmp(a->key, b->key);
}

RB_GENERATE(turn_tree, turn, entry, compare)

static void
sweep(int64_t now)
{
	struct turn	*t, *next;

	RB_FOREACH_SAFE(t, turn_tree, &turns, next)
		if (t->free_at <= now) {
			RB_REMOVE(turn_tree, &turns, t);
			free(t);
			nturns--;
		}
}

/*
 * Says "reports" something else now? Then all that wait get a new turn, at the
 * next tick.
 */
static void
follow_conf(void)
{
	static struct conf_rate	 last;
	static bool		 known;
	const struct conf_rate	*r = &child_conf()->bounce.reports;

	if (known && (r->n != last.n || r->period != last.period)) {
		sweep(INT64_MAX);
		wakes_move(&waiting, -(int64_t)UINT32_MAX);
		anew = true;
	}
	known = true;
	last = *r;
}

/* NULL: there are too many, or no memory; then nobody waits. */
static struct turn *
turn_of(char kind, const char *name, int64_t now)
{
	struct turn	*t, *old;
	size_t		 len = strlen(name) + 1;

	if ((t = calloc(1, sizeof(*t) + 1 + len)) == NULL)
		return NULL;
	t->key[0] = kind;
	memcpy(t->key + 1, name, len);
	if ((old = RB_FIND(turn_tree, &turns, t)) != NULL) {
		free(t);
		return old;
	}
	if (nturns >= REPORT_KEYS_MAX)
		sweep(now);
	if (nturns >= REPORT_KEYS_MAX) {
		free(t);
		return NULL;
	}
	RB_INSERT(turn_tree, &turns, t);
	nturns++;
	return t;
}

unsigned int
report_turn(char kind, const char *name, const struct conf_rate *rate,
    int64_t now)
{
	struct turn	*t;
	int64_t		 whole = (int64_t)rate->period * 1000, step, wait;

	if (rate->period == 0 || rate->n == 0 ||
	    (t = turn_of(kind, name, now)) == NULL)
		return 0;
	step = whole / (int64_t)rate->n;
	if (t->free_at < now)
		t->free_at = now;
	if (step != t->step && t->step != 0)	/* the rate was changed */
		t->free_at = now + (t->free_at - now) / t->step * step;
	t->step = step;
	t->free_at += step;
	wait = t->free_at - now - whole;
	if (wait > WAIT_MAX * 1000)
		wait = WAIT_MAX * 1000;
	return wait <= 0 ? 0 : (unsigned int)((wait + 999) / 1000);
}

/* Written otherwise it is most likely the same mailbox. */
static unsigned int
turn_of_address(const char *to, int64_t now)
{
	char	 folded[ENVELOPE_PATH_MAX + 1], *p;

	strlcpy(folded, to, sizeof(folded));
	for (p = folded; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return report_turn(KIND_ADDRESS, folded, &child_conf()->bounce.reports,
	    now);
}

unsigned int
report_turn_of(const struct message *m, const char *to, int64_t now)
{
	const struct conf	*conf = child_conf();
	const struct conf_rates	*t = conf_rates_tenant(conf,
				    message_tenant(m));
	struct conf_rates	 r;
	char			 user[1024];
	unsigned int		 n, most;

	follow_conf();
	conf_rates_user(conf, message_tenant(m), &r);
	strlcpy(user, message_tenant(m), sizeof(user));
	strlcat(user, "\n", sizeof(user));
	strlcat(user, message_user(m), sizeof(user));
	most = turn_of_address(to, now);
	n = report_turn(KIND_USER, user, &r.rate[CONF_RATE_MESSAGES], now);
	if (n > most)
		most = n;
	n = t == NULL ? 0 : report_turn(KIND_TENANT, message_tenant(m),
	    &t->rate[CONF_RATE_MESSAGES], now);
	return n > most ? n : most;
}

void
report_wait_tick(time_t now, void (*fn)(struct message *, time_t))
{
	struct message	*m;
	uint64_t	 id;
	unsigned int	 n;

	ticks++;
	follow_conf();
	for (n = 0; n < TICK_MAX && (id = wakes_take(&waiting, ticks)) != 0;
	    n++) {
		if ((m = index_find(id)) == NULL)
			continue;
		m->flags &= (uint16_t)~MESSAGE_WAITS_REPORT;
		if (anew)
			m->flags &= (uint16_t)~MESSAGE_REPORT_PAID;
		fn(m, now);
	}
	if (n < TICK_MAX)
		anew = false;
}
