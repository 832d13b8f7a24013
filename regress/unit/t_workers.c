/* The pool before PAM, against workers and an msad of our own. */
/* links: msad/auth/waiting.c msad/auth/workers.c */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "msad/auth/waiting.h"
#include "msad/auth/workers.h"

#define NPAM		8
#define REPEATS		100000		/* X-auth-2 */
#define CONFIG(pool, auths)						\
	"hostname h\nauth workers { " pool " }\n" auths
#define TWO	"auth a { pam service x limit 3 }\nauth b { pam service y }\n"

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

struct side {
	struct ipc	*ch;
	unsigned int	 nseen;
	unsigned int	 type;		/* of the last message */
	uint64_t	 sid;
	uint8_t		 data[2048];
	size_t		 len;		/* 0: answered */
	bool		 closed;
};

static struct event_base *base;
static struct side	 msad, pam[NPAM];
static struct ipc	*to_msad;
static unsigned int	 npam, nanswers, nwanted;
static struct pam_answer last;

static int
record(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct side	*side = arg;

	(void)ch;
	assert_true(msg->len <= sizeof(side->data));
	side->nseen++;
	side->type = msg->type;
	side->sid = msg->sid;
	side->len = msg->len;
	memcpy(side->data, msg->data, msg->len);
	if (msg->type == IPC_PAM_POOL_WANT)
		nwanted = (unsigned int)msg->data[0] << 8 | msg->data[1];
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
	{ IPC_PAM_REQUEST, record },
	{ IPC_PAM_ACCOUNT, record },
	{ IPC_PAM_POOL_WANT, record },
	{ IPC_PAM_POOL_KILL, record },
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
	assert_non_null(side->ch);
	return sv[1];
}

static void
settle(void)
{
	int	 i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
advance(int64_t ms)
{
	int64_t	 step;

	for (; ms > 0; ms -= step) {
		step = ms < 100 ? ms : 100;
		clock_ahead_ms += step;
		settle();
	}
}

/* --- what happens --- */

static void
idle(unsigned int i)
{
	ipc_start(pam[i].ch, IPC_PAM_IDLE, 0);
	ipc_put_u16(pam[i].ch, 100);
	ipc_send(pam[i].ch);
	settle();
}

/* As many workers as are wanted. */
static void
bring(void)
{
	while (npam < nwanted && npam < NPAM) {
		assert_int_equal(workers_add(npam, 7,
		    side_open(&pam[npam], ROLE_PAM)), 0);
		idle(npam++);
	}
}

static void
says(unsigned int i, unsigned int verdict)
{
	pam[i].len = 0;
	ipc_start(pam[i].ch, IPC_PAM_RESULT, pam[i].sid);
	ipc_put_u8(pam[i].ch, (uint8_t)verdict);
	ipc_put_str(pam[i].ch, "ann");
	ipc_put_u32(pam[i].ch, 0);
	ipc_put_str(pam[i].ch, "");
	ipc_send(pam[i].ch);
	idle(i);
}

static void
done(void *arg, const struct pam_answer *answer)
{
	struct pam_job	**job = arg;

	last = *answer;
	nanswers++;
	if (job != NULL)
		*job = NULL;
}

static struct pam_job *
ask(const char *service, const char *rhost, struct pam_job **mine)
{
	return workers_submit(service, "ann", SLICE_STR("secret"), rhost, done,
	    mine);
}

static void
configure(const char *text)
{
	struct conf	*conf;

	conf = conf_parse_text(text, strlen(text), "t", stderr);
	assert_non_null(conf);
	assert_int_equal(workers_configure(conf), 0);
	conf_free(conf);
}

static void
begin(const char *text)
{
	configure(text);
	workers_start(to_msad, base);
	settle();
	bring();
}

static int
setup(void **state)
{
	int	 fd;

	(void)state;
	base = event_base_new();
	ipc_init(base);
	fd = side_open(&msad, ROLE_PARENT);
	to_msad = ipc_new(fd, ROLE_AUTH, ROLE_PARENT, NULL, NULL, NULL);
	memset(pam, 0, sizeof(pam));
	npam = nanswers = nwanted = 0;
	return 0;
}

static int
teardown(void **state)
{
	unsigned int	 i;

	(void)state;
	workers_stop();
	settle();
	assert_int_equal(waiting_count(), 0);
	ipc_free(to_msad);
	ipc_free(msad.ch);
	for (i = 0; i < npam; i++)
		ipc_free(pam[i].ch);
	event_base_free(base);
	return 0;
}

/* --- tests --- */

/* The account checks alone: no password goes anywhere. */
static void
account(void **state)
{
	const struct ipc_msg	 msg = { .data = pam[0].data, .len = 0 };
	struct ipc_msg		 m = msg;
	struct ipc_reader	 r;

	(void)state;
	begin(CONFIG("min 2", TWO));
	assert_non_null(workers_submit_account("x", "ann", "192.0.2.1", done,
	    NULL));
	settle();
	assert_int_equal(pam[0].type, IPC_PAM_ACCOUNT);
	m.len = pam[0].len;
	ipc_reader(&r, &m);
	assert_true(slice_is(ipc_get_str(&r), "x"));
	assert_true(slice_is(ipc_get_str(&r), "ann"));
	assert_true(slice_is(ipc_get_str(&r), "192.0.2.1"));
	assert_true(slice_is(ipc_get_str(&r), "msad"));
	assert_true(ipc_done(&r));
	/* P-pam-2 */
	says(0, VERDICT_AUTH_EXPIRED);
	assert_int_equal(nanswers, 1);
	assert_int_equal(last.verdict, VERDICT_AUTH_EXPIRED);
}

/* Waiting logins bring more workers, up to max; waiting too long is 454. */
static void
queue_waits(void **state)
{
	unsigned int	 i;

	(void)state;
	begin(CONFIG("min 2, max 5, wait 3s, time 8s", "auth a { pam "
	    "service x cache off }\n"));
	assert_int_equal(nwanted, 2);
	for (i = 0; i < 9; i++)
		assert_non_null(ask("x", "192.0.2.1", NULL));
	advance(100);
	assert_int_equal(nwanted, 2);
	advance(200);
	assert_int_equal(nwanted, 4);
	bring();
	advance(900);
	assert_int_equal(nwanted, 5);
	assert_int_equal(nanswers, 0);
	/* R4954-6-b: four run, five have waited 3 s */
	advance(2100);
	assert_int_equal(nanswers, 5);
	assert_int_equal(last.verdict, VERDICT_AUTH_BUSY);
	/* and the four hang: SIGKILL */
	i = msad.nseen;
	advance(5000);
	assert_int_equal(nanswers, 9);
	assert_int_equal(last.verdict, VERDICT_AUTH_BUSY);
	assert_int_equal(msad.type, IPC_PAM_POOL_KILL);
	assert_int_equal(msad.nseen - i, 4);
	/* not needed any more */
	advance(130000);
	assert_int_equal(nwanted, 2);
}

/* Calls that hang bring workers for the others, up to the service's cap. */
static void
hung_service(void **state)
{
	unsigned int	 i, n = 0;

	(void)state;
	begin(CONFIG("min 2, max 6, wait 20s", TWO));
	for (i = 0; i < 16; i++)
		assert_non_null(ask("x", "192.0.2.1", NULL));
	settle();
	/* the second worker is not for it, and more are on their way */
	assert_int_equal(pam[0].nseen, 1);
	assert_int_equal(pam[1].nseen, 0);
	assert_int_equal(nwanted, 4);
	for (i = 0; i < 10; i++) {
		bring();
		advance(100);
	}
	for (i = 0; i < npam; i++)
		n += pam[i].nseen;
	assert_int_equal(n, 3);			/* limit 3 */
	assert_int_equal(nwanted, 5);		/* and two for others */
	for (i = 0; i < 4; i++) {
		assert_non_null(ask("y", "192.0.2.1", NULL));
		settle();
		/* the service is the first string */
		for (n = 0; n < npam; n++)
			if (pam[n].len > 0 && pam[n].data[2] == 'y')
				break;
		assert_true(n < npam);
		says(n, VERDICT_OK);
		assert_int_equal(nanswers, i + 1);
		assert_int_equal(last.verdict, VERDICT_OK);
	}
}

/* Whose password is known does not wait behind those whose is asked for. */
static void
hung_passwords(void **state)
{
	unsigned int	 i;

	(void)state;
	begin(CONFIG("min 2, max 4", "auth a { pam service x limit 2 }\n"));
	for (i = 0; i < 9; i++)
		assert_non_null(ask("x", "192.0.2.1", NULL));
	for (i = 0; i < 9; i++) {
		bring();
		advance(100);
	}
	assert_int_equal(nanswers, 0);
	assert_non_null(workers_submit_account("x", "ann", "192.0.2.1", done,
	    NULL));
	settle();
	for (i = 0; i < npam; i++)
		if (pam[i].type == IPC_PAM_ACCOUNT)
			break;
	assert_true(i < npam);
	says(i, VERDICT_OK);
	assert_int_equal(nanswers, 1);
	assert_int_equal(last.verdict, VERDICT_OK);
}

/* A worker that dies: once more, then 454. */
static void
worker_dies(void **state)
{
	(void)state;
	begin(CONFIG("min 2", TWO));
	assert_non_null(ask("x", "192.0.2.1", NULL));
	settle();
	assert_int_equal(pam[0].nseen, 1);
	ipc_free(pam[0].ch);
	pam[0].ch = NULL;
	settle();
	assert_int_equal(nanswers, 0);
	assert_int_equal(pam[1].nseen, 1);
	ipc_free(pam[1].ch);
	pam[1].ch = NULL;
	settle();
	assert_int_equal(nanswers, 1);
	assert_int_equal(last.verdict, VERDICT_AUTH_BUSY);
	/* with none left nobody waits for long */
	assert_non_null(ask("x", "192.0.2.1", NULL));
	advance(1700);
	assert_int_equal(nanswers, 2);
}

/* Too many wait: 454 for one of whoever has most. */
static void
queue_full(void **state)
{
	static struct pam_job	*job[4];
	unsigned int		 i;

	(void)state;
	begin(CONFIG("min 1, max 1, queue 3", "auth a { pam service x }\n"));
	assert_non_null(ask("x", "192.0.2.1", NULL));
	for (i = 0; i < 3; i++)
		assert_non_null(job[i] = ask("x", "192.0.2.1", &job[i]));
	assert_null(ask("x", "192.0.2.1", NULL));
	assert_int_equal(nanswers, 0);
	assert_non_null(job[3] = ask("x", "192.0.2.2", &job[3]));
	/* not within the call: the answer may lead to the next one */
	assert_int_equal(nanswers, 0);
	assert_int_equal(waiting_count(), 3);
	advance(100);
	assert_int_equal(nanswers, 1);
	assert_int_equal(last.verdict, VERDICT_AUTH_BUSY);
	assert_null(job[2]);
	/* and one that hangs up before it is told */
	workers_cancel(job[3]);
	assert_non_null(job[2] = ask("x", "192.0.2.1", &job[2]));
	assert_non_null(ask("x", "192.0.2.3", NULL));
	workers_cancel(job[2]);
	advance(100);
	assert_int_equal(nanswers, 1);
}

/* X-auth-2: clients that go, wherever their login is, leave nothing. */
static void
drops(void **state)
{
	struct pam_job	*job;
	unsigned int	 i, w;
	int		 fd, after;

	(void)state;
	begin(CONFIG("min 2", TWO));
	assert_true((fd = dup(0)) != -1);
	close(fd);
	for (i = 0; i < REPEATS; i++) {
		job = ask(i % 2 ? "x" : "y", "192.0.2.1", NULL);
		assert_non_null(job);
		if (i % 3 != 0)
			workers_cancel(job);
		if (i % 16 != 0 && waiting_count() < 10)
			continue;
		settle();
		for (w = 0; w < npam; w++)
			if (pam[w].len > 0)
				says(w, VERDICT_OK);
	}
	settle();
	for (i = 0; i < 100; i++)
		if (pam[i % npam].len > 0)
			says(i % npam, VERDICT_OK);
	assert_int_equal(waiting_count(), 0);
	assert_true((after = dup(0)) != -1);
	close(after);
	assert_int_equal(fd, after);
	assert_int_equal(npam, 2);
	assert_false(pam[0].closed || pam[1].closed);
	assert_int_equal(nanswers, (REPEATS + 2) / 3);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(account, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(hung_service, setup, teardown),
		cmocka_unit_test_setup_teardown(hung_passwords, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(worker_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_full, setup, teardown),
		cmocka_unit_test_setup_teardown(drops, setup, teardown)
	};

	log_init("t_workers", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
