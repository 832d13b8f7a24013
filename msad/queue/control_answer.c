/*
 * Who asks by way of msad-control, may he, and the end of an answer. Runs in
 * msad-queue, for all that answers msactl. Each question carries the caller's
 * uid and groups as the kernel told msad-control, and the queue decides (DESIGN
 * section 7).
 *
 * Root may. The socket's group may as well, where the configuration names one:
 * the socket is 0660 root:group then, so that whoever could connect is one of
 * both; an empty root has no group database to look the number up again.
 */
#include "common/child.h"
#include "common/conf.h"

#include "control.h"

#define GIDS_MAX	64

void
control_end(struct ipc *ch, uint64_t sid, enum ctl_status status,
    uint32_t matched, uint64_t next, const char *reason)
{
	ipc_start(ch, IPC_CTL_QUEUE_END, sid);
	ipc_put_u8(ch, (uint8_t)status);
	ipc_put_u32(ch, matched);
	ipc_put_u64(ch, next);
	ipc_put_str(ch, reason);
	ipc_send(ch);
}

uint32_t
control_uid(const struct ipc_reader *r)
{
	struct ipc_reader	copy = *r;

	return ipc_get_u32(&copy);
}

bool
control_caller(struct ipc_reader *r)
{
	uint32_t	uid = ipc_get_u32(r);
	uint16_t	n = ipc_get_u16(r);

	if (n > GIDS_MAX)
		r->bad = 1;
	while (n-- > 0 && !r->bad)
		ipc_get_u32(r);
	return uid == 0 || child_conf()->socket_group != NULL;
}

bool
control_admit(struct ipc *ch, uint64_t sid, bool may)
{
	if (!may)
		control_end(ch, sid, CTL_DENIED, 0, 0, "permission denied");
	return may;
}
