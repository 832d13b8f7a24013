/* links: msad/frontend/session.c msad/frontend/smtp.c msad/frontend/sasl.c */
/* links: msad/frontend/command.c msad/frontend/data.c msad/frontend/chunk.c */
/* links: msad/frontend/transaction.c msad/frontend/submission.c */
/* links: msad/frontend/rewrite.c msad/frontend/reply.c */
/* links: msad/frontend/timeouts.c msad/frontend/connection.c */
/* links: msad/frontend/slots.c msad/frontend/arrival.c msad/frontend/proxy.c */
/* links: msad/frontend/listener.c msad/frontend/complete.c */
/* links: msad/frontend/extension.c */
/* links: msad/queue/check.c */
/* links: regress/fuzz/session_peers.c regress/fuzz/session_client.c */
/* libs: idn2 */
/*
 * A whole session of the front-end: the client's octets in the segments that
 * the input asks for, and between them what else may happen. The code of the
 * front-end is the real one, over real channels; queue, auth and the client
 * are session_peers.c and session_client.c, which hold it to the rules. TLS is
 * a stand-in that passes octets on (tls_* below), so that what lies behind it
 * is within reach.
 *
 * The input: one octet of BEGIN_*, then octets of the client; '~' and a letter
 * is an event, see event().
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int	 frontend_main(int, char **);

#define main	frontend_main
#include "msad/frontend/frontend.c"
#undef main
#include "msad/frontend/proxy.h"
#include "msad/frontend/timeouts.h"
#include "regress/fuzz/session_fuzz.h"

#define BEGIN_ANSWER	0x01	/* the queue says yes at once */
#define BEGIN_CREDIT	0x02	/* and takes octets at once */
#define BEGIN_LOGIN	0x04	/* auth says yes at once */
#define BEGIN_LOCAL	0x08	/* passed by auth, logged in */
#define BEGIN_IMPLICIT	0x10	/* TLS at once */
#define BEGIN_PROXY	0x20	/* a PROXY header comes first */
#define BEGIN_BARRED	0x40	/* the client's network is barred */
#define BEGIN_OCTETS	0x80	/* every octet is a segment */

#define SEGMENT_MAX	65536
#define SENT_MAX	(512 * 1024)	/* of one input */
#define MESSAGE_SIZE	200000
#define HELLO		0x16		/* a handshake in one octet */

static const char	 text[] =
	"hostname mail.example.org\n"
	"pki p {\ncert /p\nkey /k\n}\n"
	"auth a {\npam service s\nmech { plain, login }\n"
	"realm example.org\n}\n"
	"relay r {\nmaildir /m\n}\n"
	"append-domain { mail } example.org\n"
	"bar from 192.0.2.66\n"
	"limit session { mails 7, bad-commands 10 }\n"
	"future-release { port any }\ndeliver-by { min 1m }\n"
	"listen on 127.0.0.1 port 587 starttls pki p auth a\n"
	"match from auth sender own relay r\n";

struct tls {
	int	fd;
	bool	up;
};

static struct event_base	*base;
static struct conf		*conf;
static const struct child	*child;
static struct tls		 server;
static struct settings		 settings;
static uint64_t			 sids, local_sids;

static int	 client = -1;		/* the client's end */
static bool	 closed;		/* the session closed its end */
static bool	 silence;		/* it may close without a word */
static bool	 shutting;
static uint8_t	 flags;
static uint8_t	 segment[SEGMENT_MAX];
static size_t	 nsegment, nsent;
static unsigned int moves;

void
broken(const char *rule, const char *detail)
{
	fprintf(stderr, "broken: %s: %s\n", rule, detail);
	abort();
}

/* --- what the front-end finds around it --- */

int
child_main(const struct child *ch, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	child = ch;
	return 0;
}

struct conf *
child_conf(void)
{
	return conf;
}

uint32_t
child_index(void)
{
	return 0;
}

uint64_t
child_epoch(void)
{
	return 1;
}

struct event_base *
child_base(void)
{
	return base;
}

void
child_exit(int status)
{
	if (status != 0)
		broken("the front-end lives", "it would exit");
}

const struct ipc_handler remote_key_handlers[] = { { 0, NULL } };

void
remote_key_channel(struct ipc *ch)
{
	(void)ch;
}

int
server_tls_init(void)
{
	return 0;
}

struct tls *
server_tls_new(const char *pem, size_t len, char *reason, size_t size)
{
	(void)pem;
	(void)len;
	(void)reason;
	(void)size;
	return calloc(1, sizeof(struct tls));
}

struct tls *
server_tls_accept(struct tls *of, struct client_cas *cas, int fd, void **ssl)
{
	struct tls	*t = calloc(1, sizeof(*t));

	(void)of;
	(void)cas;
	if (t != NULL)
		t->fd = fd;
	*ssl = t;
	return t;
}

struct client_cas *
client_cas_new(const char *pem, size_t len)
{
	(void)pem;
	(void)len;
	return NULL;
}

void
client_cas_free(struct client_cas *cas)
{
	(void)cas;
}

void
server_tls_bindings(void *ssl, struct tls_bindings *b)
{
	(void)ssl;
	memset(b, 0, sizeof(*b));
}

size_t
server_tls_certificate(void *ssl, unsigned char *der, size_t size)
{
	(void)ssl;
	(void)der;
	(void)size;
	return 0;
}

size_t
server_tls_pending(void *ssl)
{
	struct tls	*t = ssl;
	int		 n = 0;

	return t == NULL || ioctl(t->fd, FIONREAD, &n) == -1 ? 0 : (size_t)n;
}

const char *
server_tls_cipher(void *ssl)
{
	(void)ssl;
	return "TLS_AES_128_GCM_SHA256";
}

/* --- TLS that passes octets on --- */

static ssize_t
tls_result(ssize_t n, int want)
{
	return n == -1 && (errno == EAGAIN || errno == EINTR) ? want : n;
}

int
tls_handshake(struct tls *t)
{
	uint8_t	octet = 0;
	ssize_t	n = tls_result(read(t->fd, &octet, 1), TLS_WANT_POLLIN);

	if (n == TLS_WANT_POLLIN)
		return TLS_WANT_POLLIN;
	t->up = n == 1 && octet == HELLO;
	return t->up ? 0 : -1;
}

ssize_t
tls_read(struct tls *t, void *buf, size_t n)
{
	return tls_result(read(t->fd, buf, n > 100 ? 100 : n),
	    TLS_WANT_POLLIN);
}

ssize_t
tls_write(struct tls *t, const void *buf, size_t n)
{
	return tls_result(send(t->fd, buf, n, MSG_NOSIGNAL),
	    TLS_WANT_POLLOUT);
}

int
tls_close(struct tls *t)
{
	(void)t;
	return 0;
}

void
tls_free(struct tls *t)
{
	if (t != &server)
		free(t);
}

const char *
tls_error(struct tls *t)
{
	(void)t;
	return NULL;
}

const char *
tls_conn_version(struct tls *t)
{
	return t->up ? "TLSv1.3" : NULL;
}

/* --- start --- */

static void
pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == -1)
		abort();
}

static void
connect_auth(void)
{
	int	fds[2];

	pair(fds);
	peers_auth(fds[1]);
	if (child->channel(ROLE_AUTH, 0, 1, SLICE("", 0), fds[0]) == -1)
		abort();
}

static void
start(void)
{
	char	reason[256];
	int	fds[2], fd;

	log_init("fuzz", 1);
	log_set_level(getenv("MSAD_FUZZ_LOG") != NULL ? 6 : 2);
	base = event_init();
	ipc_init(base);
	if (frontend_main(0, NULL) != 0 || (conf = conf_parse_text(text,
	    sizeof(text) - 1, "fuzz", stderr)) == NULL)
		abort();
	if ((fd = memfd_create("pem", MFD_CLOEXEC)) == -1 ||
	    write(fd, "x", 1) != 1)
		abort();
	if (child->conf_file(1, FILE_PKI_CERT, SLICE_STR("p"), fd) == -1 ||
	    child->conf_check(conf, 1, reason, sizeof(reason)) == -1)
		abort();
	child->conf_commit(conf, 1);
	pair(fds);
	peers_queue(fds[1]);
	if (child->channel(ROLE_QUEUE, 0, 1, SLICE("", 0), fds[0]) == -1)
		abort();
	connect_auth();
	settings.refs = 1000000000;
	settings.host = conf->hostname;
	settings.message_size = MESSAGE_SIZE;
	settings.limits = conf->limits;
	settings.mechs = CONF_MECH_PLAIN | CONF_MECH_LOGIN;
	settings.tls = &server;
}

/* --- going on --- */

static bool
client_read(void)
{
	char	buf[8192];
	ssize_t	n;

	if (client == -1 || closed)
		return false;
	n = recv(client, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0) {
		client_got(buf, (size_t)n);
		return true;
	}
	if (n == -1 && errno == EAGAIN)
		return false;
	closed = true;
	if (!client_is_over() && !silence)
		broken("no end without a word", "the session closed");
	return true;
}

static void
write_raw(const void *p, size_t n)
{
	if (client == -1 || send(client, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		return;
	moves++;
}

/* Let everybody do what there is to do. */
static void
settle(void)
{
	static const uint8_t	hello = HELLO;
	unsigned int		i, quiet = 0, before;

	for (i = 0; i < 100000 && quiet < 3; i++) {
		before = peers.moves + moves;
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (client_read())
			moves++;
		if (client_wants_tls()) {
			client_began_tls();
			silence = true;		/* it may fail */
			write_raw(&hello, 1);
		}
		if (((flags & BEGIN_ANSWER) && peers_answer(VERDICT_OK)) ||
		    ((flags & BEGIN_CREDIT) && peers_credit(SIZE_MAX)) ||
		    ((flags & BEGIN_LOGIN) && peers_login(VERDICT_OK, 0)))
			moves++;
		quiet = before == peers.moves + moves ? quiet + 1 : 0;
	}
	if (i == 100000)
		broken("all comes to rest", "it does not");
}

static struct session *
under_test(void)
{
	return session_find(peers.sid);
}

/* Let so many ms pass for the session; its timer fires if it is due. */
static void
pass(int64_t ms)
{
	struct session	*s = under_test();

	if (s == NULL || ms <= 0)
		return;
	s->opened -= ms;
	s->since -= ms;
	s->last -= ms;
	s->window -= ms;
	s->stuck -= s->stuck != 0 ? ms : 0;
	s->until -= s->until != 0 ? ms : 0;
	silence = true;
	event_active(&s->timer, EV_TIMEOUT, 1);
}

static void
send_segment(size_t n)
{
	ssize_t	done;

	if (client == -1 || n == 0 || nsent + n > SENT_MAX)
		return;
	nsent += n;
	done = send(client, segment, n, MSG_NOSIGNAL);
	if (done > 0) {
		client_sent(segment, (size_t)done);
		moves++;
	}
	settle();
}

static void
flush_segment(void)
{
	size_t	i, n = nsegment;

	nsegment = 0;
	if (!(flags & BEGIN_OCTETS)) {
		send_segment(n);
		return;
	}
	for (i = 0; i < n; i++) {
		segment[0] = segment[i];
		send_segment(1);
	}
}

static void
auth_breaks(bool again)
{
	peers_auth_end();
	settle();
	if (again)
		connect_auth();
}

static void
no_more(void)
{
}

/* One of the verdicts that the queue may have. */
static unsigned int
queue_verdict(uint8_t arg)
{
	unsigned int	v = arg % (VERDICT_FROM_DENIED + 1U + VERDICT_MAX -
			    VERDICT_RATE);

	return v <= VERDICT_FROM_DENIED ? v :
	    v - VERDICT_FROM_DENIED - 1 + VERDICT_RATE;
}

/* What comes behind '~'; arg is the octet after it. True: arg was used. */
static bool
event(uint8_t what, uint8_t arg)
{
	struct session	*s;
	unsigned int	 i;
	size_t		 n = nsegment;

	if (what != 'R')
		flush_segment();
	s = under_test();
	switch (what) {
	case 'm':			/* the queue says yes, or something */
		peers_answer(VERDICT_OK);
		break;
	case 'M':
		peers_answer(queue_verdict(arg));
		break;
	case 'c':			/* it takes octets: all, or some */
		peers_credit(SIZE_MAX);
		break;
	case 'C':
		peers_credit((arg + 1U) * 64U);
		break;
	case 'a':			/* auth says yes, something, or asks */
		peers_login(VERDICT_OK, 0);
		break;
	case 'A':
		peers_login(VERDICT_AUTH_FAILED + (arg & 0x3f) %
		    (VERDICT_MAX - VERDICT_AUTH_FAILED), arg & 0x80 ? 60000 :
		    0);
		break;
	case 'h':
		peers_challenge(text, arg);
		break;
	case 't':			/* until its clock strikes; seconds */
		pass(s == NULL ? 0 : timeouts_due(s) - session_now() + 1);
		break;
	case 'T':
		pass(arg * 1000);
		break;
	case 'e':			/* the client ends its side */
		silence = true;
		shutdown(client, SHUT_WR);
		break;
	case 'g':			/* auth dies, and comes again or not */
		auth_breaks(true);
		break;
	case 'G':
		auth_breaks(false);
		break;
	case 's':			/* the daemon is told to end */
		shutting = true;
		session_shutdown(no_more);
		break;
	case 'R':			/* the segment, many times */
		for (i = 0; i < arg; i++)
			send_segment(n);
		flush_segment();
		break;
	}
	settle();
	return strchr("MCAhTR", what) != NULL;
}

static void
play(const uint8_t *p, size_t n)
{
	size_t	i;

	for (i = 0; i < n && !closed; i++) {
		if (nsegment == SEGMENT_MAX)
			flush_segment();
		if (p[i] != '~' || i + 1 == n || p[i + 1] == '~') {
			segment[nsegment++] = p[i];
			i += p[i] == '~' && i + 1 < n;
		} else if (event(p[i + 1], i + 2 < n ? p[i + 2] : 0))
			i += 2;
		else
			i++;
	}
	flush_segment();
}

/* --- begin and end of a session --- */

static void
begin_tcp(int fd)
{
	struct arrival		a = { .counted = false };
	struct sockaddr_in	sin = { .sin_family = AF_INET };

	sin.sin_addr.s_addr = htonl(flags & BEGIN_BARRED ? 0xc0000242 :
	    0xc0000201);
	settings.implicit = (flags & BEGIN_IMPLICIT) != 0;
	settings.optional = (flags & BEGIN_PROXY) != 0;
	settings.proxy = flags & BEGIN_PROXY && !settings.implicit ?
	    PROXY_V1 | PROXY_V2 : 0;
	settings.early_reject = (flags & BEGIN_BARRED) != 0;
	client_begin(settings.proxy != 0);
	silence = settings.proxy != 0 || settings.implicit;
	peers_begin(++sids);
	session_new(&settings, fd, (struct sockaddr *)&sin, &a);
}

static void
begin(void)
{
	static const uint8_t	hello = HELLO;
	int			fds[2];

	pair(fds);
	client = fds[1];
	closed = silence = shutting = false;
	nsegment = nsent = 0;
	if (auth == NULL)
		connect_auth();
	if (flags & BEGIN_LOCAL) {
		client_begin(false);
		peers_local(IPC_SID_LOCAL | ++local_sids, fds[0]);
	} else
		begin_tcp(fds[0]);
	if ((flags & BEGIN_IMPLICIT) && !(flags & BEGIN_LOCAL))
		write_raw(&hello, 1);
	settle();
}

/* Everybody answers; then every command has its reply, and all can go. */
static void
end(void)
{
	struct session	*s;
	unsigned int	 i;

	flags |= BEGIN_ANSWER | BEGIN_CREDIT | BEGIN_LOGIN;
	settle();
	for (i = 0; i < 5 && (s = under_test()) != NULL &&
	    s->state == SESSION_AUTH_DELAY; i++) {
		pass(s->until - session_now() + 1);
		settle();
	}
	if ((s = under_test()) != NULL && !closed && !s->c.eof)
		client_settled();
	silence = true;
	shutdown(client, SHUT_WR);
	settle();
	close(client);
	client = -1;
	settle();
	if (session_count() != 0)
		broken("a session ends with its client", "it is still there");
	peers_end();
	client_end();
}

/* What session_shutdown() said is taken back when somebody is there. */
static void
no_shutdown(void)
{
	flags = 0;
	begin();
	session_shutdown(NULL);
	end();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (base == NULL)
		start();
	flags = data[0];
	begin();
	play(data + 1, size - 1);
	end();
	if (shutting)
		no_shutdown();
	return 0;
}
