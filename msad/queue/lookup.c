/*
 * What databases say about logins, asked of msad-lookup and kept for some
 * seconds. Runs in msad-queue; transaction.c asks at MAIL and goes on with
 * others until the answers are there. A failure, a timeout and a lost process
 * are no answers: what depends on one gets 451, never a refusal.
 *
 * An answer belongs to all who wait for it or use it (refs) and to the cache
 * while it is fresh, so that a thousand MAILs of one login are one question.
 * Questions without answer are bounded; one more has failed at once.
 *
 * A table whose last question failed is ailing until one is answered: who does
 * not need it need not wait for it either.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/stats.h"

#include "lookup.h"

enum state { PENDING, READY, FAILED };

struct answer {
	RB_ENTRY(answer)	 by_key;	/* while it is kept */
	TAILQ_ENTRY(answer)	 by_age;	/* of questions, or settled */
	TAILQ_HEAD(, use)	 waiting;
	char			*table;
	char			*login;
	enum state		 state;
	bool			 kept;		/* in the tree */
	unsigned int		 refs;		/* uses */
	uint64_t		 id;		/* of the question */
	int64_t			 asked;
	int64_t			 until;		/* fresh; once answered */
	char			**values;
	size_t			 nvalues;
};

/* One of the answers of a struct lookups. */
struct use {
	TAILQ_ENTRY(use)	 entry;
	struct answer		*answer;
	struct lookups		*owner;
	bool			 waits;
};

struct lookups {
	struct use	 uses[LOOKUP_TABLES_MAX];
	size_t		 n;
	size_t		 nwait;
	void		(*done)(void *);
	void		*arg;
};

/* A table whose last question failed. */
struct ailing {
	TAILQ_ENTRY(ailing)	 entry;
	char			*table;
};

static int	compare(const struct answer *, const struct answer *);

RB_HEAD(answer_tree, answer);
RB_PROTOTYPE(answer_tree, answer, by_key, compare)

static struct answer_tree	 tree = RB_INITIALIZER(&tree);
TAILQ_HEAD(answer_list, answer);
/* Without an answer, as they were asked; and settled, as they were answered. */
static struct answer_list	 questions = TAILQ_HEAD_INITIALIZER(questions);
static struct answer_list	 settled = TAILQ_HEAD_INITIALIZER(settled);
static TAILQ_HEAD(, ailing)	 ailings = TAILQ_HEAD_INITIALIZER(ailings);
static unsigned int		 nkept, npending;
static uint64_t			 last_id;
static struct ipc		*channel;
static int64_t			 clock_ms;	/* as last told */
static uint32_t			 generation;	/* of the tables */

static int
compare(const struct answer *a, const struct answer *b)
{
	int	c = strcmp(a->table, b->table);

	return c != 0 ? c : strcmp(a->login, b->login);
}

RB_GENERATE(answer_tree, answer, by_key, compare)

/* --- tables that fail --- */

static struct ailing *
ailing_find(const char *table)
{
	struct ailing	*f;

	TAILQ_FOREACH(f, &ailings, entry)
		if (strcmp(f->table, table) == 0)
			return f;
	return NULL;
}

static void
ailing_end(struct ailing *f)
{
	TAILQ_REMOVE(&ailings, f, entry);
	free(f->table);
	free(f);
}

static void
set_ailing(const char *table, bool fails)
{
	struct ailing	*f = ailing_find(table);

	if (!fails && f != NULL) {
		log_notice("event=lookup-back table=%s", log_q(table));
		ailing_end(f);
	}
	if (!fails || f != NULL || (f = calloc(1, sizeof(*f))) == NULL)
		return;
	if ((f->table = strdup(table)) == NULL) {
		free(f);
		return;
	}
	TAILQ_INSERT_TAIL(&ailings, f, entry);
}

/* --- answers --- */

static void
answer_free(struct answer *a)
{
	size_t	i;

	for (i = 0; i < a->nvalues; i++)
		free(a->values[i]);
	free(a->values);
	free(a->table);
	free(a->login);
	free(a);
}

/* The cache forgets a settled one; who uses it has it still. */
static void
answer_drop(struct answer *a)
{
	if (!a->kept)
		return;
	RB_REMOVE(answer_tree, &tree, a);
	TAILQ_REMOVE(&settled, a, by_age);
	a->kept = false;
	nkept--;
	if (a->refs == 0)
		answer_free(a);
}

static struct answer *
answer_new(const char *table, const char *login, int64_t now)
{
	struct answer	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	TAILQ_INIT(&a->waiting);
	a->table = strdup(table);
	a->login = strdup(login);
	if (a->table == NULL || a->login == NULL) {
		answer_free(a);
		return NULL;
	}
	a->asked = now;
	a->id = ++last_id;
	RB_INSERT(answer_tree, &tree, a);
	TAILQ_INSERT_TAIL(&questions, a, by_age);
	a->kept = true;
	nkept++;
	npending++;
	return a;
}

/*
 * It is known, or known that it cannot be: tell those who wait. May free it.
 */
static void
settle(struct answer *a, enum state state, int64_t fresh)
{
	struct use	*u;

	a->state = state;
	a->until = clock_ms + fresh;
	npending--;
	TAILQ_REMOVE(&questions, a, by_age);
	if (a->kept)
		TAILQ_INSERT_TAIL(&settled, a, by_age);
	a->refs++;	/* done() may free uses, and the cache forget it */
	while ((u = TAILQ_FIRST(&a->waiting)) != NULL) {
		TAILQ_REMOVE(&a->waiting, u, entry);
		u->waits = false;
		if (--u->owner->nwait == 0)
			u->owner->done(u->owner->arg);
	}
	if (--a->refs == 0 && !a->kept)
		answer_free(a);
}

/* ails: it is the table's trouble, not that of this login's answer. */
static void
fail(struct answer *a, bool ails, const char *reason)
{
	/* the first says it for all of them */
	log_msg(ailing_find(a->table) == NULL ? 4 : 7,
	    "event=lookup-failed table=%s user=%s reason=%s",
	    log_q(a->table), log_q(a->login), log_q(reason));
	stats_inc(STAT_QUEUE_LOOKUPS_FAILED);
	if (ails)
		set_ailing(a->table, true);
	settle(a, FAILED, LOOKUP_FAILED_MS);
}

static void
ask(struct answer *a)
{
	if (channel == NULL) {
		settle(a, FAILED, 0);
		return;
	}
	stats_inc(STAT_QUEUE_LOOKUPS);
	ipc_start(channel, IPC_LOOKUP, a->id);
	ipc_put_u32(channel, generation);
	ipc_put_str(channel, a->table);
	ipc_put_str(channel, a->login);
	ipc_send(channel);
}

/* Make room: the oldest answers go. */
static void
make_room(void)
{
	struct answer	*a;

	while (nkept >= LOOKUP_CACHE_MAX &&
	    (a = TAILQ_FIRST(&settled)) != NULL)
		answer_drop(a);
}

static struct answer *
answer_get(const char *table, const char *login, int64_t now)
{
	union {
		const char	*in;
		char		*out;
	} t = { table }, l = { login };
	struct answer	 key, *a;

	key.table = t.out;
	key.login = l.out;
	a = RB_FIND(answer_tree, &tree, &key);
	if (a != NULL && (a->state == PENDING || now < a->until))
		return a;
	if (a != NULL)
		answer_drop(a);
	make_room();
	if (npending >= LOOKUP_PENDING_MAX ||
	    (a = answer_new(table, login, now)) == NULL)
		return NULL;
	ask(a);
	return a;
}

/* --- what one message needs --- */

struct lookups *
lookups_ask(const char *const *tables, size_t n, const char *login,
    int64_t now, void (*done)(void *), void *arg)
{
	struct lookups	*ls;
	struct use	*u;
	size_t		 i;

	clock_ms = now;
	if ((ls = calloc(1, sizeof(*ls))) == NULL)
		return NULL;
	ls->done = done;
	ls->arg = arg;
	for (i = 0; i < n && i < LOOKUP_TABLES_MAX; i++) {
		u = &ls->uses[ls->n];
		if ((u->answer = answer_get(tables[i], login, now)) == NULL)
			continue;	/* not known: it fails what needs it */
		u->owner = ls;
		u->answer->refs++;
		ls->n++;
		if (u->answer->state == PENDING) {
			TAILQ_INSERT_TAIL(&u->answer->waiting, u, entry);
			u->waits = true;
			ls->nwait++;
		}
	}
	return ls;
}

bool
lookups_wait(const struct lookups *ls)
{
	return ls->nwait > 0;
}

bool
lookups_ailing(const struct lookups *ls)
{
	size_t	i;

	for (i = 0; i < ls->n; i++)
		if (ls->uses[i].waits &&
		    ailing_find(ls->uses[i].answer->table) == NULL)
			return false;
	return true;
}

void
lookups_free(struct lookups *ls)
{
	struct answer	*a;
	size_t		 i;

	if (ls == NULL)
		return;
	for (i = 0; i < ls->n; i++) {
		a = ls->uses[i].answer;
		if (ls->uses[i].waits)
			TAILQ_REMOVE(&a->waiting, &ls->uses[i], entry);
		if (--a->refs == 0 && !a->kept)
			answer_free(a);
	}
	free(ls);
}

static enum lookup_says
answer_says(const struct answer *a, const struct form_rules *rules,
    const struct forms *f, bool plain)
{
	char	 buf[FORM_MAX];
	size_t	 i;
	int	 n;

	if (a->state != READY)
		return LOOKUP_UNKNOWN;
	for (i = 0; i < a->nvalues; i++) {
		n = form_entry(rules, SLICE_STR(a->values[i]), true, buf);
		if (n != -1 && form_covers(SLICE(buf, (size_t)n), f, plain))
			return LOOKUP_YES;
	}
	return LOOKUP_NO;
}

enum lookup_says
lookups_sender(const struct lookups *ls, const char *table,
    const struct form_rules *rules, const struct forms *f, bool plain)
{
	size_t	i;

	for (i = 0; ls != NULL && i < ls->n; i++)
		if (strcmp(ls->uses[i].answer->table, table) == 0)
			return answer_says(ls->uses[i].answer, rules, f,
			    plain);
	return LOOKUP_UNKNOWN;
}

/* --- msad-lookup --- */

void
lookup_set_channel(struct ipc *ch)
{
	struct answer	*a;

	channel = ch;
	while (ch == NULL && (a = TAILQ_FIRST(&questions)) != NULL)
		fail(a, true, "msad-lookup is gone");
}

void
lookup_flush(uint32_t of)
{
	struct answer	*a;

	generation = of;
	while (!TAILQ_EMPTY(&ailings))
		ailing_end(TAILQ_FIRST(&ailings));
	while ((a = TAILQ_FIRST(&settled)) != NULL)
		answer_drop(a);
	/* What is under way is an answer of the old tables: it is not used. */
	TAILQ_FOREACH(a, &questions, by_age)
		if (a->kept) {
			RB_REMOVE(answer_tree, &tree, a);
			a->kept = false;
			nkept--;
		}
}

void
lookup_tick(int64_t now)
{
	struct answer	*a;

	clock_ms = now;
	while ((a = TAILQ_FIRST(&questions)) != NULL &&
	    now - a->asked >= LOOKUP_WAIT_MS)
		fail(a, true, "no answer in time");
	while ((a = TAILQ_FIRST(&settled)) != NULL && now >= a->until)
		answer_drop(a);
}

void
lookup_count(unsigned int *kept, unsigned int *pending)
{
	*kept = nkept;
	*pending = npending;
}

static struct answer *
answer_by_id(uint64_t id)
{
	struct answer	*a;

	TAILQ_FOREACH(a, &questions, by_age)
		if (a->id == id)
			return a;
	return NULL;
}

/* Keep the values that are addresses; what is none cannot allow anything. */
static void
take_values(struct answer *a, struct ipc_reader *r, size_t n)
{
	static const struct form_rules	 exact;
	char				 buf[FORM_MAX];
	struct slice			 s;
	bool				 odd = false;

	if (n > 0 && (a->values = calloc(n, sizeof(*a->values))) == NULL)
		fatal("event=lookup error=\"out of memory\"");
	for (; n > 0; n--) {
		s = ipc_get_str(r);
		if (form_entry(&exact, s, true, buf) == -1) {
			odd = true;
			continue;
		}
		if ((a->values[a->nvalues++] = strndup(s.p, s.len)) == NULL)
			fatal("event=lookup error=\"out of memory\"");
	}
	if (odd)
		log_warn("event=lookup-odd table=%s user=%s reason=\"a value "
		    "is neither an address nor @domain nor *\"",
		    log_q(a->table), log_q(a->login));
}

/* Are there n strings of their bound, and nothing more? */
static bool
values_ok(struct ipc_reader r, size_t n)
{
	for (; n > 0; n--)
		if (ipc_get_str(&r).len > LOOKUP_VALUE_MAX)
			return false;
	return ipc_done(&r);
}

static int
on_answer(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct answer		*a;
	struct slice		 reason;
	uint8_t			 status;
	uint16_t		 n;
	char			 why[256];

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	status = ipc_get_u8(&r);
	reason = ipc_get_str(&r);
	n = ipc_get_u16(&r);
	if (status > 2 || n > LOOKUP_VALUES_MAX || (status != 0 && n > 0) ||
	    reason.len >= sizeof(why) || !values_ok(r, n))
		return -1;
	if ((a = answer_by_id(msg->sid)) == NULL)
		return 0;	/* late */
	memcpy(why, reason.p, reason.len);
	why[reason.len] = '\0';
	if (!a->kept)
		fail(a, false, "the configuration changed");
	else if (status != 0)
		fail(a, status == 1, why);
	else {
		take_values(a, &r, n);
		set_ailing(a->table, false);
		settle(a, READY, LOOKUP_FRESH_MS);
	}
	return 0;
}

const struct ipc_handler lookup_handlers[] = {
	{ IPC_LOOKUP_ANSWER, on_answer },
	{ 0, NULL }
};
