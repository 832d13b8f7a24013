/*
 * A message as msactl shows it. Runs in msad-queue, in answer to msad-control:
 * CTL_QUEUE_SHOW here, and what steer.c lists.
 */
#include <string.h>

#include "control.h"
#include "schedule.h"
#include "show.h"
#include "status.h"

#define TEXT_MAX	512		/* octets of a string */

/* Strings are cut so that the message always fits its bound. */
static void
put_cut(struct ipc *ch, const char *s)
{
	struct slice	cut = SLICE_STR(s);

	if (cut.len > TEXT_MAX)
		cut.len = TEXT_MAX;
	ipc_put_slice(ch, cut);
}

/* When it is tried next; 0: not by itself. */
static uint64_t
next_try(const struct message *m, uint32_t i)
{
	if (m->rcpts[i].status != RCPT_WAITING ||
	    (m->flags & MESSAGE_STOPPED))
		return 0;
	return (uint64_t)schedule_next(m, i);
}

static void
show_rcpt(struct ipc *ch, uint64_t sid, const struct message *m, uint32_t i)
{
	char	last[STATUS_REPLY_MAX];

	status_reply(m, i, last, sizeof(last));
	ipc_start(ch, IPC_CTL_QUEUE_RCPT, sid);
	ipc_put_str(ch, message_rcpt(m, i));
	ipc_put_u8(ch, (uint8_t)status_of(m, i));
	ipc_put_u32(ch, m->rcpts[i].tries);
	ipc_put_u64(ch, next_try(m, i));
	ipc_put_str(ch, last);
	put_cut(ch, message_relay(m));
	ipc_send(ch);
}

void
show_message(struct ipc *ch, uint64_t sid, const struct message *m)
{
	uint32_t	i;

	ipc_start(ch, IPC_CTL_QUEUE_MESSAGE, sid);
	ipc_put_u64(ch, m->id);
	ipc_put_u64(ch, m->arrival);
	ipc_put_u64(ch, m->size);
	put_cut(ch, message_user(m));
	put_cut(ch, message_tenant(m));
	put_cut(ch, message_sender(m));
	ipc_put_u32(ch, m->nrcpts);
	ipc_put_u8(ch, (uint8_t)(m->priority + 9));
	ipc_put_u64(ch, m->deliver_by);
	ipc_put_u8(ch, m->by_return);
	ipc_send(ch);
	for (i = 0; i < m->nrcpts; i++)
		show_rcpt(ch, sid, m, i);
}

int
show_one(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct message		*m;
	uint64_t		 id;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	id = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (!status_is_shown(m = index_find(id))) {
		control_end(ch, msg->sid, CTL_NO_MATCH, 0, 0,
		    "no such message");
		return 0;
	}
	show_message(ch, msg->sid, m);
	control_end(ch, msg->sid, CTL_OK, 1, 0, "");
	return 0;
}
