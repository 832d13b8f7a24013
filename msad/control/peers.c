/*
 * Who may ask: the credentials of a caller of the control socket.
 *
 * Runs in msad-control, called by client.c for each connection. What the
 * kernel says of the peer is trusted, what the peer says is not asked.
 *
 * msad makes the socket root's with mode 0600, or, where the configuration
 * names a group, that group's with mode 0660. So whoever is not root and could
 * connect is a member of the group: the kernel checked it, and control, in its
 * empty root without any name service, has no group number to compare with.
 * What remains to check here is that the configuration does name a group.
 * Scope within the queue is the queue's business: it gets uid and groups.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "config.h"
#ifdef HAVE_SO_PEERGROUPS
#include <asm/socket.h>
#endif

#include "common/conf.h"
#include "msad/control/peers.h"

static void
group_add(struct peer *p, gid_t gid)
{
	uint16_t	 i;

	for (i = 0; i < p->ngroups; i++)
		if (p->groups[i] == gid)
			return;
	if (p->ngroups < PEER_GROUPS)
		p->groups[p->ngroups++] = gid;
}

static int
credentials(int fd, uid_t *uid, gid_t *gid)
{
#ifdef HAVE_SO_PEERCRED
	struct ucred	 cred;
	socklen_t	 len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*uid = cred.uid;
	*gid = cred.gid;
	return 0;
#else
	return getpeereid(fd, uid, gid);
#endif
}

/* The supplementary groups, where the kernel tells. */
static void
supplementary(struct peer *p, int fd)
{
#ifdef HAVE_SO_PEERGROUPS
	gid_t		 groups[1024];
	socklen_t	 len = sizeof(groups);
	size_t		 i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return;
	for (i = 0; i < len / sizeof(groups[0]); i++)
		group_add(p, groups[i]);
#else
	(void)p;
	(void)fd;
#endif
}

int
peer_get(struct peer *p, int fd)
{
	gid_t	 gid;

	p->ngroups = 0;
	if (credentials(fd, &p->uid, &gid) == -1)
		return -1;
	group_add(p, gid);
	supplementary(p, fd);
	return 0;
}

bool
peer_allowed(const struct peer *p, const struct conf *conf)
{
	return p->uid == 0 || (conf != NULL && conf->socket_group != NULL);
}

void
peer_put(const struct peer *p, struct ipc *ch)
{
	uint16_t	 i;

	ipc_put_u32(ch, p->uid);
	ipc_put_u16(ch, p->ngroups);
	for (i = 0; i < p->ngroups; i++)
		ipc_put_u32(ch, p->groups[i]);
}
