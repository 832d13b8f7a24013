/*
 * Answers of the queue that are sums: what is used of limits, the summary of
 * the queue, ages. Runs in msad-control, called by the channel and by
 * question_queue.c.
 */
#include <sys/types.h>

#include <jansson.h>

#include "common/ipc_types.h"
#include "msad/control/answer.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"

/* More relays than this no configuration names. */
#define RELAYS_MAX	4096

/* --- limits --- */

static json_t *
limit_read(struct ipc_reader *r)
{
	static const char *const kinds[] = {
		NULL, "credential", "messages", "recipients", "bytes",
		"tenant-messages", "tenant-recipients", "tenant-bytes"
	};
	struct slice	 space, user, label;
	uint64_t	 used, limit, wait;
	uint32_t	 period;
	uint8_t		 kind;
	bool		 credential;

	kind = ipc_get_u8(r);
	space = ipc_get_str(r);
	user = ipc_get_str(r);
	label = ipc_get_str(r);
	used = ipc_get_u64(r);
	limit = ipc_get_u64(r);
	period = ipc_get_u32(r);
	wait = ipc_get_u64(r);
	if (kind == 0 || kind >= sizeof(kinds) / sizeof(kinds[0]))
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	credential = kind == 1;
	return json_pack("{sosososssososIso}", "user", answer_text(user),
	    "tenant", answer_text(credential ? SLICE("", 0) : space),
	    "label", answer_text(label), "limit", kinds[kind],
	    "used", answer_number(used), "max", answer_number(limit),
	    "period", (json_int_t)period, "wait", answer_number(wait));
}

int
question_limit(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	json_t			*line;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	line = limit_read(&r);
	return question_line(msg, &r, line);
}

/* --- summary --- */

int
question_total(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	static const char *const names[] = { "messages", "recipients",
		"octets", "inflight", "held", "future", "oldest" };
	struct ipc_reader	 r;
	json_t			*line = json_object();
	size_t			 i;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set_new(line, names[i],
		    answer_number(ipc_get_u64(&r)));
	json_object_set_new(line, "paused", json_boolean(ipc_get_u8(&r)));
	return question_line(msg, &r, line);
}

static json_t *
group_read(struct ipc_reader *r, uint8_t by)
{
	static const char *const names[GROUP_KEYS] = { "relay", "tenant",
		"user", "domain", "from" };
	struct slice	 name, why;
	uint64_t	 messages, next;
	uint32_t	 inflight;
	uint8_t		 flags;

	name = ipc_get_str(r);
	messages = ipc_get_u64(r);
	inflight = ipc_get_u32(r);
	flags = ipc_get_u8(r);
	next = ipc_get_u64(r);
	why = ipc_get_str(r);
	if (!ipc_done(r) || by >= GROUP_KEYS)
		return NULL;
	if (by != GROUP_RELAY)
		return json_pack("{sssoso}", "by", names[by],
		    "name", answer_text(name),
		    "messages", answer_number(messages));
	return json_pack("{sssososIsbsbsbsoso}", "by", names[by],
	    "name", answer_text(name), "messages", answer_number(messages),
	    "inflight", (json_int_t)inflight,
	    "down", (flags & GROUP_DOWN) != 0,
	    "paused", (flags & GROUP_PAUSED) != 0,
	    "unknown", (flags & GROUP_UNKNOWN) != 0,
	    "next", answer_number(next), "last", answer_text(why));
}

int
question_group(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	json_t			*line;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	line = group_read(&r, c != NULL ? c->question.req.what : 0);
	return question_line(msg, &r, line);
}

/* --- ages --- */

/* Add a page's numbers of a relay to those of the pages before. */
static void
ages_add(json_t *ages, struct slice relay, const uint32_t *n)
{
	json_t		*name = answer_text(relay), *sums;
	const char	*key = json_string_value(name);
	unsigned int	 i;

	if (key != NULL && json_object_get(ages, key) == NULL &&
	    json_object_size(ages) < RELAYS_MAX)
		json_object_set_new(ages, key, json_array());
	sums = key != NULL ? json_object_get(ages, key) : NULL;
	for (i = 0; sums != NULL && i < AGE_BUCKETS; i++) {
		if (json_array_size(sums) == i)
			json_array_append_new(sums, json_integer(0));
		json_array_set_new(sums, i, json_integer(n[i] +
		    json_integer_value(json_array_get(sums, i))));
	}
	json_decref(name);
}

int
question_ages(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	struct slice		 relay;
	uint32_t		 n[AGE_BUCKETS];
	unsigned int		 i;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	relay = ipc_get_str(&r);
	for (i = 0; i < AGE_BUCKETS; i++)
		n[i] = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (c != NULL && c->question.ages != NULL)
		ages_add(c->question.ages, relay, n);
	return 0;
}

void
question_ages_end(struct client *c)
{
	const char	*name;
	json_int_t	 messages;
	json_t		*sums, *value;
	size_t		 i;

	json_object_foreach(c->question.ages, name, sums) {
		messages = 0;
		json_array_foreach(sums, i, value)
			messages += json_integer_value(value);
		client_line(c, json_pack("{sssIsO}", "relay", name,
		    "messages", messages, "ages", sums));
	}
}
