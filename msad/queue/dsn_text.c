/*
 * The part of a report that people read. Runs in msad-queue, part of dsn.c.
 * First what happened, to which message and to whom, in plain words and with
 * what may be done about it; then the words of the host that said so. Those
 * come from outside and are escaped and bounded, as is the Subject.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dsn_priv.h"

#define SUBJECT_MAX	200	/* octets of a Subject that are shown */
#define EXPLAINED_MAX	200	/* recipients; of more the words of others */

/* What a status code says (RFC 3463), without its class. */
static const struct {
	const char	*code;
	const char	*says;
} explanations[] = {
	{ "1.1", "There is no such mailbox. Check how the address is "
	    "written." },
	{ "1.2", "The part of the address behind the @ takes no mail. Check "
	    "how it is written." },
	{ "1.3", "The address is not written as it should be." },
	{ "1.6", "The mailbox has moved, and its new address is not known." },
	{ "1.10", "The part of the address behind the @ takes no mail at "
	    "all." },
	{ "2.1", "The mailbox is switched off." },
	{ "2.2", "The mailbox is full. Its owner has to make room first." },
	{ "2.3", "The message is too large for that mailbox. Make it smaller, "
	    "or send a link." },
	{ "3.1", "The other mail system has no room left." },
	{ "3.2", "The other mail system takes no mail at present." },
	{ "3.3", "You wanted it in time or not at all, and the other mail "
	    "system cannot promise that." },
	{ "3.4", "The message is too large for the other mail system. Make it "
	    "smaller, or send a link." },
	{ "4.1", "The other mail system could not be reached." },
	{ "4.2", "The connection to the other mail system broke off." },
	{ "4.4", "No way to the other mail system was found." },
	{ "4.6", "The message went round in circles. The administrators of "
	    "the mail systems have to mend that." },
	{ "6.1", "The other mail system does not take this kind of "
	    "message." },
	{ "6.3", "The other mail system does not take this kind of "
	    "message." },
	{ "6.7", "The other mail system does not take addresses with such "
	    "letters. Use another address." },
	{ "6.9", "The other mail system does not take headers with such "
	    "letters. Write them with plain ones." },
};

/* Where nothing is said of the code itself. */
static const char *const	subjects[] = {
	[2] = "The mailbox does not take the message.",
	[6] = "The other mail system does not take this kind of message.",
	[7] = "The other mail system refused the message. Its own words say "
	    "why."
};

static const char *
explain(const struct dsn *d, const struct dsn_rcpt *r)
{
	const char	*code = r->status + 2;
	size_t		 i, n = sizeof(subjects) / sizeof(subjects[0]);

	if (strcmp(code, "4.7") == 0)
		return d->deliver_by != 0 && d->now >= d->deliver_by ?
		    "The time by which you wanted it delivered has passed." :
		    r->action == DSN_FAILED ? "It was tried for as long as "
		    "mail is tried, without success." : "";
	for (i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (strcmp(explanations[i].code, code) == 0)
			return explanations[i].says;
	i = (size_t)(unsigned char)*code - '0';
	return code[0] != '\0' && code[1] == '.' && i < n &&
	    subjects[i] != NULL ? subjects[i] : "";
}

const char *
dsn_subject(const struct dsn *d)
{
	if (d->double_bounce)
		return "Report that could not be delivered";
	if (dsn_has(d, DSN_FAILED))
		return "Undelivered mail returned to sender";
	if (dsn_has(d, DSN_DELAYED))
		return "Delayed mail, still being tried";
	return dsn_has(d, DSN_DELIVERED) ? "Your mail was delivered" :
	    "Your mail was sent on";
}

/* The value of the message's Subject on one line; "" when it is no ASCII. */
static void
find_subject(struct slice s, char *buf, size_t size)
{
	size_t	i, n = 0;

	*buf = '\0';
	for (i = 0; i + 8 < s.len; i++)
		if ((i == 0 || s.p[i - 1] == '\n') &&
		    strncasecmp(s.p + i, "Subject:", 8) == 0)
			break;
	if (i + 8 >= s.len)
		return;
	for (i += 8; i < s.len && n + 1 < size; i++) {
		if (s.p[i] == '\r' || (n == 0 && s.p[i] == ' '))
			continue;
		if (s.p[i] == '\n') {
			if (i + 1 >= s.len ||
			    (s.p[i + 1] != ' ' && s.p[i + 1] != '\t'))
				break;
			continue;
		}
		buf[n++] = s.p[i] == '\t' ? ' ' : s.p[i];
	}
	buf[n] = '\0';
	for (i = 0; i < n; i++)
		if (!isprint((unsigned char)buf[i]))
			*buf = '\0';
	if (strstr(buf, "=?") != NULL)
		*buf = '\0';	/* encoded: the header below has it */
}

/* Which message it is about. */
static void
write_about(FILE *f, const struct dsn *d)
{
	struct slice	header = d->returned;
	char		buf[SUBJECT_MAX];

	if (header.len > d->header_len)
		header.len = d->header_len;
	find_subject(header, buf, sizeof(buf));
	fputs("\r\n", f);
	if (*buf != '\0')
		fprintf(f, "  Subject: %s\r\n", buf);
	dsn_write_date(f, "  Sent", d->arrival);
	if (d->deliver_by != 0)
		dsn_write_date(f, "  Wanted by", d->deliver_by);
}

static const char *const	headings[] = {
	[DSN_FAILED] = "It did not reach these recipients, and will not be "
	    "tried again:",
	[DSN_DELAYED] = "It did not reach these recipients so far. You need "
	    "not send it again:\r\nit is still being tried.",
	[DSN_RELAYED] = "It was handed to the next mail system for these "
	    "recipients:",
	[DSN_DELIVERED] = "It was delivered to these recipients:"
};

static void
write_rcpt(FILE *f, const struct dsn *d, const struct dsn_rcpt *r, size_t max)
{
	const char	*says = "";
	char		host[256];

	fprintf(f, "\r\n  <%s>\r\n", r->addr);
	if (d->nrcpts > EXPLAINED_MAX)
		says = "";
	else if (r->action == DSN_FAILED || r->action == DSN_DELAYED)
		says = explain(d, r);
	else if (r->unwatched)
		says = "That one does not heed the time by which you wanted "
		    "it delivered.";
	else if (r->silent)
		says = "That one sends no reports: no more will be known from "
		    "here.";
	if (*says != '\0')
		fprintf(f, "    %s\r\n", says);
	if (r->code != 0) {
		fputs("    ", f);
		dsn_write_escaped(f, r->remote[0] == '\0' ? "It" :
		    dsn_host(r->remote, host, sizeof(host)), "    ", max);
		fprintf(f, " said: %u ", r->code);
		dsn_write_escaped(f, r->reply, "    ", max);
		fputs("\r\n", f);
	} else if (r->reply[0] != '\0') {
		fputs("    Reason: ", f);
		dsn_write_escaped(f, r->reply, "    ", max);
		fputs("\r\n", f);
	}
}

static const char *
first_line(const struct dsn *d)
{
	if (d->double_bounce)
		return "A message without a sender could not be delivered: a "
		    "report about another\r\nmessage, most likely. You get "
		    "it as the postmaster.";
	if (dsn_has(d, DSN_FAILED))
		return d->partly ? "Your message could not be delivered to "
		    "some of its recipients." :
		    "Your message could not be delivered.";
	if (dsn_has(d, DSN_DELAYED))
		return "Your message is delayed.";
	return dsn_has(d, DSN_DELIVERED) ? "Your message was delivered." :
	    "Your message was sent on.";
}

void
dsn_write_text(FILE *f, const struct dsn *d)
{
	size_t		i, max = dsn_text_max(d);
	unsigned int	action;

	fprintf(f, "%s\r\n", first_line(d));
	write_about(f, d);
	for (action = 0; action <= DSN_DELIVERED; action++) {
		if (!dsn_has(d, (enum dsn_action)action))
			continue;
		fprintf(f, "\r\n%s\r\n", headings[action]);
		for (i = 0; i < d->nrcpts; i++)
			if (d->rcpts[i].action == action)
				write_rcpt(f, d, &d->rcpts[i], max);
		if (action == DSN_DELAYED)
			dsn_write_date(f, "\r\nIt is tried until", d->until);
	}
	fprintf(f, "\r\nWho asks for help should name queue id %llx of "
	    "%s.\r\n", (unsigned long long)d->id, d->hostname);
}
