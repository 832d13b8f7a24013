/* Logins whose client hangs up, and answers that come behind a flush. */
/* links: msad/auth/[!a]*.c msad/auth/a[!u]*.c msad/auth/auth?*.c */
/* libs: crypto crypt idn jansson */

#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/verdict.h"
#include "msad/auth/blocks.h"
#include "msad/auth/cache.h"
#include "msad/auth/channels.h"
#include "msad/auth/guard.h"
#include "msad/auth/workers.h"

#define EPOCH	7
#define CLIENT	"192.0.2.7"

static const char config[] =
    "hostname \"mail.example.org\"\n"
    "queue { path \"/var/spool/msad\" }\n"
    "control socket \"/run/msad/msad.sock\"\n"
    "pki \"main\" { cert \"/c.pem\" key \"/k.pem\" }\n"
    "auth \"sys\" { pam service \"msad\" mech { plain } cache 60s "
    "realm \"example.org\" }\n"
    "relay \"box\" { maildir \"/var/mail/box\" }\n"
    "listen on 127.0.0.1 port 10465 tls pki \"main\" auth \"sys\"\n"
    "match from auth sender any relay \"box\"\n";

static struct event_base *base;
static struct ipc	*frontend, *queue, *pam[2], *asker;
static uint64_t		 last_sid, asked_id, taken;
static unsigned int	 asked;		/* conversations of PAM */
static char		 user[16];	/* each test's own: guard.c knows */
static int		 verdict;	/* the last answer's; -1: none */

static int
on_message(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)arg;
	if (msg->type == IPC_PAM_REQUEST) {
		asked++;
		asked_id = msg->sid;
		asker = ch;
	} else if (msg->type == IPC_AUTH_RESULT)
		verdict = ((const uint8_t *)msg->data)[0];
	else if (msg->type == IPC_GRANT) {
		ipc_start(ch, IPC_GRANT_TAKEN, msg->sid);
		ipc_put_u64(ch, EPOCH);
		ipc_put_u8(ch, 1);
		ipc_send(ch);
		taken++;
	}
	return 0;
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)end;
	(void)arg;
	fail_msg("a channel was closed");
}

static const struct ipc_handler handlers[] = {
	{ IPC_AUTH_RESULT, on_message },
	{ IPC_SESSION_REFUSE, on_message },
	{ IPC_GRANT, on_message },
	{ IPC_GRANT_REVOKE, on_message },
	{ IPC_PAM_REQUEST, on_message },
	{ IPC_PAM_ACCOUNT, on_message },
	{ 0, NULL }
};

static void
settle(void)
{
	int	 i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static int
side(struct ipc **ch, enum ipc_role role)
{
	int	 sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	*ch = ipc_new(sv[0], role, ROLE_AUTH, handlers, on_closed, NULL);
	assert_non_null(*ch);
	return sv[1];
}

static void
load(void)
{
	struct conf	*conf;

	conf = conf_parse_text(config, sizeof(config) - 1, "test", stderr);
	assert_non_null(conf);
	guard_configure(conf);
	assert_int_equal(blocks_load(conf), 0);
	conf_free(conf);
}

static void
pam_idle(struct ipc *ch)
{
	ipc_start(ch, IPC_PAM_IDLE, 0);
	ipc_put_u16(ch, 60000);
	ipc_send(ch);
	settle();
}

static void
pam_says(enum verdict v)
{
	ipc_start(asker, IPC_PAM_RESULT, asked_id);
	ipc_put_u8(asker, (uint8_t)v);
	ipc_put_str(asker, v == VERDICT_OK ? user : "");
	ipc_put_u32(asker, 0);
	ipc_put_str(asker, "");
	ipc_send(asker);
	pam_idle(asker);
}

static int
setup(void **state)
{
	static unsigned int	 serial;
	struct network		 all;
	unsigned int		 i;

	(void)state;
	base = event_base_new();
	ipc_init(base);
	assert_int_equal(guard_init(), 0);
	assert_int_equal(cache_init(), 0);
	network_parse("0.0.0.0/0", &all);
	guard_unban(&all, 1);
	cache_flush(NULL);
	load();
	last_sid = asked = taken = 0;
	snprintf(user, sizeof(user), "user%u", ++serial);
	assert_int_equal(channels_frontend(0, EPOCH,
	    side(&frontend, ROLE_FRONTEND)), 0);
	assert_int_equal(channels_queue(0, 3, side(&queue, ROLE_QUEUE)), 0);
	workers_start(NULL, base);
	for (i = 0; i < 2; i++) {
		assert_int_equal(workers_add(i + 1, 9, side(&pam[i],
		    ROLE_PAM)), 0);
		pam_idle(pam[i]);
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ipc_free(frontend);
	ipc_free(queue);
	ipc_free(pam[0]);
	ipc_free(pam[1]);
	workers_stop();
	channels_close();
	settle();
	event_base_free(base);
	return 0;
}

static void
open_session(void)
{
	verdict = -1;
	ipc_start(frontend, IPC_SESSION_OPEN, ++last_sid);
	ipc_put_u16(frontend, 0);
	ipc_put_str(frontend, CLIENT);
	ipc_put_u16(frontend, 40000);
	ipc_put_str(frontend, "192.0.2.1");
	ipc_put_u16(frontend, 465);
	ipc_send(frontend);
	settle();
}

static void
auth(const char *password)
{
	char	 text[64];
	int	 n;

	n = snprintf(text, sizeof(text), "%c%s%c%s", 0, user, 0, password);
	ipc_start(frontend, IPC_AUTH_START, last_sid);
	ipc_put_u8(frontend, 1);
	ipc_put_str(frontend, "PLAIN");
	ipc_put_u8(frontend, 1);
	ipc_put_bytes(frontend, text, (size_t)n);
	ipc_send(frontend);
	settle();
}

/* A session of its own asks for this login. */
static void
plain(const char *password)
{
	open_session();
	auth(password);
}

static void
hang_up(void)
{
	ipc_send_empty(frontend, IPC_SESSION_CLOSE, last_sid);
	settle();
}

/*
 * PAM counts wrong passwords and locks the user out in the end: who hangs up
 * before the answer must not get there more often than who waits for it.
 */
static void
hanging_up_counts(void **state)
{
	char		 password[32];
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 40; i++) {
		snprintf(password, sizeof(password), "wrong-%u", i);
		plain(password);
		hang_up();
		if (asked_id != 0)
			pam_says(VERDICT_AUTH_FAILED);
		asked_id = 0;
	}
	assert_in_range(asked, 5, 20);
	plain("one more");
	assert_int_equal(verdict, VERDICT_AUTH_BUSY);
}

/* Nor with more than one at a time, though nobody waits for the first. */
static void
hanging_up_holds(void **state)
{
	(void)state;
	plain("wrong 1");
	assert_int_equal(asked, 1);
	hang_up();
	plain("wrong 2");
	assert_int_equal(asked, 1);
	pam_says(VERDICT_AUTH_FAILED);
	assert_int_equal(asked, 2);
	pam_says(VERDICT_OK);
	assert_int_equal(verdict, VERDICT_OK);
}

/* The same of a login that is cancelled; what was right is no failure. */
static void
cancelled_counts(void **state)
{
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 30; i++) {
		plain("right");
		ipc_send_empty(frontend, IPC_AUTH_CANCEL, last_sid);
		settle();
		assert_int_equal(verdict, VERDICT_AUTH_CANCELLED);
		if (asked > i)
			pam_says(VERDICT_OK);
		cache_flush(NULL);
	}
	assert_int_equal(asked, 30);
	assert_int_equal(taken, 0);
}

/* An answer to what was asked before a flush is not remembered behind it. */
static void
flush_meanwhile(void **state)
{
	(void)state;
	plain("right");
	cache_flush("somebody");
	pam_says(VERDICT_OK);
	assert_int_equal(verdict, VERDICT_OK);
	assert_int_equal(cache_entries(), 0);
	plain("right");
	assert_int_equal(asked, 2);
	pam_says(VERDICT_OK);
	assert_int_equal(cache_entries(), 1);
}

/* Nor is what a session of the old configuration was told. */
static void
reload_meanwhile(void **state)
{
	(void)state;
	open_session();
	load();
	auth("right");
	pam_says(VERDICT_OK);
	assert_int_equal(verdict, VERDICT_OK);
	assert_int_equal(cache_entries(), 0);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(hanging_up_counts), TEST(hanging_up_holds),
		TEST(cancelled_counts), TEST(flush_meanwhile),
		TEST(reload_meanwhile)
	};

	signal(SIGPIPE, SIG_IGN);
	log_init("t_abandoned", 1);
	log_set_level(3);
	return cmocka_run_group_tests_name("abandoned", tests, NULL, NULL);
}
