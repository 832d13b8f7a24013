/*
 * Failure reports (RFC 3464) as multipart/report (RFC 6522). Called in
 * msad-queue by outcome.c. Addresses were parsed before; the reply texts come
 * from foreign servers and are escaped, bounded and folded here, so that they
 * can neither begin a field nor end a part (R3464-4-a). The returned header is
 * what the queue checked when it took the message. Pure, save for the random
 * boundary.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"

#include "dsn.h"

#define REPLY_MAX	4096	/* octets of a text from outside */
#define REPLY_MIN	64	/* that much however many there are */
#define REPORT_MAX	(1000 * 1024)	/* octets of a report, unfolded */
#define FIXED_MAX	4096	/* of that: what no recipient adds */
#define RCPT_FIXED_MAX	192	/* our own words about one recipient */
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
		used += RCPT_FIXED_MAX + 2 * strlen(d->rcpts[i].addr);
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

static void
write_header(FILE *f, const struct dsn *d, const char *boundary)
{
	char	date[64];

	if (header_date(date, sizeof(date), d->now) == -1)
		date[0] = '\0';
	fprintf(f, "From: Mail Delivery <postmaster@%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: Undelivered mail returned to sender\r\n"
	    "Date: %s\r\n"
	    "Message-ID: <%llx.dsn@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    d->hostname, d->sender, date, (unsigned long long)d->dsn_id,
	    d->hostname, boundary);
}

static void
write_text(FILE *f, const struct dsn *d)
{
	const struct dsn_rcpt	*r;
	size_t			 i, max = text_max(d);

	fprintf(f, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "Your message with queue id %llx could not be delivered to\r\n"
	    "%s below. It will not be tried again.\r\n",
	    (unsigned long long)d->id,
	    d->nrcpts == 1 ? "the recipient" : "the recipients");
	for (i = 0; i < d->nrcpts; i++) {
		r = &d->rcpts[i];
		fprintf(f, "\r\n  <%s>\r\n    ", r->addr);
		if (r->code != 0) {
			write_escaped(f, r->remote, "    ", max);
			fprintf(f, " said: %u ", r->code);
		}
		write_escaped(f, r->reply, "    ", max);
		fputs("\r\n", f);
	}
}

static void
write_rcpt(FILE *f, const struct dsn_rcpt *r, size_t max)
{
	fprintf(f, "\r\nFinal-Recipient: rfc822; %s\r\n"
	    "Action: failed\r\n"
	    "Status: %s\r\n", r->addr, r->status);
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
	char	date[64];
	size_t	i, max = text_max(d);

	if (header_date(date, sizeof(date), d->arrival) == -1)
		date[0] = '\0';
	fprintf(f, "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; %s\r\n"
	    "Arrival-Date: %s\r\n", d->hostname, date);
	for (i = 0; i < d->nrcpts; i++)
		write_rcpt(f, &d->rcpts[i], max);
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

/* The part of the header that is returned: whole lines, bounded. */
static struct slice
returned_header(struct slice header)
{
	size_t	n = header.len;

	if (n > DSN_HEADER_MAX)
		n = DSN_HEADER_MAX;
	while (n > 0 && header.p[n - 1] != '\n')
		n--;
	return SLICE(header.p, n);
}

static void
write_report(FILE *f, const struct dsn *d, const char *boundary, int eightbit)
{
	struct slice	header = returned_header(d->header);

	fprintf(f, "\r\nThis is a report about mail that was not delivered."
	    "\r\n\r\n--%s\r\n", boundary);
	write_text(f, d);
	fprintf(f, "\r\n--%s\r\n", boundary);
	write_status(f, d);
	fprintf(f, "\r\n--%s\r\nContent-Type: text/rfc822-headers\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", boundary,
	    eightbit ? "8bit" : "7bit");
	if (header.len > 0)
		fwrite(header.p, 1, header.len, f);
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
	*eightbit = has_8bit(returned_header(d->header));
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
