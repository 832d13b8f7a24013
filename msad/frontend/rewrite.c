/*
 * Fields that cannot stay as the client wrote them: addresses in obsolete
 * form or without a complete domain are written anew (RFC 5322 section 4.4,
 * RFC 6409 section 4.2), UTF-8 in names and in unstructured text becomes
 * encoded words (RFC 2047). Part of the front-end, called by submission.c;
 * pure but for memory. The fields come from the client.
 */

#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "common/idna.h"
#include "common/mailbox.h"
#include "common/rfc2047.h"
#include "msad/frontend/rewrite.h"

#define LINE_LONG	500	/* fold behind a name of this length */

static bool
out_room(struct rewrite_out *o, size_t n)
{
	size_t	 cap = o->cap == 0 ? 1024 : o->cap;
	char	*p;

	if (o->full || n > header_limits.section - o->len) {
		o->full = true;
		return false;
	}
	while (cap - o->len < n)
		cap *= 2;
	if (cap != o->cap) {
		if ((p = realloc(o->p, cap)) == NULL) {
			o->full = true;
			return false;
		}
		o->p = p;
		o->cap = cap;
	}
	return true;
}

void
rewrite_put(struct rewrite_out *o, const char *p, size_t n)
{
	if (!out_room(o, n))
		return;
	memcpy(o->p + o->len, p, n);
	o->len += n;
}

static void
put_str(struct rewrite_out *o, const char *s)
{
	rewrite_put(o, s, strlen(s));
}

/* Is the line of n octets with CRLF nothing but white space? */
static bool
blank_line(const char *p, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			return false;
	return true;
}

void
rewrite_body(struct rewrite_out *o, struct slice body)
{
	const char	*lf;
	size_t		 n;
	bool		 first = true;

	while (body.len > 0) {
		lf = memchr(body.p, '\n', body.len);
		n = lf == NULL ? body.len : (size_t)(lf - body.p) + 1;
		if (first || !blank_line(body.p, n))
			rewrite_put(o, body.p, n);
		first = false;
		body = slice_from(body, n);
	}
}

/* The domain of m when it is not complete: a label, or ""; else false. */
static bool
is_short(const struct mailbox *m, struct slice *label)
{
	*label = SLICE(m->addr + m->len, 0);
	if (m->at < m->len)
		*label = SLICE(m->addr + m->at + 1, m->len - m->at - 1);
	return label->len == 0 || (label->p[0] != '[' &&
	    memchr(label->p, '.', label->len) == NULL);
}

/* What goes behind the incomplete label; NULL: nothing is configured. */
static const char *
completion(const struct rewrite_rules *rules, struct slice label)
{
	const char	*domain;
	char		 ascii[IDNA_DOMAIN_MAX + 1];
	int		 n;

	if (rules->appends != NULL && label.len > 0 &&
	    (n = idna_to_ascii(label, ascii, sizeof(ascii))) != -1)
		label = SLICE(ascii, (size_t)n);
	if (rules->appends == NULL || (domain = conf_append_find(
	    rules->appends, label.p, label.len)) == NULL ||
	    label.len + 1 + strlen(domain) > MAILBOX_DOMAIN_MAX)
		return NULL;
	return domain;
}

int
rewrite_look(const struct rewrite_rules *rules, struct slice body,
    struct rewrite_found *found, const char **reason)
{
	struct mailbox_list	l;
	struct mailbox		m;
	struct slice		label;
	int			r;

	memset(found, 0, sizeof(*found));
	mailbox_begin(&l, body, rules->utf8);
	while ((r = mailbox_next(&l, &m)) == 1) {
		if (m.obsolete || (m.eightbit && !rules->utf8))
			found->change = true;
		if (m.kind == MAILBOX_GROUP)
			found->ngroups++;
		if (m.kind != MAILBOX_ADDR)
			continue;
		found->naddrs++;
		if (!is_short(&m, &label))
			continue;
		if (completion(rules, label) == NULL) {
			*reason = "an address without a complete domain";
			return -1;
		}
		found->change = true;
	}
	if (l.obsolete)
		found->change = true;
	*reason = l.reason;
	return r;
}

/* Columns taken on the line that is being written. */
static size_t
column(const struct rewrite_out *o)
{
	size_t	n = 0;

	while (n < o->len && n < 80 && o->p[o->len - 1 - n] != '\n')
		n++;
	return n;
}

/*
 * The same, but a line that is blank so far counts for nothing: a fold on it
 * would leave a blank line.
 */
static size_t
text_column(const struct rewrite_out *o)
{
	size_t	i;

	for (i = o->len; i > 0 && o->p[i - 1] != '\n'; i--)
		if (o->p[i - 1] != ' ' && o->p[i - 1] != '\t')
			return column(o);
	return 1;
}

static void
put_quoted(struct rewrite_out *o, const char *p, size_t n)
{
	size_t	i;

	put_str(o, "\"");
	for (i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			put_str(o, "\\");
		rewrite_put(o, p + i, 1);
	}
	put_str(o, "\"");
}

/* A name as it is, quoted, or as encoded words. */
static void
put_phrase(struct rewrite_out *o, const struct rewrite_rules *rules,
    const struct mailbox *m)
{
	char	*text;
	size_t	 n;

	if (!m->obsolete && !(m->eightbit && !rules->utf8)) {
		rewrite_body(o, m->phrase);
		return;
	}
	if ((text = malloc(m->phrase.len)) == NULL) {
		o->full = true;
		return;
	}
	n = mailbox_phrase(m->phrase, text);
	if (m->eightbit && !rules->utf8) {
		if (out_room(o, RFC2047_ROOM(n)))
			o->len += rfc2047_encode(SLICE(text, n), column(o),
			    o->p + o->len);
	} else if (memmem(m->phrase.p, m->phrase.len, "=?", 2) != NULL)
		rewrite_body(o, m->phrase);
	else
		put_quoted(o, text, n);
	free(text);
}

static void
put_addr(struct rewrite_out *o, const struct rewrite_rules *rules,
    const struct mailbox *m)
{
	struct slice	 label;
	const char	*domain;

	rewrite_put(o, m->addr, m->len);
	if (is_short(m, &label) &&
	    (domain = completion(rules, label)) != NULL) {
		put_str(o, label.len == 0 ? "@" : ".");
		put_str(o, domain);
	}
}

static void
put_mailbox(struct rewrite_out *o, const struct rewrite_rules *rules,
    const struct mailbox *m)
{
	if (m->phrase.len > 0) {
		put_phrase(o, rules, m);
		put_str(o, m->phrase.len > LINE_LONG || column(o) > 76 ?
		    "\r\n " : " ");
	}
	if (m->angle)
		put_str(o, "<");
	put_addr(o, rules, m);
	if (m->angle)
		put_str(o, ">");
	if (m->phrase.len == 0 && m->comment.len > 0 &&
	    m->comment.len < LINE_LONG &&
	    memchr(m->comment.p, '\n', m->comment.len) == NULL) {
		put_str(o, " ");
		rewrite_put(o, m->comment.p, m->comment.len);
	}
}

void
rewrite_addresses(struct rewrite_out *o, const struct rewrite_rules *rules,
    struct slice body, bool *first)
{
	struct mailbox_list	l;
	struct mailbox		m;

	mailbox_begin(&l, body, rules->utf8);
	while (mailbox_next(&l, &m) == 1) {
		if (m.kind == MAILBOX_GROUP_END) {
			put_str(o, ";");
			*first = false;
			continue;
		}
		put_str(o, *first ? " " : ",\r\n ");
		*first = false;
		if (m.kind == MAILBOX_ADDR)
			put_mailbox(o, rules, &m);
		else {
			put_phrase(o, rules, &m);
			put_str(o, ":");
			*first = true;
		}
	}
}

/* The word of s that begins at or before i: where it starts. */
static size_t
word_start(struct slice s, size_t i)
{
	while (i > 0 && strchr(" \t\r\n", s.p[i - 1]) == NULL)
		i--;
	return i;
}

static size_t
word_end(struct slice s, size_t i)
{
	while (i < s.len && strchr(" \t\r\n", s.p[i]) == NULL)
		i++;
	return i;
}

/* Take the folds out of n octets at p: their length then. */
static size_t
unfold(char *p, size_t n)
{
	size_t	i, o = 0;

	for (i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n')
			p[o++] = p[i];
	return o;
}

void
rewrite_text(struct rewrite_out *o, const struct header_field *f)
{
	struct rewrite_out	 t = { 0 };
	struct slice		 s;
	size_t			 from = 0, to, n;

	rewrite_body(&t, f->body);
	if (t.full) {
		o->full = true;
		free(t.p);
		return;
	}
	s = SLICE(t.p, t.len - 2);
	to = s.len;
	while (from < s.len && (unsigned char)s.p[from] < 0x80)
		from++;
	while (to > from && (unsigned char)s.p[to - 1] < 0x80)
		to--;
	from = word_start(s, from);
	to = word_end(s, to);
	n = unfold(t.p + from, to - from);
	rewrite_put(o, f->name.p, f->name.len);
	put_str(o, from == 0 ? ": " : ":");
	rewrite_put(o, s.p, from);
	if (out_room(o, RFC2047_ROOM(n)))
		o->len += rfc2047_encode(SLICE(s.p + from, n),
		    text_column(o),
		    o->p + o->len);
	if (s.len - to > 76 && s.p[to] != '\r')
		put_str(o, "\r\n");
	rewrite_put(o, s.p + to, s.len - to);
	put_str(o, "\r\n");
	free(t.p);
}
