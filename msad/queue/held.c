/*
 * Messages held by a limit ("over hold"), when that is raised or reset: those
 * wait no longer than they have to. Runs in msad-queue, called after a reload
 * and after a reset.
 *
 * A message is held until what was used when it came is within the rate. So the
 * last one waits until the count is, the one before until the count without the
 * last one is, and so on: that is reckoned anew, by the rates as they are now,
 * from the last one on, for its user and its tenant. The new times are written
 * to the spool as what an operator does to a message (mark.h). One whose auth
 * block is gone stays as it is: nothing tells by which limits it went.
 *
 * There may be many, so that goes on in steps between which the loop runs; when
 * the limits change again meanwhile it begins anew.
 */
#include <sys/types.h>
#include <sys/tree.h>

#include <event.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"

#include "claim.h"
#include "grant.h"
#include "held.h"
#include "index.h"
#include "limits.h"
#include "mark.h"
#include "schedule.h"

/* What the messages looked at so far have used of a user's rates. */
struct account {
	RB_ENTRY(account)	 entry;
	uint64_t		 used[CONF_RATE_MAX];
	char			*own;		/* "": the tenant's */
	char			 tenant[];
};

RB_HEAD(account_tree, account);

#define STEP_MAX	1000	/* messages looked at in one step */

struct held {
	uint64_t		 id;
	uint32_t		 not_before;
};

/* What is reckoned anew, and how far that is. */
static struct list {
	struct held		*held;
	size_t			 n, cap, done;
	unsigned int		 sooner;
	struct account_tree	 accounts;
	struct event		 event;
} list = { .accounts = RB_INITIALIZER(&list.accounts) };

static int	compare(const struct account *, const struct account *);

RB_PROTOTYPE(account_tree, account, entry, compare)

static int
compare(const struct account *a, const struct account *b)
{
	int	n = strcmp(a->own, b->own);

	return n != 0 ? n : strcmp(a->tenant, b->tenant);
}

RB_GENERATE(account_tree, account, entry, compare)

static void
add(void *arg, struct message *m)
{
	struct list	*l = arg;
	struct held	*p;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		if ((p = reallocarray(l->held, l->cap, sizeof(*p))) == NULL)
			fatal("event=held error=\"out of memory\"");
		l->held = p;
	}
	l->held[l->n++] = (struct held){ m->id, m->not_before };
}

/* The last one first. */
static int
by_time(const void *a, const void *b)
{
	const struct held	*x = a, *y = b;

	if (x->not_before != y->not_before)
		return x->not_before > y->not_before ? -1 : 1;
	return x->id > y->id ? -1 : x->id < y->id;
}

/* The account of that name; own is taken. */
static struct account *
account(struct list *l, const char *tenant, char *own)
{
	struct account	*a, *old;
	size_t		 len = strlen(tenant) + 1;

	if (own == NULL || (a = calloc(1, sizeof(*a) + len)) == NULL)
		fatal("event=held error=\"out of memory\"");
	memcpy(a->tenant, tenant, len);
	a->own = own;
	if ((old = RB_INSERT(account_tree, &l->accounts, a)) == NULL)
		return a;
	free(own);
	free(a);
	return old;
}

/* The address that is the own one of who sent it; NULL: not to be told. */
static char *
own_of(const struct message *m)
{
	const char		*block = message_auth(m), *realm = "";
	const struct conf_auth	*auth;
	char			*own;

	if (*block != '\0') {	/* not by the local socket */
		if ((auth = conf_auth_find(child_conf(), block)) == NULL)
			return NULL;
		realm = auth->realm != NULL ? auth->realm : "";
	}
	own = grant_own(SLICE_STR(message_user(m)), SLICE_STR(realm),
	    child_conf()->hostname);
	if (own == NULL)
		fatal("event=held error=\"out of memory\"");
	return own;
}

/* Milliseconds until the rates let it go, all behind it being away. */
static uint64_t
wait_of(const struct account *user, const struct account *tenant, int64_t now)
{
	struct claim	c[CLAIMS_MAX];
	uint64_t	wait = 0, w;
	unsigned int	kind;
	size_t		n;

	for (kind = 0; kind < CONF_RATE_MAX; kind++) {
		n = claims_of(user->tenant, user->own,
		    (enum conf_rate_kind)kind, c);
		while (n-- > 0) {
			w = rate_wait(&c[n].key, c[n].rate,
			    *c[n].key.user == '\0' ? tenant->used[kind] :
			    user->used[kind], now);
			if (w > wait)
				wait = w;
		}
	}
	return wait;
}

static void
use(struct account *a, const struct message *m)
{
	a->used[CONF_RATE_MESSAGES]++;
	a->used[CONF_RATE_RECIPIENTS] += m->nrcpts;
	a->used[CONF_RATE_BYTES] += m->size;
}

/* Reckon anew when it goes. Does it go sooner? */
static bool
reckon(struct list *l, struct message *m, time_t now)
{
	struct account	*user, *tenant;
	uint64_t	 wait, until;
	char		*own = own_of(m);

	if (own == NULL)
		return false;
	user = account(l, message_tenant(m), own);
	tenant = account(l, message_tenant(m), strdup(""));
	wait = wait_of(user, tenant, limits_clock());
	use(user, m);
	use(tenant, m);
	until = (uint64_t)now + (wait + 999) / 1000;
	if (until >= m->not_before)
		return false;
	schedule_bring_forward(m, (time_t)until, now);
	mark_write(m, NULL, NULL);
	log_debug("q=%llx event=held-until not-before=%llu",
	    (unsigned long long)m->id, (unsigned long long)until);
	return true;
}

static void
end(struct list *l)
{
	struct account	*a;

	while ((a = RB_ROOT(&l->accounts)) != NULL) {
		RB_REMOVE(account_tree, &l->accounts, a);
		free(a->own);
		free(a);
	}
	free(l->held);
	l->held = NULL;
	l->n = l->cap = l->done = 0;
	if (l->sooner > 0)
		log_notice("event=held-forward messages=%u", l->sooner);
	l->sooner = 0;
}

static void	on_turn(int, short, void *);

/* Some of them. Returns how many go sooner. */
static unsigned int
step(struct list *l, time_t now)
{
	struct timeval	 at_once = { 0, 0 };
	struct message	*m;
	unsigned int	 n, sooner = 0;

	for (n = 0; n < STEP_MAX && l->done < l->n; n++)
		if ((m = index_find(l->held[l->done++].id)) != NULL &&
		    schedule_is_held(m))
			sooner += reckon(l, m, now);
	l->sooner += sooner;
	if (l->done == l->n) {
		end(l);
		return sooner;
	}
	if (!event_initialized(&l->event))
		event_assign(&l->event, child_base(), -1, 0, on_turn, l);
	event_add(&l->event, &at_once);
	return sooner;
}

static void
on_turn(int fd, short what, void *arg)
{
	time_t	now = schedule_now();

	(void)fd;
	(void)what;
	if (step(arg, now) > 0)
		schedule_run(now);
}

unsigned int
held_forward(time_t now)
{
	if (list.n > 0) {
		event_del(&list.event);
		end(&list);
	}
	schedule_select_held(add, &list);
	if (list.n > 0)
		qsort(list.held, list.n, sizeof(*list.held), by_time);
	return step(&list, now);
}
