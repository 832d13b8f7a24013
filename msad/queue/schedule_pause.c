/*
 * What is paused: relays, tenants, domains of recipients, by name. Runs in
 * msad-queue; pause.c says what is, and keeps it on the disk.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"

#include "schedule_priv.h"

/* Recipients of a paused domain are passed over for so long, or twice that. */
#define PUT_OFF		300	/* seconds */
#define DOMAIN_MAX	255
#define RESUME_MAX	5000	/* messages at a time, of a domain */

enum kind { RELAY, TENANT, DOMAIN, KINDS };

struct paused {
	RB_ENTRY(paused)	 by_name;
	char			*name;
};

static int
compare(const struct paused *a, const struct paused *b)
{
	return strcmp(a->name, b->name);
}

RB_HEAD(paused_tree, paused);
RB_PROTOTYPE(paused_tree, paused, by_name, compare)
RB_GENERATE(paused_tree, paused, by_name, compare)

static struct paused_tree	trees[KINDS];

/* A domain that is no longer paused, and how far its messages know of it. */
struct resumed {
	TAILQ_ENTRY(resumed)	 entry;
	uint64_t		 id;
	char			 domain[DOMAIN_MAX + 1];
};

static TAILQ_HEAD(, resumed)	resumed = TAILQ_HEAD_INITIALIZER(resumed);

static struct paused *
find(enum kind kind, const char *name)
{
	struct paused	key = { .name = (char *)(uintptr_t)name };

	return RB_FIND(paused_tree, &trees[kind], &key);
}

/* False: it was so already. */
static bool
set(enum kind kind, const char *name, bool on)
{
	struct paused	*p = find(kind, name);

	if ((p != NULL) == on)
		return false;
	if (!on) {
		RB_REMOVE(paused_tree, &trees[kind], p);
		free(p->name);
		free(p);
		return true;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL ||
	    (p->name = strdup(name)) == NULL)
		fatal("event=pause error=\"out of memory\"");
	RB_INSERT(paused_tree, &trees[kind], p);
	return true;
}

void
schedule_pause_relay(const char *name, bool on)
{
	struct dest	*d = NULL;

	if (!set(RELAY, name, on))
		return;
	while ((d = schedule_dest_next(d)) != NULL)
		if (strcmp(d->name, name) == 0) {
			d->paused = on;
			dest_touch(d);
		}
}

bool
schedule_relay_paused(const char *name)
{
	return find(RELAY, name) != NULL;
}

void
schedule_pause_tenant(const char *name, bool on)
{
	if (set(TENANT, name, on))
		lane_pause_tenant(name);
}

bool
schedule_tenant_paused(const char *name)
{
	return pause_has_tenant(name);
}

bool
pause_has_tenant(const char *name)
{
	return find(TENANT, name) != NULL;
}

/* --- domains --- */

/* In small letters; false: too long for one. */
static bool
fold(const char *s, char *buf, size_t size)
{
	size_t	i;

	for (i = 0; s[i] != '\0' && i + 1 < size; i++)
		buf[i] = (char)tolower((unsigned char)s[i]);
	buf[i] = '\0';
	return s[i] == '\0';
}

/* As domains are compared: A-labels (RFC 5890), where it has them. */
static bool
to_key(const char *name, char buf[DOMAIN_MAX + 1])
{
	return (!orcpt_is_ascii(SLICE_STR(name)) &&
	    idna_to_ascii(SLICE_STR(name), buf, DOMAIN_MAX + 1) != -1) ||
	    fold(name, buf, DOMAIN_MAX + 1);
}

static bool
is_in(const char *addr, const char *domain)
{
	char		 key[DOMAIN_MAX + 1];
	const char	*at = strrchr(addr, '@');

	return at != NULL && to_key(at + 1, key) && strcmp(key, domain) == 0;
}

/* What was passed over is due again. False: there is more of it. */
static bool
resume_some(struct resumed *r, time_t now)
{
	struct message	*m;
	unsigned int	 n;
	uint32_t	 i;

	for (n = 0; n < RESUME_MAX; n++) {
		if ((m = index_select_after(INDEX_DOMAIN,
		    SLICE_STR(r->domain), r->id)) == NULL)
			return true;
		r->id = m->id;
		if (m->dest == NULL)
			continue;
		for (i = 0; i < m->nrcpts; i++)
			if (m->rcpts[i].status == RCPT_WAITING &&
			    (time_t)m->rcpts[i].next > now &&
			    is_in(message_rcpt(m, i), r->domain))
				m->rcpts[i].next = (uint32_t)now;
		schedule_update(m);
	}
	return false;
}

static void
resumed_end(struct resumed *r)
{
	TAILQ_REMOVE(&resumed, r, entry);
	free(r);
}

void
pause_resume(time_t now)
{
	struct resumed	*r = TAILQ_FIRST(&resumed);

	if (r != NULL && resume_some(r, now))
		resumed_end(r);
}

/*
 * There may be a million of them, so that is done in steps. Those who are
 * written to by U-labels are not found by its name, and looked at when they
 * were put off to.
 */
static void
resume_domain(const char *domain)
{
	struct resumed	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return;		/* likewise */
	strlcpy(r->domain, domain, sizeof(r->domain));
	TAILQ_INSERT_TAIL(&resumed, r, entry);
	if (resume_some(r, schedule_now()))
		resumed_end(r);
}

void
schedule_pause_domain(const char *name, bool on)
{
	struct resumed	*r, *next;
	char		 domain[DOMAIN_MAX + 1];

	if (!to_key(name, domain) || !set(DOMAIN, domain, on))
		return;
	TAILQ_FOREACH_SAFE(r, &resumed, entry, next)
		if (strcmp(r->domain, domain) == 0)
			resumed_end(r);
	if (!on)
		resume_domain(domain);
}

bool
schedule_rcpt_paused(const char *addr)
{
	char		 domain[DOMAIN_MAX + 1];
	const char	*at;

	return !RB_EMPTY(&trees[DOMAIN]) &&
	    (at = strrchr(addr, '@')) != NULL &&
	    to_key(at + 1, domain) && find(DOMAIN, domain) != NULL;
}

const char *
schedule_why(const struct message *m, uint32_t i)
{
	if (pause_has_tenant(message_tenant(m)))
		return "the tenant is paused";
	if (schedule_rcpt_paused(message_rcpt(m, i)))
		return "the domain is paused";
	return schedule_failure(m->dest);
}

bool
schedule_rcpts_paused(const struct message *m, time_t now, bool probe)
{
	uint32_t	i, n = 0;

	if (RB_EMPTY(&trees[DOMAIN]))
		return false;
	for (i = 0; i < m->nrcpts; i++) {
		if (m->rcpts[i].status != RCPT_WAITING ||
		    (!probe && (time_t)m->rcpts[i].next > now))
			continue;
		if (!schedule_rcpt_paused(message_rcpt(m, i)))
			return false;
		n++;
	}
	return n > 0;
}

void
schedule_put_off(struct message *m, time_t now)
{
	time_t		next = now + PUT_OFF + (time_t)arc4random_uniform(
	    PUT_OFF);
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].status == RCPT_WAITING &&
		    (time_t)m->rcpts[i].next < next &&
		    schedule_rcpt_paused(message_rcpt(m, i)))
			m->rcpts[i].next = (uint32_t)next;
	/* all that can be had now */
	m->flags |= MESSAGE_TRIED;
	schedule_update(m);
}
