/* links: msad/control/client.c msad/control/question*.c */
/* links: regress/unit/control_side.c regress/unit/control_house.c */
/* links: msad/control/answer.c msad/control/request.c */
/* links: msad/control/peers.c msad/control/stats.c */
/* libs: jansson */
/*
 * msad-control's questions that steer the queue: what each carries, pages that
 * are summed up, a caller who leaves between two of them, the answers in JSON.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/selection.h"
#include "msad/control/client.h"
#include "regress/unit/control_house.h"
#include "regress/unit/control_side.h"

/* What the last question carried, and how it is answered. */
static struct {
	unsigned int	 asked;
	unsigned int	 type;
	unsigned int	 verb, what;
	uint64_t	 after, id;
	uint16_t	 max;
	uint32_t	 seconds, number;
	char		 argument[600];
	char		 select[SELECTION_TEXT_MAX + 1];
	/* the answer: pages of so many, the last with this status */
	unsigned int	 pages;
	uint32_t	 matched;
	uint8_t		 status;
	int		 mute;
	struct ipc	*ch;
	uint64_t	 sid;
} q;

/* End a page, with others to follow while there are any. */
static void
put_page(struct ipc *ch, uint64_t sid)
{
	bool	 more = q.pages > 1;

	if (q.pages > 0)
		q.pages--;
	put_queue_end(ch, sid, more ? 0 : q.status, q.matched,
	    more ? q.after + 10 : 0);
}

static int
on_select(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.verb = ipc_get_u8(&r);
	q.after = ipc_get_u64(&r);
	q.max = ipc_get_u16(&r);
	ipc_copy_str(&r, q.argument, sizeof(q.argument));
	ipc_copy_str(&r, q.select, sizeof(q.select));
	assert_true(ipc_done(&r));
	q.asked++;
	q.ch = ch;
	q.sid = msg->sid;
	if (!q.mute)
		put_page(ch, msg->sid);
	return 0;
}

static void
put_ages(struct ipc *ch, uint64_t sid, const char *relay, uint32_t n)
{
	uint32_t	 i;

	ipc_start(ch, IPC_CTL_QUEUE_AGES, sid);
	ipc_put_str(ch, relay);
	for (i = 0; i < AGE_BUCKETS; i++)
		ipc_put_u32(ch, i == 9 ? UINT32_MAX : n + i);
	ipc_send(ch);
}

static int
on_age(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.after = ipc_get_u64(&r);
	ipc_copy_str(&r, q.select, sizeof(q.select));
	assert_true(ipc_done(&r));
	q.asked++;
	put_ages(ch, msg->sid, "smart", 1);
	if (q.pages == 1)
		put_ages(ch, msg->sid, "re\xff", 0);
	put_page(ch, msg->sid);
	return 0;
}

static void
put_group(struct ipc *ch, uint64_t sid, const char *name, uint8_t flags)
{
	ipc_start(ch, IPC_CTL_QUEUE_GROUP, sid);
	ipc_put_str(ch, name);
	ipc_put_u64(ch, 12);
	ipc_put_u32(ch, flags == 0 ? 0 : 3);
	ipc_put_u8(ch, flags);
	ipc_put_u64(ch, flags == 0 ? 0 : 5000);
	ipc_put_str(ch, flags == 0 ? "" : "refused \x1b[1m");
	ipc_send(ch);
}

static int
on_summary(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint64_t		 i;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.what = ipc_get_u8(&r);
	q.max = ipc_get_u16(&r);
	assert_true(ipc_done(&r));
	ipc_start(ch, IPC_CTL_QUEUE_TOTAL, msg->sid);
	for (i = 1; i <= 7; i++)
		ipc_put_u64(ch, i);
	ipc_put_u8(ch, 1);
	ipc_send(ch);
	put_group(ch, msg->sid, "x\xff", q.what == GROUP_RELAY ?
	    GROUP_DOWN | GROUP_UNKNOWN : 0);
	put_queue_end(ch, msg->sid, 0, 1, 0);
	return 0;
}

static int
on_one(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	static const char	 octets[] = "From: \0\xff\r\n";
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.id = ipc_get_u64(&r);
	q.after = msg->type == IPC_CTL_QUEUE_CAT ? ipc_get_u64(&r) : 0;
	assert_true(ipc_done(&r));
	q.asked++;
	if (q.id == 2) {
		put_queue_end(ch, msg->sid, 5, 0, 0);
		return 0;
	}
	if (msg->type == IPC_CTL_QUEUE_CAT) {
		ipc_start(ch, IPC_CTL_QUEUE_OCTETS, msg->sid);
		ipc_put_bytes(ch, octets, sizeof(octets) - 1);
		ipc_send(ch);
		put_page(ch, msg->sid);
		return 0;
	}
	ipc_start(ch, IPC_CTL_QUEUE_EVENT, msg->sid);
	ipc_put_u64(ch, 1000);
	ipc_put_str(ch, "deferred");
	ipc_put_str(ch, "451 \xff later\x1b[1m");
	ipc_send(ch);
	put_queue_end(ch, msg->sid, 0, 1, 0);
	return 0;
}

static int
on_rule(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.type = msg->type;
	if (msg->type == IPC_CTL_RULE_ADD) {
		q.what = ipc_get_u8(&r);
		q.seconds = ipc_get_u32(&r);
		ipc_copy_str(&r, q.argument, sizeof(q.argument));
		ipc_copy_str(&r, q.select, sizeof(q.select));
	} else if (msg->type == IPC_CTL_RULE_REMOVE)
		q.number = ipc_get_u32(&r);
	assert_true(ipc_done(&r));
	if (msg->type == IPC_CTL_RULES) {
		ipc_start(ch, IPC_CTL_RULE, msg->sid);
		ipc_put_u32(ch, 3);
		ipc_put_u8(ch, RULE_REJECT);
		ipc_put_u32(ch, 90);
		ipc_put_u32(ch, 1000);
		ipc_put_u64(ch, 2000);
		ipc_put_u64(ch, 17);
		ipc_put_str(ch, "no \"spam\"");
		ipc_put_str(ch, "user ann\nsize 1M");
		ipc_send(ch);
	}
	put_queue_end(ch, msg->sid, q.number == 9 ? 5 : 0, 1,
	    msg->type == IPC_CTL_RULE_ADD ? 3 : 0);
	return 0;
}

static int
on_pause(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	q.type = msg->type;
	if (msg->type == IPC_CTL_PAUSE) {
		q.verb = ipc_get_u8(&r);
		q.what = ipc_get_u8(&r);
		q.seconds = ipc_get_u32(&r);
		ipc_copy_str(&r, q.argument, sizeof(q.argument));
	} else {
		ipc_start(ch, IPC_CTL_PAUSED, msg->sid);
		ipc_put_u8(ch, PAUSE_DOMAIN);
		ipc_put_u32(ch, 0);
		ipc_put_u32(ch, 1000);
		ipc_put_u64(ch, 2000);
		ipc_put_str(ch, "x.example");
		ipc_send(ch);
	}
	assert_true(ipc_done(&r));
	put_queue_end(ch, msg->sid, q.status, 1, 0);
	return 0;
}

const struct ipc_handler	 queue_side[] = {
	{ IPC_CTL_QUEUE_SELECT, on_select },
	{ IPC_CTL_QUEUE_AGE, on_age },
	{ IPC_CTL_QUEUE_SUMMARY, on_summary },
	{ IPC_CTL_QUEUE_CAT, on_one },
	{ IPC_CTL_QUEUE_LOG, on_one },
	{ IPC_CTL_RULE_ADD, on_rule },
	{ IPC_CTL_RULE_REMOVE, on_rule },
	{ IPC_CTL_RULES, on_rule },
	{ IPC_CTL_PAUSE, on_pause },
	{ IPC_CTL_PAUSES, on_pause },
	{ 0, NULL }
};

const struct ipc_handler	 parent_side[] = { { 0, NULL } };

static int
setup(void **state)
{
	(void)state;
	memset(&q, 0, sizeof(q));
	q.matched = 3;
	return house_open();
}

static int
teardown(void **state)
{
	(void)state;
	house_close();
	return 0;
}

/* --- selections --- */

static void
verb(const char *request, enum steer_verb want, const char *argument,
    const char *select)
{
	ask(request);
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":3}\n");
	assert_int_equal(q.verb, want);
	assert_string_equal(q.argument, argument);
	assert_string_equal(q.select, select);
	assert_true(q.after == 0);
	assert_int_equal(q.max, 1000);
}

static void
t_verbs(void **state)
{
	(void)state;
	verb("{\"cmd\":\"queue hold\",\"select\":[\"user ann\","
	    "\"age 1d\"]}\n", STEER_HOLD, "", "user ann\nage 1d");
	verb("{\"cmd\":\"queue hold\",\"select\":[\"id 1\"],"
	    "\"reason\":\"look\"}\n", STEER_HOLD, "look", "id 1");
	verb("{\"cmd\":\"queue release\",\"select\":[\"id 1\"]}\n",
	    STEER_RELEASE, "", "id 1");
	verb("{\"cmd\":\"queue flush\",\"select\":[\"domain x\"]}\n",
	    STEER_FLUSH, "", "domain x");
	verb("{\"cmd\":\"queue expire\",\"select\":[\"age 4d\"]}\n",
	    STEER_EXPIRE, "", "age 4d");
	verb("{\"cmd\":\"queue fail\",\"select\":[\"to a@b\"],"
	    "\"reason\":\"gone\"}\n", STEER_FAIL, "gone", "to a@b");
	verb("{\"cmd\":\"queue drop\",\"select\":[\"from <>\"]}\n",
	    STEER_DROP, "", "from <>");
	verb("{\"cmd\":\"queue reroute\",\"select\":[\"relay a\"],"
	    "\"to\":\"b\"}\n", STEER_REROUTE, "b", "relay a");
	verb("{\"cmd\":\"queue drop\",\"select\":[\"all\"],"
	    "\"count\":true}\n", STEER_COUNT, "drop", "all");
	verb("{\"cmd\":\"queue fail\",\"select\":[\"all\"],"
	    "\"reason\":\"x\",\"count\":true}\n", STEER_COUNT, "fail",
	    "all");
	verb("{\"cmd\":\"queue reroute\",\"select\":[\"all\"],"
	    "\"to\":\"b\",\"count\":true}\n", STEER_COUNT, "reroute b",
	    "all");
}

/* A selection as long as the queue takes one, in terms that JSON doubles. */
static void
t_longest(void **state)
{
	static char	 line[REQUEST_MAX + 2];
	size_t		 n, i, used;

	(void)state;
	used = (size_t)snprintf(line, sizeof(line),
	    "{\"cmd\":\"queue drop\",\"select\":[");
	for (n = 0; n < 8; n++) {
		used += (size_t)snprintf(line + used, sizeof(line) - used,
		    "%s\"user ", n == 0 ? "" : ",");
		for (i = 0; i < 994; i++)
			used += (size_t)snprintf(line + used,
			    sizeof(line) - used, "\\\"");
		line[used++] = '"';
	}
	used += (size_t)snprintf(line + used, sizeof(line) - used, "]}\n");
	assert_true(used <= REQUEST_MAX);
	ask(line);
	assert_int_equal(strlen(q.select), 8 * 999 + 7);
	assert_int_equal(q.verb, STEER_DROP);
}

/* Pages are summed up; what matched nothing at the end matched before. */
static void
t_pages(void **state)
{
	(void)state;
	q.pages = 3;
	ask("{\"cmd\":\"queue drop\",\"select\":[\"user ann\"]}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":9}\n");
	assert_int_equal(q.asked, 3);
	assert_true(q.after == 20);
	q.pages = 2;
	q.status = 5;
	ask("{\"cmd\":\"queue drop\",\"select\":[\"user ann\"]}\n");
	assert_non_null(strstr(in, "\"status\":0,\"matched\":6"));
	/* nothing in any page: 5, but not for all */
	q.matched = 0;
	q.status = 0;
	q.pages = 2;
	ask("{\"cmd\":\"queue drop\",\"select\":[\"user ann\"]}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":5,"
	    "\"error\":\"no message matches\",\"matched\":0}\n");
	ask("{\"cmd\":\"queue drop\",\"select\":[\"all\"]}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":0}\n");
	ask("{\"cmd\":\"queue list\",\"select\":[\"user ann\"]}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
	assert_int_equal(q.verb, STEER_LIST);
	assert_int_equal(q.max, 100);
}

/* It fails half-way: why, and how many were changed before. */
static void
t_half_way(void **state)
{
	(void)state;
	q.pages = 2;
	q.status = 1;
	ask("{\"cmd\":\"queue drop\",\"select\":[\"user ann\"]}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":1,"
	    "\"error\":\"no\",\"matched\":6}\n");
}

/* The caller is gone when a page ends: no other is asked for. */
static void
t_caller_gone(void **state)
{
	(void)state;
	q.mute = 1;
	q.pages = 100;
	say("{\"cmd\":\"queue drop\",\"select\":[\"all\"]}\n");
	while (q.asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	close(sock);
	q.mute = 0;
	put_page(q.ch, q.sid);
	while (!TAILQ_EMPTY(&clients))
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(q.asked, 1);
	call();
	q.pages = 1;
	ask("{\"cmd\":\"queue flush\",\"select\":[\"all\"]}\n");
	assert_int_equal(q.asked, 2);
}

/* One that only shut down its side is there and gets all. */
static void
t_half_closed(void **state)
{
	(void)state;
	q.pages = 4;
	in[in_len = 0] = '\0';
	say("{\"cmd\":\"queue drop\",\"select\":[\"all\"]}\n");
	shutdown(sock, SHUT_WR);
	assert_true(hear(1));
	assert_non_null(strstr(in, "\"matched\":12"));
}

/* --- looking --- */

static void
t_age(void **state)
{
	(void)state;
	q.pages = 2;
	ask("{\"cmd\":\"queue age\",\"select\":[\"user ann\"]}\n");
	assert_string_equal(in, "{\"relay\":\"smart\",\"messages\":"
	    "8589934680,\"ages\":[2,4,6,8,10,12,14,16,18,8589934590]}\n"
	    "{\"relay\":\"re\xef\xbf\xbd\",\"messages\":4294967331,"
	    "\"ages\":[0,1,2,3,4,5,6,7,8,4294967295]}\n"
	    "{\"end\":true,\"status\":0}\n");
	assert_string_equal(q.select, "user ann");
	assert_true(q.after == 10);
	ask("{\"cmd\":\"queue age\"}\n");
	assert_string_equal(q.select, "all");
}

static void
t_summary(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue summary\"}\n");
	assert_string_equal(in, "{\"messages\":1,\"recipients\":2,"
	    "\"octets\":3,\"inflight\":4,\"held\":5,\"future\":6,"
	    "\"oldest\":7,\"paused\":true}\n{\"by\":\"relay\","
	    "\"name\":\"x\xef\xbf\xbd\",\"messages\":12,\"inflight\":3,"
	    "\"down\":true,\"paused\":false,\"unknown\":true,\"next\":5000,"
	    "\"last\":\"refused \\u001B[1m\"}\n"
	    "{\"end\":true,\"status\":0}\n");
	assert_int_equal(q.what, GROUP_RELAY);
	ask("{\"cmd\":\"queue summary\",\"what\":\"domain\"}\n");
	assert_int_equal(q.what, GROUP_DOMAIN);
	assert_non_null(strstr(in, "{\"by\":\"domain\","
	    "\"name\":\"x\xef\xbf\xbd\",\"messages\":12}\n"));
}

static void
t_cat(void **state)
{
	(void)state;
	q.pages = 2;
	ask("{\"cmd\":\"queue cat\",\"id\":\"1f\"}\n");
	assert_string_equal(in, "{\"octets\":\"RnJvbTogAP8NCg==\"}\n"
	    "{\"octets\":\"RnJvbTogAP8NCg==\"}\n"
	    "{\"end\":true,\"status\":0}\n");
	assert_true(q.id == 0x1f);
	assert_true(q.after == 10);
	ask("{\"cmd\":\"queue cat\",\"id\":\"2\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":5,"
	    "\"error\":\"no message matches\"}\n");
}

static void
t_log(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue log\",\"id\":\"1f\"}\n");
	assert_string_equal(in, "{\"time\":1000,\"event\":\"deferred\","
	    "\"text\":\"451 \xef\xbf\xbd later\\u001B[1m\"}\n"
	    "{\"end\":true,\"status\":0}\n");
	ask("{\"cmd\":\"queue log\",\"id\":\"2\"}\n");
	assert_non_null(strstr(in, "\"status\":5"));
}

/* --- rules and pauses --- */

static void
t_rules(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue rule add\",\"what\":\"reject\","
	    "\"select\":[\"user ann\",\"size 1M\"],\"seconds\":90,"
	    "\"reason\":\"no\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0,\"number\":3}\n");
	assert_int_equal(q.what, RULE_REJECT);
	assert_int_equal(q.seconds, 90);
	assert_string_equal(q.argument, "no");
	assert_string_equal(q.select, "user ann\nsize 1M");
	ask("{\"cmd\":\"queue rule list\"}\n");
	assert_string_equal(in, "{\"number\":3,\"action\":\"reject\","
	    "\"seconds\":90,\"uid\":1000,\"since\":2000,\"messages\":17,"
	    "\"reason\":\"no \\\"spam\\\"\","
	    "\"select\":[\"user ann\",\"size 1M\"]}\n"
	    "{\"end\":true,\"status\":0}\n");
	ask("{\"cmd\":\"queue rule remove\",\"number\":7}\n");
	assert_int_equal(q.type, IPC_CTL_RULE_REMOVE);
	assert_int_equal(q.number, 7);
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":1}\n");
	ask("{\"cmd\":\"queue rule remove\",\"all\":true}\n");
	assert_int_equal(q.number, 0);
	ask("{\"cmd\":\"queue rule remove\",\"number\":9}\n");
	assert_non_null(strstr(in, "\"status\":5"));
}

static void
t_pauses(void **state)
{
	(void)state;
	ask("{\"cmd\":\"pause\",\"what\":\"accept\",\"seconds\":60}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
	assert_int_equal(q.verb, 1);
	assert_int_equal(q.what, PAUSE_ACCEPT);
	assert_int_equal(q.seconds, 60);
	assert_string_equal(q.argument, "");
	ask("{\"cmd\":\"resume\",\"what\":\"relay\",\"name\":\"smart\"}\n");
	assert_int_equal(q.verb, 0);
	assert_int_equal(q.what, PAUSE_RELAY);
	assert_string_equal(q.argument, "smart");
	ask("{\"cmd\":\"show pauses\"}\n");
	assert_string_equal(in, "{\"what\":\"domain\",\"name\":\"x.example\","
	    "\"seconds\":0,\"uid\":1000,\"since\":2000}\n"
	    "{\"end\":true,\"status\":0}\n");
	q.status = 5;
	ask("{\"cmd\":\"resume\",\"what\":\"accept\"}\n");
	assert_non_null(strstr(in, "\"status\":5"));
}

/* Is an answer of fewer octets than that none? Its channel is at fault then. */
static int
closed(struct ipc *ch, unsigned int type, uint8_t first, size_t len)
{
	struct ipc_msg	 msg = { .type = type, .sid = 1, .fd = -1 };
	size_t		 i;
	uint8_t		 buf[256] = { 0 };

	buf[0] = first;
	msg.data = buf;
	for (i = 0; question_queue_handlers[i].fn != NULL; i++)
		if (question_queue_handlers[i].type == type)
			break;
	assert_non_null(question_queue_handlers[i].fn);
	for (msg.len = 0; msg.len < len; msg.len++)
		if (question_queue_handlers[i].fn(ch, &msg, NULL) != -1)
			return 0;
	return 1;
}

static void
t_malformed(void **state)
{
	(void)state;
	assert_true(closed(queue_ch, IPC_CTL_QUEUE_TOTAL, 0, 57));
	assert_true(closed(queue_ch, IPC_CTL_QUEUE_GROUP, 0, 25));
	assert_true(closed(queue_ch, IPC_CTL_QUEUE_AGES, 0, 42));
	assert_true(closed(queue_ch, IPC_CTL_QUEUE_OCTETS, 1, 100));
	assert_true(closed(queue_ch, IPC_CTL_QUEUE_EVENT, 1, 12));
	assert_true(closed(queue_ch, IPC_CTL_RULE, 0, 100));
	/* an action and a kind there is not */
	assert_true(closed(queue_ch, IPC_CTL_PAUSED, PAUSE_KINDS, 100));
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(t_verbs), T(t_longest), T(t_pages), T(t_half_way),
		T(t_caller_gone), T(t_half_closed), T(t_age), T(t_summary),
		T(t_cat), T(t_log), T(t_rules), T(t_pauses), T(t_malformed)
	};
#undef T
	int	 failed;

	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return failed;
}
