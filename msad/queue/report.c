/*
 * A report from the results of a round: who of the recipients is due one, what
 * of the message it returns, and its envelope. Runs in msad-queue; outcome.c
 * calls. What the client asked for (RET, ENVID, ORCPT) is read from the
 * envelope in the spool, for it is not kept in memory; a message that cannot
 * be read any more is reported without.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/orcpt.h"
#include "common/params.h"

#include "dsn.h"
#include "report.h"
#include "schedule.h"

#define RETURN_MAX	(1024 * 1024)	/* octets of a message returned whole */

/*
 * A report that cannot be delivered, or another message without a sender, goes
 * to the postmaster if there is one; what goes there never does again.
 */
static bool
is_double_due(const struct message *m, const struct result *r)
{
	if (child_conf()->bounce.postmaster == NULL ||
	    r->action != DSN_FAILED ||
	    strcmp(message_mech(m), REPORT_DOUBLE) == 0)
		return false;
	return (m->env_flags & ENVELOPE_DSN) ||
	    !(m->rcpts[r->rcpt].notify & NOTIFY_NEVER);
}

bool
report_is_due(const struct message *m, const struct result *r)
{
	unsigned int	notify = m->rcpts[r->rcpt].notify;

	if (message_sender(m)[0] == '\0')
		return is_double_due(m, r);
	switch (r->action) {
	case DSN_FAILED:
		return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
	case DSN_DELAYED:
		return notify == 0 || (notify & NOTIFY_DELAY) != 0;
	default:
		return (notify & NOTIFY_SUCCESS) != 0 ||
		    report_wants_relayed(m, r->rcpt);
	}
}

bool
report_wants_relayed(const struct message *m, uint32_t i)
{
	return m->deliver_by != 0 && message_sender(m)[0] != '\0' &&
	    !(m->rcpts[i].notify & NOTIFY_NEVER);
}

const char *
report_to(const struct message *m)
{
	return message_sender(m)[0] != '\0' ||
	    child_conf()->bounce.postmaster == NULL ? message_sender(m) :
	    child_conf()->bounce.postmaster;
}

static bool
is_double(const struct message *m)
{
	return message_sender(m)[0] == '\0';
}

static const char *
status_of(const struct result *r)
{
	char	class = r->enhanced[0];

	switch (r->action) {
	case DSN_FAILED:
		return class == '4' || class == '5' ? r->enhanced : "5.0.0";
	case DSN_DELAYED:
		return class == '4' ? r->enhanced : "4.0.0";
	default:
		return class == '2' ? r->enhanced : "2.0.0";
	}
}

/* The recipients that are due; malloc'd. */
static struct dsn_rcpt *
due_rcpts(const struct message *m, const struct results *list, size_t *n)
{
	struct dsn_rcpt		*rcpts;
	const struct result	*r;

	*n = 0;
	if ((rcpts = calloc(m->nrcpts, sizeof(*rcpts))) == NULL)
		return NULL;
	TAILQ_FOREACH(r, list, entry)
		if (report_is_due(m, r) && *n < m->nrcpts)
			rcpts[(*n)++] = (struct dsn_rcpt){
				.index = r->rcpt,
				.addr = message_rcpt(m, r->rcpt),
				.status = status_of(r), .remote = r->remote,
				.code = r->code, .reply = r->reply,
				.action = r->action,
				.unwatched = r->action == DSN_RELAYED &&
				    m->deliver_by != 0 &&
				    !(r->flags & RESULT_DELIVERBY),
				.silent = r->action == DSN_RELAYED &&
				    !(r->flags & RESULT_DSN) };
	return rcpts;
}

/* Each recipient's ORCPT out of the envelope, which outlives the report. */
static void
set_orcpts(struct dsn *d, struct dsn_rcpt *rcpts, struct envelope *e)
{
	struct rcpt_params	params;
	struct slice		addr, text;
	uint32_t		i;
	size_t			k;

	for (i = 0; envelope_rcpt(e, &addr, &text); i++) {
		if (text.len == 0 || !params_rcpt_canonical(text, &params))
			continue;
		for (k = 0; k < d->nrcpts; k++)
			if (rcpts[k].index == i)
				rcpts[k].orcpt = params.orcpt;
	}
}

/* What the next hop, which the report goes to as well, said of itself. */
static uint8_t
seen_flags(const struct message *m, const struct results *list)
{
	const struct result	*r;
	uint8_t			 flags = 0;

	if (is_double(m))
		return 0;		/* it goes another way */
	if (m->dest != NULL && m->dest->maildir)
		return RESULT_SMTPUTF8;
	TAILQ_FOREACH(r, list, entry)
		flags |= r->flags;
	/* it may have been the relay before that said so */
	if (m->flags & MESSAGE_REROUTED)
		flags &= (uint8_t)~RESULT_SMTPUTF8;
	return flags;
}

/*
 * A failure whose sender wants it whole, which is not too large, and whose
 * octets the way back takes.
 */
static bool
returns_whole(const struct dsn *d, const struct message *m,
    const struct mail_params *params, const struct spool_content *c)
{
	size_t	i;

	if ((params->ret != PARAMS_RET_FULL && !d->double_bounce) ||
	    params->body == PARAMS_BINARYMIME ||
	    c->prefixlen + c->bodylen > RETURN_MAX ||
	    (d->sevenbit && !d->global &&
	    (m->env_flags & ENVELOPE_8BITMIME)))
		return false;
	for (i = 0; i < d->nrcpts; i++)
		if (d->rcpts[i].action == DSN_FAILED)
			return true;
	return false;
}

/* So many octets of the message from its start; malloc'd, or NULL. */
static char *
read_content(const struct spool_content *c, size_t want, size_t *len)
{
	char	*buf;
	ssize_t	 n;

	*len = 0;
	if ((buf = malloc(want + 1)) == NULL)
		return NULL;
	/* a read ends where the prefix does */
	while (*len < want && (n = spool_content_read(c, *len, buf + *len,
	    want - *len)) > 0)
		*len += (size_t)n;
	return buf;
}

/* What was asked of RFC 4865, as Future-Release-Request says it. */
static const char *
future_request(const struct mail_params *params, char *buf, size_t size)
{
	if (params->holdfor != 0)
		snprintf(buf, size, "for;%u", params->holdfor);
	else if (params->holduntil.p != NULL)
		snprintf(buf, size, "until;%.*s",
		    SLICE_FMT(params->holduntil));
	else
		return NULL;
	return buf;
}

/* Write the report with what the spool has of the message. */
static int
write_with(const struct message *m, struct dsn *d, struct dsn_rcpt *rcpts,
    const struct spool_content *c, struct dsn_text *text)
{
	struct mail_params	 params;
	struct envelope		 e;
	size_t			 got, want = c->prefixlen + m->header_len;
	char			*buf, future[PARAMS_VALUE_MAX + 16];
	int			 n;

	d->header_len = want;
	if (envelope_decode(c->env, c->envlen, &e) == 0 &&
	    params_mail_canonical(e.params, &params)) {
		d->envid = params.envid;
		d->global = params.smtputf8;
		d->future = future_request(&params, future, sizeof(future));
		if ((d->whole = returns_whole(d, m, &params, c)))
			want = c->prefixlen + (size_t)c->bodylen;
		set_orcpts(d, rcpts, &e);
	}
	buf = read_content(c, want, &got);
	if (got < want)
		d->whole = false;
	d->returned = SLICE(buf, buf == NULL ? 0 : got);
	n = dsn_write(d, text);
	free(buf);
	return n;
}

static int
write_dsn(struct spool *spool, const struct message *m,
    const struct results *list, uint64_t dsn_id, time_t now,
    struct dsn_text *text)
{
	struct dsn		 d = { .id = m->id, .dsn_id = dsn_id,
		.now = now, .arrival = (time_t)m->arrival,
		.deliver_by = (time_t)m->deliver_by, .sender = report_to(m),
		.double_bounce = is_double(m) };
	struct dsn_rcpt		*rcpts;
	struct spool_content	 c;
	uint8_t			 flags = seen_flags(m, list);
	int			 n;

	d.hostname = child_conf()->hostname;
	d.until = (time_t)schedule_end(m);
	d.utf8 = (flags & RESULT_SMTPUTF8) != 0;
	d.sevenbit = (flags & RESULT_7BIT) != 0;
	if ((rcpts = due_rcpts(m, list, &d.nrcpts)) == NULL)
		return -1;
	d.rcpts = rcpts;
	d.partly = d.nrcpts < m->nrcpts;
	if (spool_content_open(spool, m->id, &c) == SPOOL_OK) {
		n = write_with(m, &d, rcpts, &c, text);
		spool_content_close(&c);
	} else
		n = dsn_write(&d, text);
	free(rcpts);
	return n;
}

/*
 * Parameters of the report's MAIL: it is as urgent as what it reports (RFC
 * 6710 section 4.5).
 */
static struct slice
mail_text(const struct message *m, const struct dsn_text *text, char *buf,
    size_t size)
{
	struct mail_params	params;
	int			n;

	memset(&params, 0, sizeof(params));
	params.smtputf8 = text->smtputf8 ||
	    !orcpt_is_ascii(SLICE_STR(report_to(m)));
	params.has_priority = m->priority != 0;
	params.priority = m->priority;
	n = params_mail_print(&params, buf, size);
	return SLICE(buf, n < 0 ? 0 : (size_t)n);
}

/* A double bounce is the postmaster's, and of no tenant. */
static void
set_origin(struct envelope *e, const struct message *m)
{
	e->mech = SLICE_STR(is_double(m) ? REPORT_DOUBLE : "dsn");
	e->relay = SLICE_STR(is_double(m) ? child_conf()->bounce.relay :
	    message_relay(m));
	if (is_double(m)) {
		e->user = SLICE_STR(child_conf()->bounce.postmaster);
		e->tenant = e->auth = SLICE("", 0);
		return;
	}
	e->user = SLICE_STR(message_user(m));
	e->tenant = SLICE_STR(message_tenant(m));
	e->auth = SLICE_STR(message_auth(m));
}

/* The report's envelope, decoded into e; malloc'd, NULL when memory is out. */
static uint8_t *
write_envelope(const struct message *m, const char *msgid,
    const struct dsn_text *text, time_t now, struct envelope *e, size_t *len)
{
	struct slice	 to = SLICE_STR(report_to(m));
	/* A report is not reported (RFC 3461 section 6.1). */
	struct slice	 never = SLICE_STR("NOTIFY=NEVER");
	uint8_t		*env;
	char		 params[PARAMS_TEXT_MAX + 1];

	memset(e, 0, sizeof(*e));
	e->arrival = (uint64_t)now;
	e->flags = ENVELOPE_DSN | (text->eightbit ? ENVELOPE_8BITMIME : 0) |
	    (text->smtputf8 ? ENVELOPE_UTF8HEADER : 0);
	e->header_len = (uint32_t)text->header_len;
	e->params = mail_text(m, text, params, sizeof(params));
	set_origin(e, m);
	e->sender = SLICE("", 0);
	e->msgid = SLICE_STR(msgid);
	if ((env = envelope_encode(e, &to, &never, 1, len)) != NULL &&
	    envelope_decode(env, *len, e) == -1) {
		free(env);
		env = NULL;
	}
	return env;
}

struct message *
report_add(struct spool *spool, struct spool_txn *txn,
    const struct message *m, const struct results *list, time_t now)
{
	struct envelope		 e;
	struct spool_message	*sm;
	struct message		*dsn = NULL;
	enum spool_result	 result;
	struct dsn_text		 text = { .p = NULL };
	size_t			 envlen;
	uint64_t		 id;
	uint8_t			*env = NULL;
	char			 msgid[320];
	int			 n;

	if ((sm = spool_message_begin(spool, SPOOL_MESSAGE_RESERVE,
	    &result)) == NULL)
		return NULL;
	id = spool_message_id(sm);
	n = write_dsn(spool, m, list, id, now, &text);
	snprintf(msgid, sizeof(msgid), "<%llx.dsn@%s>",
	    (unsigned long long)id, child_conf()->hostname);
	if (n == -1 ||
	    spool_message_append(sm, text.p, text.len) != SPOOL_OK ||
	    (env = write_envelope(m, msgid, &text, now, &e, &envlen)) ==
	    NULL || (dsn = message_new(id, text.len, &e)) == NULL)
		spool_message_abort(sm);
	else if (spool_txn_message(txn, sm, env, envlen, "", 0) != SPOOL_OK) {
		message_free(dsn);
		dsn = NULL;
	}
	if (dsn != NULL)
		dsn->rcpts[0].next = dsn->next = (uint32_t)now;
	free(env);
	free(text.p);
	return dsn;
}
