/*
 * The history of a message as octets in the spool: version, number of events
 * that are not kept any more, number of those that are, and of each time,
 * number of other recipients, and the strings event, recipient, text. Used by
 * msad-queue (history.c). What is read back is checked: the disk may have been
 * somebody else's. Pure.
 */
#include <string.h>

#include "blob.h"
#include "history_record.h"

#define HEAD	(1 + 4 + 1)

static struct slice
cut(struct slice s, size_t max)
{
	return s.len > max ? SLICE(s.p, max) : s;
}

static void
drop(struct history_record *r, unsigned int n)
{
	memmove(r->events, r->events + n, (r->n - n) * sizeof(r->events[0]));
	r->n -= n;
	r->dropped += n;
}

void
history_record_add(struct history_record *r, const struct history_event *e)
{
	if (r->n == HISTORY_EVENTS_MAX)
		drop(r, 1);
	r->events[r->n++] = (struct history_event){ .time = e->time,
		.more = e->more, .event = cut(e->event, HISTORY_WORD_MAX),
		.rcpt = cut(e->rcpt, HISTORY_RCPT_MAX),
		.text = cut(e->text, HISTORY_TEXT_MAX) };
}

static size_t
event_size(const struct history_event *e)
{
	return 8 + 2 + 3 * 2 + e->event.len + e->rcpt.len + e->text.len;
}

/* How many of the oldest must go, that the rest fit. */
static unsigned int
surplus(const struct history_record *r)
{
	size_t		size = HEAD;
	unsigned int	i;

	for (i = r->n; i > 0; i--)
		if ((size += event_size(&r->events[i - 1])) >
		    HISTORY_RECORD_MAX)
			break;
	return i;
}

size_t
history_record_encode(struct history_record *r, uint8_t *buf)
{
	struct blob_writer		 w = { buf, 0, HISTORY_RECORD_MAX };
	const struct history_event	*e;
	unsigned int			 i;

	drop(r, surplus(r));
	blob_put(&w, HISTORY_RECORD_VERSION, 1);
	blob_put(&w, r->dropped, 4);
	blob_put(&w, r->n, 1);
	for (i = 0; i < r->n; i++) {
		e = &r->events[i];
		blob_put(&w, e->time, 8);
		blob_put(&w, e->more, 2);
		blob_put_str(&w, e->event);
		blob_put_str(&w, e->rcpt);
		blob_put_str(&w, e->text);
	}
	return w.len;
}

int
history_record_decode(const void *p, size_t len, struct history_record *r)
{
	struct blob_reader	 in = { p, len, 0 };
	struct history_event	*e;
	uint64_t		 version, n;

	r->n = 0;
	version = blob_get(&in, 1);
	r->dropped = (uint32_t)blob_get(&in, 4);
	n = blob_get(&in, 1);
	if (version != HISTORY_RECORD_VERSION || n > HISTORY_EVENTS_MAX ||
	    len > HISTORY_RECORD_MAX)
		return -1;
	for (; r->n < n && !in.bad; r->n++) {
		e = &r->events[r->n];
		e->time = blob_get(&in, 8);
		e->more = (uint16_t)blob_get(&in, 2);
		e->event = blob_get_str(&in, HISTORY_WORD_MAX);
		e->rcpt = blob_get_str(&in, HISTORY_RCPT_MAX);
		e->text = blob_get_str(&in, HISTORY_TEXT_MAX);
	}
	return blob_end(&in);
}
