/*
 * The corrections of a submission (RFC 6409 section 8) on its header section:
 * Date and Message-ID are added when they are missing or not valid,
 * Return-Path, Bcc and Resent-Bcc are taken away, obsolete blanks are too.
 * What cannot be corrected is refused. Part of the front-end; pure but for the
 * random part of a Message-ID; the section comes from the client. The queue
 * checks the result again and writes Received itself.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "msad/frontend/submission.h"

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
	FIELD_RECEIVED,
	FIELD_REMOVED,		/* Return-Path, Bcc, Resent-Bcc */
	FIELD_MAX
};

struct field_name {
	const char	*name;
	size_t		 len;
	enum field	 field;
};

#define NAME(s, f)	{ s, sizeof(s) - 1, f }
static const struct field_name names[] = {
	NAME("From", FIELD_FROM),
	NAME("Sender", FIELD_SENDER),
	NAME("Reply-To", FIELD_REPLY_TO),
	NAME("Date", FIELD_DATE),
	NAME("Subject", FIELD_SUBJECT),
	NAME("Message-ID", FIELD_MESSAGE_ID),
	NAME("In-Reply-To", FIELD_IN_REPLY_TO),
	NAME("References", FIELD_REFERENCES),
	NAME("Received", FIELD_RECEIVED),
	NAME("Return-Path", FIELD_REMOVED),
	NAME("Bcc", FIELD_REMOVED),
	NAME("Resent-Bcc", FIELD_REMOVED),
};

/* Where the corrected section grows, behind which it is read. */
struct rewrite {
	char		*to;
	unsigned int	 seen[FIELD_MAX];
	bool		 date_ok;
	bool		 msgid_ok;
};

static enum field
field_find(struct slice name)
{
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].len == name.len &&
		    strncasecmp(names[i].name, name.p, name.len) == 0)
			return names[i].field;
	return FIELD_OTHER;
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

static void
put(struct rewrite *rw, const char *p, size_t n)
{
	if (rw->to != p)
		memmove(rw->to, p, n);
	rw->to += n;
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

/* Body of a field, without continuation lines that are blank. */
static void
put_body(struct rewrite *rw, struct slice body)
{
	const char	*lf;
	size_t		 n;
	bool		 first = true;

	while (body.len > 0) {
		lf = memchr(body.p, '\n', body.len);
		n = lf == NULL ? body.len : (size_t)(lf - body.p) + 1;
		if (first || !blank_line(body.p, n))
			put(rw, body.p, n);
		first = false;
		body = slice_from(body, n);
	}
}

static void
put_field(struct rewrite *rw, const struct header_field *f)
{
	bool	folded, spaced;

	folded = memchr(f->body.p, '\n', f->body.len) !=
	    f->body.p + f->body.len - 1;
	spaced = f->name.p + f->name.len + 1 != f->body.p;
	if (!folded && !spaced) {
		put(rw, f->all.p, f->all.len);
		return;
	}
	put(rw, f->name.p, f->name.len);
	*rw->to++ = ':';
	put_body(rw, f->body);
}

/* Look at a field and put it, unless it is to go. */
static void
take_field(struct rewrite *rw, const struct header_field *f)
{
	enum field	kind = field_find(f->name);

	rw->seen[kind]++;
	if (kind == FIELD_REMOVED)
		return;
	if (kind == FIELD_DATE && !(rw->date_ok = header_date_ok(f->body)))
		return;
	if (kind == FIELD_MESSAGE_ID &&
	    !(rw->msgid_ok = header_msgid_ok(f->body)))
		return;
	put_field(rw, f);
}

/* Single fields (R5322-3.6-b), From, and the count of Received. */
static enum reply
check_counts(struct submission *sub, const struct rewrite *rw)
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
		if (rw->seen[single[i].field] > 1) {
			sub->detail = single[i].text;
			return REPLY_MALFORMED;
		}
	if (rw->seen[FIELD_FROM] == 0) {
		sub->detail = "no From field";
		return REPLY_MALFORMED;
	}
	return rw->seen[FIELD_RECEIVED] > HEADER_RECEIVED_MAX ? REPLY_LOOP :
	    REPLY_NONE;
}

static void
add_fields(struct submission *sub, const struct rewrite *rw)
{
	unsigned char	rnd[16];
	char		date[64];
	size_t		i, n = 0;

	if (!rw->date_ok && header_date(date, sizeof(date), sub->now) > 0) {
		n = (size_t)snprintf(sub->fields, sizeof(sub->fields),
		    "Date: %s\r\n", date);
		sub->added |= ADDED_DATE;
	}
	if (!rw->msgid_ok) {
		arc4random_buf(rnd, sizeof(rnd));
		n += (size_t)snprintf(sub->fields + n,
		    sizeof(sub->fields) - n, "Message-ID: <");
		for (i = 0; i < sizeof(rnd); i++)
			n += (size_t)snprintf(sub->fields + n,
			    sizeof(sub->fields) - n, "%02x", rnd[i]);
		n += (size_t)snprintf(sub->fields + n,
		    sizeof(sub->fields) - n, ".%llx@%.255s>\r\n",
		    (unsigned long long)sub->now, sub->host);
		sub->added |= ADDED_MESSAGE_ID;
	}
	sub->fields_len = n;
}

enum reply
submission_correct(struct submission *sub)
{
	struct header		h;
	struct header_field	f;
	struct rewrite		rw;
	enum reply		r;
	int			n;

	memset(&rw, 0, sizeof(rw));
	rw.to = sub->section;
	sub->added = 0;
	sub->fields_len = 0;
	sub->detail = NULL;
	if (has_8bit(SLICE(sub->section, sub->len))) {
		sub->detail = "characters outside ASCII in the header, which "
		    "have to be encoded";
		return REPLY_MALFORMED;
	}
	header_begin(&h, SLICE(sub->section, sub->len));
	while ((n = header_next(&h, &f, &sub->detail)) == 1)
		take_field(&rw, &f);
	if (n == -1)
		return sub->detail == header_too_big ? REPLY_TOO_BIG :
		    REPLY_MALFORMED;
	if ((r = check_counts(sub, &rw)) != REPLY_NONE)
		return r;
	sub->len = (size_t)(rw.to - sub->section);
	add_fields(sub, &rw);
	return REPLY_NONE;
}
