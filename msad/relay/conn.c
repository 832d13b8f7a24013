/*
 * The transport below the SMTP client, in msad-relay: sockets, libtls,
 * buffers, deadlines.
 *
 * client.c drives it. It knows nothing of SMTP and trusts nothing of what
 * comes in: input is bounded by CONN_INPUT_MAX, reading goes on when it has
 * been consumed. Needs no file: certificates come with the struct trust.
 */

#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <errno.h>
#include <event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include "common/child.h"
#include "msad/relay/conn.h"
#include "msad/relay/trust.h"

#define KEEP_SIZE	32768	/* of output room, between messages */

enum phase { CONNECTING, HANDSHAKE, OPEN, LOST };

struct conn {
	int		 fd;
	enum phase	 phase;
	struct tls	*tls;
	const struct trust *tls_wanted;	/* handshake follows connect */
	char		*name;
	int		 loopback;
	int		 busy;		/* events are being delivered */
	int		 dead;		/* freed while busy */
	int		 wipe;
	int		 drained_due;	/* CONN_DRAINED has to be told */
	int		 write_broken;	/* output is thrown away */
	int		 read_wants_write;
	int		 write_wants_read;
	struct event	 ev_read;
	struct event	 ev_write;
	struct event	 ev_timer;
	struct event	 ev_soon;	/* events that are not I/O */
	void		(*event)(enum conn_event, void *);
	void		*arg;
	size_t		 inlen;
	char		*out;
	size_t		 outoff, outlen, outsize;
	char		 reason[256];
	char		 tls_text[96];
	char		 in[CONN_INPUT_MAX];
};

static void	 conn_on_io(int, short, void *);

static void
conn_destroy(struct conn *c)
{
	free(c->name);
	free(c->out);
	free(c);
}

/* Deliver an event. Returns -1 when the connection was freed by it. */
static int
conn_tell(struct conn *c, enum conn_event ev)
{
	c->busy++;
	c->event(ev, c->arg);
	c->busy--;
	if (!c->dead)
		return 0;
	if (c->busy == 0)
		conn_destroy(c);
	return -1;
}

static void
conn_set_reason(struct conn *c, const char *what, const char *detail)
{
	snprintf(c->reason, sizeof(c->reason), "%s%s%s", what,
	    detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
}

/* The connection is over; it is told from the loop. */
static void
conn_lose(struct conn *c, const char *what, const char *detail)
{
	if (c->phase == LOST)
		return;
	conn_set_reason(c, what, detail);
	c->phase = LOST;
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	event_active(&c->ev_soon, EV_TIMEOUT, 1);
}

static void
conn_want_write(struct conn *c)
{
	event_add(&c->ev_write, NULL);
}

/* Write what is pending as far as the socket takes it. */
static void
conn_write_out(struct conn *c)
{
	ssize_t	 n;
	size_t	 left;

	while (!c->write_broken && (left = c->outlen - c->outoff) > 0) {
		if (c->tls != NULL) {
			n = tls_write(c->tls, c->out + c->outoff, left);
			if (n == TLS_WANT_POLLIN) {
				c->write_wants_read = 1;
				return;
			}
			if (n == TLS_WANT_POLLOUT) {
				conn_want_write(c);
				return;
			}
		} else {
			n = write(c->fd, c->out + c->outoff, left);
			if (n == -1 && errno == EINTR)
				continue;
			if (n == -1 && errno == EAGAIN) {
				conn_want_write(c);
				return;
			}
		}
		if (n <= 0) {
			/* a last reply may be waiting: reading finds the end */
			c->write_broken = 1;
			break;
		}
		c->outoff += (size_t)n;
	}
	if (c->wipe && c->out != NULL) {
		explicit_bzero(c->out, c->outsize);
		c->wipe = 0;
	}
	c->outoff = c->outlen = 0;
}

/* Read once. Returns 1 when octets came and more may be there, else 0. */
static int
conn_read_in(struct conn *c)
{
	size_t	 room = CONN_INPUT_MAX - c->inlen;
	ssize_t	 n;

	if (room == 0)
		return 0;
	if (c->tls != NULL) {
		n = tls_read(c->tls, c->in + c->inlen, room);
		if (n == TLS_WANT_POLLIN)
			return 0;
		if (n == TLS_WANT_POLLOUT) {
			c->read_wants_write = 1;
			conn_want_write(c);
			return 0;
		}
	} else {
		n = read(c->fd, c->in + c->inlen, room);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return 0;
	}
	if (n == 0) {
		conn_lose(c, "connection closed by the other side", NULL);
		return 0;
	}
	if (n < 0) {
		conn_lose(c, "connection lost", c->tls != NULL ?
		    tls_error(c->tls) : strerror(errno));
		return 0;
	}
	c->inlen += (size_t)n;
	/* a short read says that the socket is empty; TLS may hold more */
	return c->tls != NULL || (size_t)n == room;
}

/* Read and hand over. Returns -1 when the connection was freed. */
static int
conn_input_ready(struct conn *c)
{
	int	 more;

	do {
		more = conn_read_in(c);
		if (c->inlen > 0 && conn_tell(c, CONN_INPUT) == -1)
			return -1;
		if (c->phase != OPEN)
			return 0;
	} while (more && c->inlen < CONN_INPUT_MAX);
	if (c->inlen == CONN_INPUT_MAX)
		conn_lose(c, "input not taken", NULL);
	return 0;
}

static int
conn_begin_tls(struct conn *c, const struct trust *trust, const char *name)
{
	if ((c->tls = tls_client()) == NULL) {
		conn_set_reason(c, "TLS", "out of memory");
		return -1;
	}
	if (trust_connect(trust, c->tls, c->fd, name) == -1) {
		conn_set_reason(c, "TLS", tls_error(c->tls));
		return -1;
	}
	c->phase = HANDSHAKE;
	return 0;
}

/* Go on with the handshake. Returns -1 when the connection was freed. */
static int
conn_handshake(struct conn *c)
{
	int	 n = tls_handshake(c->tls);

	if (n == TLS_WANT_POLLIN)
		return 0;
	if (n == TLS_WANT_POLLOUT) {
		conn_want_write(c);
		return 0;
	}
	if (n != 0) {
		conn_lose(c, "TLS handshake failed", tls_error(c->tls));
		return 0;
	}
	c->phase = OPEN;
	snprintf(c->tls_text, sizeof(c->tls_text), "%s %s",
	    tls_conn_version(c->tls), tls_conn_cipher(c->tls));
	return conn_tell(c, CONN_UP);
}

/* The socket became writable for the first time. -1: freed. */
static int
conn_connected(struct conn *c)
{
	socklen_t	 len = sizeof(int);
	int		 error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		conn_lose(c, "cannot connect", strerror(error));
		return 0;
	}
	event_add(&c->ev_read, NULL);
	if (c->tls_wanted == NULL) {
		c->phase = OPEN;
		return conn_tell(c, CONN_UP);
	}
	if (conn_begin_tls(c, c->tls_wanted, c->name) == -1) {
		conn_lose(c, c->reason, NULL);
		return 0;
	}
	return conn_handshake(c);
}

static void
conn_on_io(int fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	if (c->phase == CONNECTING && conn_connected(c) == -1)
		return;
	if (c->phase == HANDSHAKE) {
		if (conn_handshake(c) == -1 || c->phase != OPEN)
			return;
		what = EV_READ;	/* octets may have come with the handshake */
	}
	if (c->phase != OPEN)
		return;
	if ((what & EV_WRITE) || c->write_wants_read) {
		c->write_wants_read = 0;
		conn_write_out(c);
		if (c->phase == OPEN && c->outlen == 0 && c->drained_due) {
			c->drained_due = 0;
			if (conn_tell(c, CONN_DRAINED) == -1)
				return;
		}
	}
	if (c->phase == OPEN && ((what & EV_READ) || c->read_wants_write)) {
		c->read_wants_write = 0;
		conn_input_ready(c);
	}
}

static void
conn_on_soon(int fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	(void)what;
	if (c->phase == LOST)
		conn_tell(c, CONN_LOST);
	else if (c->drained_due && c->outlen == 0) {
		c->drained_due = 0;
		conn_tell(c, CONN_DRAINED);
	}
}

static void
conn_on_timer(int fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	(void)what;
	if (c->phase != LOST)
		conn_tell(c, CONN_TIMEOUT);
}

static int
conn_socket(struct conn *c, const char *address, unsigned int port,
    const char **reason)
{
	struct sockaddr_storage	 ss;
	struct sockaddr_in	*in4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6	*in6 = (struct sockaddr_in6 *)&ss;
	socklen_t		 len;
	int			 one = 1;

	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		len = sizeof(*in4);
		c->loopback = (ntohl(in4->sin_addr.s_addr) >> 24) == 127;
	} else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
		ss.ss_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		len = sizeof(*in6);
		c->loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	} else {
		*reason = "not a numeric address";
		return -1;
	}
	c->fd = socket(ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1) {
		*reason = strerror(errno);
		return -1;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&ss, len) == -1 &&
	    errno != EINPROGRESS) {
		*reason = strerror(errno);
		close(c->fd);
		return -1;
	}
	return 0;
}

struct conn *
conn_open(const char *address, unsigned int port, const struct trust *tls,
    const char *name, void (*event)(enum conn_event, void *), void *arg,
    const char **reason)
{
	struct conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->name = strdup(name)) == NULL) {
		*reason = "out of memory";
		free(c);
		return NULL;
	}
	if (conn_socket(c, address, port, reason) == -1) {
		conn_destroy(c);
		return NULL;
	}
	c->tls_wanted = tls;
	c->event = event;
	c->arg = arg;
	event_set(&c->ev_read, c->fd, EV_READ | EV_PERSIST, conn_on_io, c);
	event_set(&c->ev_write, c->fd, EV_WRITE, conn_on_io, c);
	evtimer_set(&c->ev_timer, conn_on_timer, c);
	evtimer_set(&c->ev_soon, conn_on_soon, c);
	event_base_set(child_base(), &c->ev_read);
	event_base_set(child_base(), &c->ev_write);
	event_base_set(child_base(), &c->ev_timer);
	event_base_set(child_base(), &c->ev_soon);
	conn_want_write(c);
	return c;
}

int
conn_starttls(struct conn *c, const struct trust *trust, const char *name)
{
	if (c->phase != OPEN || c->inlen > 0 || c->outlen > 0 ||
	    c->tls != NULL) {
		conn_set_reason(c, "octets in clear beside the handshake",
		    NULL);
		return -1;
	}
	if (conn_begin_tls(c, trust, name) == -1)
		return -1;
	conn_want_write(c);
	return 0;
}

void
conn_free(struct conn *c)
{
	if (c == NULL || c->dead)
		return;
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	event_del(&c->ev_timer);
	event_del(&c->ev_soon);
	if (c->tls != NULL) {
		if (c->phase == OPEN)
			tls_close(c->tls);	/* non-blocking: best effort */
		tls_free(c->tls);
		c->tls = NULL;
	}
	close(c->fd);
	if (c->out != NULL && c->wipe)
		explicit_bzero(c->out, c->outsize);
	c->phase = LOST;
	c->dead = 1;
	if (c->busy == 0)
		conn_destroy(c);
}

const char *
conn_reason(const struct conn *c)
{
	return c->reason;
}

int
conn_has_tls(const struct conn *c)
{
	return c->tls != NULL;
}

const char *
conn_tls(const struct conn *c)
{
	return c->tls_text;
}

int
conn_is_loopback(const struct conn *c)
{
	return c->loopback;
}

const char *
conn_input(const struct conn *c, size_t *len)
{
	*len = c->inlen;
	return c->in;
}

void
conn_consume(struct conn *c, size_t len)
{
	c->inlen -= len;
	if (c->inlen > 0)
		memmove(c->in, c->in + len, c->inlen);
}

char *
conn_reserve(struct conn *c, size_t len)
{
	size_t	 size = c->outsize;
	char	*p;

	if (c->outlen + len <= size)
		return c->out + c->outlen;
	if (size == 0)
		size = 4096;
	while (size < c->outlen + len)
		size *= 2;
	if ((p = malloc(size)) == NULL)
		return NULL;
	if (c->outlen > 0)
		memcpy(p, c->out, c->outlen);
	if (c->wipe)
		explicit_bzero(c->out, c->outsize);
	free(c->out);
	c->out = p;
	c->outsize = size;
	return p + c->outlen;
}

void
conn_commit(struct conn *c, size_t len)
{
	c->outlen += len;
}

int
conn_put(struct conn *c, const void *p, size_t len)
{
	char	*room;

	if ((room = conn_reserve(c, len)) == NULL)
		return -1;
	memcpy(room, p, len);
	conn_commit(c, len);
	return 0;
}

void
conn_flush(struct conn *c)
{
	if (c->phase != OPEN)
		return;
	c->drained_due = 1;
	if (event_pending(&c->ev_write, EV_WRITE, NULL))
		return;		/* the loop goes on with it */
	conn_write_out(c);
	if (c->phase == OPEN && c->outlen == 0)
		c->drained_due = 0;
}

void
conn_defer(struct conn *c)
{
	c->drained_due = 1;
	event_active(&c->ev_soon, EV_TIMEOUT, 1);
}

size_t
conn_pending(const struct conn *c)
{
	return c->outlen - c->outoff;
}

void
conn_wipe_output(struct conn *c)
{
	c->wipe = 1;
}

void
conn_shrink(struct conn *c)
{
	if (c->outlen == 0 && c->outsize > KEEP_SIZE) {
		free(c->out);
		c->out = NULL;
		c->outsize = 0;
	}
}

void
conn_timeout(struct conn *c, unsigned int seconds)
{
	struct timeval	 tv = { (time_t)seconds, 0 };

	if (seconds == 0)
		event_del(&c->ev_timer);
	else
		event_add(&c->ev_timer, &tv);
}
