/*
 * Channels: framing, buffering and descriptor passing over a socketpair.
 *
 * Linked into every program. Trusts nothing of what the peer writes: each
 * header is held against the table (ipc_table.c) before its handler is called,
 * each handler reads the payload by checked getters (ipc_payload.c), and a
 * breach ends the channel for good.
 *
 * Descriptors travel with the first octet of their message. The reader keeps
 * them in arrival order; a message whose header has IPC_HAS_FD takes the next.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/stats.h"

#define HEADER_SIZE	16
#define IN_SIZE		(4 * (HEADER_SIZE + IPC_PAYLOAD_MAX))
#define OUT_KEEP	(256 * 1024)	/* of an empty output buffer */
#define FDS_MAX		64	/* descriptors received and not yet claimed */
#define RECV_FDS	16	/* descriptors one recvmsg can bring */
#define IPC_HAS_FD	0x00000001U

struct out_fd {
	size_t	 off;		/* where in out its message begins */
	int	 fd;
};

struct ipc {
	int		 fd;
	enum ipc_role	 self;
	enum ipc_role	 peer;
	uint32_t	 index;
	uint64_t	 epoch;
	const struct ipc_handler *handlers[IPC_TYPE_MAX];
	void		(*closed)(struct ipc *, enum ipc_end, void *);
	void		*arg;
	struct event	 ev_read;
	struct event	 ev_write;	/* the socket is writable again */
	struct event	 ev_flush;	/* made active by ipc_send */

	uint8_t		*in;
	size_t		 in_len;
	int		 fds[FDS_MAX];
	size_t		 nfds;

	uint8_t		*out;
	size_t		 out_off;	/* written up to here */
	size_t		 out_len;	/* complete messages up to here */
	size_t		 out_end;	/* with the message under way */
	size_t		 out_cap;
	size_t		 pending_max;	/* see ipc_set_pending_max() */
	struct out_fd	*out_fds;
	size_t		 nout_fds;
	size_t		 out_fds_cap;
	int		 building;
	int		 secret;	/* out holds a password: wipe it */

	int		 busy;		/* calls into handlers under way */
	int		 freed;
	int		 ended;
	enum ipc_end	 end;
	unsigned int	 awaited;	/* ipc_wait: type */
	int		 awaited_seen;
};

static struct event_base	*base;

static void	on_read(int, short, void *);
static void	on_write(int, short, void *);
static void	on_flush(int, short, void *);

void
ipc_init(struct event_base *b)
{
	base = b;
}

/* Messages that hold a password: their octets are wiped once used. */
static int
is_secret(unsigned int type)
{
	return type == IPC_AUTH_START || type == IPC_AUTH_RESPONSE ||
	    type == IPC_PAM_REQUEST || type == IPC_RELAY_JOB ||
	    type == IPC_CTL_AUTH_TEST;
}

static void
put_be(uint8_t *p, uint64_t v, size_t n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
get_be(const uint8_t *p, size_t n)
{
	uint64_t	 v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

struct ipc *
ipc_new(int fd, enum ipc_role self, enum ipc_role peer,
    const struct ipc_handler *handlers,
    void (*closed)(struct ipc *, enum ipc_end, void *), void *arg)
{
	struct ipc	*ch;

	if ((ch = calloc(1, sizeof(*ch))) == NULL)
		return NULL;
	if ((ch->in = malloc(IN_SIZE)) == NULL) {
		free(ch);
		return NULL;
	}
	for (; handlers != NULL && handlers->type != 0; handlers++)
		ch->handlers[handlers->type] = handlers;
	ch->fd = fd;
	ch->self = self;
	ch->peer = peer;
	ch->closed = closed;
	ch->arg = arg;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		log_warn("event=ipc-fcntl error=%s", log_q(strerror(errno)));
	event_assign(&ch->ev_read, base, fd, EV_READ | EV_PERSIST, on_read, ch);
	event_assign(&ch->ev_write, base, fd, EV_WRITE, on_write, ch);
	event_assign(&ch->ev_flush, base, -1, 0, on_flush, ch);
	event_add(&ch->ev_read, NULL);
	return ch;
}

static void
destroy(struct ipc *ch)
{
	size_t	 i;

	event_del(&ch->ev_read);
	event_del(&ch->ev_write);
	event_del(&ch->ev_flush);
	for (i = 0; i < ch->nfds; i++)
		close(ch->fds[i]);
	for (i = 0; i < ch->nout_fds; i++)
		close(ch->out_fds[i].fd);
	close(ch->fd);
	freezero(ch->in, IN_SIZE);
	freezero(ch->out, ch->out_cap);
	free(ch->out_fds);
	free(ch);
}

void
ipc_free(struct ipc *ch)
{
	if (ch == NULL || ch->freed)
		return;
	ch->freed = 1;
	if (ch->busy == 0)
		destroy(ch);
	else {
		event_del(&ch->ev_read);
		event_del(&ch->ev_write);
	}
}

static void
enter(struct ipc *ch)
{
	ch->busy++;
}

/* Returns 0 when the channel is gone after this. */
static int
leave(struct ipc *ch)
{
	if (--ch->busy > 0 || !ch->freed)
		return !ch->freed;
	destroy(ch);
	return 0;
}

/* The channel is over; the owner hears of it from the loop. */
static void
finish(struct ipc *ch, enum ipc_end end)
{
	if (ch->ended || ch->freed)
		return;
	ch->ended = 1;
	ch->end = end;
	event_del(&ch->ev_read);
	event_del(&ch->ev_write);
	event_active(&ch->ev_flush, EV_TIMEOUT, 0);
}

static void
violation(struct ipc *ch, unsigned int type, const char *reason)
{
	stats_inc(STAT_IPC_VIOLATIONS);
	log_warn("event=ipc-violation peer=%s[%u] message=%s reason=%s",
	    ipc_role_name(ch->peer), ch->index, ipc_type_name(type),
	    log_q(reason));
	finish(ch, IPC_VIOLATION);
}

enum ipc_role
ipc_peer(const struct ipc *ch)
{
	return ch->peer;
}

int
ipc_fd(const struct ipc *ch)
{
	return ch->fd;
}

size_t
ipc_pending(const struct ipc *ch)
{
	return ch->out_len - ch->out_off;
}

void
ipc_set_pending_max(struct ipc *ch, size_t n)
{
	ch->pending_max = n;
}

void
ipc_set_peer(struct ipc *ch, uint32_t index, uint64_t epoch)
{
	ch->index = index;
	ch->epoch = epoch;
}

uint32_t
ipc_peer_index(const struct ipc *ch)
{
	return ch->index;
}

uint64_t
ipc_peer_epoch(const struct ipc *ch)
{
	return ch->epoch;
}

/* --- reading --- */

static int
keep_fds(struct ipc *ch, struct msghdr *mh)
{
	struct cmsghdr	*c;
	int		 fd, bad = 0;
	size_t		 i, n;

	for (c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (ch->nfds == FDS_MAX) {
				close(fd);
				bad = 1;
			} else
				ch->fds[ch->nfds++] = fd;
		}
	}
	return bad || (mh->msg_flags & MSG_CTRUNC) ? -1 : 0;
}

/* Read once. 1: something came, 0: nothing there now, -1: over. */
static int
fill(struct ipc *ch)
{
	union {
		struct cmsghdr	 align;
		char		 buf[CMSG_SPACE(sizeof(int) * RECV_FDS)];
	} control;
	struct iovec	 iov = { ch->in + ch->in_len, IN_SIZE - ch->in_len };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t		 n;

	n = recvmsg(ch->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n == -1) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		finish(ch, errno == ECONNRESET ? IPC_EOF : IPC_ERROR);
		return -1;
	}
	if (keep_fds(ch, &mh) == -1) {
		violation(ch, 0, "too many descriptors");
		return -1;
	}
	if (n == 0) {
		finish(ch, IPC_EOF);
		return -1;
	}
	ch->in_len += (size_t)n;
	return 1;
}

static int
next_fd(struct ipc *ch)
{
	int	 fd;

	if (ch->nfds == 0)
		return -1;
	fd = ch->fds[0];
	memmove(ch->fds, ch->fds + 1, --ch->nfds * sizeof(ch->fds[0]));
	return fd;
}

static void
handle(struct ipc *ch, uint8_t *p, size_t len)
{
	struct ipc_msg	 msg = { .type = (unsigned int)get_be(p, 2),
		.sid = get_be(p + 8, 8), .data = p + HEADER_SIZE,
		.len = len, .fd = -1 };
	uint32_t	 flags = (uint32_t)get_be(p + 4, 4);
	const char	*reason = NULL;
	int		 has_fd = flags & IPC_HAS_FD;

	if (has_fd)
		msg.fd = next_fd(ch);
	if (flags & ~IPC_HAS_FD)
		reason = "unknown flag";
	else if (has_fd && msg.fd == -1)
		reason = "descriptor announced but not sent";
	else if (ipc_check(msg.type, ch->peer, ch->self, len, has_fd,
	    &reason) == 0) {
		if (ch->handlers[msg.type] == NULL)
			reason = "no handler";
		else if (ch->handlers[msg.type]->fn(ch, &msg, ch->arg) == -1)
			reason = "bad payload";
	}
	if (is_secret(msg.type))
		explicit_bzero(p + HEADER_SIZE, len);
	if (msg.fd != -1)
		close(msg.fd);
	if (reason != NULL && !ch->freed)
		violation(ch, msg.type, reason);
	if (msg.type == ch->awaited)
		ch->awaited_seen = 1;
}

/* Handle the whole messages in the buffer; in ipc_wait only up to its one. */
static void
drain(struct ipc *ch)
{
	size_t	 off = 0, len;

	while (!ch->freed && !ch->ended && ch->in_len - off >= HEADER_SIZE) {
		len = (size_t)get_be(ch->in + off + 2, 2);
		if (len > IPC_PAYLOAD_MAX) {
			violation(ch, 0, "payload too long");
			break;
		}
		if (ch->in_len - off < HEADER_SIZE + len)
			break;
		if (ch->pending_max > 0 && ipc_pending(ch) > ch->pending_max) {
			violation(ch, 0, "asks and does not read");
			break;
		}
		handle(ch, ch->in + off, len);
		off += HEADER_SIZE + len;
		if (ch->awaited != 0 && ch->awaited_seen)
			break;
	}
	if (off == 0)
		return;
	ch->in_len -= off;
	if (ch->in_len > 0) {
		memmove(ch->in, ch->in + off, ch->in_len);
		/* Half a password may have been in what was moved. */
		explicit_bzero(ch->in + ch->in_len, off);
	}
}

static void
on_read(int fd, short what, void *arg)
{
	struct ipc	*ch = arg;

	(void)fd;
	(void)what;
	enter(ch);
	/* Messages left by ipc_wait come first; they fill less than half. */
	drain(ch);
	if (!ch->freed && !ch->ended && fill(ch) == 1)
		drain(ch);
	leave(ch);
}

/* --- writing --- */

static void
make_room(struct ipc *ch, size_t n)
{
	size_t		 cap, i;
	uint8_t		*p;

	if (ch->out_cap - ch->out_end >= n)
		return;
	if (ch->out_off > 0) {
		memmove(ch->out, ch->out + ch->out_off,
		    ch->out_end - ch->out_off);
		for (i = 0; i < ch->nout_fds; i++)
			ch->out_fds[i].off -= ch->out_off;
		ch->out_len -= ch->out_off;
		ch->out_end -= ch->out_off;
		if (ch->secret)
			explicit_bzero(ch->out + ch->out_end, ch->out_off);
		ch->out_off = 0;
	}
	if (ch->out_cap - ch->out_end >= n)
		return;
	cap = ch->out_cap == 0 ? 32768 : ch->out_cap;
	while (cap - ch->out_end < n)
		cap *= 2;
	if ((p = malloc(cap)) == NULL)	/* what is not used stays untouched */
		fatal("event=ipc error=\"out of memory\"");
	if (ch->out_end > 0)
		memcpy(p, ch->out, ch->out_end);
	if (ch->secret)
		explicit_bzero(ch->out, ch->out_end);
	free(ch->out);
	ch->out = p;
	ch->out_cap = cap;
}

/* Everything is written: start at the front again; give back a large buffer. */
static void
reset_out(struct ipc *ch)
{
	if (ch->secret)
		explicit_bzero(ch->out, ch->out_len);
	ch->secret = 0;
	ch->out_off = ch->out_len = ch->out_end = 0;
	if (ch->out_cap > OUT_KEEP) {
		free(ch->out);
		ch->out = NULL;
		ch->out_cap = 0;
	}
}

/* One sendmsg: at most one descriptor, and octets up to the next one. */
static ssize_t
send_some(struct ipc *ch)
{
	union {
		struct cmsghdr	 align;
		char		 buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec	 iov = { ch->out + ch->out_off, 0 };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t		 to = ch->out_len, first = 0;
	ssize_t		 n;

	if (ch->nout_fds > 0 && ch->out_fds[0].off == ch->out_off) {
		first = 1;
		memset(&control, 0, sizeof(control));
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), &ch->out_fds[0].fd,
		    sizeof(int));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	if (ch->nout_fds > first)
		to = ch->out_fds[first].off;
	iov.iov_len = to - ch->out_off;
	if ((n = sendmsg(ch->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT)) <= 0)
		return n;
	if (first) {
		close(ch->out_fds[0].fd);
		memmove(ch->out_fds, ch->out_fds + 1,
		    --ch->nout_fds * sizeof(ch->out_fds[0]));
	}
	ch->out_off += (size_t)n;
	return n;
}

/* 1: all written, 0: the socket is full, -1: over. */
static int
write_out(struct ipc *ch)
{
	while (ch->out_off < ch->out_len) {
		if (send_some(ch) != -1)
			continue;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			return 0;
		/* What the peer wrote before it went is still to be read. */
		if (errno != EPIPE && errno != ECONNRESET)
			finish(ch, IPC_ERROR);
		return -1;
	}
	if (!ch->building)
		reset_out(ch);
	return 1;
}

static void
on_write(int fd, short what, void *arg)
{
	struct ipc	*ch = arg;

	(void)fd;
	(void)what;
	if (write_out(ch) == 0)
		event_add(&ch->ev_write, NULL);
}

static void
on_flush(int fd, short what, void *arg)
{
	struct ipc	*ch = arg;

	(void)fd;
	(void)what;
	enter(ch);
	if (!ch->ended && write_out(ch) == 0)
		event_add(&ch->ev_write, NULL);
	if (ch->ended && ch->closed != NULL) {
		void	(*closed)(struct ipc *, enum ipc_end, void *);

		closed = ch->closed;
		ch->closed = NULL;
		closed(ch, ch->end, ch->arg);
	}
	leave(ch);
}

void
ipc_start(struct ipc *ch, unsigned int type, uint64_t sid)
{
	if (ch->building)
		fatal("event=ipc error=\"message begun twice\" message=%s",
		    ipc_type_name(type));
	ch->building = 1;
	make_room(ch, HEADER_SIZE + IPC_PAYLOAD_MAX);
	put_be(ch->out + ch->out_len, type, 2);
	put_be(ch->out + ch->out_len + 4, 0, 4);
	put_be(ch->out + ch->out_len + 8, sid, 8);
	ch->out_end = ch->out_len + HEADER_SIZE;
	if (is_secret(type))
		ch->secret = 1;
}

size_t
ipc_room(const struct ipc *ch)
{
	return HEADER_SIZE + IPC_PAYLOAD_MAX - (ch->out_end - ch->out_len);
}

void
ipc_put_raw(struct ipc *ch, const void *p, size_t n)
{
	if (!ch->building || n > ipc_room(ch))
		fatal("event=ipc error=\"message too long\" message=%s",
		    ipc_type_name((unsigned int)get_be(ch->out + ch->out_len,
		    2)));
	if (n > 0)
		memcpy(ch->out + ch->out_end, p, n);
	ch->out_end += n;
}

static void
put_number(struct ipc *ch, uint64_t v, size_t n)
{
	uint8_t	 b[8];

	put_be(b, v, n);
	ipc_put_raw(ch, b, n);
}

void
ipc_put_u8(struct ipc *ch, uint8_t v)
{
	put_number(ch, v, 1);
}

void
ipc_put_u16(struct ipc *ch, uint16_t v)
{
	put_number(ch, v, 2);
}

void
ipc_put_u32(struct ipc *ch, uint32_t v)
{
	put_number(ch, v, 4);
}

void
ipc_put_u64(struct ipc *ch, uint64_t v)
{
	put_number(ch, v, 8);
}

void
ipc_put_slice(struct ipc *ch, struct slice s)
{
	if (s.len > UINT16_MAX)
		fatal("event=ipc error=\"string too long\"");
	ipc_put_u16(ch, (uint16_t)s.len);
	ipc_put_raw(ch, s.p, s.len);
}

void
ipc_put_str(struct ipc *ch, const char *s)
{
	ipc_put_slice(ch, SLICE_STR(s != NULL ? s : ""));
}

void
ipc_put_bytes(struct ipc *ch, const void *p, size_t n)
{
	ipc_put_u32(ch, (uint32_t)n);
	ipc_put_raw(ch, p, n);
}

static void
complete(struct ipc *ch, int fd)
{
	uint8_t		*h = ch->out + ch->out_len;
	size_t		 len = ch->out_end - ch->out_len - HEADER_SIZE;
	unsigned int	 type = (unsigned int)get_be(h, 2);
	const char	*reason;

	if (ipc_check(type, ch->self, ch->peer, len, fd != -1, &reason) == -1)
		fatal("event=ipc error=\"our own message: %s\" message=%s "
		    "length=%zu", reason, ipc_type_name(type), len);
	put_be(h + 2, len, 2);
	put_be(h + 4, fd != -1 ? IPC_HAS_FD : 0, 4);
	ch->building = 0;
	ch->out_len = ch->out_end;
	if (!ch->ended)
		event_active(&ch->ev_flush, EV_TIMEOUT, 0);
}

void
ipc_send(struct ipc *ch)
{
	complete(ch, -1);
}

void
ipc_send_fd(struct ipc *ch, int fd)
{
	struct out_fd	*p;

	if (ch->nout_fds == ch->out_fds_cap) {
		p = recallocarray(ch->out_fds, ch->out_fds_cap,
		    ch->out_fds_cap + 16, sizeof(*p));
		if (p == NULL)
			fatal("event=ipc error=\"out of memory\"");
		ch->out_fds = p;
		ch->out_fds_cap += 16;
	}
	ch->out_fds[ch->nout_fds].off = ch->out_len;
	ch->out_fds[ch->nout_fds].fd = fd;
	ch->nout_fds++;
	complete(ch, fd);
}

void
ipc_send_empty(struct ipc *ch, unsigned int type, uint64_t sid)
{
	ipc_start(ch, type, sid);
	ipc_send(ch);
}

int
ipc_take_fd(struct ipc_msg *msg)
{
	int	 fd = msg->fd;

	msg->fd = -1;
	return fd;
}

/* --- waiting --- */

int
ipc_flush(struct ipc *ch, int ms)
{
	int64_t		 end = clock_ms() + ms;
	struct pollfd	 pfd = { .fd = ch->fd, .events = POLLOUT };
	int		 r, left;

	while ((r = write_out(ch)) == 0) {
		if ((left = (int)(end - clock_ms())) <= 0)
			return -1;
		if (poll(&pfd, 1, left) == -1 && errno != EINTR)
			return -1;
	}
	return r == 1 ? 0 : -1;
}

int
ipc_wait(struct ipc *ch, unsigned int type, int ms)
{
	int64_t		 end = clock_ms() + ms;
	struct pollfd	 pfd = { .fd = ch->fd, .events = POLLIN };
	int		 left = ms, result;

	enter(ch);
	ch->awaited = type;
	ch->awaited_seen = 0;
	if (ipc_flush(ch, ms) == 0)
		drain(ch);
	while (!ch->awaited_seen && !ch->ended && !ch->freed &&
	    (left = (int)(end - clock_ms())) > 0) {
		if (poll(&pfd, 1, left) > 0 && fill(ch) == 1)
			drain(ch);
	}
	result = ch->awaited_seen ? 1 : ch->ended || ch->freed ? -1 : 0;
	ch->awaited = 0;
	/* What came behind it is handled when the loop comes round. */
	if (ch->in_len > 0 && !ch->ended && !ch->freed)
		event_active(&ch->ev_read, EV_READ, 0);
	if (!leave(ch))
		return -1;
	return result;
}
