/*
 * Command lines of SMTP: verbs and arguments (RFC 5321 section 4.1); the
 * parameters of MAIL and RCPT are the work of common/params.c. Part of the
 * front-end; everything here comes from the client and nothing is trusted.
 * Pure functions on slices: no state, no memory, one verdict.
 */

#include "common/idna.h"
#include "common/mailbox.h"
#include "msad/frontend/command.h"

struct verb_name {
	const char	*name;
	enum verb	 verb;
};

static const struct verb_name verbs[] = {
	{ "MAIL", VERB_MAIL },
	{ "RCPT", VERB_RCPT },
	{ "DATA", VERB_DATA },
	{ "BDAT", VERB_BDAT },
	{ "EHLO", VERB_EHLO },
	{ "AUTH", VERB_AUTH },
	{ "QUIT", VERB_QUIT },
	{ "RSET", VERB_RSET },
	{ "NOOP", VERB_NOOP },
	{ "STARTTLS", VERB_STARTTLS },
	{ "HELO", VERB_HELO },
	{ "VRFY", VERB_VRFY },
	{ "HELP", VERB_HELP },
	{ "EXPN", VERB_UNIMPLEMENTED },
	{ "ETRN", VERB_UNIMPLEMENTED },
	{ "ATRN", VERB_UNIMPLEMENTED },
	{ "SEND", VERB_UNIMPLEMENTED },
	{ "SOML", VERB_UNIMPLEMENTED },
	{ "SAML", VERB_UNIMPLEMENTED },
	{ "TURN", VERB_UNIMPLEMENTED },
};

static bool
starts_nocase(struct slice s, const char *prefix)
{
	size_t	n = strlen(prefix);

	return s.len >= n && strncasecmp(s.p, prefix, n) == 0;
}

bool
command_is_http(struct slice line)
{
	static const char *const	words[] = {
		"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "CONNECT ",
		"Host:"
	};
	size_t				i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (starts_nocase(line, words[i]))
			return true;
	return false;
}

bool
command_is_auth(struct slice line)
{
	return starts_nocase(line, "AUTH ");
}

/* Are all octets of s printable ASCII, blank or tab? */
static bool
printable(struct slice s)
{
	size_t		 i;
	unsigned char	 c;

	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.p[i];
		if ((c < 32 && c != '\t') || c > 126)
			return false;
	}
	return true;
}

static bool
has_8bit(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

/* The same, octets above 127 too. */
static bool
printable_8bit(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < 32 && s.p[i] != '\t') ||
		    s.p[i] == 127)
			return false;
	return true;
}

/* UTF-8, and SMTPUTF8 behind it (RFC 6531 section 3.7.4.2). */
static bool
vrfy_octets_ok(struct slice args)
{
	if (printable(args))
		return true;
	return args.len > 9 && slice_is_nocase(
	    slice_from(args, args.len - 9), " SMTPUTF8") &&
	    printable_8bit(args) && mailbox_utf8_ok(args);
}

/* No octet that is wrong anywhere in a line: NUL, bare CR, bare LF. */
static bool
framing_ok(struct slice s)
{
	return memchr(s.p, '\0', s.len) == NULL &&
	    memchr(s.p, '\r', s.len) == NULL &&
	    memchr(s.p, '\n', s.len) == NULL;
}

/*
 * Check the octets of the arguments. A path of MAIL and RCPT and the name of
 * EHLO have their own replies for what they may not hold; an ORCPT may hold
 * UTF-8.
 */
static bool
octets_ok(enum verb verb, struct slice args)
{
	const char	*lt, *gt;

	if (verb == VERB_EHLO || verb == VERB_HELO || verb == VERB_BDAT)
		return true;
	if (verb == VERB_VRFY)
		return vrfy_octets_ok(args);
	if (verb != VERB_MAIL && verb != VERB_RCPT)
		return printable(args);
	if ((lt = memchr(args.p, '<', args.len)) == NULL)
		return printable(args);
	gt = memrchr(lt, '>', args.len - (size_t)(lt - args.p));
	if (!printable(SLICE(args.p, (size_t)(lt - args.p))) || gt == NULL)
		return printable(SLICE(args.p, (size_t)(lt - args.p)));
	args = slice_from(args, (size_t)(gt - args.p));
	return verb == VERB_RCPT ? printable_8bit(args) : printable(args);
}

static enum verb
verb_find(struct slice word)
{
	size_t	i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (slice_is_nocase(word, verbs[i].name))
			return verbs[i].verb;
	return VERB_UNKNOWN;
}

void
command_parse(struct slice line, struct command *cmd)
{
	const char	*sp;
	size_t		 n;

	cmd->args = SLICE(line.p + line.len, 0);
	if (command_is_http(line)) {
		cmd->verb = VERB_HTTP;
		return;
	}
	if (line.len == 0 || !framing_ok(line)) {
		cmd->verb = VERB_BAD;
		return;
	}
	while (line.len > 0 && (line.p[line.len - 1] == ' ' ||
	    line.p[line.len - 1] == '\t'))
		line.len--;
	sp = memchr(line.p, ' ', line.len);
	n = sp == NULL ? line.len : (size_t)(sp - line.p);
	cmd->verb = verb_find(SLICE(line.p, n));
	for (; n < line.len && line.p[n] == ' '; n++)
		;
	cmd->args = slice_from(line, n);
	if (!octets_ok(cmd->verb, cmd->args))
		cmd->verb = VERB_BAD;
}

/*
 * After "FROM:" or "TO:" with at most one blank behind it (R5321-3.3-c): 0,
 * or -1 when the word is not there.
 */
static int
path_word(struct slice *args, const char *word)
{
	if (!starts_nocase(*args, word))
		return -1;
	*args = slice_from(*args, strlen(word));
	if (args->len > 0 && args->p[0] == ' ')
		*args = slice_from(*args, 1);
	return 0;
}

/*
 * Does the path that args begin with hold octets above 127? used octets are
 * its length, 0: its end is not known.
 */
static bool
path_8bit(struct slice args, size_t used)
{
	const char	*gt;

	if (used == 0) {
		gt = args.len == 0 ? NULL : memchr(args.p, '>', args.len);
		used = gt == NULL ? args.len : (size_t)(gt - args.p);
	}
	return has_8bit(SLICE(args.p, used));
}

/* What follows the path; used is 0 when its end is not where it has to be. */
static struct slice
behind_path(struct slice args, size_t used)
{
	const char	*gt;

	if (used == 0 && args.len > 0 &&
	    (gt = memrchr(args.p, '>', args.len)) != NULL)
		used = (size_t)(gt - args.p) + 1;
	return slice_from(args, used);
}

/* What a verdict on parameters is answered with. */
static enum reply
params_reply(enum params_verdict v)
{
	switch (v) {
	case PARAMS_OK:
		return REPLY_NONE;
	case PARAMS_UNKNOWN:
		return REPLY_UNKNOWN_PARAMETER;
	case PARAMS_BAD_PRIORITY:
		return REPLY_BAD_PRIORITY;
	default:
		return REPLY_BAD_PARAMETER;
	}
}

/* A domain of one label is not complete (R6409-4.2-a); a literal is. */
static bool
domain_short(const struct address *a)
{
	return a->domain.len > 0 && a->domain.p[0] != '[' &&
	    memchr(a->domain.p, '.', a->domain.len) == NULL;
}

enum reply
command_mail(struct slice args, unsigned int extensions,
    struct mail_args *mail)
{
	struct address		a;
	enum address_verdict	v;
	enum reply		r;
	struct slice		rest;
	size_t			used = 0;

	memset(mail, 0, sizeof(*mail));
	if (path_word(&args, "FROM:") == -1)
		return REPLY_BAD_SYNTAX;
	v = address_parse_path_utf8(args, &a, &mail->path, &used);
	rest = behind_path(args, used);
	r = rest.len > 0 && rest.p[0] != ' ' ? REPLY_BAD_PARAMETER :
	    params_reply(params_mail(rest, extensions, &mail->params));
	if (!mail->params.smtputf8 && path_8bit(args, used))
		return REPLY_SENDER_8BIT;
	if (v == ADDRESS_BAD || (v == ADDRESS_OK && (a.domain.len == 0 ||
	    !idna_address_ok(&a))))
		return REPLY_BAD_SENDER;
	if (r != REPLY_NONE)
		return r;
	if (v == ADDRESS_OK && domain_short(&a))
		return REPLY_SENDER_SHORT;
	return REPLY_NONE;
}

enum reply
command_rcpt(struct slice args, unsigned int extensions,
    struct rcpt_args *rcpt)
{
	struct address	a;
	struct slice	rest;
	enum reply	r;
	size_t		used = 0;
	bool		utf8 = extensions & EXT_SMTPUTF8, good;

	memset(rcpt, 0, sizeof(*rcpt));

	if (path_word(&args, "TO:") == -1)
		return REPLY_BAD_SYNTAX;
	good = address_parse_path_utf8(args, &a, &rcpt->path, &used) ==
	    ADDRESS_OK;
	if (!utf8 && path_8bit(args, used))
		return REPLY_RCPT_8BIT;
	if (!good || !idna_address_ok(&a))
		return REPLY_BAD_RCPT;
	rest = slice_from(args, used);
	if (!utf8 && has_8bit(rest))
		return REPLY_BAD_LINE;
	if (rest.len > 0 && rest.p[0] != ' ')
		return REPLY_BAD_PARAMETER;
	r = params_reply(params_rcpt(rest, extensions, &rcpt->params));
	if (r != REPLY_NONE)
		return r;
	return domain_short(&a) ? REPLY_RCPT_SHORT : REPLY_NONE;
}

enum reply
command_helo(struct slice args)
{
	size_t	i;

	if (args.len == 0 || args.len > 255)
		return REPLY_BAD_HELO;
	if (args.p[0] == '[')
		return address_domain_ok(args, true) ? REPLY_NONE :
		    REPLY_BAD_HELO;
	for (i = 0; i < args.len; i++)
		if (args.p[i] < 33 || args.p[i] > 126)
			return REPLY_BAD_HELO;
	return REPLY_NONE;
}

bool
command_bdat(struct slice args, uint64_t *size, bool *last)
{
	uint64_t	n = 0;
	unsigned int	digit;
	size_t		i;

	for (i = 0; i < args.len && args.p[i] >= '0' && args.p[i] <= '9';
	    i++) {
		digit = (unsigned int)(args.p[i] - '0');
		if (i == 20 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (i == 0 || (i < args.len && args.p[i] != ' '))
		return false;
	while (i < args.len && args.p[i] == ' ')
		i++;
	args = slice_from(args, i);
	*size = n;
	*last = args.len > 0;
	return args.len == 0 || slice_is_nocase(args, "LAST");
}

enum reply
command_auth(struct slice args, struct auth_args *auth)
{
	size_t	n;

	for (n = 0; n < args.len && args.p[n] != ' '; n++)
		;
	if (n == 0 || n > 20)
		return n == 0 ? REPLY_BAD_PARAMETER : REPLY_BAD_MECHANISM;
	auth->mechanism = SLICE(args.p, n);
	auth->has_initial = n < args.len;
	auth->initial = slice_from(args, n + 1);
	return REPLY_NONE;
}
