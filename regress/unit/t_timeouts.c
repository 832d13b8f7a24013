/*
 * How long a session may take: the clock of each state, without waiting for
 * it. Time is a number here; what ends a session is noted.
 */
/* links: msad/frontend/timeouts.c */

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "msad/frontend/frontend.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/session.h"
#include "msad/frontend/smtp.h"
#include "msad/frontend/timeouts.h"

#define SECOND	1000
#define MINUTE	(60 * SECOND)

static struct settings	 set;
static struct session	 s;
static struct transaction tx;
static enum reply	 ended, said;
static const char	*why;
static int64_t		 now;
static int		 resets, unavailable, finished, uncertified;

/* --- what timeouts.c calls --- */

struct ipc *
frontend_queue(void)
{
	return NULL;
}

int64_t
session_now(void)
{
	return now;
}

void
session_enter(struct session *x, enum session_state state)
{
	x->state = state;
	x->since = x->last = now;
}

void
session_reply(struct session *x, enum reply r, const char *detail)
{
	(void)x;
	(void)detail;
	said = r;
}

void
session_end(struct session *x, enum reply r, const char *reason)
{
	ended = r;
	why = reason;
	session_enter(x, SESSION_CLOSING);
}

void
session_drop(struct session *x, const char *reason)
{
	x->dead = true;
	why = reason;
}

void
smtp_reset(struct session *x)
{
	x->tx = NULL;
	resets++;
}

void
sasl_unavailable(struct session *x)
{
	(void)x;
	unavailable++;
}

void
session_certificate(struct session *x, bool good)
{
	assert_false(good);
	session_enter(x, SESSION_COMMAND);
	uncertified++;
}

void
sasl_finish(struct session *x)
{
	(void)x;
	finished++;
}

/* --- tests --- */

static int
setup(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	memset(&tx, 0, sizeof(tx));
	conf_limits_default(&set.limits);
	s.set = &set;
	ended = said = REPLY_NONE;
	why = "";
	resets = unavailable = finished = uncertified = 0;
	now = 5 * SECOND;
	s.opened = s.since = s.last = now;
	s.state = SESSION_COMMAND;
	return 0;
}

/* Let so much time pass, and call what the timer would. */
static void
run(int64_t ms)
{
	int64_t	end = now + ms, due;

	while (!s.dead && ended == REPLY_NONE &&
	    (due = timeouts_due(&s)) <= end) {
		now = due > now ? due : now;
		timeouts_expired(&s, now);
		if (s.state == SESSION_COMMAND && said != REPLY_NONE)
			return;
	}
	if (ended == REPLY_NONE && !s.dead)
		now = end;
}

/* R5321-4.5.3.2.7-a: at least 5 minutes for a command. */
static void
idle(void **state)
{
	(void)state;
	s.user = (char *)(uintptr_t)"ann";
	run(5 * MINUTE - 1);
	assert_int_equal(ended, REPLY_NONE);
	run(1);
	assert_int_equal(ended, REPLY_TIMEOUT);
	assert_string_equal(why, "idle");
}

/* Auth says nothing about a client certificate: on without EXTERNAL. */
static void
certificate(void **state)
{
	(void)state;
	session_enter(&s, SESSION_CERT_WAIT);
	run(5 * SECOND - 1);
	assert_int_equal(uncertified, 0);
	run(1);
	assert_int_equal(uncertified, 1);
	assert_int_equal(ended, REPLY_NONE);
}

/* X-slow-1: commands keep it alive, but not without a login for ever. */
static void
no_login(void **state)
{
	int	i;

	(void)state;
	for (i = 0; i < 59; i++) {
		run(10 * SECOND);
		s.last = now;
		assert_int_equal(ended, REPLY_NONE);
	}
	run(10 * SECOND);
	assert_int_equal(ended, REPLY_TIMEOUT);
	assert_string_equal(why, "no-login");
	assert_int_equal(now - s.opened, 10 * MINUTE);
}

/* With a login the same goes on. */
static void
login(void **state)
{
	int	i;

	(void)state;
	s.user = (char *)(uintptr_t)"ann";
	for (i = 0; i < 600; i++) {
		run(10 * SECOND);
		s.last = now;
	}
	assert_int_equal(ended, REPLY_NONE);
}

/* R3207-4-c. */
static void
handshake(void **state)
{
	(void)state;
	s.state = SESSION_HANDSHAKE;
	run(MINUTE - 1);
	assert_false(s.dead);
	s.last = now;		/* octets do not prolong it */
	run(1);
	assert_true(s.dead);
	assert_int_equal(ended, REPLY_NONE);
}

/* X-slow-3: whatever it sends, replies have to be read. */
static void
unread(void **state)
{
	int	i;

	(void)state;
	s.user = (char *)(uintptr_t)"ann";
	s.stuck = now;
	for (i = 0; i < 30; i++) {
		assert_false(s.dead);
		run(10 * SECOND);
		s.last = now;
	}
	assert_true(s.dead);
	assert_string_equal(why, "replies-unread");
}

static void
begin_data(void)
{
	s.user = (char *)(uintptr_t)"ann";
	s.tx = &tx;
	s.state = SESSION_DATA;
	s.window = s.since = s.last = now;
}

/* X-slow-2: 180 s without an octet. */
static void
data_stops(void **state)
{
	(void)state;
	begin_data();
	run(3 * MINUTE - 1);
	assert_int_equal(ended, REPLY_NONE);
	run(1);
	assert_int_equal(ended, REPLY_TIMEOUT);
}

/* X-slow-2: so many octets a second, for half an hour or until it ends. */
static int64_t
data_at(unsigned int rate)
{
	int64_t	begun = now;
	int	i;

	begin_data();
	for (i = 0; i < 1800 && ended == REPLY_NONE; i++) {
		run(SECOND);
		tx.data.size += rate;
		s.last = now;
	}
	return now - begun;
}

static void
data_slow(void **state)
{
	(void)state;
	assert_int_equal(data_at(90), 5 * MINUTE);
	assert_int_equal(ended, REPLY_TIMEOUT);
}

static void
data_fast_enough(void **state)
{
	(void)state;
	assert_int_equal(data_at(110), 30 * MINUTE);
	assert_int_equal(ended, REPLY_NONE);
}

/*
 * P7: others that do not answer cost a 4xx, not the session; R6409-5.3-a: at
 * 110 s at the latest, 454 for a login.
 */
static void
no_answer(void **state)
{
	(void)state;
	s.user = (char *)(uintptr_t)"ann";
	s.tx = &tx;
	s.state = SESSION_RCPT_WAIT;
	run(110 * SECOND - 1);
	assert_int_equal(said, REPLY_NONE);
	run(1);
	assert_int_equal(said, REPLY_TROUBLE);
	assert_int_equal(s.state, SESSION_COMMAND);
	assert_int_equal(s.owed, 1);
	assert_int_equal(resets, 1);
	s.user = NULL;
	s.state = SESSION_AUTH_WAIT;
	s.since = s.last = s.opened = now;
	assert_in_range(timeouts_due(&s), now, now + 110 * SECOND);
	timeouts_expired(&s, timeouts_due(&s));
	assert_int_equal(unavailable, 1);
}

/* R6409-5.3-a: after the last piece, no reply where the queue gave none. */
static void
no_verdict(void **state)
{
	(void)state;
	s.user = (char *)(uintptr_t)"ann";
	s.tx = &tx;
	s.state = SESSION_QUEUE_WAIT;
	run(2 * MINUTE);
	assert_true(s.dead);
	assert_int_equal(said, REPLY_NONE);
	assert_int_equal(ended, REPLY_NONE);
}

/* Our last words may stay unread as well. */
static void
closing(void **state)
{
	(void)state;
	s.state = SESSION_CLOSING;
	run(MINUTE);
	assert_true(s.dead);
	s.dead = false;
	s.state = SESSION_LINGER;
	s.since = now;
	run(3 * SECOND);
	assert_true(s.dead);
}

/* PX-1: five seconds for the header, and no word to who is late. */
static void
proxy_header(void **state)
{
	(void)state;
	s.state = SESSION_PROXY;
	run(5 * SECOND - 1);
	assert_false(s.dead);
	s.last = now;
	run(1);
	assert_true(s.dead);
	assert_int_equal(ended, REPLY_NONE);
}

/* The limits of the configuration take the place of the defaults. */
static void
configured(void **state)
{
	(void)state;
	set.limits.idle_time = 20;
	set.limits.login_time = 30;
	run(20 * SECOND - 1);
	assert_int_equal(ended, REPLY_NONE);
	s.last = now;
	run(10 * SECOND + 1);
	assert_int_equal(ended, REPLY_TIMEOUT);
	assert_string_equal(why, "no-login");
	setup(state);
	set.limits.data_time = 7;
	begin_data();
	run(7 * SECOND - 1);
	assert_int_equal(ended, REPLY_NONE);
	run(1);
	assert_string_equal(why, "data-timeout");
	setup(state);
	set.limits.data_rate = 0;
	set.limits.data_time = 600;
	begin_data();
	run(10 * MINUTE - 1);
	assert_int_equal(ended, REPLY_NONE);
}

#define TEST(fn)	cmocka_unit_test_setup(fn, setup)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(idle),
		TEST(certificate), TEST(no_login), TEST(login), TEST(handshake),
		TEST(unread), TEST(data_stops), TEST(data_slow),
		TEST(data_fast_enough), TEST(no_answer), TEST(no_verdict),
		TEST(closing), TEST(proxy_header), TEST(configured)
	};

	return cmocka_run_group_tests_name("timeouts", tests, NULL, NULL);
}
