/*
 * The messages of the queue in memory. Runs in msad-queue. A message is one
 * piece of about 110 octets, 16 for each recipient and the address; with its
 * places in the lists below and what the spool keeps of it, it stays below 300
 * octets.
 *
 * There are lists by user, tenant, relay, sender and domain besides the one of
 * all; ids ascend with arrival, so that their order is the order of arrival,
 * which is what listings page by.
 *
 * Message-IDs are for the log alone. They are kept while a message is new, and
 * read from the spool when one is logged later.
 */
#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/params.h"
#include "common/slab.h"
#include "common/stats.h"

#include "index.h"
#include "index_keys.h"

#define FUTURE_KEY_MAX	(2 * ENVELOPE_STR_MAX + 2)
#define MSGIDS		1024U		/* kept at hand */
#define DOMAIN_MAX	255U

static struct postings		all;
static struct slab		memory;		/* of messages */
static uint64_t			nrecipients, noctets;
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

struct message *
message_at(uint32_t handle)
{
	return slab_at(&memory, handle);
}

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

static bool
has_capitals(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if (isupper((unsigned char)s.p[i]))
			return true;
	return false;
}

/* What it shares with others. */
static int
hold_keys(struct message *m, const struct envelope *e)
{
	m->origin = hold_origin(e);
	m->relay = keys_hold(INDEX_RELAY, e->relay);
	m->sender = keys_hold(has_capitals(e->sender) ?
	    KEY_CAPITALS : INDEX_SENDER, e->sender);
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

/* When it has to be delivered (RFC 2852), and its priority (RFC 6710). */
static void
put_params(struct message *m, struct slice text)
{
	struct mail_params	params;
	int64_t			by;

	if (!params_mail_canonical(text, &params))
		return;
	if (params.has_by) {
		by = (int64_t)m->arrival + params.by;
		m->deliver_by = by < 1 ? 1 : seconds((uint64_t)by);
		m->by_return = params.by_return;
		m->by_trace = params.by_trace;
	}
	m->priority = (int8_t)params.priority;
}

struct message *
message_new(uint64_t id, uint64_t size, const struct envelope *env)
{
	struct envelope		 e = *env;
	struct message		*m;
	struct slice		 addr, params;
	size_t			 text = 0;
	uint32_t		 self;

	while (envelope_rcpt(&e, &addr, &params))
		text += addr.len + 1;
	if ((self = slab_take(&memory, offsetof(struct message, rcpts) +
	    env->nrcpts * sizeof(m->rcpts[0]) + text)) == 0)
		return NULL;
	m = message_at(self);
	m->self = self;
	m->id = id;
	m->size = size;
	m->arrival = m->since = seconds(env->arrival);
	m->not_before = seconds(env->not_before);
	m->header_len = env->header_len;
	m->env_flags = env->flags;
	if (env->flags & ENVELOPE_STOPPED)
		m->flags |= MESSAGE_STOPPED;	/* but for a mark */
	m->heap = HEAP_NONE;
	m->nrcpts = m->nleft = (uint16_t)env->nrcpts;
	if (hold_keys(m, env) == -1) {
		message_free(m);
		return NULL;
	}
	put_rcpts(m, *env);
	put_params(m, env->params);
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
	slab_give(&memory, m->self);
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
	nrecipients += (uint64_t)(sign * (int64_t)m->nrcpts);
	noctets += (uint64_t)(sign * (int64_t)m->size);
}

/* In small letters; "" when it is too long for any list. */
static struct slice
fold(struct slice s, char buf[ENVELOPE_STR_MAX])
{
	size_t	i;

	if (s.len > ENVELOPE_STR_MAX)
		return SLICE("", 0);
	for (i = 0; i < s.len; i++)
		buf[i] = (char)tolower((unsigned char)s.p[i]);
	return SLICE(buf, s.len);
}

/*
 * The lists of users, tenants and domains are held once by each message in
 * them; those of relays and senders by the message itself, as it names them,
 * save for a sender with capitals, whose list is that of the small letters. A
 * message may be put into a list that it is in already.
 */
static int
list_add(struct message *m, unsigned int kind, struct slice value)
{
	struct postings	*p;
	uint32_t	 h, n;

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
list_remove(struct message *m, unsigned int kind, struct slice value)
{
	struct postings	*p;
	uint32_t	 h, n;

	if ((h = keys_find(kind, value)) == 0)
		return;
	p = keys_postings(h);
	n = p->n;
	postings_remove(p, m);
	if (p->n < n)
		keys_release(h);
}

static int
sender_add(struct message *m)
{
	char	buf[ENVELOPE_STR_MAX];

	if (keys_kind(m->sender) == INDEX_SENDER)
		return postings_add(keys_postings(m->sender), m);
	return list_add(m, INDEX_SENDER, fold(SLICE_STR(message_sender(m)),
	    buf));
}

static void
sender_remove(struct message *m)
{
	char	buf[ENVELOPE_STR_MAX];

	if (keys_kind(m->sender) == INDEX_SENDER)
		postings_remove(keys_postings(m->sender), m);
	else
		list_remove(m, INDEX_SENDER,
		    fold(SLICE_STR(message_sender(m)), buf));
}

/* Users of one name of two tenants are two. */
static struct slice
future_key(struct slice tenant, struct slice user, char buf[FUTURE_KEY_MAX])
{
	int	n;

	n = snprintf(buf, FUTURE_KEY_MAX, "%.*s\n%.*s", SLICE_FMT(tenant),
	    SLICE_FMT(user));
	return SLICE(buf, (size_t)n < FUTURE_KEY_MAX ? (size_t)n :
	    FUTURE_KEY_MAX - 1);
}

static int
future_add(struct message *m)
{
	char	buf[FUTURE_KEY_MAX];

	return list_add(m, KEY_FUTURE, future_key(SLICE_STR(message_tenant(m)),
	    SLICE_STR(message_user(m)), buf));
}

static void
future_remove(struct message *m)
{
	char	buf[FUTURE_KEY_MAX];

	list_remove(m, KEY_FUTURE, future_key(SLICE_STR(message_tenant(m)),
	    SLICE_STR(message_user(m)), buf));
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
	    postings_add(keys_postings(m->relay), m) == -1 ||
	    sender_add(m) == -1 || ((m->env_flags & ENVELOPE_FUTURE) &&
	    future_add(m) == -1);
	for (i = 0; i < m->nrcpts && !full; i++)
		full = list_add(m, INDEX_DOMAIN,
		    domain_of(SLICE_STR(message_rcpt(m, i)), buf)) == -1;
	if (full || tenants_add(m) == -1)
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
	if (m->env_flags & ENVELOPE_FUTURE)
		future_remove(m);
	sender_remove(m);
	postings_remove(keys_postings(m->relay), m);
	tenants_remove(m);
	list_remove(m, INDEX_TENANT, SLICE_STR(message_tenant(m)));
	list_remove(m, INDEX_USER, SLICE_STR(message_user(m)));
	postings_remove(&all, m);
	count(m, -1);
}

int
message_set_relay(struct message *m, struct slice relay)
{
	uint32_t	h;

	if ((h = keys_hold(INDEX_RELAY, relay)) == 0)
		return -1;
	if (h != m->relay && index_find(m->id) == m) {
		if (postings_add(keys_postings(h), m) == -1) {
			keys_release(h);
			return -1;
		}
		postings_remove(keys_postings(m->relay), m);
	}
	keys_release(m->relay);
	m->relay = h;
	return 0;
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

unsigned int
index_batch(uint64_t id, struct message **buf, unsigned int n)
{
	return id == UINT64_MAX ? 0 : postings_batch(&all, id + 1, buf, n);
}

uint64_t
index_messages(void)
{
	return all.n;
}

uint64_t
index_recipients(void)
{
	return nrecipients;
}

uint64_t
index_octets(void)
{
	return noctets;
}

/* --- selecting --- */

/* The list of those with that key; NULL: there is none. */
static const struct postings *
list_of(enum index_key kind, struct slice value)
{
	char		buf[ENVELOPE_STR_MAX];
	uint32_t	h;

	if (kind == INDEX_DOMAIN || kind == INDEX_SENDER) {
		if (value.len > sizeof(buf))
			return NULL;
		value = fold(value, buf);
	}
	h = keys_find(kind, value);
	return h == 0 ? NULL : keys_postings(h);
}

bool
index_future_full(struct slice tenant, struct slice user, uint64_t most,
    uint64_t now)
{
	char		 buf[FUTURE_KEY_MAX];
	struct slice	 key = future_key(tenant, user, buf);
	struct message	*m;
	uint64_t	 n = 0, id = 0;
	uint32_t	 h;

	if ((h = keys_find(KEY_FUTURE, key)) == 0)
		return most == 0;
	if (keys_postings(h)->n < most)
		return false;
	while (n < most && (h = keys_find(KEY_FUTURE, key)) != 0 &&
	    (m = postings_from(keys_postings(h), id)) != NULL) {
		id = m->id + 1;
		if (m->not_before > now)
			n++;
		else	/* it need not be looked at again */
			list_remove(m, KEY_FUTURE, key);
	}
	return n >= most;
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

unsigned int
index_select_batch(enum index_key kind, struct slice value, uint64_t id,
    struct message **buf, unsigned int n)
{
	const struct postings	*p = list_of(kind, value);

	return p == NULL || id == UINT64_MAX ? 0 :
	    postings_batch(p, id + 1, buf, n);
}

void
index_select_keys(enum index_key kind, index_value fn, void *arg)
{
	index_select_some(kind, 0, UINT_MAX, fn, arg);
}

uint32_t
index_select_some(enum index_key kind, uint32_t from, unsigned int most,
    index_value fn, void *arg)
{
	uint32_t	h = from;

	while (most-- > 0 && (h = keys_next(kind, h)) != 0)
		if (keys_postings(h)->n > 0)
			fn(arg, keys_name(h), keys_postings(h)->n);
	return h;
}
