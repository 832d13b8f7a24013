/*
 * The model of the crash test: see model.h.
 *
 *	acknowledged and not removed	there, octet for octet
 *	never acknowledged		absent or whole
 *	removal acknowledged		absent, for ever
 *	state				the newest acknowledged, or a later one
 *	transaction			all of it or none
 *
 * Where the disk itself has lost records that were durable (t.rot), at most so
 * many may be missing or older, none may be wrong, and it must be told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "model.h"

struct model	 t;

uint32_t
rnd(uint32_t n)
{
	t.rng ^= t.rng << 13;
	t.rng ^= t.rng >> 7;
	t.rng ^= t.rng << 17;
	return n == 0 ? 0 : (uint32_t)((t.rng >> 20) % n);
}

void *
need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void
wrong(const struct msg *m, const char *what)
{
	t.n->wrong++;
	if (t.n->wrong <= 20)
		printf("# crash %" PRIu64 ": message %" PRIx64 ": %s\n",
		    t.n->crashes, m != NULL ? m->id : 0, what);
}

/* Missing or old: what damage of the disk may do, else wrong. */
static void
hurt(const struct msg *m, const char *what, int lost)
{
	if (t.rot > 0) {
		t.hurt++;
		return;
	}
	t.n->lost += lost != 0;
	wrong(m, what);
}

/* The octets of a message from its salt. */
void
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

static struct msg *
find(uint64_t id)
{
	struct msg	*m;

	TAILQ_FOREACH(m, &t.msgs, entry)
		if (m->id == id)
			return m;
	return NULL;
}

void
found_message(void *arg, const struct spool_recovered *r)
{
	struct msg	*m = find(r->id);
	uint8_t		 env[256];

	(void)arg;
	if (m == NULL) {
		hurt(NULL, "came back to life", 0);
		if (t.rot == 0)
			printf("# it is %" PRIx64 "\n", r->id);
		return;
	}
	m->seen++;
	content(env, m->envlen, m->id, m->salt + 1);
	if (r->envlen != m->envlen || memcmp(r->env, env, r->envlen) != 0)
		wrong(m, "envelope differs");
	if (r->size != m->size + m->prefixlen)
		wrong(m, "size differs");
}

void
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
	if (m == NULL && t.rot > 0)
		return;			/* came back to life, counted */
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

	t.n->checked++;
	if (spool_content_open(t.sp, m->id, &c) != SPOOL_OK) {
		hurt(m, "cannot be opened", 0);
		t.told++;
		return;
	}
	if (spool_content_verify(&c) != SPOOL_OK) {
		hurt(m, "checksum of the body differs", 0);
		t.told++;
		spool_content_close(&c);
		return;
	}
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
			hurt(m, "acknowledged state lost", 1);
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
		hurt(m, "LOST", 1);
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

void
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

void
found_trouble(void *arg, const char *place, uint64_t off, const char *text)
{
	(void)arg;
	t.told++;
	if (t.verbose)
		printf("# %" PRIu64 ": %s:%" PRIu64 ": %s\n", t.n->crashes,
		    place, off, text);
}

void
check(void)
{
	struct msg	*m;
	struct change	*c;

	TAILQ_FOREACH(m, &t.msgs, entry)
		check_message(m);
	TAILQ_FOREACH(c, &t.changes, entry)
		check_change(c);
}

