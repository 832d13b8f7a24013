/* links: msad/queue/steer.c msad/queue/mark.c msad/queue/select.c */
/* links: msad/queue/status.c msad/queue/show.c msad/queue/control_answer.c */
/* links: msad/queue/summary.c msad/queue/peers.c msad/queue/durable.c */
/* links: msad/queue/schedule*.c msad/queue/fair.c msad/queue/index*.c */
/* links: msad/queue/envelope.c regress/unit/steer_house.c */
/* links: msad/queue/blob.c */
/*
 * Sums over the queue: totals, the groups with most messages, ages by relay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "msad/queue/summary.h"
#include "regress/unit/steer_house.h"

#define MANY	40000U		/* more than a slice */

static void
ask_summary(enum group_key key, uint16_t max)
{
	put_caller(0);
	put(key, 1);
	put(max, 2);
	assert_int_equal(ask_raw(summary_queue), 0);
	expect(CTL_OK, got.groups, "");
	assert_int_equal(got.totals, 1);
}

static void
t_summary(void **state)
{
	(void)state;
	ask(STEER_REROUTE, "other", "user u1");
	ask(STEER_HOLD, "", "user u2");
	ask_summary(GROUP_RELAY, 0);
	assert_int_equal(got.total[0], N);
	assert_int_equal(got.total[1], N);
	assert_int_equal(got.total[2], N * 1000);
	assert_int_equal(got.total[3], 3);
	/* three of u2, of which one waits for a limit anyway */
	assert_int_equal(got.total[4], 3);
	assert_int_equal(got.total[5], 1);
	assert_int_equal(got.total[6], queue[0]->arrival);
	assert_int_equal(got.paused, 1);
	assert_int_equal(got.groups, 2);
	assert_string_equal(got.group[0], "out");
	assert_int_equal(got.count[0], 9);
	assert_int_equal(got.count[1], 3);
	assert_int_equal(got.flags[0], 0);
	ask_summary(GROUP_DOMAIN, 2);
	assert_int_equal(got.groups, 2);
	assert_string_equal(got.group[0], "d0.example");
	assert_int_equal(got.count[0], 4);
	ask_summary(GROUP_USER, 3);
	assert_string_equal(got.group[2], "u2");
	ask_summary(GROUP_TENANT, 0);
	assert_int_equal(got.groups, 1);
	assert_int_equal(got.count[0], N);
	ask_summary(GROUP_FROM, 0);
	assert_string_equal(got.group[0], "s@t.example");
	put_caller(0);
	put(GROUP_KEYS, 1);
	put(0, 2);
	assert_int_equal(ask_raw(summary_queue), -1);
	put_caller(1000);
	put(GROUP_RELAY, 1);
	put(0, 2);
	assert_int_equal(ask_raw(summary_queue), 0);
	expect(CTL_DENIED, 0, "permission denied");
}

/* So many values that it takes slices; the largest groups are found. */
static void
t_many(void **state)
{
	static struct message	*more[MANY];
	struct envelope		 e = { .user = SLICE_STR("u"),
		.tenant = SLICE_STR("t"), .auth = SLICE_STR("a"),
		.mech = SLICE_STR("m"), .relay = SLICE_STR("out"),
		.sender = SLICE_STR(""), .msgid = SLICE_STR("") };
	struct slice		 rcpt;
	uint8_t			*p;
	size_t			 len;
	unsigned int		 i;
	char			 to[64];

	(void)state;
	for (i = 0; i < MANY; i++) {
		snprintf(to, sizeof(to), "x@m%u.example",
		    i % 4000 == 3999 ? i / 20000 : i + 10);
		rcpt = SLICE_STR(to);
		p = envelope_encode(&e, &rcpt, NULL, 1, &len);
		assert_non_null(p);
		assert_int_equal(envelope_decode(p, len, &e), 0);
		more[i] = message_new(FIRST_ID + N + i, 1, &e);
		assert_non_null(more[i]);
		free(p);
		e.user = e.tenant = e.auth = e.mech = e.relay = SLICE_STR("m");
		e.sender = e.msgid = e.params = e.client = SLICE("", 0);
		index_insert(more[i]);
	}
	ask_summary(GROUP_DOMAIN, 5);
	assert_int_equal(got.groups, 5);
	assert_string_equal(got.group[0], "m0.example");
	assert_int_equal(got.count[0], 5);
	assert_string_equal(got.group[1], "m1.example");
	assert_int_equal(got.count[1], 5);
	assert_string_equal(got.group[2], "d0.example");
	assert_int_equal(got.count[2], 4);
	for (i = 0; i < MANY; i++) {
		index_remove(more[i]);
		message_free(more[i]);
	}
}

static void
ask_age(const char *selection)
{
	put_caller(0);
	put(0, 8);
	put_text(selection);
	assert_int_equal(ask_raw(summary_age), 0);
}

static void
t_age(void **state)
{
	(void)state;
	ask(STEER_REROUTE, "other", "user u1");
	queue[0]->arrival = (uint32_t)now - 1280 * 60;
	queue[1]->arrival = (uint32_t)now - 1279 * 60;
	ask_age("all");
	expect(CTL_OK, N, "");
	assert_int_equal(got.ages, 2);
	/* of 3 to 12 minutes, and the two above */
	assert_int_equal(got.age[0], 2);
	assert_int_equal(got.age[1], 5);
	assert_int_equal(got.age[2], 3);
	assert_int_equal(got.age[8], 1);
	assert_int_equal(got.age[9], 1);
	ask_age("id 1000000");
	expect(CTL_OK, 1, "");
	ask_age("x");
	assert_int_equal(got.status, CTL_ERROR);
	question_len--;
	assert_int_equal(ask_raw(summary_age), -1);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	tests[] = {
		T(t_summary),
		T(t_many),
		T(t_age),
	};

	return cmocka_run_group_tests(tests, open_house, close_house);
}
