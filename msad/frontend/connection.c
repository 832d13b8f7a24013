/*
 * Octets of one client: buffered reading and writing on a socket, with or
 * without TLS. Part of the front-end; session.c is the only caller. Bounded:
 * one input buffer of CONN_IN_SIZE, replies up to what session.c lets gather.
 *
 * In the middle of a message a session keeps no input of its own: it reads
 * what it can pass on at once, and TLS, which has a buffer of 16 kB for a
 * record that comes in parts, is let read whole ones alone (conn_fill_some).
 * Until then they are in the socket; SO_RCVLOWAT has us woken when there is
 * enough.
 *
 * Input buffers come and go with what they hold (slots.h). They may have held
 * a password, so they are wiped as far as they were used for one (conn_use).
 */

#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include "msad/frontend/connection.h"
#include "msad/frontend/slots.h"
#include "msad/frontend/tls.h"

#define RECORD_HEADER	5		/* RFC 8446 section 5.1 */
#define RECORD_MAX	(16384 + 2048)	/* RFC 5246 section 6.2.3 */

void
conn_init(struct conn *c, int fd, struct event_base *base,
    void (*fn)(int, short, void *), void *arg)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->lowat = 1;
	event_assign(&c->rd, base, fd, EV_READ | EV_PERSIST, fn, arg);
	event_assign(&c->wr, base, fd, EV_WRITE | EV_PERSIST, fn, arg);
}

void
conn_close(struct conn *c)
{
	conn_watch(c, false, false);
	if (c->tls != NULL) {
		tls_close(c->tls);
		tls_free(c->tls);
	}
	close(c->fd);
	conn_drop_input(c);
	if (c->out != NULL)
		freezero(c->out, c->out_cap);
	c->out = NULL;
}

struct slice
conn_input(const struct conn *c)
{
	return c->in == NULL ? SLICE("", 0) :
	    SLICE(c->in + c->in_off, c->in_len);
}

size_t
conn_room(const struct conn *c)
{
	return CONN_IN_SIZE - c->in_len;
}

void
conn_use(struct conn *c, size_t n, bool secret)
{
	if (secret)
		explicit_bzero(c->in + c->in_off, n);
	c->in_off += (uint32_t)n;
	c->in_len -= (uint32_t)n;
}

void
conn_drop_input(struct conn *c)
{
	if (c->in != NULL) {
		explicit_bzero(c->in, c->in_off + c->in_len);
		slots_free(c->in);
	}
	c->in = NULL;
	c->in_off = c->in_len = 0;
}

/* Have a buffer, with what is unused at its beginning. */
static int
in_prepare(struct conn *c)
{
	if (c->in == NULL && (c->in = slots_malloc(CONN_IN_SIZE)) == NULL)
		return -1;
	if (c->in_len == 0)
		c->in_off = 0;
	else if (c->in_off > 0) {
		memmove(c->in, c->in + c->in_off, c->in_len);
		/* Half a password may have been in what was moved. */
		explicit_bzero(c->in + c->in_len, c->in_off);
		c->in_off = 0;
	}
	return 0;
}

static void
set_lowat(struct conn *c, int n)
{
	if (c->lowat != n && setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &n,
	    sizeof(n)) == 0)
		c->lowat = n;
}

/*
 * Is the next record of TLS still to come whole? Then we are woken when it is
 * there. When that happens too early, because the client has closed or the
 * system is short of memory, it is read as it is.
 */
static bool
record_incomplete(struct conn *c)
{
	unsigned char	h[RECORD_HEADER];
	ssize_t		n;
	int		need, have;

	if (c->within || server_tls_pending(c->ssl) > 0)
		return false;
	if ((n = recv(c->fd, h, sizeof(h), MSG_PEEK)) <= 0)
		return false;
	need = n < RECORD_HEADER ? RECORD_HEADER : RECORD_HEADER +
	    (h[3] << 8 | h[4]);
	if (need > RECORD_HEADER + RECORD_MAX || need == c->lowat ||
	    ioctl(c->fd, FIONREAD, &have) == -1 || have >= need)
		return false;
	set_lowat(c, need);
	return c->lowat == need;
}

/* Read once, at most max octets. */
static void
fill(struct conn *c, size_t max)
{
	ssize_t	n;

	c->more = false;
	if (max > conn_room(c))
		max = conn_room(c);
	if (c->eof || max == 0)
		return;
	if (in_prepare(c) == -1) {
		c->eof = true;
		return;
	}
	if (c->tls == NULL)
		n = read(c->fd, c->in + c->in_len, max);
	else {
		n = tls_read(c->tls, c->in + c->in_len, max);
		c->within = n <= 0;
		set_lowat(c, 1);
	}
	if (n > 0) {
		c->in_len += (uint32_t)n;
		c->more = c->tls != NULL && server_tls_pending(c->ssl) > 0;
	} else if (c->tls != NULL)
		c->eof = n != TLS_WANT_POLLIN && n != TLS_WANT_POLLOUT;
	else
		c->eof = n == 0 || (errno != EAGAIN && errno != EINTR);
}

void
conn_fill(struct conn *c)
{
	fill(c, conn_room(c));
}

void
conn_fill_some(struct conn *c, size_t max)
{
	if (c->tls == NULL || !record_incomplete(c))
		fill(c, max);
}

void
conn_peek(struct conn *c)
{
	ssize_t	n;

	if (in_prepare(c) == -1 || conn_room(c) == 0) {
		c->eof = true;
		return;
	}
	n = recv(c->fd, c->in + c->in_len, conn_room(c), MSG_PEEK);
	if (n > 0)
		c->in_len += (uint32_t)n;
	else
		c->eof = n == 0 || (errno != EAGAIN && errno != EINTR);
}

void
conn_peeked(struct conn *c, size_t had, size_t n)
{
	/* They are there: this cannot come short. */
	if (n > had && recv(c->fd, c->in + had, n - had, 0) !=
	    (ssize_t)(n - had))
		c->eof = true;
	c->in_len = (uint32_t)n;
}

void
conn_drain(struct conn *c)
{
	char	buf[4096];
	ssize_t	n;
	int	i;

	for (i = 0; i < 16; i++) {
		n = read(c->fd, buf, sizeof(buf));
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			c->eof = true;
		if (n <= 0)
			return;
	}
}

void
conn_shut(struct conn *c)
{
	if (c->tls != NULL)
		tls_close(c->tls);
	shutdown(c->fd, SHUT_WR);
}

int
conn_put(struct conn *c, const void *p, size_t n)
{
	size_t	 cap = c->out_cap == 0 ? 512 : c->out_cap;
	char	*out;

	while (cap - c->out_len < n)
		cap *= 2;
	if (cap != c->out_cap) {
		out = recallocarray(c->out, c->out_cap, cap, 1);
		if (out == NULL)
			return -1;
		c->out = out;
		c->out_cap = (uint32_t)cap;
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len += (uint32_t)n;
	return 0;
}

size_t
conn_owed(const struct conn *c)
{
	return c->out_len - c->out_off;
}

int
conn_flush(struct conn *c)
{
	ssize_t	n;

	while (c->out_off < c->out_len) {
		if (c->tls == NULL)
			n = send(c->fd, c->out + c->out_off,
			    c->out_len - c->out_off, MSG_NOSIGNAL);
		else
			n = tls_write(c->tls, c->out + c->out_off,
			    c->out_len - c->out_off);
		if (n > 0) {
			c->out_off += (uint32_t)n;
			continue;
		}
		if (c->tls != NULL ? n == TLS_WANT_POLLIN ||
		    n == TLS_WANT_POLLOUT : n == -1 && errno == EAGAIN)
			return 1;
		if (c->tls == NULL && n == -1 && errno == EINTR)
			continue;
		c->eof = true;
		return -1;
	}
	c->out_off = c->out_len = 0;
	return 0;
}

static void
watch(struct event *ev, bool *is, bool want)
{
	if (*is == want)
		return;
	if (want)
		event_add(ev, NULL);
	else
		event_del(ev);
	*is = want;
}

void
conn_watch(struct conn *c, bool rd, bool wr)
{
	watch(&c->rd, &c->reading, rd);
	watch(&c->wr, &c->writing, wr);
}

void
conn_trim(struct conn *c)
{
	if (c->in != NULL && c->in_len == 0) {
		slots_free(c->in);
		c->in = NULL;
		c->in_off = 0;
	}
	if (c->out != NULL && c->out_len == 0) {
		free(c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
}
