/*
 * The corrections of a submission (RFC 6409 section 8) on its header section:
 * Date, Message-ID and a destination are added when they are missing,
 * Return-Path, Bcc and forged Authentication-Results are taken away, several
 * To or Cc become one, addresses in obsolete form and raw UTF-8 are written
 * anew (rewrite.c). What cannot be corrected is refused with the field's name.
 * Part of the front-end; pure but for memory and the random part of a
 * Message-ID; the section comes from the client. The queue checks the result
 * again, compares From and Sender with the login, and writes Received itself.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "common/mailbox.h"
#include "common/results.h"
#include "msad/frontend/rewrite.h"
#include "msad/frontend/submission.h"

/* How a field is read. */
enum syntax {
	SYNTAX_TEXT = 0,	/* unstructured */
	SYNTAX_TOKENS,		/* structured, left as it is */
	SYNTAX_ADDRS,
	SYNTAX_ADDR		/* one address alone */
};

enum field {
	FIELD_OTHER = 0,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_REPLY_TO,
	FIELD_DATE,
	FIELD_SUBJECT,
	FIELD_MESSAGE_ID,
	FIELD_IN_REPLY_TO,
	FIELD_REFERENCES,
	FIELD_TO,
	FIELD_CC,
	FIELD_RECEIVED,
	FIELD_RESULTS,
	FIELD_REMOVED,		/* Return-Path, Bcc, Resent-Bcc */
	FIELD_MAX
};

struct field_name {
	const char	*name;
	size_t		 len;
	enum field	 field;
	enum syntax	 syntax;
};

#define NAME(s, f, y)	{ s, sizeof(s) - 1, FIELD_##f, SYNTAX_##y }
static const struct field_name names[] = {
	NAME("From", FROM, ADDRS),
	NAME("Sender", SENDER, ADDR),
	NAME("Reply-To", REPLY_TO, ADDRS),
	NAME("Date", DATE, TOKENS),
	NAME("Subject", SUBJECT, TEXT),
	NAME("Message-ID", MESSAGE_ID, TOKENS),
	NAME("In-Reply-To", IN_REPLY_TO, TOKENS),
	NAME("References", REFERENCES, TOKENS),
	NAME("To", TO, ADDRS),
	NAME("Cc", CC, ADDRS),
	NAME("Received", RECEIVED, TOKENS),
	NAME("Authentication-Results", RESULTS, TOKENS),
	NAME("Return-Path", REMOVED, TOKENS),
	NAME("Bcc", REMOVED, TOKENS),
	NAME("Resent-Bcc", REMOVED, TOKENS),
	NAME("Resent-From", OTHER, ADDRS),
	NAME("Resent-Sender", OTHER, ADDR),
	NAME("Resent-Reply-To", OTHER, ADDRS),
	NAME("Resent-To", OTHER, ADDRS),
	NAME("Resent-Cc", OTHER, ADDRS),
	NAME("Resent-Date", OTHER, TOKENS),
	NAME("Resent-Message-ID", OTHER, TOKENS),
	NAME("Keywords", OTHER, TOKENS),
	NAME("MIME-Version", OTHER, TOKENS),
	NAME("Content-Type", OTHER, TOKENS),
	NAME("Content-Transfer-Encoding", OTHER, TOKENS),
	NAME("Content-Disposition", OTHER, TOKENS),
	NAME("Content-ID", OTHER, TOKENS),
	NAME("DKIM-Signature", OTHER, TOKENS),
	NAME("List-Id", OTHER, TOKENS),
	NAME("List-Post", OTHER, TOKENS),
	NAME("List-Unsubscribe", OTHER, TOKENS),
};
#define NNAMES		(sizeof(names) / sizeof(names[0]))
#define FIELDS_FIRST	32

/* A field of the section and what it is. */
struct known {
	struct header_field	 f;
	enum field		 kind;
	enum syntax		 syntax;
};

struct work {
	struct submission	*sub;
	struct rewrite_rules	 rules;
	struct rewrite_out	 out;
	struct known		*fields;
	size_t			 nfields;
	size_t			 cap;
	unsigned int		 seen[FIELD_MAX];
	bool			 merged[FIELD_MAX];	/* To, Cc: written */
	bool			 destination;	/* a To or Cc was written */
	bool			 date_ok;
	bool			 msgid_ok;
};

static void
field_find(struct known *k)
{
	const struct field_name	*n;

	k->kind = FIELD_OTHER;
	k->syntax = SYNTAX_TEXT;
	for (n = names; n < names + NNAMES; n++)
		if (n->len == k->f.name.len && ((n->name[0] ^
		    k->f.name.p[0]) & 0xdf) == 0 &&
		    strncasecmp(n->name, k->f.name.p, n->len) == 0) {
			k->kind = n->field;
			k->syntax = n->syntax;
			return;
		}
}

static bool
has_8bit(struct slice s)
{
	size_t		 i;
	unsigned char	 c = 0;

	for (i = 0; i < s.len; i++)
		c |= (unsigned char)s.p[i];
	return c > 127;
}

/* Refuse with "the NAME field has WHAT". */
static enum reply
malformed(struct work *w, const struct known *k, const char *what)
{
	snprintf(w->sub->text, sizeof(w->sub->text), "the %.*s field has %s",
	    k->f.name.len > 64 ? 64 : (int)k->f.name.len, k->f.name.p, what);
	w->sub->detail = w->sub->text;
	return REPLY_MALFORMED;
}

static void
put_field(struct rewrite_out *o, const struct header_field *f)
{
	bool	folded, spaced;

	folded = memchr(f->body.p, '\n', f->body.len) !=
	    f->body.p + f->body.len - 1;
	spaced = f->name.p + f->name.len + 1 != f->body.p;
	if (!folded && !spaced) {
		rewrite_put(o, f->all.p, f->all.len);
		return;
	}
	rewrite_put(o, f->name.p, f->name.len);
	rewrite_put(o, ":", 1);
	rewrite_body(o, f->body);
}

/* Read all fields; what cannot be a header is refused. */
static enum reply
read_fields(struct work *w)
{
	struct header	 h;
	struct known	*p, k;
	size_t		 cap;
	int		 n;

	memset(&k, 0, sizeof(k));
	header_begin(&h, SLICE(w->sub->section, w->sub->len));
	while ((n = header_next(&h, &k.f, &w->sub->detail)) == 1) {
		field_find(&k);
		w->seen[k.kind]++;
		if (w->nfields == w->cap) {
			cap = w->cap == 0 ? FIELDS_FIRST : w->cap * 2;
			if ((p = reallocarray(w->fields, cap, sizeof(*p))) ==
			    NULL)
				return REPLY_TROUBLE;
			w->fields = p;
			w->cap = cap;
		}
		w->fields[w->nfields++] = k;
	}
	if (n == -1)
		return w->sub->detail == header_too_big ? REPLY_TOO_BIG :
		    REPLY_MALFORMED;
	return REPLY_NONE;
}

/* Single fields (R5322-3.6-b), From, and the count of Received. */
static enum reply
check_counts(struct work *w)
{
	static const struct {
		enum field	 field;
		const char	*text;
	} single[] = {
		{ FIELD_FROM, "more than one From field" },
		{ FIELD_SENDER, "more than one Sender field" },
		{ FIELD_REPLY_TO, "more than one Reply-To field" },
		{ FIELD_DATE, "more than one Date field" },
		{ FIELD_SUBJECT, "more than one Subject field" },
		{ FIELD_MESSAGE_ID, "more than one Message-ID field" },
		{ FIELD_IN_REPLY_TO, "more than one In-Reply-To field" },
		{ FIELD_REFERENCES, "more than one References field" },
	};
	size_t	i;

	for (i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		if (w->seen[single[i].field] > 1) {
			w->sub->detail = single[i].text;
			return REPLY_MALFORMED;
		}
	if (w->seen[FIELD_FROM] == 0) {
		w->sub->detail = "no From field";
		return REPLY_MALFORMED;
	}
	return w->seen[FIELD_RECEIVED] > header_limits.received ? REPLY_LOOP :
	    REPLY_NONE;
}

/* Write field i and the others of its kind as one (R5322-4.5.3-a). */
static void
put_merged(struct work *w, size_t i)
{
	const struct known	*k = &w->fields[i];
	bool			 first = true;
	size_t			 j;

	rewrite_put(&w->out, k->f.name.p, k->f.name.len);
	rewrite_put(&w->out, ":", 1);
	for (j = i; j < w->nfields; j++)
		if (j == i || (k->kind != FIELD_OTHER &&
		    w->fields[j].kind == k->kind))
			rewrite_addresses(&w->out, &w->rules,
			    w->fields[j].f.body, &first);
	rewrite_put(&w->out, "\r\n", 2);
}

/* Look at all To or Cc fields from i on: what they hold together. */
static enum reply
look_all(struct work *w, size_t i, struct rewrite_found *all)
{
	const struct known	*k = &w->fields[i];
	struct rewrite_found	 found;
	const char		*reason;
	size_t			 j;

	memset(all, 0, sizeof(*all));
	for (j = i; j < w->nfields; j++) {
		if (j != i && (k->kind == FIELD_OTHER ||
		    w->fields[j].kind != k->kind))
			continue;
		if (rewrite_look(&w->rules, w->fields[j].f.body, &found,
		    &reason) == -1)
			return malformed(w, &w->fields[j], reason);
		all->naddrs += found.naddrs;
		all->ngroups += found.ngroups;
		all->change = all->change || found.change || j != i;
		if (k->kind == FIELD_OTHER || w->seen[k->kind] == 1)
			break;
	}
	return REPLY_NONE;
}

static enum reply
take_addresses(struct work *w, size_t i)
{
	const struct known	*k = &w->fields[i];
	struct rewrite_found	 found;
	enum reply		 r;

	if ((k->kind == FIELD_TO || k->kind == FIELD_CC) &&
	    w->merged[k->kind])
		return REPLY_NONE;		/* it is in the first */
	w->merged[k->kind] = true;
	if ((r = look_all(w, i, &found)) != REPLY_NONE)
		return r;
	if (found.naddrs + found.ngroups == 0) {
		if (k->kind == FIELD_FROM)
			return malformed(w, k, "no address");
		return REPLY_NONE;		/* an empty field goes */
	}
	if (k->syntax == SYNTAX_ADDR && (found.naddrs != 1 ||
	    found.ngroups != 0))
		return malformed(w, k, "to be one address");
	if (found.change)
		put_merged(w, i);
	else
		put_field(&w->out, &k->f);
	if (k->kind == FIELD_TO || k->kind == FIELD_CC)
		w->destination = true;
	return REPLY_NONE;
}

/* UTF-8 that may not stay: encode it, or say where it cannot be. */
static enum reply
take_8bit(struct work *w, const struct known *k)
{
	if (!mailbox_utf8_ok(k->f.body))
		return malformed(w, k, "octets that are not UTF-8");
	if (w->rules.utf8)
		put_field(&w->out, &k->f);
	else if (k->syntax == SYNTAX_TEXT)
		rewrite_text(&w->out, &k->f);
	else
		return malformed(w, k, "characters outside ASCII, which have "
		    "to be encoded");
	return REPLY_NONE;
}

/*
 * Write an obsolete Date anew (R5322-3.3-a); one that is none is left out,
 * and a new one added. False: it can stay as it is.
 */
static bool
take_date(struct work *w, const struct known *k)
{
	char	buf[80] = "Date: ";
	int	n = header_date_fix(k->f.body, buf + 6, sizeof(buf) - 8);

	w->date_ok = n != -1;
	if (n > 0) {
		memcpy(buf + 6 + n, "\r\n", 2);
		rewrite_put(&w->out, buf, (size_t)n + 8);
	}
	return n != 0;
}

/* Look at a field and put it as it is to be, unless it is to go. */
static enum reply
take_field(struct work *w, size_t i)
{
	const struct known	*k = &w->fields[i];

	if (k->kind == FIELD_REMOVED)
		return REPLY_NONE;
	if (k->syntax == SYNTAX_ADDRS || k->syntax == SYNTAX_ADDR)
		return take_addresses(w, i);
	if (k->kind == FIELD_DATE && take_date(w, k))
		return REPLY_NONE;
	if (k->kind == FIELD_MESSAGE_ID &&
	    !(w->msgid_ok = w->rules.utf8 ? header_msgid_utf8_ok(k->f.body) :
	    header_msgid_ok(k->f.body)))
		return REPLY_NONE;
	if (k->kind == FIELD_RESULTS &&
	    results_forged(k->f.body, w->sub->host))
		return REPLY_NONE;
	if (has_8bit(k->f.body))
		return take_8bit(w, k);
	put_field(&w->out, &k->f);
	return REPLY_NONE;
}

static void
add_fields(struct work *w)
{
	struct submission	*sub = w->sub;
	unsigned char		 rnd[16];
	char			 buf[512], date[64], hex[33];
	size_t			 i;
	int			 n;

	if (!w->date_ok && header_date(date, sizeof(date), sub->now) > 0) {
		n = snprintf(buf, sizeof(buf), "Date: %s\r\n", date);
		rewrite_put(&w->out, buf, (size_t)n);
		sub->added |= ADDED_DATE;
	}
	if (!w->msgid_ok) {
		arc4random_buf(rnd, sizeof(rnd));
		for (i = 0; i < sizeof(rnd); i++)
			snprintf(hex + 2 * i, 3, "%02x", rnd[i]);
		n = snprintf(buf, sizeof(buf),
		    "Message-ID: <%s.%llx@%.255s>\r\n", hex,
		    (unsigned long long)sub->now, sub->host);
		rewrite_put(&w->out, buf, (size_t)n);
		sub->added |= ADDED_MESSAGE_ID;
	}
	if (!w->destination)
		rewrite_put(&w->out, "To: undisclosed-recipients:;\r\n", 30);
}

static enum reply
correct(struct work *w)
{
	enum reply	r;
	size_t		i;

	if ((r = read_fields(w)) != REPLY_NONE ||
	    (r = check_counts(w)) != REPLY_NONE)
		return r;
	for (i = 0; i < w->nfields; i++)
		if ((r = take_field(w, i)) != REPLY_NONE)
			return r;
	add_fields(w);
	if (w->out.full)
		return w->out.len > header_limits.section / 2 ? REPLY_TOO_BIG :
		    REPLY_TROUBLE;
	return REPLY_NONE;
}

enum reply
submission_correct(struct submission *sub)
{
	struct work	w;
	enum reply	r;

	memset(&w, 0, sizeof(w));
	w.sub = sub;
	w.rules.utf8 = sub->utf8;
	w.rules.appends = sub->appends;
	sub->out = NULL;
	sub->out_len = 0;
	sub->added = 0;
	sub->detail = NULL;
	r = correct(&w);
	free(w.fields);
	if (r != REPLY_NONE) {
		free(w.out.p);
		return r;
	}
	sub->out = w.out.p;
	sub->out_len = w.out.len;
	return REPLY_NONE;
}
