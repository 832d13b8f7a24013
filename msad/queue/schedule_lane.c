/*
 * What is due, by whom it is from. Runs in msad-queue; schedule.c puts messages
 * here when their time has come.
 *
 * Two things are scarce: places at a destination, and places at the relay
 * processes. For those of a destination stand in line the parties that have
 * something due there, each with its share; in a share its users, each with a
 * lane. A share whose turn it is gets a place of the destination and then
 * stands in line once more, by its party, for a place at a relay process. A
 * party is a tenant; where the configuration has none, each user is one.
 *
 * So a destination that is full, down or paused costs nothing, however many
 * wait for it: they stand in its line, and none in the other. All steps are
 * O(log n). There are parties, shares and lanes only while something is due or
 * in flight.
 *
 * Nobody can take all the places with what hangs: fair_need().
 */
#include <stddef.h>
#include <stdlib.h>

#include "common/log.h"

#include "index_keys.h"
#include "schedule_priv.h"

/* One has of the places at most three quarters, a tenant at a destination: */
#define SHARE_OF_ONE	3	/* to 1, when his users have some already */
#define SHARE_OF_USERS	7	/* to 1, for one of his that has none */

struct party {
	RB_ENTRY(party)		 by_key;
	uint64_t		 key;		/* kind and handle */
	LIST_HEAD(, share)	 shares;
	struct fair		 awake;		/* shares that have a place */
	struct fair_turn	 turn;		/* for the relay processes */
	uint32_t		 inflight;	/* jobs there */
	bool			 tenant;
	bool			 paused;
};

struct share {
	RB_ENTRY(share)		 by_party;
	LIST_ENTRY(share)	 entry;		/* the party's */
	struct party		*party;
	struct dest		*dest;
	LIST_HEAD(, lane)	 lanes;
	/* users with something due: with nothing in flight, with something */
	struct fair		 fresh, busy;
	struct fair_turn	 at_dest, at_party;
	uint32_t		 inflight;	/* jobs */
	bool			 awake;		/* has a place at dest */
};

struct lane {
	RB_ENTRY(lane)		 by_key;
	uint64_t		 key;		/* handles of tenant and user */
	LIST_ENTRY(lane)	 entry;		/* the share's */
	struct share		*share;
	struct fair_turn	 turn;
	struct message_heap	 due;
	uint32_t		 inflight;
	bool			 own;	/* relay process: not of the places */
	bool			 retired;	/* it is gone after that */
};

#define OF(type, member, t)	\
	((struct type *)(void *)((char *)(t) - offsetof(struct type, member)))

static int
compare_parties(const struct party *a, const struct party *b)
{
	return a->key < b->key ? -1 : a->key > b->key;
}

static int
compare_shares(const struct share *a, const struct share *b)
{
	return compare_parties(a->party, b->party);
}

static int
compare_lanes(const struct lane *a, const struct lane *b)
{
	return a->key < b->key ? -1 : a->key > b->key;
}

RB_HEAD(party_tree, party);
RB_PROTOTYPE(party_tree, party, by_key, compare_parties)
RB_GENERATE(party_tree, party, by_key, compare_parties)
RB_PROTOTYPE(share_tree, share, by_party, compare_shares)
RB_GENERATE(share_tree, share, by_party, compare_shares)
RB_PROTOTYPE(lane_tree, lane, by_key, compare_lanes)
RB_GENERATE(lane_tree, lane, by_key, compare_lanes)

static struct party_tree	parties = RB_INITIALIZER(&parties);
static struct fair		line;	/* parties, for the relay processes */
static bool			tenants;	/* the configuration has some */
static uint32_t			places;	/* at relay processes; 0: unknown */
static uint32_t			ntaken;	/* of them */

void
lane_init(void)
{
	fair_init(&line);
}

void
schedule_set_places(uint32_t n)
{
	places = n;
}

/* Places at the relay processes that are free. */
static uint32_t
places_free(void)
{
	if (places == 0)
		return UINT32_MAX;
	return places > ntaken ? places - ntaken : 0;
}

/* --- who stands where --- */

/* He has a place at some destination, so he stands in line for the relays. */
static void
party_refresh(struct party *p)
{
	fair_set_need(&p->turn, places == 0 ? 1 :
	    fair_need(p->inflight, SHARE_OF_ONE));
	if (fair_is_empty(&p->awake))
		fair_leave(&p->turn);
	else
		fair_enter(&line, &p->turn, fair_is_urgent(&p->awake));
}

/* Priorities are for a tenant's own users, not against other tenants. */
static bool
share_is_urgent(const struct share *s)
{
	return !s->party->tenant &&
	    (fair_is_urgent(&s->fresh) || fair_is_urgent(&s->busy));
}

static bool
share_wants(const struct share *s)
{
	const struct dest	*d = s->dest;

	return (!fair_is_empty(&s->fresh) || !fair_is_empty(&s->busy)) &&
	    !s->party->paused && (d->per_tenant == 0 || !s->party->tenant ||
	    s->inflight < d->per_tenant);
}

static uint32_t
share_need(const struct share *s, bool fresh)
{
	return fair_need(s->inflight, s->party->tenant && fresh ?
	    SHARE_OF_USERS : SHARE_OF_ONE);
}

/* It gives its place back, if it has one. */
static void
put_back(struct share *s)
{
	if (!s->awake)
		return;
	s->awake = false;
	s->dest->nawake--;
	fair_leave(&s->at_party);
	party_refresh(s->party);
	dest_touch(s->dest);
}

static void
share_refresh(struct share *s)
{
	if (!share_wants(s)) {
		put_back(s);
		fair_leave(&s->at_dest);
		return;
	}
	if (s->awake)
		return;
	fair_set_need(&s->at_dest, share_need(s, !fair_is_empty(&s->fresh)));
	fair_enter(&s->dest->wants, &s->at_dest, share_is_urgent(s));
	dest_touch(s->dest);
}

static void
lane_refresh(struct lane *l)
{
	struct share	*s = l->share;
	unsigned int	 max = s->dest->per_user;

	if (l->due.n == 0 || (max != 0 && l->inflight >= max))
		fair_leave(&l->turn);
	else
		fair_enter(l->inflight == 0 ? &s->fresh : &s->busy, &l->turn,
		    l->due.m[0]->priority > 0);
	share_refresh(s);
}

/* --- how they come and go --- */

static struct party *
party_get(uint32_t tenant, uint32_t user)
{
	bool		 is_tenant = tenants || keys_name(tenant)[0] != '\0';
	struct party	*p, key;

	key.key = is_tenant ? (uint64_t)1 << 32 | tenant : user;
	if ((p = RB_FIND(party_tree, &parties, &key)) != NULL)
		return p;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->key = key.key;
	p->tenant = is_tenant;
	p->paused = is_tenant && pause_has_tenant(keys_name(tenant));
	LIST_INIT(&p->shares);
	fair_init(&p->awake);
	RB_INSERT(party_tree, &parties, p);
	return p;
}

static void
party_drop(struct party *p)
{
	if (!LIST_EMPTY(&p->shares))
		return;
	fair_leave(&p->turn);
	RB_REMOVE(party_tree, &parties, p);
	free(p);
}

static struct share *
share_get(struct dest *d, uint32_t tenant, uint32_t user)
{
	struct party	*p = party_get(tenant, user);
	struct share	*s, key;

	if (p == NULL)
		return NULL;
	key.party = p;
	if ((s = RB_FIND(share_tree, &d->shares, &key)) != NULL)
		return s;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		party_drop(p);
		return NULL;
	}
	s->party = p;
	s->dest = d;
	LIST_INIT(&s->lanes);
	fair_init(&s->fresh);
	fair_init(&s->busy);
	LIST_INSERT_HEAD(&p->shares, s, entry);
	RB_INSERT(share_tree, &d->shares, s);
	return s;
}

static void
share_drop(struct share *s)
{
	struct party	*p = s->party;

	if (!LIST_EMPTY(&s->lanes))
		return;
	put_back(s);
	fair_leave(&s->at_dest);
	RB_REMOVE(share_tree, &s->dest->shares, s);
	LIST_REMOVE(s, entry);
	free(s);
	party_drop(p);
}

static struct lane *
lane_find(struct dest *d, const struct message *m)
{
	struct lane	key;

	key.key = (uint64_t)keys_find(INDEX_TENANT,
	    SLICE_STR(message_tenant(m))) << 32 |
	    keys_find(INDEX_USER, SLICE_STR(message_user(m)));
	return RB_FIND(lane_tree, &d->lanes, &key);
}

/* It holds the handles of its tenant and its user. */
static struct lane *
lane_new(struct dest *d, const struct message *m)
{
	uint32_t	 tenant, user;
	struct lane	*l = NULL;
	struct share	*s = NULL;

	tenant = keys_hold(INDEX_TENANT, SLICE_STR(message_tenant(m)));
	user = keys_hold(INDEX_USER, SLICE_STR(message_user(m)));
	if (tenant == 0 || user == 0 ||
	    (s = share_get(d, tenant, user)) == NULL ||
	    (l = calloc(1, sizeof(*l))) == NULL) {
		if (s != NULL)
			share_drop(s);
		if (tenant != 0)
			keys_release(tenant);
		if (user != 0)
			keys_release(user);
		return NULL;
	}
	l->key = (uint64_t)tenant << 32 | user;
	l->share = s;
	l->own = d->maildir;
	l->due.ranked = true;
	LIST_INSERT_HEAD(&s->lanes, l, entry);
	RB_INSERT(lane_tree, &d->lanes, l);
	return l;
}

static void
lane_drop(struct lane *l)
{
	struct share	*s = l->share;

	if (l->due.n > 0 || l->inflight > 0)
		return;
	fair_leave(&l->turn);
	if (!l->retired)
		RB_REMOVE(lane_tree, &s->dest->lanes, l);
	LIST_REMOVE(l, entry);
	keys_release((uint32_t)(l->key >> 32));
	keys_release((uint32_t)l->key);
	heap_free(&l->due);
	free(l);
	share_drop(s);
}

int
lane_put(struct message *m)
{
	struct lane	*l;

	if ((l = lane_find(m->dest, m)) == NULL &&
	    (l = lane_new(m->dest, m)) == NULL)
		return -1;
	if (heap_reserve_small(&l->due) == -1) {
		lane_drop(l);
		return -1;
	}
	m->ready = true;
	heap_insert(&l->due, m);
	if (m->heap == 0)
		lane_refresh(l);
	return 0;
}

void
lane_take(struct message *m)
{
	struct lane	*l = lane_find(m->dest, m);
	bool		 first = m->heap == 0;

	if (l == NULL)
		fatal("event=schedule error=\"no such lane\"");
	heap_remove(&l->due, m);
	m->ready = false;
	if (!first)
		return;
	lane_refresh(l);
	lane_drop(l);
}

void
lane_each(struct dest *d, time_t when, void (*fn)(void *, struct message *),
    void *arg)
{
	struct lane	*l;
	uint32_t	 i;

	RB_FOREACH(l, lane_tree, &d->lanes)
		for (i = 0; i < l->due.n; i++)
			if ((time_t)l->due.m[i]->next <= when)
				fn(arg, l->due.m[i]);
}

void
lane_order(struct dest *d)
{
	struct lane	*l;

	RB_FOREACH(l, lane_tree, &d->lanes)
		heap_order(&l->due);
}

void
lane_refresh_all(struct dest *d)
{
	struct lane	*l;

	RB_FOREACH(l, lane_tree, &d->lanes)
		lane_refresh(l);
}

void
lane_pause_tenant(const char *name)
{
	struct party	*p, key;
	struct share	*s;

	key.key = (uint64_t)1 << 32 | keys_find(INDEX_TENANT, SLICE_STR(name));
	if ((p = RB_FIND(party_tree, &parties, &key)) == NULL)
		return;
	p->paused = pause_has_tenant(name);
	LIST_FOREACH(s, &p->shares, entry)
		share_refresh(s);
}

/* Out of the lane with all; what is in flight goes on without it. */
static void
lane_empty(struct lane *l)
{
	struct message	*m;

	RB_REMOVE(lane_tree, &l->share->dest->lanes, l);
	l->retired = true;
	while (l->due.n > 0) {
		m = l->due.m[l->due.n - 1];
		heap_remove(&l->due, m);
		m->ready = false;
		heap_insert(&m->dest->due, m);
	}
	lane_refresh(l);
	lane_drop(l);
}

void
lane_empty_all(struct dest *d)
{
	struct lane	*l;

	while ((l = RB_MIN(lane_tree, &d->lanes)) != NULL)
		lane_empty(l);
	dest_touch(d);
}

void
lane_set_tenants(bool some)
{
	struct dest	*d;

	if (some == tenants)
		return;
	TAILQ_FOREACH(d, &schedule_dests, entry)
		lane_empty_all(d);
	tenants = some;
}

/* --- whose turn it is --- */

static struct share *
first_share(struct dest *d, uint32_t room)
{
	struct fair_turn	*t;

	while ((t = fair_first(&d->wants, room)) == NULL)
		if (!fair_wake(&d->wants, room))
			return NULL;
	return OF(share, at_dest, t);
}

bool
lane_grant(struct dest *d)
{
	uint32_t	 room = dest_room(d);
	struct share	*s;

	if (room == 0 || (s = first_share(d, room)) == NULL)
		return false;
	fair_leave(&s->at_dest);
	s->awake = true;
	d->nawake++;
	fair_enter(&s->party->awake, &s->at_party, share_is_urgent(s));
	party_refresh(s->party);
	return true;
}

/* One of its users; those with nothing in flight there go first. */
static struct lane *
first_lane(struct share *s, uint32_t room)
{
	struct fair_turn	*t = fair_first(&s->fresh, room);

	if (t == NULL && share_need(s, false) <= room)
		t = fair_first(&s->busy, room);
	return t == NULL ? NULL : OF(lane, turn, t);
}

/* The place is his. */
static void
begin(struct lane *l)
{
	struct share	*s = l->share;

	l->inflight++;
	s->inflight++;
	s->dest->inflight++;
	if (!l->own) {
		s->party->inflight++;
		ntaken++;
		party_refresh(s->party);
	}
	lane_refresh(l);
}

struct lane *
lane_next(void)
{
	struct fair_turn	*t;
	struct party		*p;
	struct share		*s;
	struct lane		*l;
	uint32_t		 room;

	for (;;) {
		if ((t = fair_first(&line, places_free())) == NULL) {
			if (!fair_wake(&line, places_free()))
				return NULL;
			continue;
		}
		p = OF(party, turn, t);
		s = OF(share, at_party, fair_first(&p->awake, 1));
		put_back(s);
		room = dest_is_open(s->dest) ? dest_room(s->dest) : 0;
		if (room > 0 && (l = first_lane(s, room)) != NULL) {
			begin(l);
			return l;
		}
		share_refresh(s);
	}
}

struct lane *
lane_next_of(struct dest *d)
{
	uint32_t	 room = dest_room(d);
	struct share	*s;
	struct lane	*l;

	if (room == 0 || (s = first_share(d, room)) == NULL)
		return NULL;
	if ((l = first_lane(s, room)) != NULL)
		begin(l);
	return l;
}

struct dest *
lane_dest(const struct lane *l)
{
	return l->share->dest;
}

struct message *
lane_head(const struct lane *l)
{
	return l->due.m[0];
}

void
lane_charge(struct lane *l, uint64_t cost)
{
	struct share	*s = l->share;

	fair_charge(&l->turn, cost);
	fair_charge(&s->at_dest, cost);
	if (l->own)
		return;
	fair_charge(&s->at_party, cost);
	fair_charge(&s->party->turn, cost);
}

void
lane_end(struct lane *l)
{
	struct share	*s = l->share;
	struct dest	*d = s->dest;

	l->inflight--;
	s->inflight--;
	d->inflight--;
	if (!l->own) {
		s->party->inflight--;
		ntaken--;
		party_refresh(s->party);
	}
	lane_refresh(l);
	lane_drop(l);
	dest_touch(d);
}
