/* See schedule_side.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "regress/unit/schedule_side.h"

uint64_t	sent[SENT_MAX];
const char *tenant = "";
unsigned int nsent, nexpired, probes, refuse;

/* Jobs on their way, the first that went out first. */
static struct {
	struct dest	*d;
	struct lane	*lane;
	uint32_t	 round;
} jobs[SENT_MAX];
static unsigned int njobs;

int
send_stub(struct dest *d, struct message *m, time_t now, bool probe)
{
	uint32_t	i;

	if (refuse > 0)
		return 0;
	jobs[njobs].d = d;
	jobs[njobs].lane = d->turn;
	jobs[njobs++].round = d->round;
	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    (probe || m->rcpts[i].next <= now))
			message_set_status(m, i, RCPT_INFLIGHT);
	probes += probe;
	sent[nsent++] = m->id;
	return 1;
}

static unsigned int
take_job(const struct dest *d)
{
	unsigned int	i;

	for (i = 0; i < njobs && jobs[i].d != d; i++)
		;
	assert_true(i < njobs);
	return i;
}

static void
forget(unsigned int i)
{
	memmove(jobs + i, jobs + i + 1, (--njobs - i) * sizeof(jobs[0]));
}

/* The first job of that destination ends. */
time_t
done(struct dest *d, bool connected, time_t now)
{
	unsigned int	i = take_job(d);
	struct lane	*l = jobs[i].lane;
	uint32_t	 round = jobs[i].round;

	forget(i);
	return schedule_job_done(d, l, round, connected, now);
}

void
expire_stub(struct message *m, time_t now)
{
	(void)now;
	message_set_status(m, 0, RCPT_FAILED);
	schedule_update(m);
	nexpired++;
}

struct message *
message_by(const char *user, uint64_t id, const char *relay,
    uint64_t arrival, uint64_t not_before, uint8_t flags)
{
	struct envelope	 e = { .arrival = arrival, .not_before = not_before,
		.user = SLICE_STR(user), .flags = flags,
		.relay = SLICE_STR(relay), .tenant = SLICE_STR(tenant),
		.auth = SLICE_STR(""), .mech = SLICE_STR(""),
		.sender = SLICE_STR(""), .msgid = SLICE_STR("") };
	struct slice	 rcpt = SLICE_STR("a@b.example");
	struct message	*m;
	size_t		 len;
	uint8_t		*p;

	assert_non_null(p = envelope_encode(&e, &rcpt, NULL, 1, &len));
	assert_int_equal(envelope_decode(p, len, &e), 0);
	assert_non_null(m = message_new(id, 100, &e));
	free(p);
	m->rcpts[0].next = (uint32_t)arrival;
	index_insert(m);
	assert_int_equal(schedule_add(m), 0);
	return m;
}

struct message *
message_for(uint64_t id, const char *relay, uint64_t arrival,
    uint64_t not_before)
{
	return message_by("u", id, relay, arrival, not_before, 0);
}

struct message *
message(uint64_t id, const char *relay, uint64_t arrival)
{
	return message_for(id, relay, arrival, 0);
}

void
drop(struct message *m)
{
	schedule_remove(m);
	index_remove(m);
	message_free(m);
}

void
drop_all(void)
{
	struct message	*m;

	for (; njobs > 0; forget(0))
		schedule_job_lost(jobs[0].d, jobs[0].lane, jobs[0].round);
	while ((m = index_after(0)) != NULL)
		drop(m);
	assert_int_equal(schedule_count_held(), 0);
	assert_int_equal(schedule_count_future(), 0);
	nsent = nexpired = probes = refuse = 0;
}

/* The relay block as the configuration would have it. */
struct dest *
dest(const char *name, unsigned int concurrency)
{
	struct dest	*d = schedule_dest(name);

	d->known = true;
	/* one user has three quarters of them: so he has so many */
	d->concurrency = concurrency == 1 ? 1 : (concurrency * 4 + 2) / 3;
	while (d->concurrency > 1 && fair_need(concurrency - 1, 3) >
	    d->concurrency - concurrency + 1)
		d->concurrency++;
	assert_int_equal(d->inflight, 0);
	d->expire = 3600;
	d->fails = 0;
	d->down_until = 0;
	d->nretry = 0;
	return d;
}

/* The process was stopped until this time. */
void
began_at(time_t when)
{
	schedule_clock(when - 1000, when - 1000);
	schedule_clock(when, when);
}

void
began_long_ago(void)
{
	began_at(NOW - 10 * 86400);
}
