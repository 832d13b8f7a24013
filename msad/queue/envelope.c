/*
 * The queue's blobs in the spool: the envelope of a message and the state of a
 * recipient. Used by msad-queue when it writes and at recovery. What is read
 * back is checked like anything else that comes from outside: the disk may
 * have been somebody else's. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "common/params.h"

#include "blob.h"
#include "envelope.h"

/* Octets that the envelope takes, or 0 when something is over its bound. */
static size_t
envelope_size(const struct envelope *e, const struct slice *rcpts,
    const struct slice *params, uint32_t n)
{
	const struct slice	*strings[] = { &e->user, &e->tenant, &e->auth,
		&e->mech, &e->relay, &e->sender, &e->msgid, &e->client };
	size_t			 size = 1 + 1 + 8 + 8 + 8 + 8 + 4 + 4, i;

	if (n == 0 || n > ENVELOPE_RCPTS_MAX || e->user.len == 0 ||
	    e->params.len > PARAMS_TEXT_MAX)
		return 0;
	size += 2 + e->params.len;
	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		if (strings[i]->len > ENVELOPE_STR_MAX)
			return 0;
		size += 2 + strings[i]->len;
	}
	for (i = 0; i < n; i++) {
		if (rcpts[i].len == 0 || rcpts[i].len > ENVELOPE_PATH_MAX)
			return 0;
		size += 2 + rcpts[i].len + 2;
		if (params == NULL)
			continue;
		if (params[i].len > PARAMS_TEXT_MAX)
			return 0;
		size += params[i].len;
	}
	return size;
}

uint8_t *
envelope_encode(const struct envelope *e, const struct slice *rcpts,
    const struct slice *params, uint32_t n, size_t *len)
{
	struct blob_writer	 w = { NULL, 0, 0 };
	uint32_t		 i;

	if ((w.size = envelope_size(e, rcpts, params, n)) == 0 ||
	    (w.p = malloc(w.size)) == NULL)
		return NULL;
	blob_put(&w, ENVELOPE_VERSION, 1);
	blob_put(&w, e->flags, 1);
	blob_put(&w, e->arrival, 8);
	blob_put(&w, e->not_before, 8);
	blob_put(&w, e->epoch, 8);
	blob_put(&w, e->sid, 8);
	blob_put(&w, e->header_len, 4);
	blob_put_str(&w, e->user);
	blob_put_str(&w, e->tenant);
	blob_put_str(&w, e->auth);
	blob_put_str(&w, e->mech);
	blob_put_str(&w, e->relay);
	blob_put_str(&w, e->sender);
	blob_put_str(&w, e->msgid);
	blob_put_str(&w, e->params);
	blob_put_str(&w, e->client);
	blob_put(&w, n, 4);
	for (i = 0; i < n; i++) {
		blob_put_str(&w, rcpts[i]);
		blob_put_str(&w, params != NULL ? params[i] : SLICE("", 0));
	}
	*len = w.len;
	return w.p;
}

static struct slice
get_params(struct blob_reader *r, uint8_t version)
{
	return version == 1 ? SLICE("", 0) : blob_get_str(r, PARAMS_TEXT_MAX);
}

/* Walk over the recipients once, so that later reading cannot fail. */
static int
check_rcpts(struct blob_reader r, uint8_t version, uint32_t n)
{
	struct rcpt_params	params;

	for (; n > 0 && !r.bad; n--)
		if (blob_get_str(&r, ENVELOPE_PATH_MAX).len == 0 ||
		    !params_rcpt_canonical(get_params(&r, version), &params))
			r.bad = 1;
	return r.bad || r.left > 0 ? -1 : 0;
}

int
envelope_decode(const void *p, size_t len, struct envelope *e)
{
	struct blob_reader	 r = { p, len, 0 };
	struct mail_params	 params;

	memset(e, 0, sizeof(*e));
	e->version = (uint8_t)blob_get(&r, 1);
	if (e->version == 0 || e->version > ENVELOPE_VERSION)
		return -1;
	e->flags = (uint8_t)blob_get(&r, 1);
	e->arrival = blob_get(&r, 8);
	if (e->version >= 3)
		e->not_before = blob_get(&r, 8);
	if (e->version >= 4) {
		e->epoch = blob_get(&r, 8);
		e->sid = blob_get(&r, 8);
	}
	e->header_len = (uint32_t)blob_get(&r, 4);
	e->user = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->tenant = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->auth = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->mech = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->relay = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->sender = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->msgid = blob_get_str(&r, ENVELOPE_STR_MAX);
	e->params = get_params(&r, e->version);
	e->client = e->version >= 4 ? blob_get_str(&r, ENVELOPE_STR_MAX) :
	    SLICE("", 0);
	e->nrcpts = (uint32_t)blob_get(&r, 4);
	if (r.bad || e->user.len == 0 || (e->flags & ~ENVELOPE_FLAGS) ||
	    !params_mail_canonical(e->params, &params) ||
	    e->nrcpts == 0 || e->nrcpts > ENVELOPE_RCPTS_MAX)
		return -1;
	e->rcpts = SLICE(r.p, r.left);
	return check_rcpts(r, e->version, e->nrcpts);
}

int
envelope_rcpt(struct envelope *e, struct slice *addr, struct slice *params)
{
	struct blob_reader	 r = { (const uint8_t *)e->rcpts.p,
		e->rcpts.len, 0 };

	if (r.left == 0)
		return 0;
	*addr = blob_get_str(&r, ENVELOPE_PATH_MAX);
	*params = get_params(&r, e->version);
	e->rcpts = SLICE(r.p, r.left);
	return !r.bad;
}

static struct slice
cut(struct slice s, size_t max)
{
	return s.len > max ? SLICE(s.p, max) : s;
}

size_t
rcpt_record_encode(const struct rcpt_record *s, uint8_t *buf)
{
	struct blob_writer	w = { buf, 0, RCPT_RECORD_MAX };

	blob_put(&w, RCPT_RECORD_VERSION, 1);
	blob_put(&w, s->status, 1);
	blob_put(&w, s->code, 2);
	blob_put(&w, s->tries, 4);
	blob_put(&w, s->next, 8);
	blob_put(&w, s->last, 8);
	blob_put(&w, s->flags, 1);
	blob_put_str(&w, cut(s->enhanced, 32));
	blob_put_str(&w, cut(s->remote, 255));
	blob_put_str(&w, cut(s->reply, RCPT_REPLY_MAX));
	return w.len;
}

int
rcpt_record_decode(const void *p, size_t len, struct rcpt_record *s)
{
	struct blob_reader	r = { p, len, 0 };
	uint8_t			version;

	memset(s, 0, sizeof(*s));
	version = (uint8_t)blob_get(&r, 1);
	if (version == 0 || version > RCPT_RECORD_VERSION)
		return -1;
	s->status = (uint8_t)blob_get(&r, 1);
	s->code = (uint16_t)blob_get(&r, 2);
	s->tries = (uint32_t)blob_get(&r, 4);
	s->next = blob_get(&r, 8);
	s->last = blob_get(&r, 8);
	s->flags = version == 1 ? 0 : (uint8_t)blob_get(&r, 1);
	s->enhanced = blob_get_str(&r, 32);
	s->remote = blob_get_str(&r, 255);
	s->reply = blob_get_str(&r, RCPT_REPLY_MAX);
	if (r.bad || r.left > 0 || (s->flags & ~RCPT_FLAGS) ||
	    (s->status != RCPT_WAITING &&
	    s->status != RCPT_DONE && s->status != RCPT_FAILED))
		return -1;
	return 0;
}

size_t
mark_record_encode(const struct mark_record *s, uint8_t *buf)
{
	struct blob_writer	w = { buf, 0, MARK_RECORD_MAX };

	blob_put(&w, MARK_RECORD_VERSION, 1);
	blob_put(&w, s->flags, 1);
	blob_put(&w, s->not_before, 8);
	blob_put_str(&w, cut(s->relay, ENVELOPE_STR_MAX));
	return w.len;
}

int
mark_record_decode(const void *p, size_t len, struct mark_record *s)
{
	struct blob_reader	r = { p, len, 0 };
	uint8_t			version = (uint8_t)blob_get(&r, 1);

	memset(s, 0, sizeof(*s));
	s->flags = MARK_RELEASED;
	s->relay = SLICE("", 0);
	if (version != 1)
		s->flags = (uint8_t)blob_get(&r, 1);
	s->not_before = blob_get(&r, 8);
	if (version != 1)
		s->relay = blob_get_str(&r, ENVELOPE_STR_MAX);
	return r.bad || r.left > 0 || version == 0 ||
	    version > MARK_RECORD_VERSION || (s->flags & ~MARK_FLAGS) ?
	    -1 : 0;
}
