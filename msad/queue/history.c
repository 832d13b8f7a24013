/*
 * What happened to messages. Runs in msad-queue: outcome.c, accept.c and
 * steer.c tell it, control_rules.c asks it for "msactl queue log". What is
 * kept is for people; nothing is decided by it.
 *
 * The history of a message that stays is a state of it in the spool, written
 * anew with each round of attempts. It is in memory from the first event of a
 * round until it is written. Of those that left, the ring of histories is in
 * memory alone.
 */
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#include "envelope.h"
#include "history.h"
#include "history_record.h"
#include "index.h"
#include "registers.h"
#include "spool.h"

#define RECENT		16384U	/* acceptances remembered; a power of two */
#define BUCKETS		16384U	/* of ids; ids of one queue are close */
#define ROUND		16U	/* octets: how those that left are aligned */
#define CLIENT_MAX	48	/* octets of an address, with its NUL */
#define ACCEPTED_MAX	2000	/* octets of the first event's text */
#define ALIKE_MAX	4	/* answers of one moment that are shown */

/* A history that is being added to, or written. */
struct history {
	RB_ENTRY(history)	 by_id;
	uint64_t		 id;
	uint8_t			*buf;		/* the record, or NULL */
	size_t			 len;
	unsigned int		 writing;
	bool			 stored;	/* some of it is on the disk */
	bool			 dirty;
	bool			 kept;
	bool			 dropped;	/* freed once it is written */
};

/* What "accepted" says. */
struct accepted {
	const char	*user, *tenant, *from, *relay, *client;
	uint64_t	 epoch, sid, size;
	uint32_t	 nrcpts;
	bool		 report;	/* one of our own */
};

/* That of a message that left. */
struct ended {
	LIST_ENTRY(ended)	 by_id;
	TAILQ_ENTRY(ended)	 entry;
	uint64_t		 id;
	time_t			 arrival;
	struct accepted		 accepted;	/* strings: in data */
	const void		*record;	/* in data */
	size_t			 len;		/* of that */
	char			 data[];	/* strings, record */
};

static struct {
	uint64_t	 id, epoch, sid;
	char		 client[CLIENT_MAX];
} recent[RECENT];

static int	by_history(const struct history *, const struct history *);

RB_HEAD(history_tree, history);
RB_PROTOTYPE(history_tree, history, by_id, by_history)

static struct history_tree	 open_ones = RB_INITIALIZER(&open_ones);
static LIST_HEAD(, ended)	 ended[BUCKETS];	/* by id */
static TAILQ_HEAD(, ended)	 ring = TAILQ_HEAD_INITIALIZER(ring);
static unsigned int		 nended;
/* Where they are, one behind the other; the next one goes over the oldest. */
static uint8_t			*arena;
static size_t			 arena_next;
static struct spool		*spool;

static int
by_history(const struct history *a, const struct history *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(history_tree, history, by_id, by_history)

void
history_init(struct spool *s)
{
	spool = s;
}

/* --- those in memory --- */

static struct history *
find(uint64_t id)
{
	struct history	key;

	key.id = id;
	return RB_FIND(history_tree, &open_ones, &key);
}

/* With what the disk has of it; NULL when memory is out. */
static struct history *
open_history(uint64_t id)
{
	struct history	*h;
	void		*p = NULL;

	if ((h = find(id)) != NULL)
		return h;
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->id = id;
	if (spool_state_read(spool, id, KEY_HISTORY, &p, &h->len) ==
	    SPOOL_OK) {
		h->buf = p;
		h->stored = true;
	}
	RB_INSERT(history_tree, &open_ones, h);
	return h;
}

/* Out of memory with it, unless there is something to be done yet. */
static void
release(struct history *h)
{
	if (h->writing > 0 || (!h->dropped && (h->dirty || h->kept)))
		return;
	if (!h->dropped)
		RB_REMOVE(history_tree, &open_ones, h);
	free(h->buf);
	free(h);
}

static void
drop(struct history *h)
{
	RB_REMOVE(history_tree, &open_ones, h);
	h->dropped = true;
	release(h);
}

static void
on_written(void *arg, enum spool_result result)
{
	struct history	*h = arg;

	if (result != SPOOL_OK && result != SPOOL_NOENT)
		log_debug("q=%llx event=history error=%s",
		    (unsigned long long)h->id,
		    log_q(spool_result_name(result)));
	h->writing--;
	release(h);
}

/* The room that is left on a full disk is for what has to be written. */
static void
store(struct history *h)
{
	if (h->dirty && h->buf != NULL &&
	    spool_accepting(spool, NULL) == SPOOL_OK) {
		h->writing++;
		h->stored = true;
		spool_update(spool, h->id, KEY_HISTORY, h->buf, h->len,
		    on_written, h);
	}
	h->dirty = false;
	release(h);
}

void
history_settle(uint64_t id)
{
	struct history	*h;

	if (RB_EMPTY(&open_ones) || (h = find(id)) == NULL)
		return;
	h->kept = false;
	store(h);
}

void
history_tick(void)
{
	struct history	*h, *next;

	RB_FOREACH_SAFE(h, history_tree, &open_ones, next)
		if (h->dirty)
			store(h);
}

void
history_forget(uint64_t id)
{
	struct history	*h;

	if (!RB_EMPTY(&open_ones) && (h = find(id)) != NULL)
		drop(h);
}

void
history_keep(uint64_t id)
{
	struct history	*h;

	if ((h = open_history(id)) != NULL)
		h->kept = true;
}

/* --- events --- */

static void
decode(const void *p, size_t len, struct history_record *r)
{
	if (len > 0 && history_record_decode(p, len, r) == 0)
		return;
	r->n = 0;
	r->dropped = 0;
}

/*
 * Does one of this moment say the same of other recipients? alike: how many say
 * something else.
 */
static bool
joined(struct history_record *r, const struct history_event *e,
    unsigned int *alike)
{
	struct history_event	*old;
	unsigned int		 i;

	*alike = 0;
	for (i = r->n; i > 0 && r->events[i - 1].time == e->time; i--) {
		old = &r->events[i - 1];
		if (old->rcpt.len == 0 || e->rcpt.len == 0 ||
		    !slice_eq(old->event, e->event))
			continue;
		if (!slice_eq(old->text, e->text)) {
			++*alike;
			continue;
		}
		if (old->more < UINT16_MAX)
			old->more++;
		return true;
	}
	return false;
}

/* Into the record, with those that say the same, or with all others. */
static void
put_event(struct history_record *r, const struct history_event *event)
{
	struct history_event	e = *event;
	unsigned int		alike;

	if (joined(r, &e, &alike))
		return;
	if (alike >= ALIKE_MAX) {
		e.text = SLICE_STR("(other answers)");
		if (joined(r, &e, &alike))
			return;
	}
	history_record_add(r, &e);
}

static void
add(struct history *h, const struct history_event *e)
{
	static uint8_t		 buf[HISTORY_RECORD_MAX];
	struct history_record	 r;
	uint8_t			*p;
	size_t			 len;

	decode(h->buf, h->len, &r);
	put_event(&r, e);
	len = history_record_encode(&r, buf);
	if ((p = malloc(len)) == NULL)
		return;
	memcpy(p, buf, len);
	free(h->buf);
	h->buf = p;
	h->len = len;
	h->dirty = true;
}

static void
add_text(struct history *h, time_t now, const char *event, const char *rcpt,
    const char *text)
{
	struct history_event	e = { .time = (uint64_t)now,
		.event = SLICE_STR(event), .rcpt = SLICE_STR(rcpt),
		.text = SLICE_STR(text) };

	/* cut already, so that it is compared as it is kept */
	if (e.text.len > HISTORY_TEXT_MAX)
		e.text.len = HISTORY_TEXT_MAX;
	add(h, &e);
}

void
history_add(struct message *m, time_t now, const char *event,
    const char *fmt, ...)
{
	char		 text[HISTORY_TEXT_MAX + 1];
	struct history	*h;
	va_list		 ap;

	if ((m->flags & MESSAGE_GONE) || (h = open_history(m->id)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_text(h, now, event, "", text);
	if (!h->kept)
		store(h);
}

void
history_attempt(const struct message *m, time_t now,
    const struct history_attempt *a)
{
	char		 text[HISTORY_TEXT_MAX + 1];
	char		 code[8] = "";
	struct history	*h;

	if ((m->flags & (MESSAGE_REMOVED | MESSAGE_ENDING | MESSAGE_GONE)) ||
	    (h = open_history(m->id)) == NULL)
		return;
	if (a->code != 0)
		snprintf(code, sizeof(code), "%u ", a->code);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s",
	    a->dsn != NULL ? "dsn=" : "", a->dsn != NULL ? a->dsn : "",
	    a->dsn != NULL ? " " : "", a->remote,
	    a->remote[0] != '\0' ? ": " : "", code, a->reply);
	add_text(h, now, a->event, a->rcpt, text);
}

/* --- the first event --- */

void
history_accepted(const struct message *m, uint64_t epoch, uint64_t sid,
    const char *client)
{
	size_t	i = m->id % RECENT;

	recent[i].id = m->id;
	recent[i].epoch = epoch;
	recent[i].sid = sid;
	strlcpy(recent[i].client, client, sizeof(recent[i].client));
}

static struct accepted
accepted_of(const struct message *m, uint64_t epoch, uint64_t sid,
    const char *client)
{
	return (struct accepted){ .user = message_user(m),
	    .tenant = message_tenant(m), .from = message_sender(m),
	    .relay = message_relay(m), .client = client, .epoch = epoch,
	    .sid = sid, .size = m->size, .nrcpts = m->nrcpts,
	    .report = (m->env_flags & ENVELOPE_DSN) != 0 };
}

static void
tell_accepted(const struct accepted *a, time_t arrival, void (*fn)(void *,
    time_t, const char *event, const char *text), void *arg)
{
	char	text[ACCEPTED_MAX], where[CLIENT_MAX + 64] = "";

	if (a->sid != 0)
		snprintf(where, sizeof(where), " client=%s s=%llx-%llx",
		    a->client[0] != '\0' ? a->client : "local",
		    (unsigned long long)a->epoch, (unsigned long long)a->sid);
	snprintf(text, sizeof(text), "user=%s tenant=%s from=%s nrcpts=%u "
	    "size=%llu relay=%s%s", log_q(a->user), log_q(a->tenant),
	    log_q(a->from), a->nrcpts, (unsigned long long)a->size,
	    log_q(a->relay), a->report ? " report=1" : where);
	fn(arg, arrival, "accepted", text);
}

/* Where it came from, from its envelope on the disk; client: CLIENT_MAX. */
static struct accepted
read_accepted(const struct message *m, char *client)
{
	struct spool_content	 c;
	struct envelope		 e;

	client[0] = '\0';
	if (spool_content_open(spool, m->id, &c) != SPOOL_OK)
		return accepted_of(m, 0, 0, client);
	if (envelope_decode(c.env, c.envlen, &e) == -1)
		memset(&e, 0, sizeof(e));
	snprintf(client, CLIENT_MAX, "%.*s", SLICE_FMT(e.client));
	spool_content_close(&c);
	return accepted_of(m, e.epoch, e.sid, client);
}

/* --- those that left --- */

static void
forget_ended(struct ended *e)
{
	LIST_REMOVE(e, by_id);
	TAILQ_REMOVE(&ring, e, entry);
	nended--;
}

/* Does the oldest begin there or behind, but before the end? */
static bool
oldest_is_in(size_t from, size_t end)
{
	const struct ended	*e = TAILQ_FIRST(&ring);
	size_t			 at;

	if (e == NULL)
		return false;
	at = (size_t)((const uint8_t *)e - arena);
	return at >= from && at < end;
}

/*
 * Room for one more, in place of the oldest: without malloc(3), as they outlive
 * all that is allocated for a message. NULL: it is too large, or memory is out.
 */
static struct ended *
ended_new(size_t size)
{
	struct ended	*e;

	size = (size + ROUND - 1) / ROUND * ROUND;
	if (size > HISTORY_ENDED_OCTETS || (arena == NULL &&
	    (arena = malloc(HISTORY_ENDED_OCTETS)) == NULL))
		return NULL;
	if (nended >= HISTORY_ENDED_MAX)
		forget_ended(TAILQ_FIRST(&ring));
	if (size > HISTORY_ENDED_OCTETS - arena_next) {
		while (oldest_is_in(arena_next, HISTORY_ENDED_OCTETS))
			forget_ended(TAILQ_FIRST(&ring));
		arena_next = 0;
	}
	while (oldest_is_in(arena_next, arena_next + size))
		forget_ended(TAILQ_FIRST(&ring));
	e = (struct ended *)(void *)(arena + arena_next);
	arena_next += size;
	return e;
}

static struct ended *
find_ended(uint64_t id)
{
	struct ended	*e;

	LIST_FOREACH(e, &ended[id % BUCKETS], by_id)
		if (e->id == id)
			break;
	return e;
}

/* Keep a string behind *p. */
static void
keep_str(const char **s, char **p)
{
	size_t	n = strlen(*s) + 1;

	memcpy(*p, *s, n);
	*s = *p;
	*p += n;
}

static void
remember(const struct message *m, const struct history *h,
    const struct accepted *a)
{
	struct ended	*e;
	size_t		 size;
	char		*p;

	size = sizeof(*e) + h->len + strlen(a->user) + strlen(a->tenant) +
	    strlen(a->from) + strlen(a->relay) + strlen(a->client) + 5;
	if ((e = ended_new(size)) == NULL)
		return;
	e->id = m->id;
	e->arrival = (time_t)m->arrival;
	e->accepted = *a;
	p = e->data;
	keep_str(&e->accepted.user, &p);
	keep_str(&e->accepted.tenant, &p);
	keep_str(&e->accepted.from, &p);
	keep_str(&e->accepted.relay, &p);
	keep_str(&e->accepted.client, &p);
	e->record = p;
	if ((e->len = h->len) > 0)
		memcpy(p, h->buf, h->len);
	LIST_INSERT_HEAD(&ended[e->id % BUCKETS], e, by_id);
	TAILQ_INSERT_TAIL(&ring, e, entry);
	nended++;
}

void
history_end(struct message *m, time_t now, const char *event)
{
	char		 client[CLIENT_MAX];
	struct accepted	 a;
	struct history	*h;
	size_t		 i = m->id % RECENT;

	if (find_ended(m->id) != NULL || (h = open_history(m->id)) == NULL)
		return;
	if (event != NULL)
		add_text(h, now, event, "", "");
	if (recent[i].id == m->id)
		a = accepted_of(m, recent[i].epoch, recent[i].sid,
		    recent[i].client);
	else if (h->stored)
		a = read_accepted(m, client);
	else		/* of a long queue: not worth a read for each */
		a = accepted_of(m, 0, 0, "");
	remember(m, h, &a);
	drop(h);
}

/* --- asking --- */

static unsigned int
tell(const struct history_record *r, void (*fn)(void *, time_t,
    const char *event, const char *text), void *arg)
{
	char				 word[HISTORY_WORD_MAX + 1];
	char				 text[HISTORY_TEXT_MAX +
	    HISTORY_RCPT_MAX + 80];
	const struct history_event	*e;
	unsigned int			 i;

	if (r->dropped > 0) {
		snprintf(text, sizeof(text), "%u older events are not kept",
		    r->dropped);
		fn(arg, r->n > 0 ? (time_t)r->events[0].time : 0, "cut", text);
	}
	for (i = 0; i < r->n; i++) {
		e = &r->events[i];
		snprintf(word, sizeof(word), "%.*s", SLICE_FMT(e->event));
		if (e->rcpt.len == 0)
			snprintf(text, sizeof(text), "%.*s",
			    SLICE_FMT(e->text));
		else if (e->more == 0)
			snprintf(text, sizeof(text), "to=%.*s %.*s",
			    SLICE_FMT(e->rcpt), SLICE_FMT(e->text));
		else
			snprintf(text, sizeof(text), "to=%.*s and %u more "
			    "%.*s", SLICE_FMT(e->rcpt), e->more,
			    SLICE_FMT(e->text));
		fn(arg, (time_t)e->time, word, text);
	}
	return r->n + (r->dropped > 0);
}

unsigned int
history_each(uint64_t id, void (*fn)(void *, time_t, const char *event,
    const char *text), void *arg)
{
	char			 client[CLIENT_MAX];
	const struct message	*m;
	const struct ended	*e;
	struct accepted		 a;
	struct history_record	 r;
	struct history		*h;
	unsigned int		 n;

	if ((e = find_ended(id)) != NULL) {
		tell_accepted(&e->accepted, e->arrival, fn, arg);
		decode(e->record, e->len, &r);
		return 1 + tell(&r, fn, arg);
	}
	if ((m = index_find(id)) == NULL || (h = open_history(id)) == NULL)
		return 0;
	a = read_accepted(m, client);
	tell_accepted(&a, (time_t)m->arrival, fn, arg);
	decode(h->buf, h->len, &r);
	n = 1 + tell(&r, fn, arg);
	release(h);
	return n;
}
