/*
 * The flusher: fdatasync beside the event loop of msad-queue.
 *
 * It is forked by the queue after the queue has its user and root and before
 * anything from outside has been seen. It receives a descriptor with a request,
 * flushes, closes it, answers. It opens nothing, trusts nobody with more than
 * that, and its sandbox leaves it little else. It ends when the queue does.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/sandbox.h"
#include "config.h"
#include "msad/queue/flusher.h"

/* The next request and its descriptor; 0 at the end, -1 on error. */
static int
receive(int sock, struct flusher_msg *req, int *fd)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec	 iov = { req, sizeof(*req) };
	struct msghdr	 msg;
	struct cmsghdr	*c;
	ssize_t		 n;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	while ((n = recvmsg(sock, &msg, 0)) == -1 && errno == EINTR)
		;
	if (n == 0)
		return 0;
	c = n == (ssize_t)sizeof(*req) ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c == NULL || (msg.msg_flags & MSG_CTRUNC) != 0 ||
	    c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 1;
}

static int
reply(int sock, const struct flusher_msg *rep)
{
	struct iovec	iov;
	struct msghdr	msg;
	ssize_t		n;

	iov.iov_base = (void *)(uintptr_t)rep;
	iov.iov_len = sizeof(*rep);
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	while ((n = sendmsg(sock, &msg, MSG_NOSIGNAL)) == -1 && errno == EINTR)
		;
	return n == (ssize_t)sizeof(*rep) ? 0 : -1;
}

static void __attribute__((__noreturn__))
flusher(int sock)
{
	struct flusher_msg	 m;
	const char		*reason;
	int			 fd, rv;

	signal(SIGTERM, SIG_IGN);	/* it ends after the queue has */
	signal(SIGINT, SIG_IGN);
	if (sock != 0 && dup2(sock, 0) == -1)
		_exit(1);
	closefrom(1);
	if (sandbox_apply(ROLE_QUEUE, SANDBOX_FLUSHER, &reason) == -1)
		_exit(1);
	while (receive(0, &m, &fd) == 1) {
		rv = m.isdir ? fsync(fd) : fdatasync(fd);
		m.error = rv == -1 ? errno : 0;
		close(fd);
		if (reply(0, &m) == -1)
			break;
	}
	_exit(0);
}

int
flusher_start(pid_t *pid)
{
	int	sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1)
		return -1;
	switch (*pid = fork()) {
	case -1:
		close(sv[0]);
		close(sv[1]);
		return -1;
	case 0:
		flusher(sv[1]);
	default:
		break;
	}
	close(sv[1]);
	if (fcntl(sv[0], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(sv[0], F_SETFD, FD_CLOEXEC) == -1) {
		close(sv[0]);
		return -1;
	}
	return sv[0];
}
