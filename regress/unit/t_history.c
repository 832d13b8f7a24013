/* links: msad/queue/history*.c msad/queue/blob.c msad/queue/index*.c */
/* links: msad/queue/envelope.c */
/* libs: idn2 */
/*
 * The history of messages: what stays is on the disk in one state of bounded
 * size, what left is remembered in memory, nothing waits for it. The spool is
 * played here.
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

#include "msad/queue/history.h"
#include "msad/queue/history_record.h"
#include "msad/queue/index.h"
#include "msad/queue/registers.h"
#include "msad/queue/spool.h"

#define NOW	1000000
#define FIRST	(UINT64_C(1) << 24)

/* The disk: the history of one message, and envelopes. */
static uint8_t		*state;
static size_t		 state_len;
static uint64_t		 state_id;
static unsigned int	 nwritten, nread, nopened;
static bool		 full, stuck;
static spool_done	 waiting;
static void		*waiting_arg;
static uint8_t		*env;
static size_t		 envlen;

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **p,
    size_t *len)
{
	(void)sp;
	assert_int_equal(key, KEY_HISTORY);
	*p = NULL;
	*len = 0;
	nread++;
	if (state == NULL || state_id != id)
		return SPOOL_NOENT;
	assert_non_null(*p = malloc(state_len));
	memcpy(*p, state, *len = state_len);
	return SPOOL_OK;
}

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t len, spool_done done, void *arg)
{
	(void)sp;
	assert_int_equal(key, KEY_HISTORY);
	assert_true(len > 0 && len <= HISTORY_RECORD_MAX);
	nwritten++;
	free(state);
	assert_non_null(state = malloc(len));
	memcpy(state, p, state_len = len);
	state_id = id;
	if (!stuck) {
		done(arg, SPOOL_OK);
		return;
	}
	assert_null(waiting);
	waiting = done;
	waiting_arg = arg;
}

static void
answer(enum spool_result result)
{
	spool_done	done = waiting;

	waiting = NULL;
	done(waiting_arg, result);
}

enum spool_result
spool_accepting(const struct spool *sp, const char **reason)
{
	(void)sp;
	(void)reason;
	return full ? SPOOL_NOSPACE : SPOOL_OK;
}

enum spool_result
spool_content_open(struct spool *sp, uint64_t id, struct spool_content *c)
{
	(void)sp;
	(void)id;
	nopened++;
	memset(c, 0, sizeof(*c));
	c->env = env;
	c->envlen = envlen;
	return env == NULL ? SPOOL_CORRUPT : SPOOL_OK;
}

void
spool_content_close(struct spool_content *c)
{
	(void)c;
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

static struct message *
new_message(uint64_t id)
{
	struct slice	 rcpts[] = { SLICE_STR("a@x.example"),
		SLICE_STR("b@x.example") };
	struct envelope	 e = { .arrival = NOW - 5, .user = SLICE_STR("ann"),
		.tenant = SLICE_STR("acme"), .relay = SLICE_STR("smart"),
		.sender = SLICE_STR("ann@example.org"), .epoch = 5, .sid = 6,
		.client = SLICE_STR("192.0.2.1") };
	struct message	*m;

	free(env);
	assert_non_null(env = envelope_encode(&e, rcpts, NULL, 2, &envlen));
	assert_int_equal(envelope_decode(env, envlen, &e), 0);
	assert_non_null(m = message_new(id, 1234, &e));
	index_insert(m);
	return m;
}

static void
leave(struct message *m)
{
	history_forget(m->id);
	index_remove(m);
	message_free(m);
}

static void
attempt(const struct message *m, time_t when, const char *event, uint32_t i,
    const char *reply)
{
	struct history_attempt	a = { event, message_rcpt(m, i),
		"mx.example", reply, NULL, 450 };

	history_attempt(m, when, &a);
}

/* What is told: "event text\n" of each. */
static char	told[16384];

static void
tell(void *arg, time_t when, const char *event, const char *text)
{
	size_t	n = strlen(told);

	assert_true(when >= *(time_t *)arg);
	*(time_t *)arg = when;
	snprintf(told + n, sizeof(told) - n, "%s %s\n", event, text);
}

static unsigned int
ask(uint64_t id)
{
	time_t	last = 0;

	told[0] = '\0';
	return history_each(id, tell, &last);
}

static int
setup(void **arg)
{
	(void)arg;
	free(state);
	state = NULL;
	nwritten = nread = nopened = 0;
	full = stuck = false;
	return 0;
}

#define ACCEPTED "accepted user=\"ann\" tenant=\"acme\" " \
    "from=\"ann@example.org\" nrcpts=2 size=1234 relay=\"smart\""

/* Acceptance and delivery at once write nothing. */
static void
fast_path(void **arg)
{
	struct message	*m = new_message(FIRST + 1);

	(void)arg;
	history_accepted(m, 1, 2, "192.0.2.9");
	attempt(m, NOW, "delivered", 0, "ok");
	attempt(m, NOW, "delivered", 1, "ok");
	history_end(m, NOW, NULL);
	assert_int_equal(nwritten, 0);
	assert_int_equal(nopened, 0);
	leave(m);
	assert_int_equal(ask(FIRST + 1), 2);
	assert_string_equal(told, ACCEPTED " client=192.0.2.9 s=1-2\n"
	    "delivered to=a@x.example and 1 more mx.example: 450 ok\n");
	assert_int_equal(ask(FIRST + 2), 0);
}

/* What stays is on the disk once a round, and read from there. */
static void
stays(void **arg)
{
	struct message	*m = new_message(FIRST + 3);

	(void)arg;
	assert_int_equal(ask(m->id), 1);
	assert_string_equal(told, ACCEPTED " client=192.0.2.1 s=5-6\n");
	attempt(m, NOW, "delivered", 0, "ok");
	attempt(m, NOW, "deferred", 1, "later");
	assert_int_equal(nwritten, 0);
	assert_int_equal(ask(m->id), 3);
	history_settle(m->id);
	assert_int_equal(nwritten, 1);
	history_settle(m->id);
	history_tick();
	assert_int_equal(nwritten, 1);
	history_add(m, NOW + 1, "held", "uid=%u", 7);
	assert_int_equal(nwritten, 2);
	assert_int_equal(ask(m->id), 4);
	assert_string_equal(told, ACCEPTED " client=192.0.2.1 s=5-6\n"
	    "delivered to=a@x.example mx.example: 450 ok\n"
	    "deferred to=b@x.example mx.example: 450 later\n"
	    "held uid=7\n");
	/* nobody settles: a second later it goes there */
	attempt(m, NOW + 2, "deferred", 1, "later");
	history_tick();
	assert_int_equal(nwritten, 3);
	/* when it leaves, all of it is remembered */
	attempt(m, NOW + 3, "delivered", 1, "ok");
	history_end(m, NOW + 3, "removed");
	history_end(m, NOW + 3, "removed");
	leave(m);
	state_id = 0;
	assert_int_equal(ask(FIRST + 3), 7);
	assert_non_null(strstr(told, "client=192.0.2.1 s=5-6\n"));
	assert_non_null(strstr(told, "held uid=7\n"));
	assert_non_null(strstr(told, "removed \n"));
	assert_int_equal(nwritten, 3);
}

/* Many recipients in one job are one event; different answers are few. */
static void
one_moment(void **arg)
{
	struct message	*m = new_message(FIRST + 4);
	char		 reply[64];
	int		 i;

	(void)arg;
	for (i = 0; i < 500; i++)
		attempt(m, NOW, "deferred", i % 2, "later");
	for (i = 0; i < 500; i++) {
		snprintf(reply, sizeof(reply), "later, number %d", i);
		attempt(m, NOW + 1, "deferred", i % 2, reply);
	}
	history_settle(m->id);
	assert_int_equal(nwritten, 1);
	assert_int_equal(ask(m->id), 7);
	assert_non_null(strstr(told, "to=a@x.example and 499 more"));
	assert_non_null(strstr(told, "to=b@x.example mx.example: 450 later, "
	    "number 3\n"));
	assert_non_null(strstr(told, "and 495 more (other answers)\n"));
	leave(m);
}

/* However much happens: so many events, so many octets. */
static void
bounded(void **arg)
{
	struct message	*m = new_message(FIRST + 5);
	char		 reply[500];
	int		 i;

	(void)arg;
	for (i = 0; i < 100; i++) {
		attempt(m, NOW + i, "deferred", 0, "no");
		history_settle(m->id);
	}
	assert_int_equal(nwritten, 100);
	assert_int_equal(ask(m->id), 2 + HISTORY_EVENTS_MAX);
	assert_non_null(strstr(told, "cut 76 older events are not kept\n"));
	memset(reply, 'x', sizeof(reply));
	reply[sizeof(reply) - 1] = '\0';
	for (i = 0; i < 100; i++) {
		attempt(m, NOW + 100 + i, "deferred", 0, reply);
		history_settle(m->id);
	}
	assert_true(state_len <= HISTORY_RECORD_MAX);
	assert_true(ask(m->id) > 20);
	leave(m);
}

/* A full disk is not filled with histories; nothing waits for one. */
static void
disk_is_full(void **arg)
{
	struct message	*m = new_message(FIRST + 6);

	(void)arg;
	full = true;
	attempt(m, NOW, "deferred", 0, "later");
	history_settle(m->id);
	assert_int_equal(nwritten, 0);
	full = false;
	history_tick();
	assert_int_equal(nwritten, 0);
	assert_int_equal(ask(m->id), 1);
	leave(m);
}

/* More happens, or it leaves, while the disk has not answered. */
static void
slow_disk(void **arg)
{
	struct message	*m = new_message(FIRST + 7);

	(void)arg;
	stuck = true;
	history_add(m, NOW, "held", "one");
	nread = 0;
	attempt(m, NOW, "deferred", 0, "two");
	assert_int_equal(nread, 0);	/* it is in memory yet */
	answer(SPOOL_IO);
	history_settle(m->id);
	assert_int_equal(nwritten, 2);
	history_end(m, NOW, NULL);
	leave(m);
	answer(SPOOL_NOENT);
	assert_int_equal(ask(FIRST + 7), 3);
}

/* A report removes the message in one go: what is there is kept before. */
static void
removed_with_its_report(void **arg)
{
	struct message	*m = new_message(FIRST + 8);

	(void)arg;
	history_add(m, NOW, "held", "one");
	history_keep(m->id);
	free(state);
	state = NULL;
	attempt(m, NOW, "bounced", 0, "no");
	history_end(m, NOW, NULL);
	leave(m);
	assert_int_equal(ask(FIRST + 8), 3);
	/* it could not be written: the message stays, and so does this */
	m = new_message(FIRST + 9);
	history_add(m, NOW, "held", "one");
	history_keep(m->id);
	history_settle(m->id);
	nread = 0;
	assert_int_equal(ask(m->id), 2);
	assert_int_equal(nread, 1);
	leave(m);
}

static void
ended_ring(void **arg)
{
	struct message	*m;
	uint64_t	 i;

	(void)arg;
	for (i = 0; i < HISTORY_ENDED_MAX + 10; i++) {
		m = new_message(FIRST + 100 + i);
		history_end(m, NOW, "removed");
		leave(m);
	}
	assert_int_equal(ask(FIRST + 100 + 9), 0);
	assert_int_equal(ask(FIRST + 100 + 10), 2);
	assert_int_equal(ask(FIRST + 100 + i - 1), 2);
	/* an unreadable state is none */
	m = new_message(FIRST + 99);
	assert_non_null(state = malloc(3));
	memcpy(state, "\1xx", state_len = 3);
	state_id = m->id;
	assert_int_equal(ask(m->id), 1);
	history_add(m, NOW, "held", "one");
	assert_int_equal(ask(m->id), 2);
	leave(m);
}

/* Long ones go over each other, and those that are there are whole. */
static void
ended_octets(void **arg)
{
	struct message	*m;
	char		 text[200];
	uint64_t	 id = FIRST + 200000, n, i;
	unsigned int	 k, found = 0, got;

	(void)arg;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (n = 0; n < 6000; n++) {
		m = new_message(id + n);
		for (k = 0; k < 1 + n % 23; k++)
			history_add(m, NOW + k, "held", "%u %s", k, text);
		history_end(m, NOW, NULL);
		leave(m);
	}
	for (i = 0; i < n; i++) {
		if ((got = ask(id + i)) == 0) {
			assert_int_equal(found, 0);	/* the oldest went */
			continue;
		}
		assert_true(got >= 2);
		found++;
	}
	assert_in_range(found, HISTORY_ENDED_OCTETS / 6000, n - 1000);
}

/* What a message costs that leaves at the first attempt. */
static void
cost(void **arg)
{
	struct message	*m = new_message(FIRST + 50000);
	struct timespec	 a, b;
	int		 i, n = 20000;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++) {
		history_accepted(m, 1, 2, "192.0.2.9");
		attempt(m, NOW, "delivered", 0, "2.0.0 Ok: queued as 12345");
		history_end(m, NOW, NULL);
		m->id++;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	m->id -= (uint64_t)n;
	print_message("# %.2f us a message\n", ((double)(b.tv_sec - a.tv_sec) *
	    1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 1e3 / n);
	assert_int_equal(nwritten, 0);
	assert_int_equal(nopened, 0);
	leave(m);
}

static void
records(void **arg)
{
	struct history_record	r = { 0 }, back;
	struct history_event	e = { NOW, 3, SLICE_STR("deferred"),
		SLICE_STR("a@x"), SLICE_STR("450 later") };
	uint8_t			buf[HISTORY_RECORD_MAX + 1];
	size_t			n, i;

	(void)arg;
	history_record_add(&r, &e);
	r.dropped = 77;
	n = history_record_encode(&r, buf);
	assert_int_equal(history_record_decode(buf, n, &back), 0);
	assert_int_equal(back.n, 1);
	assert_int_equal(back.dropped, 77);
	assert_int_equal(back.events[0].time, NOW);
	assert_int_equal(back.events[0].more, 3);
	assert_true(slice_is(back.events[0].event, "deferred"));
	assert_true(slice_is(back.events[0].rcpt, "a@x"));
	assert_true(slice_is(back.events[0].text, "450 later"));
	for (i = 0; i < n; i++)
		assert_int_equal(history_record_decode(buf, i, &back), -1);
	buf[n] = 0;
	assert_int_equal(history_record_decode(buf, n + 1, &back), -1);
	buf[5] = HISTORY_EVENTS_MAX + 1;
	assert_int_equal(history_record_decode(buf, n, &back), -1);
	buf[5] = 1;
	buf[0] = HISTORY_RECORD_VERSION + 1;
	assert_int_equal(history_record_decode(buf, n, &back), -1);
}

/* The longest of all: the oldest go, the newest stay. */
static void
longest_records(void **arg)
{
	static char		long_text[1000];
	struct history_record	r = { 0 }, back;
	struct history_event	e = { NOW, 3, SLICE(long_text, 1000),
		SLICE(long_text, 1000), SLICE(long_text, 1000) };
	uint8_t			buf[HISTORY_RECORD_MAX];
	size_t			n;
	int			i;

	(void)arg;
	memset(long_text, 'x', sizeof(long_text));
	for (i = 0; i < HISTORY_EVENTS_MAX; i++) {
		e.time++;
		history_record_add(&r, &e);
	}
	n = history_record_encode(&r, buf);
	assert_int_equal(history_record_decode(buf, n, &back), 0);
	assert_int_equal(back.n, 18);
	assert_int_equal(back.dropped, 6);
	assert_int_equal(back.events[17].time, NOW + HISTORY_EVENTS_MAX);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup(fast_path, setup),
		cmocka_unit_test_setup(stays, setup),
		cmocka_unit_test_setup(one_moment, setup),
		cmocka_unit_test_setup(bounded, setup),
		cmocka_unit_test_setup(disk_is_full, setup),
		cmocka_unit_test_setup(slow_disk, setup),
		cmocka_unit_test_setup(removed_with_its_report, setup),
		cmocka_unit_test_setup(ended_ring, setup),
cmocka_unit_test_setup(ended_octets, setup),
		cmocka_unit_test_setup(cost, setup),
		cmocka_unit_test_setup(records, setup),
		cmocka_unit_test_setup(longest_records, setup),
	};
	int			failed;

	history_init(NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(state);
	free(env);
	return failed;
}
