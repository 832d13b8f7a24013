/* links: msad/queue/outcome*.c msad/queue/result.c msad/queue/schedule*.c */
/* links: msad/queue/index*.c msad/queue/fair.c msad/queue/mark.c */
/* links: msad/queue/envelope.c msad/queue/dsn*.c msad/queue/durable.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/report*.c msad/queue/wakes.c msad/queue/deadline.c */
/*
 * Whatever is done to messages, in any order: no message is lost, sent again
 * after it was delivered, counted twice or forgotten by the schedule (P1). The
 * spool, the relays and the clocks are played here; what is done is chosen at
 * random, from a seed that a failure names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/log.h"
#include "history_none.h"
#include "msad/queue/deadline.h"
#include "msad/queue/durable.h"
#include "msad/queue/mark.h"
#include "msad/queue/outcome.h"
#include "msad/queue/report.h"
#include "msad/queue/schedule_priv.h"
#include "msad/queue/spool.h"

#define IDS		40000		/* messages of a run, at most */
#define RCPTS		3
#define ALIVE_MAX	60
#define JOBS		64
#define OPS		4096
#define STEPS		4000
#define START		1700000000

static struct conf		 conf;
static struct conf_relay	 relays[3];
static char			 names[3][8] = { "one", "two", "box" };
static time_t			 wall, mono;
static bool			 full;		/* the disk */
static uint64_t			 last_id;
static uint32_t			 seed;

/* What became of each recipient, as the world outside knows. */
static struct fate {
	bool		 there, dropped, gone;
	uint8_t		 delivered[RCPTS], told[RCPTS];
	uint8_t		 wants[RCPTS];	/* its sender, to know of it */
	unsigned int	 lost;		/* relays that died with it */
} fates[IDS];

/* --- chance --- */

static uint32_t
chance(uint32_t n)
{
	seed = seed * 1664525U + 1013904223U;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

/* That of the queue too: a seed is always the same. */
uint32_t
arc4random_uniform(uint32_t n)
{
	return n == 0 ? 0 : chance(n);
}

/* --- clocks --- */

time_t
time(time_t *t)
{
	if (t != NULL)
		*t = wall;
	return wall;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	ts->tv_sec = id == CLOCK_REALTIME ? wall : mono;
	ts->tv_nsec = 0;
	return 0;
}

struct conf *
child_conf(void)
{
	return &conf;
}

/* --- the spool --- */

struct spool_txn {
	uint64_t	 dsn, removes, updates;	/* ids; 0: none */
	uint8_t		 ends[RCPTS];		/* recipients that end */
	bool		 one;			/* an update or removal alone */
	spool_done	 done;
	void		*arg;
};

static struct spool_txn	*under_way[OPS];
static unsigned int	 nunder_way;

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	(void)sp;
	(void)flags;
	return full ? NULL : calloc(1, sizeof(struct spool_txn));
}

enum spool_result
spool_txn_message(struct spool_txn *t, struct spool_message *sm,
    const void *env, size_t envlen, const void *prefix, size_t prefixlen)
{
	(void)sm;
	(void)env;
	(void)envlen;
	(void)prefix;
	(void)prefixlen;
	t->dsn = last_id;
	return SPOOL_OK;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key,
    const void *p, size_t len)
{
	struct rcpt_record	r;

	t->updates = id;
	if (key >= RCPTS)
		return SPOOL_OK;	/* a mark */
	assert_int_equal(rcpt_record_decode(p, len, &r), 0);
	t->ends[key] = r.status != RCPT_WAITING &&
	    !(r.flags & RCPT_OWED);
	return SPOOL_OK;
}

enum spool_result
spool_txn_remove(struct spool_txn *t, uint64_t id)
{
	t->removes = id;
	return SPOOL_OK;
}

void
spool_txn_abort(struct spool_txn *t)
{
	free(t);
}

void
spool_txn_commit(struct spool_txn *t, spool_done done, void *arg)
{
	assert_true(nunder_way < OPS);
	t->done = done;
	t->arg = arg;
	under_way[nunder_way++] = t;
}

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t len, spool_done done, void *arg)
{
	struct spool_txn	*t = calloc(1, sizeof(*t));

	(void)sp;
	assert_non_null(t);
	t->one = true;
	spool_txn_update(t, id, key, p, len);
	spool_txn_commit(t, done, arg);
}

void
spool_remove(struct spool *sp, uint64_t id, spool_done done, void *arg)
{
	struct spool_txn	*t = calloc(1, sizeof(*t));

	(void)sp;
	assert_non_null(t);
	t->one = true;
	t->removes = id;
	spool_txn_commit(t, done, arg);
}

/* The oldest change is on the disk, or is not. */
static void
disk_answers(void)
{
	struct spool_txn	*t = under_way[0];
	struct fate		*f;
	enum spool_result	 result = full && chance(2) == 0 ?
				    SPOOL_NOSPACE : SPOOL_OK;
	unsigned int		 i;

	memmove(under_way, under_way + 1, --nunder_way *
	    sizeof(under_way[0]));
	if (result == SPOOL_OK && t->updates != 0) {
		f = &fates[t->updates];
		if (f->gone)
			result = SPOOL_NOENT;
		for (i = 0; i < RCPTS; i++)
			f->told[i] |= t->ends[i];
	}
	if ((result == SPOOL_OK || result == SPOOL_NOENT) &&
	    t->removes != 0) {
		f = &fates[t->removes];
		if (f->gone)
			result = SPOOL_NOENT;
		f->gone = true;
		for (i = 0; i < RCPTS; i++)
			f->told[i] |= t->dsn != 0;
	}
	if (result == SPOOL_OK || result == SPOOL_NOENT)
		fates[t->dsn].there = true;
	t->done(t->arg, result);
	free(t);
}

struct spool_message *
spool_message_begin(struct spool *sp, int flags, enum spool_result *result)
{
	(void)sp;
	(void)flags;
	*result = SPOOL_OK;
	assert_true(++last_id < IDS);
	return (struct spool_message *)&last_id;
}

uint64_t
spool_message_id(const struct spool_message *sm)
{
	(void)sm;
	return last_id;
}

enum spool_result
spool_message_append(struct spool_message *sm, const void *p, size_t len)
{
	(void)sm;
	(void)p;
	(void)len;
	return SPOOL_OK;
}

void
spool_message_abort(struct spool_message *sm)
{
	(void)sm;
}

enum spool_result
spool_content_open(struct spool *sp, uint64_t id, struct spool_content *c)
{
	(void)sp;
	(void)id;
	(void)c;
	return SPOOL_CORRUPT;
}

ssize_t
spool_content_read(const struct spool_content *c, uint64_t off, void *p,
    size_t len)
{
	(void)c;
	(void)off;
	(void)p;
	(void)len;
	return -1;
}

void
spool_content_close(struct spool_content *c)
{
	(void)c;
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **p,
    size_t *len)
{
	(void)sp;
	(void)id;
	(void)key;
	*p = NULL;
	*len = 0;
	return SPOOL_NOENT;
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

/* --- relays --- */

struct job {
	struct message	*m;
	struct dest	*d;
	struct lane	*lane;
	uint32_t	 round;
	uint32_t	 rcpts[RCPTS];
	unsigned int	 n;
};

static struct job	 jobs[JOBS];
static unsigned int	 njobs;

static int
send_job(struct dest *d, struct message *m, time_t now, bool probe)
{
	struct job	*j = &jobs[njobs];
	uint32_t	 i;

	assert_false(m->later);
	assert_int_equal(m->flags & (MESSAGE_STOPPED | MESSAGE_REMOVED |
	    MESSAGE_ENDING | MESSAGE_GONE), 0);
	if (m->flags & MESSAGE_GIVEN_UP) {
		outcome_fail(m, NULL, now);
		return -1;
	}
	if (schedule_rcpts_paused(m, now, probe)) {
		schedule_put_off(m, now);
		outcome_settle(m, now);
		return -1;
	}
	if (njobs == JOBS || chance(20) == 0)
		return 0;
	*j = (struct job){ m, d, d->turn, d->round, { 0 }, 0 };
	for (i = 0; i < m->nrcpts && (j->n == 0 || chance(2) == 0); i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (!probe && (time_t)m->rcpts[i].next > now) ||
		    schedule_rcpt_paused(message_rcpt(m, i)))
			continue;
		message_set_status(m, i, RCPT_INFLIGHT);
		j->rcpts[j->n++] = i;
	}
	assert_true(j->n > 0);
	m->njobs++;
	njobs++;
	return 1;
}

static void
on_result(struct job *j, uint32_t i, struct results *others, bool well)
{
	struct fate	*f = &fates[j->m->id];
	enum outcome	 o = well ? OUTCOME_DELIVERED :
			    (enum outcome)chance(3);
	struct result	*r = result_new(i, o, SLICE_STR("so"));

	r->code = 250;
	if (o != OUTCOME_DELIVERED) {
		TAILQ_INSERT_TAIL(others, r, entry);
		return;
	}
	f->delivered[i]++;
	/* once, but for a relay that died and did not say so */
	assert_true(f->delivered[i] <= 1 + f->lost);
	outcome_delivered(j->m, r, schedule_now());
	free(r);
}

static void
end_job(unsigned int which, bool well)
{
	struct job	 j = jobs[which];
	struct results	 others = TAILQ_HEAD_INITIALIZER(others);
	struct message	*m = j.m;
	bool		 dies = !well && chance(10) == 0;
	bool		 connected = well || chance(5) > 0;
	unsigned int	 i;
	time_t		 now = schedule_now(), retry = 0;

	jobs[which] = jobs[--njobs];
	for (i = 0; i < j.n && !dies && connected; i++)
		on_result(&j, j.rcpts[i], &others, well);
	if (dies) {
		fates[m->id].lost++;
		schedule_job_lost(j.d, j.lane, j.round);
		for (i = 0; i < j.n; i++)
			outcome_lost(m, j.rcpts[i], now);
	} else {
		for (i = 0; i < j.n && !connected; i++) {
			struct result	*r = result_new(j.rcpts[i],
			    OUTCOME_TRANSIENT, SLICE_STR("down"));

			TAILQ_INSERT_TAIL(&others, r, entry);
		}
		retry = schedule_job_done(j.d, j.lane, j.round, connected,
		    now);
		outcome_others(m, &others, connected ? 0 : retry, now);
	}
	m->njobs--;
	outcome_settle(m, now);
	schedule_run(now);
}

/* --- what may be done --- */

static const char *
envelope_params(void)
{
	switch (chance(6)) {
	case 0:
		return "BY=600;R";
	case 1:
		return "BY=900;NT";
	default:
		return "";
	}
}

static void
arrive(void)
{
	static const uint8_t	 kinds[] = { 0, 0, 0, ENVELOPE_HELD,
		ENVELOPE_FUTURE, ENVELOPE_STOPPED, ENVELOPE_STOPPED |
		ENVELOPE_FUTURE };
	static const char	*notify[] = { "", "", "NOTIFY=SUCCESS,FAILURE",
		"NOTIFY=NEVER" };
	struct slice		 to[RCPTS] = { SLICE_STR("a@x.example"),
		SLICE_STR("b@y.example"), SLICE_STR("c@x.example") };
	struct slice		 params[RCPTS];
	struct envelope		 e;
	struct message		*m;
	size_t			 len;
	uint32_t		 n = 1 + chance(RCPTS), i;
	uint8_t			*p;
	const char		*user = chance(2) ? "u" : "v";
	const char		*tenant = chance(2) ? "" : "acme";
	const char		*relay = names[chance(3)], *text;
	const char		*sender = chance(8) ? "u@x.example" : "";

	memset(&e, 0, sizeof(e));
	e.user = SLICE_STR(user);
	e.tenant = SLICE_STR(tenant);
	e.auth = e.mech = e.msgid = e.client = SLICE("", 0);
	e.relay = SLICE_STR(relay);
	e.sender = SLICE_STR(sender);
	text = envelope_params();
	e.params = SLICE_STR(text);
	e.arrival = (uint64_t)wall;
	e.flags = kinds[chance(7)];
	if ((e.flags & (ENVELOPE_HELD | ENVELOPE_FUTURE)) || !chance(10))
		e.not_before = (uint64_t)wall + 1 + chance(7200);
	for (i = 0; i < RCPTS; i++) {
		text = notify[chance(4)];
		params[i] = SLICE_STR(text);
		fates[last_id + 1].wants[i] = i < n && *sender != '\0' &&
		    strcmp(text, "NOTIFY=NEVER") != 0;
	}
	assert_non_null(p = envelope_encode(&e, to, params, n, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_true(++last_id < IDS);
	assert_non_null(m = message_new(last_id, 100, &e));
	free(p);
	fates[last_id].there = true;
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	deadline_watch(m);
}

static bool
is_shown(const struct message *m)
{
	return m != NULL && !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING |
	    MESSAGE_GONE));
}

/* Any of those that an operator sees. */
static struct message *
any(void)
{
	struct message	*m = index_after(last_id < 100 ? 0 :
			    last_id - chance(100));
	uint32_t	 n = chance(ALIVE_MAX);

	if (m == NULL)
		m = index_after(0);
	while (m != NULL && n-- > 0)
		m = index_after(m->id);
	if (m == NULL)
		m = index_after(0);
	return is_shown(m) ? m : NULL;
}

static void
begin_anew(struct message *m)
{
	if ((time_t)m->not_before < wall)
		m->not_before = (uint32_t)wall;
}

/* As steer.c does it. */
static void
steer(struct message *m)
{
	time_t	now = schedule_now();

	if (m == NULL)
		return;
	switch (chance(8)) {
	case 0:
	case 1:
		if (m->flags & MESSAGE_STOPPED)
			break;
		schedule_hold(m);
		if (m->failures != NULL)
			outcome_settle(m, now);
		mark_write(m, NULL, NULL);
		break;
	case 2:
	case 3:
		if (m->flags & MESSAGE_STOPPED) {
			schedule_go_on(m, now);
			begin_anew(m);
		} else
			schedule_release(m, now);
		mark_write(m, NULL, NULL);
		break;
	case 4:
		if (schedule_move(m, names[chance(3)], now) == 0) {
			m->flags |= MESSAGE_REROUTED;
			begin_anew(m);
			mark_write(m, NULL, NULL);
		}
		break;
	case 5:
		if (!m->later && !(m->flags & MESSAGE_STOPPED))
			schedule_flush(m, now);
		break;
	case 6:
		if (m->nleft == m->nbusy || chance(3) > 0)
			break;
		m->flags |= MESSAGE_GIVEN_UP;
		if (chance(2) == 0)
			outcome_expire(m, now);
		else
			outcome_fail(m, NULL, now);
		break;
	default:
		if (chance(3) > 0)
			break;
		fates[m->id].dropped = true;
		m->flags |= MESSAGE_REMOVED;
		schedule_update(m);
		durable_remove(m->id, outcome_gone, NULL);
	}
	schedule_run(now);
}

static void
forward(void *arg, struct message *m)
{
	struct message	**found = arg;

	if (*found == NULL || chance(3) == 0)
		*found = m;
}

/* What a reload and a reset of limits do. */
static void
bring_forward(void)
{
	struct message	*m = NULL;
	time_t		 now = schedule_now(), until;

	schedule_select_held(forward, &m);
	if (m == NULL)
		return;
	until = now + (time_t)chance(3600);
	if (until >= (time_t)m->not_before)
		return;
	schedule_bring_forward(m, until, now);
	mark_write(m, NULL, NULL);
	schedule_run(now);
}

static void
pass(time_t seconds)
{
	time_t	now;

	wall += seconds;
	mono += seconds;
	now = schedule_now();
	durable_tick();
	schedule_expire_old(now);
	schedule_warn_old(outcome_warn, now);
	outcome_tick(now);
	schedule_run(now);
}

static void
reload(bool all)
{
	unsigned int	i;

	TAILQ_INIT(&conf.relays);
	for (i = 0; i < 3; i++)
		if (all || chance(4) > 0)
			TAILQ_INSERT_TAIL(&conf.relays, &relays[i], entry);
	schedule_conf(&conf);
	schedule_run(schedule_now());
}

static void
pause_some(bool on)
{
	switch (chance(3)) {
	case 0:
		schedule_pause_relay(names[chance(3)], on);
		break;
	case 1:
		schedule_pause_tenant("acme", on);
		break;
	default:
		schedule_pause_domain(chance(2) ? "x.example" : "y.example",
		    on);
	}
	schedule_run(schedule_now());
}

static void
step(void)
{
	switch (chance(16)) {
	case 0:
	case 1:
		if (index_messages() < ALIVE_MAX)
			arrive();
		schedule_run(schedule_now());
		break;
	case 2:
	case 3:
	case 4:
		steer(any());
		break;
	case 5:
	case 6:
	case 7:
		if (njobs > 0)
			end_job(chance(njobs), false);
		break;
	case 8:
	case 9:
	case 10:
		if (nunder_way > 0)
			disk_answers();
		break;
	case 11:
	case 12:
		pass(1);
		break;
	case 13:
		pass(1 + (time_t)chance(chance(20) == 0 ? 90000 : 900));
		break;
	case 14:
		switch (chance(6)) {
		case 0:
			full = chance(3) == 0;
			break;
		case 1:
			wall = START + mono + (time_t)chance(200000) - 100000;
			schedule_now();
			break;
		case 2:
			wall -= (time_t)chance(60);	/* not noticed */
			break;
		default:
			bring_forward();
		}
		break;
	default:
		if (chance(4) == 0)
			reload(false);
		else
			pause_some(chance(2) == 0);
	}
}

/* --- what must be true --- */

static void
check_counts(const struct message *m)
{
	unsigned int	i, left = 0, busy = 0;

	for (i = 0; i < m->nrcpts; i++) {
		left += m->rcpts[i].status != RCPT_DONE &&
		    m->rcpts[i].status != RCPT_FAILED;
		busy += m->rcpts[i].status == RCPT_INFLIGHT ||
		    m->rcpts[i].status == RCPT_REPORTING;
	}
	assert_int_equal(m->nleft, left);
	assert_int_equal(m->nbusy, busy);
}

/* Of those that may go: in the lists of what is due, by its time, or not. */
static void
check_due(const struct dest *d, const struct message *m)
{
	bool		wanted = m->nleft > m->nbusy &&
			    !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING));
	uint32_t	i, next = UINT32_MAX;

	assert_int_equal(m->heap != HEAP_NONE, wanted);
	if (!wanted)
		return;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    m->rcpts[i].next < next)
			next = m->rcpts[i].next;
	assert_true(m->next <= next || (time_t)next <= time_last());
	if (!m->ready)
		assert_ptr_equal(d->due.m[m->heap], m);
}

/*
 * Nobody is waited for in vain: what is kept of a message is told when a job
 * ends, its report is written, or its turn comes.
 */
static void
check_kept(const struct message *m)
{
	/* what an operator gave up is not tried again */
	if ((m->flags & MESSAGE_GIVEN_UP) && is_shown(m) &&
	    !(m->flags & (MESSAGE_REPORTING | MESSAGE_WAITS_REPORT)))
		assert_int_equal(m->nleft, m->nbusy);
	if (m->failures == NULL || m->njobs > 0 || m->nleft > m->nbusy)
		return;
	assert_true(m->flags & (MESSAGE_REPORTING | MESSAGE_WAITS_REPORT));
}

static void
check(void)
{
	const struct dest	*d = NULL;
	struct message		*m;
	uint32_t		 n, held = 0, future = 0, all = 0, i;

	while ((d = schedule_dest_next(d)) != NULL) {
		n = 0;
		TAILQ_FOREACH(m, &d->messages, by_dest) {
			n++;
			assert_false(m->later);
			assert_int_equal(m->flags & MESSAGE_STOPPED, 0);
			assert_ptr_equal(m->dest, d);
			check_due(d, m);
		}
		TAILQ_FOREACH(m, &d->held, by_dest) {
			n++;
			held++;
			assert_true(m->flags & MESSAGE_STOPPED);
			assert_false(m->later);
			assert_int_equal(m->heap, HEAP_NONE);
		}
		for (i = 0; i < d->later.n; i++) {
			n++;
			m = d->later.m[i];
			assert_true(m->later);
			assert_int_equal(m->flags & MESSAGE_STOPPED, 0);
			if (m->env_flags & ENVELOPE_HELD)
				held++;
			else
				future++;
			assert_int_equal(m->heap, i);
			assert_ptr_equal(m->dest, d);
		}
		assert_true(d->later.n <= d->later.cap);
		assert_true(d->due.n <= d->due.cap);
		assert_int_equal(d->nmessages, n);
		all += n;
	}
	assert_int_equal(index_messages(), all);
	assert_int_equal(schedule_count_held(), held);
	assert_int_equal(schedule_count_future(), future);
	for (m = index_after(0); m != NULL; m = index_after(m->id)) {
		check_counts(m);
		check_kept(m);
	}
}

/* All is well again: everything leaves, and everybody knows what became. */
static void
drain(void)
{
	struct message	*m;
	uint64_t	 id;
	uint32_t	 i, k;

	full = false;
	reload(true);
	for (i = 0; i < 3; i++)
		schedule_pause_relay(names[i], false);
	schedule_pause_tenant("acme", false);
	schedule_pause_domain("x.example", false);
	schedule_pause_domain("y.example", false);
	for (m = index_after(0); m != NULL; m = index_after(m->id))
		if (is_shown(m) && (m->flags & MESSAGE_STOPPED))
			schedule_go_on(m, schedule_now());
	for (i = 0; i < 6000 && index_messages() > 0; i++) {
		while (nunder_way > 0)
			disk_answers();
		while (njobs > 0)
			end_job(0, true);
		pass(60);
	}
	if ((m = index_after(0)) != NULL)
		fail_msg("message %llu stays: flags %x, left %u, busy %u, "
		    "next %lld", (unsigned long long)m->id, m->flags,
		    m->nleft, m->nbusy, (long long)m->next - wall);
	check();
	assert_int_equal(durable_pending(), 0);
	assert_int_equal(outcome_pending(), 0);
	for (id = 1; id <= last_id; id++)
		for (k = 0; k < RCPTS && fates[id].there &&
		    !fates[id].dropped; k++)
			if (!fates[id].gone || (fates[id].wants[k] &&
			    !fates[id].delivered[k] && !fates[id].told[k]))
				fail_msg("message %llu: rcpt %u is lost",
				    (unsigned long long)id, k);
}

static void
any_order(void **state)
{
	const char	*wanted = getenv("STEER_SEED");
	uint32_t	 first = wanted == NULL ? 1 :
			    (uint32_t)strtonum(wanted, 1, UINT32_MAX, NULL);
	uint32_t	 last = wanted != NULL ? first : 40, run, i;

	(void)state;
	for (run = first; run <= last; run++) {
		seed = run * 2654435761U;
		print_message("run %u\n", run);
		reload(true);
		for (i = 0; i < STEPS && last_id < IDS - 3000; i++) {
			step();
			check();
		}
		drain();
		memset(fates, 0, sizeof(fates));
		last_id = 0;
	}
}

static int
setup(void **state)
{
	unsigned int	i;

	(void)state;
	log_set_level(0);
	mono = 5000;
	wall = START + mono;
	conf.hostname = (char *)(uintptr_t)"mail.example.org";
	conf.bounce.reports = (struct conf_rate){ .n = 30, .period = 600 };
	TAILQ_INIT(&conf.relays);
	for (i = 0; i < 3; i++) {
		relays[i].name = names[i];
		relays[i].kind = i == 2 ? CONF_RELAY_MAILDIR :
		    CONF_RELAY_HOST;
		relays[i].concurrency = 5;
	}
	schedule_init(send_job, outcome_expire);
	schedule_now();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
