/* msad-auth against a front-end, PAM workers, a queue and msad of our own. */
/* links: msad/auth/[!a]*.c msad/auth/a[!u]*.c msad/auth/auth?*.c */
/* libs: crypto crypt idn jansson */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/verdict.h"
#include "msad/auth/blocks.h"
#include "msad/auth/channels.h"
#include "msad/auth/workers.h"

#define EPOCH	0x1234567890ULL
#define NPAM	4

static const char config[] =
    "hostname \"mail.example.org\"\n"
    "queue { path \"/var/spool/msad\" }\n"
    "control socket \"/run/msad/msad.sock\"\n"
    "pki \"main\" { cert \"/c.pem\" key \"/k.pem\" }\n"
    "auth \"sys\" { pam service \"msad\" mech { plain, login } "
    "realm \"example.org\" }\n"
    "auth \"old\" { pam service \"other\" mech { plain } "
    "realm \"example.org\" }\n"
    "relay \"box\" { maildir \"/var/mail/box\" }\n"
    "listen on 127.0.0.1 port 10465 tls pki \"main\" auth \"sys\"\n"
    "listen on 127.0.0.1 port 10466 tls pki \"main\" auth \"old\"\n"
    "match from auth sender any relay \"box\"\n";

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
static struct side	 frontend, queue, msad, pam[NPAM];
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
	{ IPC_AUTH_CHALLENGE, record },
	{ IPC_AUTH_RESULT, record },
	{ IPC_GRANT, record },
	{ IPC_GRANT_REVOKE, record },
	{ IPC_PAM_REQUEST, record },
	{ IPC_PAM_POOL_WANT, record },
	{ IPC_PAM_POOL_KILL, record },
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

static const char	*client = "192.0.2.7";

static void
open_session(uint64_t sid, uint16_t listener)
{
	ipc_start(frontend.ch, IPC_SESSION_OPEN, sid);
	ipc_put_u16(frontend.ch, listener);
	ipc_put_str(frontend.ch, client);
	ipc_put_u16(frontend.ch, 40000);
	ipc_put_str(frontend.ch, "192.0.2.1");
	ipc_put_u16(frontend.ch, 465);
	ipc_send(frontend.ch);
	settle();
}

static void
auth_start(uint64_t sid, int tls, const char *mech, struct slice *initial)
{
	ipc_start(frontend.ch, IPC_AUTH_START, sid);
	ipc_put_u8(frontend.ch, (uint8_t)tls);
	ipc_put_str(frontend.ch, mech);
	ipc_put_u8(frontend.ch, initial != NULL);
	ipc_put_bytes(frontend.ch, initial != NULL ? initial->p : "",
	    initial != NULL ? initial->len : 0);
	ipc_send(frontend.ch);
	settle();
}

static void
plain(uint64_t sid)
{
	struct slice	 good = SLICE("\0ann\0secret", 11);

	auth_start(sid, 1, "PLAIN", &good);
}

static void
respond(uint64_t sid, const char *text)
{
	ipc_start(frontend.ch, IPC_AUTH_RESPONSE, sid);
	ipc_put_bytes(frontend.ch, text, strlen(text));
	ipc_send(frontend.ch);
	settle();
}

static void
challenged(const char *text)
{
	struct message		*m = next(&frontend, IPC_AUTH_CHALLENGE);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_true(slice_is(ipc_get_bytes(&r), text));
}

/* Returns the delay of the answer. */
static uint32_t
answered(uint64_t sid, enum verdict verdict, const char *user)
{
	struct message		*m = next(&frontend, IPC_AUTH_RESULT);
	struct ipc_reader	 r;
	uint32_t		 delay;

	reader(&r, m);
	assert_int_equal(m->sid, sid);
	assert_int_equal(ipc_get_u8(&r), verdict);
	assert_true(slice_is(ipc_get_str(&r), user));
	delay = ipc_get_u32(&r);
	assert_true(ipc_done(&r));
	nothing(&frontend);
	return delay;
}

static void
pam_open(int i)
{
	assert_int_equal(workers_add((uint32_t)(100 + i), 7,
	    side_open(&pam[i], ROLE_PAM)), 0);
}

static void
pam_idle(int i, unsigned int left)
{
	ipc_start(pam[i].ch, IPC_PAM_IDLE, 0);
	ipc_put_u16(pam[i].ch, (uint16_t)left);
	ipc_send(pam[i].ch);
	settle();
}

/* The request that worker i got, checked; returns its id. */
static uint64_t
pam_asked(int i, const char *user, const char *password)
{
	struct message		*m = next(&pam[i], IPC_PAM_REQUEST);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_true(slice_is(ipc_get_str(&r), "msad"));
	assert_true(slice_is(ipc_get_str(&r), user));
	assert_true(slice_is(ipc_get_bytes(&r), password));
	assert_true(slice_is(ipc_get_str(&r), "192.0.2.7"));
	assert_true(slice_is(ipc_get_str(&r), "msad"));
	assert_true(ipc_done(&r));
	return m->sid;
}

static void
pam_says(int i, uint64_t id, unsigned int verdict, const char *user,
    uint32_t delay_us)
{
	ipc_start(pam[i].ch, IPC_PAM_RESULT, id);
	ipc_put_u8(pam[i].ch, (uint8_t)verdict);
	ipc_put_str(pam[i].ch, user);
	ipc_put_u32(pam[i].ch, delay_us);
	ipc_put_str(pam[i].ch, "");
	ipc_send(pam[i].ch);
	pam_idle(i, 50);
}

static void
granted(uint64_t sid, const char *user, const char *mech)
{
	struct message		*m = next(&queue, IPC_GRANT);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_int_equal(m->sid, sid);
	assert_int_equal(ipc_get_u64(&r), EPOCH);
	assert_true(slice_is(ipc_get_str(&r), user));
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_true(slice_is(ipc_get_str(&r), "sys"));
	assert_true(slice_is(ipc_get_str(&r), mech));
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_true(slice_is(ipc_get_str(&r), "192.0.2.7"));
	assert_int_equal(ipc_get_u16(&r), 40000);
	assert_true(slice_is(ipc_get_str(&r), "example.org"));
	assert_int_equal(ipc_get_u8(&r), 0);
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_int_equal(ipc_get_u16(&r), 0);
	assert_int_equal(ipc_get_u32(&r), 0);
	assert_int_equal(ipc_get_u64(&r), 0);
	assert_true(ipc_done(&r));
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

/* --- set up --- */

static int
setup(void **state)
{
	struct conf		*conf;
	int			 fd, i;

	(void)state;
	base = event_base_new();
	ipc_init(base);
	conf = conf_parse_text(config, sizeof(config) - 1, "test", stderr);
	assert_non_null(conf);
	assert_int_equal(blocks_load(conf), 0);
	conf_free(conf);
	assert_int_equal(channels_frontend(0, EPOCH,
	    side_open(&frontend, ROLE_FRONTEND)), 0);
	assert_int_equal(channels_queue(0, 3, side_open(&queue, ROLE_QUEUE)),
	    0);
	fd = side_open(&msad, ROLE_PARENT);
	to_msad = ipc_new(fd, ROLE_AUTH, ROLE_PARENT, NULL, NULL, NULL);
	memset(pam, 0, sizeof(pam));
	workers_start(to_msad, base);
	next(&msad, IPC_PAM_POOL_WANT);
	for (i = 0; i < 2; i++) {
		pam_open(i);
		pam_idle(i, 100);
	}
	return 0;
}

static int
teardown(void **state)
{
	int	 i;

	(void)state;
	workers_stop();
	channels_close();
	settle();
	ipc_free(to_msad);
	ipc_free(frontend.ch);
	ipc_free(queue.ch);
	ipc_free(msad.ch);
	for (i = 0; i < NPAM; i++)
		ipc_free(pam[i].ch);
	event_base_free(base);
	return 0;
}

/* --- tests --- */

/* Success comes only after the queue has the grant. */
static void
plain_ok(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	nothing(&frontend);
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
	nothing(&frontend);
	take(1, 1);
	assert_int_equal(answered(1, VERDICT_OK, "ann"), 0);
	/* R4954-4-a: the first identity stays. */
	plain(1);
	answered(1, VERDICT_SEQUENCE, "");
	nothing(&queue);
	ipc_send_empty(frontend.ch, IPC_SESSION_CLOSE, 1);
	revoked(1);
}

/* D-login-2-a, R4954-4-d, and the name that PAM gives back counts. */
static void
login_ok(void **state)
{
	struct slice	 name = SLICE_STR("Ann");
	uint64_t	 id;

	(void)state;
	open_session(5, 0);
	auth_start(5, 1, "login", NULL);
	challenged("Username:");
	respond(5, "Ann");
	challenged("Password:");
	respond(5, "secret");
	id = pam_asked(0, "Ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(5, "ann", "LOGIN");
	take(5, 1);
	answered(5, VERDICT_OK, "ann");

	/* R4954-4-f */
	open_session(6, 0);
	auth_start(6, 1, "LOGIN", &name);
	challenged("Password:");
	ipc_send_empty(frontend.ch, IPC_AUTH_CANCEL, 6);
	answered(6, VERDICT_AUTH_CANCELLED, "");
	auth_start(6, 1, "PLAIN", NULL);
	challenged("");
	respond(6, "rubbish");
	answered(6, VERDICT_AUTH_FAILED, "");
}

/* Each failure slower, all alike, and D-login-2-b after both steps. */
static void
failures(void **state)
{
	struct slice	 bad = SLICE("\0ann", 4);
	uint32_t	 first, second, third;
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_AUTH_FAILED, "", 1500000);
	first = answered(1, VERDICT_AUTH_FAILED, "");
	assert_in_range(first, 1300, 1500);
	auth_start(1, 1, "PLAIN", &bad);
	second = answered(1, VERDICT_AUTH_FAILED, "");
	assert_in_range(second, 1800, 2000);
	auth_start(1, 1, "LOGIN", NULL);
	challenged("Username:");
	respond(1, "");
	challenged("Password:");
	respond(1, "secret");
	third = answered(1, VERDICT_AUTH_FAILED, "");
	assert_in_range(third, 2800, 3000);
	nothing(&pam[1]);

	/* P-pam-1; the time that PAM took is part of the delay. */
	open_session(2, 0);
	plain(2);
	id = pam_asked(0, "ann", "secret");
	advance(400);
	pam_says(0, id, VERDICT_AUTH_DISABLED, "", 0);
	assert_in_range(answered(2, VERDICT_AUTH_DISABLED, ""), 400, 600);

	/* R4954-6-b: trouble is neither slow nor counted. */
	plain(2);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_AUTH_BUSY, "", 0);
	assert_int_equal(answered(2, VERDICT_AUTH_BUSY, ""), 0);
	plain(2);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_AUTH_FAILED, "", 0);
	assert_in_range(answered(2, VERDICT_AUTH_FAILED, ""), 1800, 2000);
	nothing(&queue);
}

static void
mechanisms(void **state)
{
	struct slice	 good = SLICE("\0ann\0secret", 11);

	(void)state;
	open_session(1, 0);
	auth_start(1, 1, "CRAM-MD5", NULL);
	answered(1, VERDICT_AUTH_MECHANISM, "");
	auth_start(1, 0, "PLAIN", &good);	/* no TLS */
	answered(1, VERDICT_AUTH_MECHANISM, "");
	nothing(&pam[0]);
	open_session(2, 1);			/* this block has no LOGIN */
	auth_start(2, 1, "LOGIN", NULL);
	answered(2, VERDICT_AUTH_MECHANISM, "");
	open_session(3, 9);			/* no such listener */
	plain(3);
	answered(3, VERDICT_AUTH_BUSY, "");
}

static void
queue_refuses(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
	take(1, 0);
	answered(1, VERDICT_AUTH_BUSY, "");

	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
	ipc_free(queue.ch);
	queue.ch = NULL;
	answered(1, VERDICT_AUTH_BUSY, "");
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	answered(1, VERDICT_AUTH_BUSY, "");
}

/* A name from PAM that would not do in a grant. */
static void
bad_name_from_pam(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "a\nb", 0);
	answered(1, VERDICT_AUTH_BUSY, "");
	nothing(&queue);
}

/* X-auth-2: the client goes while PAM works; the worker is used again. */
static void
client_goes(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	ipc_send_empty(frontend.ch, IPC_SESSION_CLOSE, 1);
	settle();
	pam_says(0, id, VERDICT_OK, "ann", 0);
	nothing(&frontend);
	nothing(&queue);
	open_session(2, 0);
	plain(2);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(2, "ann", "PLAIN");
	/* Gone before the queue answers. */
	ipc_send_empty(frontend.ch, IPC_SESSION_CLOSE, 2);
	revoked(2);
	take(2, 1);
	nothing(&frontend);
}

/* A cancelled login grants nothing, however far it was. */
static void
cancel(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	ipc_send_empty(frontend.ch, IPC_AUTH_CANCEL, 1);
	answered(1, VERDICT_AUTH_CANCELLED, "");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	nothing(&queue);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
	ipc_send_empty(frontend.ch, IPC_AUTH_CANCEL, 1);
	answered(1, VERDICT_AUTH_CANCELLED, "");
	revoked(1);
	take(1, 1);
	nothing(&frontend);
	ipc_send_empty(frontend.ch, IPC_AUTH_CANCEL, 1);
	nothing(&frontend);
}

static void
frontend_goes(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
	take(1, 1);
	answered(1, VERDICT_OK, "ann");
	open_session(2, 0);
	plain(2);
	id = pam_asked(0, "ann", "secret");
	ipc_free(frontend.ch);
	frontend.ch = NULL;
	settle();
	revoked(1);
	pam_says(0, id, VERDICT_OK, "ann", 0);
	nothing(&queue);
	assert_false(pam[0].closed);
}

/* A worker dies in a conversation: once more on another, then 454. */
static void
worker_dies(void **state)
{
	(void)state;
	open_session(1, 0);
	plain(1);
	(void)pam_asked(0, "ann", "secret");
	ipc_free(pam[0].ch);
	pam[0].ch = NULL;
	(void)pam_asked(1, "ann", "secret");
	ipc_free(pam[1].ch);
	pam[1].ch = NULL;
	answered(1, VERDICT_AUTH_BUSY, "");
}

/* None at all: 454 within two seconds, and service with a new worker. */
static void
no_worker(void **state)
{
	uint64_t	 id;
	int		 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ipc_free(pam[i].ch);
		pam[i].ch = NULL;
	}
	settle();
	open_session(1, 0);
	plain(1);
	nothing(&frontend);
	advance(1000);
	nothing(&frontend);
	advance(900);
	answered(1, VERDICT_AUTH_BUSY, "");
	plain(1);
	nothing(&frontend);
	pam_open(2);
	pam_idle(2, 100);
	id = pam_asked(2, "ann", "secret");
	pam_says(2, id, VERDICT_OK, "ann", 0);
	granted(1, "ann", "PLAIN");
}

static void
pool_wanted(unsigned int n)
{
	struct message		*m = next(&msad, IPC_PAM_POOL_WANT);
	struct ipc_reader	 r;

	reader(&r, m);
	assert_int_equal(ipc_get_u16(&r), n);
}

/* PAM hangs: 454, and msad is asked to kill that worker. */
static void
worker_hangs(void **state)
{
	struct message		*m;
	struct ipc_reader	 r;
	uint64_t		 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	/* It waits for others, so another worker takes its place. */
	advance(29000);
	nothing(&frontend);
	pool_wanted(3);
	nothing(&msad);
	advance(1500);
	answered(1, VERDICT_AUTH_BUSY, "");
	m = next(&msad, IPC_PAM_POOL_KILL);
	reader(&r, m);
	assert_int_equal(ipc_get_u32(&r), 100);
	/* What it says afterwards is not taken for another login's verdict. */
	open_session(2, 0);
	plain(2);
	(void)pam_asked(1, "ann", "secret");
	pam_says(0, id, VERDICT_OK, "ann", 0);
	nothing(&frontend);
	nothing(&queue);
	nothing(&pam[0]);
}

/* The last conversation of a worker: it is asked no more. */
static void
worker_retires(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	ipc_start(pam[0].ch, IPC_PAM_RESULT, id);
	ipc_put_u8(pam[0].ch, VERDICT_AUTH_BUSY);
	ipc_put_str(pam[0].ch, "");
	ipc_put_u32(pam[0].ch, 0);
	ipc_put_str(pam[0].ch, "");
	ipc_send(pam[0].ch);
	pam_idle(0, 0);
	answered(1, VERDICT_AUTH_BUSY, "");
	plain(1);
	(void)pam_asked(1, "ann", "secret");
	nothing(&pam[0]);
}

/* --- a front-end, or a worker, that breaks the rules --- */

static void
expect_closed(struct side *side)
{
	settle();
	assert_true(side->closed);
}

static void
second_start(void **state)
{
	(void)state;
	open_session(1, 0);
	plain(1);
	plain(1);
	expect_closed(&frontend);
}

static void
old_sid(void **state)
{
	(void)state;
	open_session(7, 0);
	assert_false(frontend.closed);
	open_session(7, 0);
	expect_closed(&frontend);
}

static void
smaller_sid(void **state)
{
	(void)state;
	open_session(7, 0);
	ipc_send_empty(frontend.ch, IPC_SESSION_CLOSE, 7);
	settle();
	assert_false(frontend.closed);
	open_session(6, 0);
	expect_closed(&frontend);
}

static void
unknown_session(void **state)
{
	(void)state;
	plain(1);
	expect_closed(&frontend);
}

static void
response_to_nothing(void **state)
{
	(void)state;
	open_session(1, 0);
	respond(1, "x");
	expect_closed(&frontend);
}

static void
false_result(void **state)
{
	(void)state;
	open_session(1, 0);
	plain(1);
	(void)pam_asked(0, "ann", "secret");
	pam_says(0, 4711, VERDICT_OK, "ann", 0);
	expect_closed(&pam[0]);
	next(&msad, IPC_PAM_POOL_KILL);
	nothing(&queue);
	(void)pam_asked(1, "ann", "secret");	/* tried again */
}

static void
false_verdict(void **state)
{
	uint64_t	 id;

	(void)state;
	open_session(1, 0);
	plain(1);
	id = pam_asked(0, "ann", "secret");
	pam_says(0, id, VERDICT_TROUBLE, "", 0);
	expect_closed(&pam[0]);
}

/* A front-end that is an attacker's must not reach PAM with such a host. */
static void
bad_client(void **state)
{
	int	 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		client = i == 0 ? "" : i == 1 ? "1\r\nx" :
		    config + sizeof(config) - 100;	/* too long */
		open_session(1, 0);
		expect_closed(&frontend);
		assert_int_equal(channels_frontend(0, EPOCH,
		    side_open(&frontend, ROLE_FRONTEND)), 0);
	}
	client = "192.0.2.7";
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(plain_ok), TEST(login_ok), TEST(failures),
		TEST(mechanisms), TEST(queue_refuses),
		TEST(bad_name_from_pam), TEST(client_goes), TEST(cancel),
		TEST(frontend_goes), TEST(worker_dies), TEST(no_worker),
		TEST(worker_hangs), TEST(worker_retires),
		TEST(second_start), TEST(old_sid), TEST(smaller_sid),
		TEST(unknown_session), TEST(response_to_nothing),
		TEST(false_result), TEST(false_verdict),
		TEST(bad_client)
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("t_auth", 1);
	log_set_level(3);
	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
