/*
 * A queue of 12 messages to be steered, with msad-control's side of the channel
 * and the disk played: for t_steer.c and t_summary.c.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "msad/queue/control.h"
#include "msad/queue/durable.h"
#include "msad/queue/history.h"
#include "msad/queue/job.h"
#include "msad/queue/outcome.h"
#include "msad/queue/pause.h"
#include "msad/queue/peers.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"
#include "msad/queue/status.h"
#include "msad/queue/steer.h"
#include "regress/unit/steer_house.h"

#define SID		77

struct peer			*peer;
struct message			*queue[N];
time_t				 now;
static struct event_base	*base;
static struct conf		 conf;
static struct conf_relay	 relays[2];
static struct ipc		*control;

/* --- what control was told --- */

struct got	got;

static int
on_listed(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	assert_int_equal(msg->sid, SID);
	ipc_reader(&r, msg);
	if (got.messages < 64)
		got.ids[got.messages] = ipc_get_u64(&r);
	got.messages++;
	return 0;
}

static int
on_rcpt(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	ipc_get_str(&r);
	got.state = ipc_get_u8(&r);
	ipc_get_u32(&r);
	got.next_try = ipc_get_u64(&r);
	ipc_copy_str(&r, got.reply, sizeof(got.reply));
	ipc_copy_str(&r, got.relay, sizeof(got.relay));
	assert_true(ipc_done(&r));
	got.rcpts++;
	return 0;
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	assert_int_equal(msg->sid, SID);
	ipc_reader(&r, msg);
	got.status = ipc_get_u8(&r);
	got.matched = ipc_get_u32(&r);
	got.next = ipc_get_u64(&r);
	ipc_copy_str(&r, got.reason, sizeof(got.reason));
	assert_true(ipc_done(&r));
	got.ends++;
	return 0;
}

static int
on_total(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	unsigned int		 i;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	for (i = 0; i < 7; i++)
		got.total[i] = ipc_get_u64(&r);
	got.paused = ipc_get_u8(&r);
	assert_true(ipc_done(&r));
	got.totals++;
	return 0;
}

static int
on_group(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	unsigned int		 i = got.groups++;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	if (i >= 8)
		return 0;
	ipc_copy_str(&r, got.group[i], sizeof(got.group[i]));
	got.count[i] = ipc_get_u64(&r);
	ipc_get_u32(&r);
	got.flags[i] = ipc_get_u8(&r);
	return 0;
}

static int
on_ages(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	unsigned int		 i;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	ipc_get_str(&r);
	for (i = 0; i < AGE_BUCKETS; i++)
		got.age[i] += ipc_get_u32(&r);
	assert_true(ipc_done(&r));
	got.ages++;
	return 0;
}

static const struct ipc_handler control_side[] = {
	{ IPC_CTL_QUEUE_MESSAGE, on_listed },
	{ IPC_CTL_QUEUE_RCPT, on_rcpt },
	{ IPC_CTL_QUEUE_TOTAL, on_total },
	{ IPC_CTL_QUEUE_GROUP, on_group },
	{ IPC_CTL_QUEUE_AGES, on_ages },
	{ IPC_CTL_QUEUE_END, on_end },
	{ 0, NULL }
};

static const struct ipc_handler queue_side[] = { { 0, NULL } };

/* --- the rest of the queue, played --- */

struct did	did;
struct asked	disk[64];
unsigned int	ndisk;
static unsigned int	nanswered;

struct conf *
child_conf(void)
{
	return &conf;
}

struct event_base *
child_base(void)
{
	return base;
}

unsigned int
job_count(void)
{
	return 3;
}

bool
pause_accept(void)
{
	return true;
}

void
outcome_expire(struct message *m, time_t when)
{
	(void)m;
	(void)when;
	did.expired++;
}

void
outcome_fail(struct message *m, const char *reason, time_t when)
{
	(void)m;
	(void)when;
	strlcpy(did.reason, reason != NULL ? reason : "none",
	    sizeof(did.reason));
	did.failed++;
}

void
outcome_settle(struct message *m, time_t when)
{
	(void)m;
	(void)when;
	did.settled++;
}

void
outcome_gone(void *arg, uint64_t id)
{
	(void)arg;
	assert_non_null(index_find(id));
	did.gone++;
}

void
history_add(struct message *m, time_t when, const char *event,
    const char *fmt, ...)
{
	(void)m;
	(void)when;
	assert_non_null(fmt);
	assert_true(did.nevents < 32);
	strlcpy(did.events[did.nevents++], event, sizeof(did.events[0]));
}

void
history_end(struct message *m, time_t when, const char *event)
{
	(void)m;
	(void)when;
	assert_null(event);
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **buf,
    size_t *len)
{
	struct rcpt_record	 s = { .code = 450, .tries = 1,
		.enhanced = SLICE_STR("4.0.0"), .remote = SLICE_STR("r"),
		.reply = SLICE_STR("4.2.2 mailbox full") };

	(void)sp;
	(void)id;
	(void)key;
	assert_non_null(*buf = malloc(RCPT_RECORD_MAX));
	*len = rcpt_record_encode(&s, *buf);
	return SPOOL_OK;
}

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t len, spool_done done, void *arg)
{
	(void)sp;
	assert_true(ndisk < 64 && len <= sizeof(disk[0].buf) && len > 0);
	disk[ndisk].id = id;
	disk[ndisk].key = key;
	disk[ndisk].len = len;
	memcpy(disk[ndisk].buf, p, len);
	disk[ndisk].done = done;
	disk[ndisk++].arg = arg;
}

void
spool_remove(struct spool *sp, uint64_t id, spool_done done, void *arg)
{
	(void)sp;
	assert_true(ndisk < 64);
	disk[ndisk].id = id;
	disk[ndisk].len = 0;
	disk[ndisk].done = done;
	disk[ndisk++].arg = arg;
}

const char *
spool_result_name(enum spool_result result)
{
	(void)result;
	return "";
}

/* All that was asked of the disk is done. */
void
flush_disk(void)
{
	for (; nanswered < ndisk; nanswered++)
		disk[nanswered].done(disk[nanswered].arg, SPOOL_OK);
	ndisk = nanswered = 0;
}

static int
send_stub(struct dest *d, struct message *m, time_t when, bool probe)
{
	(void)d;
	(void)m;
	(void)when;
	(void)probe;
	return 0;
}

static void
expire_stub(struct message *m, time_t when)
{
	(void)m;
	(void)when;
}

/* --- asking --- */

uint8_t	question[12000];
size_t	question_len;

void
put(uint64_t n, size_t octets)
{
	while (octets-- > 0)
		question[question_len++] = (uint8_t)(n >> 8 * octets);
}

void
put_text(const char *s)
{
	put(strlen(s), 2);
	memcpy(question + question_len, s, strlen(s));
	question_len += strlen(s);
}

void
put_caller(uint32_t uid)
{
	question_len = 0;
	put(uid, 4);
	put(1, 2);
	put(100, 4);
}

void
spin(void)
{
	unsigned int	i;

	for (i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

int
ask_raw(int (*handler)(struct ipc *, struct ipc_msg *, void *))
{
	struct ipc_msg	msg = { .sid = SID, .data = question,
		.len = question_len, .fd = -1 };
	int		n;

	memset(&got, 0, sizeof(got));
	n = handler(peer->ch, &msg, peer);
	spin();
	return n;
}

void
ask_from(enum steer_verb verb, uint64_t after, uint16_t max,
    const char *argument, const char *selection)
{
	put_caller(0);
	put(verb, 1);
	put(after, 8);
	put(max, 2);
	put_text(argument);
	put_text(selection);
	assert_int_equal(ask_raw(steer_select), 0);
}

/* Ask, let the disk do its part; there is one answer then. */
void
ask(enum steer_verb verb, const char *argument, const char *selection)
{
	ask_from(verb, 0, 0, argument, selection);
	flush_disk();
	spin();
	assert_int_equal(got.ends, 1);
}

void
expect(enum ctl_status status, uint32_t matched, const char *reason)
{
	if (got.status != status || got.matched != matched ||
	    strcmp(got.reason, reason) != 0)
		fail_msg("%u %u \"%s\"", got.status, got.matched, got.reason);
}

/* --- a queue of 12: domain, user and state by number --- */

uint8_t *
queued_envelope(unsigned int i, struct envelope *e)
{
	static char	 user[16], to[32];
	struct slice	 rcpt;
	size_t		 len;
	uint8_t		*p;

	memset(e, 0, sizeof(*e));
	snprintf(user, sizeof(user), "u%u", i % 4);
	snprintf(to, sizeof(to), "a%u@d%u.example", i, i % 3);
	rcpt = SLICE_STR(to);
	e->user = SLICE_STR(user);
	e->tenant = SLICE_STR("t");
	e->auth = e->mech = e->msgid = SLICE_STR("m");
	e->sender = SLICE_STR("s@t.example");
	e->relay = SLICE_STR("out");
	e->arrival = (uint64_t)now - 60 * (i + 1);
	if (i == 10 || i == 11)
		e->not_before = (uint64_t)now + 5000;
	e->flags = i == 10 ? ENVELOPE_HELD : i == 11 ? ENVELOPE_FUTURE : 0;
	assert_non_null(p = envelope_encode(e, &rcpt, NULL, 1, &len));
	assert_int_equal(envelope_decode(p, len, e), 0);
	return p;
}

static struct message *
make(unsigned int i)
{
	struct envelope	 e;
	struct message	*m;
	uint8_t		*p = queued_envelope(i, &e);

	assert_non_null(m = message_new(FIRST_ID + i, 1000, &e));
	free(p);
	index_insert(m);
	return m;
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)end;
	(void)arg;
	fail();
}

int
setup(void **state)
{
	unsigned int	i;

	(void)state;
	memset(&did, 0, sizeof(did));
	now = schedule_now();
	for (i = 0; i < N; i++) {
		queue[i] = make(i);
		queue[i]->rcpts[0].next = (uint32_t)now + 1000 + i;
		queue[i]->rcpts[0].tries = 1;
		assert_int_equal(schedule_add(queue[i]), 0);
	}
	return 0;
}

int
teardown(void **state)
{
	struct message	*m;

	(void)state;
	flush_disk();
	spin();
	while ((m = index_after(0)) != NULL) {
		schedule_remove(m);
		index_remove(m);
		message_free(m);
	}
	return 0;
}

int
open_house(void **state)
{
	int	sv[2];

	(void)state;
	log_set_level(0);
	base = event_base_new();
	ipc_init(base);
	TAILQ_INIT(&conf.relays);
	relays[0].name = (char *)(uintptr_t)"out";
	relays[1].name = (char *)(uintptr_t)"other";
	TAILQ_INSERT_TAIL(&conf.relays, &relays[0], entry);
	TAILQ_INSERT_TAIL(&conf.relays, &relays[1], entry);
	schedule_init(send_stub, expire_stub);
	schedule_conf(&conf);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	peer = peers_add(ROLE_CONTROL, 0, 9, SLICE("", 0), sv[0], queue_side,
	    on_closed);
	control = ipc_new(sv[1], ROLE_CONTROL, ROLE_QUEUE, control_side,
	    on_closed, NULL);
	assert_non_null(peer);
	assert_non_null(control);
	return 0;
}

int
close_house(void **state)
{
	(void)state;
	peers_remove(peer);
	ipc_free(control);
	event_base_free(base);
	return 0;
}
