/*
 * What a message needs from a next hop, and what can be done without, in
 * msad-relay.
 *
 * Called by job.c when a job is complete, by pool.c when it looks for a
 * connection, and by client.c once there is one. Bodies are not converted
 * here: the front-end has done what may be done, before the message was
 * signed. What is left are the forms of addresses, and the reason why a
 * message cannot go.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <string.h>

#include "common/idna.h"
#include "common/mime_field.h"
#include "common/orcpt.h"
#include "msad/relay/client.h"
#include "msad/relay/downgrade.h"

#define SECTION_MAX	65536	/* octets of a part's header that are read */

static bool
path_needs_utf8(const char *path)
{
	char	buf[JOB_PATH_MAX];

	return idna_path_to_ascii(path, buf, sizeof(buf)) == -1;
}

unsigned int
downgrade_needs(const struct job *job)
{
	unsigned int	 caps = job->eightbit ? CAP_8BITMIME : 0;
	size_t		 i;

	if (job->params.has_by && job->params.by_return)
		caps |= CAP_DELIVERBY;
	if (!job->params.smtputf8)
		return caps;
	if (job->utf8header || path_needs_utf8(job->from))
		return caps | CAP_SMTPUTF8;
	for (i = 0; i < job->nrcpts; i++)
		if (path_needs_utf8(job->rcpts[i].path))
			return caps | CAP_SMTPUTF8;
	return caps;
}

/* Has the content an octet above 127? -1: it cannot be read. */
static int
is_8bit(struct job *job)
{
	static char	 buf[65536];
	uint64_t	 off;
	ssize_t		 n, i;

	for (off = 0; off < job->size; off += (uint64_t)n) {
		n = job_read(job, off, buf, sizeof(buf));
		if (n <= 0)
			return -1;
		for (i = 0; i < n; i++)
			if (buf[i] & 0x80)
				return 1;
	}
	return 0;
}

/*
 * The header sections of a message and its parts, found without a look at
 * boundaries: one begins at the start, behind each line that begins with two
 * hyphens, and behind the section of a message within the message.
 */
struct sections {
	char		 text[SECTION_MAX];	/* of the section so far */
	size_t		 len;
	bool		 in;		/* in a section */
	size_t		 column;
	char		 first[2];	/* octets of this line */
	char		 last;		/* the octet before */
	bool		 sealed;
};

static void
section_end(struct sections *s)
{
	struct mime_part	part;

	mime_part_parse(SLICE(s->text, s->len), &part);
	s->len = 0;
	s->sealed |= part.kind == MIME_SEALED;
	s->in = part.kind == MIME_MESSAGE;
}

static void
section_octet(struct sections *s, char c)
{
	bool	end = s->last == '\r' && c == '\n';

	s->last = c;
	if (s->column < 2)
		s->first[s->column] = c;
	s->column++;
	if (s->in && s->len < sizeof(s->text))
		s->text[s->len++] = c;
	if (!end)
		return;
	if (s->first[0] == '-' && s->first[1] == '-') {
		s->in = true;
		s->len = 0;
	} else if (s->in && s->column == 2) {
		s->len -= 2;		/* the empty line */
		section_end(s);
	}
	s->column = 0;
}

/*
 * Is a part of it signed or encrypted, so that nothing of it may be encoded
 * anew (R6409-8-b)? 0 also when it cannot be read.
 */
static int
is_sealed(struct job *job)
{
	static struct sections	 s;
	static char		 buf[65536];
	uint64_t		 off;
	ssize_t			 n, i;

	memset(&s, 0, sizeof(s));
	s.in = true;
	for (off = 0; off < job->size && !s.sealed; off += (uint64_t)n) {
		n = job_read(job, off, buf, sizeof(buf));
		if (n <= 0)
			return 0;
		for (i = 0; i < n && !s.sealed; i++)
			section_octet(&s, buf[i]);
	}
	return s.sealed;
}

/* 8-bit content for a next hop that does not take it; 0, or -1. */
static int
job_suits_7bit(struct job *job, struct result *res)
{
	switch (is_8bit(job)) {
	case 0:
		return 0;
	case 1:
		if (is_sealed(job))	/* R6409-8-b */
			result_set(res, OUTCOME_PERMANENT, "5.6.1", "the next "
			    "hop does not take 8-bit content, and what is "
			    "signed or encrypted must not be altered");
		else
			result_set(res, OUTCOME_PERMANENT, "5.6.3",
			    "the next hop does not take 8-bit content");
		return -1;
	default:
		result_set(res, OUTCOME_TRANSIENT, "4.3.0",
		    "the message could not be read");
		return -1;
	}
}

static int
job_suits(const struct client *c, struct job *job, struct result *res)
{
	if (c->size_limit != 0 && job->size > c->size_limit) {
		result_set(res, OUTCOME_PERMANENT, "5.3.4",
		    "the next hop takes %llu octets at most, the message has "
		    "%llu", (unsigned long long)c->size_limit,
		    (unsigned long long)job->size);
		return -1;
	}
	if (job->utf8header && job->params.smtputf8 &&
	    (c->caps & CAP_SMTPUTF8) == 0) {
		result_set(res, OUTCOME_PERMANENT, "5.6.9", "the next hop "
		    "does not take headers in UTF-8 (SMTPUTF8)");
		return -1;
	}
	return job->eightbit && (c->caps & CAP_8BITMIME) == 0 ?
	    job_suits_7bit(job, res) : 0;
}

int
downgrade_job(const struct client *c, struct job *job, struct result *res)
{
	if (job_suits(c, job, res) == 0)
		return 0;
	res->flags = client_flags(c);
	return -1;
}

int
downgrade_other_address(const struct client *c, const struct job *job)
{
	unsigned int	 lacks = job->needs & ~c->caps;

	if (c->searched)
		lacks &= ~c->wants;
	return lacks != 0 && c->naddr > 1;
}

int
downgrade_null_sender(const struct client *c, const struct rcpt *rcpt)
{
	return (rcpt->params.notify & NOTIFY_NEVER) != 0 &&
	    (c->caps & CAP_DSN) == 0 && !c->job->with_sender &&
	    c->job->from[0] != '\0';
}

static int
speaks_utf8(const struct client *c)
{
	return c->job->params.smtputf8 && (c->caps & CAP_SMTPUTF8) != 0;
}

/* Can its addresses be said to this next hop? */
int
downgrade_rcpt(const struct client *c, const struct rcpt *rcpt,
    struct result *res)
{
	const char	*whose;
	char		 buf[JOB_PATH_MAX];

	if (speaks_utf8(c))
		return 0;
	if (idna_path_to_ascii(rcpt->path, buf, sizeof(buf)) == -1)
		whose = "recipient";
	else if (!downgrade_null_sender(c, rcpt) &&
	    idna_path_to_ascii(c->job->from, buf, sizeof(buf)) == -1)
		whose = "sender";
	else
		return 0;
	result_set(res, OUTCOME_PERMANENT, "5.6.7", "the next hop takes no "
	    "addresses outside ASCII (SMTPUTF8), and that of the %s is one",
	    whose);
	res->flags = client_flags(c);
	return -1;
}

int
downgrade_utf8(const struct client *c)
{
	size_t	 i;

	if (!speaks_utf8(c))
		return 0;
	if (c->job->utf8header || (!c->null_sender &&
	    !orcpt_is_ascii(SLICE_STR(c->job->from))))
		return 1;
	for (i = 0; i < c->ntx; i++)
		if (!orcpt_is_ascii(SLICE_STR(c->tx[i]->path)))
			return 1;
	return 0;
}
