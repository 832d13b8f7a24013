/*
 * Delivery status notifications (RFC 3464) as multipart/report (RFC 6522).
 * Called in msad-queue by report.c. Addresses were parsed before; the reply
 * texts come from foreign servers and are escaped, bounded and folded here, so
 * that they can neither begin a field nor end a part (R3464-4-a). What is
 * returned of the message the queue checked when it took it. Pure, save for
 * the random boundary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "common/params.h"
#include "common/xtext.h"

#include "dsn.h"

#define REPLY_MAX	4096	/* octets of a text from outside */
#define REPLY_MIN	64	/* that much however many there are */
#define REPORT_MAX	(1000 * 1024)	/* octets of a report, unfolded */
#define FIXED_MAX	4096	/* of that: what no recipient adds */
#define RCPT_FIXED_MAX	256	/* our own words about one recipient */
#define FOLD_AT		450	/* octets of a text on one line; two fit */

/*
 * Octets that each of the four texts from outside about one recipient may
 * take, so that the report as a whole stays below REPORT_MAX.
 */
static size_t
text_max(const struct dsn *d)
{
	size_t	i, used = FIXED_MAX + DSN_HEADER_MAX, max;

	for (i = 0; i < d->nrcpts; i++)
		used += RCPT_FIXED_MAX + 2 * strlen(d->rcpts[i].addr) +
		    d->rcpts[i].orcpt.len;
	if (used >= REPORT_MAX || d->nrcpts == 0)
		return REPLY_MIN;
	max = (REPORT_MAX - used) / (4 * d->nrcpts);
	return max > REPLY_MAX ? REPLY_MAX : max < REPLY_MIN ? REPLY_MIN : max;
}

/*
 * Write a text from outside, max octets at most: printable ASCII as it is, all
 * else as \xHH. Each line that gets long is folded; prefix begins the next one.
 */
static void
write_escaped(FILE *f, const char *s, const char *prefix, size_t max)
{
	size_t		n, column = 0, written = 0;
	unsigned char	c;

	for (; (c = (unsigned char)*s) != '\0' && written + 4 <= max; s++) {
		if (column >= FOLD_AT) {
			fprintf(f, "\r\n%s", prefix);
			column = 0;
		}
		if (c >= 32 && c <= 126 && c != '\\')
			n = (size_t)fprintf(f, "%c", c);
		else
			n = (size_t)fprintf(f, "\\x%02X", c);
		column += n;
		written += n;
	}
	if (*s != '\0')
		fputs("...", f);
}

/* Is there a recipient of this kind? */
static bool
has_action(const struct dsn *d, enum dsn_action action)
{
	size_t	i;

	for (i = 0; i < d->nrcpts; i++)
		if (d->rcpts[i].action == action)
			return true;
	return false;
}

static const char *
subject(const struct dsn *d)
{
	if (has_action(d, DSN_FAILED))
		return "Undelivered mail returned to sender";
	if (has_action(d, DSN_DELAYED))
		return "Delayed mail, still being tried";
	return "Your mail was sent on";
}

static void
write_header(FILE *f, const struct dsn *d, const char *boundary)
{
	char	date[64];

	if (header_date(date, sizeof(date), d->now) == -1)
		date[0] = '\0';
	fprintf(f, "From: Mail Delivery <postmaster@%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: %s\r\n"
	    "Date: %s\r\n"
	    "Message-ID: <%llx.dsn@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    d->hostname, d->sender, subject(d), date,
	    (unsigned long long)d->dsn_id,
	    d->hostname, boundary);
}

/* What the person who sent it should know, by kind of recipient. */
static const char *const sentences[] = {
	[DSN_FAILED] = "could not be delivered to\r\nthe recipients below. It "
	    "will not be tried again.",
	[DSN_DELAYED] = "could not be delivered to\r\nthe recipients below so "
	    "far. It is still being tried; you need not send it again.",
	[DSN_RELAYED] = "was handed to the next\r\nmail system for the "
	    "recipients below. That one sends no reports of success:\r\nno "
	    "more will be known from here.",
	[DSN_DELIVERED] = "was delivered to the\r\nrecipients below.",
};

static void
write_said(FILE *f, const struct dsn_rcpt *r, size_t max)
{
	fprintf(f, "\r\n  <%s>\r\n    ", r->addr);
	if (r->code != 0) {
		write_escaped(f, r->remote, "    ", max);
		fprintf(f, " said: %u ", r->code);
	}
	write_escaped(f, r->reply, "    ", max);
	fputs("\r\n", f);
}

static void
write_text(FILE *f, const struct dsn *d)
{
	size_t		i, max = text_max(d);
	unsigned int	action;

	fputs("Content-Type: text/plain; charset=us-ascii\r\n", f);
	for (action = 0; action <= DSN_DELIVERED; action++) {
		if (!has_action(d, (enum dsn_action)action))
			continue;
		fprintf(f, "\r\nYour message with queue id %llx %s\r\n",
		    (unsigned long long)d->id, sentences[action]);
		for (i = 0; i < d->nrcpts; i++)
			if (d->rcpts[i].action == action)
				write_said(f, &d->rcpts[i], max);
	}
}

static void
write_date(FILE *f, const char *field, time_t t)
{
	char	date[64];

	if (header_date(date, sizeof(date), t) != -1)
		fprintf(f, "%s: %s\r\n", field, date);
}

/* "type;xtext" of ORCPT as the field has it; it was checked when it came. */
static void
write_original(FILE *f, struct slice orcpt)
{
	const char	*semi;
	char		 buf[PARAMS_ORCPT_MAX + 1];
	size_t		 n;

	if (orcpt.p == NULL ||
	    (semi = memchr(orcpt.p, ';', orcpt.len)) == NULL)
		return;
	n = (size_t)(semi - orcpt.p);
	if (xtext_decode(slice_from(orcpt, n + 1), buf, sizeof(buf)) != -1)
		fprintf(f, "Original-Recipient: %.*s; %s\r\n", (int)n,
		    orcpt.p, buf);
}

static void
write_rcpt(FILE *f, const struct dsn *d, const struct dsn_rcpt *r, size_t max)
{
	static const char *const	actions[] = { "failed", "delayed",
		"relayed", "delivered" };

	fputs("\r\n", f);
	write_original(f, r->orcpt);
	fprintf(f, "Final-Recipient: rfc822; %s\r\n"
	    "Action: %s\r\n"
	    "Status: %s\r\n", r->addr, actions[r->action], r->status);
	if (r->action == DSN_DELAYED)
		write_date(f, "Will-Retry-Until", d->until);
	/* No invented host or code where nobody answered (R3464-2.3.5-a). */
	if (r->code == 0)
		return;
	if (r->remote[0] != '\0') {
		fputs("Remote-MTA: dns; ", f);
		write_escaped(f, r->remote, " ", max);
		fputs("\r\n", f);
	}
	fprintf(f, "Diagnostic-Code: smtp; %u ", r->code);
	write_escaped(f, r->reply, " ", max);
	fputs("\r\n", f);
}

static void
write_status(FILE *f, const struct dsn *d)
{
	char	envid[PARAMS_ENVID_MAX + 1];
	size_t	i, max = text_max(d);

	fprintf(f, "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; %s\r\n", d->hostname);
	if (d->envid.p != NULL &&
	    xtext_decode(d->envid, envid, sizeof(envid)) != -1)
		fprintf(f, "Original-Envelope-Id: %s\r\n", envid);
	write_date(f, "Arrival-Date", d->arrival);
	for (i = 0; i < d->nrcpts; i++)
		write_rcpt(f, d, &d->rcpts[i], max);
}

static int
has_8bit(struct slice s)
{
	unsigned char	all = 0;
	size_t		i;

	for (i = 0; i < s.len; i++)
		all |= (unsigned char)s.p[i];
	return all > 127;
}

/* What is returned: all of it, or whole lines of the header, bounded. */
static struct slice
returned_part(const struct dsn *d)
{
	struct slice	header = d->returned;
	size_t		n = header.len;

	if (d->whole)
		return header;
	if (n > DSN_HEADER_MAX)
		n = DSN_HEADER_MAX;
	while (n > 0 && header.p[n - 1] != '\n')
		n--;
	return SLICE(header.p, n);
}

static void
write_report(FILE *f, const struct dsn *d, const char *boundary, int eightbit)
{
	struct slice	part = returned_part(d);

	fprintf(f, "\r\nThis is a report about the delivery of a message."
	    "\r\n\r\n--%s\r\n", boundary);
	write_text(f, d);
	fprintf(f, "\r\n--%s\r\n", boundary);
	write_status(f, d);
	fprintf(f, "\r\n--%s\r\nContent-Type: %s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", boundary,
	    d->whole ? "message/rfc822" : "text/rfc822-headers",
	    eightbit ? "8bit" : "7bit");
	if (part.len > 0)
		fwrite(part.p, 1, part.len, f);
	fprintf(f, "\r\n--%s--\r\n", boundary);
}

char *
dsn_write(const struct dsn *d, size_t *len, size_t *header_len, int *eightbit)
{
	char		 boundary[64], *buf = NULL;
	uint32_t	 r[4];
	FILE		*f;
	int		 bad;

	arc4random_buf(r, sizeof(r));
	snprintf(boundary, sizeof(boundary), "=_msad_%08x%08x%08x%08x", r[0],
	    r[1], r[2], r[3]);
	if ((f = open_memstream(&buf, len)) == NULL)
		return NULL;
	*eightbit = has_8bit(returned_part(d));
	write_header(f, d, boundary);
	fflush(f);
	*header_len = *len;
	write_report(f, d, boundary, *eightbit);
	bad = ferror(f);
	if (fclose(f) != 0 || bad) {
		free(buf);
		return NULL;
	}
	return buf;
}
