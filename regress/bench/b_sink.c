/*
 * A next hop that takes everything: an SMTP server for measuring and for the
 * crash tests. It answers at once, keeps nothing, counts, and on request
 * writes the Message-ID of each message it has said 250 to.
 *
 * usage: b_sink [-v] [-a address] [-p port] [-o file]
 * -v: verify what b_load -o wrote; behind each Message-ID stand the time, the
 * octets of the text, their CRC without the last line, and whether the last
 * line is the Message-ID: "whole" or "torn".
 * With port 0 the system chooses; the port is printed on standard output. On
 * SIGTERM it prints one JSON object of its counts and ends.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/crc32c.h"

#define IN_SIZE	65536

struct peer {
	struct event	 ev;
	int		 fd;
	int		 data;		/* in the message text */
	size_t		 len;
	char		 id[256];	/* Message-ID under way */
	char		 last[256];	/* line of the text, with -v */
	int		 text;		/* behind the header */
	uint32_t	 crc;
	unsigned long	 text_len;
	char		 out[4096];
	size_t		 out_len;
	char		 in[IN_SIZE];
};

static struct event_base *base;
static FILE		*ids;
static int		 verify;
static unsigned long long connections, messages, octets;

static void
peer_free(struct peer *p)
{
	event_del(&p->ev);
	close(p->fd);
	free(p);
}

static void
say(struct peer *p, const char *line)
{
	size_t	 n = strlen(line);

	if (p->out_len + n <= sizeof(p->out)) {
		memcpy(p->out + p->out_len, line, n);
		p->out_len += n;
	}
}

/* Returns -1 when the session is to end. */
static int
command(struct peer *p, const char *line, size_t n)
{
	if (n >= 4 && strncasecmp(line, "EHLO", 4) == 0)
		say(p, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250 SIZE 104857600\r\n");
	else if (n >= 4 && strncasecmp(line, "DATA", 4) == 0) {
		p->data = 1;
		p->text = 0;
		p->id[0] = p->last[0] = '\0';
		p->crc = 0;
		p->text_len = 0;
		say(p, "354 go on\r\n");
	} else if (n >= 4 && strncasecmp(line, "QUIT", 4) == 0) {
		say(p, "221 bye\r\n");
		return -1;
	} else
		say(p, "250 ok\r\n");
	return 0;
}

static void
keep_id(struct peer *p, const char *line, size_t n)
{
	static const char name[] = "message-id:";
	size_t		  len = sizeof(name) - 1;

	if (ids == NULL || p->id[0] != '\0' || n <= len ||
	    strncasecmp(line, name, len) != 0)
		return;
	while (len < n && line[len] == ' ')
		len++;
	snprintf(p->id, sizeof(p->id), "%.*s", (int)(n - len), line + len);
}

/* A line of the message: of its header, or of its text. */
static void
keep_line(struct peer *p, const char *line, size_t n)
{
	if (!p->text) {
		p->text = n == 0;
		keep_id(p, line, n);
	} else if (verify) {
		p->crc = crc32c(p->crc, p->last, strlen(p->last));
		p->text_len += strlen(p->last);
		snprintf(p->last, sizeof(p->last), "%.*s", (int)n, line);
	}
}

static void
write_id(const struct peer *p)
{
	struct timespec	 ts;

	if (!verify) {
		fprintf(ids, "%s\n", p->id);
	} else {
		clock_gettime(CLOCK_REALTIME, &ts);
		fprintf(ids, "%s %lld.%03ld %lu %08x %s\n", p->id,
		    (long long)ts.tv_sec, ts.tv_nsec / 1000000, p->text_len,
		    (unsigned int)p->crc, p->id[0] != '\0' &&
		    strcmp(p->id, p->last) == 0 ? "whole" : "torn");
	}
	fflush(ids);
}

static void
message_end(struct peer *p)
{
	p->data = 0;
	messages++;
	if (ids != NULL)
		write_id(p);
	say(p, "250 2.0.0 taken\r\n");
}

/*
 * Without ids to keep only the end of the text matters: look for it at once.
 * Returns where to go on; *more is set when the end has not come yet.
 */
static size_t
skip_text(struct peer *p, size_t off, int *more)
{
	char	*end;

	end = memmem(p->in + off, p->len - off, "\r\n.\r\n", 5);
	*more = end == NULL;
	if (end != NULL) {
		message_end(p);
		return (size_t)(end - p->in) + 5;
	}
	return p->len - off > 4 ? p->len - 4 : off;
}

/* Returns the octets used, or -1 when the session is to end. */
static ssize_t
consume(struct peer *p)
{
	size_t	 off = 0, n;
	char	*nl;
	int	 more = 0;

	for (;;) {
		if (p->data && ids == NULL)
			off = skip_text(p, off, &more);
		if (more)
			return (ssize_t)off;
		nl = memchr(p->in + off, '\n', p->len - off);
		if (nl == NULL)
			return (ssize_t)off;
		n = (size_t)(nl - (p->in + off));
		if (n > 0 && p->in[off + n - 1] == '\r')
			n--;
		if (!p->data) {
			if (command(p, p->in + off, n) == -1)
				return -1;
		} else if (n == 1 && p->in[off] == '.')
			message_end(p);
		else
			keep_line(p, p->in + off, n);
		off = (size_t)(nl - p->in) + 1;
	}
}

static void
on_peer(int fd, short what, void *arg)
{
	struct peer	*p = arg;
	ssize_t		 n, used;

	(void)what;
	n = read(fd, p->in + p->len, IN_SIZE - p->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_free(p);
		return;
	}
	octets += (unsigned long long)n;
	p->len += (size_t)n;
	used = consume(p);
	if (p->out_len > 0 && write(fd, p->out, p->out_len) == -1)
		used = -1;
	p->out_len = 0;
	if (used == -1 || (used == 0 && p->len == IN_SIZE)) {
		peer_free(p);
		return;
	}
	p->len -= (size_t)used;
	memmove(p->in, p->in + used, p->len);
}

static void
on_accept(int fd, short what, void *arg)
{
	struct peer	*p;
	int		 s, one = 1;

	(void)what;
	(void)arg;
	if ((s = accept(fd, NULL, NULL)) == -1)
		return;
	if ((p = malloc(sizeof(*p))) == NULL) {
		close(s);
		return;
	}
	p->fd = s;
	p->data = 0;
	p->len = p->out_len = 0;
	connections++;
	fcntl(s, F_SETFL, O_NONBLOCK);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event_assign(&p->ev, base, s, EV_READ | EV_PERSIST, on_peer, p);
	event_add(&p->ev, NULL);
	if (write(s, "220 sink.test ESMTP\r\n", 21) == -1)
		peer_free(p);
}

static void
on_term(int sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	event_base_loopbreak(base);
}

static int
listen_on(const char *address, int port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 fd, one = 1;

	sin.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1 ||
	    (fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, SOMAXCONN) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		return -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	printf("%d\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	const char	*address = "127.0.0.1", *error;
	struct event	 ev_accept, ev_term;
	int		 ch, fd, port = 0;

	while ((ch = getopt(argc, argv, "a:o:p:v")) != -1) {
		switch (ch) {
		case 'a':
			address = optarg;
			break;
		case 'o':
			if ((ids = fopen(optarg, "a")) == NULL) {
				perror(optarg);
				return 1;
			}
			break;
		case 'p':
			port = (int)strtonum(optarg, 0, 65535, &error);
			break;
		case 'v':
			verify = 1;
			break;
		default:
			fprintf(stderr, "usage: b_sink [-v] [-a address] "
			    "[-p port] [-o file]\n");
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	if ((fd = listen_on(address, port)) == -1) {
		perror("listen");
		return 1;
	}
	event_assign(&ev_accept, base, fd, EV_READ | EV_PERSIST, on_accept,
	    NULL);
	event_add(&ev_accept, NULL);
	event_assign(&ev_term, base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_term,
	    NULL);
	event_add(&ev_term, NULL);
	event_base_dispatch(base);
	printf("{\"connections\": %llu, \"messages\": %llu, \"octets\": "
	    "%llu}\n", connections, messages, octets);
	return 0;
}
