/*
 * A crowd of slow and idle clients, held for as long as standard input is open.
 *
 * usage: b_slow [-a address] [-p TLS port] [-P STARTTLS port] [-u user]
 *	[-w password] [-f from] [-r rcpt] [-n slow clients] [-i idle clients]
 *	[-e seconds between two octets] [-j processes]
 *
 * Of the slow ones a third is in cleartext, in the middle of EHLO, a third is
 * logged in and in the middle of a command, a third in the middle of DATA; each
 * sends an octet in so many seconds, those of all spread evenly. The idle ones
 * are logged in. Prints "ready" when all are there; then, a line a second as
 * long as it changes, how many of each kind the server has let go, and the same
 * at the end.
 *
 * Each process opens its share one after the other with a blocking socket and
 * then holds them in one event loop.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#define PROCESSES_MAX	16
#define TICKS		100	/* a second: lots in which octets are sent */

enum kind { SLOW_CLEAR, SLOW_COMMAND, SLOW_DATA, IDLE, KINDS };

static const char *const	names[KINDS] = {
	"slow in cleartext", "slow in a command", "slow in DATA", "idle"
};

struct client {
	struct event	 ev;
	int		 fd;		/* -1: let go */
	SSL		*ssl;
	enum kind	 kind;
	unsigned int	 sent;		/* octets */
};

/* What the processes tell: shared memory, each writes its own row. */
static struct tally {
	unsigned int	 lost[KINDS];
	unsigned int	 ready;
}			*tally;

static const char	*address = "127.0.0.1", *user = "", *password = "";
static const char	*from = "", *rcpt = "sink@example.net";
static int		 tls_port = 465, clear_port = 587;
static unsigned int	 nslow = 5000, nidle = 5000, every = 5;
static unsigned int	 nprocesses = 4, me;
static SSL_CTX		*ctx;
static struct client	*clients;
static size_t		 nclients, next_client;
static char		 auth_line[1024];

/* --- opening --- */

static ssize_t
get(struct client *c, char *buf, size_t size)
{
	return c->ssl != NULL ? SSL_read(c->ssl, buf, (int)size) :
	    read(c->fd, buf, size);
}

static int
put(struct client *c, const char *p, size_t n)
{
	return c->ssl != NULL ? SSL_write(c->ssl, p, (int)n) :
	    (int)write(c->fd, p, n);
}

/* Read one reply; its code, or -1. */
static int
reply(struct client *c)
{
	char	 buf[4096], *line, *nl;
	size_t	 len = 0;
	ssize_t	 n;

	while (len < sizeof(buf) - 1) {
		if ((n = get(c, buf + len, sizeof(buf) - 1 - len)) <= 0)
			return -1;
		len += (size_t)n;
		buf[len] = '\0';
		for (line = buf; (nl = strchr(line, '\n')) != NULL;
		    line = nl + 1)
			if (nl - line > 3 && line[3] == ' ')
				return (int)strtol(line, NULL, 10);
	}
	return -1;
}

static int
command(struct client *c, const char *text, int code)
{
	char	 line[1200];
	int	 n;

	n = snprintf(line, sizeof(line), "%s\r\n", text);
	if (put(c, line, (size_t)n) != n)
		return -1;
	return reply(c) == code ? 0 : -1;
}

static int
dial(int port)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int			 fd, one = 1;

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1 ||
	    (fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
begin_data(struct client *c)
{
	char	 line[512];

	snprintf(line, sizeof(line), "MAIL FROM:<%s>", from);
	if (command(c, line, 250) == -1)
		return -1;
	snprintf(line, sizeof(line), "RCPT TO:<%s>", rcpt);
	if (command(c, line, 250) == -1 || command(c, "DATA", 354) == -1)
		return -1;
	snprintf(line, sizeof(line), "From: <%s>\r\nSubject: slow\r\n\r\n",
	    from);
	return put(c, line, strlen(line)) > 0 ? 0 : -1;
}

/* Bring a client as far as its kind goes. */
static int
client_open(struct client *c)
{
	if ((c->fd = dial(c->kind == SLOW_CLEAR ? clear_port : tls_port)) ==
	    -1)
		return -1;
	if (c->kind == SLOW_CLEAR)
		return reply(c) == 220 ? 0 : -1;
	if ((c->ssl = SSL_new(ctx)) == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		return -1;
	SSL_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_connect(c->ssl) != 1 || reply(c) != 220 ||
	    command(c, "EHLO slow.test", 250) == -1 ||
	    command(c, auth_line, 235) == -1)
		return -1;
	return c->kind == SLOW_DATA ? begin_data(c) : 0;
}

/* --- holding --- */

static void
lose(struct client *c)
{
	event_del(&c->ev);
	SSL_free(c->ssl);
	close(c->fd);
	c->fd = -1;
	tally[me].lost[c->kind]++;
}

/* Is the error of OpenSSL or the system only that there is nothing now? */
static int
is_wait(const struct client *c, ssize_t n)
{
	int	 e;

	if (c->ssl == NULL)
		return n == -1 && errno == EAGAIN;
	e = SSL_get_error(c->ssl, (int)n);
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static void
on_read(int fd, short what, void *arg)
{
	struct client	*c = arg;
	char		 buf[1024];
	ssize_t		 n;

	(void)fd;
	(void)what;
	ERR_clear_error();
	while ((n = get(c, buf, sizeof(buf))) > 0)
		continue;
	if (!is_wait(c, n))
		lose(c);
}

static void
send_octet(struct client *c)
{
	static const char	 body[] = "one octet in so many seconds\r\n";
	const char		*begin = c->kind == SLOW_CLEAR ? "EHLO " :
	    "NOOP ";
	char			 o = 'x';
	int			 n;

	if (c->kind == SLOW_DATA)
		o = body[c->sent % (sizeof(body) - 1)];
	else if (c->sent < strlen(begin))
		o = begin[c->sent];
	ERR_clear_error();
	if ((n = put(c, &o, 1)) == 1)
		c->sent++;
	else if (!is_wait(c, n))
		lose(c);
}

static void
on_tick(int fd, short what, void *arg)
{
	static double	 due;

	(void)fd;
	(void)what;
	(void)arg;
	due += (double)nclients / every / TICKS;
	for (; due >= 1; due--) {
		struct client	*c = &clients[next_client++ % nclients];

		if (c->fd != -1 && c->kind != IDLE)
			send_octet(c);
	}
}

static void
on_end(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void
hold(struct event_base *base, int end)
{
	struct timeval	 tv = { 0, 1000000 / TICKS };
	struct event	 tick, over;

	event_assign(&tick, base, -1, EV_PERSIST, on_tick, NULL);
	event_add(&tick, &tv);
	event_assign(&over, base, end, EV_READ, on_end, base);
	event_add(&over, NULL);
	event_base_dispatch(base);
}

/* One process: every nprocesses-th client from its own number on. */
static void
process(int end)
{
	struct event_base	*base = event_base_new();
	unsigned int		 i;

	clients = calloc((nslow + nidle) / nprocesses + 1, sizeof(*clients));
	if (base == NULL || clients == NULL)
		err(1, "process");
	for (i = me; i < nslow + nidle; i += nprocesses) {
		struct client	*c = &clients[nclients++];

		c->kind = i >= nslow ? IDLE : (enum kind)(i / nprocesses % 3);
		if (client_open(c) == -1)
			errx(1, "client %u (%s) cannot be opened", i,
			    names[c->kind]);
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
		event_assign(&c->ev, base, c->fd, EV_READ | EV_PERSIST,
		    on_read, c);
		event_add(&c->ev, NULL);
	}
	tally[me].ready = 1;
	hold(base, end);
	exit(0);
}

/* --- the one that started them --- */

static unsigned int
print_lost(unsigned int before)
{
	unsigned int	 i, k, all = 0, n[KINDS] = { 0 };

	for (i = 0; i < nprocesses; i++)
		for (k = 0; k < KINDS; k++) {
			n[k] += tally[i].lost[k];
			all += tally[i].lost[k];
		}
	if (all == before)
		return all;
	printf("lost %u:", all);
	for (k = 0; k < KINDS; k++)
		printf(" %u %s%s", n[k], names[k], k + 1 < KINDS ? "," : "\n");
	fflush(stdout);
	return all;
}

static unsigned int
count_ready(void)
{
	unsigned int	 i, n = 0;

	for (i = 0; i < nprocesses; i++)
		n += tally[i].ready;
	return n;
}

/* Until standard input ends, or a process does too early. */
static int
watch(void)
{
	fd_set		 fds;
	struct timeval	 tv;
	unsigned int	 lost = 0;
	int		 said = 0;

	for (;;) {
		FD_ZERO(&fds);
		FD_SET(STDIN_FILENO, &fds);
		tv = (struct timeval){ said ? 1 : 0, 100000 };
		if (select(1, &fds, NULL, NULL, &tv) == 1)
			break;
		if (waitpid(-1, NULL, WNOHANG) > 0)
			return 1;
		if (!said && count_ready() == nprocesses) {
			printf("ready\n");
			fflush(stdout);
			said = 1;
		}
		lost = print_lost(lost);
	}
	print_lost(UINT32_MAX);
	return 0;
}

static void
make_auth_line(void)
{
	unsigned char	 plain[512], b64[700];
	size_t		 nu = strlen(user), np = strlen(password);

	if (nu + np + 2 > sizeof(plain))
		errx(1, "name or password too long");
	plain[0] = plain[nu + 1] = '\0';
	memcpy(plain + 1, user, nu);
	memcpy(plain + nu + 2, password, np);
	EVP_EncodeBlock(b64, plain, (int)(nu + np + 2));
	snprintf(auth_line, sizeof(auth_line), "AUTH PLAIN %s", (char *)b64);
}

static unsigned int
number(const char *s, long long min, long long max)
{
	const char	*e;
	long long	 n = strtonum(s, min, max, &e);

	if (e != NULL)
		errx(1, "%s: %s", s, e);
	return (unsigned int)n;
}

static void
options(int argc, char **argv)
{
	int	 ch;

	while ((ch = getopt(argc, argv, "a:e:f:i:j:n:p:P:r:u:w:")) != -1)
		switch (ch) {
		case 'a': address = optarg; break;
		case 'e': every = number(optarg, 1, 3600); break;
		case 'f': from = optarg; break;
		case 'i': nidle = number(optarg, 0, 1000000); break;
		case 'j': nprocesses = number(optarg, 1, PROCESSES_MAX); break;
		case 'n': nslow = number(optarg, 0, 1000000); break;
		case 'p': tls_port = (int)number(optarg, 1, 65535); break;
		case 'P': clear_port = (int)number(optarg, 1, 65535); break;
		case 'r': rcpt = optarg; break;
		case 'u': user = optarg; break;
		case 'w': password = optarg; break;
		default: errx(1, "see the top of b_slow.c");
		}
}

int
main(int argc, char **argv)
{
	struct rlimit	 rl;
	pid_t		 pid[PROCESSES_MAX] = { 0 };
	int		 end[2], rv;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	make_auth_line();
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		errx(1, "TLS");
	tally = mmap(NULL, sizeof(*tally) * PROCESSES_MAX,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
	if (tally == MAP_FAILED || pipe(end) == -1)
		err(1, "start");
	for (me = 0; me < nprocesses; me++) {
		if ((pid[me] = fork()) == -1)
			err(1, "fork");
		if (pid[me] == 0) {
			close(end[1]);
			process(end[0]);
		}
	}
	rv = watch();
	for (me = 0; me < nprocesses; me++)
		if (pid[me] > 0)
			kill(pid[me], SIGTERM);
	while (wait(NULL) > 0)
		continue;
	return rv;
}
