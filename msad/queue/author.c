/*
 * Nobody sends as somebody else (P3): the addresses of From and Sender, on
 * exactly the octets that will be sent, against what the grant's login may
 * use by the match rule of its MAIL. Runs in msad-queue, called by
 * transaction.c when a header section is whole. The section comes from a
 * front-end that may be hostile: what an honest one would have rewritten
 * (obsolete forms, which readers take differently) is refused here.
 *
 * What from-mismatch asks for is written here as well, since the login's own
 * address is known to the queue alone.
 */
#include <stdio.h>
#include <string.h>

#include "common/header.h"
#include "common/idna.h"
#include "common/mailbox.h"

#include "author.h"

/* One of the fields that say who writes. */
struct names {
	bool		 seen;
	struct slice	 all;		/* the field */
	size_t		 naddrs;
	size_t		 ngroups;
	size_t		 ndenied;
	size_t		 noutside;	/* of ndenied: by the credential */
	char		 first[MAILBOX_ADDR_MAX + 1];
	char		 denied[MAILBOX_ADDR_MAX + 1];	/* the first such */
	struct slice	 phrase;	/* of the first */
};

struct question {
	struct author			*a;
	const struct conf_match		*rule;
	const struct tables		*tables;
	const struct rights_login	*login;
	struct names			 from, sender, rfrom, rsender;
	unsigned int			 nrfrom;
	bool				 unknown;	/* a table is */
	char				 own[IDNA_KEY_MAX];
};

static enum verdict
malformed(struct author *a, const char *field, const char *what)
{
	snprintf(a->text, sizeof(a->text), "the %s field has %s", field, what);
	return VERDICT_MALFORMED;
}

/* An address of the field. */
static void
take_mailbox(struct question *q, struct names *n, const struct mailbox *m)
{
	if (n->naddrs++ == 0) {
		memcpy(n->first, m->addr, m->len + 1);
		n->phrase = m->phrase;
	}
	switch (rights_sender(q->rule, q->tables, q->login,
	    SLICE(m->addr, m->len))) {
	case RIGHT_YES:
		return;
	case RIGHT_UNKNOWN:
		q->unknown = true;
		break;
	default:
		break;
	}
	if (rights_outside(q->tables, q->login, SLICE(m->addr, m->len)))
		n->noutside++;
	if (n->ndenied++ == 0)
		memcpy(n->denied, m->addr, m->len + 1);
}

static enum verdict
take_field(struct question *q, struct names *n, const struct header_field *f,
    const char *name)
{
	struct mailbox_list	l;
	struct mailbox		m;
	int			r;

	n->seen = true;
	n->all = f->all;
	mailbox_begin(&l, f->body, true);
	while ((r = mailbox_next(&l, &m)) == 1) {
		if (m.obsolete)
			return malformed(q->a, name, "an obsolete form");
		if (m.kind == MAILBOX_GROUP)
			n->ngroups++;
		else if (m.kind == MAILBOX_ADDR)
			take_mailbox(q, n, &m);
	}
	if (r == -1)
		return malformed(q->a, name, l.reason);
	return l.obsolete ? malformed(q->a, name, "an obsolete form") :
	    VERDICT_OK;
}

/* Read the fields; of the Resent ones those of the newest block. */
static enum verdict
read_fields(struct question *q, struct slice section)
{
	static const char	*const names[] = {
		"From", "Sender", "Resent-From", "Resent-Sender"
	};
	struct names		*const slots[] = {
		&q->from, &q->sender, &q->rfrom, &q->rsender
	};
	struct header		 h;
	struct header_field	 f;
	const char		*reason;
	enum verdict		 v;
	size_t			 i;

	header_begin(&h, section);
	while (header_next(&h, &f, &reason) == 1) {
		for (i = 0; i < 4; i++)
			if (slice_is_nocase(f.name, names[i]))
				break;
		if (i == 4)
			continue;
		if (i == 2)
			q->nrfrom++;
		if (slots[i]->seen || (i == 3 && q->nrfrom > 1))
			continue;	/* an older block */
		if ((v = take_field(q, slots[i], &f, names[i])) != VERDICT_OK)
			return v;
	}
	if (q->sender.seen && (q->sender.naddrs != 1 ||
	    q->sender.ngroups != 0))
		return malformed(q->a, "Sender", "to be one address");
	if (q->rsender.seen && (q->rsender.naddrs != 1 ||
	    q->rsender.ngroups != 0))
		return malformed(q->a, "Resent-Sender", "to be one address");
	return VERDICT_OK;
}

static bool
good(const struct names *n)
{
	return !n->seen || (n->naddrs > 0 && n->ndenied == 0);
}

static enum verdict
denied(struct question *q, const struct names *n, const char *field)
{
	if (n->naddrs == 0)
		snprintf(q->a->text, sizeof(q->a->text),
		    "the %s field names no address", field);
	else
		snprintf(q->a->text, sizeof(q->a->text),
		    "the %s field names %.160s, which your login may not use",
		    field, n->denied);
	return VERDICT_FROM_DENIED;
}

/*
 * The address that Sender gets: the login's own, unless its credential is for
 * others. Without SMTPUTF8 it has to be ASCII, with A-labels if need be.
 */
static const char *
own_address(struct question *q)
{
	struct address	a;
	struct slice	own = SLICE_STR(q->login->own);
	int		n;

	if (idna_address_parse(own, &a) == ADDRESS_OK &&
	    !rights_outside(q->tables, q->login, own)) {
		if (q->login->utf8 || address_parse(own, &a) == ADDRESS_OK)
			return q->login->own;
		n = idna_address_key(&a, q->own, sizeof(q->own));
		if (n != -1 && address_parse(SLICE(q->own, (size_t)n), &a) ==
		    ADDRESS_OK)
			return q->own;
	}
	return q->from.ndenied == 0 && q->from.naddrs > 0 ? q->from.first :
	    NULL;
}

static enum verdict
add_sender(struct question *q)
{
	const char	*own = own_address(q);

	/* a credential's restriction is on From itself */
	if (own == NULL || q->from.naddrs == 0 || q->from.noutside > 0)
		return denied(q, good(&q->from) ? &q->sender : &q->from,
		    good(&q->from) ? "Sender" : "From");
	snprintf(q->a->add, sizeof(q->a->add), "Sender: %s\r\n", own);
	q->a->drop = q->sender.all;
	q->a->change = true;
	return VERDICT_OK;
}

/* A From of the login's own address, with the name that was there. */
static enum verdict
rewrite(struct question *q)
{
	struct author	*a = q->a;
	struct slice	 name = q->from.phrase;
	const char	*own = own_address(q);

	if (own == NULL)
		return denied(q, &q->from, "From");
	if (!good(&q->from)) {
		if (name.len > 500)
			name.len = 0;
		snprintf(a->instead, sizeof(a->instead),
		    "From: %.*s%s<%s>\r\n", SLICE_FMT(name),
		    name.len > 0 ? " " : "", own);
		a->from = q->from.all;
	} else if (q->from.naddrs > 1)
		return add_sender(q);
	a->drop = q->sender.all;
	a->change = true;
	return VERDICT_OK;
}

enum verdict
author_check(struct author *a, struct slice section,
    const struct conf_match *rule, const struct tables *tables,
    const struct rights_login *login)
{
	struct question	q;
	enum verdict	v;

	memset(&q, 0, sizeof(q));
	a->text[0] = a->instead[0] = a->add[0] = '\0';
	a->change = false;
	a->from = a->drop = SLICE(section.p, 0);
	q.sender.all = a->drop;
	q.a = a;
	q.rule = rule;
	q.tables = tables;
	q.login = login;
	if ((v = read_fields(&q, section)) != VERDICT_OK)
		return v;
	if (q.unknown)
		return VERDICT_TROUBLE;
	if (!good(&q.rfrom))
		return denied(&q, &q.rfrom, "Resent-From");
	if (!good(&q.rsender))		/* of no Resent-From, too */
		return denied(&q, &q.rsender, "Resent-Sender");
	if (q.rfrom.seen)
		return VERDICT_OK;
	if (good(&q.from) && good(&q.sender))
		return q.from.naddrs > 1 && !q.sender.seen ? add_sender(&q) :
		    VERDICT_OK;
	switch (rule->mismatch) {
	case CONF_MISMATCH_ADD_SENDER:
		return add_sender(&q);
	case CONF_MISMATCH_REWRITE:
		return rewrite(&q);
	default:
		return !good(&q.from) ? denied(&q, &q.from, "From") :
		    denied(&q, &q.sender, "Sender");
	}
}

void
author_section(const struct author *a, struct slice section,
    void (*put)(void *, const void *, size_t), void *arg)
{
	struct slice	cut[2];
	const char	*at = section.p, *end = section.p + section.len;
	size_t		i;

	if (a->change) {
		cut[0] = a->from.p < a->drop.p ? a->from : a->drop;
		cut[1] = a->from.p < a->drop.p ? a->drop : a->from;
		for (i = 0; i < 2; i++) {
			if (cut[i].len == 0)
				continue;
			put(arg, at, (size_t)(cut[i].p - at));
			if (cut[i].p == a->from.p)
				put(arg, a->instead, strlen(a->instead));
			at = cut[i].p + cut[i].len;
		}
	}
	put(arg, at, (size_t)(end - at));
	if (a->change)
		put(arg, a->add, strlen(a->add));
}
