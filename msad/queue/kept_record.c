/*
 * The records of pauses and rules. Used by pause.c and rules.c in msad-queue,
 * and by msactl, which shows what a spool holds. What is read is checked like
 * anything from outside. Pure.
 */
#include <string.h>

#include "blob.h"
#include "kept_record.h"

/* --- pauses --- */

static const char *const names[PAUSE_KINDS] = { "accept", "relay", "domain",
	"tenant" };

const char *
pause_kind_name(enum pause_kind kind)
{
	return (unsigned int)kind < PAUSE_KINDS ? names[kind] : "";
}

size_t
pause_record_encode(const struct pause_record *r, uint8_t *buf)
{
	struct blob_writer	w = { buf, 0, PAUSE_RECORD_MAX };

	blob_put(&w, PAUSE_RECORD_VERSION, 1);
	blob_put(&w, r->kind, 1);
	blob_put(&w, r->uid, 4);
	blob_put(&w, r->since, 8);
	blob_put(&w, r->until, 8);
	blob_put_str(&w, r->name);
	return w.len;
}

/* Only to a relay and to acceptance no name is a name. */
bool
pause_name_ok(enum pause_kind kind, struct slice name)
{
	size_t	i;

	for (i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return false;
	return kind == PAUSE_ACCEPT ? name.len == 0 :
	    kind == PAUSE_RELAY || name.len > 0;
}

int
pause_record_decode(const void *p, size_t len, struct pause_record *r)
{
	struct blob_reader	in = { p, len, 0 };
	uint64_t		version, kind;

	memset(r, 0, sizeof(*r));
	version = blob_get(&in, 1);
	kind = blob_get(&in, 1);
	r->uid = (uint32_t)blob_get(&in, 4);
	r->since = blob_get(&in, 8);
	r->until = blob_get(&in, 8);
	r->name = blob_get_str(&in, PAUSE_NAME_MAX);
	if (blob_end(&in) == -1 || version != PAUSE_RECORD_VERSION ||
	    kind >= PAUSE_KINDS)
		return -1;
	r->kind = (enum pause_kind)kind;
	return pause_name_ok(r->kind, r->name) ? 0 : -1;
}

/* --- rules --- */

size_t
rule_record_encode(const struct rule_record *r, uint8_t *buf)
{
	struct blob_writer	w = { buf, 0, RULE_RECORD_MAX };

	blob_put(&w, RULE_RECORD_VERSION, 1);
	blob_put(&w, r->action, 1);
	blob_put(&w, r->number, 4);
	blob_put(&w, r->uid, 4);
	blob_put(&w, r->since, 8);
	blob_put(&w, r->until, 8);
	blob_put_str(&w, r->reason);
	blob_put_str(&w, r->selection);
	return w.len;
}

bool
rule_reason_ok(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.len <= RULE_REASON_MAX;
}

int
rule_record_decode(const void *p, size_t len, struct rule_record *r)
{
	struct blob_reader	in = { p, len, 0 };
	uint64_t		version, action;

	memset(r, 0, sizeof(*r));
	version = blob_get(&in, 1);
	action = blob_get(&in, 1);
	r->number = (uint32_t)blob_get(&in, 4);
	r->uid = (uint32_t)blob_get(&in, 4);
	r->since = blob_get(&in, 8);
	r->until = blob_get(&in, 8);
	r->reason = blob_get_str(&in, RULE_REASON_MAX);
	r->selection = blob_get_str(&in, SELECTION_TEXT_MAX);
	if (blob_end(&in) == -1 || version != RULE_RECORD_VERSION ||
	    (action != RULE_HOLD && action != RULE_REJECT) ||
	    r->number == 0 || r->selection.len == 0 ||
	    !rule_reason_ok(r->reason))
		return -1;
	r->action = (enum rule_action)action;
	return 0;
}

const char *
rule_action_name(enum rule_action action)
{
	return action == RULE_HOLD ? "hold" : "reject";
}
