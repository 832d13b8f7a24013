/*
 * How much a tenant may have in the queue at a time. Runs in msad-queue, called
 * by limits.c as a message comes in. What is in the queue the index knows; what
 * is on its way in is counted here, so that many sessions at once do not get
 * more in than one could. Reports that the queue itself writes count among what
 * is there, but are not asked about room: somebody waits for them.
 */
#include <sys/types.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"

#include "index.h"
#include "room.h"

/* On its way in, by tenant; none where that is nothing. */
struct coming {
	RB_ENTRY(coming)	 entry;
	uint64_t		 messages;
	uint64_t		 octets;
	char			*tenant;
};

static int	compare(const struct coming *, const struct coming *);

RB_HEAD(coming_tree, coming);
RB_PROTOTYPE(coming_tree, coming, entry, compare)

static struct coming_tree	tree = RB_INITIALIZER(&tree);

static int
compare(const struct coming *a, const struct coming *b)
{
	return strcmp(a->tenant, b->tenant);
}

RB_GENERATE(coming_tree, coming, entry, compare)

static struct coming *
find(const char *tenant)
{
	struct coming	key = { .tenant = (char *)(uintptr_t)tenant };

	return RB_FIND(coming_tree, &tree, &key);
}

static struct coming *
coming_new(const char *tenant)
{
	struct coming	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    (c->tenant = strdup(tenant)) == NULL) {
		free(c);
		return NULL;
	}
	RB_INSERT(coming_tree, &tree, c);
	return c;
}

/* Is there room for so much more? */
static bool
fits(const struct conf_rates *r, const char *tenant, const struct coming *c,
    uint64_t messages, uint64_t octets)
{
	struct slice	name = SLICE_STR(tenant);

	if (c != NULL) {
		messages += c->messages;
		octets += c->octets;
	}
	messages += index_select_count(INDEX_TENANT, name);
	octets += index_tenant_octets(name);
	return (r->queue == 0 || messages <= r->queue) &&
	    (r->octets == 0 || octets <= r->octets);
}

bool
room_take(const char *tenant, struct room_taken *t, uint64_t octets)
{
	const struct conf_rates	*r = conf_rates_tenant(child_conf(), tenant);
	struct coming		*c;
	uint64_t		 more;

	if (r == NULL || (r->queue == 0 && r->octets == 0))
		return true;
	c = find(tenant);
	more = octets > t->octets ? octets - t->octets : 0;
	if ((!t->taken || more > 0) &&
	    !fits(r, tenant, c, t->taken ? 0 : 1, more))
		return false;
	if (c == NULL && (c = coming_new(tenant)) == NULL)
		return false;
	c->messages += t->taken ? 0 : 1;
	c->octets = c->octets - t->octets + octets;
	*t = (struct room_taken){ true, octets };
	return true;
}

void
room_return(const char *tenant, struct room_taken *t)
{
	struct coming	*c;

	if (!t->taken || (c = find(tenant)) == NULL)
		return;
	c->messages--;
	c->octets -= t->octets;
	*t = (struct room_taken){ false, 0 };
	if (c->messages > 0)
		return;
	RB_REMOVE(coming_tree, &tree, c);
	free(c->tenant);
	free(c);
}
