/*
 * What operators did to a message, kept in the spool as one of its states
 * (KEY_MESSAGE). Runs in msad-queue: steer.c writes marks, recovery reads them.
 */
#include "common/log.h"

#include "envelope.h"
#include "mark.h"
#include "registers.h"
#include "schedule.h"

void
mark_write(const struct message *m, durable_done done, void *arg)
{
	struct mark_record	mark = {
		.flags = (m->flags & MESSAGE_STOPPED ? MARK_STOPPED : 0) |
		    (m->not_before != 0 ? MARK_RELEASED : 0),
		.not_before = m->not_before,
		.relay = m->flags & MESSAGE_REROUTED ?
		    SLICE_STR(message_relay(m)) : SLICE("", 0)
	};
	uint8_t			buf[MARK_RECORD_MAX];
	size_t			len = mark_record_encode(&mark, buf);

	durable_update_then(m->id, KEY_MESSAGE, buf, len, done, arg);
}

/* When recipients of the message that is recovered now were tried last. */
static uint64_t	last_tried[ENVELOPE_RCPTS_MAX];

void
mark_recover_tried(uint32_t rcpt, uint64_t when)
{
	if (rcpt < ENVELOPE_RCPTS_MAX)
		last_tried[rcpt] = when;
}

/*
 * What was put off before it went by another relay is due there, as it was when
 * the relay was changed: not_before is then, or later. Of one second the try is
 * taken to have been the first.
 */
static void
recover_turn(struct message *m)
{
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].tries > 0 && last_tried[i] <= m->not_before &&
		    m->rcpts[i].next > m->not_before)
			m->rcpts[i].next = m->not_before;
}

/*
 * A time later than the envelope's is none to wait for, but when it was let go
 * or rerouted: if that is to come, the clock was ahead then.
 */
static void
recover_time(struct message *m, uint64_t when)
{
	uint64_t	now = (uint64_t)schedule_now();

	if (when > m->not_before && when > now)
		when = m->not_before > now ? m->not_before : now;
	m->not_before = when > UINT32_MAX ? UINT32_MAX : (uint32_t)when;
}

void
mark_recover(struct message *m, const void *p, size_t len)
{
	struct mark_record	mark;

	if (mark_record_decode(p, len, &mark) == -1) {
		log_err("q=%llx event=recovery reason=\"what was done to the "
		    "message cannot be read; it is as it came\"",
		    (unsigned long long)m->id);
		return;
	}
	m->flags &= (uint16_t)~MESSAGE_STOPPED;
	if (mark.flags & MARK_STOPPED)
		m->flags |= MESSAGE_STOPPED;
	if (mark.flags & MARK_RELEASED)
		recover_time(m, mark.not_before);
	if (mark.relay.len == 0)
		return;
	if (message_set_relay(m, mark.relay) == -1)
		fatal("event=recovery error=\"out of memory\"");
	m->flags |= MESSAGE_REROUTED;
	recover_turn(m);
}
