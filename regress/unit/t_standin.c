/* links: msad/auth/[!a]*.c msad/auth/a[!u]*.c msad/auth/auth?*.c */
/* libs: crypto crypt idn jansson */
/*
 * Sessions logged in by their address: what queue and front-end are told, in
 * every order in which the queue's consent, a login and the end of the grant
 * may come. And who may ask for it: msactl's questions to auth.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/verdict.h"
#include "msad/auth/blocks.h"
#include "msad/auth/byaddress.h"
#include "msad/auth/cache.h"
#include "msad/auth/channels.h"
#include "msad/auth/control.h"
#include "msad/auth/guard.h"
#include "msad/auth/workers.h"

#define EPOCH	0x77ULL

static const char config[] =
    "hostname \"mail.example.org\"\n"
    "queue { path \"/var/spool/msad\" }\n"
    "control socket \"/run/msad/msad.sock\"\n"
    "pki \"main\" { cert \"/c.pem\" key \"/k.pem\" }\n"
    "auth \"sys\" { pam service \"msad\" mech { plain, login } "
    "realm \"example.org\" }\n"
    "auth \"old\" { pam service \"other\" mech plain realm \"b.example\" }\n"
    "relay \"box\" { maildir \"/var/mail/box\" }\n"
    "listen on 127.0.0.1 port 10465 tls pki \"main\" auth \"sys\" "
    "grants allow\n"
    "listen on 127.0.0.1 port 10466 tls pki \"main\" auth \"sys\"\n"
    "listen on 127.0.0.1 port 10467 tls pki \"main\" auth \"old\"\n"
    "match from auth sender any relay \"box\"\n";

struct message {
	unsigned int	 type;
	uint64_t	 sid;
	uint8_t		 data[512];
	size_t		 len;
};

struct side {
	struct ipc	*ch;
	struct message	 seen[64];
	unsigned int	 nseen, nread;
	bool		 closed;
};

static struct event_base	*base;
static struct side		 frontend, queue, control, msad, pam;
static struct conf		*conf;
static const struct ipc_handler	 to_handlers[] = { { 0, NULL } };
static struct ipc		*to_msad;
static struct side		 to_side;

void
child_condemn(struct ipc *ch)
{
	(void)ch;
}

static int
record(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct side	*side = arg;
	struct message	*m = &side->seen[side->nseen++];

	(void)ch;
	assert_true(side->nseen < 64 && msg->len <= sizeof(m->data));
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
	{ IPC_SESSION_GRANTED, record },
	{ IPC_SESSION_REFUSE, record },
	{ IPC_GRANT, record },
	{ IPC_GRANT_REVOKE, record },
	{ IPC_PAM_POOL_WANT, record },
	{ IPC_PAM_REQUEST, record },
	{ IPC_CTL_AUTH_END, record },
	{ IPC_CTL_AUTH_GRANTED, record },
	{ IPC_CTL_AUTH_BANNED, record },
	{ IPC_CTL_AUTH_FACT, record },
	{ 0, NULL }
};

static int
side_open(struct side *side, enum ipc_role role)
{
	int	 sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	memset(side, 0, sizeof(*side));
	side->ch = ipc_new(sv[0], role, ROLE_AUTH, handlers, side_closed,
	    side);
	return sv[1];
}

static void
settle(void)
{
	int	 i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The next message; it must be of that type and session. */
static struct message *
next(struct side *side, unsigned int type, uint64_t sid)
{
	struct message	*m;

	settle();
	if (side->nread == side->nseen)
		fail_msg("nothing came, want %s", ipc_type_name(type));
	m = &side->seen[side->nread++];
	if (m->type != type || m->sid != sid)
		fail_msg("%s came, want %s", ipc_type_name(m->type),
		    ipc_type_name(type));
	return m;
}

static void
nothing(struct side *side)
{
	settle();
	if (side->nread != side->nseen)
		fail_msg("%s came", ipc_type_name(
		    side->seen[side->nread].type));
}

static void
open_session(uint64_t sid, uint16_t listener, const char *client)
{
	ipc_start(frontend.ch, IPC_SESSION_OPEN, sid);
	ipc_put_u16(frontend.ch, listener);
	ipc_put_str(frontend.ch, client);
	ipc_put_u16(frontend.ch, 40000);
	ipc_put_str(frontend.ch, "127.0.0.1");
	ipc_put_u16(frontend.ch, 465);
	ipc_send(frontend.ch);
	settle();
}

static void
taken(uint64_t sid, bool yes)
{
	ipc_start(queue.ch, IPC_GRANT_TAKEN, sid);
	ipc_put_u64(queue.ch, EPOCH);
	ipc_put_u8(queue.ch, yes);
	ipc_send(queue.ch);
	settle();
}

/* LOGIN, which asks for the name: an attempt under way. */
static void
start_login(uint64_t sid)
{
	ipc_start(frontend.ch, IPC_AUTH_START, sid);
	ipc_put_u8(frontend.ch, 1);
	ipc_put_str(frontend.ch, "LOGIN");
	ipc_put_u8(frontend.ch, 0);
	ipc_put_bytes(frontend.ch, "", 0);
	ipc_send(frontend.ch);
	settle();
}

/* The queue was asked for a grant of the address's login. */
static void
asked(uint64_t sid, const char *user)
{
	struct message		*m = next(&queue, IPC_GRANT, sid);
	struct ipc_msg		 msg = { .data = m->data, .len = m->len };
	struct ipc_reader	 r;

	ipc_reader(&r, &msg);
	assert_true(ipc_get_u64(&r) == EPOCH);
	assert_true(slice_is(ipc_get_str(&r), user));
	assert_true(slice_is(ipc_get_str(&r), ""));
	assert_true(slice_is(ipc_get_str(&r), "sys"));
	assert_true(slice_is(ipc_get_str(&r), "ADDRESS"));
	ipc_get_u16(&r);
	ipc_get_str(&r);
	ipc_get_u16(&r);
	assert_true(slice_is(ipc_get_str(&r), "example.org"));
	assert_int_equal(ipc_get_u8(&r), GRANT_ADDRESS);
}

/* --- msactl's questions --- */

static void
put_caller(uint32_t uid)
{
	ipc_put_u32(control.ch, uid);
	ipc_put_u16(control.ch, 1);
	ipc_put_u32(control.ch, uid);
}

static uint8_t
status(uint64_t sid)
{
	return next(&control, IPC_CTL_AUTH_END, sid)->data[0];
}

static uint8_t
grant(uint32_t uid, const char *address, const char *user, const char *block,
    uint32_t seconds)
{
	ipc_start(control.ch, IPC_CTL_AUTH_GRANT, 9);
	put_caller(uid);
	ipc_put_str(control.ch, address);
	ipc_put_str(control.ch, user);
	ipc_put_str(control.ch, block);
	ipc_put_u32(control.ch, seconds);
	ipc_send(control.ch);
	return status(9);
}

static uint8_t
ungrant(uint32_t uid, const char *address)
{
	ipc_start(control.ch, IPC_CTL_AUTH_UNGRANT, 9);
	put_caller(uid);
	ipc_put_str(control.ch, address);
	ipc_send(control.ch);
	return status(9);
}

static int
setup(void **state)
{
	int	 fd;

	(void)state;
	if (base == NULL) {
		base = event_base_new();
		ipc_init(base);
		log_set_level(0);
		assert_int_equal(cache_init(), 0);
		assert_int_equal(guard_init(), 0);
		control_init(base);
	}
	conf = conf_parse_text(config, sizeof(config) - 1, "t", stderr);
	assert_non_null(conf);
	assert_int_equal(blocks_load(conf), 0);
	guard_configure(conf);
	control_configure(conf);
	to_msad = ipc_new(side_open(&msad, ROLE_PARENT), ROLE_AUTH,
	    ROLE_PARENT, to_handlers, side_closed, &to_side);
	assert_int_equal(channels_queue(0, 1, side_open(&queue, ROLE_QUEUE)),
	    0);
	fd = side_open(&frontend, ROLE_FRONTEND);
	assert_int_equal(channels_frontend(0, EPOCH, fd), 0);
	assert_int_equal(control_channel(0, 2, side_open(&control,
	    ROLE_CONTROL)), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	byaddress_expire(INT64_MAX);
	cache_flush(NULL);
	control_stop();
	channels_close();
	settle();
	ipc_free(frontend.ch);
	ipc_free(queue.ch);
	ipc_free(control.ch);
	ipc_free(msad.ch);
	ipc_free(to_msad);
	conf_free(conf);
	return 0;
}

/* --- tests --- */

/* The front-end hears after the queue has taken it, and of that alone. */
static void
t_granted(void **state)
{
	(void)state;
	assert_int_equal(grant(0, "192.0.2.1", "ann", "", 60), 0);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	nothing(&frontend);
	taken(1, true);
	assert_int_equal(next(&frontend, IPC_SESSION_GRANTED, 1)->len, 5);
	nothing(&frontend);
	open_session(2, 0, "192.0.2.2");
	open_session(3, 1, "192.0.2.1");
	open_session(4, 2, "192.0.2.1");
	open_session(5, 9, "192.0.2.1");
	nothing(&queue);
}

/* Refused by the queue: silence, and a login is possible. */
static void
t_not_taken(void **state)
{
	(void)state;
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	taken(1, false);
	nothing(&frontend);
	start_login(1);
	next(&frontend, IPC_AUTH_CHALLENGE, 1);
	nothing(&queue);
	assert_false(frontend.closed);
}

/* AUTH takes its place: the queue's grant goes first. */
static void
t_auth_after(void **state)
{
	(void)state;
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	taken(1, true);
	next(&frontend, IPC_SESSION_GRANTED, 1);
	start_login(1);
	next(&queue, IPC_GRANT_REVOKE, 1);
	next(&frontend, IPC_AUTH_CHALLENGE, 1);
	/* the end of the address's grant is nothing to this session now */
	assert_int_equal(ungrant(0, "192.0.2.1"), 0);
	nothing(&queue);
}

/* AUTH before the queue has answered: its answer is nobody's. */
static void
t_auth_crosses(void **state)
{
	(void)state;
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	start_login(1);
	next(&queue, IPC_GRANT_REVOKE, 1);
	next(&frontend, IPC_AUTH_CHALLENGE, 1);
	taken(1, true);
	nothing(&frontend);
	nothing(&queue);
}

static void
respond(uint64_t sid, const char *text)
{
	next(&frontend, IPC_AUTH_CHALLENGE, sid);
	ipc_start(frontend.ch, IPC_AUTH_RESPONSE, sid);
	ipc_put_bytes(frontend.ch, text, strlen(text));
	ipc_send(frontend.ch);
	settle();
}

static void
pam_idle(void)
{
	ipc_start(pam.ch, IPC_PAM_IDLE, 0);
	ipc_put_u16(pam.ch, 50);
	ipc_send(pam.ch);
	settle();
}

/* PAM says yes to what it was asked. */
static void
pam_ok(const char *user)
{
	settle();
	assert_true(pam.nread < pam.nseen);
	ipc_start(pam.ch, IPC_PAM_RESULT, pam.seen[pam.nread++].sid);
	ipc_put_u8(pam.ch, VERDICT_OK);
	ipc_put_str(pam.ch, user);
	ipc_put_u32(pam.ch, 0);
	ipc_put_str(pam.ch, "");
	ipc_send(pam.ch);
	pam_idle();
}

/* The queue's late consent to the address is none to the login behind it. */
static void
t_consent_is_not_mixed_up(void **state)
{
	(void)state;
	assert_int_equal(workers_configure(conf), 0);
	workers_start(to_msad, base);
	assert_int_equal(workers_add(1, 7, side_open(&pam, ROLE_PAM)), 0);
	pam_idle();
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	start_login(1);
	next(&queue, IPC_GRANT_REVOKE, 1);
	respond(1, "bob");
	respond(1, "secret");
	pam_ok("bob");
	next(&queue, IPC_GRANT, 1);
	taken(1, true);
	nothing(&frontend);
	taken(1, true);
	assert_int_equal(next(&frontend, IPC_AUTH_RESULT, 1)->data[0],
	    VERDICT_OK);
	workers_stop();
	ipc_free(pam.ch);
}

/* The grant ends: by msactl, by time, for another; each ends its sessions. */
static void
t_ends(void **state)
{
	(void)state;
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	taken(1, true);
	next(&frontend, IPC_SESSION_GRANTED, 1);
	/* for longer: nothing happens */
	grant(0, "192.0.2.1", "ann", "", 120);
	nothing(&queue);
	grant(0, "192.0.2.1", "bob", "", 60);
	next(&queue, IPC_GRANT_REVOKE, 1);
	open_session(2, 0, "192.0.2.1");
	asked(2, "bob");
	/* it ends while the queue has not answered */
	assert_int_equal(ungrant(0, "192.0.2.1"), 0);
	next(&queue, IPC_GRANT_REVOKE, 2);
	taken(2, true);
	nothing(&frontend);
	assert_int_equal(ungrant(0, "192.0.2.1"), 5);
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(3, 0, "192.0.2.1");
	asked(3, "ann");
	byaddress_expire(INT64_MAX);
	next(&queue, IPC_GRANT_REVOKE, 3);
}

/* The session ends, the queue is lost: nothing dangles. */
static void
t_gone(void **state)
{
	(void)state;
	grant(0, "192.0.2.1", "ann", "", 60);
	open_session(1, 0, "192.0.2.1");
	asked(1, "ann");
	ipc_send_empty(frontend.ch, IPC_SESSION_CLOSE, 1);
	next(&queue, IPC_GRANT_REVOKE, 1);
	taken(1, true);
	nothing(&frontend);
	open_session(2, 0, "192.0.2.1");
	asked(2, "ann");
	ipc_free(queue.ch);
	queue.ch = NULL;
	settle();
	nothing(&frontend);
	open_session(3, 0, "192.0.2.1");
	assert_int_equal(ungrant(0, "192.0.2.1"), 0);
	nothing(&frontend);
}

/* Root alone, while the socket has no group; what is wrong is an error. */
static void
t_callers(void **state)
{
	struct {
		const char	*address, *user, *block;
		uint32_t	 seconds;
	} bad[] = {
		{ "192.0.2.0/24", "ann", "sys", 60 },
		{ "here", "ann", "sys", 60 }, { "", "ann", "sys", 60 },
		{ "192.0.2.1", "", "sys", 60 },
		{ "192.0.2.1", "a/b", "sys", 60 },
		{ "192.0.2.1", "ann", "old", 60 },
		{ "192.0.2.1", "ann", "none", 60 },
		{ "192.0.2.1", "ann", "sys", 0 },
		{ "192.0.2.1", "ann", "sys", 86401 }
	};
	size_t	 i;

	(void)state;
	assert_int_equal(grant(1000, "192.0.2.1", "ann", "sys", 60), 4);
	assert_int_equal(ungrant(1000, "192.0.2.1"), 4);
	assert_null(byaddress_after(0));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (grant(0, bad[i].address, bad[i].user, bad[i].block,
		    bad[i].seconds) != 1)
			fail_msg("taken: %zu", i);
	assert_null(byaddress_after(0));
	conf->socket_group = strdup("mail");
	control_configure(conf);
	assert_int_equal(grant(1000, "192.0.2.1", "ann", "sys", 60), 0);
}

/* A malformed question of msad-control ends its channel, not auth. */
static void
t_malformed(void **state)
{
	(void)state;
	ipc_start(control.ch, IPC_CTL_AUTH_UNGRANT, 9);
	ipc_put_u32(control.ch, 0);
	ipc_put_u16(control.ch, 65);
	ipc_put_str(control.ch, "192.0.2.1");
	ipc_send(control.ch);
	settle();
	assert_true(control.closed);
	assert_false(frontend.closed);
}

/*
 * Any octets as the payload of msactl's questions, half of them with a caller
 * and a string in front: an answer or the end of the channel, nothing else.
 */
static void
t_any_octets(void **state)
{
	static const unsigned int types[] = { IPC_CTL_AUTH_BANS,
		IPC_CTL_AUTH_BAN, IPC_CTL_AUTH_UNBAN, IPC_CTL_AUTH_FLUSH,
		IPC_CTL_AUTH_GRANTS, IPC_CTL_AUTH_GRANT,
		IPC_CTL_AUTH_UNGRANT, IPC_CTL_AUTH_SESSION };
	/* octets that make sense behind the caller and "::1" */
	static const unsigned int whole[] = { 14, 15, 11, 11, 14, 24, 11, 17 };
	unsigned int	 i, j, n, type, type_at, closed = 0, answered = 0;
	uint8_t		 p[96];

	(void)state;
	srandom(1);
	for (i = 0; i < 4000; i++) {
		type_at = (unsigned int)random() % 8;
		type = types[type_at];
		n = 16 + (unsigned int)random() % 80;
		for (j = 0; j < n; j++)
			p[j] = (uint8_t)(random() % 4 != 0 ? random() % 3 :
			    random());
		if (random() % 2) {
			memcpy(p, "\0\0\0\0\0\0\0\003::1", 11);
			n = whole[type_at];
		}
		ipc_start(control.ch, type, i + 1);
		ipc_put_raw(control.ch, p, n);
		ipc_send(control.ch);
		settle();
		assert_false(frontend.closed);
		assert_true(control.closed || control.nseen > 0);
		if (!control.closed) {
			control.nseen = 0;
			answered++;
			continue;
		}
		closed++;
		assert_int_equal(control_channel(0, 2, side_open(&control,
		    ROLE_CONTROL)), 0);
	}
	assert_true(closed > 100 && answered > 100);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest	 tests[] = {
		T(t_granted), T(t_not_taken), T(t_auth_after),
		T(t_auth_crosses), T(t_consent_is_not_mixed_up), T(t_ends),
		T(t_gone), T(t_callers), T(t_malformed), T(t_any_octets)
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
