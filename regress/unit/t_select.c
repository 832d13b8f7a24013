/* links: msad/queue/select.c msad/queue/status.c msad/queue/index*.c */
/* links: msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/*
 * Selecting in the queue finds what a look at every message finds, whatever
 * the selection, in ascending id, each once, in steps of any size. The filter
 * held against it is written another way. What waits in the spool is played.
 */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "msad/queue/schedule.h"
#include "msad/queue/select.h"
#include "msad/queue/spool.h"
#include "msad/queue/status.h"

#define NMESSAGES	300
#define NOW		1000000
#define FIRST_ID	0x1000000

static struct message	*queue[NMESSAGES];
static uint32_t		 seed;
static unsigned int	 nreads;

static const char *const users[] = { "alice", "bob", "Bob", "carol" };
static const char *const tenants[] = { "red", "blue" };
static const char *const relays[] = { "out", "in", "far away" };
static const char *const domains[] = { "a.example", "B.example", "b.EXAMPLE",
	"c.example", "example" };
static const char *const locals[] = { "x", "y", "X" };
static const char *const replies[] = { "Mailbox full", "greylisted",
	"no such user", "" };

#define PICK(list)	(list[rnd(sizeof(list) / sizeof(list[0]))])

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* --- the rest of the queue, played --- */

bool
schedule_is_held(const struct message *m)
{
	return m->later && (m->env_flags & ENVELOPE_HELD);
}

const char *
schedule_why(const struct message *m, uint32_t i)
{
	(void)m;
	(void)i;
	return "cannot connect";
}

/* The reply of a recipient follows from its place. */
static const char *
reply_of(uint64_t id, uint32_t i)
{
	return replies[(id + i) % 4];
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **buf,
    size_t *len)
{
	struct rcpt_record	 s = { .code = 450, .tries = 1,
		.enhanced = SLICE_STR("4.0.0"), .remote = SLICE_STR("r"),
		.reply = SLICE_STR(reply_of(id, key)) };

	(void)sp;
	nreads++;
	assert_non_null(*buf = malloc(RCPT_RECORD_MAX));
	*len = rcpt_record_encode(&s, *buf);
	return SPOOL_OK;
}

/* --- a queue at random --- */

static struct message *
make(uint64_t id)
{
	static char	 text[4][64], from[64];
	const char	*user = PICK(users), *tenant = PICK(tenants);
	const char	*relay = PICK(relays);
	struct envelope	 e = { .user = SLICE_STR(user),
		.tenant = SLICE_STR(tenant), .auth = SLICE_STR("a"),
		.mech = SLICE_STR("m"), .relay = SLICE_STR(relay),
		.msgid = SLICE_STR("<m@x>") };
	struct slice	 rcpts[4];
	struct message	*m;
	uint32_t	 i, n = 1 + rnd(4);
	uint8_t		*p;
	size_t		 len;

	for (i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%s@%s", PICK(locals),
		    PICK(domains));
		rcpts[i] = SLICE_STR(text[i]);
	}
	snprintf(from, sizeof(from), "%s@%s", PICK(users), PICK(domains));
	if (rnd(5) == 0)
		from[0] = '\0';
	e.sender = SLICE_STR(from);
	e.arrival = NOW - rnd(10000);
	assert_non_null(p = envelope_encode(&e, rcpts, NULL, n, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, rnd(5000), &e));
	free(p);
	for (i = 0; i < n; i++) {
		message_set_status(m, i, (enum rcpt_status)rnd(5));
		m->rcpts[i].tries = (uint16_t)rnd(2);
	}
	if (rnd(8) == 0)
		m->flags |= MESSAGE_STOPPED;
	if (rnd(10) == 0)
		m->flags |= MESSAGE_ENDING;
	m->later = rnd(5) == 0;
	m->env_flags = rnd(2) ? ENVELOPE_HELD : ENVELOPE_FUTURE;
	return m;
}

static void
fill(uint32_t s)
{
	uint32_t	i;

	seed = s;
	for (i = 0; i < NMESSAGES; i++) {
		queue[i] = make(FIRST_ID + 3 * i + rnd(3));
		index_insert(queue[i]);
	}
}

static void
empty(void)
{
	uint32_t	i;

	for (i = 0; i < NMESSAGES; i++) {
		if (queue[i] == NULL)
			continue;
		index_remove(queue[i]);
		message_free(queue[i]);
		queue[i] = NULL;
	}
	assert_int_equal(index_messages(), 0);
}

/* --- a selection at random, as terms --- */

static struct term {
	const char	*key;
	char		 value[64];
} terms[8];
static unsigned int	nterms;

/* Some of it replaced by a star. */
static void
blur(char *value)
{
	size_t	len = strlen(value), at = rnd((uint32_t)len + 1);

	switch (rnd(4)) {
	case 0:
		value[at] = '*';
		value[at + 1] = '\0';
		break;
	case 1:
		memmove(value, value + at, len - at + 1);
		memmove(value + 1, value, strlen(value) + 1);
		value[0] = '*';
		break;
	default:
		break;
	}
}

static void
make_term(struct term *t)
{
	static const char *const	keys[] = { "id", "user", "tenant",
		"from", "to", "domain", "relay", "state", "age", "size",
		"error" };
	static const char *const	states[] = { "waiting", "deferred",
		"inflight", "held", "future", "failed" };
	static const char *const	errors[] = { "FULL", "450 grey",
		"no*user", "held", "connect", "zzz" };
	char				*v = t->value;
	size_t				 size = sizeof(t->value);

	t->key = PICK(keys);
	if (strcmp(t->key, "id") == 0)
		snprintf(v, size, "%x", FIRST_ID + rnd(3 * NMESSAGES));
	else if (strcmp(t->key, "state") == 0)
		snprintf(v, size, "%s", PICK(states));
	else if (strcmp(t->key, "error") == 0)
		snprintf(v, size, "%s", PICK(errors));
	else if (strcmp(t->key, "age") == 0)
		snprintf(v, size, "%s%um", rnd(2) ? "<" : "", rnd(200));
	else if (strcmp(t->key, "size") == 0)
		snprintf(v, size, "%s%uk", rnd(2) ? "<" : "", rnd(6));
	else if (strcmp(t->key, "from") == 0 && rnd(4) == 0)
		snprintf(v, size, "<>");
	else {
		if (strcmp(t->key, "user") == 0)
			snprintf(v, size, "%s", PICK(users));
		else if (strcmp(t->key, "tenant") == 0)
			snprintf(v, size, "%s", PICK(tenants));
		else if (strcmp(t->key, "relay") == 0)
			snprintf(v, size, "%s", PICK(relays));
		else if (strcmp(t->key, "domain") == 0)
			snprintf(v, size, "%s", PICK(domains));
		else if (strcmp(t->key, "from") == 0)
			snprintf(v, size, "%s@%s", PICK(users), PICK(domains));
		else
			snprintf(v, size, "%s@%s", PICK(locals),
			    PICK(domains));
		blur(v);
		if (strcmp(t->key, "domain") == 0 && v[0] == '\0')
			snprintf(v, size, "*");
	}
}

static void
make_selection(char *text, size_t size)
{
	size_t	len = 0;
	uint32_t i;

	nterms = 1 + rnd(5);
	for (i = 0; i < nterms; i++) {
		make_term(&terms[i]);
		len += (size_t)snprintf(text + len, size - len, "%s%s %s",
		    i > 0 ? "\n" : "", terms[i].key, terms[i].value);
	}
}

/* --- the filter held against it --- */

static bool
like(const struct term *t, const char *text, bool fold)
{
	return fnmatch(t->value, text, fold ? FNM_CASEFOLD : 0) == 0;
}

static bool
state_is(const struct message *m, uint32_t i, const char *state)
{
	unsigned int	status = m->rcpts[i].status;
	bool		held = (m->flags & MESSAGE_STOPPED) || (m->later &&
			    (m->env_flags & ENVELOPE_HELD));

	if (status == RCPT_INFLIGHT)
		return strcmp(state, "inflight") == 0;
	if (status == RCPT_FAILED || status == RCPT_REPORTING)
		return strcmp(state, "failed") == 0;
	if (status == RCPT_DONE)
		return false;
	if (held)
		return strcmp(state, "held") == 0;
	if (m->later)
		return strcmp(state, "future") == 0;
	return strcmp(state, "waiting") == 0 ||
	    (strcmp(state, "deferred") == 0 && m->rcpts[i].tries > 0);
}

static bool
error_is(const struct message *m, uint32_t i, const struct term *t)
{
	struct term	 around = { NULL, "" };
	char		 text[200];

	if (m->rcpts[i].tries > 0)
		snprintf(text, sizeof(text), "450 %s", reply_of(m->id, i));
	else if (m->rcpts[i].status != RCPT_WAITING)
		text[0] = '\0';
	else if (m->flags & MESSAGE_STOPPED)
		snprintf(text, sizeof(text), "held until it is released");
	else if (m->later)
		snprintf(text, sizeof(text), m->env_flags & ENVELOPE_HELD ?
		    "held, as its user was over a limit" :
		    "not relayed before then, as its sender asked");
	else
		snprintf(text, sizeof(text), "cannot connect");
	snprintf(around.value, sizeof(around.value), "*%.60s*", t->value);
	return like(&around, text, true);
}

static bool
number_is(const struct term *t, uint64_t n, uint64_t unit)
{
	if (t->value[0] == '<')
		return n < strtoull(t->value + 1, NULL, 10) * unit;
	return n >= strtoull(t->value, NULL, 10) * unit;
}

/* Is the term true of the message and that recipient of it? */
static bool
is(const struct term *t, const struct message *m, uint32_t i)
{
	const char	*to = message_rcpt(m, i);

	switch (t->key[0]) {
	case 'i':
		return strtoull(t->value, NULL, 16) == m->id;
	case 'u':
		return like(t, message_user(m), false);
	case 'f':
		return strcmp(t->value, "<>") == 0 ?
		    message_sender(m)[0] == '\0' :
		    like(t, message_sender(m), true);
	case 't':
		return t->key[1] == 'o' ? like(t, to, true) :
		    like(t, message_tenant(m), false);
	case 'd':
		return like(t, strchr(to, '@') + 1, true);
	case 'r':
		return like(t, message_relay(m), false);
	case 'a':
		return number_is(t, NOW - m->arrival, 60);
	case 's':
		return t->key[1] == 't' ? state_is(m, i, t->value) :
		    number_is(t, m->size, 1024);
	default:
		return error_is(m, i, t);
	}
}

/* Of those with the same key one is enough, save for bounds. */
static bool
key_holds(const char *key, const struct message *m, uint32_t rcpt)
{
	bool		bound = strcmp(key, "age") == 0 ||
			    strcmp(key, "size") == 0;
	unsigned int	i, yes = 0, n = 0;

	for (i = 0; i < nterms; i++)
		if (strcmp(terms[i].key, key) == 0) {
			n++;
			yes += is(&terms[i], m, rcpt);
		}
	return bound ? yes == n : yes > 0;
}

static bool
wanted(const struct message *m)
{
	unsigned int	i;
	uint32_t	rcpt;

	if (m->flags & MESSAGE_ENDING)
		return false;
	for (rcpt = 0; rcpt < m->nrcpts; rcpt++) {
		for (i = 0; i < nterms; i++)
			if (!key_holds(terms[i].key, m, rcpt))
				break;
		if (i == nterms)
			return true;
	}
	return false;
}

/* --- tests --- */

static struct message	*found[NMESSAGES + 1];
static uint32_t		 nfound;

static bool
on_found(void *arg, struct message *m)
{
	bool	*stop = arg;

	assert_true(nfound < NMESSAGES);
	found[nfound++] = m;
	return stop == NULL || !*stop;
}

static void
find(const char *text, uint32_t max)
{
	struct selection	sel;
	uint64_t		after = 0;
	uint32_t		before, n;
	char			err[200];

	nfound = 0;
	if (selection_parse(&sel, SLICE_STR(text), err, sizeof(err)) == -1)
		fail_msg("%s: %s", text, err);
	do {
		before = nfound;
		n = select_step(&sel, &after, max, NOW, on_found, NULL);
		assert_int_equal(n, nfound - before);
		assert_true(n <= max);
	} while (after != 0);
	selection_free(&sel);
}

static void
compare(const char *text)
{
	uint32_t	i, n = 0;

	for (i = 0; i < NMESSAGES; i++) {
		if (queue[i] == NULL || !wanted(queue[i]))
			continue;
		if (n >= nfound || found[n] != queue[i])
			fail_msg("seed %u: \"%s\": message %u", seed, text, i);
		n++;
	}
	if (n != nfound)
		fail_msg("seed %u: \"%s\": %u for %u", seed, text, nfound, n);
}

static void
t_random(void **state)
{
	char		text[1000];
	uint32_t	round, i, hits = 0;

	(void)state;
	for (round = 1; round <= 60; round++) {
		fill(round);
		for (i = 0; i < 200; i++) {
			make_selection(text, sizeof(text));
			find(text, rnd(3) == 0 ? 1 + rnd(9) : 1000);
			compare(text);
			hits += nfound > 0;
		}
		empty();
	}
	/* not a test of nothing */
	assert_true(hits > 2000);
}

/* Messages that come, go and change lists are found once or not at all. */
static void
t_meanwhile(void **state)
{
	struct selection	sel;
	uint64_t		after = 0;
	uint32_t		i, n, gone = 0;
	char			err[200];

	(void)state;
	fill(3);
	for (i = 0; i < NMESSAGES; i++) {
		queue[i]->flags = 0;
		assert_int_equal(message_set_relay(queue[i],
		    SLICE_STR(i % 2 ? "out" : "in")), 0);
	}
	assert_int_equal(selection_parse(&sel, SLICE_STR("relay out"), err,
	    sizeof(err)), 0);
	nfound = 0;
	while ((n = select_step(&sel, &after, 1, NOW, on_found, NULL)) > 0) {
		assert_int_equal(n, 1);
		/* it goes to the other list, one behind it away */
		assert_int_equal(message_set_relay(found[nfound - 1],
		    SLICE_STR("in")), 0);
		for (i = 0; queue[i] != found[nfound - 1]; i++)
			;
		if (i % 3 != 0 || i + 2 >= NMESSAGES)
			continue;
		index_remove(queue[i + 2]);
		message_free(queue[i + 2]);
		queue[i + 2] = NULL;
		gone++;
	}
	assert_int_equal(after, 0);
	for (i = 1; i < nfound; i++)
		assert_true(found[i]->id > found[i - 1]->id);
	assert_true(gone > 20);
	assert_int_equal(nfound, NMESSAGES / 2 - gone);
	selection_free(&sel);
	empty();
}

/* Enough is enough: after one more message none comes. */
static void
t_stop(void **state)
{
	struct selection	sel;
	uint64_t		after = 0;
	bool			stop = true;
	char			err[200];

	(void)state;
	fill(5);
	assert_int_equal(selection_parse(&sel, SLICE_STR("all"), err,
	    sizeof(err)), 0);
	nfound = 0;
	assert_int_equal(select_step(&sel, &after, 100, NOW, on_found, &stop),
	    1);
	assert_int_equal(nfound, 1);
	assert_int_equal(after, found[0]->id);
	selection_free(&sel);
	empty();
}

/* The spool is read for what matches otherwise, and for nothing else. */
static void
t_reads(void **state)
{
	uint32_t	i;

	(void)state;
	fill(6);
	for (i = 0; i < NMESSAGES; i++) {
		queue[i]->flags = 0;
		queue[i]->rcpts[0].tries = 1;
	}
	nreads = 0;
	find("user bob\nsize <5k", 1000);
	assert_int_equal(nreads, 0);
	find("id 1000000\nid 1000001\nid 1000002\nerror zzz", 1000);
	assert_in_range(nreads, 1, 4);
	nreads = 0;
	find("user nobody\nerror full", 1000);
	assert_int_equal(nreads, 0);
	empty();
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_random),
		cmocka_unit_test(t_meanwhile),
		cmocka_unit_test(t_stop),
		cmocka_unit_test(t_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
