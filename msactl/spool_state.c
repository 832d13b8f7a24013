/* links: msad/queue/rate_record.c msad/queue/history_record.c */
/* links: msad/queue/blob.c msad/queue/kept_record.c */
/*
 * What states in a spool say (msad-spool(5)), for "msactl spool dump": those of
 * recipients and messages, and the registers, which are of no message. Decoded
 * by the queue's own code; what it refuses is told as so many octets.
 */
#include <stdbool.h>

#include "common/slice.h"
#include "config.h"
#include "msactl/spool_state.h"
#include "msad/queue/envelope.h"
#include "msad/queue/history_record.h"
#include "msad/queue/kept_record.h"
#include "msad/queue/rate_record.h"
#include "msad/queue/rate_store.h"
#include "msad/queue/registers.h"
#include "msad/queue/spool.h"

#define PART		86400000	/* of which one used unit has so many */

json_t *
spool_text(struct slice t)
{
	json_t	*o = json_stringn(t.p, t.len);

	/* not UTF-8, or none at all: the spool may hold anything */
	return o != NULL ? o : json_string("?");
}

static void
put_number(json_t *o, const char *name, uint64_t n)
{
	json_object_set_new(o, name, json_integer((json_int_t)n));
}

static bool
put_rcpt(json_t *o, const struct record *r, const uint8_t *payload)
{
	static const char *const	names[] = { "waiting", "inflight",
		"done", "failed" };
	struct rcpt_record		 st;

	if (rcpt_record_decode(payload, r->len, &st) == -1)
		return false;
	json_object_set_new(o, "state", json_string(names[st.status]));
	put_number(o, "tries", st.tries);
	put_number(o, "last", st.last);
	put_number(o, "next", st.next);
	put_number(o, "code", st.code);
	json_object_set_new(o, "reply", spool_text(st.reply));
	return true;
}

/* What operators did to the message. */
static bool
put_mark(json_t *o, const struct record *r, const uint8_t *payload)
{
	struct mark_record	m;

	if (mark_record_decode(payload, r->len, &m) == -1)
		return false;
	json_object_set_new(o, "state", json_string(
	    m.flags & MARK_STOPPED ? "held" :
	    m.flags & MARK_RELEASED ? "released" : "steered"));
	if (m.flags & MARK_RELEASED)
		put_number(o, "not-before", m.not_before);
	if (m.relay.len > 0)
		json_object_set_new(o, "relay", spool_text(m.relay));
	return true;
}

/* What happened to the message. */
static bool
put_history(json_t *o, const struct record *r, const uint8_t *payload)
{
	struct history_record		 h;
	const struct history_event	*e;
	json_t				*events, *p;
	unsigned int			 i;

	if (history_record_decode(payload, r->len, &h) == -1)
		return false;
	json_object_set_new(o, "state", json_string("history"));
	put_number(o, "dropped", h.dropped);
	events = json_array();
	for (i = 0; i < h.n; i++) {
		e = &h.events[i];
		p = json_object();
		put_number(p, "time", e->time);
		json_object_set_new(p, "event", spool_text(e->event));
		json_object_set_new(p, "to", spool_text(e->rcpt));
		put_number(p, "more", e->more);
		json_object_set_new(p, "text", spool_text(e->text));
		json_array_append_new(events, p);
	}
	json_object_set_new(o, "events", events);
	return true;
}

/* What is used of a limit. */
static bool
put_rate(json_t *o, const struct record *r, const uint8_t *payload)
{
	static const char *const	names[RATE_KINDS] = {
		[RATE_CREDENTIAL] = "credential",
		[RATE_MESSAGES] = "messages",
		[RATE_RECIPIENTS] = "recipients",
		[RATE_BYTES] = "bytes",
		[RATE_TENANT_MESSAGES] = "tenant-messages",
		[RATE_TENANT_RECIPIENTS] = "tenant-recipients",
		[RATE_TENANT_BYTES] = "tenant-bytes" };
	struct rate_record		 rate;

	if (rate_record_decode(payload, r->len, &rate) == -1)
		return false;
	json_object_set_new(o, "state", json_string("limit"));
	json_object_set_new(o, "limit", names[rate.key.kind] == NULL ?
	    json_integer(rate.key.kind) : json_string(names[rate.key.kind]));
	json_object_set_new(o, rate.key.kind == RATE_CREDENTIAL ? "auth" :
	    "tenant", spool_text(SLICE_STR(rate.key.space)));
	json_object_set_new(o, "user", spool_text(SLICE_STR(rate.key.user)));
	if (rate.key.kind == RATE_CREDENTIAL)
		json_object_set_new(o, "label",
		    spool_text(SLICE_STR(rate.key.label)));
	put_number(o, "used", rate.parts / PART + (rate.parts % PART != 0));
	put_number(o, "of", rate.rate.n);
	put_number(o, "period", rate.rate.period);
	put_number(o, "time", rate.when / 1000);
	return true;
}

/* Who ordered something, and for how long. */
static void
put_order(json_t *o, uint32_t uid, uint64_t since, uint64_t until)
{
	put_number(o, "uid", uid);
	put_number(o, "since", since);
	put_number(o, "until", until);
}

static bool
put_pause(json_t *o, const struct record *r, const uint8_t *payload)
{
	struct pause_record	p;

	if (pause_record_decode(payload, r->len, &p) == -1)
		return false;
	json_object_set_new(o, "state", json_string("pause"));
	json_object_set_new(o, "what", json_string(pause_kind_name(p.kind)));
	json_object_set_new(o, "name", spool_text(p.name));
	put_order(o, p.uid, p.since, p.until);
	return true;
}

static bool
put_rule(json_t *o, const struct record *r, const uint8_t *payload)
{
	struct rule_record	rule;

	if (rule_record_decode(payload, r->len, &rule) == -1)
		return false;
	json_object_set_new(o, "state", json_string("rule"));
	put_number(o, "number", rule.number);
	json_object_set_new(o, "action",
	    json_string(rule_action_name(rule.action)));
	put_order(o, rule.uid, rule.since, rule.until);
	json_object_set_new(o, "reason", spool_text(rule.reason));
	json_object_set_new(o, "selection", spool_text(rule.selection));
	return true;
}

/* A record without octets takes back what its key had. */
static bool
put_register(json_t *o, const struct record *r, const uint8_t *payload)
{
	if (r->len == 0) {
		json_object_set_new(o, "state", json_string("none"));
		return true;
	}
	if (r->id >= RATE_REGISTER && r->id < RATE_REGISTER + RATE_REGISTERS)
		return put_rate(o, r, payload);
	if (r->id == REGISTER_PAUSES)
		return put_pause(o, r, payload);
	return r->id == REGISTER_RULES && put_rule(o, r, payload);
}

void
spool_state_put(json_t *o, const struct record *r, const uint8_t *payload)
{
	bool	known = false;

	put_number(o, "key", r->key);
	if (r->id < SPOOL_REGISTERS)
		known = put_register(o, r, payload);
	else if (r->key < ENVELOPE_RCPTS_MAX)
		known = put_rcpt(o, r, payload);
	else if (r->key == KEY_MESSAGE)
		known = put_mark(o, r, payload);
	else if (r->key == KEY_HISTORY)
		known = put_history(o, r, payload);
	if (!known)
		put_number(o, "octets", r->len);
}
