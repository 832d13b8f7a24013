/* The local socket of msad-auth, against a front-end, a queue and msad. */
/* links: msad/auth/[!a]*.c msad/auth/a[!u]*.c msad/auth/auth?*.c */
/* libs: crypto crypt idn jansson */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "msad/auth/channels.h"
#include "msad/auth/local.h"

#define EPOCH	0x1234567890ULL

/* --- a clock that the test moves --- */

static int64_t	 clock_ahead_ms;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t	 ns;

	if (syscall(SYS_clock_gettime, id, ts) == -1)
		return -1;
	ns = ts->tv_nsec + clock_ahead_ms % 1000 * 1000000;
	ts->tv_sec += clock_ahead_ms / 1000 + ns / 1000000000;
	ts->tv_nsec = ns % 1000000000;
	return 0;
}

/* --- what the peers saw --- */

struct message {
	unsigned int	 type;
	uint64_t	 sid;
	uint8_t		 data[1024];
	size_t		 len;
};

struct side {
	struct ipc	*ch;
	struct message	 seen[64];
	unsigned int	 nseen;
	unsigned int	 nread;
	bool		 closed;
};

static struct event_base *base;
static struct side	 frontend, queue, msad;
static struct ipc	*to_msad;

static int
record(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct side	*side = arg;
	struct message	*m;

	(void)ch;
	assert_true(side->nseen < 64);
	assert_true(msg->len <= sizeof(m->data));
	m = &side->seen[side->nseen++];
	m->type = msg->type;
	m->sid = msg->sid;
	m->len = msg->len;
	memcpy(m->data, msg->data, msg->len);
	return 0;
}

static void
side_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct side	*side = arg;

	(void)end;
	side->closed = true;
	side->ch = NULL;
	ipc_free(ch);
}

static const struct ipc_handler handlers[] = {
	{ IPC_GRANT, record },
	{ IPC_GRANT_REVOKE, record },
	{ IPC_USER_ASK, record },
	{ IPC_SESSION_LOCAL, record },
	{ 0, NULL }
};

/* Our end of a new channel; the other end is returned for auth. */
static int
side_open(struct side *side, enum ipc_role role)
{
	int	 sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	memset(side, 0, sizeof(*side));
	side->ch = ipc_new(sv[0], role, ROLE_AUTH, handlers, side_closed,
	    side);
	assert_non_null(side->ch);
	return sv[1];
}

/* Let everything happen that can happen without time passing. */
static void
settle(void)
{
	int	 i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
advance(int64_t ms)
{
	int64_t	 step;

	for (; ms > 0; ms -= step) {
		step = ms < 500 ? ms : 500;
		clock_ahead_ms += step;
		settle();
	}
}

/* The next message that this side saw; it must be of that type. */
static struct message *
next(struct side *side, unsigned int type)
{
	struct message	*m;

	settle();
	if (side->nread == side->nseen)
		fail_msg("nothing came, want %s", ipc_type_name(type));
	m = &side->seen[side->nread++];
	if (m->type != type)
		fail_msg("%s came, want %s", ipc_type_name(m->type),
		    ipc_type_name(type));
	return m;
}

static void
nothing(struct side *side)
{
	settle();
	if (side->nread != side->nseen)
		fail_msg("%s came",
		    ipc_type_name(side->seen[side->nread].type));
}

static void
reader(struct ipc_reader *r, struct message *m)
{
	struct ipc_msg	 msg = { .data = m->data, .len = m->len };

	ipc_reader(r, &msg);
}

static void
take(uint64_t sid, int taken)
{
	ipc_start(queue.ch, IPC_GRANT_TAKEN, sid);
	ipc_put_u64(queue.ch, EPOCH);
	ipc_put_u8(queue.ch, (uint8_t)taken);
	ipc_send(queue.ch);
	settle();
}

static void
revoked(uint64_t sid)
{
	assert_int_equal(next(&queue, IPC_GRANT_REVOKE)->sid, sid);
}

static void
expect_closed(struct side *side)
{
	settle();
	assert_true(side->closed);
}

/* --- set up --- */

static bool	 msad_broke_rules;

static void
msad_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	msad_broke_rules = end == IPC_VIOLATION;
	to_msad = NULL;
	ipc_free(ch);
}

static int
setup(void **state)
{
	(void)state;
	base = event_base_new();
	ipc_init(base);
	msad_broke_rules = false;
	assert_int_equal(channels_frontend(0, EPOCH,
	    side_open(&frontend, ROLE_FRONTEND)), 0);
	assert_int_equal(channels_queue(0, 3, side_open(&queue, ROLE_QUEUE)),
	    0);
	to_msad = ipc_new(side_open(&msad, ROLE_PARENT), ROLE_AUTH,
	    ROLE_PARENT, local_handlers, msad_closed, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	channels_close();
	settle();
	ipc_free(to_msad);
	ipc_free(frontend.ch);
	ipc_free(queue.ch);
	ipc_free(msad.ch);
	event_base_free(base);
	return 0;
}

/* --- programs --- */

#define LOCAL_SID	(IPC_SID_LOCAL | (UINT64_C(0x42) << 32))

static char	 local_path[] = "/tmp/t_auth.XXXXXX/s";
static int	 programs[80];
static int	 nprograms;

static void
local_begin(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd;

	strlcpy(local_path, "/tmp/t_auth.XXXXXX", sizeof(local_path));
	assert_non_null(mkdtemp(local_path));
	strlcat(local_path, "/s", sizeof(local_path));
	strlcpy(sun.sun_path, local_path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 128), 0);
	local_init(to_msad, base, 0x42);
	assert_int_equal(local_hostname("mail.example.org"), 0);
	local_listen(fd);
	local_start();
	nprograms = 0;
}

static void
local_end(void)
{
	int	 i;

	local_stop();
	for (i = 0; i < nprograms; i++)
		close(programs[i]);
	unlink(local_path);
	*strrchr(local_path, '/') = '\0';
	rmdir(local_path);
}

/* A program of this host connects. */
static int
program(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strlcpy(sun.sun_path, local_path, sizeof(sun.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	settle();
	return programs[nprograms++] = fd;
}

static void
name_is(uint64_t question, uint32_t uid, uint8_t status, const char *name)
{
	ipc_start(msad.ch, IPC_USER_NAME, question);
	ipc_put_u32(msad.ch, uid);
	ipc_put_u8(msad.ch, status);
	ipc_put_str(msad.ch, name);
	ipc_send(msad.ch);
	settle();
}

static void
heard(int fd, const char *want)
{
	char	 buf[300];
	ssize_t	 n;

	settle();
	n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_memory_equal(buf, want, strlen(want));
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 0);
}

static uint64_t
asked(void)
{
	struct message		*m = next(&msad, IPC_USER_ASK);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_int_equal(ipc_get_u32(&r), getuid());
	return m->sid;
}

static void
local_grant(uint64_t sid)
{
	struct message		*m = next(&queue, IPC_GRANT);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_true(m->sid == sid);
	assert_int_equal(ipc_get_u64(&r), EPOCH);
	assert_true(slice_is(ipc_get_str(&r), "ann"));
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_true(slice_is(ipc_get_str(&r), "LOCAL"));
	assert_int_equal(ipc_get_u16(&r), IPC_LISTENER_LOCAL);
	assert_true(slice_is(ipc_get_str(&r), "local"));
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_int_equal(ipc_get_u8(&r), 0);
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_int_equal(ipc_get_u32(&r), 0);
	assert_int_equal(ipc_get_u64(&r), 0);
	assert_true(ipc_done(&r));
}

/* R6409-4.3-b: kernel, name, grant, and only then the front-end. */
static void
local_ok(void **state)
{
	struct ipc_reader	 r;
	struct message		*m;
	char			 c;

	(void)state;
	local_begin();
	program();
	nothing(&queue);
	name_is(asked(), getuid(), 0, "ann");
	local_grant(LOCAL_SID | 1);
	nothing(&frontend);	/* not before the queue has agreed */
	take(LOCAL_SID | 1, 1);
	m = next(&frontend, IPC_SESSION_LOCAL);
	assert_true(m->sid == (LOCAL_SID | 1));
	reader(&r, m);
	assert_true(slice_is(ipc_get_str(&r), "ann"));
	/* the name is remembered; the connection is the front-end's */
	assert_int_equal(recv(programs[0], &c, 1, MSG_DONTWAIT), 0);
	program();
	nothing(&msad);
	local_grant(LOCAL_SID | 2);
	take(LOCAL_SID | 2, 0);
	nothing(&frontend);
	heard(programs[1], "421 mail.example.org 4.3.2 ");
	advance(61000);
	program();
	(void)asked();
	local_stop();
	heard(programs[2], "421 ");
	local_end();
}

static void
local_nobody(void **state)
{
	uint64_t	 id;

	(void)state;
	local_begin();
	program();
	program();
	id = asked();
	nothing(&msad);		/* one question for both */
	name_is(id, getuid(), 1, "");
	heard(programs[0], "554 5.7.1 ");
	heard(programs[1], "554 5.7.1 ");
	advance(61000);
	program();
	name_is(asked(), getuid(), 0, "../ann");	/* unfit */
	heard(programs[2], "554 5.7.1 ");
	advance(61000);
	program();
	name_is(asked(), getuid(), 2, "");
	heard(programs[3], "421 ");
	nothing(&queue);
	local_end();
}

/* A grant that nobody waits for any more is taken back. */
static void
local_late(void **state)
{
	(void)state;
	local_begin();
	advance(61000);		/* past what earlier tests left */
	program();
	name_is(asked(), getuid(), 0, "ann");
	local_grant(LOCAL_SID | 1);
	take(LOCAL_SID | 9, 1);
	revoked(LOCAL_SID | 9);
	take(LOCAL_SID | 1, 1);
	next(&frontend, IPC_SESSION_LOCAL);
	take(LOCAL_SID | 1, 1);
	revoked(LOCAL_SID | 1);
	local_end();
}

static void
local_frontend_dies(void **state)
{
	(void)state;
	local_begin();
	advance(61000);
	program();
	name_is(asked(), getuid(), 0, "ann");
	local_grant(LOCAL_SID | 1);
	ipc_free(frontend.ch);
	frontend.ch = NULL;
	heard(programs[0], "421 ");
	local_end();
}

/* P2: a front-end cannot open a session that looks local. */
static void
local_forged(void **state)
{
	(void)state;
	ipc_start(frontend.ch, IPC_SESSION_OPEN, IPC_SID_LOCAL | 5);
	ipc_put_u16(frontend.ch, 0);
	ipc_put_str(frontend.ch, "192.0.2.7");
	ipc_put_u16(frontend.ch, 40000);
	ipc_put_str(frontend.ch, "192.0.2.1");
	ipc_put_u16(frontend.ch, 465);
	ipc_send(frontend.ch);
	expect_closed(&frontend);
}

/* An answer that was not asked for. */
static void
local_unasked(void **state)
{
	(void)state;
	local_begin();
	name_is(1, getuid(), 0, "root");
	assert_true(msad_broke_rules);
	local_end();
}

/* So many wait at most; the others wait in the socket. */
static void
local_flood(void **state)
{
	int	 i;

	(void)state;
	local_begin();
	advance(61000);
	for (i = 0; i < 70; i++)
		program();
	name_is(asked(), getuid(), 0, "ann");
	nothing(&msad);
	for (i = 1; i <= 64; i++) {
		local_grant(LOCAL_SID | (uint64_t)i);
		if (queue.nread == 64)
			queue.nread = queue.nseen = 0;
	}
	nothing(&queue);
	local_end();
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(local_ok), TEST(local_nobody), TEST(local_late),
		TEST(local_frontend_dies), TEST(local_forged),
		TEST(local_unasked), TEST(local_flood)
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("t_local", 1);
	log_set_level(3);
	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
