/*
 * Delivery status notifications (RFC 3464) as multipart/report (RFC 6522).
 * Called in msad-queue by report.c. Addresses were parsed before; the reply
 * texts come from foreign servers and are escaped, bounded and folded here, so
 * that they can neither begin a field nor end a part (R3464-4-a). What is
 * returned of the message the queue checked when it took it. Pure, save for
 * the random boundary.
 *
 * A message that came with SMTPUTF8 gets the types of RFC 6533, which hold
 * UTF-8: as it is where the way back takes it, else in quoted-printable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "common/idna.h"
#include "common/mime_encode.h"
#include "common/orcpt.h"
#include "common/params.h"
#include "common/xtext.h"

#include "dsn_priv.h"

#define REPLY_MAX	4096	/* octets of a text from outside */
#define REPLY_MIN	64	/* that much however many there are */
#define REPORT_MAX	(1000 * 1024)	/* octets of a report, unfolded */
#define FIXED_MAX	4096	/* of that: what no recipient adds */
#define RCPT_FIXED_MAX	256	/* our own words about one recipient */
#define FOLD_AT		450	/* octets of a text on one line; two fit */
#define ENCODED_WHOLE_MAX (300 * 1024)	/* that quoted-printable may triple */
#define QP_CHUNK	4096

size_t
dsn_text_max(const struct dsn *d)
{
	size_t	i, used = FIXED_MAX + DSN_HEADER_MAX, max;
	size_t	grows = d->global && !d->utf8 ? 3 : 1;

	for (i = 0; i < d->nrcpts; i++)
		used += RCPT_FIXED_MAX + grows * (2 *
		    strlen(d->rcpts[i].addr) + d->rcpts[i].orcpt.len);
	if (used >= REPORT_MAX || d->nrcpts == 0)
		return REPLY_MIN;
	max = (REPORT_MAX - used) / (4 * d->nrcpts);
	return max > REPLY_MAX ? REPLY_MAX : max < REPLY_MIN ? REPLY_MIN : max;
}

void
dsn_write_escaped(FILE *f, const char *s, const char *prefix, size_t max)
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

bool
dsn_has(const struct dsn *d, enum dsn_action action)
{
	size_t	i;

	for (i = 0; i < d->nrcpts; i++)
		if (d->rcpts[i].action == action)
			return true;
	return false;
}

/* What relays say is "name[address]:port", or a name alone. */
const char *
dsn_host(const char *remote, char *buf, size_t size)
{
	size_t	n = strcspn(remote, "[");

	if (n == 0)
		n = strlen(remote);
	if (n > 0 && strspn(remote, "0123456789.") == n && size > n + 2)
		snprintf(buf, size, "[%.*s]", (int)n, remote);
	else if (memchr(remote, ':', n) != NULL)
		snprintf(buf, size, "[IPv6:%.*s]", (int)n, remote);
	else
		snprintf(buf, size, "%.*s", (int)n, remote);
	return buf;
}

static void
write_header(FILE *f, const struct dsn *d, const char *boundary)
{
	char		 date[64], path[IDNA_DOMAIN_MAX + 1];
	const char	*to = d->sender;

	if (header_date(date, sizeof(date), d->now) == -1)
		date[0] = '\0';
	if (!d->utf8 && idna_path_to_ascii(to, path, sizeof(path)) == 0)
		to = path;
	fprintf(f, "From: Mail Delivery <postmaster@%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: %s\r\n"
	    "Date: %s\r\n"
	    "Message-ID: <%llx.dsn@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n",
	    d->hostname, to, dsn_subject(d), date,
	    (unsigned long long)d->dsn_id,
	    d->hostname, boundary);
}

void
dsn_write_date(FILE *f, const char *name, time_t t)
{
	char	date[64];

	if (header_date(date, sizeof(date), t) != -1)
		fprintf(f, "%s: %s\r\n", name, date);
}

/*
 * "type;xtext" of ORCPT as the field has it; it was checked when it came. The
 * escapes of type utf-8 stand for UTF-8 in a global report and stay elsewhere.
 */
static void
write_original(FILE *f, const struct dsn *d, struct slice orcpt)
{
	const char	*semi;
	char		 buf[ORCPT_ESCAPED_MAX];
	size_t		 n;
	int		 len;

	if (orcpt.p == NULL ||
	    (semi = memchr(orcpt.p, ';', orcpt.len)) == NULL)
		return;
	n = (size_t)(semi - orcpt.p);
	if (d->global && orcpt_is_utf8(orcpt))
		len = orcpt_show(orcpt, buf, sizeof(buf));
	else
		len = xtext_decode(slice_from(orcpt, n + 1), buf, sizeof(buf));
	if (len != -1)
		fprintf(f, "Original-Recipient: %.*s; %s\r\n", (int)n,
		    orcpt.p, buf);
}

static void
write_rcpt(FILE *f, const struct dsn *d, const struct dsn_rcpt *r, size_t max)
{
	static const char *const	actions[] = { "failed", "delayed",
		"relayed", "delivered" };
	char				host[256];

	fputs("\r\n", f);
	write_original(f, d, r->orcpt);
	fprintf(f, "Final-Recipient: %s; %s\r\n"
	    "Action: %s\r\n"
	    "Status: %s\r\n", orcpt_is_ascii(SLICE_STR(r->addr)) ?
	    "rfc822" : "utf-8", r->addr, actions[r->action], r->status);
	if (r->action == DSN_DELAYED)
		dsn_write_date(f, "Will-Retry-Until", d->until);
	/* No invented host or code where nobody answered (R3464-2.3.5-a). */
	if (r->code == 0)
		return;
	if (r->remote[0] != '\0') {
		fputs("Remote-MTA: dns; ", f);
		dsn_write_escaped(f, dsn_host(r->remote, host, sizeof(host)),
		    " ", max);
		fputs("\r\n", f);
	}
	fprintf(f, "Diagnostic-Code: smtp; %u ", r->code);
	dsn_write_escaped(f, r->reply, " ", max);
	fputs("\r\n", f);
}

static void
write_status(FILE *f, const struct dsn *d)
{
	char	envid[PARAMS_ENVID_MAX + 1];
	size_t	i, max = dsn_text_max(d);

	fprintf(f, "Reporting-MTA: dns; %s\r\n", d->hostname);
	if (d->envid.p != NULL &&
	    xtext_decode(d->envid, envid, sizeof(envid)) != -1)
		fprintf(f, "Original-Envelope-Id: %s\r\n", envid);
	dsn_write_date(f, "Arrival-Date", d->arrival);
	if (d->deliver_by != 0)
		dsn_write_date(f, "Deliver-By-Date", d->deliver_by);
	if (d->future != NULL)
		fprintf(f, "Future-Release-Request: %s\r\n", d->future);
	for (i = 0; i < d->nrcpts; i++)
		write_rcpt(f, d, &d->rcpts[i], max);
}

/* Octets above 127 of this report are in quoted-printable. */
static bool
is_encoded(const struct dsn *d)
{
	return d->global && !d->utf8;
}

/* What is returned: all of it, or whole lines of the header, bounded. */
static struct slice
returned_part(const struct dsn *d)
{
	struct slice	header = d->returned;
	size_t		n = header.len;

	if (d->whole)
		return header;
	if (n > d->header_len)
		n = d->header_len;
	if (n > DSN_HEADER_MAX)
		n = DSN_HEADER_MAX;
	while (n > 0 && header.p[n - 1] != '\n')
		n--;
	return SLICE(header.p, n);
}

static void
write_encoded(FILE *f, struct slice s)
{
	struct qp	qp = { 0 };
	char		out[MIME_ENCODED(QP_CHUNK)];
	size_t		n;

	while (s.len > 0) {
		n = s.len < QP_CHUNK ? s.len : QP_CHUNK;
		fwrite(out, 1, qp_encode(&qp, SLICE(s.p, n), out), f);
		s = slice_from(s, n);
	}
	fwrite(out, 1, qp_end(&qp, false, out), f);
}

/* A part of the report; type has %s where text names its character set. */
static void
write_part(FILE *f, const struct dsn *d, const char *boundary,
    const char *type, struct slice s)
{
	bool	ascii = orcpt_is_ascii(s);

	fprintf(f, "\r\n--%s\r\nContent-Type: %s%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", boundary, type,
	    strncmp(type, "text/plain", 10) != 0 ? "" :
	    ascii ? "; charset=us-ascii" : "; charset=utf-8",
	    ascii ? "7bit" : is_encoded(d) ? "quoted-printable" : "8bit");
	if (!ascii && is_encoded(d))
		write_encoded(f, s);
	else if (s.len > 0)
		fwrite(s.p, 1, s.len, f);
}

/* The same of what a function writes. -1: out of memory. */
static int
write_made(FILE *f, const struct dsn *d, const char *boundary,
    const char *type, void (*make)(FILE *, const struct dsn *))
{
	char	*buf = NULL;
	size_t	 len = 0;
	FILE	*m;
	int	 bad;

	if ((m = open_memstream(&buf, &len)) == NULL)
		return -1;
	make(m, d);
	bad = ferror(m);
	if (fclose(m) != 0)
		bad = 1;
	if (!bad)
		write_part(f, d, boundary, type, SLICE(buf, len));
	free(buf);
	return bad ? -1 : 0;
}

static int
write_report(FILE *f, const struct dsn *d, const char *boundary)
{
	const char	*third = d->whole ? "message/rfc822" :
			    "text/rfc822-headers";

	if (d->global)
		third = d->whole ? "message/global" : "message/global-headers";
	fputs("\r\nThis is a report about the delivery of a message.\r\n", f);
	if (write_made(f, d, boundary, "text/plain", dsn_write_text) == -1 ||
	    write_made(f, d, boundary, d->global ?
	    "message/global-delivery-status" : "message/delivery-status",
	    write_status) == -1)
		return -1;
	write_part(f, d, boundary, third, returned_part(d));
	fprintf(f, "\r\n--%s--\r\n", boundary);
	return 0;
}

/*
 * Addresses alone make a report global, and an address that no A-label helps
 * gets its report by SMTPUTF8 or not at all.
 */
static struct dsn
settle(const struct dsn *given)
{
	struct dsn	d = *given;
	char		buf[IDNA_DOMAIN_MAX + 1];
	size_t		i;

	d.global |= !orcpt_is_ascii(SLICE_STR(d.sender));
	for (i = 0; i < d.nrcpts; i++)
		d.global |= !orcpt_is_ascii(SLICE_STR(d.rcpts[i].addr));
	d.utf8 |= idna_path_to_ascii(d.sender, buf, sizeof(buf)) == -1;
	if (d.whole && is_encoded(&d) && d.returned.len > ENCODED_WHOLE_MAX &&
	    !orcpt_is_ascii(d.returned))
		d.whole = false;
	return d;
}

int
dsn_write(const struct dsn *given, struct dsn_text *t)
{
	struct dsn	 d = settle(given);
	char		 boundary[64];
	uint32_t	 r[4];
	FILE		*f;
	int		 bad;

	memset(t, 0, sizeof(*t));
	arc4random_buf(r, sizeof(r));
	snprintf(boundary, sizeof(boundary), "=_msad_%08x%08x%08x%08x", r[0],
	    r[1], r[2], r[3]);
	if ((f = open_memstream(&t->p, &t->len)) == NULL)
		return -1;
	write_header(f, &d, boundary);
	fflush(f);
	t->header_len = t->len;
	bad = write_report(f, &d, boundary) == -1 || ferror(f);
	if (fclose(f) != 0 || bad) {
		free(t->p);
		t->p = NULL;
		return -1;
	}
	t->eightbit = !orcpt_is_ascii(SLICE(t->p, t->len));
	t->smtputf8 = t->eightbit && d.global;
	return 0;
}
