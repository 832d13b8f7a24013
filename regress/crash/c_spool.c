/* links: msad/queue/spool_*.c msad/queue/segment.c msad/queue/record.c */
/* links: msad/queue/flusher.c regress/crash/simdisk.c regress/crash/model.c */
/*
 * The crash test of the spool (P1, P-dur-1): a random load on a simulated disk
 * goes down; after each recovery what is there is compared with what was
 * answered (model.c). In three ways:
 *
 *	lives	goes down at random points, again and again, and goes on with
 *		what was recovered
 *	prefix	goes down before each single operation of the disk in turn: a
 *		fork of the test does, while the load itself goes on
 *	rot	of those forks some find damage below what was durable
 *
 * usage: c_spool [-v] [-l lie] [crashes [seed]]
 * lie: 1 data is not flushed, 2 answered before it is, 3 names are not flushed
 * (the test must then fail). Without arguments MSAD_CRASHES (100,000) and
 * MSAD_SEED say how many and from where.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "model.h"
#include "msad/queue/segment.h"
#include "msad/queue/spool_digest.h"
#include "msad/queue/spool_io.h"

#define WRONG_MAX	5		/* then it is enough */
#define SEGMENT		(64U * 1024)
#define CAPACITY	(40U * SEGMENT)
#define INLINE		2048U

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
		t.n->acked++;
		change_fate(c, SURE);
		TAILQ_REMOVE(&t.changes, c, entry);
		free(c);
		return;
	}
	t.n->failed++;
	t.n->nospace += result == SPOOL_NOSPACE;
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
		acked = t.n->acked;
		failed = t.n->failed;
		if (!sim_step(t.disk))
			return;
		if (t.n->acked > acked && t.n->failed == failed)
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

static int
start(void)
{
	static const struct spool_config	cfg = { .segment_size = SEGMENT,
		.inline_max = INLINE };
	static const struct spool_events	ev = { .message = found_message,
		.state = found_state, .trouble = found_trouble };
	struct spool_report			report;
	char					err[160];

	t.sp = spool_open(SIM_ROOT, sim_io(t.disk), &cfg, &ev, &report, err,
	    sizeof(err));
	if (t.sp == NULL) {
		if (!t.errors)
			wrong(NULL, err);
		return -1;
	}
	t.n->torn += report.torn;
	t.n->bad += report.bad;
	t.n->orphans += report.orphans;
	t.n->segments += report.segments;
	t.n->digests += report.digests;
	if (report.bad > 0 && t.rot == 0)
		wrong(NULL, "damage reported though there is none");
	if (report.lost_bodies > 0 && t.rot == 0)
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
	t.n->cut++;
	sim_set_errors(t.disk, 0);
	sim_crash(t.disk, rnd(3) == 0);
	TAILQ_FOREACH(m, &t.msgs, entry) {
		m->seen = 0;
		memset(m->found, 0, sizeof(m->found));
	}
	return start();
}

static void
stop(void)
{
	struct spool_stats	st;

	spool_get_stats(t.sp, &st);
	t.n->recycled += st.recycled;
	t.n->copied += st.copied_bytes;
	t.n->batches += st.batches;
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
	t.n->late++;
}

/* --- before each operation ---------------------------------------------- */

/*
 * Make a digest as it may have been when its segment was shorter: whole, but
 * for another end. 1 when done.
 */
static int
shorten_digest(struct spool_io *io, int dir, const char *name)
{
	static uint8_t		 buf[2 * SEGMENT];
	uint8_t			 head[SEGMENT_BLOCK];
	struct digest		 d = { .p = buf };
	struct digest_entry	 e;
	uint64_t		 epoch, key;
	uint32_t		 size, version, end = 0;
	size_t			 at, step;
	ssize_t			 n = 0;
	int			 fd;

	if ((fd = io->open(io->ctx, dir, name + 7, SPOOL_O_READ)) == -1)
		return 0;
	if (io->pread(io->ctx, fd, head, sizeof(head), 0) ==
	    (ssize_t)sizeof(head) && segment_parse(head, sizeof(head), &epoch,
	    &key, &size, &version) == SEGMENT_OK)
		n = 1;
	io->close(io->ctx, fd);
	if (n == 0 ||
	    (fd = io->open(io->ctx, dir, name, SPOOL_O_READ)) == -1)
		return 0;
	n = io->pread(io->ctx, fd, buf, sizeof(buf), 0);
	io->close(io->ctx, fd);
	for (at = DIGEST_HEADER; n > 0 && (step = digest_get(buf, (size_t)n,
	    at, &e)) > 0; at += step, d.count++) {
		end = e.off;
		d.len = at;
	}
	if (d.count-- < 2)
		return 0;
	digest_seal(&d, epoch, key, end);
	io->unlink(io->ctx, dir, name);
	fd = io->open(io->ctx, dir, name, SPOOL_O_WRITE | SPOOL_O_CREATE);
	if (fd == -1)
		return 0;
	n = io->pwrite(io->ctx, fd, buf, d.len, 0);
	io->close(io->ctx, fd);
	return n != -1;
}

/*
 * A digest is believed only when it fits, so nothing may be lost by one that is
 * damaged, or is another's: 1 when name is one. The digest of a segment that
 * is to be damaged goes at times, so that the segment is read itself.
 */
static int
spoil_digest(const char *name)
{
	struct spool_io	*io = sim_io(t.disk);
	const char	*other;
	char		 digest[40];
	int		 dir;

	if ((dir = io->open(io->ctx, SIM_ROOT, "log", SPOOL_O_DIR)) == -1)
		return 0;
	if (name[0] != 'd') {
		snprintf(digest, sizeof(digest), "digest-%s", name);
		if (rnd(2))
			io->unlink(io->ctx, dir, digest);
	} else if (rnd(3) == 0)
		t.n->spoiled += shorten_digest(io, dir, name);
	else if (rnd(2) == 0)
		t.n->spoiled += sim_damage(t.disk, 1, name, rnd(3000),
		    0) == 0;
	else if ((other = sim_name(t.disk, 1, rnd(20))) != NULL &&
	    other[0] == 'd' && strcmp(name, other) != 0)
		t.n->spoiled += io->rename(io->ctx, dir, name, other) == 0;
	io->close(io->ctx, dir);
	return name[0] == 'd';
}

/*
 * Damage a place of a segment that is not the newest, of a body, or of a
 * digest.
 */
static void
damage(void)
{
	const char	*name, *last = "";
	size_t		 i, n = 0, len = rnd(3), off;
	int		 dir = rnd(8) == 0 ? 2 : 1;

	for (; (name = sim_name(t.disk, dir, n)) != NULL; n++)
		if (name[0] != 'f' && name[0] != 'n' && name[0] != 'd' &&
		    strcmp(name, last) > 0)
			last = name;
	if (n == 0)
		return;
	i = rnd((uint32_t)n);
	name = sim_name(t.disk, dir, i);
	if (name[0] == 'f' || name[0] == 'n' ||
	    (dir == 1 && strcmp(name, last) == 0))
		return;
	len = len == 2 ? SIM_UNREADABLE : len * 512;
	off = rnd(dir == 2 ? INLINE : SEGMENT) & ~(size_t)(len > 0 ? 511 : 0);
	if (dir == 1 && spoil_digest(name))
		return;
	if (sim_damage(t.disk, dir, name, off, len) == 0)
		t.rot = len > 0 ? 16 : 1;	/* records of 512 octets */
}

/* What was recovered rots; recovery tells what it has lost, and only that. */
static void
rot(void)
{
	adopt();
	stop();
	sim_crash(t.disk, 1);
	damage();
	t.told = 0;
	if (start() == -1)
		return;
	check();
	t.n->rotten += t.rot > 0;
	t.n->hurt += t.hurt;
	if (t.hurt > t.rot)
		wrong(NULL, "more is lost than was damaged");
	if (t.hurt > 0 && t.told == 0)
		wrong(NULL, "damage is not told");
	must_work_again();
}

/* In a fork: the power goes now. */
static void
go_down(void)
{
	sim_set_before(t.disk, NULL, NULL);
	sim_set_errors(t.disk, 0);
	sim_crash(t.disk, rnd(5) == 0);
	sim_set_capacity(t.disk, CAPACITY);
	t.n->crashes++;
	t.n->prefixes++;
	if (start_again() == 0) {
		check();
		if (rnd(3) == 0)
			rot();
	}
	fflush(stdout);
	_exit(0);
}

static void
fork_down(void *arg)
{
	pid_t	pid;
	int	status;

	(void)arg;
	if (t.n->crashes >= t.crashes_max || t.n->wrong >= WRONG_MAX)
		return;
	rnd(2);				/* each fork its own luck */
	fflush(stdout);
	if ((pid = fork()) == -1)
		abort();
	if (pid == 0)
		go_down();
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		wrong(NULL, "a recovery has died");
}

/*
 * A load that goes on while forks of it go down before each operation of the
 * disk: every prefix of what it does, from an old disk on.
 */
static void
prefixes(void)
{
	uint32_t	i, n = rnd(400), pace = 2 + rnd(5);

	for (i = 0; i < n; i++) {
		act();
		steps(rnd(pace));
	}
	if (rnd(3) == 0)
		sim_set_errors(t.disk, 20 + rnd(80));
	sim_set_before(t.disk, fork_down, NULL);
	for (i = 0; i < 12; i++) {
		act();
		steps(rnd(pace));
	}
	sim_set_before(t.disk, NULL, NULL);
}

/* --- lives ---------------------------------------------------------------- */

static void
round_(void)
{
	uint32_t	i, n = 2 + rnd(30), faults = rnd(8), pace = 2 + rnd(5);

	if (faults == 0 || faults == 2)
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
	t.n->crashes++;
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

/* A disk goes down 200 times and lives on. */
static void
lives(void)
{
	const char	*name;
	int		 i;

	for (i = 0; i < 200 && t.n->crashes < t.crashes_max &&
	    t.n->wrong < WRONG_MAX; i++) {
		round_();
		if (rnd(4) == 0 && (name = sim_name(t.disk, 1, rnd(20))) !=
		    NULL && name[0] == 'd')
			spoil_digest(name);
		if (start_again() == -1)
			return;
		check();
		adopt();
	}
}

static void
run(uint64_t seed, enum sim_lie lie)
{
	uint64_t	before;

	TAILQ_INIT(&t.msgs);
	TAILQ_INIT(&t.changes);
	for (; t.n->crashes < t.crashes_max && t.n->wrong < WRONG_MAX; seed++) {
		before = t.n->wrong;
		t.rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
		t.disk = sim_new(seed, CAPACITY);
		sim_set_lie(t.disk, lie);
		t.live_max = 20 + rnd(200);
		if (start() == 0) {
			if (rnd(6) == 0)
				lives();
			else
				prefixes();
		}
		if (t.sp != NULL)
			stop();
		forget_all();
		sim_free(t.disk);
		if (t.n->wrong > before)
			printf("# again by: c_spool 1000 %" PRIu64 "\n", seed);
	}
}

static void
report(double secs)
{
	const struct counts	*n = t.n;

	printf("# %" PRIu64 " crashes (%.0f a second), %" PRIu64 " of them "
	    "each before one operation; %" PRIu64 " messages checked, %"
	    PRIu64 " lost, %" PRIu64 " wrong\n", n->crashes,
	    (double)n->crashes / secs, n->prefixes, n->checked, n->lost,
	    n->wrong);
	printf("# %" PRIu64 " damaged disks, which had lost %" PRIu64
	    " records and said so\n", n->rotten, n->hurt);
	printf("# %" PRIu64 " segments found, %" PRIu64 " read by their "
	    "digest; %" PRIu64 " digests spoiled\n", n->segments, n->digests,
	    n->spoiled);
	printf("# %" PRIu64 " changes acknowledged, %" PRIu64 " failed (%"
	    PRIu64 " for space), %" PRIu64 " batches, %" PRIu64 " torn tails, "
	    "%" PRIu64 " segments taken, %" PRIu64 " octets copied, %" PRIu64
	    " orphans, %" PRIu64 " recoveries cut short, %" PRIu64
	    " times well again after faults\n", n->acked, n->failed,
	    n->nospace, n->batches, n->torn, n->recycled, n->copied,
	    n->orphans, n->cut, n->late);
}

int
main(int argc, char **argv)
{
	uint64_t	seed;
	const char	*s = getenv("MSAD_SEED"), *c = getenv("MSAD_CRASHES");
	struct timespec	a, b;
	double		secs;
	int		ch, lie = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	t.n = mmap(NULL, sizeof(*t.n), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t.n == MAP_FAILED)
		return 1;
	t.crashes_max = c != NULL ? strtoull(c, NULL, 10) : 100000;
	seed = s != NULL ? strtoull(s, NULL, 10) : (uint64_t)time(NULL);
	while ((ch = getopt(argc, argv, "l:v")) != -1) {
		if (ch == 'l')
			lie = (int)strtol(optarg, NULL, 10);
		else
			t.verbose = 1;
	}
	if (optind < argc)
		t.crashes_max = strtoull(argv[optind], NULL, 10);
	if (optind + 1 < argc)
		seed = strtoull(argv[optind + 1], NULL, 10);
	printf("# seed %" PRIu64 "\n", seed);
	run(seed, (enum sim_lie)lie);
	clock_gettime(CLOCK_MONOTONIC, &b);
	secs = (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	report(secs);
	printf("%s 1 - spool survives crashes\n", t.n->wrong == 0 ? "ok" :
	    "not ok");
	printf("%s 2 - digests were used\n", t.n->digests > 0 ||
	    t.crashes_max < 1000 ? "ok" : "not ok");
	printf("1..2\n");
	return t.n->wrong != 0 || (t.n->digests == 0 && t.crashes_max >= 1000);
}
