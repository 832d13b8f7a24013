/* links: msad/control/client.c msad/control/question*.c */
/* links: regress/unit/control_side.c regress/unit/control_house.c */
/* links: msad/control/answer.c msad/control/request.c */
/* links: msad/control/peers.c msad/control/stats.c */
/* libs: jansson */
/*
 * msad-control behind its channels: a caller on a real socket, a queue and an
 * msad played by the test. Who may ask, whole answers, paging, slow callers,
 * lost channels, sums of counters.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/stats.h"
#include "regress/unit/control_house.h"
#include "regress/unit/control_side.h"

static unsigned int		 asked;		/* questions so far */
static unsigned int		 last_type;
static uint64_t			 last_id;	/* message id or cursor */
static uint64_t			 last_sid;
static unsigned int		 pages;		/* of a list, left to send */
static int			 mute;		/* do not answer */

/* --- the queue --- */

static void
put_message(struct ipc *ch, uint64_t sid, uint64_t id, const char *last)
{
	ipc_start(ch, IPC_CTL_QUEUE_MESSAGE, sid);
	ipc_put_u64(ch, id);
	ipc_put_u64(ch, 1000);
	ipc_put_u64(ch, 2048);
	ipc_put_str(ch, "ann");
	ipc_put_str(ch, "");
	ipc_put_str(ch, "ann@example.org");
	ipc_put_u32(ch, 2);
	ipc_put_u8(ch, 9 + 3);
	ipc_put_u64(ch, 7000);
	ipc_put_u8(ch, 1);
	ipc_send(ch);
	ipc_start(ch, IPC_CTL_QUEUE_RCPT, sid);
	ipc_put_str(ch, "x@example.net");
	ipc_put_u8(ch, 2);
	ipc_put_u32(ch, 1);
	ipc_put_u64(ch, 0);
	ipc_put_str(ch, "250 ok");
	ipc_put_str(ch, "smart");
	ipc_send(ch);
	ipc_start(ch, IPC_CTL_QUEUE_RCPT, sid);
	ipc_put_str(ch, "y@example.net");
	ipc_put_u8(ch, 0);
	ipc_put_u32(ch, 3);
	ipc_put_u64(ch, 5000);
	ipc_put_str(ch, last);
	ipc_put_str(ch, "smart");
	ipc_send(ch);
}

static char			 last_select[SELECTION_TEXT_MAX + 1];
static enum steer_verb		 last_verb;

/* Pages of a list. */
static void
put_list(struct ipc *ch, struct ipc_msg *msg, uint16_t n)
{
	char		 big[4096];
	uint16_t	 i;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	if (pages == 0) {
		put_queue_end(ch, msg->sid, 0, 0, 0);
		return;
	}
	for (i = 0; i < n; i++)
		put_message(ch, msg->sid, last_id + i + 1, big);
	put_queue_end(ch, msg->sid, 0, n, --pages > 0 ? last_id + n : 0);
}

/* "all" are 7, "id 1f" is one, others are none. */
static int
on_select(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	char			 text[600];
	uint16_t		 n;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	last_verb = (enum steer_verb)ipc_get_u8(&r);
	last_id = ipc_get_u64(&r);
	n = ipc_get_u16(&r);
	ipc_copy_str(&r, text, sizeof(text));
	ipc_copy_str(&r, last_select, sizeof(last_select));
	assert_true(ipc_done(&r));
	assert_string_equal(text, "");
	last_sid = msg->sid;
	asked++;
	if (mute)
		return 0;
	if (last_verb == STEER_LIST)
		put_list(ch, msg, n);
	else if (strcmp(last_select, "all") == 0)
		put_queue_end(ch, msg->sid, 0, 7, 0);
	else
		put_queue_end(ch, msg->sid, 0,
		    strcmp(last_select, "id 1f") == 0, 0);
	return 0;
}

static int
on_show(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	last_id = ipc_get_u64(&r);
	assert_true(ipc_done(&r));
	asked++;
	if (last_id == 0x1f)
		put_message(ch, msg->sid, last_id, "451 \xff later\x1b[1m");
	put_queue_end(ch, msg->sid, last_id == 0x1f ? 0 : 5, 1, 0);
	return 0;
}

/* --- auth and users --- */

/* The queue's part of "test session", and its pages of users. */
static int
on_trial(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	assert_true(slice_is(ipc_get_str(&r), "ann"));
	assert_true(slice_is(ipc_get_str(&r), "sys"));
	assert_int_equal(ipc_get_u8(&r), GRANT_ADDRESS);
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_true(slice_is(ipc_get_str(&r), "b@c"));
	assert_true(ipc_done(&r));
	put_fact(ch, IPC_CTL_QUEUE_FACT, msg->sid, "result", "accepted");
	put_queue_end(ch, msg->sid, 0, 1, 0);
	return 0;
}

static int
on_users(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint64_t		 epoch, sid;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	epoch = ipc_get_u64(&r);
	sid = ipc_get_u64(&r);
	ipc_get_u16(&r);
	assert_true(ipc_done(&r));
	/* behind the one sent last */
	assert_true(epoch == (sid == 0 ? 0 : 7));
	asked++;
	ipc_start(ch, IPC_CTL_QUEUE_USER, msg->sid);
	ipc_put_u64(ch, 7);
	ipc_put_u64(ch, sid + 1);
	ipc_put_str(ch, "ann");
	ipc_put_str(ch, "acme");
	ipc_put_str(ch, "sys");
	ipc_put_str(ch, "PLAIN");
	ipc_put_str(ch, "192.0.2.1");
	ipc_put_str(ch, "printer");
	ipc_put_u64(ch, 1000);
	ipc_put_u8(ch, GRANT_SEEN);
	ipc_send(ch);
	put_queue_end(ch, msg->sid, 0, 1, --pages > 0);
	return 0;
}

/* --- msad --- */

static void
put_process(struct ipc *ch, uint64_t sid, const char *name)
{
	ipc_start(ch, IPC_CTL_PROCESS, sid);
	ipc_put_str(ch, name);
	ipc_put_u32(ch, 0);
	ipc_put_u32(ch, 4711);
	ipc_put_u32(ch, 99);
	ipc_put_u64(ch, 1000);
	ipc_put_u32(ch, 2);
	ipc_send(ch);
}

static int
on_parent(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	static const char *const names[] = { "msad", "frontend", "auth",
		"keys", "queue" };
	size_t	 i;

	(void)arg;
	asked++;
	last_type = msg->type;
	if (msg->type == IPC_CTL_STATUS)
		for (i = 0; i < 5; i++)
			put_process(ch, msg->sid, names[i]);
	ipc_start(ch, IPC_CTL_PARENT_END, msg->sid);
	ipc_put_u8(ch, msg->type != IPC_CTL_RELOAD);
	ipc_put_str(ch, msg->type == IPC_CTL_RELOAD ? "f:1: bad \"word\"" : "");
	ipc_send(ch);
	return 0;
}

const struct ipc_handler	 queue_side[] = {
	{ IPC_CTL_QUEUE_SELECT, on_select },
	{ IPC_CTL_QUEUE_SHOW, on_show },
	{ IPC_CTL_LIMITS, side_limits },
	{ IPC_CTL_LIMITS_RESET, side_limits_reset },
	{ IPC_CTL_QUEUE_USERS, on_users },
	{ IPC_CTL_QUEUE_TEST, on_trial },
	{ 0, NULL }
};

const struct ipc_handler	 parent_side[] = {
	{ IPC_CTL_STATUS, on_parent },
	{ IPC_CTL_RELOAD, on_parent },
	{ IPC_CTL_LOGLEVEL, on_parent },
	{ 0, NULL }
};

static int
setup(void **state)
{
	(void)state;
	asked = mute = pages = 0;
	return house_open();
}

static int
teardown(void **state)
{
	(void)state;
	house_close();
	return 0;
}

/* --- tests --- */

static void
t_auth_lists(void **state)
{
	(void)state;
	seen.pages = 3;
	ask("{\"cmd\":\"show bans\"}\n");
	assert_int_equal(seen.asked, 3);
	assert_true(seen.after == 4);
	assert_non_null(strstr(in, "{\"network\":\"192.0.2.0/24\","
	    "\"seconds\":60,\"manual\":true,\"failures\":7}\n"
	    "{\"user\":\"ann\xef\xbf\xbd\",\"block\":\"sys\","
	    "\"failures\":8,\"refused\":9}\n"));
	seen.pages = 1;
	ask("{\"cmd\":\"show grants\"}\n");
	assert_string_equal(in, "{\"address\":\"::1\",\"user\":\"ann\","
	    "\"block\":\"sys\",\"seconds\":5,\"sessions\":6}\n"
	    "{\"end\":true,\"status\":0}\n");
}

static void
t_auth_changes(void **state)
{
	(void)state;
	ask("{\"cmd\":\"ban\",\"network\":\"::1\",\"seconds\":9}\n");
	assert_int_equal(seen.type, IPC_CTL_AUTH_BAN);
	assert_string_equal(seen.text[0], "::1");
	assert_int_equal(seen.seconds, 9);
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
	ask("{\"cmd\":\"unban\",\"all\":true}\n");
	assert_int_equal(seen.type, IPC_CTL_AUTH_UNBAN);
	assert_string_equal(seen.text[0], "");
	assert_string_equal(in, "{\"end\":true,\"status\":0,\"matched\":3}\n");
	ask("{\"cmd\":\"grant\",\"address\":\"::2\",\"user\":\"ann\","
	    "\"seconds\":60}\n");
	assert_int_equal(seen.type, IPC_CTL_AUTH_GRANT);
	assert_string_equal(seen.text[0], "::2");
	assert_string_equal(seen.text[1], "ann");
	assert_string_equal(seen.text[2], "");
	ask("{\"cmd\":\"grant remove\",\"address\":\"bad\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":1,"
	    "\"error\":\"no such \\u001B thing\"}\n");
}

static void
t_tests(void **state)
{
	(void)state;
	ask("{\"cmd\":\"test auth\",\"user\":\"ann\",\"password\":\"pw\"}\n");
	assert_string_equal(seen.text[0], "ann");
	assert_string_equal(seen.text[3], "pw");
	assert_string_equal(in, "{\"result\":\"refused\"}\n"
	    "{\"end\":true,\"status\":0}\n");
	/* auth first, then the queue with what auth said */
	ask("{\"cmd\":\"test session\",\"address\":\"::1\","
	    "\"user\":\"ann\",\"from\":\"\",\"to\":\"b@c\"}\n");
	assert_string_equal(in, "{\"block\":\"sys\",\"granted\":\"ann\","
	    "\"result\":\"accepted\"}\n{\"end\":true,\"status\":0}\n");
	ask("{\"cmd\":\"test session\",\"address\":\"bad\","
	    "\"user\":\"ann\",\"from\":\"\",\"to\":\"b@c\"}\n");
	assert_non_null(strstr(in, "\"status\":1"));
}

static void
t_users(void **state)
{
	(void)state;
	pages = 3;
	ask("{\"cmd\":\"show users\"}\n");
	assert_int_equal(asked, 3);
	assert_non_null(strstr(in, "{\"session\":\"7-1\",\"user\":\"ann\","
	    "\"tenant\":\"acme\",\"client\":\"192.0.2.1\","
	    "\"mechanism\":\"PLAIN\",\"since\":1000,\"block\":\"sys\","
	    "\"label\":\"printer\",\"proof\":\"external\"}\n"
	    "{\"session\":\"7-2\","));
}

static void
t_auth_lost(void **state)
{
	(void)state;
	seen.mute = 1;
	say("{\"cmd\":\"test auth\",\"user\":\"ann\",\"password\":\"pw\"}\n");
	while (seen.asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	in[in_len = 0] = '\0';
	question_set_channel(ROLE_AUTH, NULL);
	assert_true(hear(1));
	assert_non_null(strstr(in, "the authenticator went away"));
	ask("{\"cmd\":\"show bans\"}\n");
	assert_non_null(strstr(in, "the authenticator cannot be reached now"));
	question_set_channel(ROLE_AUTH, auth_ch);
	/* an answer to nobody is passed over */
	put_auth_end(auth, seen.sid, 0, 0, 0);
	seen.mute = 0;
	ask("{\"cmd\":\"auth flush\",\"all\":true}\n");
	assert_non_null(strstr(in, "\"matched\":3"));
}

static void
t_show(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue show\",\"id\":\"1f\"}\n");
	assert_string_equal(in, "{\"id\":\"1f\",\"time\":1000,\"size\":2048,"
	    "\"user\":\"ann\",\"tenant\":\"\",\"from\":\"ann@example.org\","
	    "\"priority\":3,\"by\":7000,\"return\":true,"
	    "\"rcpts\":[{\"to\":\"x@example.net\",\"state\":\"done\","
	    "\"tries\":1,\"next\":0,\"last\":\"250 ok\",\"relay\":\"smart\"},"
	    "{\"to\":\"y@example.net\",\"state\":\"waiting\",\"tries\":3,"
	    "\"next\":5000,\"last\":\"451 \xef\xbf\xbd later\\u001B[1m\","
	    "\"relay\":\"smart\"}],\"state\":\"waiting\",\"tries\":3,"
	    "\"next\":5000,\"last\":\"451 \xef\xbf\xbd later\\u001B[1m\"}\n"
	    "{\"end\":true,\"status\":0}\n");
}

static void
t_no_match(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue show\",\"id\":\"2\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":5,"
	    "\"error\":\"no message matches\"}\n");
	ask("{\"cmd\":\"queue drop\",\"select\":[\"id 2\"]}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":5,"
	    "\"error\":\"no message matches\",\"matched\":0}\n");
	assert_int_equal(last_verb, STEER_DROP);
	assert_string_equal(last_select, "id 2");
}

static void
t_change(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue flush\",\"select\":[\"all\"]}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":7}\n");
	assert_int_equal(last_verb, STEER_FLUSH);
	ask("{\"cmd\":\"queue drop\",\"select\":[\"id 1f\"]}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":1}\n");
}

static void
t_limits(void **state)
{
	static const char	 lines[] =
	    "{\"user\":\"ann\",\"tenant\":\"\",\"label\":\"printer\","
	    "\"limit\":\"credential\",\"used\":7,\"max\":300,"
	    "\"period\":3600,\"wait\":0}\n"
	    "{\"user\":\"ann\",\"tenant\":\"acme\",\"label\":\"\","
	    "\"limit\":\"messages\",\"used\":8,\"max\":300,"
	    "\"period\":3600,\"wait\":0}\n"
	    "{\"user\":\"ann\",\"tenant\":\"acme\",\"label\":\"\","
	    "\"limit\":\"recipients\",\"used\":9,\"max\":300,"
	    "\"period\":3600,\"wait\":0}\n"
	    "{\"end\":true,\"status\":0}\n";
	unsigned int		 before = seen.asked;

	(void)state;
	ask("{\"cmd\":\"show limits\"}\n");
	assert_string_equal(in, lines);
	assert_string_equal(seen.text[0], "");
	assert_int_equal(seen.asked, before + 2);
	ask("{\"cmd\":\"user limits\",\"user\":\"ann@x\"}\n");
	assert_string_equal(in, lines);
	assert_string_equal(seen.text[0], "ann@x");
	ask("{\"cmd\":\"limits reset\",\"user\":\"bob\"}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":2}\n");
	assert_string_equal(seen.text[0], "bob");
	assert_string_equal(seen.text[1], "");
	ask("{\"cmd\":\"limits reset\",\"tenant\":\"acme\"}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":2}\n");
	assert_string_equal(seen.text[0], "");
	assert_string_equal(seen.text[1], "acme");
	ask("{\"cmd\":\"queue release\",\"select\":[\"id 1f\"]}\n");
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":1}\n");
	assert_int_equal(last_verb, STEER_RELEASE);
}

static void
t_empty_list(void **state)
{
	(void)state;
	ask("{\"cmd\":\"queue list\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
}

/* A page of 400 kB each: the next is asked for when one was read. */
static void
t_pages(void **state)
{
	unsigned int	 i, lines = 0;
	size_t		 n;

	(void)state;
	pages = 3;
	in[in_len = 0] = '\0';
	say("{\"cmd\":\"queue list\"}\n");
	while (asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	for (i = 0; i < 200; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(asked, 1);
	assert_true(hear(1));
	assert_int_equal(asked, 3);
	for (n = 0; n < in_len; n++)
		lines += in[n] == '\n';
	assert_int_equal(lines, 301);
	assert_non_null(strstr(in, "{\"id\":\"12c\""));
}

/* A page with one counter set, taken as the queue's; unmap it after use. */
static uint64_t *
queue_page(enum counter counter, uint64_t value)
{
	int		 fd = stats_create();
	uint64_t	*page;

	page = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	assert_int_equal(pages_take(ROLE_QUEUE, 0, fd), 0);
	close(fd);
	page[counter] = value;
	return page;
}

static void
t_status(void **state)
{
	uint64_t	*page;

	(void)state;
	page = queue_page(STAT_QUEUE_STOPPED, 1);
	ask("{\"cmd\":\"show status\"}\n");
	assert_non_null(strstr(in, "\"accepting\":false"));
	assert_non_null(strstr(in, "\"paused\":false"));
	page[STAT_QUEUE_STOPPED] = 0;
	page[STAT_QUEUE_PAUSED] = 1;
	ask("{\"cmd\":\"show status\"}\n");
	assert_non_null(strstr(in, "\"accepting\":false"));
	assert_non_null(strstr(in, "\"paused\":true"));
	pages_forget(ROLE_QUEUE, 0);
	munmap(page, STATS_PAGE_SIZE);
	ask("{\"cmd\":\"show status\"}\n");
	assert_non_null(strstr(in, "\"accepting\":true,\"processes\":["
	    "{\"name\":\"msad\",\"index\":0,\"pid\":4711,\"uid\":99,"
	    "\"started\":1000,\"restarts\":2},"));
	question_set_channel(ROLE_QUEUE, NULL);
	ask("{\"cmd\":\"show status\"}\n");
	assert_non_null(strstr(in, "\"accepting\":false"));
}

static void
t_parent(void **state)
{
	(void)state;
	ask("{\"cmd\":\"log level\",\"level\":\"info\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
	assert_int_equal(last_type, IPC_CTL_LOGLEVEL);
	ask("{\"cmd\":\"reload\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":1,"
	    "\"error\":\"f:1: bad \\\"word\\\"\"}\n");
}

/* Several requests at once are answered one after the other, in order. */
static void
t_pipelined(void **state)
{
	(void)state;
	in[in_len = 0] = '\0';
	say("{\"cmd\":\"queue flush\",\"select\":[\"all\"]}\n"
	    "{\"cmd\":\"show stats\"}\n{\"cmd\":\"queue list\"}\n");
	assert_true(hear(3));
	assert_memory_equal(in, "{\"end\":true,\"status\":0,\"matched\":7}\n"
	    "{\"smtp.sessions.total\":", 59);
}

/* A caller that asks, shuts down its side and reads on. */
static void
t_half_closed(void **state)
{
	(void)state;
	say("{\"cmd\":\"queue flush\",\"select\":[\"all\"]}\n");
	shutdown(sock, SHUT_WR);
	hear_close();
	assert_string_equal(in,
	    "{\"end\":true,\"status\":0,\"matched\":7}\n");
}

static void
t_denied(void **state)
{
	(void)state;
	conf.socket_group = NULL;
	close(sock);
	/* who connects counts, not who reads on */
	if (getuid() == 0 && (chmod(path, 0666) == -1 || seteuid(65534) == -1))
		skip();
	call();
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	ask("{\"cmd\":\"show stats\"}\n");
	assert_non_null(strstr(in, "\"status\":4"));
	hear_close();
	assert_int_equal(asked, 0);
}

/* Root, the group's member, and anybody else. */
static void
t_allowed(void **state)
{
	struct peer	 peer = { .uid = 1000, .ngroups = 0 };

	(void)state;
	assert_true(peer_allowed(&peer, &conf));
	conf.socket_group = NULL;
	assert_false(peer_allowed(&peer, &conf));
	assert_false(peer_allowed(&peer, NULL));
	peer.uid = 0;
	assert_true(peer_allowed(&peer, &conf));
	assert_int_equal(peer_get(&peer, sock), 0);
	assert_int_equal(peer.uid, getuid());
	assert_in_range(peer.ngroups, 1, PEER_GROUPS);
}

static void
t_bad_request(void **state)
{
	(void)state;
	ask("not json\n");
	assert_non_null(strstr(in, "\"status\":1"));
	hear_close();
}

static void
t_long_request(void **state)
{
	char	 line[REQUEST_MAX + 2];

	(void)state;
	memset(line, ' ', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	ask(line);
	assert_non_null(strstr(in, "too long"));
	hear_close();
}

/* The queue dies with a question under way, and another comes. */
static void
t_queue_lost(void **state)
{
	(void)state;
	mute = 1;
	in[in_len = 0] = '\0';
	say("{\"cmd\":\"queue list\"}\n");
	while (asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	question_set_channel(ROLE_QUEUE, NULL);
	assert_true(hear(1));
	assert_non_null(strstr(in, "the queue went away"));
	ask("{\"cmd\":\"queue list\"}\n");
	assert_non_null(strstr(in, "the queue cannot be reached now"));
	mute = 0;
	question_set_channel(ROLE_QUEUE, queue_ch);
	/* an answer to the lost question comes late: nobody gets it */
	put_message(queue, last_sid, 1, "");
	put_queue_end(queue, last_sid, 0, 1, 0);
	ask("{\"cmd\":\"queue list\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
}

/* A caller that leaves while its question is under way. */
static void
t_caller_gone(void **state)
{
	(void)state;
	mute = 1;
	say("{\"cmd\":\"queue list\"}\n");
	while (asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	close(sock);
	put_message(queue, last_sid, 1, "");
	put_queue_end(queue, last_sid, 0, 1, 0);
	while (!TAILQ_EMPTY(&clients))
		event_base_loop(base, EVLOOP_ONCE);
	mute = 0;
	call();
	ask("{\"cmd\":\"queue list\"}\n");
	assert_string_equal(in, "{\"end\":true,\"status\":0}\n");
}

/* Connections over the bound are told so; the others work. */
static void
t_many(void **state)
{
	int	 first = sock, more[CLIENTS_MAX - 1], i;

	(void)state;
	for (i = 0; i < CLIENTS_MAX - 1; i++) {
		call();
		more[i] = sock;
	}
	call();
	assert_true(hear(1));
	assert_non_null(strstr(in, "too many connections"));
	hear_close();
	close(sock);
	sock = first;
	ask("{\"cmd\":\"queue list\"}\n");
	for (i = 0; i < CLIENTS_MAX - 1; i++)
		close(more[i]);
}

/* Sums over pages; hostile numbers; counters of forgotten places stay. */
static void
t_sums(void **state)
{
	uint64_t	 sums[STAT_MAX], *page[2];
	int		 fd[2], i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fd[i] = stats_create();
		page[i] = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd[i], 0);
		assert_int_equal(pages_take(ROLE_FRONTEND, (uint32_t)i, fd[i]),
		    0);
		page[i][STAT_AUTH_OK] = 5;
		page[i][STAT_SMTP_SESSIONS_ACTIVE] = 2;
		close(fd[i]);
	}
	pages_sum(sums);
	assert_true(sums[STAT_AUTH_OK] == 10);
	assert_true(sums[STAT_SMTP_SESSIONS_ACTIVE] == 4);
	page[0][STAT_SMTP_SESSIONS_ACTIVE] = (uint64_t)-3;
	page[0][STAT_SMTP_BYTES] = UINT64_MAX;
	pages_forget(ROLE_FRONTEND, 1);
	pages_forget(ROLE_FRONTEND, 7);
	pages_sum(sums);
	assert_true(sums[STAT_AUTH_OK] == 10);
	assert_true(sums[STAT_SMTP_SESSIONS_ACTIVE] == 0);
	assert_true(sums[STAT_SMTP_BYTES] == INT64_MAX);
	pages_forget(ROLE_FRONTEND, 0);
	assert_int_equal(pages_take(ROLE_AUTH, 0, sock), -1);
	for (i = 0; i < 2; i++)
		munmap(page[i], STATS_PAGE_SIZE);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(t_show), T(t_no_match), T(t_change), T(t_limits),
		T(t_empty_list),
		T(t_pages), T(t_status), T(t_parent), T(t_pipelined),
		T(t_half_closed), T(t_denied), T(t_allowed), T(t_bad_request),
		T(t_long_request), T(t_queue_lost), T(t_caller_gone),
		T(t_many), T(t_sums), T(t_auth_lists), T(t_auth_changes),
		T(t_tests), T(t_users), T(t_auth_lost)
	};
#undef T
	int	 failed;

	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return failed;
}
