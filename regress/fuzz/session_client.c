/*
 * The client of f_session.c: it reads the octets that were sent as RFC 5321,
 * 2034, 2920, 3030 and 4954 have them, one unit (a command, a SASL response,
 * a message, a chunk) for each reply, and holds every reply against the unit
 * that it answers. Nothing of the session's state is looked at.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/command.h"
#include "msad/frontend/proxy.h"
#include "regress/fuzz/session_fuzz.h"

#define REPLY_LINE	512	/* R5321-4.2-a */
#define SASL_LINE	12288

enum mode {
	MODE_GREETING,
	MODE_COMMAND,
	MODE_SASL,
	MODE_DATA,
	MODE_TLS,		/* 220: the handshake is ours to begin */
	MODE_OVER		/* nothing more may come */
};

enum kind { UNIT_COMMAND, UNIT_RESPONSE, UNIT_MESSAGE, UNIT_LAST_CHUNK };

struct unit {
	enum kind	 kind;
	enum verb	 verb;
	bool		 too_long;
	size_t		 len;
};

struct reply_line {
	unsigned int	 code;
	char		 sep;
	char		 enhanced[12];	/* or "" */
	struct slice	 text;
};

static struct {
	enum mode	 mode;
	bool		 proxied;
	char		*sent;
	size_t		 nsent, cap;
	size_t		 pos;		/* of what is not answered yet */
	char		 in[65536];
	size_t		 nin;
	struct reply_line first;	/* of the reply under way */
	bool		 open;		/* a line with "-" came */
} c;

void
client_begin(bool proxied)
{
	c.mode = MODE_GREETING;
	c.proxied = proxied;
	c.nsent = c.pos = c.nin = 0;
	c.open = false;
}

void
client_end(void)
{
	if (c.nin > 0)
		broken("a reply ends in CRLF", "octets are left over");
}

void
client_sent(const void *p, size_t n)
{
	if (c.nsent + n > c.cap) {
		c.cap = (c.nsent + n) * 2;
		if ((c.sent = realloc(c.sent, c.cap)) == NULL)
			abort();
	}
	memcpy(c.sent + c.nsent, p, n);
	c.nsent += n;
}

bool
client_wants_tls(void)
{
	return c.mode == MODE_TLS;
}

void
client_began_tls(void)
{
	c.mode = MODE_COMMAND;
}

bool
client_is_over(void)
{
	return c.mode == MODE_OVER;
}

/* --- what was sent, as units --- */

static bool
command_unit(struct slice in, struct unit *u)
{
	const char	*crlf = memmem(in.p, in.len, "\r\n", 2);
	struct command	 cmd;
	struct slice	 line;
	uint64_t	 n;
	bool		 last;

	if (crlf == NULL)
		return false;
	line = SLICE(in.p, crlf - in.p);
	u->len = line.len + 2;
	u->too_long = u->len > (command_is_auth(line) ? SASL_LINE :
	    COMMAND_LINE_MAX);
	if (u->too_long)
		return true;
	command_parse(line, &cmd);
	u->verb = cmd.verb;
	if (cmd.verb == VERB_BDAT && command_bdat(cmd.args, &n, &last)) {
		if (n > in.len - u->len)
			return false;
		u->len += (size_t)n;
		if (last)
			u->kind = UNIT_LAST_CHUNK;
	}
	return true;
}

static bool
message_unit(struct slice in, struct unit *u)
{
	const char	*end = memmem(in.p, in.len, "\r\n.\r\n", 5);

	u->kind = UNIT_MESSAGE;
	if (in.len >= 3 && memcmp(in.p, ".\r\n", 3) == 0)
		u->len = 3;
	else if (end != NULL)
		u->len = (size_t)(end - in.p) + 5;
	else
		return false;
	return true;
}

/* The next unit that has to be answered; false when it is not whole. */
static bool
next_unit(struct unit *u)
{
	struct slice	 in;
	const char	*crlf;

	memset(u, 0, sizeof(*u));
	if (c.nsent == c.pos)
		return false;
	in = SLICE(c.sent + c.pos, c.nsent - c.pos);
	switch (c.mode) {
	case MODE_COMMAND:
		return command_unit(in, u);
	case MODE_SASL:
		u->kind = UNIT_RESPONSE;
		if ((crlf = memmem(in.p, in.len, "\r\n", 2)) == NULL)
			return false;
		u->len = (size_t)(crlf - in.p) + 2;
		u->too_long = u->len > SASL_LINE;
		return true;
	case MODE_DATA:
		return message_unit(in, u);
	default:
		return false;
	}
}

void
client_settled(void)
{
	struct unit	u;

	if (next_unit(&u))
		broken("every command has a reply", "one has none");
}

/* --- replies --- */

/* Codes that say yes to a command, and their enhanced codes. */
static const struct {
	enum verb	 verb;
	unsigned int	 code;
	const char	*enhanced;
} yes[] = {
	{ VERB_EHLO, 250, "" }, { VERB_HELO, 250, "" },
	{ VERB_STARTTLS, 220, "2.0.0" }, { VERB_AUTH, 235, "2.7.0" },
	{ VERB_AUTH, 334, "" }, { VERB_MAIL, 250, "2.1.0" },
	{ VERB_MAIL, 250, "2.3.6" },
	{ VERB_RCPT, 250, "2.1.5" }, { VERB_DATA, 354, "" },
	{ VERB_BDAT, 250, "2.0.0" }, { VERB_RSET, 250, "2.0.0" },
	{ VERB_NOOP, 250, "2.0.0" }, { VERB_VRFY, 252, "2.5.0" },
	{ VERB_HELP, 214, "2.0.0" }, { VERB_QUIT, 221, "2.0.0" },
};

static bool
may_say_yes(const struct unit *u, const struct reply_line *r)
{
	enum verb	verb = u->verb;
	size_t		i;

	if (u->too_long)
		return false;
	if (u->kind == UNIT_RESPONSE)
		verb = VERB_AUTH;
	else if (u->kind == UNIT_MESSAGE)
		verb = VERB_BDAT;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (yes[i].verb == verb && yes[i].code == r->code &&
		    strcmp(yes[i].enhanced, r->enhanced) == 0)
			return true;
	return false;
}

/* 250 behind a message: the queue has made durable what it names. */
static void
accepted(const struct reply_line *r)
{
	size_t	n = strlen(peers.qid);

	if (n == 0 || r->text.len < n ||
	    memcmp(r->text.p + r->text.len - n, peers.qid, n) != 0)
		broken("250 means durable", "the queue has not said so");
	peers.qid[0] = '\0';
}

/* The yes came; it has to have a cause. */
static void
said_yes(const struct unit *u, const struct reply_line *r)
{
	if (u->kind == UNIT_MESSAGE || u->kind == UNIT_LAST_CHUNK)
		accepted(r);
	else if (memmem(r->text.p, r->text.len, "queued", 6) != NULL)
		broken("one reply for one message", "250 for a command");
	if (u->kind != UNIT_COMMAND)
		return;
	if (u->verb == VERB_MAIL && peers.mail_ok-- == 0)
		broken("MAIL is the queue's to grant", "it did not");
	if (u->verb == VERB_RCPT && peers.rcpt_ok-- == 0)
		broken("RCPT is the queue's to grant", "it did not");
}

static enum mode
mode_after(unsigned int code)
{
	switch (code) {
	case 220:
		return MODE_TLS;
	case 221:
	case 421:
		return MODE_OVER;
	case 334:
		return MODE_SASL;
	case 354:
		return MODE_DATA;
	default:
		return MODE_COMMAND;
	}
}

static void
greeted(const struct reply_line *r)
{
	struct proxy	px;

	if ((r->code != 220 && r->code != 421 && r->code != 554) ||
	    r->enhanced[0] != '\0')
		broken("the first reply is a greeting", "");
	c.mode = r->code == 421 ? MODE_OVER : MODE_COMMAND;
	if (!c.proxied)
		return;
	if (proxy_parse(SLICE(c.sent, c.nsent), PROXY_V1 | PROXY_V2, &px) !=
	    PROXY_DONE)
		broken("no greeting before the PROXY header", "");
	c.pos = px.len;
}

/* A whole reply; r is its last line. */
static void
replied(const struct reply_line *r)
{
	struct unit	u;

	if (c.mode == MODE_OVER || c.mode == MODE_TLS)
		broken("nothing follows the last word", "a reply does");
	if (c.mode == MODE_GREETING) {
		greeted(r);
		return;
	}
	if (r->code == 421) {
		c.mode = MODE_OVER;
		return;
	}
	if (!next_unit(&u))
		broken("a reply has a command", "none was sent");
	if (r->code < 400) {
		if (!may_say_yes(&u, r))
			broken("the reply is one to the command", "");
		said_yes(&u, r);
	}
	if (u.too_long && r->code != 500 && r->code != 454)
		broken("a line too long is 500", "");
	c.pos += u.len;
	c.mode = mode_after(r->code);
	if (c.mode == MODE_TLS)		/* R3207-6-a */
		c.pos = c.nsent;
}

/* Take "C.S.D " off the text when it is there. */
static void
take_enhanced(struct reply_line *r)
{
	const char	*p = memchr(r->text.p, ' ', r->text.len);
	size_t		 i, dots = 0, n;

	n = p == NULL ? r->text.len : (size_t)(p - r->text.p);
	if (n < 5 || n >= sizeof(r->enhanced))
		return;
	for (i = 0; i < n; i++) {
		if (r->text.p[i] == '.')
			dots++;
		else if (!isdigit((unsigned char)r->text.p[i]))
			return;
	}
	if (dots != 2 || r->text.p[1] != '.')
		return;
	memcpy(r->enhanced, r->text.p, n);
	r->enhanced[n] = '\0';
	r->text = slice_from(r->text, n + 1);
}

/* Cut " (SESSION)" off: what the sentence says is before it. */
static void
parse_line(struct slice line, struct reply_line *r)
{
	size_t	i;

	memset(r, 0, sizeof(*r));
	if (line.len < 4)
		broken("a reply has a code", "");
	for (i = 0; i < 3; i++)
		if (!isdigit((unsigned char)line.p[i]))
			broken("a reply has a code", "");
	r->code = (unsigned int)(line.p[0] - '0') * 100 +
	    (unsigned int)(line.p[1] - '0') * 10 +
	    (unsigned int)(line.p[2] - '0');
	r->sep = line.p[3];
	if (r->code < 200 || r->code > 559 || r->code == 521 ||
	    (r->sep != ' ' && r->sep != '-'))
		broken("a reply has a code", "");
	for (i = 0; i < line.len; i++)
		if (line.p[i] < ' ' || line.p[i] > '~')
			broken("a reply is printable ASCII", "");
	if (line.len + 2 > (r->code == 334 ? SASL_LINE : REPLY_LINE))
		broken("a reply line has 512 octets", "");
	r->text = slice_from(line, 4);
	if (c.mode != MODE_GREETING && r->code / 100 != 3)
		take_enhanced(r);
	if (r->enhanced[0] != '\0' && r->enhanced[0] != line.p[0])
		broken("the classes of both codes are equal", "");
}

static void
got_line(struct slice line)
{
	struct reply_line	r;

	parse_line(line, &r);
	if (c.open && (r.code != c.first.code ||
	    strcmp(r.enhanced, c.first.enhanced) != 0))
		broken("the lines of a reply have one code", "");
	if (!c.open)
		c.first = r;
	c.open = r.sep == '-';
	if (!c.open)
		replied(&r);
}

void
client_got(const void *p, size_t n)
{
	const char	*lf;
	size_t		 len, off = 0;

	if (n > sizeof(c.in) - c.nin)
		broken("replies are bounded", "");
	memcpy(c.in + c.nin, p, n);
	c.nin += n;
	while ((lf = memchr(c.in + off, '\n', c.nin - off)) != NULL) {
		len = (size_t)(lf - (c.in + off));
		if (len == 0 || lf[-1] != '\r')
			broken("a reply ends in CRLF", "");
		got_line(SLICE(c.in + off, len - 1));
		off += len + 1;
	}
	memmove(c.in, c.in + off, c.nin - off);
	c.nin -= off;
}
