/*
 * The queue's blobs in the spool: the envelope of a message and the state of a
 * recipient. Used by msad-queue when it writes and at recovery. What is read
 * back is checked like anything else that comes from outside: the disk may
 * have been somebody else's. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "common/params.h"

#include "envelope.h"

struct writer {
	uint8_t	*p;
	size_t	 len;
};

struct reader {
	const uint8_t	*p;
	size_t		 left;
	int		 bad;
};

static void
put_number(struct writer *w, uint64_t v, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		w->p[w->len + i] = (uint8_t)(v >> 8 * (n - 1 - i));
	w->len += n;
}

static void
put_str(struct writer *w, struct slice s)
{
	put_number(w, s.len, 2);
	if (s.len > 0)
		memcpy(w->p + w->len, s.p, s.len);
	w->len += s.len;
}

static uint64_t
get_number(struct reader *r, size_t n)
{
	uint64_t	v = 0;

	if (r->bad || r->left < n) {
		r->bad = 1;
		return 0;
	}
	r->left -= n;
	while (n-- > 0)
		v = v << 8 | *r->p++;
	return v;
}

static struct slice
get_str(struct reader *r, size_t max)
{
	size_t		 n = (size_t)get_number(r, 2);
	struct slice	 s;

	if (r->bad || n > max || n > r->left ||
	    (n > 0 && memchr(r->p, '\0', n) != NULL)) {
		r->bad = 1;
		return SLICE("", 0);
	}
	s = SLICE(r->p, n);
	r->p += n;
	r->left -= n;
	return s;
}

/* Octets that the envelope takes, or 0 when something is over its bound. */
static size_t
envelope_size(const struct envelope *e, const struct slice *rcpts,
    const struct slice *params, uint32_t n)
{
	const struct slice	*strings[] = { &e->user, &e->tenant, &e->auth,
		&e->mech, &e->relay, &e->sender, &e->msgid };
	size_t			 size = 1 + 1 + 8 + 8 + 4 + 4, i;

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
	struct writer	 w = { NULL, 0 };
	size_t		 size;
	uint32_t	 i;

	if ((size = envelope_size(e, rcpts, params, n)) == 0 ||
	    (w.p = malloc(size)) == NULL)
		return NULL;
	put_number(&w, ENVELOPE_VERSION, 1);
	put_number(&w, e->flags, 1);
	put_number(&w, e->arrival, 8);
	put_number(&w, e->not_before, 8);
	put_number(&w, e->header_len, 4);
	put_str(&w, e->user);
	put_str(&w, e->tenant);
	put_str(&w, e->auth);
	put_str(&w, e->mech);
	put_str(&w, e->relay);
	put_str(&w, e->sender);
	put_str(&w, e->msgid);
	put_str(&w, e->params);
	put_number(&w, n, 4);
	for (i = 0; i < n; i++) {
		put_str(&w, rcpts[i]);
		put_str(&w, params != NULL ? params[i] : SLICE("", 0));
	}
	*len = w.len;
	return w.p;
}

static struct slice
get_params(struct reader *r, uint8_t version)
{
	return version == 1 ? SLICE("", 0) : get_str(r, PARAMS_TEXT_MAX);
}

/* Walk over the recipients once, so that later reading cannot fail. */
static int
check_rcpts(struct reader r, uint8_t version, uint32_t n)
{
	struct rcpt_params	params;

	for (; n > 0 && !r.bad; n--)
		if (get_str(&r, ENVELOPE_PATH_MAX).len == 0 ||
		    !params_rcpt_canonical(get_params(&r, version), &params))
			r.bad = 1;
	return r.bad || r.left > 0 ? -1 : 0;
}

int
envelope_decode(const void *p, size_t len, struct envelope *e)
{
	struct reader		 r = { p, len, 0 };
	struct mail_params	 params;

	memset(e, 0, sizeof(*e));
	e->version = (uint8_t)get_number(&r, 1);
	if (e->version == 0 || e->version > ENVELOPE_VERSION)
		return -1;
	e->flags = (uint8_t)get_number(&r, 1);
	e->arrival = get_number(&r, 8);
	if (e->version >= 3)
		e->not_before = get_number(&r, 8);
	e->header_len = (uint32_t)get_number(&r, 4);
	e->user = get_str(&r, ENVELOPE_STR_MAX);
	e->tenant = get_str(&r, ENVELOPE_STR_MAX);
	e->auth = get_str(&r, ENVELOPE_STR_MAX);
	e->mech = get_str(&r, ENVELOPE_STR_MAX);
	e->relay = get_str(&r, ENVELOPE_STR_MAX);
	e->sender = get_str(&r, ENVELOPE_STR_MAX);
	e->msgid = get_str(&r, ENVELOPE_STR_MAX);
	e->params = get_params(&r, e->version);
	e->nrcpts = (uint32_t)get_number(&r, 4);
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
	struct reader	 r = { (const uint8_t *)e->rcpts.p, e->rcpts.len, 0 };

	if (r.left == 0)
		return 0;
	*addr = get_str(&r, ENVELOPE_PATH_MAX);
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
	struct writer	w = { buf, 0 };

	put_number(&w, RCPT_RECORD_VERSION, 1);
	put_number(&w, s->status, 1);
	put_number(&w, s->code, 2);
	put_number(&w, s->tries, 4);
	put_number(&w, s->next, 8);
	put_number(&w, s->last, 8);
	put_number(&w, s->flags, 1);
	put_str(&w, cut(s->enhanced, 32));
	put_str(&w, cut(s->remote, 255));
	put_str(&w, cut(s->reply, RCPT_REPLY_MAX));
	return w.len;
}

int
rcpt_record_decode(const void *p, size_t len, struct rcpt_record *s)
{
	struct reader	r = { p, len, 0 };
	uint8_t		version;

	memset(s, 0, sizeof(*s));
	version = (uint8_t)get_number(&r, 1);
	if (version == 0 || version > RCPT_RECORD_VERSION)
		return -1;
	s->status = (uint8_t)get_number(&r, 1);
	s->code = (uint16_t)get_number(&r, 2);
	s->tries = (uint32_t)get_number(&r, 4);
	s->next = get_number(&r, 8);
	s->last = get_number(&r, 8);
	s->flags = version == 1 ? 0 : (uint8_t)get_number(&r, 1);
	s->enhanced = get_str(&r, 32);
	s->remote = get_str(&r, 255);
	s->reply = get_str(&r, RCPT_REPLY_MAX);
	if (r.bad || r.left > 0 || (s->flags & ~RCPT_FLAGS) ||
	    (s->status != RCPT_WAITING &&
	    s->status != RCPT_DONE && s->status != RCPT_FAILED))
		return -1;
	return 0;
}

void
release_record_encode(uint64_t when, uint8_t *buf)
{
	struct writer	w = { buf, 0 };

	put_number(&w, 1, 1);
	put_number(&w, when, 8);
}

int
release_record_decode(const void *p, size_t len, uint64_t *when)
{
	struct reader	r = { p, len, 0 };
	uint8_t		version = (uint8_t)get_number(&r, 1);

	*when = get_number(&r, 8);
	return r.bad || r.left > 0 || version != 1 ? -1 : 0;
}
