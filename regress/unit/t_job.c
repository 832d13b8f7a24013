/* links: msad/queue/job.c msad/queue/peers.c msad/queue/schedule*.c */
/* links: msad/queue/fair.c */
/* links: msad/queue/index*.c msad/queue/envelope.c msad/queue/tables.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/form.c */
/*
 * What a hostile relay may say about jobs: only of its own ones, only of their
 * recipients, only once. All else ends its channel, and its jobs are tried
 * again. The relay's side of the channel is played here.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "msad/queue/content.h"
#include "msad/queue/job.h"
#include "msad/queue/outcome.h"
#include "msad/queue/schedule.h"

#define NOW	1000

/* What job.c told outcome.c. */
static unsigned int	ndelivered, nothers, nlost, nsettled, nunreadable,
			nfailed;
static enum spool_result content = SPOOL_OK;
static time_t		retry_seen;

void
outcome_delivered(struct message *m, const struct result *r, time_t now)
{
	(void)now;
	message_set_status(m, r->rcpt, RCPT_DONE);
	ndelivered++;
}

void
outcome_others(struct message *m, struct results *list, time_t retry,
    time_t now)
{
	struct result	*r;

	(void)now;
	retry_seen = retry;
	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		message_set_status(m, r->rcpt, RCPT_FAILED);
		free(r);
		nothers++;
	}
}

void
outcome_lost(struct message *m, uint32_t i, time_t now)
{
	m->rcpts[i].next = (uint32_t)now + 1000000;
	message_set_status(m, i, RCPT_WAITING);
	nlost++;
}

void
outcome_fail(struct message *m, const char *reason, time_t now)
{
	(void)m;
	(void)now;
	assert_null(reason);
	nfailed++;
}

void
outcome_settle(struct message *m, time_t now)
{
	(void)now;
	schedule_update(m);
	nsettled++;
}

void
outcome_unreadable(struct message *m, time_t now)
{
	(void)now;
	message_set_status(m, 0, RCPT_REPORTING);
	message_set_status(m, 1, RCPT_REPORTING);
	nunreadable++;
}

struct result *
result_new(uint32_t rcpt, enum outcome outcome, struct slice reply)
{
	struct result	*r = calloc(1, sizeof(*r) + reply.len + 1);

	assert_non_null(r);
	r->rcpt = rcpt;
	r->outcome = outcome;
	if (reply.len > 0)
		memcpy(r->reply, reply.p, reply.len);
	return r;
}

void
results_free(struct results *list)
{
	assert_true(TAILQ_EMPTY(list));
}

static uint8_t *
sample_envelope(size_t *len)
{
	struct envelope	 e = { .user = SLICE_STR("u"), .relay = SLICE_STR("r"),
		.tenant = SLICE_STR(""), .auth = SLICE_STR(""),
		.mech = SLICE_STR(""), .sender = SLICE_STR(""),
		.msgid = SLICE_STR(""), .params = SLICE_STR("RET=HDRS") };
	struct slice	 rcpts[] = { SLICE_STR("a@x"), SLICE_STR("b@x") };

	return envelope_encode(&e, rcpts, NULL, 2, len);
}

enum spool_result
content_descriptors(struct spool *s, uint64_t id, uint64_t *size, int fd[2],
    uint8_t **env, size_t *envlen)
{
	(void)s;
	(void)id;
	if (content != SPOOL_OK)
		return content;
	*size = 10;
	fd[1] = -1;
	assert_int_not_equal(fd[0] = dup(STDIN_FILENO), -1);
	assert_non_null(*env = sample_envelope(envlen));
	return SPOOL_OK;
}

const char *
spool_result_name(enum spool_result r)
{
	(void)r;
	return "";
}

static void
expire_stub(struct message *m, time_t now)
{
	(void)m;
	(void)now;
}

/* --- two relays --- */

static struct event_base	*base;
static struct ipc		*relay[2];
static struct peer		*peer[2];
static uint64_t			 job[2][4];	/* ids as the relays saw them */
static unsigned int		 njob[2];
static int			 violated[2];

static int
on_job(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	unsigned int	*n = arg;

	(void)ch;
	job[n - njob][(*n)++] = msg->sid;
	return 0;
}

static int
on_other(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)msg;
	(void)arg;
	return 0;
}

static const struct ipc_handler relay_handlers[] = {
	{ IPC_RELAY_JOB, on_job }, { IPC_RELAY_RCPTS, on_other },
	{ IPC_RELAY_GO, on_other }, { 0, NULL }
};

static void
on_queue_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct peer	*p = arg;

	(void)ch;
	violated[p->index] = end == IPC_VIOLATION;
	job_drop_peer(p, NOW);
	peers_remove(p);
	peer[p == peer[0] ? 0 : 1] = NULL;
}

static void
on_relay_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	unsigned int	*n = arg;

	(void)end;
	ipc_free(ch);
	relay[n - njob] = NULL;
}

static void
spin(void)
{
	int	i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
connect_relay(unsigned int i)
{
	int	sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	njob[i] = 0;
	violated[i] = 0;
	assert_non_null(peer[i] = peers_add(ROLE_RELAY, i, 100 + i,
	    SLICE("", 0), sv[0], job_handlers, on_queue_closed));
	assert_non_null(relay[i] = ipc_new(sv[1], ROLE_RELAY, ROLE_QUEUE,
	    relay_handlers, on_relay_closed, &njob[i]));
}

static struct message *
message(uint64_t id)
{
	struct envelope	 e;
	struct message	*m;
	size_t		 len;
	uint8_t		*p = sample_envelope(&len);

	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, 10, &e));
	free(p);
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	return m;
}

/* Two relays with a job of two recipients each. */
static int
setup(void **state)
{
	struct dest	*d = schedule_dest("r");

	(void)state;
	d->known = true;
	d->concurrency = 10;
	d->inflight = 0;
	ndelivered = nothers = nlost = nsettled = 0;
	connect_relay(0);
	connect_relay(1);
	message(1);
	message(2);
	schedule_run(NOW);
	spin();
	assert_int_equal(njob[0], 1);
	assert_int_equal(njob[1], 1);
	assert_int_equal(job_count(), 2);
	return 0;
}

static int
teardown(void **state)
{
	struct message	*m;
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 2; i++)
		if (relay[i] != NULL) {
			ipc_free(relay[i]);
			relay[i] = NULL;
		}
	spin();
	assert_int_equal(job_count(), 0);
	assert_int_equal(schedule_dest("r")->inflight, 0);
	while ((m = index_after(0)) != NULL) {
		assert_int_equal(m->njobs, 0);
		schedule_remove(m);
		index_remove(m);
		message_free(m);
	}
	return 0;
}

static void
say(unsigned int i, uint64_t id, uint32_t rcpt, uint8_t outcome,
    uint16_t code)
{
	ipc_start(relay[i], IPC_RELAY_RESULT, id);
	ipc_put_u32(relay[i], rcpt);
	ipc_put_u8(relay[i], outcome);
	ipc_put_u16(relay[i], code);
	ipc_put_str(relay[i], "2.0.0");
	ipc_put_str(relay[i], "mx.example");
	ipc_put_str(relay[i], "ok");
	ipc_put_str(relay[i], "");
	ipc_put_u8(relay[i], 0);
	ipc_send(relay[i]);
}

static void
done(unsigned int i, uint64_t id, uint8_t state)
{
	ipc_start(relay[i], IPC_RELAY_DONE, id);
	ipc_put_u8(relay[i], state);
	ipc_send(relay[i]);
	spin();
}

static void
honest_relay(void **state)
{
	(void)state;
	say(0, job[0][0], 0, 0, 250);
	say(0, job[0][0], 1, 2, 550);
	done(0, job[0][0], 0);
	assert_int_equal(ndelivered, 1);
	assert_int_equal(nothers, 1);
	assert_int_equal(nlost, 0);
	assert_int_equal(retry_seen, 0);
	assert_int_equal(job_count(), 1);
	assert_non_null(peer[0]);
}

static void
death_returns_what_has_no_result(void **state)
{
	(void)state;
	say(0, job[0][0], 0, 0, 250);
	spin();
	ipc_free(relay[0]);
	relay[0] = NULL;
	spin();
	assert_int_equal(ndelivered, 1);
	assert_int_equal(nlost, 1);
	assert_int_equal(violated[0], 0);
	assert_int_equal(job_count(), 1);
}

static void
expect_violation(unsigned int delivered)
{
	spin();
	assert_int_equal(violated[0], 1);
	assert_null(peer[0]);
	assert_int_equal(ndelivered, delivered);
	assert_int_equal(nlost, 2 - delivered);
	/* The other relay does not notice. */
	assert_non_null(peer[1]);
	assert_int_equal(job_count(), 1);
}

static void
job_of_another(void **state)
{
	(void)state;
	say(0, job[1][0], 0, 0, 250);
	expect_violation(0);
}

static void
no_such_job(void **state)
{
	(void)state;
	say(0, 4711, 0, 0, 250);
	expect_violation(0);
}

static void
end_of_another(void **state)
{
	(void)state;
	done(0, job[1][0], 0);
	expect_violation(0);
}

static void
no_such_recipient(void **state)
{
	(void)state;
	say(0, job[0][0], 2, 0, 250);
	expect_violation(0);
}

static void
result_twice(void **state)
{
	(void)state;
	say(0, job[0][0], 0, 0, 250);
	say(0, job[0][0], 0, 2, 550);
	expect_violation(1);
}

static void
unknown_outcome(void **state)
{
	(void)state;
	say(0, job[0][0], 0, 3, 250);
	expect_violation(0);
}

static void
result_after_the_end(void **state)
{
	(void)state;
	done(0, job[0][0], 0);
	assert_int_equal(nlost, 2);
	say(0, job[0][0], 0, 0, 250);
	expect_violation(0);
}

static void
dead_host(void **state)
{
	struct dest	*d = schedule_dest("r");

	(void)state;
	say(0, job[0][0], 0, 1, 0);
	done(0, job[0][0], 1);
	assert_int_equal(d->fails, 1);
	assert_int_equal(retry_seen, d->down_until);
	d->fails = 0;
	d->down_until = 0;
}

/* P8: the relay's words about the destination are kept for the operator. */
static void
dead_host_is_explained(void **state)
{
	struct dest	*d = schedule_dest("r");

	(void)state;
	say(0, job[0][0], 0, 1, 421);
	done(0, job[0][0], 1);
	assert_string_equal(schedule_failure(d), "421 ok");
	d->fails = 0;
	d->down_until = 0;
}

/* A relay that says nothing is given up; each word is a sign of life. */
static void
silent_relay(void **state)
{
	unsigned int	i, max = JOB_SILENCE_MAX + 2 * JOB_SILENCE_RCPT;

	(void)state;
	for (i = 0; i < max; i++)
		assert_null(job_tick());
	say(0, job[0][0], 0, 0, 250);
	done(1, job[1][0], 0);
	for (i = 0; i < max; i++)
		assert_null(job_tick());
	assert_ptr_equal(job_tick(), peer[0]);
	job_drop_peer(peer[0], NOW);
	assert_null(job_tick());
	assert_int_equal(ndelivered, 1);
	assert_int_equal(job_count(), 0);
}

/* What the spool lost is reported at once; a disk in trouble is waited for. */
static void
lost_message(void **state)
{
	struct message	*m = message(3), *n = message(4);

	(void)state;
	content = SPOOL_CORRUPT;
	nsettled = 0;
	assert_int_equal(job_send(m->dest, m, NOW, false), -1);
	schedule_update(m);
	assert_int_equal(nunreadable, 1);
	content = SPOOL_IO;
	assert_int_equal(job_send(n->dest, n, NOW, false), -1);
	content = SPOOL_OK;
	assert_int_equal(nunreadable, 1);
	assert_int_equal(nsettled, 1);
	assert_in_range(n->rcpts[0].next, NOW + 1, NOW + 1000);
}

/* A domain is paused: its recipients are passed over, and not again at once. */
static void
paused_domain(void **state)
{
	struct message	*m;

	(void)state;
	schedule_pause_domain("x", true);
	m = message(3);
	nsettled = 0;
	schedule_run(NOW + 1);
	spin();
	assert_int_equal(job_count(), 2);
	assert_int_equal(nsettled, 1);
	assert_true(m->next > NOW + 60);
	assert_int_equal(m->rcpts[0].status, RCPT_WAITING);
	schedule_run(NOW + 30);
	assert_int_equal(nsettled, 1);
	schedule_pause_domain("X", false);
	schedule_run(schedule_now());
	spin();
	assert_int_equal(job_count(), 3);
	assert_int_equal(m->rcpts[1].status, RCPT_INFLIGHT);
}

/* A destination's connections are divided among the relays; so are its jobs. */
static void
relays_share_a_destination(void **state)
{
	uint64_t	id;

	(void)state;
	for (id = 3; id <= 6; id++)
		message(id);
	schedule_run(schedule_now());
	spin();
	assert_int_equal(njob[0], 3);
	assert_int_equal(njob[1], 3);
	say(0, job[0][0], 0, 0, 250);
	say(0, job[0][0], 1, 0, 250);
	done(0, job[0][0], 0);
	message(7);
	schedule_run(schedule_now());
	spin();
	assert_int_equal(njob[0], 4);
	assert_int_equal(peer[0]->njobs, 3);
	assert_int_equal(peers_relays(), 2);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		T(honest_relay), T(death_returns_what_has_no_result),
		T(job_of_another), T(no_such_job), T(end_of_another),
		T(no_such_recipient), T(result_twice), T(unknown_outcome),
		T(result_after_the_end), T(dead_host),
		T(dead_host_is_explained), T(silent_relay), T(lost_message),
		T(paused_domain), T(relays_share_a_destination),
	};

	base = event_base_new();
	ipc_init(base);
	schedule_init(job_send, expire_stub);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
