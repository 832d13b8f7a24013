/*
 * sendmail(8) for the programs of a host that know no other way to send:
 * cron, mail(1), scripts. Runs in msactl, as the caller and never set-id: the
 * message goes to msad's local socket and msad asks the kernel whose it is.
 *
 * Standard input is read to its end before msad is spoken to, into an unnamed
 * file: what writes there may take hours. Line ends become CRLF. Either all
 * recipients are taken or nothing is sent, so that who tries again sends
 * nothing twice.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "msactl/output.h"
#include "msactl/sendmail.h"
#include "msactl/sendmail_args.h"
#include "msactl/sendmail_header.h"
#include "msactl/sendmail_smtp.h"
#include "msactl/session.h"

struct message {
	char			*header;	/* lines with CRLF */
	size_t			 header_len;
	FILE			*body;		/* lines with CRLF */
	size_t			 size;		/* of both */
	bool			 eightbit;
	struct header_facts	 facts;
	char			**rcpts;
	size_t			 nrcpts;
};

static void	 die(int, const char *, ...)
		    __attribute__((__noreturn__, __format__(printf, 2, 3)));

/* Text of a reply may be in it: printable ASCII alone is shown. */
static void
die(int code, const char *fmt, ...)
{
	va_list	 ap;
	char	 text[2048];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("sendmail: ", stderr);
	output_text(stderr, text);
	fputc('\n', stderr);
	exit(code);
}

/* --- standard input --- */

/* A line with its end made CRLF; what is between is not changed. */
static void
put_line(FILE *f, const char *line, size_t len, struct message *m)
{
	size_t	 i;

	if (len > 0 && line[len - 1] == '\n')
		len--;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] >= 0x80)
			m->eightbit = true;
	fwrite(line, 1, len, f);
	fwrite("\r\n", 1, 2, f);
	m->size += len + 2;
}

/* Is the line one of the header that text is so far? */
static bool
is_header(const char *line, size_t len, bool first)
{
	if (!first && (*line == ' ' || *line == '\t'))
		return true;
	return header_field(SLICE(line, len)) > 0;
}

static bool
is_end(const char *line, size_t len, bool dots)
{
	return !dots && ((len == 2 && memcmp(line, ".\n", 2) == 0) ||
	    (len == 3 && memcmp(line, ".\r\n", 3) == 0));
}

static bool
is_empty(const char *line, size_t len)
{
	return (len == 1 && *line == '\n') ||
	    (len == 2 && memcmp(line, "\r\n", 2) == 0);
}

/* Header into memory, body into a file. */
static void
message_read(struct message *m, FILE *in, bool dots)
{
	bool	 header = true, first = true, mbox = true;
	char	*line = NULL;
	size_t	 cap = 0;
	ssize_t	 n;
	FILE	*h;

	if ((m->body = tmpfile()) == NULL ||
	    (h = open_memstream(&m->header, &m->header_len)) == NULL)
		die(EX_TEMPFAIL, "no room for the message: %s",
		    strerror(errno));
	while ((n = getline(&line, &cap, in)) > 0 &&
	    !is_end(line, (size_t)n, dots)) {
		if (mbox && strncmp(line, "From ", 5) == 0) {
			mbox = false;	/* the envelope line of a mailbox */
			continue;
		}
		mbox = false;
		if (header && is_empty(line, (size_t)n)) {
			header = false;
			continue;
		}
		if (header && !is_header(line, (size_t)n, first))
			header = false;	/* text without a header */
		if (header && m->size > SENDMAIL_HEADER_MAX)
			die(EX_DATAERR, "the header is longer than %d octets",
			    SENDMAIL_HEADER_MAX);
		put_line(header ? h : m->body, line, (size_t)n, m);
		first = false;
	}
	if (ferror(in))
		die(EX_IOERR, "standard input: %s", strerror(errno));
	free(line);
	if (fclose(h) == EOF || fflush(m->body) == EOF ||
	    fseek(m->body, 0, SEEK_SET) == -1)
		die(EX_TEMPFAIL, "no room for the message: %s",
		    strerror(errno));
	header_look(SLICE(m->header, m->header_len), &m->facts);
}

/* --- recipients --- */

/* Does a blank at p stand beside a dot or an at sign, and so mean nothing? */
static bool
is_idle(const char *text, size_t len, size_t i)
{
	size_t	 next = i + strspn(text + i, " \t\r\n");

	while (i > 0 && strchr(" \t\r\n", text[i - 1]) != NULL)
		i--;
	return (i > 0 && (text[i - 1] == '@' || text[i - 1] == '.')) ||
	    (next < len && (text[next] == '@' || text[next] == '.'));
}

static int
rcpt_add(void *arg, struct slice address)
{
	struct message	*m = arg;
	char		*copy, *out, **list;
	size_t		 i;

	if (m->nrcpts == SENDMAIL_RCPTS_MAX)
		die(EX_DATAERR, "more than %d recipients", SENDMAIL_RCPTS_MAX);
	copy = strndup(address.p, address.len);
	list = reallocarray(m->rcpts, m->nrcpts + 1, sizeof(*list));
	if (copy == NULL || list == NULL || (out = strdup(copy)) == NULL)
		die(EX_OSERR, "out of memory");
	m->rcpts = list;
	address.len = 0;
	for (i = 0; copy[i] != '\0'; i++) {
		if (strchr(" \t\r\n", copy[i]) == NULL)
			out[address.len++] = copy[i];
		else if (copy[i] != '\r' && copy[i] != '\n' &&
		    !is_idle(copy, strlen(copy), i))
			out[address.len++] = ' ';
	}
	out[address.len] = '\0';
	free(copy);
	for (i = 0; i < m->nrcpts; i++)
		if (strcmp(m->rcpts[i], out) == 0) {
			free(out);
			return 0;	/* once is enough */
		}
	m->rcpts[m->nrcpts++] = out;
	return 0;
}

static void
recipients(struct message *m, const struct sendmail_args *a)
{
	int	 i;

	for (i = 0; i < a->nrcpts; i++)
		(void)header_addresses(SLICE_STR(a->rcpts[i]), rcpt_add, m);
	if (a->headers)
		(void)header_recipients(SLICE(m->header, m->header_len),
		    &m->facts, rcpt_add, m);
	if (m->nrcpts == 0)
		die(a->headers ? EX_DATAERR : EX_USAGE,
		    "there is no recipient, neither in the header nor on the "
		    "command line");
}

/* --- who sends --- */

static const struct passwd *
caller(void)
{
	const struct passwd	*pw = getpwuid(getuid());

	if (pw == NULL)
		die(EX_NOUSER, "user id %u has no name on this host",
		    (unsigned int)getuid());
	return pw;
}

static const char *
domain_of(const char *address, const char *host)
{
	return *address == '\0' || strchr(address, '@') != NULL ? "" : host;
}

/* The envelope sender, without brackets, in buf. */
static void
sender(const struct sendmail_args *a, const char *host, char *buf, size_t size)
{
	const char	*from = a->from != NULL ? a->from : caller()->pw_name;
	size_t		 len;

	if (*from == '<')
		from++;
	len = strcspn(from, ">");
	snprintf(buf, size, "%.*s", (int)len, from);
	if (strlen(buf) < len || len > 256)
		die(EX_USAGE, "the sender's address is too long");
	host = domain_of(buf, host);
	if (*host != '\0') {
		strlcat(buf, "@", size);
		strlcat(buf, host, size);
	}
}

/* "Ann Example" as a phrase: quoted where it must be. */
static void
print_name(FILE *f, const char *name)
{
	const char	*p;

	for (p = name; *p != '\0'; p++)
		if (strchr("\"\\", *p) != NULL || (unsigned char)*p < ' ')
			break;
	if (*p != '\0' || *name == '\0')
		return;		/* a name that needs more is left out */
	fprintf(f, "\"%s\" ", name);
}

static bool
is_utf8(const char *address)
{
	for (; *address != '\0'; address++)
		if ((unsigned char)*address >= 0x80)
			return true;
	return false;
}

/*
 * The name in the password file, up to the comma; none where & stands for the
 * login or where it is not ASCII.
 */
static void
full_name(char *buf, size_t size)
{
	const struct passwd	*pw = caller();

	strlcpy(buf, pw->pw_gecos != NULL ? pw->pw_gecos : "", size);
	buf[strcspn(buf, ",")] = '\0';
	if (strchr(buf, '&') != NULL || is_utf8(buf))
		buf[0] = '\0';
}

static void
from_field(FILE *f, const struct sendmail_args *a, const char *from,
    const char *host)
{
	char	 name[256], address[300];

	if (a->name != NULL)
		strlcpy(name, a->name, sizeof(name));
	else
		full_name(name, sizeof(name));
	if (*from == '\0')
		snprintf(address, sizeof(address), "%s@%s",
		    caller()->pw_name, host);
	else
		strlcpy(address, from, sizeof(address));
	fputs("From: ", f);
	print_name(f, name);
	fprintf(f, "<%s>\r\n", address);
}

/* --- the conversation --- */

static void
refused(struct smtp *s, enum smtp_stage stage, const char *what)
{
	if (s->code == 0)
		die(EX_TEMPFAIL, "%s: msad closed the connection", what);
	die(smtp_exit(s, stage), "%s: %d %s", what, s->code, s->text);
}

static void
xtext(FILE *f, const char *p)
{
	for (; *p != '\0'; p++)
		fprintf(f, *p == '+' || *p == '=' || *p == ' ' ? "+%02X" :
		    "%c", *p);
}

static bool
wants_dsn(const struct sendmail_args *a)
{
	return a->notify[0] != '\0' || a->ret != NULL || a->envid != NULL;
}

static bool
needs_utf8(const struct message *m, const char *from)
{
	size_t	 i;

	for (i = 0; i < m->nrcpts; i++)
		if (is_utf8(m->rcpts[i]))
			return true;
	return is_utf8(from);
}

static void
say_mail(struct smtp *s, const struct message *m,
    const struct sendmail_args *a, const char *from)
{
	fprintf(s->out, "MAIL FROM:<%s>", from);
	if (s->size)
		fprintf(s->out, " SIZE=%zu", m->size);
	if (s->eightbit && m->eightbit)
		fputs(" BODY=8BITMIME", s->out);
	if (s->smtputf8 && needs_utf8(m, from))
		fputs(" SMTPUTF8", s->out);
	if (a->ret != NULL)
		fprintf(s->out, " RET=%s", a->ret);
	if (a->envid != NULL) {
		fputs(" ENVID=", s->out);
		xtext(s->out, a->envid);
	}
	if (smtp_command(s, "%s", "") != 250)
		refused(s, SMTP_SENDER, from);
}

static void
say_rcpts(struct smtp *s, const struct message *m,
    const struct sendmail_args *a)
{
	const char	*rcpt, *host;
	size_t		 i;

	for (i = 0; i < m->nrcpts; i++) {
		rcpt = m->rcpts[i];
		host = domain_of(rcpt, s->host);
		fprintf(s->out, "RCPT TO:<%s%s%s>", rcpt,
		    *host != '\0' ? "@" : "", host);
		if (a->notify[0] != '\0')
			fprintf(s->out, " NOTIFY=%s", a->notify);
		if (smtp_command(s, "%s", "") / 10 != 25)
			refused(s, SMTP_RCPT, rcpt);
	}
}

/* Header and body with dots doubled (RFC 5321 section 4.5.2), and the end. */
static void
say_message(struct smtp *s, struct message *m, const struct sendmail_args *a,
    const char *from)
{
	char	*header, *line = NULL;
	size_t	 len = 0, cap = 0;
	ssize_t	 n;

	header = header_rewrite(SLICE(m->header, m->header_len), s->host,
	    !a->headers, &len);
	if (header == NULL)
		die(EX_OSERR, "out of memory");
	if (smtp_command(s, "DATA") != 354)
		refused(s, SMTP_MESSAGE, "DATA");
	if (!m->facts.from)
		from_field(s->out, a, from, s->host);
	fwrite(header, 1, len, s->out);	/* no field begins with a dot */
	fputs("\r\n", s->out);
	free(header);
	while ((n = getline(&line, &cap, m->body)) > 0) {
		if (*line == '.')
			fputc('.', s->out);
		fwrite(line, 1, (size_t)n, s->out);
	}
	free(line);
	if (ferror(m->body))
		die(EX_IOERR, "the message cannot be read back");
	if (smtp_command(s, ".") != 250)
		refused(s, SMTP_MESSAGE, s->code != 0 ? "message" :
		    "no answer, the message may have been taken");
}

static const char *
socket_path(const struct sendmail_args *a)
{
	return a->socket != NULL ? a->socket : MSAD_SUBMIT;
}

static int
connect_or_die(const struct sendmail_args *a)
{
	const char	*path = socket_path(a);
	int		 fd;

	if ((fd = smtp_connect(path)) != -1)
		return fd;
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
	case EAGAIN:
		die(EX_TEMPFAIL, "%s: %s; msad does not run, or has no "
		    "\"listen on socket\"; nothing was sent, try again later",
		    path, strerror(errno));
	case EACCES:
	case EPERM:
		die(EX_NOPERM, "%s: %s", path, strerror(errno));
	default:
		die(EX_TEMPFAIL, "%s: %s; nothing was sent", path,
		    strerror(errno));
	}
}

static void
message_free(struct message *m)
{
	size_t	 i;

	for (i = 0; i < m->nrcpts; i++)
		free(m->rcpts[i]);
	free(m->rcpts);
	free(m->header);
	fclose(m->body);
}

static int
send_message(const struct sendmail_args *a)
{
	struct message	 m = { 0 };
	struct smtp	 s;
	char		 from[600];

	message_read(&m, stdin, a->dots);
	recipients(&m, a);
	if (smtp_open(&s, connect_or_die(a)) == -1)
		refused(&s, SMTP_GREETING, "greeting");
	if (wants_dsn(a) && !s.dsn)
		die(EX_UNAVAILABLE, "-N, -R and -V ask for DSN, which this "
		    "msad does not offer; nothing was sent");
	sender(a, s.host, from, sizeof(from));
	say_mail(&s, &m, a, from);
	say_rcpts(&s, &m, a);
	say_message(&s, &m, a, from);
	(void)smtp_command(&s, "QUIT");
	smtp_close(&s);
	message_free(&m);
	return EX_OK;
}

/* --- -bs --- */

/* Carry what is there from one to the other; false at the end. */
static bool
carry(int from, int to)
{
	char	 buf[16384];
	ssize_t	 n, off, w;

	n = read(from, buf, sizeof(buf));
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	for (off = 0; off < n; off += w)
		if ((w = write(to, buf + off, (size_t)(n - off))) == -1) {
			if (errno != EINTR)
				return false;
			w = 0;
		}
	return true;
}

/* Standard input and output speak SMTP with msad, octet for octet. */
static int
pass_through(const struct sendmail_args *a)
{
	struct pollfd	 p[2] = { { .fd = STDIN_FILENO, .events = POLLIN } };

	p[1].fd = connect_or_die(a);
	p[1].events = POLLIN;
	for (;;) {
		if (poll(p, 2, -1) == -1) {
			if (errno == EINTR)
				continue;
			die(EX_OSERR, "poll: %s", strerror(errno));
		}
		if (p[1].revents != 0 && !carry(p[1].fd, STDOUT_FILENO))
			return EX_OK;
		if (p[0].revents != 0 && !carry(p[0].fd, p[1].fd)) {
			p[0].fd = -1;	/* what msad still says is shown */
			shutdown(p[1].fd, SHUT_WR);
		}
	}
}

/* --- -bp, -q --- */

static int
ask_msad(const char *what)
{
	char	 first[] = "queue", second[8];
	char	*words[] = { first, second };

	strlcpy(second, what, sizeof(second));
	switch (msactl_run(2, words)) {
	case EXIT_FINE:
	case EXIT_NO_MATCH:
		return EX_OK;
	case EXIT_NOT_RUNNING:
		return EX_TEMPFAIL;
	case EXIT_DENIED:
		return EX_NOPERM;
	default:
		return EX_UNAVAILABLE;
	}
}

int
sendmail_main(int argc, char **argv)
{
	struct sendmail_args	 a;
	char			 error[300];

	signal(SIGPIPE, SIG_IGN);
	if (sendmail_args(&a, argc, argv, error, sizeof(error)) == -1)
		die(EX_USAGE, "%s", error);
	switch (a.mode) {
	case SENDMAIL_SEND:
		return send_message(&a);
	case SENDMAIL_SMTP:
		return pass_through(&a);
	case SENDMAIL_LIST:
		return ask_msad("list");
	case SENDMAIL_FLUSH:
		return ask_msad("flush");
	case SENDMAIL_NOTHING:
		break;
	}
	return EX_OK;
}
