/*
 * The messages of the queue in memory, by id. Runs in msad-queue. A message is
 * one allocation; with a recipient's 16 octets and the address it stays well
 * below 300 octets a recipient. Ids ascend with arrival, so that the order of
 * the tree is the order of arrival, which is what listings page by.
 */
#include <stdlib.h>
#include <string.h>

#include "common/params.h"
#include "common/stats.h"

#include "index.h"

static int	compare(const struct message *, const struct message *);

RB_HEAD(message_tree, message);
RB_PROTOTYPE(message_tree, message, by_id, compare)

static struct message_tree	tree = RB_INITIALIZER(&tree);
static uint64_t			nmessages;

static int
compare(const struct message *a, const struct message *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(message_tree, message, by_id, compare)

static char *
text_of(const struct message *m)
{
	return (char *)(uintptr_t)(m->rcpts + m->nrcpts);
}

/* Append s with a NUL to the text; returns its offset. */
static uint32_t
put_text(char *text, uint32_t *len, struct slice s)
{
	uint32_t	at = *len;

	if (s.len > 0)
		memcpy(text + at, s.p, s.len);
	text[at + s.len] = '\0';
	*len += (uint32_t)s.len + 1;
	return at;
}

struct message *
message_new(uint64_t id, uint64_t size, const struct envelope *env)
{
	struct envelope		 e = *env;
	struct rcpt_params	 params;
	struct message		*m;
	struct slice		 addr, text_of_params;
	uint32_t		 i, len = 0;
	size_t			 text;

	text = e.user.len + e.tenant.len + e.auth.len + e.mech.len +
	    e.relay.len + e.sender.len + e.msgid.len + 7;
	while (envelope_rcpt(&e, &addr, &text_of_params))
		text += addr.len + 1;
	e = *env;
	if ((m = calloc(1, sizeof(*m) + e.nrcpts * sizeof(m->rcpts[0]) +
	    text)) == NULL)
		return NULL;
	m->id = id;
	m->size = size;
	m->arrival = m->since = e.arrival;
	m->not_before = e.not_before;
	m->header_len = e.header_len;
	m->env_flags = e.flags;
	m->heap = HEAP_NONE;
	m->nrcpts = m->nleft = e.nrcpts;
	put_text(text_of(m), &len, e.user);
	m->tenant = (uint16_t)put_text(text_of(m), &len, e.tenant);
	m->auth = (uint16_t)put_text(text_of(m), &len, e.auth);
	m->mech = (uint16_t)put_text(text_of(m), &len, e.mech);
	m->relay = (uint16_t)put_text(text_of(m), &len, e.relay);
	m->sender = (uint16_t)put_text(text_of(m), &len, e.sender);
	m->msgid = (uint16_t)put_text(text_of(m), &len, e.msgid);
	for (i = 0; i < m->nrcpts &&
	    envelope_rcpt(&e, &addr, &text_of_params); i++) {
		m->rcpts[i].addr = put_text(text_of(m), &len, addr);
		if (params_rcpt_canonical(text_of_params, &params))
			m->rcpts[i].notify = (uint8_t)params.notify;
	}
	return m;
}

void
message_free(struct message *m)
{
	free(m);
}

const char *
message_user(const struct message *m)
{
	return text_of(m);
}

const char *
message_tenant(const struct message *m)
{
	return text_of(m) + m->tenant;
}

const char *
message_auth(const struct message *m)
{
	return text_of(m) + m->auth;
}

const char *
message_mech(const struct message *m)
{
	return text_of(m) + m->mech;
}

const char *
message_relay(const struct message *m)
{
	return text_of(m) + m->relay;
}

const char *
message_sender(const struct message *m)
{
	return text_of(m) + m->sender;
}

const char *
message_msgid(const struct message *m)
{
	return text_of(m) + m->msgid;
}

const char *
message_rcpt(const struct message *m, uint32_t i)
{
	return text_of(m) + m->rcpts[i].addr;
}

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

static void
count(const struct message *m, int sign)
{
	stats_add(STAT_QUEUE_MESSAGES, sign);
	stats_add(STAT_QUEUE_RECIPIENTS, sign * (int64_t)m->nrcpts);
	stats_add(STAT_QUEUE_BYTES, sign * (int64_t)m->size);
}

void
index_insert(struct message *m)
{
	RB_INSERT(message_tree, &tree, m);
	nmessages++;
	count(m, 1);
}

void
index_remove(struct message *m)
{
	RB_REMOVE(message_tree, &tree, m);
	nmessages--;
	count(m, -1);
}

struct message *
index_find(uint64_t id)
{
	struct message	key;

	key.id = id;
	return RB_FIND(message_tree, &tree, &key);
}

struct message *
index_after(uint64_t id)
{
	struct message	key;

	if (id == UINT64_MAX)
		return NULL;
	key.id = id + 1;
	return RB_NFIND(message_tree, &tree, &key);
}

uint64_t
index_messages(void)
{
	return nmessages;
}
