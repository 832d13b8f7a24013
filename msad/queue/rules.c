/*
 * An operator's rules for mail still to come. Runs in msad-queue: transaction.c
 * asks at MAIL, at RCPT and at the end of the data, control_rules.c brings what
 * msactl wants. What is matched comes from the grant, from the configuration
 * and from addresses that were parsed.
 *
 * A message is refused as soon as it can be told: by user, tenant, sender,
 * relay and the size of SIZE= at MAIL; a recipient alone at RCPT; by its size
 * indeed at the end, when a rule that names recipients too refuses all of it.
 * The first that rejects counts, then the first that holds. Without rules this
 * costs a comparison; with many, each is held against what a message is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"

#include "registers.h"
#include "rules.h"
#include "spool.h"

#define KEY(key)	(1U << (key))
#define KEYS_RCPT	(KEY(SELECTION_TO) | KEY(SELECTION_DOMAIN))
#define KEYS_ALL	(KEYS_RCPT | KEY(SELECTION_USER) | \
    KEY(SELECTION_TENANT) | KEY(SELECTION_FROM) | KEY(SELECTION_RELAY) | \
    KEY(SELECTION_SIZE))
#define ADDR_MAX	1024

struct rule {
	struct rule_record	 r;
	struct selection	 sel;
	bool			 below;		/* a size it must not have */
	uint64_t		 hits;
	char			 text[];	/* of reason and selection */
};

/* Rules in force of one action, by number. */
struct list {
	struct rule	*rules[KEPT_MAX];
	unsigned int	 n;
};

/* A removal that waits for the disk. */
struct removal {
	uint32_t	 number, uid, n;
	kept_done	 done;
	void		*arg;
};

static void	on_holds(unsigned int);
static void	on_gone(unsigned int);

static struct kept	 kept = { REGISTER_RULES, on_holds, on_gone, NULL,
	{ 0 } };
static struct rule	*rules[KEPT_MAX];
static struct list	 rejects, holds;
static uint32_t		 last_number;

/* --- a rule --- */

static void
rule_free(struct rule *rule)
{
	selection_free(&rule->sel);
	free(rule);
}

/* Names are compared as they are looked up: domains as A-labels. */
static void
set_ascii(struct selection_term *t)
{
	char	 buf[ADDR_MAX], *p;

	if (orcpt_is_ascii(SLICE_STR(t->text)) || t->glob)
		return;
	if (t->key == SELECTION_DOMAIN ?
	    idna_to_ascii(SLICE_STR(t->text), buf, sizeof(buf)) == -1 :
	    idna_path_to_ascii(t->text, buf, sizeof(buf)) == -1)
		return;
	if ((p = strdup(buf)) == NULL)
		return;
	free(t->text);
	t->text = p;
}

/* NULL with a sentence in err: no rule can be made of it. */
static struct rule *
rule_new(const struct rule_record *r, char *err, size_t size)
{
	struct rule	*rule;
	size_t		 i;

	if ((rule = calloc(1, sizeof(*rule) + r->reason.len +
	    r->selection.len)) == NULL) {
		strlcpy(err, "out of memory", size);
		return NULL;
	}
	rule->r = *r;
	memcpy(rule->text, r->reason.p, r->reason.len);
	memcpy(rule->text + r->reason.len, r->selection.p, r->selection.len);
	rule->r.reason.p = rule->text;
	rule->r.selection.p = rule->text + r->reason.len;
	if (selection_parse(&rule->sel, r->selection, err, size) == -1) {
		free(rule);
		return NULL;
	}
	for (i = 0; i < rule->sel.nterms; i++) {
		if (!(KEY(rule->sel.terms[i].key) & KEYS_ALL)) {
			snprintf(err, size, "a rule cannot select by %s: mail "
			    "still to come has none",
			    selection_key_name(rule->sel.terms[i].key));
			rule_free(rule);
			return NULL;
		}
		if (rule->sel.terms[i].below)
			rule->below = true;
		if (KEY(rule->sel.terms[i].key) & (KEYS_RCPT |
		    KEY(SELECTION_FROM)))
			set_ascii(&rule->sel.terms[i]);
	}
	return rule;
}

static int
by_number(const void *a, const void *b)
{
	const struct rule *const	*x = a, *const *y = b;

	return (*x)->r.number < (*y)->r.number ? -1 :
	    (*x)->r.number > (*y)->r.number;
}

/* Those of an action that are in force, all of them with action 0. */
static void
collect(struct list *list, enum rule_action action)
{
	unsigned int	i;

	list->n = 0;
	for (i = 0; i < KEPT_MAX; i++)
		if (rules[i] != NULL && kept_in_force(&kept, i) &&
		    (action == 0 || rules[i]->r.action == action))
			list->rules[list->n++] = rules[i];
	qsort(list->rules, list->n, sizeof(list->rules[0]), by_number);
}

static void
changed(void)
{
	collect(&rejects, RULE_REJECT);
	collect(&holds, RULE_HOLD);
}

static void
log_rule(const char *event, const struct rule *rule)
{
	log_notice("event=%s rule=%u action=%s uid=%u until=%llu "
	    "selection=%s reason=%s", event, rule->r.number,
	    rule_action_name(rule->r.action), rule->r.uid,
	    (unsigned long long)rule->r.until,
	    log_qn(rule->r.selection.p, rule->r.selection.len),
	    log_qn(rule->r.reason.p, rule->r.reason.len));
}

static void
on_holds(unsigned int slot)
{
	log_rule("rule-added", rules[slot]);
	changed();
}

static void
on_gone(unsigned int slot)
{
	struct rule	*rule = rules[slot];

	rules[slot] = NULL;
	changed();
	rule_free(rule);
}

/* --- matching --- */

/*
 * Do the terms of a key allow this text, as it came or as its form of ASCII
 * alone?
 */
static bool
allows(const struct selection *sel, enum selection_key key, const char *text,
    const char *ascii)
{
	return selection_text(sel, key, text) ||
	    (ascii != text && selection_text(sel, key, ascii));
}

/* The path with its domain as A-labels; itself where that is no other. */
static const char *
ascii_path(const char *path, char *buf)
{
	return orcpt_is_ascii(SLICE_STR(path)) ||
	    idna_path_to_ascii(path, buf, ADDR_MAX) == -1 ? path : buf;
}

static bool
matches_sender(const struct rule *rule, const char *sender)
{
	char	buf[ADDR_MAX];

	if (!(rule->sel.keys & KEY(SELECTION_FROM)))
		return true;
	return allows(&rule->sel, SELECTION_FROM, sender,
	    ascii_path(sender, buf));
}

static bool
matches_mail(const struct rule *rule, const struct rules_mail *m)
{
	const struct selection	*sel = &rule->sel;

	if (sel->all)
		return true;
	if ((sel->keys & KEY(SELECTION_SIZE)) && ((!m->whole &&
	    (m->size == 0 || rule->below)) ||
	    !selection_number(sel, SELECTION_SIZE, m->size)))
		return false;
	return selection_text(sel, SELECTION_USER, m->user) &&
	    selection_text(sel, SELECTION_TENANT, m->tenant) &&
	    selection_text(sel, SELECTION_RELAY, m->relay) &&
	    matches_sender(rule, m->sender);
}

/* What stands behind the last @: also of a local part with one. */
static const char *
domain_of(const char *addr)
{
	const char	*at = strrchr(addr, '@');

	return at == NULL ? "" : at + 1;
}

static bool
matches_rcpt(const struct rule *rule, const char *addr)
{
	char		 path[ADDR_MAX], domain[IDNA_DOMAIN_MAX + 1];
	const char	*d = domain_of(addr), *ascii = d;

	if (!(rule->sel.keys & KEYS_RCPT))
		return true;
	if (!orcpt_is_ascii(SLICE_STR(d)) &&
	    idna_to_ascii(SLICE_STR(d), domain, sizeof(domain)) != -1)
		ascii = domain;
	return allows(&rule->sel, SELECTION_DOMAIN, d, ascii) &&
	    allows(&rule->sel, SELECTION_TO, addr, ascii == d ? addr :
	    ascii_path(addr, path));
}

static void
put_text(const struct rule *rule, char *text)
{
	if (rule->r.reason.len > 0)
		snprintf(text, RULE_TEXT_MAX, "%.*s",
		    SLICE_FMT(rule->r.reason));
	else
		strlcpy(text, rule->r.action == RULE_HOLD ? "" :
		    "Mail like this is not accepted at present",
		    RULE_TEXT_MAX);
}

static enum verdict
reject(struct rule *rule, const struct rules_mail *m, const char *what,
    const char *addr, char *text)
{
	rule->hits++;
	put_text(rule, text);
	log_notice("s=%llx-%llx event=rule-rejected rule=%u what=%s user=%s "
	    "from=%s to=%s", (unsigned long long)m->epoch,
	    (unsigned long long)m->sid, rule->r.number, what, log_q(m->user),
	    log_q(m->sender), log_q(addr));
	return VERDICT_RULE;
}

enum verdict
rules_at_mail(const struct rules_mail *m, char *text)
{
	struct rule	*rule;
	unsigned int	 i;

	for (i = 0; i < rejects.n; i++) {
		rule = rejects.rules[i];
		if (!(rule->sel.keys & KEYS_RCPT) && matches_mail(rule, m))
			return reject(rule, m, "mail", "", text);
	}
	return VERDICT_OK;
}

enum verdict
rules_at_rcpt(const struct rules_mail *m, const char *addr, char *text)
{
	struct rule	*rule;
	unsigned int	 i;

	for (i = 0; i < rejects.n; i++) {
		rule = rejects.rules[i];
		if ((rule->sel.keys & KEYS_RCPT) && matches_mail(rule, m) &&
		    matches_rcpt(rule, addr))
			return reject(rule, m, "rcpt", addr, text);
	}
	return VERDICT_OK;
}

/* Does it match the message and one of its recipients? Which one, or NULL. */
static const char *
meets(const struct rule *rule, const struct rules_mail *m,
    const char *(*rcpt)(const void *, uint32_t), const void *arg, uint32_t n)
{
	uint32_t	i;

	if (!matches_mail(rule, m))
		return NULL;
	if (!(rule->sel.keys & KEYS_RCPT))
		return "";
	for (i = 0; i < n; i++)
		if (matches_rcpt(rule, rcpt(arg, i)))
			return rcpt(arg, i);
	return NULL;
}

enum verdict
rules_at_end(const struct rules_mail *m,
    const char *(*rcpt)(const void *, uint32_t), const void *arg, uint32_t n,
    uint32_t *held, char *text)
{
	struct rule	*rule;
	const char	*addr;
	unsigned int	 i;

	*held = 0;
	for (i = 0; i < rejects.n; i++) {
		rule = rejects.rules[i];
		if ((rule->sel.keys & KEY(SELECTION_SIZE)) &&
		    (addr = meets(rule, m, rcpt, arg, n)) != NULL)
			return reject(rule, m, "data", addr, text);
	}
	for (i = 0; i < holds.n; i++) {
		rule = holds.rules[i];
		if (meets(rule, m, rcpt, arg, n) == NULL)
			continue;
		rule->hits++;
		*held = rule->r.number;
		put_text(rule, text);
		break;
	}
	return VERDICT_OK;
}

uint32_t
rules_meeting(const struct rules_mail *m, const char *addr,
    enum rule_action *action)
{
	const struct list	*lists[] = { &rejects, &holds };
	const struct rule	*rule;
	unsigned int		 i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < lists[k]->n; i++) {
			rule = lists[k]->rules[i];
			if (!matches_mail(rule, m) || !matches_rcpt(rule, addr))
				continue;
			*action = rule->r.action;
			return rule->r.number;
		}
	return 0;
}

/* --- recovery and time --- */

void
rules_init(struct spool *s)
{
	kept.spool = s;
}

bool
rules_recover(uint64_t id, uint32_t key, const void *p, size_t len)
{
	struct rule_record	r;
	char			err[256] = "the record is not whole";

	if (id != REGISTER_RULES)
		return false;
	if (len == 0)
		return true;
	if (key >= KEPT_MAX || rule_record_decode(p, len, &r) == -1 ||
	    (rules[key] = rule_new(&r, err, sizeof(err))) == NULL) {
		log_err("event=recovery reason=\"a rule cannot be read\" "
		    "error=%s", log_q(err));
		return true;
	}
	if (r.number > last_number)
		last_number = r.number;
	kept_recovered(&kept, key);
	on_holds(key);
	return true;
}

void
rules_tick(uint64_t now)
{
	unsigned int	i;
	bool		any = false;

	for (i = 0; i < KEPT_MAX; i++) {
		if (rules[i] == NULL || rules[i]->r.until == 0 ||
		    now < rules[i]->r.until || kept.state[i] != KEPT_HOLDS)
			continue;
		kept_over(&kept, i);
		log_notice("event=rule-ended rule=%u hits=%llu "
		    "reason=\"its time is over\"", rules[i]->r.number,
		    (unsigned long long)rules[i]->hits);
		any = true;
	}
	if (any)
		changed();
	kept_tick(&kept);
}

/* --- msactl --- */

const char *
rules_add(const struct rule_record *record, kept_done done, void *arg,
    uint32_t *number)
{
	static char		 err[256];
	struct rule_record	 r = *record;
	uint8_t			 buf[RULE_RECORD_MAX];
	const char		*error;
	int			 slot;

	if (!rule_reason_ok(r.reason))
		return "a reason is at most 200 octets of ASCII text";
	if ((slot = kept_slot(&kept)) == -1)
		return "there are too many rules already";
	r.number = last_number + 1 == 0 ? 1 : last_number + 1;
	if ((rules[slot] = rule_new(&r, err, sizeof(err))) == NULL)
		return err;
	error = kept_change(&kept, slot, buf, rule_record_encode(&r, buf),
	    NULL, done, arg);
	if (error != NULL) {
		rule_free(rules[slot]);
		rules[slot] = NULL;
		return error;
	}
	*number = last_number = r.number;
	return NULL;
}

static void
on_removed(void *arg, const char *error)
{
	struct removal	*rm = arg;

	if (error == NULL)
		log_notice("event=rule-removed rule=%u uid=%u rules=%u",
		    rm->number, rm->uid, rm->n);
	rm->done(rm->arg, error);
	free(rm);
}

const char *
rules_remove(uint32_t number, uint32_t uid, kept_done done, void *arg,
    uint32_t *n)
{
	struct removal	*rm;
	const char	*error;
	bool		 out[KEPT_MAX] = { false };
	unsigned int	 i;

	*n = 0;
	for (i = 0; i < KEPT_MAX; i++) {
		if (rules[i] == NULL || kept.state[i] != KEPT_HOLDS ||
		    (number != 0 && rules[i]->r.number != number))
			continue;
		out[i] = true;
		++*n;
	}
	if (*n == 0)
		return NULL;
	if ((rm = calloc(1, sizeof(*rm))) == NULL)
		return "out of memory";
	*rm = (struct removal){ number, uid, *n, done, arg };
	error = kept_change(&kept, -1, NULL, 0, out, on_removed, rm);
	if (error != NULL)
		free(rm);
	return error;
}

uint32_t
rules_each(void (*fn)(void *, const struct rule_record *, uint64_t hits),
    void *arg)
{
	struct list	list;
	unsigned int	i;

	collect(&list, 0);
	for (i = 0; i < list.n; i++)
		fn(arg, &list.rules[i]->r, list.rules[i]->hits);
	return list.n;
}
