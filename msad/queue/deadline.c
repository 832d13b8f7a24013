/*
 * Messages that are to be delivered by a time (RFC 2852): when it passes,
 * outcome_late() decides. Runs in msad-queue. Messages without a BY cost
 * nothing here. Nothing is kept on the disk: the time follows from the
 * envelope, and what was told already from the recipients' states.
 *
 * The time is a wall clock's. Where that is set, it moves along, as all times
 * in memory do (schedule.h).
 */
#include "deadline.h"
#include "schedule.h"
#include "wakes.h"

#define TICK_MAX	2000	/* messages; the rest a second later */

static struct wakes	by;
static time_t		moved;	/* steps of the clock followed so far */

static void
follow_clock(void)
{
	time_t		 step = schedule_clock_steps() - moved;
	struct message	*m;
	int64_t		 t;
	size_t		 i;

	if (step == 0)
		return;
	moved += step;
	wakes_move(&by, step);
	for (i = 0; i < by.n; i++) {
		if ((m = index_find(by.w[i].id)) == NULL)
			continue;
		t = (int64_t)m->deliver_by + step;
		m->deliver_by = t < 1 ? 1 : t > UINT32_MAX ? UINT32_MAX :
		    (uint32_t)t;
	}
}

void
deadline_watch(const struct message *m)
{
	/* What came too late already was told by who was late with it. */
	if (m->deliver_by == 0 || m->deliver_by <= m->arrival)
		return;
	follow_clock();		/* its time is by the clock as it is now */
	wakes_add(&by, m->id, m->deliver_by);
}

void
deadline_tick(time_t now, deadline_late fn)
{
	struct message	*m;
	unsigned int	 again, n;
	uint64_t	 id;

	follow_clock();
	for (n = 0; n < TICK_MAX &&
	    (id = wakes_take(&by, (uint32_t)now)) != 0; n++) {
		if ((m = index_find(id)) == NULL)
			continue;
		if ((time_t)m->deliver_by > now)
			wakes_add(&by, id, m->deliver_by);
		else if ((again = fn(m, now)) > 0)
			wakes_add(&by, id, (uint32_t)now + again);
	}
}
