/*
 * The messages of the queue in memory. Runs in msad-queue. A message is one
 * allocation of about 100 octets, 16 for each recipient and the address; with
 * its places in the lists below and what the spool keeps of it, it stays below
 * 300 octets.
 *
 * There are lists by user, tenant, relay and recipients' domains besides the
 * one of all; ids ascend with arrival, so that their order is the order of
 * arrival, which is what listings page by.
 *
 * Message-IDs are for the log alone. They are kept while a message is new, and
 * read from the spool when one is logged later.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/params.h"
#include "common/stats.h"

#include "index.h"
#include "index_keys.h"

#define MSGIDS		1024U		/* kept at hand */
#define DOMAIN_MAX	255U

static struct postings		all;
static index_read_msgid		read_msgid;

static struct {
	uint64_t	 id;
	char		*msgid;
} msgids[MSGIDS];

void
index_init(index_read_msgid fn)
{
	read_msgid = fn;
}

/* --- messages --- */

static char *
text_of(const struct message *m)
{
	return (char *)(uintptr_t)(m->rcpts + m->nrcpts);
}

static uint32_t
seconds(uint64_t t)
{
	return t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

/*
 * User, tenant, label of authentication and mechanism come in few combinations,
 * so a message has one handle for all: of the four with a NUL behind each.
 */
static uint32_t
hold_origin(const struct envelope *e)
{
	const struct slice	 parts[] = { e->user, e->tenant, e->auth,
		e->mech };
	char			 buf[4 * (ENVELOPE_STR_MAX + 1)];
	size_t			 i, len = 0;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].len > ENVELOPE_STR_MAX)
			return 0;
		if (parts[i].len > 0)
			memcpy(buf + len, parts[i].p, parts[i].len);
		len += parts[i].len;
		buf[len++] = '\0';
	}
	return keys_hold(KEY_ORIGIN, SLICE(buf, len));
}

static const char *
origin_part(const struct message *m, unsigned int i)
{
	const char	*p = keys_name(m->origin);

	while (i-- > 0)
		p += strlen(p) + 1;
	return p;
}

/* What it shares with others. */
static int
hold_keys(struct message *m, const struct envelope *e)
{
	m->origin = hold_origin(e);
	m->relay = keys_hold(KEY_STRING, e->relay);
	m->sender = keys_hold(KEY_STRING, e->sender);
	return m->origin == 0 || m->relay == 0 || m->sender == 0 ? -1 : 0;
}

/* The recipients behind each other, each address with a NUL. */
static void
put_rcpts(struct message *m, struct envelope e)
{
	struct rcpt_params	 params;
	struct slice		 addr, text;
	char			*p = text_of(m);
	uint32_t		 i, len = 0;

	for (i = 0; i < m->nrcpts && envelope_rcpt(&e, &addr, &text); i++) {
		m->rcpts[i].addr = len;
		memcpy(p + len, addr.p, addr.len);
		p[len + addr.len] = '\0';
		len += (uint32_t)addr.len + 1;
		if (params_rcpt_canonical(text, &params))
			m->rcpts[i].notify = (uint8_t)params.notify;
	}
}

struct message *
message_new(uint64_t id, uint64_t size, const struct envelope *env)
{
	struct envelope		 e = *env;
	struct message		*m;
	struct slice		 addr, params;
	size_t			 text = 0;

	while (envelope_rcpt(&e, &addr, &params))
		text += addr.len + 1;
	if ((m = calloc(1, sizeof(*m) + env->nrcpts * sizeof(m->rcpts[0]) +
	    text)) == NULL)
		return NULL;
	m->id = id;
	m->size = size;
	m->arrival = m->since = seconds(env->arrival);
	m->not_before = seconds(env->not_before);
	m->header_len = env->header_len;
	m->env_flags = env->flags;
	m->heap = HEAP_NONE;
	m->nrcpts = m->nleft = (uint16_t)env->nrcpts;
	if (hold_keys(m, env) == -1) {
		message_free(m);
		return NULL;
	}
	put_rcpts(m, *env);
	index_keep_msgid(id, env->msgid);
	return m;
}

void
message_free(struct message *m)
{
	if (m == NULL)
		return;
	keys_release(m->origin);
	keys_release(m->relay);
	keys_release(m->sender);
	free(m);
}

const char *
message_user(const struct message *m)
{
	return origin_part(m, 0);
}

const char *
message_tenant(const struct message *m)
{
	return origin_part(m, 1);
}

const char *
message_auth(const struct message *m)
{
	return origin_part(m, 2);
}

const char *
message_mech(const struct message *m)
{
	return origin_part(m, 3);
}

const char *
message_relay(const struct message *m)
{
	return keys_name(m->relay);
}

const char *
message_sender(const struct message *m)
{
	return keys_name(m->sender);
}

const char *
message_rcpt(const struct message *m, uint32_t i)
{
	return text_of(m) + m->rcpts[i].addr;
}

/* --- Message-IDs --- */

void
index_keep_msgid(uint64_t id, struct slice s)
{
	char	*p;

	if ((p = malloc(s.len + 1)) == NULL)
		return;
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	free(msgids[id % MSGIDS].msgid);
	msgids[id % MSGIDS].msgid = p;
	msgids[id % MSGIDS].id = id;
}

const char *
message_msgid(const struct message *m)
{
	char	buf[ENVELOPE_STR_MAX + 1] = "";

	if (msgids[m->id % MSGIDS].msgid == NULL ||
	    msgids[m->id % MSGIDS].id != m->id) {
		if (read_msgid != NULL)
			read_msgid(m->id, buf, sizeof(buf));
		index_keep_msgid(m->id, SLICE_STR(buf));
	}
	if (msgids[m->id % MSGIDS].id != m->id ||
	    msgids[m->id % MSGIDS].msgid == NULL)
		return "";
	return msgids[m->id % MSGIDS].msgid;
}

/* --- recipients --- */

static bool
is_left(uint8_t status)
{
	return status != RCPT_DONE && status != RCPT_FAILED;
}

static bool
is_busy(uint8_t status)
{
	return status == RCPT_INFLIGHT || status == RCPT_REPORTING;
}

void
message_set_status(struct message *m, uint32_t i, enum rcpt_status to)
{
	uint8_t	from = m->rcpts[i].status;

	m->nleft += (uint32_t)is_left((uint8_t)to) - (uint32_t)is_left(from);
	m->nbusy += (uint32_t)is_busy((uint8_t)to) - (uint32_t)is_busy(from);
	m->rcpts[i].status = (uint8_t)to;
}

/* --- the lists --- */

/* The domain of a recipient, in small letters; "" when it has none. */
static struct slice
domain_of(struct slice addr, char *buf)
{
	size_t	i, n;

	for (n = 0; n < addr.len && addr.p[addr.len - n - 1] != '@'; n++)
		;
	if (n == addr.len || n > DOMAIN_MAX)
		n = 0;
	for (i = 0; i < n; i++)
		buf[i] = (char)tolower((unsigned char)
		    addr.p[addr.len - n + i]);
	return SLICE(buf, n);
}

static void
count(const struct message *m, int sign)
{
	stats_add(STAT_QUEUE_MESSAGES, sign);
	stats_add(STAT_QUEUE_RECIPIENTS, sign * (int64_t)m->nrcpts);
	stats_add(STAT_QUEUE_BYTES, sign * (int64_t)m->size);
}

/*
 * Each list is held once by each message in it. A message may be put into a
 * list that it is in already.
 */
static int
list_add(struct message *m, enum index_key kind, struct slice value)
{
	struct postings	*p;
	uint32_t	 h;
	uint64_t	 n;

	if ((h = keys_hold(kind, value)) == 0)
		return -1;
	p = keys_postings(h);
	n = p->n;
	if (postings_add(p, m) == -1) {
		keys_release(h);
		return -1;
	}
	if (p->n == n)
		keys_release(h);
	return 0;
}

static void
list_remove(struct message *m, enum index_key kind, struct slice value)
{
	struct postings	*p;
	uint32_t	 h;
	uint64_t	 n;

	if ((h = keys_find(kind, value)) == 0)
		return;
	p = keys_postings(h);
	n = p->n;
	postings_remove(p, m);
	if (p->n < n)
		keys_release(h);
}

void
index_insert(struct message *m)
{
	char		buf[DOMAIN_MAX];
	uint32_t	i;
	bool		full;

	full = postings_add(&all, m) == -1 ||
	    list_add(m, INDEX_USER, SLICE_STR(message_user(m))) == -1 ||
	    list_add(m, INDEX_TENANT, SLICE_STR(message_tenant(m))) == -1 ||
	    list_add(m, INDEX_RELAY, SLICE_STR(message_relay(m))) == -1;
	for (i = 0; i < m->nrcpts && !full; i++)
		full = list_add(m, INDEX_DOMAIN,
		    domain_of(SLICE_STR(message_rcpt(m, i)), buf)) == -1;
	if (full)
		fatal("event=index error=\"out of memory\"");
	count(m, 1);
}

void
index_remove(struct message *m)
{
	char		buf[DOMAIN_MAX];
	uint32_t	i;

	for (i = 0; i < m->nrcpts; i++)
		list_remove(m, INDEX_DOMAIN,
		    domain_of(SLICE_STR(message_rcpt(m, i)), buf));
	list_remove(m, INDEX_RELAY, SLICE_STR(message_relay(m)));
	list_remove(m, INDEX_TENANT, SLICE_STR(message_tenant(m)));
	list_remove(m, INDEX_USER, SLICE_STR(message_user(m)));
	postings_remove(&all, m);
	count(m, -1);
}

struct message *
index_find(uint64_t id)
{
	struct message	*m = postings_from(&all, id);

	return m != NULL && m->id == id ? m : NULL;
}

struct message *
index_after(uint64_t id)
{
	return id == UINT64_MAX ? NULL : postings_from(&all, id + 1);
}

uint64_t
index_messages(void)
{
	return all.n;
}

/* --- selecting --- */

/* The list of those with that key; NULL: there is none. */
static const struct postings *
list_of(enum index_key kind, struct slice value)
{
	char		buf[DOMAIN_MAX];
	uint32_t	h;
	size_t		i;

	if (kind == INDEX_DOMAIN) {
		if (value.len > sizeof(buf))
			return NULL;
		for (i = 0; i < value.len; i++)
			buf[i] = (char)tolower((unsigned char)value.p[i]);
		value = SLICE(buf, value.len);
	}
	h = keys_find(kind, value);
	return h == 0 ? NULL : keys_postings(h);
}

uint64_t
index_select_count(enum index_key kind, struct slice value)
{
	const struct postings	*p = list_of(kind, value);

	return p == NULL ? 0 : p->n;
}

struct message *
index_select_after(enum index_key kind, struct slice value, uint64_t id)
{
	const struct postings	*p = list_of(kind, value);

	return p == NULL || id == UINT64_MAX ? NULL : postings_from(p, id + 1);
}

void
index_select_keys(enum index_key kind, void (*fn)(void *, const char *,
    uint64_t), void *arg)
{
	uint32_t	h;

	for (h = keys_next(kind, 0); h != 0; h = keys_next(kind, h))
		if (keys_postings(h)->n > 0)
			fn(arg, keys_name(h), keys_postings(h)->n);
}
