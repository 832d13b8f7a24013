/*
 * Sums over the queue for msactl: how many, how old, for whom. Runs in
 * msad-queue, in answer to msad-control.
 *
 * Totals are counters. The groups with most messages are found by going through
 * all values of a key, of which there may be a million, so that is done in
 * slices between which the loop runs; those with most so far are kept in a heap
 * of bounded size. Ages are answered step by step, as selections are.
 */
#include <sys/types.h>

#include <event.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/log.h"

#include "control.h"
#include "job.h"
#include "pause.h"
#include "peers.h"
#include "schedule.h"
#include "select.h"
#include "status.h"
#include "summary.h"

#define GROUPS_MAX	1000U
#define SLICE_KEYS	10000U		/* values looked at in a slice */
#define AGE_RELAYS	64U		/* relays of one step */
#define NAME_SHOWN_MAX	1024		/* octets */

struct group {
	char		*name;
	uint64_t	 n;
};

/* A summary in the making. */
struct summary {
	struct event	 event;
	uint64_t	 epoch, sid;
	enum index_key	 key;
	uint32_t	 from;		/* where the next slice begins */
	uint32_t	 max, n;
	struct group	 groups[];	/* a heap, the least on top */
};

/* --- the groups with most messages --- */

/* Of equal ones those come first that are first in the alphabet. */
static bool
less(const struct group *a, const struct group *b)
{
	return a->n != b->n ? a->n < b->n : strcmp(a->name, b->name) > 0;
}

static void
sift_down(struct summary *s, uint32_t i)
{
	struct group	g = s->groups[i];
	uint32_t	child;

	for (; (child = 2 * i + 1) < s->n; i = child) {
		if (child + 1 < s->n &&
		    less(&s->groups[child + 1], &s->groups[child]))
			child++;
		if (!less(&s->groups[child], &g))
			break;
		s->groups[i] = s->groups[child];
	}
	s->groups[i] = g;
}

static void
sift_up(struct summary *s, uint32_t i)
{
	struct group	g = s->groups[i];

	for (; i > 0 && less(&g, &s->groups[(i - 1) / 2]); i = (i - 1) / 2)
		s->groups[i] = s->groups[(i - 1) / 2];
	s->groups[i] = g;
}

/* One more group: it takes the place of the least, or goes. */
static void
on_value(void *arg, const char *name, uint64_t n)
{
	struct summary	*s = arg;
	struct group	 g = { (char *)(uintptr_t)name, n };

	if (s->n == s->max && !less(&s->groups[0], &g))
		return;
	if ((g.name = strdup(name)) == NULL)
		return;
	if (s->n < s->max) {
		s->groups[s->n] = g;
		sift_up(s, s->n++);
		return;
	}
	free(s->groups[0].name);
	s->groups[0] = g;
	sift_down(s, 0);
}

static void
summary_free(struct summary *s)
{
	while (s->n > 0)
		free(s->groups[--s->n].name);
	free(s);
}

static int
by_size(const void *a, const void *b)
{
	const struct group	*x = a, *y = b;

	return less(x, y) ? 1 : less(y, x) ? -1 : 0;
}

/* --- answering --- */

static void
put_name(struct ipc *ch, const char *name)
{
	struct slice	s = SLICE_STR(name);

	if (s.len > NAME_SHOWN_MAX)
		s.len = NAME_SHOWN_MAX;
	ipc_put_slice(ch, s);
}

static void
put_dest(struct ipc *ch, const char *name)
{
	const struct dest	*d = schedule_dest_next(NULL);
	uint8_t			 flags = GROUP_UNKNOWN;

	while (d != NULL && strcmp(d->name, name) != 0)
		d = schedule_dest_next(d);
	if (d != NULL)
		flags = (uint8_t)((d->fails > 0 ? GROUP_DOWN : 0) |
		    (schedule_relay_paused(name) ? GROUP_PAUSED : 0) |
		    (d->known ? 0 : GROUP_UNKNOWN));
	ipc_put_u32(ch, d != NULL ? d->inflight : 0);
	ipc_put_u8(ch, flags);
	ipc_put_u64(ch, flags & GROUP_DOWN ? (uint64_t)d->down_until : 0);
	put_name(ch, flags & GROUP_DOWN ? d->failure : "");
}

static void
send_group(struct ipc *ch, const struct summary *s, const struct group *g)
{
	ipc_start(ch, IPC_CTL_QUEUE_GROUP, s->sid);
	put_name(ch, g->name);
	ipc_put_u64(ch, g->n);
	if (s->key == INDEX_RELAY)
		put_dest(ch, g->name);
	else {
		ipc_put_u32(ch, 0);
		ipc_put_u8(ch, 0);
		ipc_put_u64(ch, 0);
		ipc_put_str(ch, "");
	}
	ipc_send(ch);
}

static uint64_t
oldest(void)
{
	struct message	*m = index_after(0);

	while (m != NULL && !status_is_shown(m))
		m = index_after(m->id);
	return m == NULL ? 0 : m->arrival;
}

static void
send_total(struct ipc *ch, uint64_t sid)
{
	ipc_start(ch, IPC_CTL_QUEUE_TOTAL, sid);
	ipc_put_u64(ch, index_messages());
	ipc_put_u64(ch, index_recipients());
	ipc_put_u64(ch, index_octets());
	ipc_put_u64(ch, job_count());
	ipc_put_u64(ch, schedule_count_held());
	ipc_put_u64(ch, schedule_count_future());
	ipc_put_u64(ch, oldest());
	ipc_put_u8(ch, pause_accept());
	ipc_send(ch);
}

static void
finish(struct summary *s)
{
	struct peer	*p = peers_find(ROLE_CONTROL, s->epoch);
	uint32_t	 i;

	if (p != NULL) {
		qsort(s->groups, s->n, sizeof(s->groups[0]), by_size);
		for (i = 0; i < s->n; i++)
			send_group(p->ch, s, &s->groups[i]);
		control_end(p->ch, s->sid, CTL_OK, s->n, 0, "");
	}
	summary_free(s);
}

static void
slice(int fd, short what, void *arg)
{
	struct timeval	 at_once = { 0, 0 };
	struct summary	*s = arg;

	(void)fd;
	(void)what;
	s->from = index_select_some(s->key, s->from, SLICE_KEYS, on_value, s);
	if (s->from != 0)
		event_add(&s->event, &at_once);
	else
		finish(s);
}

/* Relays of the configuration are listed even when nothing waits for them. */
static void
add_relays(struct summary *s)
{
	const struct dest	*d;

	for (d = schedule_dest_next(NULL); d != NULL;
	    d = schedule_dest_next(d))
		if (d->known || d->nmessages > 0)
			on_value(s, d->name, d->nmessages);
}

int
summary_queue(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	static const enum index_key	 keys[GROUP_KEYS] = {
		[GROUP_RELAY] = INDEX_RELAY, [GROUP_TENANT] = INDEX_TENANT,
		[GROUP_USER] = INDEX_USER, [GROUP_DOMAIN] = INDEX_DOMAIN,
		[GROUP_FROM] = INDEX_SENDER };
	const struct peer		*p = arg;
	struct ipc_reader		 r;
	struct summary			*s;
	uint32_t			 max;
	uint8_t				 key;
	bool				 may;

	ipc_reader(&r, msg);
	may = control_caller(&r);
	key = ipc_get_u8(&r);
	max = ipc_get_u16(&r);
	if (!ipc_done(&r) || key >= GROUP_KEYS)
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	max = max == 0 || max > GROUPS_MAX ? GROUPS_MAX : max;
	if ((s = calloc(1, sizeof(*s) + max * sizeof(s->groups[0]))) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	s->epoch = p->epoch;
	s->sid = msg->sid;
	s->key = keys[key];
	s->max = max;
	send_total(ch, msg->sid);
	if (s->key == INDEX_RELAY) {
		add_relays(s);
		finish(s);
		return 0;
	}
	event_assign(&s->event, child_base(), -1, 0, slice, s);
	slice(-1, 0, s);
	return 0;
}

/* --- ages --- */

/* Those of one step, by relay. */
struct ages {
	time_t		 now;
	uint32_t	 nrelays;
	struct age {
		uint32_t	 relay;		/* its handle in the index */
		const char	*name;
		uint32_t	 n[AGE_BUCKETS];
	} relays[AGE_RELAYS];
};

/* Younger than 5, 10, 20 ... 1280 minutes, and older. */
static unsigned int
bucket(time_t age)
{
	unsigned int	i = 0;
	time_t		end = 5 * 60;

	for (; i < AGE_BUCKETS - 1 && age >= end; i++)
		end *= 2;
	return i;
}

static bool
on_age(void *arg, struct message *m)
{
	struct ages	*a = arg;
	struct age	*age;
	uint32_t	 i;

	for (i = 0; i < a->nrelays && a->relays[i].relay != m->relay; i++)
		;
	age = &a->relays[i];
	if (i == a->nrelays) {
		memset(age, 0, sizeof(*age));
		age->relay = m->relay;
		age->name = message_relay(m);
		a->nrelays++;
	}
	age->n[bucket(a->now - (time_t)m->arrival)]++;
	/* the next may be of one more relay */
	return a->nrelays < AGE_RELAYS;
}

static void
send_ages(struct ipc *ch, uint64_t sid, const struct ages *a)
{
	uint32_t	i, k;

	for (i = 0; i < a->nrelays; i++) {
		ipc_start(ch, IPC_CTL_QUEUE_AGES, sid);
		put_name(ch, a->relays[i].name);
		for (k = 0; k < AGE_BUCKETS; k++)
			ipc_put_u32(ch, a->relays[i].n[k]);
		ipc_send(ch);
	}
}

int
summary_age(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct selection	 sel;
	struct ipc_reader	 r;
	struct slice		 text;
	struct ages		 a;
	uint64_t		 after;
	uint32_t		 n;
	char			 err[512];
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	after = ipc_get_u64(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (selection_parse(&sel, text, err, sizeof(err)) == -1) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, err);
		return 0;
	}
	a.now = schedule_now();
	a.nrelays = 0;
	n = select_step(&sel, &after, UINT32_MAX, a.now, on_age, &a);
	send_ages(ch, msg->sid, &a);
	control_end(ch, msg->sid, CTL_OK, n, after, "");
	selection_free(&sel);
	return 0;
}
