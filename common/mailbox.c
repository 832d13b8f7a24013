/*
 * Address lists of header fields (RFC 5322 section 3.4, RFC 6854): names,
 * comments nested to 32, quoted strings, groups, domain literals, and what is
 * obsolete: routes, comments and blanks around dots, empty list members. Used
 * by msad-frontend and msad-queue. Takes octets from outside; pure; allocates
 * nothing.
 *
 * Linear: one index goes through the body and never back. The reader is
 * strict where readers are known to differ: what one program takes for an
 * address must not be a name or a comment to the next.
 */
#include <string.h>

#include "common/mailbox.h"

static const char bad_utf8[] = "octets that are not UTF-8";

/* What the words in front of '@', '<', ':' or ',' were. */
struct words {
	size_t	 start, end;		/* in the body */
	size_t	 n;
	char	 local[MAILBOX_LOCAL_MAX];
	size_t	 len;
	bool	 toolong;
	bool	 dotted;		/* the last token was a dot */
	bool	 not_local;		/* words without a dot between */
	bool	 dots;			/* a dot outside quotes */
	bool	 quoted;
	bool	 spaced;		/* blanks or comments within */
	bool	 eightbit;
};

static bool
is_atext(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c >= 0x80 || (c > 32 && c < 127 &&
	    strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static int
fail(struct mailbox_list *l, const char *reason)
{
	l->reason = reason;
	return -1;
}

/* The next octet, or -1 at the end. */
static int
peek(const struct mailbox_list *l)
{
	return l->i < l->body.len ? (unsigned char)l->body.p[l->i] : -1;
}

/* At a CR or LF: take it when it is that of a fold. */
static int
fold(struct mailbox_list *l)
{
	const char	*p = l->body.p + l->i;
	size_t		 n = l->body.len - l->i;

	if (n < 3 || p[0] != '\r' || p[1] != '\n' ||
	    (p[2] != ' ' && p[2] != '\t'))
		return fail(l, "a line end that is no fold");
	l->i += 2;
	return 0;
}

bool
mailbox_utf8_ok(struct slice s)
{
	size_t		 i, k, n;
	unsigned char	 c, d;

	for (i = 0; i < s.len; i += n) {
		c = (unsigned char)s.p[i];
		n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 :
		    c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
		if (n == 0 || n > s.len - i)
			return false;
		for (k = 1; k < n; k++)
			if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
				return false;
		d = n > 1 ? (unsigned char)s.p[i + 1] : 0;
		if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) ||
		    (c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f) ||
		    (c == 0xc2 && d < 0xa0))	/* C1 controls */
			return false;
	}
	return true;
}

void
mailbox_begin(struct mailbox_list *l, struct slice body, bool utf8)
{
	memset(l, 0, sizeof(*l));
	if (body.len >= 2 && memcmp(body.p + body.len - 2, "\r\n", 2) == 0)
		body.len -= 2;
	l->body = body;
	l->utf8 = utf8;
	if (!mailbox_utf8_ok(body))
		l->reason = bad_utf8;
}

static int
comment(struct mailbox_list *l)
{
	size_t		start = l->i;
	unsigned int	depth = 0;
	int		c;

	for (; (c = peek(l)) != -1; l->i++) {
		if (c == '\\') {
			l->i++;
			if ((c = peek(l)) < 32 && c != '\t')
				break;
		} else if (c == '\r' || c == '\n') {
			if (fold(l) == -1)
				return -1;
		} else if (c == '(' && ++depth > MAILBOX_COMMENT_DEPTH)
			return fail(l, "comments nested deeper than 32");
		else if (c == ')' && --depth == 0) {
			l->i++;
			l->comment = SLICE(l->body.p + start, l->i - start);
			return 0;
		} else if ((c < 32 && c != '\t') || c == 127)
			return fail(l, "a control character in a comment");
		if (c >= 0x80 && !l->utf8)
			return fail(l, "characters outside ASCII in a comment");
	}
	return fail(l, "a comment without its end");
}

/* Skip blanks, folds and comments; 1 when there were any, -1: broken. */
static int
cfws(struct mailbox_list *l)
{
	size_t	start = l->i;
	int	c;

	while ((c = peek(l)) != -1) {
		if (c == ' ' || c == '\t')
			l->i++;
		else if (c == '\r' || c == '\n') {
			if (fold(l) == -1)
				return -1;
		} else if (c == '(') {
			if (comment(l) == -1)
				return -1;
		} else
			break;
	}
	return l->i != start;
}

static void
local_add(struct words *w, int c)
{
	if (w->len == sizeof(w->local))
		w->toolong = true;
	else
		w->local[w->len++] = (char)c;
	if (c >= 0x80)
		w->eightbit = true;
}

static int
quoted(struct mailbox_list *l, struct words *w)
{
	int	c;

	w->quoted = true;
	for (l->i++; (c = peek(l)) != -1; l->i++) {
		if (c == '"') {
			l->i++;
			return 0;
		}
		if (c == '\r' || c == '\n') {
			if (fold(l) == -1)
				return -1;
			w->spaced = true;
			c = peek(l);
		} else if (c == '\\') {
			l->i++;
			if ((c = peek(l)) == -1)
				break;
			w->quoted = true;
		}
		if ((c < 32 && c != '\t') || c == 127)
			return fail(l,
			    "a control character in a quoted string");
		local_add(w, c);
	}
	return fail(l, "a quoted string without its end");
}

static void
atom(struct mailbox_list *l, struct words *w)
{
	int	c;

	for (; (c = peek(l)) != -1 && is_atext((unsigned char)c); l->i++)
		local_add(w, c);
}

/* Words and dots, up to what is neither. */
static int
words(struct mailbox_list *l, struct words *w)
{
	bool	gap = false;
	int	c, r;

	w->n = 0;
	w->len = 0;
	w->toolong = w->dotted = w->not_local = w->dots = w->quoted = false;
	w->spaced = w->eightbit = false;
	w->start = w->end = l->i;
	while ((c = peek(l)) == '"' || c == '.' ||
	    (c != -1 && is_atext((unsigned char)c))) {
		if (gap)
			w->spaced = true;
		if (c == '.') {
			if (w->n == 0 || w->dotted)
				w->not_local = true;
			w->dotted = w->dots = true;
			local_add(w, c);
			l->i++;
		} else {
			if (w->n > 0 && !w->dotted)
				w->not_local = true;
			w->dotted = false;
			w->n++;
			if (c != '"')
				atom(l, w);
			else if (quoted(l, w) == -1)
				return -1;
		}
		w->end = l->i;
		if ((r = cfws(l)) == -1)
			return -1;
		gap = r == 1;
	}
	if (w->dotted)
		w->not_local = true;
	return gap;
}

/* Is it atoms with single dots between? */
static bool
is_dot_atom(const char *p, size_t n)
{
	size_t	i, run = 0;

	for (i = 0; i < n; i++) {
		if (is_atext((unsigned char)p[i]))
			run++;
		else if (p[i] == '.' && run > 0)
			run = 0;
		else
			return false;
	}
	return run > 0;
}

/* Put the local part into m, with the least quoting. */
static int
put_local(struct mailbox_list *l, const struct words *w, struct mailbox *m)
{
	size_t	i;
	bool	quote;

	if (w->n == 0 || w->not_local)
		return fail(l, "an address that does not begin with a name "
		    "before its @");
	if (w->toolong)
		return fail(l, "more than 64 octets before the @");
	if (w->eightbit && !l->utf8)
		return fail(l, "an address with characters outside ASCII");
	quote = !is_dot_atom(w->local, w->len);
	if (quote)
		m->addr[m->len++] = '"';
	for (i = 0; i < w->len; i++) {
		if (quote && (w->local[i] == '"' || w->local[i] == '\\'))
			m->addr[m->len++] = '\\';
		m->addr[m->len++] = w->local[i];
	}
	if (quote)
		m->addr[m->len++] = '"';
	m->at = m->len;
	m->obsolete = m->obsolete || w->spaced || (w->quoted && w->n > 1);
	return 0;
}

static int
put_domain(struct mailbox_list *l, struct mailbox *m, int c)
{
	if (m->len - m->at - 1 == MAILBOX_DOMAIN_MAX)
		return fail(l, "a domain longer than 255 octets");
	if (c >= 0x80 && !l->utf8)
		return fail(l, "an address with characters outside ASCII");
	m->addr[m->len++] = (char)c;
	return 0;
}

static int
literal(struct mailbox_list *l, struct mailbox *m)
{
	int	c;

	if (put_domain(l, m, '[') == -1)
		return -1;
	for (l->i++; (c = peek(l)) != -1; l->i++) {
		if (c == '\r' || c == '\n') {
			if (fold(l) == -1)
				return -1;
			c = ' ';
		}
		if (c == ' ' || c == '\t') {
			m->obsolete = true;
			continue;
		}
		if (c < 33 || c > 126 || c == '[' || c == '\\')
			break;
		if (put_domain(l, m, c) == -1)
			return -1;
		if (c == ']') {
			l->i++;
			return 0;
		}
	}
	return fail(l, "a domain literal that is not valid");
}

/* What follows '@', without blanks behind it. */
static int
domain(struct mailbox_list *l, struct mailbox *m)
{
	int	c, r;

	l->i++;
	m->addr[m->len++] = '@';
	for (;;) {
		if ((r = cfws(l)) == -1)
			return -1;
		m->obsolete = m->obsolete || r == 1;
		if ((c = peek(l)) == '[' && m->len == m->at + 1)
			return literal(l, m);
		if (c == -1 || !is_atext((unsigned char)c))
			return fail(l, "an address without a domain behind "
			    "its @");
		for (; (c = peek(l)) != -1 && is_atext((unsigned char)c);
		    l->i++)
			if (put_domain(l, m, c) == -1)
				return -1;
		if ((r = cfws(l)) == -1)
			return -1;
		if (peek(l) != '.')
			return 0;
		m->obsolete = m->obsolete || r == 1;
		if (put_domain(l, m, '.') == -1)
			return -1;
		l->i++;
	}
}

/* The obsolete route "@a,@b:" behind '<', to be dropped. */
static int
route(struct mailbox_list *l, struct mailbox *m)
{
	int	c;

	m->obsolete = true;
	for (;;) {
		while (peek(l) == ',') {
			l->i++;
			if (cfws(l) == -1)
				return -1;
		}
		if (peek(l) != '@')
			return fail(l, "a source route that is not valid");
		m->at = m->len = 0;
		if (domain(l, m) == -1)
			return -1;
		if ((c = peek(l)) == ':')
			break;
		if (c != ',')
			return fail(l, "a source route that is not valid");
	}
	l->i++;
	m->at = m->len = 0;
	return cfws(l);
}

/* "<...>" behind the name. */
static int
angle(struct mailbox_list *l, struct mailbox *m)
{
	struct words	w;
	size_t		start;
	int		r;

	m->angle = true;
	l->i++;
	if ((r = cfws(l)) == -1)
		return -1;
	if (r == 1)
		m->obsolete = true;
	if ((peek(l) == '@' || peek(l) == ',') && route(l, m) == -1)
		return -1;
	if (peek(l) == '>')
		return fail(l, "empty angle brackets");
	if ((r = words(l, &w)) == -1 || put_local(l, &w, m) == -1)
		return -1;
	m->obsolete = m->obsolete || r == 1;
	if (peek(l) == '@') {
		start = l->i;
		if (domain(l, m) == -1)
			return -1;
		/* Without blanks what was read is what was put. */
		if (l->i - start != m->len - m->at)
			m->obsolete = true;
	}
	if (peek(l) != '>')
		return fail(l, "an address without its closing bracket");
	l->i++;
	return 0;
}

static int
group(struct mailbox_list *l, const struct words *w, struct mailbox *m)
{
	if (w->n == 0)
		return fail(l, "a group without a name");
	if (l->group)
		return fail(l, "a group within a group");
	m->kind = MAILBOX_GROUP;
	l->group = true;
	l->item = l->comma = false;
	l->i++;
	return 1;
}

static int
item(struct mailbox_list *l, struct mailbox *m)
{
	struct words	w;
	int		c, r;

	l->comment.len = 0;
	if ((r = words(l, &w)) == -1)
		return -1;
	c = peek(l);
	if (c == ':' || c == '<') {
		m->phrase = SLICE(l->body.p + w.start, w.end - w.start);
		m->eightbit = w.eightbit;
		/* Dots of encoded words are common and harmless. */
		m->obsolete = w.dots && memmem(m->phrase.p, m->phrase.len,
		    "=?", 2) == NULL;
		if (c == ':')
			return group(l, &w, m);
		if (angle(l, m) == -1)
			return -1;
	} else if (c == '@' || (w.n > 0 && (c == ',' || c == ';' ||
	    c == -1))) {
		if (put_local(l, &w, m) == -1)
			return -1;
		m->obsolete = m->obsolete || (c == '@' && r == 1);
		if (c == '@' && domain(l, m) == -1)
			return -1;
	} else
		return fail(l, "an address that cannot be read");
	if (cfws(l) == -1)
		return -1;
	m->comment = l->comment;
	m->addr[m->len] = '\0';
	l->item = true;
	l->comma = false;
	return 1;
}

int
mailbox_next(struct mailbox_list *l, struct mailbox *m)
{
	int	c;

	memset(m, 0, offsetof(struct mailbox, addr) + 1);
	m->at = m->len = 0;
	if (l->reason != NULL)
		return -1;
	for (;;) {
		if (cfws(l) == -1)
			return -1;
		if ((c = peek(l)) == ',') {
			if (!l->item)
				l->obsolete = true;
			l->item = false;
			l->comma = true;
			l->i++;
			continue;
		}
		if (c == -1 || c == ';') {
			if (l->comma)
				l->obsolete = true;
			break;
		}
		if (l->item)
			return fail(l, "addresses without a comma between");
		return item(l, m);
	}
	if (c == -1)
		return l->group ? fail(l, "a group without its semicolon") : 0;
	if (!l->group)
		return fail(l, "a semicolon outside a group");
	l->i++;
	l->group = l->comma = false;
	l->item = true;
	m->kind = MAILBOX_GROUP_END;
	return 1;
}

size_t
mailbox_phrase(struct slice s, char *out)
{
	size_t	i, n = 0;
	int	depth = 0;
	bool	quote = false, gap = false;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n')
			continue;
		if (depth > 0 || (!quote && s.p[i] == '(')) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '(')
				depth++;
			else if (s.p[i] == ')')
				depth--;
			gap = true;
			continue;
		}
		if (s.p[i] == '"') {
			quote = !quote;
			continue;
		}
		if (!quote && (s.p[i] == ' ' || s.p[i] == '\t')) {
			gap = true;
			continue;
		}
		if (quote && s.p[i] == '\\' && i + 1 < s.len)
			i++;
		if (gap && n > 0 && n < i)
			out[n++] = ' ';
		gap = false;
		out[n++] = s.p[i];
	}
	return n;
}
