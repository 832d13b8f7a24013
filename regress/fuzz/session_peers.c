/*
 * Queue and auth of f_session.c. They say what ipc_types.h lets them say, when
 * the fuzzer wants it, and hold every message of the front-end against what it
 * may send in that place: one question at a time, octets within the credit, no
 * MAIL without a login, nothing but clean octets, and a message that the
 * queue's own check (msad/queue/check.c) takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/orcpt.h"
#include "common/params.h"
#include "common/verdict.h"
#include "msad/queue/check.h"
#include "regress/fuzz/session_fuzz.h"

#define QUESTIONS	8
#define MESSAGE_MAX	(1024 * 1024)

enum question { ASK_MAIL, ASK_RCPT, ASK_END };
enum attempt { LOGIN_NONE, LOGIN_OURS, LOGIN_THEIRS };

struct peers	 peers;

static struct ipc	*queue, *auth;
static uint64_t		 opened;	/* sid of the last SESSION_OPEN */
static unsigned int	 nqids;

static struct {
	enum question	 kind;
	bool		 dropped;	/* by RSET: the answer counts not */
} asked[QUESTIONS];
static unsigned int	 nasked;

/* The message under way. */
static bool		 mail, data, body, ended, utf8;
static bool		 utf8;		/* MAIL had SMTPUTF8 */
static unsigned int	 rcpts;
static struct check	 check;
static size_t		 under_way;
static uint64_t		 octets;
static char		 last;		/* octet of the message */

/* The login. */
static bool		 session_open, granted, cancelled;
static enum attempt	 attempt;

static void
message_drop(void)
{
	check_free(&check);
	mail = data = body = ended = false;
	rcpts = 0;
	under_way = 0;
	octets = 0;
	last = '\0';
}

/* --- queue --- */

static void
of_session(const struct ipc_msg *msg)
{
	peers.moves++;
	if (msg->sid != peers.sid || peers.closed)
		broken("messages are of a session that lives",
		    ipc_type_name(msg->type));
}

static void
ask(enum question kind)
{
	unsigned int	i;

	for (i = 0; i < nasked; i++)
		if (!asked[i].dropped)
			broken("one open question", "two");
	if (nasked == QUESTIONS)
		broken("one open question", "many");
	asked[nasked].kind = kind;
	asked[nasked++].dropped = false;
}

static int
on_mail(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct mail_params	 p;
	struct slice		 path, params;

	(void)ch;
	(void)arg;
	of_session(msg);
	ipc_reader(&r, msg);
	path = ipc_get_str(&r);
	(void)ipc_get_u64(&r);
	params = ipc_get_str(&r);
	if (!ipc_done(&r))
		broken("payloads are as the table has them", "SMTP_MAIL");
	if (!granted)
		broken("no MAIL without a login", "");
	if (mail)
		broken("one transaction", "MAIL within one");
	if (memchr(path.p, '\r', path.len) != NULL ||
	    memchr(path.p, '\n', path.len) != NULL)
		broken("paths are clean", "MAIL");
	if (!params_mail_canonical(params, &p))
		broken("parameters are canonical", "MAIL");
	if (!conf_ext_possible(&child_conf()->ext, &p))
		broken("times are within bounds", "MAIL");
	utf8 = p.smtputf8;
	if (!utf8 && !orcpt_is_ascii(path))
		broken("UTF-8 comes with SMTPUTF8 alone", "MAIL");
	utf8 = p.smtputf8;
	ask(ASK_MAIL);
	return 0;
}

static int
on_rcpt(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct rcpt_params	 p;
	struct slice		 path, params;

	(void)ch;
	(void)arg;
	of_session(msg);
	ipc_reader(&r, msg);
	path = ipc_get_str(&r);
	params = ipc_get_str(&r);
	if (!ipc_done(&r))
		broken("payloads are as the table has them", "SMTP_RCPT");
	if (!mail || data)
		broken("RCPT is between MAIL and data", "");
	if (path.len == 0 || memchr(path.p, '\r', path.len) != NULL ||
	    memchr(path.p, '\n', path.len) != NULL)
		broken("paths are clean", "RCPT");
	if (!params_rcpt_canonical(params, &p))
		broken("parameters are canonical", "RCPT");
	ask(ASK_RCPT);
	return 0;
}

static int
on_data(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	of_session(msg);
	if (!mail || rcpts == 0 || data || nasked > 0)
		broken("data follow MAIL and RCPT", "");
	data = true;
	check_begin(&check, MESSAGE_MAX);
	check.utf8 = utf8;
	check.utf8 = utf8;
	return 0;
}

static void
clean(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\0' || (last == '\r') != (s.p[i] == '\n'))
			broken("no bare CR or LF, no NUL", "");
		last = s.p[i];
	}
}

static int
on_piece(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 s;

	(void)ch;
	(void)arg;
	of_session(msg);
	ipc_reader(&r, msg);
	s = ipc_get_bytes(&r);
	if (!ipc_done(&r) || s.len == 0)
		broken("payloads are as the table has them", "a piece");
	if (!data || ended || (msg->type == IPC_SMTP_HEADER && body))
		broken("header, then body", "");
	under_way += s.len;
	octets += s.len;
	if (under_way > IPC_BODY_CREDIT)
		broken("the credit holds", "");
	if (msg->type == IPC_SMTP_BODY && !body) {
		if (last != '\n')
			broken("the header is of whole lines", "");
		body = true;
	}
	clean(s);
	if (body)
		check_body(&check, s.p, s.len);
	else
		check_header(&check, s.p, s.len);
	return 0;
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	enum verdict		 v;

	(void)ch;
	(void)arg;
	of_session(msg);
	ipc_reader(&r, msg);
	if (ipc_get_u64(&r) != octets || (ipc_get_u8(&r) & ~END_FLAGS) ||
	    !ipc_done(&r))
		broken("the end names what was sent", "");
	if (!data || ended)
		broken("one end for a message", "");
	if (last != '\n')
		broken("the last line ends in CRLF", "");
	check_results(&check, "mail.example.org");
	if ((v = check_end(&check)) != VERDICT_OK && v != VERDICT_TOO_BIG)
		broken("the queue's check agrees", check.reason);
	ended = true;
	ask(ASK_END);
	return 0;
}

static int
on_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	unsigned int	i;

	(void)ch;
	(void)arg;
	of_session(msg);
	if (ended)
		broken("after the end only the queue decides", "a reset");
	for (i = 0; i < nasked; i++)
		asked[i].dropped = true;
	message_drop();
	return 0;
}

static int
on_close(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	of_session(msg);
	peers.closed = true;
	nasked = 0;
	message_drop();
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_SMTP_MAIL, on_mail },
	{ IPC_SMTP_RCPT, on_rcpt },
	{ IPC_SMTP_DATA, on_data },
	{ IPC_SMTP_HEADER, on_piece },
	{ IPC_SMTP_BODY, on_piece },
	{ IPC_SMTP_END, on_end },
	{ IPC_SMTP_RESET, on_reset },
	{ IPC_SMTP_CLOSE, on_close },
	{ 0, NULL }
};

/* --- auth --- */

static int
on_session_open(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	peers.moves++;
	ipc_reader(&r, msg);
	(void)ipc_get_u16(&r);
	(void)ipc_get_str(&r);
	(void)ipc_get_u16(&r);
	(void)ipc_get_str(&r);
	(void)ipc_get_u16(&r);
	if (!ipc_done(&r))
		broken("payloads are as the table has them", "SESSION_OPEN");
	if (msg->sid <= opened)
		broken("session ids increase", "");
	opened = msg->sid;
	if (msg->sid == peers.sid)
		session_open = true;
	return 0;
}

static int
on_session_close(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	peers.moves++;
	if (msg->sid != peers.sid || !session_open)
		broken("a session that closes was open", "");
	session_open = false;
	attempt = LOGIN_NONE;
	return 0;
}

static int
on_start(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	peers.moves++;
	ipc_reader(&r, msg);
	if (ipc_get_u8(&r) != 1)
		broken("no login without TLS", "");
	(void)ipc_get_str(&r);
	(void)ipc_get_u8(&r);
	(void)ipc_get_bytes(&r);
	if (!ipc_done(&r))
		broken("payloads are as the table has them", "AUTH_START");
	if (!session_open || attempt != LOGIN_NONE || granted)
		broken("one login at a time", "");
	attempt = LOGIN_OURS;
	cancelled = false;
	return 0;
}

static int
on_response(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	(void)msg;
	peers.moves++;
	ipc_reader(&r, msg);
	(void)ipc_get_bytes(&r);
	if (!ipc_done(&r))
		broken("payloads are as the table has them", "AUTH_RESPONSE");
	if (attempt == LOGIN_THEIRS)
		attempt = LOGIN_OURS;
	else if (attempt == LOGIN_OURS)
		broken("a response follows a challenge", "");
	return 0;
}

static int
on_cancel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	(void)msg;
	peers.moves++;
	if (attempt != LOGIN_NONE) {
		attempt = LOGIN_OURS;
		cancelled = true;
	}
	return 0;
}

/* The TLS that passes octets on has no client certificate: no answer. */
static int
on_session_tls(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	of_session(msg);
	peers.moves++;
	return 0;
}

static const struct ipc_handler auth_handlers[] = {
	{ IPC_SESSION_OPEN, on_session_open },
	{ IPC_SESSION_TLS, on_session_tls },
	{ IPC_SESSION_CLOSE, on_session_close },
	{ IPC_AUTH_START, on_start },
	{ IPC_AUTH_RESPONSE, on_response },
	{ IPC_AUTH_CANCEL, on_cancel },
	{ 0, NULL }
};

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	if (end == IPC_VIOLATION || ch == queue)
		broken("the front-end keeps the rules of its channels",
		    ipc_role_name(ch == queue ? ROLE_QUEUE : ROLE_AUTH));
	ipc_free(ch);
	if (ch == auth)
		auth = NULL;
}

void
peers_queue(int fd)
{
	if ((queue = ipc_new(fd, ROLE_QUEUE, ROLE_FRONTEND, queue_handlers,
	    on_closed, NULL)) == NULL)
		abort();
}

void
peers_auth(int fd)
{
	opened = 0;
	session_open = false;
	attempt = LOGIN_NONE;
	if ((auth = ipc_new(fd, ROLE_AUTH, ROLE_FRONTEND, auth_handlers,
	    on_closed, NULL)) == NULL)
		abort();
}

void
peers_auth_end(void)
{
	ipc_free(auth);
	auth = NULL;
	session_open = false;
	attempt = LOGIN_NONE;
}

void
peers_begin(uint64_t sid)
{
	memset(&peers, 0, sizeof(peers));
	peers.sid = sid;
	nasked = 0;
	granted = cancelled = false;
	attempt = LOGIN_NONE;
	message_drop();
}

void
peers_local(uint64_t sid, int fd)
{
	peers_begin(sid);
	granted = true;
	ipc_start(auth, IPC_SESSION_LOCAL, sid);
	ipc_put_str(auth, "ann@example.org");
	ipc_put_u32(auth, 1000);
	ipc_put_u32(auth, 1);
	ipc_send_fd(auth, fd);
}

void
peers_end(void)
{
	if (!peers.closed)
		broken("the queue is told of the end", "");
	if (session_open)
		broken("auth is told of the end", "");
}

/* --- what the fuzzer has them say --- */

/* A text that no reply may show as it is. */
static const char *
hostile(unsigned int verdict)
{
	static char	text[500];

	if (verdict % 2 == 0)
		return "a\r\n250 2.0.0 \x1b[2J\xc3\xa4";
	if (text[0] == '\0')
		memset(text, 'x', sizeof(text) - 1);
	return text;
}

static void
say_durable(unsigned int verdict)
{
	if (verdict == VERDICT_OK)
		snprintf(peers.qid, sizeof(peers.qid), "q%u", ++nqids);
	message_drop();
	ipc_start(queue, IPC_SMTP_QUEUED, peers.sid);
	ipc_put_u8(queue, (uint8_t)verdict);
	ipc_put_str(queue, verdict == VERDICT_OK ? "" : hostile(verdict));
	ipc_put_str(queue, peers.qid);
	ipc_send(queue);
}

bool
peers_answer(unsigned int verdict)
{
	enum question	kind;
	bool		dropped;

	if (nasked == 0)
		return false;
	kind = asked[0].kind;
	dropped = asked[0].dropped;
	memmove(asked, asked + 1, --nasked * sizeof(asked[0]));
	if (kind == ASK_END) {
		say_durable(verdict);
		return true;
	}
	ipc_start(queue, IPC_SMTP_VERDICT, peers.sid);
	ipc_put_u8(queue, (uint8_t)verdict);
	ipc_put_str(queue, verdict == VERDICT_OK ? "" : hostile(verdict));
	ipc_send(queue);
	if (dropped)
		return true;
	if (verdict == VERDICT_NO_GRANT)
		granted = false;
	if (kind == ASK_MAIL && (verdict == VERDICT_OK ||
	    verdict == VERDICT_PRIORITY_CHANGED)) {
		mail = true;
		peers.mail_ok++;
	} else if (verdict == VERDICT_OK) {
		rcpts++;
		peers.rcpt_ok++;
	}
	return true;
}

bool
peers_credit(size_t n)
{
	if (under_way == 0 || n == 0)
		return false;
	if (n > under_way)
		n = under_way;
	under_way -= n;
	ipc_start(queue, IPC_SMTP_CREDIT, peers.sid);
	ipc_put_u32(queue, (uint32_t)n);
	ipc_send(queue);
	return true;
}

bool
peers_login(unsigned int verdict, uint32_t delay)
{
	if (attempt != LOGIN_OURS || auth == NULL)
		return false;
	if (cancelled)
		verdict = VERDICT_AUTH_CANCELLED;
	if (verdict == VERDICT_OK)
		granted = true;
	attempt = LOGIN_NONE;
	ipc_start(auth, IPC_AUTH_RESULT, peers.sid);
	ipc_put_u8(auth, (uint8_t)verdict);
	ipc_put_str(auth, verdict == VERDICT_OK ? "ann@example.org" : "");
	ipc_put_u32(auth, delay);
	ipc_send(auth);
	return true;
}

bool
peers_challenge(const void *p, size_t n)
{
	if (attempt != LOGIN_OURS || auth == NULL || cancelled)
		return false;
	attempt = LOGIN_THEIRS;
	ipc_start(auth, IPC_AUTH_CHALLENGE, peers.sid);
	ipc_put_bytes(auth, p, n);
	ipc_send(auth);
	return true;
}
