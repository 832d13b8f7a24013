/*
 * What an operator paused. Runs in msad-queue: control_rules.c brings what
 * msactl asks, transaction.c wants to know whether mail is accepted, and the
 * schedule is told what it may not hand out. A pause is on the disk before it
 * is in force, and again when msad starts: nothing but its own end or "msactl
 * resume" ends it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"
#include "common/stats.h"

#include "pause.h"
#include "registers.h"
#include "schedule.h"
#include "spool.h"

struct pause {
	struct pause_record	 r;
	char			 name[PAUSE_NAME_MAX + 1];
};

/* A resume that waits for the disk. */
struct resume {
	struct pause	 what;
	uint32_t	 uid;
	kept_done	 done;
	void		*arg;
};

static void	on_holds(unsigned int);
static void	on_gone(unsigned int);

static struct kept	 kept = { REGISTER_PAUSES, on_holds, on_gone, NULL,
	{ 0 } };
static struct pause	*pauses[KEPT_MAX];
static bool		 accept_paused;

bool
pause_accept(void)
{
	return accept_paused;
}

/* --- what is in force --- */

static struct pause *
pause_new(const struct pause_record *r)
{
	struct pause	*p;
	size_t		 i;
	int		 n;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->r = *r;
	/* of its two forms the one that is compared (RFC 5890) */
	if (r->kind == PAUSE_DOMAIN && !orcpt_is_ascii(r->name) &&
	    (n = idna_to_ascii(r->name, p->name, sizeof(p->name))) != -1) {
		p->r.name = SLICE(p->name, (size_t)n);
		return p;
	}
	for (i = 0; i < r->name.len; i++)
		p->name[i] = r->kind != PAUSE_DOMAIN ? r->name.p[i] :
		    (char)tolower((unsigned char)r->name.p[i]);
	p->r.name = SLICE(p->name, r->name.len);
	return p;
}

/* Is something of that name paused, by its own name or with all of its kind? */
static bool
is_paused(enum pause_kind kind, const char *name)
{
	unsigned int	i;

	for (i = 0; i < KEPT_MAX; i++)
		if (pauses[i] != NULL && kept_in_force(&kept, i) &&
		    pauses[i]->r.kind == kind &&
		    (pauses[i]->name[0] == '\0' ||
		    strcmp(pauses[i]->name, name) == 0))
			return true;
	return false;
}

static void
apply_relays(void)
{
	const struct conf_relay	*r;

	if (child_conf() == NULL)
		return;		/* pause_conf() follows */
	TAILQ_FOREACH(r, &child_conf()->relays, entry)
		schedule_pause_relay(r->name, is_paused(PAUSE_RELAY,
		    r->name));
}

/* Tell those who have to know whether this is paused now. */
static void
apply(enum pause_kind kind, const char *name)
{
	switch (kind) {
	case PAUSE_ACCEPT:
		accept_paused = is_paused(kind, "");
		stats_set(STAT_QUEUE_PAUSED, accept_paused);
		break;
	case PAUSE_RELAY:
		apply_relays();
		break;
	case PAUSE_DOMAIN:
		schedule_pause_domain(name, is_paused(kind, name));
		break;
	case PAUSE_TENANT:
		schedule_pause_tenant(name, is_paused(kind, name));
		break;
	default:
		break;
	}
}

void
pause_conf(void)
{
	unsigned int	i;

	apply(PAUSE_ACCEPT, "");
	apply_relays();
	for (i = 0; i < KEPT_MAX; i++)
		if (pauses[i] != NULL && pauses[i]->r.kind != PAUSE_RELAY)
			apply(pauses[i]->r.kind, pauses[i]->name);
}

static void
on_holds(unsigned int slot)
{
	const struct pause	*p = pauses[slot];

	log_notice("event=paused what=%s name=%s uid=%u until=%llu",
	    pause_kind_name(p->r.kind), log_q(p->name), p->r.uid,
	    (unsigned long long)p->r.until);
	apply(p->r.kind, p->name);
}

static void
on_gone(unsigned int slot)
{
	struct pause	*p = pauses[slot];

	pauses[slot] = NULL;
	apply(p->r.kind, p->name);
	free(p);
}

/* --- recovery and time --- */

void
pause_init(struct spool *s)
{
	kept.spool = s;
}

bool
pause_recover(uint64_t id, uint32_t key, const void *p, size_t len)
{
	struct pause_record	r;

	if (id != REGISTER_PAUSES)
		return false;
	if (len == 0)
		return true;
	if (key >= KEPT_MAX || pause_record_decode(p, len, &r) == -1) {
		log_err("event=recovery reason=\"what was paused cannot be "
		    "read\"");
		return true;
	}
	if ((pauses[key] = pause_new(&r)) == NULL)
		fatal("event=recovery error=\"out of memory\"");
	kept_recovered(&kept, key);
	log_notice("event=paused what=%s name=%s uid=%u until=%llu",
	    pause_kind_name(r.kind), log_q(pauses[key]->name), r.uid,
	    (unsigned long long)r.until);
	return true;
}

void
pause_tick(uint64_t now)
{
	struct pause	*p;
	unsigned int	 i;

	for (i = 0; i < KEPT_MAX; i++) {
		if ((p = pauses[i]) == NULL || p->r.until == 0 ||
		    now < p->r.until || kept.state[i] != KEPT_HOLDS)
			continue;
		kept_over(&kept, i);
		log_notice("event=resumed what=%s name=%s reason=\"its time "
		    "is over\"", pause_kind_name(p->r.kind), log_q(p->name));
		apply(p->r.kind, p->name);
	}
	kept_tick(&kept);
}

/* --- msactl --- */

/*
 * Those of that kind and name that are on the disk, to be taken from there; all
 * of the kind when all is set. -1: one of them is being changed already.
 */
static int
choose(const struct pause *p, bool all, bool *out)
{
	unsigned int	i;
	int		n = 0;

	for (i = 0; i < KEPT_MAX; i++) {
		out[i] = false;
		if (pauses[i] == NULL || pauses[i]->r.kind != p->r.kind ||
		    (!all && strcmp(pauses[i]->name, p->name) != 0))
			continue;
		if (kept.state[i] == KEPT_COMING ||
		    kept.state[i] == KEPT_GOING)
			return -1;
		if (kept.state[i] != KEPT_HOLDS)
			continue;
		out[i] = true;
		n++;
	}
	return n;
}

/* What no domain of a recipient can be would pause nothing. */
static bool
domain_ok(struct slice name)
{
	size_t	i;

	for (i = 0; i < name.len; i++)
		if (name.p[i] == '@' || name.p[i] == '*' || name.p[i] == ' ')
			return false;
	return name.len > 0 && name.p[name.len - 1] != '.';
}

static const char *
check_name(enum pause_kind kind, struct slice name)
{
	char	buf[PAUSE_NAME_MAX + 1];

	if (name.len > PAUSE_NAME_MAX || !pause_name_ok(kind, name))
		return "this is no name";
	if (kind == PAUSE_DOMAIN && !domain_ok(name))
		return "this is no domain: it has an @, a * or a blank, or "
		    "ends in a dot";
	if (kind != PAUSE_RELAY || name.len == 0)
		return NULL;
	memcpy(buf, name.p, name.len);
	buf[name.len] = '\0';
	if (conf_relay_find(child_conf(), buf) == NULL)
		return "the configuration has no relay of that name";
	return NULL;
}

const char *
pause_add(const struct pause_record *r, kept_done done, void *arg)
{
	struct pause	*p;
	const char	*error;
	uint8_t		 buf[PAUSE_RECORD_MAX];
	bool		 out[KEPT_MAX];
	int		 slot;

	if ((error = check_name(r->kind, r->name)) != NULL)
		return error;
	if ((slot = kept_slot(&kept)) == -1)
		return "too much is paused already";
	if ((p = pause_new(r)) == NULL)
		return "out of memory";
	if (choose(p, false, out) == -1)
		error = "another change of this is under way";
	else {
		pauses[slot] = p;
		error = kept_change(&kept, slot, buf,
		    pause_record_encode(&p->r, buf), out, done, arg);
	}
	if (error != NULL) {
		pauses[slot] = NULL;
		free(p);
	}
	return error;
}

static void
on_resumed(void *arg, const char *error)
{
	struct resume	*re = arg;

	if (error == NULL)
		log_notice("event=resumed what=%s name=%s uid=%u",
		    pause_kind_name(re->what.r.kind), log_q(re->what.name),
		    re->uid);
	re->done(re->arg, error);
	free(re);
}

const char *
pause_remove(enum pause_kind kind, struct slice name, uint32_t uid,
    kept_done done, void *arg, uint32_t *n)
{
	struct pause_record	 r = { .kind = kind, .name = name };
	struct resume		*re;
	struct pause		*p;
	const char		*error = NULL;
	bool			 out[KEPT_MAX];
	int			 found;

	*n = 0;
	if (name.len > PAUSE_NAME_MAX || !pause_name_ok(kind, name))
		return "this is no name";
	if ((p = pause_new(&r)) == NULL ||
	    (re = calloc(1, sizeof(*re))) == NULL) {
		free(p);
		return "out of memory";
	}
	memcpy(re->what.name, p->name, sizeof(p->name));
	re->what.r.kind = kind;
	re->uid = uid;
	re->done = done;
	re->arg = arg;
	if ((found = choose(p, kind == PAUSE_RELAY && name.len == 0, out)) ==
	    -1)
		error = "another change of this is under way";
	else if (found == 0 && is_paused(kind, p->name))
		error = "all relays are paused, and not this one alone";
	else if (found > 0)
		error = kept_change(&kept, -1, NULL, 0, out, on_resumed, re);
	*n = error == NULL ? (uint32_t)found : 0;
	if (*n == 0)
		free(re);
	free(p);
	return error;
}

uint32_t
pause_each(void (*fn)(void *, const struct pause_record *), void *arg)
{
	unsigned int	i;
	uint32_t	n = 0;

	for (i = 0; i < KEPT_MAX; i++)
		if (pauses[i] != NULL && kept_in_force(&kept, i)) {
			fn(arg, &pauses[i]->r);
			n++;
		}
	return n;
}
