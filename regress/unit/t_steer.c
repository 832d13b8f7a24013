/* links: msad/queue/steer.c msad/queue/mark.c msad/queue/select.c */
/* links: msad/queue/status.c msad/queue/show.c msad/queue/control_answer.c */
/* links: msad/queue/summary.c msad/queue/peers.c msad/queue/durable.c */
/* links: msad/queue/schedule*.c msad/queue/fair.c msad/queue/index*.c */
/* links: msad/queue/envelope.c regress/unit/steer_house.c */
/* links: msad/queue/blob.c */
/*
 * What operators do to messages by selection: each verb, what it leaves alone,
 * when it is answered, what of it is found after a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/mark.h"
#include "msad/queue/registers.h"
#include "msad/queue/schedule.h"
#include "msad/queue/status.h"
#include "msad/queue/steer.h"
#include "regress/unit/steer_house.h"

static void
t_list(void **state)
{
	unsigned int	i;

	(void)state;
	ask(STEER_LIST, "", "all");
	expect(CTL_OK, N, "");
	assert_int_equal(got.messages, N);
	assert_int_equal(got.rcpts, N);
	assert_int_equal(got.state, SHOWN_FUTURE);
	ask(STEER_LIST, "", "domain d1.example\nuser u1");
	expect(CTL_OK, 1, "");
	assert_int_equal(got.ids[0], FIRST_ID + 1);
	assert_int_equal(got.state, SHOWN_WAITING);
	assert_int_equal(got.next_try, now + 1001);
	assert_string_equal(got.reply, "450 4.2.2 mailbox full");
	assert_string_equal(got.relay, "out");
	ask(STEER_LIST, "", "user nobody");
	expect(CTL_OK, 0, "");
	ask(STEER_LIST, "", "state held");
	expect(CTL_OK, 1, "");
	ask(STEER_COUNT, "", "state deferred");
	expect(CTL_OK, 10, "");
	assert_int_equal(got.messages, 0);
	/* page by page */
	ask_from(STEER_LIST, 0, 5, "", "all");
	assert_int_equal(got.matched, 5);
	for (i = 0; got.next != 0; i++)
		ask_from(STEER_LIST, got.next, 5, "", "all");
	assert_int_equal(i, 2);
	assert_int_equal(got.matched, 2);
	assert_int_equal(ndisk, 0);
}

static void
t_hold(void **state)
{
	(void)state;
	ask_from(STEER_HOLD, 0, 0, "why", "domain d0.example");
	/* not before the disk has it */
	assert_int_equal(got.ends, 0);
	assert_int_equal(ndisk, 4);
	flush_disk();
	spin();
	expect(CTL_OK, 4, "");
	assert_true(queue[0]->flags & MESSAGE_STOPPED);
	assert_false(queue[1]->flags & MESSAGE_STOPPED);
	assert_string_equal(did.events[0], "held");
	assert_int_equal(did.nevents, 4);
	ask(STEER_LIST, "", "id 1000000");
	assert_int_equal(got.state, SHOWN_HELD);
	assert_int_equal(got.next_try, 0);
	ask(STEER_HOLD, "", "id 1000000");
	expect(CTL_NO_MATCH, 0, "they are held already");
	ask(STEER_HOLD, "", "id 2000000");
	expect(CTL_NO_MATCH, 0, "no such message");
	ask(STEER_FLUSH, "", "id 1000000");
	expect(CTL_NO_MATCH, 0, "they are held or in flight");
	assert_int_equal(queue[0]->rcpts[0].next, now + 1000);
}

static void
t_release(void **state)
{
	(void)state;
	ask(STEER_RELEASE, "", "all");
	expect(CTL_OK, 2, "");
	assert_false(queue[10]->later);
	assert_false(queue[11]->later);
	ask(STEER_HOLD, "", "id 1000001");
	expect(CTL_OK, 1, "");
	ask(STEER_RELEASE, "", "id 1000001\nid 1000002");
	expect(CTL_OK, 1, "");
	assert_false(queue[1]->flags & MESSAGE_STOPPED);
	ask(STEER_LIST, "", "id 1000001");
	assert_int_equal(got.state, SHOWN_WAITING);
	/* the hold goes first, and the time it has to wait for with another */
	queue[3]->env_flags |= ENVELOPE_FUTURE;
	queue[3]->not_before = (uint32_t)now + 900;
	ask(STEER_HOLD, "", "id 1000003");
	ask(STEER_RELEASE, "", "all");
	expect(CTL_OK, 1, "");
	assert_true(queue[3]->later);
	ask(STEER_LIST, "", "id 1000003");
	assert_int_equal(got.state, SHOWN_FUTURE);
	ask(STEER_RELEASE, "", "all");
	expect(CTL_OK, 1, "");
	assert_false(queue[3]->later);
	ask(STEER_RELEASE, "", "all");
	expect(CTL_NO_MATCH, 0, "they are not held");
}

/* A flush of one domain makes nothing else due. */
static void
t_flush(void **state)
{
	unsigned int	i;

	(void)state;
	queue[0]->dest->fails = 2;
	queue[0]->dest->down_until = now + 500;
	ask(STEER_FLUSH, "", "domain D1.example");
	expect(CTL_OK, 3, "");
	for (i = 0; i < N; i++)
		if (i % 3 == 1 && i != 10)
			assert_true(queue[i]->rcpts[0].next <= schedule_now());
		else
			assert_int_equal(queue[i]->rcpts[0].next,
			    now + 1000 + i);
	/* what it goes by is tried again, too */
	assert_int_equal(queue[0]->dest->down_until, 0);
	assert_int_equal(ndisk, 0);
	assert_int_equal(did.nevents, 3);
}

static void
t_give_up(void **state)
{
	(void)state;
	ask(STEER_EXPIRE, "", "user u1");
	expect(CTL_OK, 3, "");
	assert_int_equal(did.expired, 3);
	ask(STEER_FAIL, "the domain is gone", "user u2\nuser u3");
	expect(CTL_OK, 6, "");
	assert_int_equal(did.failed, 6);
	assert_string_equal(did.reason, "the domain is gone");
	ask(STEER_FAIL, "", "user u0");
	assert_string_equal(did.reason, "none");
	message_set_status(queue[0], 0, RCPT_INFLIGHT);
	ask(STEER_FAIL, "", "id 1000000");
	expect(CTL_NO_MATCH, 0, "they are in flight");
}

static void
t_drop(void **state)
{
	(void)state;
	ask_from(STEER_DROP, 0, 0, "", "domain d2.example");
	assert_int_equal(got.ends, 0);
	assert_int_equal(did.gone, 0);
	/* nobody sees them any more */
	ask_from(STEER_LIST, 0, 0, "", "domain d2.example");
	expect(CTL_OK, 0, "");
	memset(&got, 0, sizeof(got));
	flush_disk();
	spin();
	assert_int_equal(got.ends, 1);
	expect(CTL_OK, 4, "");
	assert_int_equal(did.gone, 4);
	ask(STEER_DROP, "", "domain d2.example");
	expect(CTL_NO_MATCH, 0, "no such message");
}

static void
t_reroute(void **state)
{
	(void)state;
	ask(STEER_REROUTE, "nowhere", "all");
	expect(CTL_ERROR, 0, "the configuration has no relay \"nowhere\"");
	ask(STEER_REROUTE, "out", "all");
	expect(CTL_NO_MATCH, 0, "they go by this relay already");
	assert_int_equal(ndisk, 0);
	ask_from(STEER_REROUTE, 0, 0, "other", "user u1");
	assert_int_equal(got.ends, 0);
	flush_disk();
	spin();
	expect(CTL_OK, 3, "");
	assert_string_equal(message_relay(queue[1]), "other");
	assert_string_equal(queue[1]->dest->name, "other");
	assert_string_equal(message_relay(queue[2]), "out");
	assert_int_equal(queue[1]->dest->nmessages, 3);
	ask(STEER_COUNT, "", "relay other");
	expect(CTL_OK, 3, "");
	ask(STEER_COUNT, "", "relay out");
	expect(CTL_OK, 9, "");
	assert_string_equal(did.events[0], "rerouted");
	/* those that wait for a time as well */
	ask(STEER_REROUTE, "other", "state held\nstate future");
	expect(CTL_OK, 2, "");
	assert_string_equal(queue[11]->dest->name, "other");
	ask(STEER_RELEASE, "", "all");
	expect(CTL_OK, 2, "");
}

/* What a crash leaves of a message: its envelope and the newest mark. */
static struct message *
recover(unsigned int i)
{
	struct envelope	 e;
	struct message	*m;
	uint8_t		*p = queued_envelope(i, &e);
	unsigned int	 k;

	assert_non_null(m = message_new(FIRST_ID + 0x100 + i, 1000, &e));
	free(p);
	index_insert(m);
	for (k = ndisk; k-- > 0;)
		if (disk[k].id == FIRST_ID + i && disk[k].key == KEY_MESSAGE) {
			mark_recover(m, disk[k].buf, disk[k].len);
			break;
		}
	return m;
}

static void
forget(struct message *m)
{
	index_remove(m);
	message_free(m);
}

static void
t_recovery(void **state)
{
	struct mark_record	 ahead = { .flags = MARK_RELEASED,
		.not_before = (uint64_t)now + 86400, .relay = SLICE("", 0) };
	uint8_t			 buf[MARK_RECORD_MAX];
	size_t			 len;
	struct message	*m;

	(void)state;
	ask_from(STEER_REROUTE, 0, 0, "other", "id 1000001\nid 100000b");
	ask_from(STEER_HOLD, 0, 0, "", "id 1000001\nid 1000002\nid 100000b");
	m = recover(1);
	assert_true(m->flags & MESSAGE_STOPPED);
	assert_string_equal(message_relay(m), "other");
	assert_ptr_equal(index_select_after(INDEX_RELAY, SLICE_STR("other"),
	    FIRST_ID + 0x100), m);
	forget(m);
	m = recover(2);
	assert_true(m->flags & MESSAGE_STOPPED);
	assert_string_equal(message_relay(m), "out");
	assert_int_equal(m->not_before, 0);
	forget(m);
	/* its time is still to come */
	m = recover(11);
	assert_true(m->flags & MESSAGE_STOPPED);
	assert_int_equal(m->not_before, now + 5000);
	forget(m);
	/* a release forgets neither that it was rerouted nor anything else */
	ask_from(STEER_RELEASE, 0, 0, "",
	    "id 1000001\nid 1000002\nid 100000b");
	m = recover(2);
	assert_false(m->flags & MESSAGE_STOPPED);
	/* its days began anew, which a restart does not forget */
	assert_in_range(m->not_before, now, now + 10);
	forget(m);
	m = recover(11);
	assert_false(m->flags & MESSAGE_STOPPED);
	assert_int_equal(m->not_before, now + 5000);
	forget(m);
	ask_from(STEER_RELEASE, 0, 0, "", "id 100000b");
	m = recover(1);
	assert_false(m->flags & MESSAGE_STOPPED);
	assert_string_equal(message_relay(m), "other");
	forget(m);
	m = recover(11);
	assert_false(m->flags & MESSAGE_STOPPED);
	assert_in_range(m->not_before, now, now + 10);
	assert_string_equal(message_relay(m), "other");
	/* and what is done to it later knows all of that */
	m->flags |= MESSAGE_STOPPED;
	mark_write(m, NULL, NULL);
	forget(m);
	m = recover(3);
	mark_recover(m, disk[ndisk - 1].buf, disk[ndisk - 1].len);
	assert_true(m->flags & MESSAGE_STOPPED);
	assert_in_range(m->not_before, now, now + 10);
	assert_string_equal(message_relay(m), "other");
	forget(m);
	/* P-dur-4: released by a clock that was a day ahead, it goes now */
	m = recover(3);
	len = mark_record_encode(&ahead, buf);
	mark_recover(m, buf, len);
	assert_in_range(m->not_before, now, now + 10);
	forget(m);
	m = recover(3);
	mark_recover(m, "\377", 1);
	assert_string_equal(message_relay(m), "out");
	forget(m);
}

/*
 * What was put off before it was rerouted is due after a crash as it was before
 * it, and what was put off by the new relay waits.
 */
static void
t_recover_turn(void **state)
{
	struct mark_record	 mark = { MARK_RELEASED, 5000,
		SLICE_STR("other") };
	struct message		*m;
	uint8_t			 buf[MARK_RECORD_MAX];
	size_t			 len;
	static const struct { uint64_t last; uint32_t next, now; } c[] = {
		{ 4000, 7600, 5000 }, { 5000, 8600, 5000 },
		{ 5001, 8601, 8601 }, { 4000, 4300, 4300 }
	};
	unsigned int		 i;

	(void)state;
	for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		m = recover(4);
		m->rcpts[0].tries = 1;
		m->rcpts[0].next = c[i].next;
		mark_recover_tried(0, c[i].last);
		mark.relay = SLICE_STR("other");
		len = mark_record_encode(&mark, buf);
		mark_recover(m, buf, len);
		assert_int_equal(m->rcpts[0].next, c[i].now);
		forget(m);
	}
	/* held and released alone: it goes on as it was */
	m = recover(4);
	m->rcpts[0].tries = 1;
	m->rcpts[0].next = 7600;
	mark_recover_tried(0, 4000);
	mark.relay = SLICE("", 0);
	mark_recover(m, buf, mark_record_encode(&mark, buf));
	assert_int_equal(m->rcpts[0].next, 7600);
	forget(m);
}

/* Held by a rule when it came, as its envelope says. */
static void
t_recover_stopped(void **state)
{
	struct mark_record	 mark = { 0, 0, SLICE("", 0) };
	struct message		*m;
	uint8_t			 buf[MARK_RECORD_MAX];

	(void)state;
	m = recover(4);
	m->flags |= MESSAGE_STOPPED;
	mark_recover(m, buf, mark_record_encode(&mark, buf));
	assert_false(m->flags & MESSAGE_STOPPED);
	forget(m);
}

static void
t_refused(void **state)
{
	size_t	n;

	(void)state;
	ask(STEER_LIST, "", "usr x");
	assert_int_equal(got.status, CTL_ERROR);
	assert_non_null(strstr(got.reason, "\"usr x\""));
	ask(STEER_DROP, "", "");
	assert_int_equal(got.status, CTL_ERROR);
	/* neither root nor of the socket's group */
	put_caller(1000);
	put(STEER_DROP, 1);
	put(0, 8);
	put(0, 2);
	put_text("");
	put_text("all");
	assert_int_equal(ask_raw(steer_select), 0);
	expect(CTL_DENIED, 0, "permission denied");
	assert_int_equal(ndisk, 0);
	/* every cut of it is malformed, and so is what follows it */
	put_caller(0);
	put(STEER_LIST, 1);
	put(0, 8);
	put(0, 2);
	put_text("arg");
	put_text("all");
	for (n = question_len; question_len-- > 0;)
		assert_int_equal(ask_raw(steer_select), -1);
	question_len = n;
	put(0, 1);
	assert_int_equal(ask_raw(steer_select), -1);
	/* a verb there is not */
	question_len = n;
	question[10] = STEER_VERBS;
	assert_int_equal(ask_raw(steer_select), -1);
	/* an argument too long */
	put_caller(0);
	put(STEER_FAIL, 1);
	put(0, 8);
	put(0, 2);
	put(1025, 2);
	memset(question + question_len, 'x', 1025);
	question_len += 1025;
	put_text("all");
	assert_int_equal(ask_raw(steer_select), -1);
	assert_int_equal(got.ends, 0);
}

/* Control's channel is gone before the disk has it: no answer, no harm. */
static void
t_no_peer(void **state)
{
	uint64_t	epoch = peer->epoch;

	(void)state;
	ask_from(STEER_HOLD, 0, 0, "", "all");
	peer->epoch = epoch + 1;
	flush_disk();
	spin();
	assert_int_equal(got.ends, 0);
	peer->epoch = epoch;
	assert_true(queue[3]->flags & MESSAGE_STOPPED);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	tests[] = {
		T(t_list),
		T(t_hold),
		T(t_release),
		T(t_flush),
		T(t_give_up),
		T(t_drop),
		T(t_reroute),
		T(t_recovery),
		T(t_recover_turn), T(t_recover_stopped),
		T(t_refused),
		T(t_no_peer),
	};

	return cmocka_run_group_tests(tests, open_house, close_house);
}
