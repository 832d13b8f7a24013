/*
 * The commands of a session (RFC 5321, RFC 6409): what may come when, and what
 * is said to it. Part of the front-end; session.c calls with lines of the
 * client, frontend.c with answers of the queue. Who may send what is the
 * queue's to say; here is syntax and order alone (P-ses-1).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/idna.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/frontend/chunk.h"
#include "msad/frontend/command.h"
#include "msad/frontend/complete.h"
#include "msad/frontend/extension.h"
#include "msad/frontend/frontend.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/smtp.h"
#include "msad/frontend/tls.h"

#define NEEDS_TLS	0x01
#define NEEDS_HELO	0x02
#define NEEDS_AUTH	0x04
#define NO_ARGS		0x08	/* an argument is 501 */
#define FLUSHES		0x10	/* its reply is not held back (RFC 2920) */
#define COMPLETE_MAX	255	/* a path and a NUL */
#define ARGS_MAX	8500	/* a command line and a domain */

struct rule {
	unsigned int	 flags;
	void		(*fn)(struct session *, struct slice args);
};

void
smtp_greeting(struct session *s)
{
	enum reply	r = REPLY_GREETING;

	session_enter(s, SESSION_COMMAND);
	if (s->barred)
		r = REPLY_BARRED_GREETING;
	else if (arrival_early(s))
		r = REPLY_EARLY_GREETING;
	s->barred = r != REPLY_GREETING;
	session_reply(s, r, NULL);
	s->flush = true;
}

void
smtp_reset(struct session *s)
{
	if (s->tx == NULL)
		return;
	if (frontend_queue() != NULL)
		ipc_send_empty(frontend_queue(), IPC_SMTP_RESET, s->sid);
	transaction_free(s->tx);
	s->tx = NULL;
}

static int
take_helo(struct session *s, struct slice args)
{
	enum reply	r;
	char		*name;

	if ((r = command_helo(args)) != REPLY_NONE) {
		session_reply(s, r, NULL);
		return -1;
	}
	if ((name = strndup(args.p, args.len)) == NULL) {
		session_reply(s, REPLY_TROUBLE, NULL);
		return -1;
	}
	free(s->helo);
	s->helo = name;
	smtp_reset(s);
	return 0;
}

static void
smtp_helo(struct session *s, struct slice args)
{
	if (take_helo(s, args) == -1)
		return;
	s->esmtp = false;
	session_reply(s, REPLY_HELO, NULL);
}

static void
smtp_ehlo(struct session *s, struct slice args)
{
	const char	*mechs = "";
	char		 text[1536], lines[EXTENSION_LINES_MAX];
	int		 n;

	if (take_helo(s, args) == -1)
		return;
	s->esmtp = true;
	if (s->c.tls != NULL && sasl_open(s))
		mechs = sasl_mechanisms(s);
	extension_lines(s, lines);
	n = snprintf(text, sizeof(text), "250-%.255s\r\n250-PIPELINING\r\n"
	    "250-SIZE %llu\r\n250-LIMITS MAILMAX=%llu RCPTMAX=%llu\r\n"
	    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n%s"
	    "250-DSN\r\n%s%s%s%s250 ENHANCEDSTATUSCODES\r\n", s->set->host,
	    (unsigned long long)s->set->message_size,
	    (unsigned long long)s->set->limits.mails,
	    (unsigned long long)s->set->limits.recipients,
	    lines,
	    s->c.tls == NULL && s->set->tls != NULL ? "250-STARTTLS\r\n" : "",
	    *mechs != '\0' ? "250-AUTH " : "", mechs,
	    *mechs != '\0' ? "\r\n" : "");
	if (n < 0 || conn_put(&s->c, text, (size_t)n) == -1)
		session_drop(s, "out-of-memory");
}

static void
smtp_starttls(struct session *s, struct slice args)
{
	(void)args;
	if (s->c.tls != NULL) {
		session_reply(s, REPLY_IN_TLS, NULL);
		return;
	}
	if (s->set->tls == NULL) {
		session_reply(s, s->local ? REPLY_NOT_IMPLEMENTED :
		    REPLY_NO_TLS, NULL);
		return;
	}
	smtp_reset(s);
	session_reply(s, REPLY_GO_TLS, NULL);
	s->starttls = true;
	session_enter(s, SESSION_HANDSHAKE);
}

static void
smtp_auth(struct session *s, struct slice args)
{
	if (!sasl_open(s))
		session_reply(s, REPLY_IN_AUTH, NULL);
	else if (s->tx != NULL)
		session_reply(s, REPLY_IN_MAIL, NULL);
	else
		sasl_start(s, args);
}

static void
send_mail(struct session *s, const struct mail_args *mail)
{
	struct ipc	*queue = frontend_queue();
	struct mail_params travel = mail->params;
	char		 params[PARAMS_TEXT_MAX + 1];

	s->utf8 = travel.smtputf8;
	s->binary = travel.body == PARAMS_BINARYMIME;
	if (s->binary)
		travel.body = PARAMS_8BITMIME;
	if (params_mail_print(&travel, params, sizeof(params)) == -1) {
		session_reply(s, REPLY_BAD_PARAMETER, NULL);
		return;
	}
	ipc_start(queue, IPC_SMTP_MAIL, s->sid);
	ipc_put_slice(queue, mail->path);
	ipc_put_u64(queue, mail->params.size);
	ipc_put_str(queue, params);
	ipc_send(queue);
	session_enter(s, SESSION_MAIL_WAIT);
}

/*
 * A path whose domain is one label gets what append-domain has behind it,
 * written to buf (R6409-4.2-b). r is what the parser said of it.
 */
static enum reply
complete(enum reply r, struct slice *path, char *buf, size_t size)
{
	const char	*at, *domain;
	char		 label[IDNA_DOMAIN_MAX + 1];
	int		 n;

	if ((r != REPLY_SENDER_SHORT && r != REPLY_RCPT_SHORT) ||
	    (at = memrchr(path->p, '@', path->len)) == NULL ||
	    (n = idna_to_ascii(slice_from(*path, (size_t)(at + 1 - path->p)),
	    label, sizeof(label))) == -1 ||
	    (domain = conf_append_find(&child_conf()->appends, label,
	    (size_t)n)) == NULL)
		return r;
	n = snprintf(buf, size, "%.*s.%s", SLICE_FMT(*path), domain);
	if (n < 0 || (size_t)n >= size)
		return r;
	*path = SLICE(buf, n);
	return REPLY_NONE;
}

/* The arguments with the domain that append-domain has for none at all. */
static struct slice
complete_args(struct slice args, bool rcpt, char *buf, size_t size)
{
	return complete_bare(args, rcpt,
	    conf_append_find(&child_conf()->appends, "", 0), buf, size);
}

static void
smtp_mail(struct session *s, struct slice args)
{
	struct mail_args	mail;
	enum reply		r;
	const char		*detail = NULL;
	char			path[COMPLETE_MAX], buf[ARGS_MAX];

	if (s->nmails >= s->set->limits.mails) {
		session_end(s, REPLY_TOO_MANY_MAILS, "too-many-mails");
		return;
	}
	s->nmails++;	/* refused ones too (RFC 9422 section 4) */
	args = complete_args(args, false, buf, sizeof(buf));
	if (s->tx != NULL)
		r = REPLY_IN_MAIL;
	else if ((r = complete(command_mail(args, extension_offered(s), &mail),
	    &mail.path, path, sizeof(path))) == REPLY_NONE &&
	    (r = extension_check(&mail.params, &detail)) == REPLY_NONE) {
		if (mail.params.size > s->set->message_size)
			r = REPLY_TOO_BIG;
		else if (frontend_queue() == NULL)
			r = REPLY_TROUBLE;
	}
	if (r != REPLY_NONE)
		session_reply(s, r, detail);
	else
		send_mail(s, &mail);
}

static void
smtp_rcpt(struct session *s, struct slice args)
{
	struct ipc	*queue = frontend_queue();
	struct rcpt_args rcpt;
	enum reply	 r;
	char		 params[PARAMS_TEXT_MAX + 1], path[COMPLETE_MAX];
	char		 buf[ARGS_MAX];

	if (s->tx == NULL) {
		session_reply(s, REPLY_NEED_MAIL, NULL);
		return;
	}
	if (s->tx->chunked) {
		session_reply(s, REPLY_IN_CHUNKS, NULL);
		return;
	}
	s->tx->tried++;
	args = complete_args(args, true, buf, sizeof(buf));
	r = command_rcpt(args, EXT_DSN | (s->utf8 ? EXT_SMTPUTF8 : 0), &rcpt);
	if ((r = complete(r, &rcpt.path, path, sizeof(path))) == REPLY_NONE &&
	    params_rcpt_print(&rcpt.params, params, sizeof(params)) == -1)
		r = REPLY_BAD_PARAMETER;
	if (r != REPLY_NONE) {
		session_reply(s, r, NULL);
		return;
	}
	ipc_start(queue, IPC_SMTP_RCPT, s->sid);
	ipc_put_slice(queue, rcpt.path);
	ipc_put_str(queue, params);
	ipc_send(queue);
	session_enter(s, SESSION_RCPT_WAIT);
}

static void
smtp_data_command(struct session *s, struct slice args)
{
	(void)args;
	if (s->tx == NULL || s->tx->tried == 0) {
		session_reply(s, REPLY_NEED_RCPT, NULL);
		return;
	}
	if (s->tx->chunked || s->binary) {
		session_reply(s, s->tx->chunked ? REPLY_IN_CHUNKS :
		    REPLY_NEED_BDAT, NULL);
		return;
	}
	if (s->tx->accepted == 0) {
		session_reply(s, REPLY_NO_RCPTS, NULL);
		return;
	}
	session_enter(s, SESSION_DATA);
	s->window = s->since;
	s->window_size = 0;
	session_reply(s, REPLY_START_DATA, NULL);
}

static void
smtp_rset(struct session *s, struct slice args)
{
	(void)args;
	smtp_reset(s);
	session_reply(s, REPLY_OK, NULL);
}

static void
smtp_noop(struct session *s, struct slice args)
{
	(void)args;
	session_reply(s, REPLY_OK, NULL);
}

static void
smtp_vrfy(struct session *s, struct slice args)
{
	session_reply(s, args.len == 0 ? REPLY_BAD_PARAMETER : REPLY_VRFY,
	    NULL);
}

static void
smtp_help(struct session *s, struct slice args)
{
	(void)args;
	session_reply(s, REPLY_HELP, NULL);
}

static void
smtp_quit(struct session *s, struct slice args)
{
	(void)args;
	session_end(s, REPLY_BYE, "quit");
}

static void
smtp_bad(struct session *s, struct slice args)
{
	(void)args;
	session_reply(s, REPLY_BAD_LINE, NULL);
}

static void
smtp_unknown(struct session *s, struct slice args)
{
	(void)args;
	session_reply(s, REPLY_UNKNOWN_VERB, NULL);
}

static void
smtp_unimplemented(struct session *s, struct slice args)
{
	(void)args;
	session_reply(s, REPLY_NOT_IMPLEMENTED, NULL);
}

static void
smtp_http(struct session *s, struct slice args)
{
	(void)args;
	session_end(s, REPLY_NOT_HTTP, "http");
}

static const struct rule rules[VERB_MAX] = {
	[VERB_BAD] = { FLUSHES, smtp_bad },
	[VERB_UNKNOWN] = { FLUSHES, smtp_unknown },
	[VERB_HTTP] = { FLUSHES, smtp_http },
	[VERB_UNIMPLEMENTED] = { NEEDS_TLS | NEEDS_AUTH | FLUSHES,
	    smtp_unimplemented },
	[VERB_EHLO] = { FLUSHES, smtp_ehlo },
	[VERB_HELO] = { FLUSHES, smtp_helo },
	[VERB_STARTTLS] = { NO_ARGS | FLUSHES, smtp_starttls },
	[VERB_AUTH] = { NEEDS_TLS | NEEDS_HELO, smtp_auth },
	[VERB_MAIL] = { NEEDS_TLS | NEEDS_HELO | NEEDS_AUTH, smtp_mail },
	[VERB_RCPT] = { NEEDS_TLS | NEEDS_HELO | NEEDS_AUTH, smtp_rcpt },
	[VERB_DATA] = { NEEDS_TLS | NEEDS_HELO | NEEDS_AUTH | NO_ARGS |
	    FLUSHES, smtp_data_command },
	[VERB_BDAT] = { NEEDS_TLS | NEEDS_HELO | NEEDS_AUTH | FLUSHES,
	    NULL },
	[VERB_RSET] = { NO_ARGS, smtp_rset },
	[VERB_NOOP] = { FLUSHES, smtp_noop },
	[VERB_VRFY] = { NEEDS_TLS | NEEDS_HELO | NEEDS_AUTH | FLUSHES,
	    smtp_vrfy },
	[VERB_HELP] = { NEEDS_TLS | FLUSHES, smtp_help },
	[VERB_QUIT] = { NO_ARGS | FLUSHES, smtp_quit },
};

/* What the state of the session forbids (P-ses-1), or REPLY_NONE. */
static enum reply
gate(const struct session *s, unsigned int flags)
{
	if ((flags & NEEDS_TLS) && s->c.tls == NULL && !s->local &&
	    !s->set->optional)
		return REPLY_NEED_TLS;
	if ((flags & NEEDS_HELO) && s->helo == NULL)
		return REPLY_NEED_HELO;
	if ((flags & NEEDS_AUTH) && s->user == NULL)
		return REPLY_NEED_AUTH;
	return REPLY_NONE;
}

/* Is the sequence wrong, before the argument is looked at? */
static bool
out_of_order(const struct session *s, enum verb verb)
{
	return (verb == VERB_DATA && (s->tx == NULL || s->tx->tried == 0 ||
	    s->tx->chunked)) ||
	    (verb == VERB_STARTTLS && s->c.tls != NULL);
}

void
smtp_line(struct session *s, struct slice line)
{
	struct command		 cmd;
	const struct rule	*rule;
	enum reply		 r;

	command_parse(line, &cmd);
	rule = &rules[cmd.verb];
	s->ncommands++;
	stats_inc(STAT_SMTP_COMMANDS);
	if (rule->flags & FLUSHES)
		s->flush = true;
	if (s->barred && cmd.verb != VERB_QUIT)
		r = REPLY_BARRED;
	else if ((r = gate(s, rule->flags)) == REPLY_NONE &&
	    (rule->flags & NO_ARGS) && cmd.args.len > 0 &&
	    !out_of_order(s, cmd.verb))
		r = REPLY_BAD_PARAMETER;
	if (cmd.verb == VERB_BDAT)	/* its octets follow in any case */
		chunk_command(s, cmd.args, r);
	else if (r != REPLY_NONE)
		session_reply(s, r, NULL);
	else
		rule->fn(s, cmd.args);
}

void
smtp_verdict(struct session *s, unsigned int verdict, const char *detail)
{
	bool	mail = s->state == SESSION_MAIL_WAIT;
	bool	changed = mail && verdict == VERDICT_PRIORITY_CHANGED;

	session_enter(s, SESSION_COMMAND);
	if (verdict == VERDICT_NO_GRANT) {
		/* The login is gone: the client may log in again. */
		free(s->user);
		s->user = NULL;
		s->by_address = false;
	}
	if (verdict != VERDICT_OK && !changed) {
		session_reply(s, reply_of_verdict(verdict), detail);
		return;
	}
	if (!mail) {
		s->tx->accepted++;
		session_reply(s, REPLY_RCPT_OK, NULL);
		return;
	}
	s->tx = transaction_new(frontend_queue(), s->sid, s->set->host,
	    s->set->message_size);
	if (s->tx != NULL) {
		s->tx->convert = s->binary ? MIME_BINARY_IN :
		    child_conf()->convert_off ? MIME_OFF : MIME_ON;
		s->tx->utf8 = s->utf8;
		session_reply(s, changed ? REPLY_PRIORITY_CHANGED :
		    REPLY_SENDER_OK, detail);
		return;
	}
	ipc_send_empty(frontend_queue(), IPC_SMTP_RESET, s->sid);
	session_reply(s, REPLY_TROUBLE, NULL);
}

static struct tx_origin
origin(const struct session *s)
{
	struct tx_origin	o = { s->helo, 0, "", "" };
	const char		*version;

	o.flags = (uint8_t)((s->esmtp ? 1 : 0) | (s->c.tls != NULL ? 2 : 0));
	if (s->c.tls != NULL) {
		if ((version = tls_conn_version(s->c.tls)) != NULL)
			o.version = version;
		o.cipher = server_tls_cipher(s->c.ssl);
	}
	return o;
}

/* All data are read: hand over, or say why not. */
static void
data_end(struct session *s)
{
	struct tx_origin	o = origin(s);
	enum reply		r = REPLY_TROUBLE;

	switch (transaction_finish(s->tx, &o, &r)) {
	case 1:
		session_enter(s, SESSION_QUEUE_WAIT);
		break;
	case 0:
		if (s->state != SESSION_DATA_END)
			session_enter(s, SESSION_DATA_END);
		break;
	default:
		stats_inc(STAT_SMTP_MESSAGES_REFUSED);
		session_enter(s, SESSION_COMMAND);
		session_reply(s, r, s->tx->detail);
		transaction_free(s->tx);
		s->tx = NULL;
	}
}

bool
smtp_data(struct session *s)
{
	struct tx_origin	o = origin(s);
	struct data_run		run;
	struct slice		in = conn_input(&s->c);
	size_t			used, room = transaction_room(s->tx);

	if (in.len > room)
		in.len = room;
	if (in.len == 0)
		return false;
	used = data_decode(&s->tx->data, in, &run);
	transaction_take(s->tx, &run, &o);
	conn_use(&s->c, used, false);
	if (s->tx->data.state == DATA_END)
		data_end(s);
	return true;
}

void
smtp_chunk(struct session *s, struct slice in)
{
	struct tx_origin	o = origin(s);
	struct data_run		run;

	data_chunk(&s->tx->data, in, &run);
	transaction_take(s->tx, &run, &o);
}

void
smtp_chunks_end(struct session *s)
{
	data_chunk_end(&s->tx->data);
	data_end(s);
}

void
smtp_credit(struct session *s, size_t n)
{
	if (s->tx == NULL)
		return;
	transaction_credit(s->tx, n);
	if (s->state == SESSION_DATA || s->state == SESSION_CHUNK)
		s->last = session_now();
	if (s->state == SESSION_DATA_END)
		data_end(s);
}

void
smtp_queued(struct session *s, unsigned int verdict, const char *detail,
    const char *qid)
{
	uint64_t	size = s->tx->data.size;
	unsigned int	rcpts = s->tx->accepted;

	transaction_free(s->tx);
	s->tx = NULL;
	session_enter(s, SESSION_COMMAND);
	if (verdict != VERDICT_OK) {
		stats_inc(STAT_SMTP_MESSAGES_REFUSED);
		session_reply(s, reply_of_verdict(verdict), detail);
		return;
	}
	s->nmessages++;
	stats_inc(STAT_SMTP_MESSAGES);
	stats_add(STAT_SMTP_BYTES, (int64_t)size);
	log_info("s=%s event=mail q=%s user=%s client=%s helo=%s size=%llu "
	    "rcpts=%u", session_id(s), qid, log_q(s->user), s->peer,
	    log_q(s->helo), (unsigned long long)size, rcpts);
	session_reply(s, REPLY_QUEUED, qid);
}
