/*
 * Questions to the queue about rules for mail still to come, and about what is
 * paused. Runs in msad-control, called by question_queue.c, and by the channel
 * with the answers.
 */
#include <sys/types.h>

#include <jansson.h>
#include <string.h>

#include "common/ipc_types.h"
#include "msad/control/answer.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"

void
question_put_rule(struct ipc *ch, const struct request *req)
{
	if (req->cmd == REQUEST_RULE_REMOVE) {
		ipc_put_u32(ch, req->number);
		return;
	}
	ipc_put_u8(ch, req->what);
	ipc_put_u32(ch, req->seconds);
	ipc_put_str(ch, req->reason);
	ipc_put_str(ch, req->select);
}

void
question_put_pause(struct ipc *ch, const struct request *req)
{
	ipc_put_u8(ch, req->cmd == REQUEST_PAUSE);
	ipc_put_u8(ch, req->what);
	ipc_put_u32(ch, req->seconds);
	ipc_put_str(ch, req->name);
}

/* The terms of a selection, as they were given. */
static json_t *
terms(struct slice text)
{
	json_t		*list = json_array();
	struct slice	 line;
	const char	*lf;

	while (text.len > 0) {
		lf = memchr(text.p, '\n', text.len);
		line = text;
		if (lf != NULL)
			line.len = (size_t)(lf - text.p);
		json_array_append_new(list, answer_text(line));
		text = slice_from(text, line.len + (lf != NULL));
	}
	return list;
}

static json_t *
rule_read(struct ipc_reader *r)
{
	struct slice	 reason, selection;
	uint64_t	 since, met;
	uint32_t	 number, seconds, uid;
	uint8_t		 action;

	number = ipc_get_u32(r);
	action = ipc_get_u8(r);
	seconds = ipc_get_u32(r);
	uid = ipc_get_u32(r);
	since = ipc_get_u64(r);
	met = ipc_get_u64(r);
	reason = ipc_get_str(r);
	selection = ipc_get_str(r);
	if (action != RULE_HOLD && action != RULE_REJECT)
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	return json_pack("{sIsssIsIsosososo}", "number", (json_int_t)number,
	    "action", action == RULE_HOLD ? "hold" : "reject",
	    "seconds", (json_int_t)seconds, "uid", (json_int_t)uid,
	    "since", answer_number(since), "messages", answer_number(met),
	    "reason", answer_text(reason), "select", terms(selection));
}

int
question_rule(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	json_t			*line;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	line = rule_read(&r);
	return question_line(msg, &r, line);
}

static json_t *
pause_read(struct ipc_reader *r)
{
	static const char *const kinds[PAUSE_KINDS] = { "accept", "relay",
		"domain", "tenant" };
	struct slice	 name;
	uint64_t	 since;
	uint32_t	 seconds, uid;
	uint8_t		 kind;

	kind = ipc_get_u8(r);
	seconds = ipc_get_u32(r);
	uid = ipc_get_u32(r);
	since = ipc_get_u64(r);
	name = ipc_get_str(r);
	if (kind >= PAUSE_KINDS)
		r->bad = 1;
	if (!ipc_done(r))
		return NULL;
	return json_pack("{sssosIsIso}", "what", kinds[kind],
	    "name", answer_text(name), "seconds", (json_int_t)seconds,
	    "uid", (json_int_t)uid, "since", answer_number(since));
}

int
question_paused(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	json_t			*line;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	line = pause_read(&r);
	return question_line(msg, &r, line);
}
