/*
 * What would become of a message of a user, from one address to another, and by
 * which rule: the queue's part of "msactl test session". Runs in msad-queue,
 * called by control.c. It asks what MAIL and RCPT ask (rights.c, scope.c,
 * databases through lookup.c, an operator's rules and pauses), and changes
 * nothing. What an app password restricts beyond that is not known here: the
 * question names no password.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/address.h"
#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/verdict.h"

#include "control.h"
#include "grant.h"
#include "lookup.h"
#include "pause.h"
#include "peers.h"
#include "rights.h"
#include "rules.h"
#include "schedule.h"
#include "trial.h"

#define NAME_MAX_OCTETS	255
#define PATH_OCTETS	1024
#define TRIALS_MAX	16	/* that wait for databases */

struct trial {
	uint64_t		 epoch;		/* of control's channel */
	uint64_t		 sid;
	char			 user[NAME_MAX_OCTETS + 1];
	char			 block[NAME_MAX_OCTETS + 1];
	char			 from[PATH_OCTETS + 1];
	char			 to[PATH_OCTETS + 1];
	char			*own;
	char			 tenant[NAME_MAX_OCTETS + 1];
	struct scope		 scope;
	struct lookups		*lookups;
};

static const struct tables	*tables;
static unsigned int		 ntrials;

void
trial_set_tables(const struct tables *t)
{
	tables = t;
}

static void
trial_free(struct trial *t)
{
	lookups_free(t->lookups);
	scope_clear(&t->scope);
	free(t->own);
	free(t);
	ntrials--;
}

static void
fact(struct ipc *ch, uint64_t sid, const char *name, const char *value)
{
	ipc_start(ch, IPC_CTL_QUEUE_FACT, sid);
	ipc_put_str(ch, name);
	ipc_put_str(ch, value);
	ipc_send(ch);
}

/* The rule's place among those for the login, from 1 on. */
static unsigned int
rule_number(const struct trial *t, const struct conf_match *rule)
{
	const struct conf_match	*m;
	unsigned int		 n = 1;

	TAILQ_FOREACH(m, conf_tenant_matches(child_conf(), t->tenant), entry) {
		if (m == rule)
			break;
		n++;
	}
	return n;
}

static const char *
refusal(enum verdict v)
{
	switch (v) {
	case VERDICT_BAD_SENDER:
		return "501 5.1.7: the sender is no mailbox";
	case VERDICT_SENDER_DENIED:
		return "550 5.7.1: no rule lets the user write as this sender";
	case VERDICT_NO_ROUTE:
		return "550 5.7.1: there is no rule for this login";
	case VERDICT_BAD_RCPT:
		return "501 5.1.3: the recipient is no mailbox";
	case VERDICT_RCPT_DENIED:
		return "550 5.7.1: the login may not write to this recipient";
	default:
		return "451 4.3.0: a table cannot be asked now";
	}
}

static enum verdict
judge_rcpt(const struct trial *t)
{
	struct address	 a;

	if (strcasecmp(t->to, "postmaster") == 0)
		return VERDICT_OK;
	if (address_parse(SLICE_STR(t->to), &a) != ADDRESS_OK)
		return VERDICT_BAD_RCPT;
	return scope_rcpt(&t->scope, SLICE_STR(t->to)) ? VERDICT_OK :
	    VERDICT_RCPT_DENIED;
}

static void
tell_rule(const struct trial *t, struct ipc *ch, const struct conf_match *m)
{
	char	 text[64];

	snprintf(text, sizeof(text), "%u, line %d", rule_number(t, m),
	    m->line);
	fact(ch, t->sid, "rule", text);
	fact(ch, t->sid, "relay", m->relay);
}

static void
add_to(char *text, size_t size, const char *more)
{
	if (text[0] != '\0')
		strlcat(text, "; ", size);
	strlcat(text, more, size);
}

/*
 * What an operator ordered for mail like this; only sizes are not known. The
 * verdict is that of acceptance and of rules.
 */
static enum verdict
judge_orders(const struct trial *t, struct ipc *ch, const char *relay)
{
	const struct rules_mail	 mail = { .user = t->user,
		.tenant = t->tenant, .sender = t->from, .relay = relay };
	enum rule_action	 action = RULE_HOLD;
	enum verdict		 v = VERDICT_OK;
	uint32_t		 rule = rules_meeting(&mail, t->to, &action);
	char			 text[256] = "", one[64];

	if (pause_accept()) {
		v = VERDICT_PAUSED;
		add_to(text, sizeof(text), "451 4.3.0: no mail is accepted");
	}
	if (rule != 0) {
		if (action == RULE_REJECT)
			v = VERDICT_RULE;
		snprintf(one, sizeof(one), action == RULE_REJECT ?
		    "550 5.7.1: rule %u refuses it" : "rule %u holds it",
		    rule);
		add_to(text, sizeof(text), one);
	}
	if (schedule_relay_paused(relay))
		add_to(text, sizeof(text), "the relay is paused");
	if (schedule_tenant_paused(t->tenant))
		add_to(text, sizeof(text), "the tenant is paused");
	if (schedule_rcpt_paused(t->to))
		add_to(text, sizeof(text), "the domain is paused");
	if (text[0] != '\0')
		fact(ch, t->sid, "operator", text);
	return v;
}

/* All that databases have to say is there. */
static void
judge(struct trial *t, struct ipc *ch)
{
	struct rights_login	 login = { .user = t->user, .own = t->own,
	    .tenant = t->tenant, .scope = &t->scope, .lookups = t->lookups };
	const struct conf_match	*m = NULL;
	enum verdict		 v;

	fact(ch, t->sid, "own", t->own);
	v = rights_match(child_conf(), tables, &login, SLICE_STR(t->from),
	    &m);
	if (v == VERDICT_OK)
		tell_rule(t, ch, m);
	fact(ch, t->sid, "sender", v == VERDICT_OK ? "accepted" : refusal(v));
	if (v == VERDICT_OK) {
		v = judge_rcpt(t);
		fact(ch, t->sid, "recipient", v == VERDICT_OK ? "accepted" :
		    refusal(v));
	}
	if (v == VERDICT_OK)
		v = judge_orders(t, ch, m->relay);
	fact(ch, t->sid, "result", v == VERDICT_OK ? "accepted" : "refused");
	control_end(ch, t->sid, CTL_OK, 1, 0, "");
}

/* The databases have answered, or will not. */
static void
on_lookups(void *arg)
{
	struct trial	*t = arg;
	struct peer	*p = peers_find(ROLE_CONTROL, t->epoch);

	if (p != NULL)
		judge(t, p->ch);
	trial_free(t);
}

/* Ask databases where the rules need them. False when memory is out. */
static bool
ask_lookups(struct trial *t)
{
	struct rights_login	 login = { .user = t->user, .own = t->own,
	    .tenant = t->tenant, .scope = &t->scope };
	const char		*names[LOOKUP_TABLES_MAX];
	struct timespec		 ts;
	size_t			 n;

	n = rights_lookups(child_conf(), &login, names, LOOKUP_TABLES_MAX);
	if (n == 0)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	t->lookups = lookups_ask(names, n, t->user, (int64_t)ts.tv_sec * 1000 +
	    ts.tv_nsec / 1000000, on_lookups, t);
	return t->lookups != NULL;
}

/* What the question names is there; else why not. */
static const char *
prepare(struct trial *t, uint8_t flags)
{
	const struct conf_auth	*auth;

	if ((auth = conf_auth_find(child_conf(), t->block)) == NULL)
		return "there is no such auth block";
	if (auth->tenant != NULL)
		strlcpy(t->tenant, auth->tenant, sizeof(t->tenant));
	t->scope.flags = flags;
	t->own = grant_own(SLICE_STR(t->user), SLICE_STR(auth->realm != NULL ?
	    auth->realm : ""), child_conf()->hostname);
	if (t->own == NULL || !ask_lookups(t))
		return "out of memory";
	return NULL;
}

static void
trial_begin(struct ipc *ch, struct trial *t, uint8_t flags)
{
	const char	*reason;

	if ((reason = prepare(t, flags)) != NULL) {
		control_end(ch, t->sid, CTL_ERROR, 0, 0, reason);
		trial_free(t);
		return;
	}
	if (t->lookups != NULL && lookups_wait(t->lookups))
		return;
	judge(t, ch);
	trial_free(t);
}

int
trial_message(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*p = arg;
	struct ipc_reader	 r;
	struct trial		*t;
	uint8_t			 flags;
	bool			 may;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("event=trial error=\"out of memory\"");
	ntrials++;
	t->epoch = p->epoch;
	t->sid = msg->sid;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	ipc_copy_str(&r, t->user, sizeof(t->user));
	ipc_copy_str(&r, t->block, sizeof(t->block));
	flags = ipc_get_u8(&r);
	ipc_copy_str(&r, t->from, sizeof(t->from));
	ipc_copy_str(&r, t->to, sizeof(t->to));
	if (!ipc_done(&r) || (flags & ~GRANT_FLAGS) != 0) {
		trial_free(t);
		return -1;
	}
	if (!control_admit(ch, msg->sid, may))
		trial_free(t);
	else if (ntrials > TRIALS_MAX) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0,
		    "too many tests are under way");
		trial_free(t);
	} else
		trial_begin(ch, t, flags);
	return 0;
}
