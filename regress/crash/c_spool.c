/* links: msad/queue/spool_*.c msad/queue/segment.c msad/queue/record.c */
/* links: msad/queue/flusher.c regress/crash/simdisk.c */
/*
 * The crash test of the spool (P1, P-dur-1): a random load on a simulated disk
 * goes down at random points; after each recovery what is there is compared
 * with what was answered.
 *
 *	acknowledged and not removed	there, octet for octet
 *	never acknowledged		absent or whole
 *	removal acknowledged		absent, for ever
 *	state				the newest acknowledged, or a later one
 *	transaction			all of it or none
 *
 * usage: c_spool [-v] [-l lie] [crashes [seed]]
 * lie: 1 data is not flushed, 2 answered before it is, 3 names are not flushed
 * (the test must then fail). The seed may also be given as MSAD_SEED.
 */
#include <sys/queue.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "msad/queue/spool.h"
#include "simdisk.h"

#define NKEYS		3
#define NVERSIONS	64
#define SEGMENT		(64U * 1024)
#define CAPACITY	(40U * SEGMENT)
#define INLINE		2048U

/* What became of something that was asked for. */
enum fate {
	NEVER,			/* not asked */
	ASKED,			/* not answered */
	SURE,			/* answered: durable */
	MAYBE,			/* answered: failed; may come back until ... */
	VOID			/* ... something later was durable */
};

struct msg {
	TAILQ_ENTRY(msg)	 entry;
	uint64_t		 id;
	uint32_t		 size, envlen, prefixlen, salt;
	enum fate		 commit, removal;
	enum fate		 state[NKEYS][NVERSIONS];
	int			 versions[NKEYS];
	/* at recovery, 0 none */
	int			 found[NKEYS];
	int			 seen, locked;
};
TAILQ_HEAD(msgs, msg);

/*
 * One transaction under way: a new message, a state, a removal; any may miss.
 */
struct change {
	TAILQ_ENTRY(change)	 entry;
	struct msg		*added, *stated, *removed;
	int			 key, version;
	int			 holds;		/* stated is locked by this */
	enum fate		 fate;
};
TAILQ_HEAD(changes, change);

static struct {
	struct simdisk		*disk;
	struct spool		*sp;
	struct msgs		 msgs;
	struct changes		 changes;
	uint64_t		 top;		/* highest id so far */
	uint64_t		 rng;
	unsigned int		 live, live_max;
	uint64_t		 crashes, checked, lost, wrong, torn, bad,
				    orphans, acked, failed, nospace,
				    recycled, copied, batches, late, cut;
	int			 verbose, errors, registers;
} t;

static uint32_t
rnd(uint32_t n)
{
	t.rng ^= t.rng << 13;
	t.rng ^= t.rng >> 7;
	t.rng ^= t.rng << 17;
	return n == 0 ? 0 : (uint32_t)((t.rng >> 20) % n);
}

static void *
need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void
wrong(const struct msg *m, const char *what)
{
	t.wrong++;
	if (t.wrong <= 20)
		printf("# crash %" PRIu64 ": message %" PRIx64 ": %s\n",
		    t.crashes, m != NULL ? m->id : 0, what);
}

/* The octets of a message from its salt. */
static void
content(uint8_t *buf, size_t n, uint64_t id, uint32_t salt)
{
	uint64_t	x = id * UINT64_C(0x9e3779b97f4a7c15) + salt + 1;
	size_t		i;

	for (i = 0; i < n; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(buf + i, &x, n - i < 8 ? n - i : 8);
	}
}

/* --- the load --------------------------------------------------------- */

static void
settle(enum fate *f, enum fate now)
{
	if (*f == ASKED)
		*f = now;
}

static void
change_fate(struct change *c, enum fate fate)
{
	c->fate = fate;
	if (c->added != NULL) {
		settle(&c->added->commit, fate);
		c->added->locked--;
	}
	if (c->stated != NULL) {
		settle(&c->stated->state[c->key][c->version], fate);
		c->stated->locked -= c->holds;
	}
	if (c->removed != NULL) {
		settle(&c->removed->removal, fate);
		c->removed->locked--;
	}
}

/* Something later is durable: what failed before is void for good. */
static void
void_failed(void)
{
	struct change	*c, *next;

	for (c = TAILQ_FIRST(&t.changes); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->fate != MAYBE)
			continue;
		if (c->added != NULL)
			c->added->commit = VOID;
		if (c->stated != NULL)
			c->stated->state[c->key][c->version] = VOID;
		if (c->removed != NULL)
			c->removed->removal = VOID;
		TAILQ_REMOVE(&t.changes, c, entry);
		free(c);
	}
}

static void
done(void *arg, enum spool_result result)
{
	struct change	*c = arg;

	if (result == SPOOL_OK || result == SPOOL_NOENT) {
		t.acked++;
		change_fate(c, SURE);
		TAILQ_REMOVE(&t.changes, c, entry);
		free(c);
		return;
	}
	t.failed++;
	t.nospace += result == SPOOL_NOSPACE;
	change_fate(c, MAYBE);
}

/*
 * All changes of a batch are answered together, so what failed becomes void
 * only by a batch behind it: looked at between steps, not within one.
 */
static void
steps(uint32_t n)
{
	uint64_t	acked, failed;

	while (n-- > 0) {
		acked = t.acked;
		failed = t.failed;
		if (!sim_step(t.disk))
			return;
		if (t.acked > acked && t.failed == failed)
			void_failed();
	}
}

static struct change *
change_new(void)
{
	struct change	*c = need(calloc(1, sizeof(*c)));

	c->fate = ASKED;
	TAILQ_INSERT_TAIL(&t.changes, c, entry);
	return c;
}

/* A message that may be changed now: acknowledged, alive, not being removed. */
static struct msg *
pick(void)
{
	struct msg	*m, *found = NULL;
	uint32_t	 n = 0;

	TAILQ_FOREACH(m, &t.msgs, entry)
		if (m->commit == SURE && !m->locked &&
		    (m->removal == NEVER || m->removal == VOID) &&
		    rnd(++n) == 0)
			found = m;
	return found;
}

/* Arrive: begin and append; NULL when refused. */
static struct spool_message *
arrive(struct msg **mp, int flags)
{
	struct spool_message	*sm;
	struct msg		*m;
	enum spool_result	 result;
	uint8_t			 buf[8192];
	size_t			 off, n;

	if ((sm = spool_message_begin(t.sp, flags, &result)) == NULL)
		return NULL;
	m = need(calloc(1, sizeof(*m)));
	m->id = spool_message_id(sm);
	m->salt = rnd(1 << 20);
	m->size = rnd(5) == 0 ? INLINE + 1 + rnd(5000) : rnd(INLINE);
	m->envlen = rnd(200);
	m->prefixlen = rnd(100);
	if (m->id <= t.top)
		wrong(m, "id given twice");
	t.top = m->id;
	content(buf, m->size, m->id, m->salt);
	for (off = 0; off < m->size; off += n) {
		n = 1 + rnd(m->size - (uint32_t)off);
		if (spool_message_append(sm, buf + off, n) != SPOOL_OK) {
			spool_message_abort(sm);
			free(m);
			return NULL;
		}
	}
	*mp = m;
	return sm;
}

static enum spool_result
add_message(struct spool_txn *tx, struct spool_message *sm, struct msg *m,
    struct change *c)
{
	uint8_t	env[256], prefix[256];

	content(env, m->envlen, m->id, m->salt + 1);
	content(prefix, m->prefixlen, m->id, m->salt + 2);
	m->commit = ASKED;
	m->locked++;
	c->added = m;
	TAILQ_INSERT_TAIL(&t.msgs, m, entry);
	t.live++;
	return spool_txn_message(tx, sm, env, m->envlen, prefix, m->prefixlen);
}

static void
accept_message(void)
{
	struct spool_message	*sm;
	struct spool_txn	*tx;
	struct change		*c;
	struct msg		*m;

	if (t.live >= t.live_max || (sm = arrive(&m, 0)) == NULL)
		return;
	if (rnd(10) == 0) {
		spool_message_abort(sm);
		free(m);
		return;
	}
	c = change_new();
	tx = need(spool_txn_begin(t.sp, 0));
	if (add_message(tx, sm, m, c) != SPOOL_OK) {
		spool_txn_abort(tx);
		done(c, SPOOL_IO);
		return;
	}
	spool_txn_commit(tx, done, c);
}

static int
add_state(struct spool_txn *tx, struct msg *m, struct change *c)
{
	char	blob[32];
	int	key = (int)rnd(NKEYS), v;

	if ((v = m->versions[key]) + 1 >= NVERSIONS)
		return -1;
	v = ++m->versions[key];
	c->stated = m;
	c->key = key;
	c->version = v;
	m->state[key][v] = ASKED;
	memset(blob, 0, sizeof(blob));
	snprintf(blob, sizeof(blob), "%d", v);
	return spool_txn_update(tx, m->id, (uint32_t)key, blob,
	    sizeof(blob)) == SPOOL_OK ? 0 : -1;
}

static void
change_state(void)
{
	struct msg		*m = pick();
	struct spool_txn	*tx;
	struct change		*c;

	if (m == NULL || m->versions[0] > NVERSIONS - 3 ||
	    m->versions[1] > NVERSIONS - 3 || m->versions[2] > NVERSIONS - 3)
		return;
	c = change_new();
	tx = need(spool_txn_begin(t.sp, 0));
	if (add_state(tx, m, c) == -1)
		abort();
	spool_txn_commit(tx, done, c);
}

static void
remove_message(void)
{
	struct msg	*m = pick();
	struct change	*c;

	if (m == NULL)
		return;
	c = change_new();
	c->removed = m;
	m->removal = ASKED;
	m->locked++;
	spool_remove(t.sp, m->id, done, c);
}

/* A DSN: a new message, the state of one, perhaps the removal of another. */
static void
bounce(void)
{
	struct spool_message	*sm;
	struct spool_txn	*tx;
	struct change		*c;
	struct msg		*m, *dsn, *gone;

	if ((m = pick()) == NULL || t.live >= t.live_max)
		return;
	if ((sm = arrive(&dsn, SPOOL_MESSAGE_RESERVE)) == NULL)
		return;
	m->locked++;
	gone = rnd(2) ? pick() : NULL;
	c = change_new();
	c->holds = 1;
	tx = need(spool_txn_begin(t.sp, SPOOL_TXN_RESERVE));
	if (add_message(tx, sm, dsn, c) != SPOOL_OK ||
	    add_state(tx, m, c) == -1 || (gone != NULL &&
	    spool_txn_remove(tx, gone->id) != SPOOL_OK)) {
		spool_txn_abort(tx);
		if (c->stated == NULL)
			m->locked--;
		done(c, SPOOL_IO);
		return;
	}
	if (gone != NULL) {
		gone->removal = ASKED;
		gone->locked++;
		c->removed = gone;
	}
	spool_txn_commit(tx, done, c);
}

static void
act(void)
{
	uint32_t	n = rnd(100);

	if (n < 35)
		accept_message();
	else if (n < 65)
		change_state();
	else if (n < 82)
		remove_message();
	else if (n < 92)
		bounce();
	else if (n < 96)
		spool_tick(t.sp);
	else
		spool_update(t.sp, 1 + rnd(3), rnd(4), "register", rnd(9),
		    NULL, NULL);
}

/* --- recovery and the check --- */

static struct msg *
find(uint64_t id)
{
	struct msg	*m;

	TAILQ_FOREACH(m, &t.msgs, entry)
		if (m->id == id)
			return m;
	return NULL;
}

static void
found_message(void *arg, const struct spool_recovered *r)
{
	struct msg	*m = find(r->id);
	uint8_t		 env[256];

	(void)arg;
	if (m == NULL) {
		t.wrong++;
		printf("# crash %" PRIu64 ": %" PRIx64 " came back to life\n",
		    t.crashes, r->id);
		return;
	}
	m->seen++;
	content(env, m->envlen, m->id, m->salt + 1);
	if (r->envlen != m->envlen || memcmp(r->env, env, r->envlen) != 0)
		wrong(m, "envelope differs");
	if (r->size != m->size + m->prefixlen)
		wrong(m, "size differs");
}

static void
found_state(void *arg, uint64_t id, uint32_t key, const void *p, size_t n)
{
	struct msg	*m;
	char		 blob[32];

	(void)arg;
	if (id < SPOOL_REGISTERS) {
		if (n > 8 || memcmp(p, "register", n) != 0)
			wrong(NULL, "register differs");
		return;
	}
	m = find(id);
	if (m == NULL || key >= NKEYS || n != sizeof(blob)) {
		wrong(m, "state without message");
		return;
	}
	memcpy(blob, p, sizeof(blob));
	m->found[key] = (int)strtol(blob, NULL, 10);
}

static void
check_content(struct msg *m)
{
	struct spool_content	c;
	uint8_t			 want[8192], got[8192];
	ssize_t			 n, len = 0;

	t.checked++;
	if (spool_content_open(t.sp, m->id, &c) != SPOOL_OK) {
		wrong(m, "cannot be opened");
		return;
	}
	if (spool_content_verify(&c) != SPOOL_OK)
		wrong(m, "checksum of the body differs");
	while ((n = spool_content_read(&c, (uint64_t)len, got + len,
	    sizeof(got) - (size_t)len)) > 0)
		len += n;
	content(want, m->prefixlen, m->id, m->salt + 2);
	content(want + m->prefixlen, m->size, m->id, m->salt);
	if (len != (ssize_t)(m->size + m->prefixlen) ||
	    memcmp(got, want, (size_t)len) != 0)
		wrong(m, "content differs");
	spool_content_close(&c);
}

/* Is the recovered version one that may be there? */
static void
check_states(struct msg *m)
{
	int	k, v, sure;

	for (k = 0; k < NKEYS; k++) {
		sure = 0;
		for (v = 1; v <= m->versions[k]; v++)
			if (m->state[k][v] == SURE)
				sure = v;
		v = m->found[k];
		if (v < sure) {
			t.lost++;
			wrong(m, "acknowledged state lost");
		} else if (v > m->versions[k] ||
		    (v > 0 && m->state[k][v] == VOID))
			wrong(m, "void state came back");
	}
}

static void
check_message(struct msg *m)
{
	int	must, may;

	may = m->commit != VOID && m->commit != NEVER && m->removal != SURE;
	must = m->commit == SURE &&
	    (m->removal == NEVER || m->removal == VOID);
	if (m->seen > 1)
		wrong(m, "found twice");
	if (must && !m->seen) {
		t.lost++;
		wrong(m, "LOST");
	}
	if (!may && m->seen)
		wrong(m, m->removal == SURE ? "removed, came back" :
		    "refused, came back");
	if (m->seen) {
		check_content(m);
		check_states(m);
	}
}

/* Was a part applied? 1 yes, 0 no, -1 cannot be told. */
static int
applied(const struct change *c, int part)
{
	if (part == 0)
		return c->added == NULL ? -1 : c->added->seen > 0;
	if (part == 1) {
		if (c->stated == NULL || !c->stated->seen)
			return -1;
		/* a later one may stand over one that failed */
		if (c->stated->found[c->key] > c->version && c->fate == MAYBE)
			return -1;
		return c->stated->found[c->key] >= c->version;
	}
	return c->removed == NULL ? -1 : !c->removed->seen;
}

static void
check_change(const struct change *c)
{
	int	part, a, yes = 0, no = 0;

	for (part = 0; part < 3; part++) {
		a = applied(c, part);
		yes += a == 1;
		no += a == 0;
	}
	if (yes > 0 && no > 0)
		wrong(c->added, "half of a transaction");
}

/* What was found is from now on what is. */
static void
adopt(void)
{
	struct msg	*m, *next;
	struct change	*c;
	int		 k;

	while ((c = TAILQ_FIRST(&t.changes)) != NULL) {
		TAILQ_REMOVE(&t.changes, c, entry);
		free(c);
	}
	t.live = 0;
	for (m = TAILQ_FIRST(&t.msgs); m != NULL; m = next) {
		next = TAILQ_NEXT(m, entry);
		if (!m->seen) {
			TAILQ_REMOVE(&t.msgs, m, entry);
			free(m);
			continue;
		}
		t.live++;
		m->commit = SURE;
		m->removal = NEVER;
		m->locked = m->seen = 0;
		for (k = 0; k < NKEYS; k++) {
			memset(m->state[k], 0, sizeof(m->state[k]));
			m->versions[k] = m->found[k];
			if (m->found[k] > 0)
				m->state[k][m->found[k]] = SURE;
			m->found[k] = 0;
		}
	}
}

static void
trouble(void *arg, const char *place, uint64_t off, const char *text)
{
	(void)arg;
	if (t.verbose)
		printf("# %" PRIu64 ": %s:%" PRIu64 ": %s\n", t.crashes,
		    place, off, text);
}

static int
start(void)
{
	static const struct spool_config	cfg = { .segment_size = SEGMENT,
		.inline_max = INLINE };
	static const struct spool_events	ev = { .message = found_message,
		.state = found_state, .trouble = trouble };
	struct spool_report			report;
	char					err[160];

	t.sp = spool_open(SIM_ROOT, sim_io(t.disk), &cfg, &ev, &report, err,
	    sizeof(err));
	if (t.sp == NULL) {
		if (!t.errors)
			wrong(NULL, err);
		return -1;
	}
	t.torn += report.torn;
	t.bad += report.bad;
	t.orphans += report.orphans;
	if (report.bad > 0)
		wrong(NULL, "damage reported though there is none");
	if (report.lost_bodies > 0)
		wrong(NULL, "body file lost");
	return 0;
}

/*
 * Start again, at times with a disk that fails: recovery is then cut short
 * anywhere, the machine goes down once more, and the next must do.
 */
static int
start_again(void)
{
	struct msg	*m;

	t.errors = rnd(6) == 0;
	sim_set_errors(t.disk, t.errors ? 100 : 0);
	if (start() == 0) {
		sim_set_errors(t.disk, 0);
		return 0;
	}
	if (!t.errors)
		return -1;
	t.errors = 0;
	t.cut++;
	sim_set_errors(t.disk, 0);
	sim_crash(t.disk, rnd(3) == 0);
	TAILQ_FOREACH(m, &t.msgs, entry) {
		m->seen = 0;
		memset(m->found, 0, sizeof(m->found));
	}
	return start();
}

static void
check(void)
{
	struct msg	*m;
	struct change	*c;

	TAILQ_FOREACH(m, &t.msgs, entry)
		check_message(m);
	TAILQ_FOREACH(c, &t.changes, entry)
		check_change(c);
	adopt();
}

static void
stop(void)
{
	struct spool_stats	st;

	spool_get_stats(t.sp, &st);
	t.recycled += st.recycled;
	t.copied += st.copied_bytes;
	t.batches += st.batches;
	spool_close(t.sp);
	t.sp = NULL;
}

/* Faults are over: does the spool take messages again, by itself? */
static void
must_work_again(void)
{
	int	i;

	sim_set_errors(t.disk, 0);
	sim_set_capacity(t.disk, CAPACITY);
	for (i = 0; i < 60 && (i == 0 || !spool_idle(t.sp) ||
	    spool_accepting(t.sp, NULL) != SPOOL_OK); i++) {
		spool_tick(t.sp);
		steps(10000);
	}
	if (spool_accepting(t.sp, NULL) != SPOOL_OK)
		wrong(NULL, "does not accept again after faults");
	if (!spool_idle(t.sp))
		wrong(NULL, "a change was never answered");
	t.late++;
}

static void
round_(void)
{
	uint32_t	i, n = 2 + rnd(30), faults = rnd(8), pace = 2 + rnd(5);

	if (faults == 0)
		sim_set_errors(t.disk, 20 + rnd(80));
	else if (faults == 1) {
		sim_set_capacity(t.disk, sim_used(t.disk) + rnd(SEGMENT));
		n += rnd(300);
	}
	for (i = 0; i < n; i++) {
		act();
		steps(rnd(pace));
	}
	if (rnd(25) == 0)
		must_work_again();
	sim_set_errors(t.disk, 0);
	stop();
	sim_crash(t.disk, rnd(5) == 0);
	t.crashes++;
	if (rnd(2))
		sim_set_capacity(t.disk, CAPACITY);
}

static void
forget_all(void)
{
	struct msg	*m;

	while ((m = TAILQ_FIRST(&t.msgs)) != NULL) {
		TAILQ_REMOVE(&t.msgs, m, entry);
		free(m);
	}
	adopt();
	t.top = 0;
}

static void
run(uint64_t crashes, uint64_t seed, enum sim_lie lie)
{
	uint64_t	n;

	t.rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	TAILQ_INIT(&t.msgs);
	TAILQ_INIT(&t.changes);
	for (n = 0; n < crashes && t.wrong < 20;) {
		t.disk = sim_new(seed + n, CAPACITY);
		sim_set_lie(t.disk, lie);
		t.live_max = 20 + rnd(200);
		if (start() == 0) {
			do {
				round_();
				n++;
				if (start_again() == -1)
					break;
				check();
			} while (n % 200 != 0 && n < crashes && t.wrong < 20);
		}
		if (t.sp != NULL)
			stop();
		forget_all();
		sim_free(t.disk);
	}
}

int
main(int argc, char **argv)
{
	uint64_t	crashes = 20000, seed;
	const char	*s = getenv("MSAD_SEED");
	struct timespec	a, b;
	double		secs;
	int		ch, lie = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	seed = s != NULL ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
	while ((ch = getopt(argc, argv, "l:v")) != -1) {
		if (ch == 'l')
			lie = (int)strtol(optarg, NULL, 10);
		else
			t.verbose = 1;
	}
	if (optind < argc)
		crashes = strtoull(argv[optind], NULL, 10);
	if (optind + 1 < argc)
		seed = strtoull(argv[optind + 1], NULL, 10);
	printf("# seed %" PRIu64 "\n", seed);
	run(crashes, seed, (enum sim_lie)lie);
	clock_gettime(CLOCK_MONOTONIC, &b);
	secs = (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	printf("# %" PRIu64 " crashes (%.0f a second), %" PRIu64 " messages "
	    "checked, %" PRIu64 " lost, %" PRIu64 " wrong\n", t.crashes,
	    (double)t.crashes / secs, t.checked, t.lost, t.wrong);
	printf("# %" PRIu64 " changes acknowledged, %" PRIu64 " failed (%"
	    PRIu64 " for space), %" PRIu64 " batches, %" PRIu64 " torn tails, "
	    "%" PRIu64 " segments taken, %" PRIu64 " octets copied, %" PRIu64
	    " orphans, %" PRIu64 " recoveries cut short, %" PRIu64
	    " times well again after faults\n", t.acked,
	    t.failed, t.nospace, t.batches, t.torn, t.recycled, t.copied,
	    t.orphans, t.cut, t.late);
	printf("%s 1 - spool survives crashes\n", t.wrong == 0 ? "ok" :
	    "not ok");
	printf("1..1\n");
	return t.wrong != 0;
}
