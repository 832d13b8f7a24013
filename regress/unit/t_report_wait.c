/* links: msad/queue/report_wait.c msad/queue/wakes.c msad/queue/index*.c */
/* links: msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/*
 * What happens at a time to few messages, and whose turn it is when there are
 * too many reports.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "msad/queue/report_wait.h"
#include "msad/queue/wakes.h"

static struct conf	conf;

struct conf *
child_conf(void)
{
	return &conf;
}

static struct message *
message(uint64_t id, const char *user, const char *tenant)
{
	struct envelope	 e = { .user = SLICE_STR(user),
		.relay = SLICE_STR("r"), .tenant = SLICE_STR(tenant),
		.auth = SLICE_STR(""), .mech = SLICE_STR(""),
		.sender = SLICE_STR("s@x.example"), .msgid = SLICE_STR("") };
	struct slice	 to = SLICE_STR("a@x.example");
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	assert_non_null(p = envelope_encode(&e, &to, NULL, 1, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, 10, &e));
	free(p);
	index_insert(m);
	return m;
}

static void
away(uint64_t id)
{
	struct message	*m = index_find(id);

	index_remove(m);
	message_free(m);
}

/* The earliest first, whatever the order they came in. */
static void
in_order_of_time(void **state)
{
	static const uint32_t	when[] = { 50, 10, 40, 10, 30, 20, 60 };
	struct wakes		h = { NULL, 0, 0 };
	uint32_t		i, last = 0, now;
	uint64_t		id;

	(void)state;
	assert_int_equal(wakes_take(&h, UINT32_MAX), 0);
	for (i = 0; i < 7; i++)
		wakes_add(&h, i + 1, when[i]);
	assert_int_equal(wakes_take(&h, 9), 0);
	wakes_move(&h, 100);
	assert_int_equal(wakes_take(&h, 109), 0);
	for (now = 0; now < 200; now++)
		while ((id = wakes_take(&h, now)) != 0) {
			assert_int_equal(when[id - 1] + 100, now);
			assert_true(when[id - 1] >= last);
			last = when[id - 1];
		}
	assert_int_equal(h.n, 0);
	wakes_add(&h, 1, 5);
	wakes_move(&h, -100);
	assert_int_equal(wakes_take(&h, 0), 1);
	free(h.w);
}

/* Those whose message has gone take no room for long. */
static void
no_larger_than_the_queue(void **state)
{
	struct wakes	h = { NULL, 0, 0 };
	uint64_t	id;

	(void)state;
	for (id = 1; id <= 100000; id++) {
		message(id, "u", "");
		wakes_add(&h, id, UINT32_MAX);
		if (id > 50)
			away(id - 50);
	}
	assert_true(h.cap <= 256);
	for (id = 100000 - 49; id <= 100000; id++)
		away(id);
	free(h.w);
}

static void
turns(void **state)
{
	struct conf_rate	r = { 3, 60 };
	int64_t			t = 1000000;
	unsigned int		i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(report_turn('x', "a", &r, t), 0);
	/* one becomes free each 20 seconds; each takes its place */
	assert_int_equal(report_turn('x', "a", &r, t), 20);
	assert_int_equal(report_turn('x', "a", &r, t), 40);
	assert_int_equal(report_turn('x', "b", &r, t), 0);
	assert_int_equal(report_turn('y', "a", &r, t), 0);
	t += 45000;
	assert_int_equal(report_turn('x', "a", &r, t), 15);
	t += 1000000;
	assert_int_equal(report_turn('x', "a", &r, t), 0);
	r.period = 0;
	for (i = 0; i < 100; i++)
		assert_int_equal(report_turn('x', "c", &r, t), 0);
}

/* A rate that is changed counts what was taken as so many as before. */
static void
turns_of_another_rate(void **state)
{
	struct conf_rate	r = { 2, 3600 };
	unsigned int		i;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(report_turn('z', "a", &r, 5000), 0);
	assert_int_equal(report_turn('z', "a", &r, 5000), 1800);
	r.n = 100;
	for (i = 0; i < 97; i++)
		assert_int_equal(report_turn('z', "a", &r, 5000), 0);
	assert_int_equal(report_turn('z', "a", &r, 5000), 36);
}

/*
 * One address gets so many, and a user's messages cause no more of them than it
 * may send messages, whatever addresses it takes.
 */
static void
no_more_than_one_may_send(void **state)
{
	struct message	*m = message(1, "u", "t"), *other = message(2, "u", "");
	unsigned int	 i;
	char		 to[32];

	(void)state;
	conf.bounce.reports = (struct conf_rate){ 2, 3600 };
	assert_int_equal(report_turn_of(m, "a@x", 0), 0);
	assert_int_equal(report_turn_of(m, "A@X", 0), 0);
	assert_int_equal(report_turn_of(m, "a@x", 0), 1800);
	assert_int_equal(report_turn_of(m, "b@x", 0), 0);
	conf.user_rates.rate[CONF_RATE_MESSAGES] =
	    (struct conf_rate){ 4, 3600 };
	conf.user_rates.set = 1U << CONF_RATE_MESSAGES;
	for (i = 0; i < 4; i++) {
		snprintf(to, sizeof(to), "%u@y", i);
		assert_int_equal(report_turn_of(m, to, 0), 0);
	}
	assert_int_equal(report_turn_of(m, "new@y", 0), 900);
	assert_int_equal(report_turn_of(other, "newer@y", 0), 0);
	memset(&conf.user_rates, 0, sizeof(conf.user_rates));
	conf.bounce.reports.period = 0;
	assert_int_equal(report_turn_of(m, "a@x", 0), 0);
	away(1);
	away(2);
}

/* The same of a tenant, whoever of it sends. */
static void
no_more_than_a_tenant_may_send(void **state)
{
	static const char	text[] = "hostname h\ntenant \"t\" {\n"
	    "limit tenant { messages 3/hour }\n}\n";
	struct conf		*c;
	struct message		*m = message(1, "a", "t");
	struct message		*other = message(2, "b", "t");

	(void)state;
	assert_non_null(c = conf_parse_text(text, strlen(text), "t",
	    stderr));
	conf = *c;
	assert_int_equal(report_turn_of(m, "1@t", 0), 0);
	assert_int_equal(report_turn_of(other, "2@t", 0), 0);
	assert_int_equal(report_turn_of(m, "3@t", 0), 0);
	assert_int_equal(report_turn_of(other, "4@t", 0), 1200);
	memset(&conf, 0, sizeof(conf));
	conf_free(c);
	away(1);
	away(2);
}

static unsigned int	nwoken;

static void
woken(struct message *m, time_t now)
{
	(void)now;
	assert_false(m->flags & MESSAGE_WAITS_REPORT);
	nwoken++;
}

static void
waiting_ends(void **state)
{
	struct message	*m = message(1, "u", "");
	unsigned int	 i;

	(void)state;
	report_wait_tick(0, woken);	/* knows the rate */
	report_wait(m, 3);
	report_wait(m, 100);	/* it waits already */
	message(2, "u", "");
	report_wait(index_find(2), 2);
	away(2);
	for (i = 0; i < 2; i++)
		report_wait_tick(0, woken);
	assert_int_equal(nwoken, 0);
	report_wait_tick(0, woken);
	assert_int_equal(nwoken, 1);
	/* another rate: all of them ask for their turn again */
	m->flags |= MESSAGE_REPORT_PAID;
	report_wait(m, 1000);
	report_wait_tick(0, woken);
	assert_int_equal(nwoken, 1);
	conf.bounce.reports = (struct conf_rate){ 7, 60 };
	report_wait_tick(0, woken);
	assert_int_equal(nwoken, 2);
	assert_false(m->flags & MESSAGE_REPORT_PAID);
	away(1);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(in_order_of_time),
		cmocka_unit_test(no_larger_than_the_queue),
		cmocka_unit_test(turns),
		cmocka_unit_test(turns_of_another_rate),
		cmocka_unit_test(no_more_than_one_may_send),
		cmocka_unit_test(no_more_than_a_tenant_may_send),
		cmocka_unit_test(waiting_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
