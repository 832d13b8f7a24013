/*
 * What the queue believes of a message: nothing. The front-end has cleaned the
 * octets already; here they are checked again, as if a hostile front-end had
 * sent them, before they may reach the spool. CRLF alone ends a line and CR
 * and LF stand nowhere else (RFC 5321 section 2.3.8), no NUL, bounded lines,
 * the header section is a list of fields (RFC 5322 section 2.2), the fields
 * that may be there once are there once, From is there, and the message has
 * not been going round.
 *
 * The body is scanned with memchr, a line at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "common/results.h"
#include "common/mailbox.h"

#include "check.h"

static const char *const single_fields[] = {
	"From", "Sender", "Reply-To", "Date", "Subject", "Message-ID",
	"In-Reply-To", "References"
};
#define NSINGLE	(sizeof(single_fields) / sizeof(single_fields[0]))
#define SINGLE_FROM	0
#define SINGLE_DATE	3
#define SINGLE_MSGID	5

static const char *const twice_reason[NSINGLE] = {
	"more than one From field", "more than one Sender field",
	"more than one Reply-To field", "more than one Date field",
	"more than one Subject field", "more than one Message-ID field",
	"more than one In-Reply-To field", "more than one References field"
};

void
check_begin(struct check *c, uint64_t max)
{
	memset(c, 0, sizeof(*c));
	c->max = max;
}

void
check_free(struct check *c)
{
	free(c->header);
	c->header = NULL;
	c->header_len = c->header_cap = 0;
}

static void
fail(struct check *c, enum verdict verdict, const char *reason)
{
	if (c->verdict == VERDICT_OK) {
		c->verdict = verdict;
		c->reason = reason;
	}
}

/* Count octets; false when nothing more need be looked at. */
static bool
count(struct check *c, size_t len)
{
	c->size += len;
	if (c->size > c->max)
		fail(c, VERDICT_TOO_BIG, "");
	return c->verdict == VERDICT_OK;
}

static bool
header_room(struct check *c, size_t len)
{
	size_t	 cap = c->header_cap == 0 ? 4096 : c->header_cap;
	char	*p;

	if (c->header_cap - c->header_len >= len)
		return true;
	while (cap < c->header_len + len)
		cap *= 2;
	if ((p = realloc(c->header, cap)) == NULL)
		return false;
	c->header = p;
	c->header_cap = cap;
	return true;
}

void
check_header(struct check *c, const void *p, size_t len)
{
	if (!count(c, len))
		return;
	if (len > header_limits.section - c->header_len) {
		fail(c, VERDICT_MALFORMED,
		    "the header section is longer than 262144 octets");
		return;
	}
	if (!header_room(c, len)) {
		fail(c, VERDICT_TROUBLE, "");
		return;
	}
	memcpy(c->header + c->header_len, p, len);
	c->header_len += len;
}

bool
check_8bit(const char *p, size_t len)
{
	uint64_t	word, all = 0;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		all |= word;
	}
	for (; len > 0; p++, len--)
		all |= (unsigned char)*p;
	return (all & UINT64_C(0x8080808080808080)) != 0;
}

/* Keep the message id for the log: its octets without white space around. */
static void
keep_msgid(struct check *c, struct slice body)
{
	while (body.len > 0 && strchr(" \t\r\n", body.p[0]) != NULL)
		body = slice_from(body, 1);
	while (body.len > 0 && strchr(" \t\r\n", body.p[body.len - 1]) != NULL)
		body.len--;
	if (body.len > CHECK_MSGID_MAX)
		body.len = CHECK_MSGID_MAX;
	memcpy(c->msgid, body.p, body.len);
	c->msgid[body.len] = '\0';
}

/* The front-end wrote an obsolete Date anew and a bad one too. */
static void
check_date(struct check *c, struct slice body)
{
	char	buf[80];

	if (header_date_fix(body, buf, sizeof(buf)) != 0)
		fail(c, VERDICT_MALFORMED,
		    "the Date field is not as RFC 5322 section 3.3 has it");
}

/* One field: is it the second of its kind? */
static void
check_field(struct check *c, const struct header_field *f,
    unsigned int seen[NSINGLE])
{
	size_t	i;

	for (i = 0; i < NSINGLE; i++) {
		if (!slice_is_nocase(f->name, single_fields[i]))
			continue;
		if (seen[i]++ > 0)
			fail(c, VERDICT_MALFORMED, twice_reason[i]);
		else if (i == SINGLE_DATE)
			check_date(c, f->body);
		else if (i == SINGLE_MSGID)
			keep_msgid(c, f->body);
		return;
	}
}

/* Octets above 127 are in place with SMTPUTF8 alone, and then as UTF-8. */
static void
check_octets(struct check *c)
{
	if (!check_8bit(c->header, c->header_len))
		return;
	c->eightbit = true;
	if (!c->utf8)
		fail(c, VERDICT_MALFORMED,
		    "characters outside ASCII in the header");
	else if (!mailbox_utf8_ok(SLICE(c->header, c->header_len)))
		fail(c, VERDICT_MALFORMED,
		    "octets that are not UTF-8 in the header");
}

void
check_header_end(struct check *c)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason = "a bad header";
	unsigned int		 seen[NSINGLE] = { 0 }, received = 0;
	int			 r = 0;

	if (c->header_done)
		return;
	c->header_done = true;
	if (c->verdict != VERDICT_OK)
		return;
	header_begin(&h, SLICE(c->header != NULL ? c->header : "",
	    c->header_len));
	while (c->verdict == VERDICT_OK &&
	    (r = header_next(&h, &f, &reason)) == 1) {
		if (slice_is_nocase(f.name, "Received"))
			received++;
		else
			check_field(c, &f, seen);
	}
	if (r == -1)
		fail(c, VERDICT_MALFORMED, reason);
	if (received > header_limits.received)
		fail(c, VERDICT_LOOP, "");
	if (seen[SINGLE_FROM] == 0)
		fail(c, VERDICT_MALFORMED, "no From field");
	check_octets(c);
}

void
check_results(struct check *c, const char *host)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason;

	if (c->verdict != VERDICT_OK || c->header == NULL)
		return;
	header_begin(&h, SLICE(c->header, c->header_len));
	while (header_next(&h, &f, &reason) == 1)
		if (slice_is_nocase(f.name, "Authentication-Results") &&
		    results_forged(f.body, host))
			fail(c, VERDICT_MALFORMED, "an Authentication-Results "
			    "field in our name");
}

/*
 * The stretch p has no LF. A CR may stand at its very end alone, when more may
 * come behind it.
 */
static const char *
check_stretch(struct check *c, const char *p, size_t len)
{
	const char	*cr;

	if (len == 0)
		return NULL;
	if (c->cr)
		return "a bare carriage return in the body";
	if ((cr = memchr(p, '\r', len)) != NULL && cr != p + len - 1)
		return "a bare carriage return in the body";
	c->cr = cr != NULL;
	c->line += len;
	if (c->line - (c->cr ? 1 : 0) > CHECK_LINE_MAX)
		return "a line is longer than 65536 octets";
	return NULL;
}

static const char *
check_lines(struct check *c, const char *p, size_t len)
{
	const char	*lf, *reason;
	size_t		 n;

	for (; len > 0; p += n, len -= n) {
		lf = memchr(p, '\n', len);
		n = lf != NULL ? (size_t)(lf - p) : len;
		if ((reason = check_stretch(c, p, n)) != NULL)
			return reason;
		if (lf == NULL)
			break;
		if (!c->cr)
			return "a bare line feed in the body";
		c->cr = false;
		c->line = 0;
		n++;
	}
	return NULL;
}

void
check_body(struct check *c, const void *p, size_t len)
{
	const char	*reason = NULL;

	check_header_end(c);
	if (!count(c, len) || len == 0)
		return;
	if (memchr(p, '\0', len) != NULL)
		reason = "a NUL octet in the body";
	else
		reason = check_lines(c, p, len);
	if (reason != NULL)
		fail(c, VERDICT_MALFORMED, reason);
	if (!c->eightbit && check_8bit(p, len))
		c->eightbit = true;
}

enum verdict
check_end(struct check *c)
{
	check_header_end(c);
	if (c->cr || c->line > 0)
		fail(c, VERDICT_MALFORMED,
		    "the last line does not end in CRLF");
	return c->verdict;
}
