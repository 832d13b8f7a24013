/*
 * Sessions: their birth and end, the input loop, the clock. Part of the
 * front-end. listener.c brings sockets, frontend.c answers of auth and queue;
 * commands are smtp.c's and SASL is sasl.c's.
 *
 * run() is the one place where a session goes on: it uses up what
 * input there is as far as the state allows, writes what is owed, and sets
 * events and timer for what comes next. A session waits for at most one
 * answer; what its client sends meanwhile stays in a buffer of CONN_IN_SIZE,
 * then in the client's socket. Whoever ends a session marks it dead; only run()
 * frees it. Of a message no more is read than goes on to the queue at once, and
 * what all of them have under way there is bounded: beyond it they take turns.
 */

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tls.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/frontend/chunk.h"
#include "msad/frontend/command.h"
#include "msad/frontend/frontend.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/session.h"
#include "msad/frontend/smtp.h"
#include "msad/frontend/timeouts.h"
#include "msad/frontend/tls.h"

#define LOGGED_MAX	20		/* refusals of a session in the log */

RB_HEAD(session_tree, session);

static struct session_tree	 sessions = RB_INITIALIZER(&sessions);
/* Those whose message waits until the channel to the queue has room. */
static TAILQ_HEAD(, session)	 turns = TAILQ_HEAD_INITIALIZER(turns);
static unsigned int		 nsessions;
static uint64_t			 last_sid;
static void			(*shutdown_done)(void);

static int
session_cmp(struct session *a, struct session *b)
{
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

RB_PROTOTYPE(session_tree, session, entry, session_cmp)
RB_GENERATE(session_tree, session, entry, session_cmp)

int64_t
session_now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *
session_id(const struct session *s)
{
	static char	buf[SESSION_ID_MAX];

	snprintf(buf, sizeof(buf), "%llx-%llx",
	    (unsigned long long)child_epoch(), (unsigned long long)s->sid);
	return buf;
}

unsigned int
session_count(void)
{
	return nsessions;
}

unsigned int
session_count_local(struct slice user)
{
	struct session	 first, *s;
	unsigned int	 n = 0;

	first.sid = IPC_SID_LOCAL;	/* theirs are the last of the tree */
	for (s = RB_NFIND(session_tree, &sessions, &first); s != NULL;
	    s = RB_NEXT(session_tree, &sessions, s))
		if (s->user != NULL && slice_is(user, s->user))
			n++;
	return n;
}

struct session *
session_find(uint64_t sid)
{
	struct session	key;

	key.sid = sid;
	return RB_FIND(session_tree, &sessions, &key);
}

void
session_enter(struct session *s, enum session_state state)
{
	if (s->state >= SESSION_CLOSING && state < SESSION_CLOSING)
		return;
	s->state = state;
	s->since = s->last = session_now();
}

/* --- addresses --- */

/* Numeric host and port of an address; an IPv4 one in IPv6 as IPv4. */
static void
address_text(const struct sockaddr *sa, char *host, size_t size,
    uint16_t *port)
{
	const struct sockaddr_in6	*in6 = (const void *)sa;
	struct sockaddr_in		 in;
	socklen_t			 len = sizeof(struct sockaddr_in6);

	if (sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memset(&in, 0, sizeof(in));
		in.sin_family = AF_INET;
		in.sin_port = in6->sin6_port;
		memcpy(&in.sin_addr, in6->sin6_addr.s6_addr + 12, 4);
		sa = (const void *)&in;
	}
	if (sa->sa_family == AF_INET)
		len = sizeof(struct sockaddr_in);
	*port = ntohs(sa->sa_family == AF_INET ?
	    ((const struct sockaddr_in *)(const void *)sa)->sin_port :
	    in6->sin6_port);
	if (getnameinfo(sa, len, host, (socklen_t)size, NULL, 0,
	    NI_NUMERICHOST) != 0)
		strlcpy(host, "unknown", size);
}

static void
tell_auth(const struct session *s)
{
	struct ipc		*auth = frontend_auth();
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	char			 host[46];
	uint16_t		 port;

	if (auth == NULL)
		return;
	memset(&ss, 0, sizeof(ss));
	if (getsockname(s->c.fd, (struct sockaddr *)&ss, &len) == -1)
		ss.ss_family = AF_INET;
	address_text((struct sockaddr *)&ss, host, sizeof(host), &port);
	ipc_start(auth, IPC_SESSION_OPEN, s->sid);
	ipc_put_u16(auth, s->set->index);
	ipc_put_str(auth, s->peer);
	ipc_put_u16(auth, s->port);
	ipc_put_str(auth, host);
	ipc_put_u16(auth, port);
	ipc_send(auth);
}

void
session_tell_auth(void)
{
	struct session	*s;

	RB_FOREACH(s, session_tree, &sessions)
		if (s->begun) {
			s->tls_told = false;
			tell_auth(s);
		}
}

/* --- replies and ends --- */

static void
log_reply(struct session *s, enum reply r, const char *detail)
{
	stats_inc(STAT_SMTP_REJECTED);
	if (++s->nrefused > LOGGED_MAX)
		return;
	log_info("s=%s event=reply code=%u enhanced=%s client=%s user=%s "
	    "text=%s detail=%s", session_id(s), reply_code(r),
	    reply_enhanced(r)[0] != '\0' ? reply_enhanced(r) : "none",
	    s->peer, log_q(s->user != NULL ? s->user : ""),
	    log_q(reply_text(r)), log_q(detail != NULL ? detail : ""));
}

void
session_reply(struct session *s, enum reply r, const char *detail)
{
	struct reply_args	a;
	char			buf[REPLY_TEXT_MAX];
	unsigned int		code = reply_code(r);
	size_t			n;

	if (r == REPLY_MALFORMED && (detail == NULL || detail[0] == '\0'))
		detail = "its syntax";
	a.host = s->set->host;
	a.detail = detail;
	a.sid = code >= 400 ? session_id(s) : NULL;
	n = reply_format(buf, r, &a);
	if (conn_put(&s->c, buf, n) == -1)
		session_drop(s, "out-of-memory");
	if (code >= 500 && code <= 503 &&
	    s->bad <= s->set->limits.bad_commands)
		s->bad++;
	if (code >= 400)
		log_reply(s, r, detail);
}

void
session_end(struct session *s, enum reply r, const char *why)
{
	if (s->state >= SESSION_CLOSING || s->dead)
		return;
	session_reply(s, r, NULL);
	s->why = why;
	session_enter(s, SESSION_CLOSING);
}

void
session_banned(struct session *s)
{
	if (s->state == SESSION_HANDSHAKE || s->starttls)
		s->banned = true;
	else
		session_end(s, REPLY_BANNED, "banned");
}

void
session_drop(struct session *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	s->dead = true;
}

static void
session_free(struct session *s)
{
	log_info("s=%s event=disconnect reason=%s client=%s messages=%u "
	    "commands=%u refused=%u seconds=%lld", session_id(s),
	    s->why != NULL ? s->why : "closed", s->peer, s->nmessages,
	    s->ncommands, s->nrefused,
	    (long long)(session_now() - s->opened) / 1000);
	if (frontend_auth() != NULL && s->begun)
		ipc_send_empty(frontend_auth(), IPC_SESSION_CLOSE, s->sid);
	if (frontend_queue() != NULL)
		ipc_send_empty(frontend_queue(), IPC_SMTP_CLOSE, s->sid);
	if (s->waits_turn)
		TAILQ_REMOVE(&turns, s, turn);
	RB_REMOVE(session_tree, &sessions, s);
	nsessions--;
	stats_dec(STAT_SMTP_SESSIONS_ACTIVE);
	arrival_leave(&s->arrival);
	event_del(&s->timer);
	conn_close(&s->c);
	transaction_free(s->tx);
	free(s->helo);
	free(s->user);
	settings_unref(s->set);
	free(s);
	if (nsessions == 0 && shutdown_done != NULL)
		shutdown_done();
}

/* --- TLS --- */

static void
tls_begin(struct session *s)
{
	s->starttls = false;
	conn_drop_input(&s->c);
	s->scanned = 0;
	s->c.tls = server_tls_accept(s->set->tls, s->set->cas, s->c.fd,
	    &s->c.ssl);
	if (s->c.tls == NULL)
		session_drop(s, "tls-setup");
}

/* Under TLS, and all is known about it that EHLO has to tell. */
static void
tls_ready(struct session *s)
{
	if (s->banned)
		session_end(s, REPLY_BANNED, "banned");
	else if (s->set->implicit)
		smtp_greeting(s);
	else
		session_enter(s, SESSION_COMMAND);
}

void
session_certificate(struct session *s, bool good)
{
	s->external = good;
	if (s->state == SESSION_CERT_WAIT)
		tls_ready(s);
}

static void
tls_done(struct session *s)
{
	const char	*version = tls_conn_version(s->c.tls);

	stats_inc(STAT_SMTP_TLS);
	log_info("s=%s event=tls version=%s cipher=%s", session_id(s),
	    version != NULL ? version : "unknown",
	    server_tls_cipher(s->c.ssl));
	free(s->helo);
	s->helo = NULL;
	if (s->set->cas != NULL && sasl_certificate(s))
		session_enter(s, SESSION_CERT_WAIT);
	else
		tls_ready(s);
}

static void
tls_step(struct session *s)
{
	const char	*error;
	int		 r = tls_handshake(s->c.tls);

	if (r == 0) {
		tls_done(s);
		return;
	}
	if (r == TLS_WANT_POLLIN || r == TLS_WANT_POLLOUT) {
		conn_watch(&s->c, r == TLS_WANT_POLLIN,
		    r == TLS_WANT_POLLOUT);
		return;
	}
	stats_inc(STAT_SMTP_TLS_FAILED);
	error = tls_error(s->c.tls);
	log_info("s=%s event=tls-failed client=%s error=%s", session_id(s),
	    s->peer, log_q(error != NULL ? error : "unknown"));
	session_drop(s, "tls-failed");
}

/* --- input --- */

/* A line is longer than it may be: wait for its end and forget it. */
static void
discard_begin(struct session *s, struct slice in)
{
	if (s->state == SESSION_COMMAND && command_is_http(in)) {
		session_end(s, REPLY_NOT_HTTP, "http");
		return;
	}
	s->discard = s->state == SESSION_SASL || command_is_auth(in) ?
	    REPLY_SASL_TOO_LONG : REPLY_BAD_LINE;
}

static size_t
line_max(const struct session *s, struct slice in)
{
	return s->state == SESSION_SASL || command_is_auth(in) ?
	    (size_t)s->set->limits.sasl_line :
	    (size_t)s->set->limits.command_line;
}

/* The line of len octets with its CRLF was too long. */
static void
discard_end(struct session *s, size_t len)
{
	enum reply	r = s->discard;

	conn_use(&s->c, len, true);
	s->scanned = 0;
	s->discard = REPLY_NONE;
	if (s->state == SESSION_SASL)
		sasl_too_long(s);
	else
		session_reply(s, r, NULL);
}

/* There is no CRLF in the input yet. */
static bool
line_incomplete(struct session *s, struct slice in)
{
	if (s->discard == REPLY_NONE && in.len > line_max(s, in) - 1)
		discard_begin(s, in);
	if (s->discard == REPLY_NONE || s->state >= SESSION_CLOSING) {
		s->scanned = (uint32_t)(in.len > 0 ? in.len - 1 : 0);
		return false;
	}
	/* Keep the last octet: it may be the CR of the end. */
	conn_use(&s->c, in.len - 1, true);
	s->scanned = 0;
	return false;
}

/* Use one line of the input; false when there is none. */
static bool
take_line(struct session *s)
{
	struct slice		 in = conn_input(&s->c);
	enum session_state	 state = s->state;
	const char		*end;
	size_t			 len;
	bool			 secret;

	if (in.len == 0)
		return false;
	end = memmem(in.p + s->scanned, in.len - s->scanned, "\r\n", 2);
	if (end == NULL)
		return line_incomplete(s, in);
	len = (size_t)(end - in.p) + 2;
	if (s->discard == REPLY_NONE && len > line_max(s, in))
		discard_begin(s, in);
	if (s->discard != REPLY_NONE) {
		discard_end(s, len);
		return true;
	}
	secret = state == SESSION_SASL || command_is_auth(in);
	if (state == SESSION_SASL)
		sasl_line(s, SLICE(in.p, len - 2));
	else
		smtp_line(s, SLICE(in.p, len - 2));
	conn_use(&s->c, len, secret);
	s->scanned = 0;
	s->last = session_now();
	return true;
}

/* Go one step on with the input there is; false when nothing more is due. */
static bool
step(struct session *s)
{
	if (s->dead)
		return false;
	switch (s->state) {
	case SESSION_COMMAND:
		if (s->bad > s->set->limits.bad_commands)
			session_end(s, REPLY_TOO_MANY_BAD, "bad-commands");
		else if (shutdown_done != NULL)
			session_end(s, REPLY_SHUTDOWN, "shutdown");
		else if (conn_owed(&s->c) <= CONN_OUT_MAX)
			return take_line(s);
		return false;
	case SESSION_SASL:
		if (shutdown_done != NULL) {
			session_end(s, REPLY_SHUTDOWN, "shutdown");
			return false;
		}
		return take_line(s);
	case SESSION_DATA:
		return smtp_data(s);
	case SESSION_CHUNK:
		return chunk_take(s);
	default:
		return false;
	}
}

/* --- the clock --- */

static void
arm(struct session *s)
{
	int64_t		due = timeouts_due(s), now;
	struct timeval	tv;

	if (s->armed != 0 && s->armed <= due)
		return;
	now = session_now();
	if (due < now)
		due = now;
	tv.tv_sec = (due - now) / 1000;
	tv.tv_usec = (due - now) % 1000 * 1000;
	event_add(&s->timer, &tv);
	s->armed = due;
}

static void
on_timer(int fd, short what, void *arg)
{
	struct session	*s = arg;
	int64_t		 now = session_now();

	(void)fd;
	(void)what;
	s->armed = 0;
	if (now >= timeouts_due(s))
		timeouts_expired(s, now);
	session_run(s);
}

/* --- going on --- */

/*
 * Write what is owed, unless more of a pipelined group is to be answered. True
 * when that made room for replies that step() had to wait with.
 */
static bool
flush(struct session *s)
{
	bool	waits = s->state == SESSION_MAIL_WAIT ||
	    s->state == SESSION_RCPT_WAIT || s->state == SESSION_QUEUE_WAIT;
	size_t	owed = conn_owed(&s->c);
	int	r;

	if (owed == 0 || (waits && !s->flush &&
	    conn_input(&s->c).len > 0 && owed < 4096))
		return false;
	r = conn_flush(&s->c);
	if (r == -1)
		session_drop(s, "write-failed");
	else if (r == 1 && s->stuck == 0)
		s->stuck = session_now();
	if (r != 0)
		return false;
	s->stuck = 0;
	s->flush = false;
	return owed > CONN_OUT_MAX;
}

/* All words are said: close, or let the client read them first. */
static void
closing(struct session *s)
{
	if (conn_owed(&s->c) > 0)
		return;
	if (s->c.eof || strcmp(s->why, "quit") == 0) {
		s->dead = true;
		return;
	}
	conn_shut(&s->c);
	conn_drop_input(&s->c);
	session_enter(s, SESSION_LINGER);
}

/* Is there nothing left that the client's end has not ended? */
static bool
over(const struct session *s)
{
	if (!s->c.eof)
		return false;
	if (s->state == SESSION_DATA)	/* or does the queue hold it up? */
		return conn_input(&s->c).len == 0 ||
		    transaction_room(s->tx) > 0;
	if (s->state == SESSION_CHUNK)
		return conn_input(&s->c).len == 0 ||
		    s->chunk_refused != REPLY_NONE ||
		    transaction_room(s->tx) > 0;
	return s->state == SESSION_COMMAND || s->state == SESSION_SASL ||
	    s->state >= SESSION_CLOSING || s->state == SESSION_HANDSHAKE ||
	    s->state == SESSION_PROXY;
}

/* Does what comes in belong to a message that is not refused? */
static bool
takes_message(const struct session *s)
{
	return s->tx != NULL && (s->state == SESSION_DATA ||
	    (s->state == SESSION_CHUNK && s->chunk_refused == REPLY_NONE));
}

/*
 * Is the channel too full to begin with another piece? What was begun goes
 * on, so that no session keeps half of one.
 */
static bool
must_wait(const struct session *s)
{
	return takes_message(s) && !s->c.more && conn_input(&s->c).len == 0 &&
	    transaction_must_wait(s->tx);
}

/*
 * Does the queue hold the message up? Then the client's octets stay in its
 * socket and take no memory here.
 */
static bool
held_up(const struct session *s)
{
	return takes_message(s) && (transaction_room(s->tx) == 0 ||
	    must_wait(s));
}

/* Read, of a message no more than can be passed on. */
static void
fill(struct session *s)
{
	if (!takes_message(s))
		conn_fill(&s->c);
	else if (!held_up(s))
		conn_fill_some(&s->c, transaction_room(s->tx));
}

/* Stand in line, or leave it. */
static void
take_turn(struct session *s, bool waits)
{
	if (s->waits_turn == waits)
		return;
	if (waits)
		TAILQ_INSERT_TAIL(&turns, s, turn);
	else
		TAILQ_REMOVE(&turns, s, turn);
	s->waits_turn = waits;
}

/* Use what input there is, reading on as long as no event would tell. */
static void
consume(struct session *s)
{
	for (;;) {
		while (step(s))
			continue;
		if (s->dead || !s->c.more || conn_room(&s->c) == 0 ||
		    s->state >= SESSION_CLOSING || held_up(s))
			return;
		fill(s);
	}
}

static void
run(struct session *s)
{
	bool	handshake;

	do
		consume(s);
	while (!s->dead && flush(s));
	if (!s->dead && s->state == SESSION_CLOSING)
		closing(s);
	if (!s->dead && s->starttls && conn_owed(&s->c) == 0) {
		tls_begin(s);
		if (!s->dead)
			tls_step(s);
	}
	if (s->dead || over(s)) {
		session_free(s);
		return;
	}
	handshake = s->state == SESSION_HANDSHAKE && s->c.tls != NULL;
	if (!handshake)
		conn_watch(&s->c, !s->c.eof && !s->starttls &&
		    conn_room(&s->c) > 0 && !held_up(s), s->stuck != 0);
	take_turn(s, must_wait(s));
	conn_trim(&s->c);
	arm(s);
}

/* The channel has room again: those who wait for it go on, in turn. */
static void
next_turns(void)
{
	struct session	*s;

	while ((s = TAILQ_FIRST(&turns)) != NULL &&
	    (s->dead || !must_wait(s))) {
		take_turn(s, false);
		s->last = session_now();
		fill(s);
		run(s);
	}
}

void
session_run(struct session *s)
{
	/* Who was given credit comes behind those who wait. */
	take_turn(s, false);
	next_turns();
	run(s);
	next_turns();
}

static void
on_event(int fd, short what, void *arg)
{
	struct session	*s = arg;

	(void)fd;
	if (s->state == SESSION_HANDSHAKE && s->c.tls != NULL) {
		tls_step(s);
	} else if (s->state == SESSION_PROXY) {
		arrival_proxy(s);
	} else if (s->state == SESSION_LINGER) {
		conn_drain(&s->c);
	} else if (what & EV_READ) {
		if (s->state == SESSION_DATA || s->state == SESSION_CHUNK)
			s->last = session_now();
		fill(s);
	}
	session_run(s);
}

void
session_begin(struct session *s, const struct sockaddr *client)
{
	if (s->sid != last_sid) {
		/* Auth sees session ids in the order of their begin. */
		RB_REMOVE(session_tree, &sessions, s);
		s->sid = ++last_sid;
		RB_INSERT(session_tree, &sessions, s);
	}
	s->begun = true;
	s->barred = arrival_barred(client);
	address_text(client, s->peer, sizeof(s->peer), &s->port);
	log_info("s=%s event=connect client=%s port=%u listener=%u",
	    session_id(s), s->peer, s->port, s->set->index);
	tell_auth(s);
	if (s->set->implicit) {
		session_enter(s, SESSION_HANDSHAKE);
		tls_begin(s);
		if (!s->dead)
			tls_step(s);
	} else
		smtp_greeting(s);
}

void
session_new(struct settings *set, int fd, const struct sockaddr *peer,
    struct arrival *arrival)
{
	struct session	*s;
	int		 one = 1;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		arrival_leave(arrival);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	conn_init(&s->c, fd, child_base(), on_event, s);
	event_assign(&s->timer, child_base(), -1, 0, on_timer, s);
	s->set = settings_ref(set);
	s->sid = ++last_sid;
	s->opened = s->since = s->last = session_now();
	address_text(peer, s->peer, sizeof(s->peer), &s->port);
	RB_INSERT(session_tree, &sessions, s);
	nsessions++;
	stats_inc(STAT_SMTP_SESSIONS);
	stats_inc(STAT_SMTP_SESSIONS_ACTIVE);
	s->arrival = *arrival;
	if (set->proxy != 0)
		session_enter(s, SESSION_PROXY);
	else
		session_begin(s, peer);
	session_run(s);
}

void
session_new_local(struct settings *set, int fd, uint64_t sid,
    struct slice user)
{
	struct session	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->user = strndup(user.p, user.len)) == NULL) {
		free(s);
		session_refuse_local(set, sid, fd);
		return;
	}
	conn_init(&s->c, fd, child_base(), on_event, s);
	event_assign(&s->timer, child_base(), -1, 0, on_timer, s);
	s->set = settings_ref(set);
	s->sid = sid;
	s->local = true;
	s->opened = s->since = s->last = session_now();
	strlcpy(s->peer, "local", sizeof(s->peer));
	RB_INSERT(session_tree, &sessions, s);
	nsessions++;
	stats_inc(STAT_SMTP_SESSIONS);
	stats_inc(STAT_SMTP_SESSIONS_ACTIVE);
	log_info("s=%s event=connect client=local user=%s", session_id(s),
	    log_q(s->user));
	smtp_greeting(s);
	session_run(s);
}

void
session_refuse_local(struct settings *set, uint64_t sid, int fd)
{
	if (frontend_queue() != NULL)
		ipc_send_empty(frontend_queue(), IPC_SMTP_CLOSE, sid);
	if (set != NULL)
		session_refuse(set, fd);
	else
		close(fd);
}

void
session_refuse(struct settings *set, int fd)
{
	static int64_t		 logged;
	static unsigned int	 refused;
	struct reply_args	 a = { set->host, NULL, NULL };
	char			 buf[REPLY_TEXT_MAX];
	size_t			 n = reply_format(buf, REPLY_BUSY_GREETING, &a);

	stats_inc(STAT_SMTP_SESSIONS_REFUSED);
	refused++;
	if (session_now() - logged >= 1000) {
		log_warn("event=connection-limit sessions=%u refused=%u",
		    nsessions, refused);
		logged = session_now();
		refused = 0;
	}
	if (!set->implicit && send(fd, buf, n, MSG_NOSIGNAL) == -1)
		log_debug("event=refuse error=write");
	close(fd);
}

void
session_auth_gone(void)
{
	struct session	*s, *next;

	RB_FOREACH_SAFE(s, session_tree, &sessions, next) {
		s->auth_owed = 0;
		if (s->state == SESSION_CERT_WAIT) {
			session_certificate(s, false);
			run(s);		/* others must stay until the end */
			continue;
		}
		if (s->state != SESSION_AUTH_WAIT && s->state != SESSION_SASL)
			continue;
		if (s->state == SESSION_SASL) {
			s->auth_gone = true;
			continue;
		}
		if (s->auth_reply != REPLY_NONE)
			sasl_finish(s);
		else
			sasl_unavailable(s);
		run(s);
	}
	next_turns();
}

void
session_shutdown(void (*done)(void))
{
	struct session	*s, *next;

	shutdown_done = done;
	if (nsessions == 0) {
		done();
		return;
	}
	RB_FOREACH_SAFE(s, session_tree, &sessions, next) {
		if (s->state == SESSION_HANDSHAKE ||
		    s->state == SESSION_PROXY)
			session_drop(s, "shutdown");
		run(s);
	}
	next_turns();
}
