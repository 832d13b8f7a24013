/*
 * A load generator: mail programs that log in over TLS and submit messages,
 * many at once, each as fast as the server answers.
 *
 * usage: b_load [-jk] [-a address] [-p port] [-T starttls|tls] [-u user]
 *	[-w password] [-f from] [-r rcpt] [-d domains] [-c connections]
 *	[-m messages a session] [-n messages in all] [-s octets] [-t seconds]
 *	[-o file] [-i]
 *
 * -d each message to somebody else, in one of so many domains; -j one JSON
 * object; -k go on after errors (crash tests); -o writes the Message-ID of each
 * message that got its 250, which is then the last line of its text as well; -i
 * idle: log in with every connection, print "ready" and hold them until
 * standard input ends; -m 0 logs in and quits: what is counted then are
 * sessions, from connect to 235.
 */
#include <sys/types.h>
#include <sys/resource.h>
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
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

enum step {
	CONNECT, GREETING, CLEAR_EHLO, STARTTLS, HANDSHAKE, TLS_GREETING, EHLO,
	AUTH, MAIL, RCPT, DATA, SENT, QUIT, IDLE
};

struct client {
	struct event	 ev;
	int		 fd;
	SSL		*ssl;
	enum step	 step;
	int		 done;		/* messages of this session */
	double		 began;		/* of the message under way */
	unsigned long long id;
	char		 in[8192];
	size_t		 in_len;
	char		*out;
	size_t		 out_len, out_off, out_cap;
};

static const char	*address = "127.0.0.1", *user = "", *password = "";
static const char	*from = "", *rcpt = "sink@example.net";
static int		 port = 465, implicit = 1, keep_going, json, idle;
static unsigned int	 domains;
static int		 nclients = 1, per_session = 1, seconds;
static long		 total = 1;
static size_t		 size = 10000;
static FILE		*ids;
static struct event_base *base;
static SSL_CTX		*ctx;
static char		*body;
static char		 auth_line[1024];
static unsigned long long next_id;
static long		 started, accepted, refused, errors, sessions;
static int		 open_clients, ready;
static double		*latency;
static size_t		 nlatency, latency_cap;
static double		 t0, stop_at;
static uint32_t		 run_id;

static void	 client_open(struct client *);
static void	 on_event(int, short, void *);

static double
now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
over(void)
{
	return started >= total || (seconds > 0 && now() >= stop_at);
}

static void
put(struct client *c, const char *p, size_t n)
{
	if (c->out_len + n > c->out_cap) {
		c->out_cap = (c->out_len + n) * 2;
		if ((c->out = realloc(c->out, c->out_cap)) == NULL)
			abort();
	}
	memcpy(c->out + c->out_len, p, n);
	c->out_len += n;
}

static void
put_line(struct client *c, const char *line)
{
	put(c, line, strlen(line));
	put(c, "\r\n", 2);
}

static void
on_again(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (over() && open_clients == 0)
		event_base_loopbreak(base);
	else if (!over())
		client_open(arg);
}

static void
client_close(struct client *c, int error)
{
	struct timeval	 pause = { 0, 50000 };

	if (error) {
		errors++;
		if (c->step == MAIL || c->step == RCPT || c->step == DATA ||
		    c->step == SENT)
			started -= keep_going;
	}
	event_del(&c->ev);
	if (c->ssl != NULL) {
		if (!error)
			SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	c->ssl = NULL;
	close(c->fd);
	open_clients--;
	if (error && !keep_going && errors > 100)
		event_base_loopbreak(base);
	else if (error && keep_going) {
		event_assign(&c->ev, base, -1, 0, on_again, c);
		event_add(&c->ev, &pause);
	} else if (!over() && !idle)
		client_open(c);
	else if (open_clients == 0)
		event_base_loopbreak(base);
}

/* Whom this message is for. */
static const char *
recipient(const struct client *c, char *buf, size_t len)
{
	if (domains == 0)
		return rcpt;
	snprintf(buf, len, "first.last%llu@customer%llu.example", c->id,
	    c->id * 2654435761 % domains);
	return buf;
}

static void
next_message(struct client *c)
{
	char	 line[512], to[96];

	if (over() || c->done >= per_session) {
		put_line(c, "QUIT");
		c->step = QUIT;
		return;
	}
	started++;
	c->done++;
	c->id = next_id++;
	c->began = now();
	snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA",
	    from, recipient(c, to, sizeof(to)));
	put_line(c, line);
	c->step = MAIL;
}

static void
send_text(struct client *c)
{
	char	 head[512], to[96];
	int	 n;

	n = snprintf(head, sizeof(head), "From: <%s>\r\nTo: <%s>\r\n"
	    "Subject: load %llu\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
	    "Message-ID: <%08x.%llu@load.test>\r\n\r\n", from,
	    recipient(c, to, sizeof(to)), c->id, run_id, c->id);
	put(c, head, (size_t)n);
	put(c, body, strlen(body));
	if (ids != NULL) {	/* for b_sink -v: the text is whole */
		n = snprintf(head, sizeof(head), "<%08x.%llu@load.test>",
		    run_id, c->id);
		put_line(c, head);
	}
	put(c, ".\r\n", 3);
	c->step = SENT;
}

static void
count(struct client *c)
{
	double	*p;

	accepted++;
	if (nlatency == latency_cap) {
		latency_cap = latency_cap == 0 ? 4096 : latency_cap * 2;
		if ((p = realloc(latency, latency_cap * sizeof(*p))) == NULL)
			abort();
		latency = p;
	}
	latency[nlatency++] = now() - c->began;
	if (ids != NULL) {
		fprintf(ids, "<%08x.%llu@load.test>\n", run_id, c->id);
		fflush(ids);
	}
}

/* One complete reply came. 0, or -1: the session is over. */
static int
reply(struct client *c, int code)
{
	int	 ok = code < 400;

	switch (c->step) {
	case GREETING:
	case TLS_GREETING:
		put_line(c, "EHLO load.test");
		c->step = c->step == GREETING ? CLEAR_EHLO : EHLO;
		break;
	case CLEAR_EHLO:
		put_line(c, "STARTTLS");
		c->step = STARTTLS;
		break;
	case STARTTLS:
		c->step = HANDSHAKE;
		break;
	case EHLO:
		put_line(c, auth_line);
		c->step = AUTH;
		break;
	case AUTH:
		if (!ok)
			break;
		if (idle) {
			c->step = IDLE;
			if (++ready == nclients) {
				printf("ready\n");
				fflush(stdout);
			}
			return 0;
		}
		if (per_session == 0) {
			started++;
			count(c);
		}
		next_message(c);
		break;
	case MAIL:
	case RCPT:
		c->step++;
		break;
	case DATA:
		if (code == 354)
			send_text(c);
		break;
	case SENT:
		if (ok)
			count(c);
		else
			refused++;
		next_message(c);
		return 0;
	case QUIT:
		client_close(c, 0);
		return -1;
	default:
		ok = 0;
	}
	if (!ok) {
		refused++;
		if (!json && !keep_going)
			fprintf(stderr, "step %d: reply %.*s\n", (int)c->step,
			    (int)c->in_len, c->in);
		client_close(c, 1);
		return -1;
	}
	return 0;
}

/* Returns -1 when the client was closed. */
static int
replies(struct client *c)
{
	char	*nl, code[4];
	size_t	 n, off = 0;
	int	 last;

	while ((nl = memchr(c->in + off, '\n', c->in_len - off)) != NULL) {
		n = (size_t)(nl - (c->in + off)) + 1;
		if (n < 5)
			break;
		last = c->in[off + 3] != '-';
		memcpy(code, c->in + off, 3);
		code[3] = '\0';
		off += n;
		if (last && reply(c, (int)strtol(code, NULL, 10)) == -1)
			return -1;
		if (c->step == HANDSHAKE)
			break;
	}
	c->in_len -= off;
	memmove(c->in, c->in + off, c->in_len);
	return 0;
}

static void
want(struct client *c, short what)
{
	event_del(&c->ev);
	event_assign(&c->ev, base, c->fd, what, on_event, c);
	event_add(&c->ev, NULL);
}

/* Octets moved, 0: not now (waiting is arranged), -1: over. */
static ssize_t
transfer(struct client *c, int writing)
{
	char	*p = writing ? c->out + c->out_off : c->in + c->in_len;
	size_t	 n = writing ? c->out_len - c->out_off :
	    sizeof(c->in) - c->in_len;
	ssize_t	 r;

	if (c->ssl == NULL) {
		r = writing ? write(c->fd, p, n) : read(c->fd, p, n);
		if (r == -1 && errno == EAGAIN) {
			want(c, writing ? EV_WRITE : EV_READ);
			return 0;
		}
		return r == 0 ? -1 : r;
	}
	ERR_clear_error();
	r = writing ? SSL_write(c->ssl, p, (int)n) :
	    SSL_read(c->ssl, p, (int)n);
	if (r > 0)
		return r;
	switch (SSL_get_error(c->ssl, (int)r)) {
	case SSL_ERROR_WANT_READ:
		want(c, EV_READ);
		return 0;
	case SSL_ERROR_WANT_WRITE:
		want(c, EV_WRITE);
		return 0;
	default:
		return -1;
	}
}

/* 1: done, 0: under way, -1: failed. */
static int
handshake(struct client *c)
{
	int	 r;

	if (c->ssl == NULL) {
		if ((c->ssl = SSL_new(ctx)) == NULL ||
		    SSL_set_fd(c->ssl, c->fd) != 1)
			return -1;
		SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
		    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	ERR_clear_error();
	if ((r = SSL_connect(c->ssl)) == 1)
		return 1;
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		want(c, EV_READ);
		return 0;
	case SSL_ERROR_WANT_WRITE:
		want(c, EV_WRITE);
		return 0;
	default:
		return -1;
	}
}

static void
after_handshake(struct client *c)
{
	if (implicit)
		c->step = TLS_GREETING;
	else {
		put_line(c, "EHLO load.test");
		c->step = EHLO;
	}
}

static void
on_event(int fd, short what, void *arg)
{
	struct client	*c = arg;
	ssize_t		 n;
	int		 r;

	(void)fd;
	(void)what;
	for (;;) {
		if (c->step == CONNECT)
			c->step = implicit ? HANDSHAKE : GREETING;
		if (c->step == HANDSHAKE && c->out_off == c->out_len) {
			if ((r = handshake(c)) == -1)
				client_close(c, 1);
			if (r != 1)
				return;
			after_handshake(c);
		}
		while (c->out_off < c->out_len) {
			if ((n = transfer(c, 1)) == 0)
				return;
			if (n == -1) {
				client_close(c, 1);
				return;
			}
			c->out_off += (size_t)n;
		}
		c->out_off = c->out_len = 0;
		if ((n = transfer(c, 0)) == 0)
			return;
		if (n == -1) {
			client_close(c, c->step != QUIT);
			return;
		}
		c->in_len += (size_t)n;
		if (replies(c) == -1)
			return;
	}
}

static void
client_open(struct client *c)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	struct event		 unset = { 0 };
	int			 one = 1;

	sin.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, address, &sin.sin_addr);
	c->ssl = NULL;
	c->step = CONNECT;
	c->done = 0;
	c->began = now();
	c->in_len = c->out_len = c->out_off = 0;
	c->ev = unset;
	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1) {
		perror("socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS)
		errors++;
	open_clients++;
	sessions++;
	event_assign(&c->ev, base, c->fd, EV_WRITE, on_event, c);
	event_add(&c->ev, NULL);
}

static int
by_value(const void *a, const void *b)
{
	double	 x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
percentile(double q)
{
	if (nlatency == 0)
		return 0;
	return latency[(size_t)((double)(nlatency - 1) * q)] * 1000;
}

static void
print_result(double took)
{
	qsort(latency, nlatency, sizeof(*latency), by_value);
	if (json)
		printf("{\"messages\": %ld, \"seconds\": %.3f, "
		    "\"messages_per_second\": %.1f, \"sessions\": %ld, "
		    "\"refused\": %ld, \"errors\": %ld, \"p50_ms\": %.2f, "
		    "\"p95_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
		    accepted, took, (double)accepted / took, sessions, refused,
		    errors, percentile(0.5), percentile(0.95),
		    percentile(0.99), percentile(1));
	else
		printf("%ld messages in %.2f s, %.1f/s, %ld sessions, %ld "
		    "refused, %ld errors, ms p50 %.2f p95 %.2f p99 %.2f\n",
		    accepted, took, (double)accepted / took, sessions, refused,
		    errors, percentile(0.5), percentile(0.95),
		    percentile(0.99));
}

static void
make_body(void)
{
	size_t	 i;

	if (size < 2)
		size = 2;
	if ((body = malloc(size + 1)) == NULL)
		abort();
	memset(body, 'x', size);
	for (i = 72; i + 2 < size; i += 74)
		memcpy(body + i, "\r\n", 2);
	memcpy(body + size - 2, "\r\n", 2);
	body[size] = '\0';
}

static void
make_auth(void)
{
	unsigned char	 plain[512], b64[700];
	int		 n;

	n = snprintf((char *)plain, sizeof(plain), "%c%s%c%s", 0, user, 0,
	    password);
	EVP_EncodeBlock(b64, plain, n);
	snprintf(auth_line, sizeof(auth_line), "AUTH PLAIN %s", b64);
}

static long
number(const char *s, long max)
{
	const char	*error;
	long		 v = (long)strtonum(s, 0, max, &error);

	if (error != NULL) {
		fprintf(stderr, "b_load: %s: %s\n", s, error);
		exit(2);
	}
	return v;
}

static void
options(int argc, char **argv)
{
	int	 ch;

	while ((ch = getopt(argc, argv, "a:c:d:f:ijkm:n:o:p:r:s:T:t:u:w:"))
	    != -1) {
		switch (ch) {
		case 'a': address = optarg; break;
		case 'c': nclients = (int)number(optarg, 20000); break;
		case 'd': domains = (unsigned int)number(optarg, 99999); break;
		case 'f': from = optarg; break;
		case 'i': idle = 1; break;
		case 'j': json = 1; break;
		case 'k': keep_going = 1; break;
		case 'm': per_session = (int)number(optarg, 1000000); break;
		case 'n': total = number(optarg, 100000000); break;
		case 'o':
			if ((ids = fopen(optarg, "a")) == NULL) {
				perror(optarg);
				exit(1);
			}
			break;
		case 'p': port = (int)number(optarg, 65535); break;
		case 'r': rcpt = optarg; break;
		case 's': size = (size_t)number(optarg, 1 << 30); break;
		case 'T': implicit = strcmp(optarg, "tls") == 0; break;
		case 't': seconds = (int)number(optarg, 86400); break;
		case 'u': user = optarg; break;
		case 'w': password = optarg; break;
		default:
			fprintf(stderr, "usage: b_load [-ijk] [-a address] "
			    "[-p port] [-T starttls|tls] [-u user] "
			    "[-w password]\n\t[-f from] [-r rcpt] "
			    "[-d domains] [-c connections]\n\t"
			    "[-m messages] [-n total] [-s octets] "
			    "[-t seconds] [-o file]\n");
			exit(2);
		}
	}
}

static void
more_files(void)
{
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static void
on_stdin(int fd, short what, void *arg)
{
	char	 c;

	(void)what;
	(void)arg;
	if (read(fd, &c, 1) <= 0)
		event_base_loopbreak(base);
}

int
main(int argc, char **argv)
{
	struct client	*clients;
	struct event	 ev_stdin;
	int		 i;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	more_files();
	make_body();
	make_auth();
	run_id = arc4random();
	base = event_base_new();
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if ((clients = calloc((size_t)nclients, sizeof(*clients))) == NULL)
		abort();
	if (idle) {
		event_assign(&ev_stdin, base, 0, EV_READ | EV_PERSIST,
		    on_stdin, NULL);
		event_add(&ev_stdin, NULL);
	}
	t0 = now();
	stop_at = t0 + seconds;
	for (i = 0; i < nclients; i++)
		client_open(&clients[i]);
	event_base_dispatch(base);
	print_result(now() - t0);
	return errors > 0 && !keep_going;
}
