/*
 * Who talks to whom: socketpairs made by msad, both ends sent by PROC_CHANNEL.
 * A process that is started again gets fresh channels to all its peers, and
 * they to it. The epoch in the message is that of the peer at the other end:
 * queue and auth know a front-end by the same one, which grants are keyed by.
 *
 * Also the pages of counters, which control gets of every process.
 */

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/parent/process.h"

/* The queue first: it knows a front-end before auth can grant for it. */
static const struct {
	enum ipc_role	 a;
	enum ipc_role	 b;
} matrix[] = {
	{ ROLE_FRONTEND, ROLE_QUEUE },
	{ ROLE_FRONTEND, ROLE_KEYS },
	{ ROLE_FRONTEND, ROLE_AUTH },
	{ ROLE_AUTH, ROLE_QUEUE },
	{ ROLE_AUTH, ROLE_PAM },
	{ ROLE_RELAY, ROLE_QUEUE },
	{ ROLE_RELAY, ROLE_RESOLVER },
	{ ROLE_CONTROL, ROLE_QUEUE },
	{ ROLE_CONTROL, ROLE_AUTH },
	{ ROLE_LOOKUP, ROLE_QUEUE }
};

static bool
talk(const struct proc *p, const struct proc *q)
{
	size_t	 i;

	for (i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		if (!(matrix[i].a == p->role && matrix[i].b == q->role) &&
		    !(matrix[i].a == q->role && matrix[i].b == p->role))
			continue;
		/* a Maildir relay has no names to look up */
		return !(matrix[i].b == ROLE_RESOLVER &&
		    (PROC_MAILDIR(p) || PROC_MAILDIR(q)));
	}
	return false;
}

static void
send_end(struct proc *to, const struct proc *peer, const char *name, int fd)
{
	ipc_start(to->ch, IPC_PROC_CHANNEL, 0);
	ipc_put_u8(to->ch, (uint8_t)peer->role);
	ipc_put_u32(to->ch, peer->index);
	ipc_put_u64(to->ch, peer->epoch);
	ipc_put_str(to->ch, name);
	ipc_send_fd(to->ch, fd);
}

static int
join(struct proc *p, struct proc *q)
{
	const char	*name;
	int		 sv[2];

	if (!proc_writable(q))
		return 0;	/* it is being killed, and will be back */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    sv) == -1)
		return -1;
	name = PROC_MAILDIR(p) ? p->relay : q->relay;
	send_end(q, p, name, sv[1]);
	send_end(p, q, name, sv[0]);
	return 0;
}

/* The places p talks to, the queue's before others. */
static int
join_all(struct proc *p, bool queue)
{
	struct proc	*q;

	TAILQ_FOREACH(q, &procs, entry) {
		if (q == p || !PROC_LINKED(q) || !talk(p, q) ||
		    (q->role == ROLE_QUEUE) != queue)
			continue;
		if (join(p, q) == -1)
			return -1;
	}
	return 0;
}

int
channels_link(struct proc *p)
{
	if (join_all(p, true) == -1 || join_all(p, false) == -1)
		return -1;
	if (p->role == ROLE_CONTROL)
		channels_pages(p);
	return 0;
}

static void
send_page(struct proc *control, enum ipc_role role, uint32_t slot, int page,
    bool gone)
{
	int	 fd = -1;

	if (!proc_writable(control))
		return;
	if (!gone && (fd = fcntl(page, F_DUPFD_CLOEXEC, 4)) == -1) {
		log_warn("event=stats-page role=%s error=%s",
		    ipc_role_name(role), log_q(strerror(errno)));
		return;
	}
	ipc_start(control->ch, IPC_CTL_STATS_PAGE, 0);
	ipc_put_u8(control->ch, (uint8_t)role);
	ipc_put_u32(control->ch, slot);
	ipc_put_u8(control->ch, gone);
	if (gone)
		ipc_send(control->ch);
	else
		ipc_send_fd(control->ch, fd);
}

void
channels_pages(struct proc *control)
{
	const struct proc	*p;

	send_page(control, ROLE_PARENT, 0, process_page(), false);
	TAILQ_FOREACH(p, &procs, entry)
		send_page(control, p->role, p->slot, p->page, false);
}

void
channels_page(const struct proc *p, bool gone)
{
	struct proc	*control = proc_of_role(ROLE_CONTROL);

	if (control != NULL && control != p && PROC_LINKED(control))
		send_page(control, p->role, p->slot, p->page, gone);
}
