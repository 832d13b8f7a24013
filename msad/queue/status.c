/*
 * What an operator sees of a message: is it there, in which state, what keeps
 * it. Runs in msad-queue, for what is shown (show.c) and what is selected
 * (select.c), so that both say the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/selection.h"

#include "schedule.h"
#include "spool.h"
#include "status.h"

#define REPLY_MAX	1024		/* octets of a reply */

static struct spool	*spool;

void
status_init(struct spool *s)
{
	spool = s;
}

bool
status_is_shown(const struct message *m)
{
	return m != NULL &&
	    !(m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE));
}

bool
status_is_held(const struct message *m)
{
	return (m->flags & MESSAGE_STOPPED) || schedule_is_held(m);
}

enum shown_state
status_of(const struct message *m, uint32_t i)
{
	switch ((enum rcpt_status)m->rcpts[i].status) {
	case RCPT_INFLIGHT:
		return SHOWN_INFLIGHT;
	case RCPT_DONE:
		return SHOWN_DONE;
	case RCPT_FAILED:
	case RCPT_REPORTING:
		return SHOWN_FAILED;
	default:
		return status_is_held(m) ? SHOWN_HELD :
		    m->later ? SHOWN_FUTURE : SHOWN_WAITING;
	}
}

unsigned int
status_selects(const struct message *m, uint32_t i)
{
	switch (status_of(m, i)) {
	case SHOWN_INFLIGHT:
		return 1U << SELECTION_INFLIGHT;
	case SHOWN_FAILED:
		return 1U << SELECTION_FAILED;
	case SHOWN_HELD:
		return 1U << SELECTION_HELD;
	case SHOWN_FUTURE:
		return 1U << SELECTION_FUTURE;
	case SHOWN_WAITING:
		return 1U << SELECTION_WAITING |
		    (m->rcpts[i].tries > 0 ? 1U << SELECTION_DEFERRED : 0);
	default:
		return 0;
	}
}

/* Why it waits though no server said so. */
static const char *
own_reason(const struct message *m, uint32_t i)
{
	if (m->rcpts[i].status != RCPT_WAITING || m->rcpts[i].tries > 0)
		return "";
	if (m->flags & MESSAGE_STOPPED)
		return "held until it is released";
	if (m->later && schedule_is_held(m))
		return "held, as its user was over a limit";
	if (m->later && (m->env_flags & ENVELOPE_FUTURE))
		return "not relayed before then, as its sender asked";
	if (m->later)
		return "not relayed before then, as its credential says";
	/* Not tried itself: what keeps it keeps others, too. */
	return schedule_why(m, i);
}

void
status_reply(const struct message *m, uint32_t i, char *buf, size_t size)
{
	struct rcpt_record	 s;
	void			*p = NULL;
	size_t			 len = 0, done;

	if (m->rcpts[i].status == RCPT_REPORTING &&
	    (m->flags & MESSAGE_WAITS_REPORT)) {
		done = strlcpy(buf, "the report to the sender waits: ", size);
		buf += done;
		size -= done;
	}
	strlcpy(buf, own_reason(m, i), size);
	if (m->rcpts[i].tries == 0 ||
	    spool_state_read(spool, m->id, i, &p, &len) != SPOOL_OK ||
	    rcpt_record_decode(p, len, &s) == -1) {
		free(p);
		return;
	}
	if (s.reply.len > REPLY_MAX)
		s.reply.len = REPLY_MAX;
	/* the remote's words as they came: its status code is among them */
	if (s.code != 0)
		snprintf(buf, size, "%u %.*s", s.code, SLICE_FMT(s.reply));
	else
		snprintf(buf, size, "%.*s", SLICE_FMT(s.reply));
	free(p);
}
