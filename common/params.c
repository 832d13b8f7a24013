/*
 * The ESMTP parameters of MAIL and RCPT: one parser for the front-end, which
 * reads what clients write, and for queue and relay, which read the canonical
 * text again and believe nothing. Table of keywords; each value has a function
 * that says whether it is good. Pure: slices point into the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/address.h"
#include "common/mailbox.h"
#include "common/orcpt.h"
#include "common/params.h"
#include "common/xtext.h"

struct param {
	struct slice	 name;
	struct slice	 value;
	bool		 has_value;
};

/* keyword = (letter or digit) then letters, digits and hyphens. */
static bool
keyword_ok(struct slice s)
{
	size_t		 i;
	unsigned char	 c;

	for (i = 0; i < s.len; i++) {
		c = (unsigned char)s.p[i] | 0x20;
		if (!(c >= 'a' && c <= 'z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    (i == 0 || s.p[i] != '-'))
			return false;
	}
	return s.len > 0;
}

/*
 * The next parameter of *s. 1: there is one, 0: no more, -1: not of the
 * grammar of RFC 5321 section 4.1.2. Octets above 127 are let through in
 * values; keyword and value say no to them.
 */
static int
param_next(struct slice *s, struct param *p)
{
	const char	*eq;
	size_t		 n, i;

	for (i = 0; i < s->len && s->p[i] == ' '; i++)
		;
	if (i == s->len)
		return 0;
	*s = slice_from(*s, i);
	for (n = 0; n < s->len && s->p[n] != ' '; n++)
		if ((unsigned char)s->p[n] < 33 || s->p[n] == 127)
			return -1;
	p->name = SLICE(s->p, n);
	eq = memchr(s->p, '=', n);
	p->has_value = eq != NULL;
	if (eq != NULL) {
		p->name.len = (size_t)(eq - s->p);
		p->value = SLICE(eq + 1, n - p->name.len - 1);
	} else
		p->value = SLICE(s->p + n, 0);
	*s = slice_from(*s, n);
	return keyword_ok(p->name) ? 1 : -1;
}

/* Digits alone, min to max of them. */
static bool
number(struct slice s, size_t min, size_t max, uint64_t *v)
{
	unsigned int	d;
	size_t		i;

	*v = 0;
	if (s.len < min || s.len > max)
		return false;
	for (i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		d = (unsigned int)(s.p[i] - '0');
		if (*v > (UINT64_MAX - d) / 10)
			*v = UINT64_MAX;
		else if (*v != UINT64_MAX)
			*v = *v * 10 + d;
	}
	return true;
}

/* --- the values of MAIL --- */

/* RFC 1870 section 4: 1 to 20 digits. */
static bool
take_size(const struct param *p, struct mail_params *m)
{
	m->has_size = true;
	return number(p->value, 1, 20, &m->size);
}

static bool
take_body(const struct param *p, struct mail_params *m)
{
	m->has_body = true;
	if (slice_is_nocase(p->value, "8BITMIME"))
		m->body = PARAMS_8BITMIME;
	else if (slice_is_nocase(p->value, "BINARYMIME"))
		m->body = PARAMS_BINARYMIME;
	else
		return slice_is_nocase(p->value, "7BIT");
	return true;
}

/*
 * RFC 4954 section 5: AUTH=<> or AUTH= a mailbox in xtext; ignored. It may
 * hold UTF-8 where SMTPUTF8 is offered.
 */
static bool
take_auth(const struct param *p, struct mail_params *m)
{
	struct address	a;
	char		buf[321];
	int		n;

	(void)m;
	if (slice_is(p->value, "<>"))
		return true;
	n = xtext_decode_utf8(p->value, buf, sizeof(buf));
	return n > 0 && address_parse_utf8(SLICE(buf, (size_t)n), &a) ==
	    ADDRESS_OK;
}

static bool
take_smtputf8(const struct param *p, struct mail_params *m)
{
	m->smtputf8 = true;
	return !p->has_value;
}

static bool
take_ret(const struct param *p, struct mail_params *m)
{
	if (slice_is_nocase(p->value, "FULL"))
		m->ret = PARAMS_RET_FULL;
	else if (slice_is_nocase(p->value, "HDRS"))
		m->ret = PARAMS_RET_HDRS;
	else
		return false;
	m->ret_text = p->value;
	return true;
}

static bool
take_envid(const struct param *p, struct mail_params *m)
{
	m->envid = p->value;
	return p->value.len > 0 && p->value.len <= PARAMS_ENVID_MAX &&
	    xtext_ok(p->value);
}

/* RFC 2852 section 4: [+-] 1 to 9 digits ; R or N [T]. */
static bool
take_by(const struct param *p, struct mail_params *m)
{
	struct slice	 s = p->value, digits;
	const char	*semi;
	uint64_t	 v;
	bool		 minus = s.len > 0 && s.p[0] == '-';

	if (minus || (s.len > 0 && s.p[0] == '+'))
		s = slice_from(s, 1);
	if (s.len == 0 || (semi = memchr(s.p, ';', s.len)) == NULL)
		return false;
	digits = SLICE(s.p, (size_t)(semi - s.p));
	s = slice_from(s, digits.len + 1);
	if (!number(digits, 1, 9, &v) || s.len < 1 || s.len > 2 ||
	    (s.len == 2 && (s.p[1] | 0x20) != 't') ||
	    ((s.p[0] | 0x20) != 'r' && (s.p[0] | 0x20) != 'n'))
		return false;
	m->has_by = true;
	m->by = minus ? -(int32_t)v : (int32_t)v;
	m->by_return = (s.p[0] | 0x20) == 'r';
	m->by_trace = s.len == 2;
	return !m->by_return || m->by > 0;
}

static bool
take_holdfor(const struct param *p, struct mail_params *m)
{
	uint64_t	v;

	if (!number(p->value, 1, 9, &v) || v == 0 || m->holduntil.p != NULL)
		return false;
	m->holdfor = (uint32_t)v;
	return true;
}

/* The number in n digits at off; -1: something else is there. */
static int
digits_at(struct slice s, size_t off, size_t n)
{
	uint64_t	v;

	if (off + n > s.len || !number(SLICE(s.p + off, n), n, n, &v))
		return -1;
	return (int)v;
}

/* RFC 3339 in UTC: 2026-12-31T23:59:59[.fraction]Z. */
static bool
take_holduntil(const struct param *p, struct mail_params *m)
{
	static const char	shape[] = "    -  -  T  :  :  ";
	struct slice		s = p->value;
	struct tm		tm, back;
	time_t			t;
	uint64_t		v = 0;
	size_t			i;

	if (s.len < 20 || s.len > PARAMS_VALUE_MAX || m->holdfor != 0 ||
	    (s.p[s.len - 1] | 0x20) != 'z')
		return false;
	for (i = 0; i < 19; i++)
		if (shape[i] != ' ' && s.p[i] != shape[i] &&
		    !(shape[i] == 'T' && s.p[i] == 't'))
			return false;
	if (s.len > 20 && (s.p[19] != '.' ||
	    !number(SLICE(s.p + 20, s.len - 21), 1, PARAMS_VALUE_MAX, &v)))
		return false;
	memset(&tm, 0, sizeof(tm));
	tm.tm_year = digits_at(s, 0, 4) - 1900;
	tm.tm_mon = digits_at(s, 5, 2) - 1;
	tm.tm_mday = digits_at(s, 8, 2);
	tm.tm_hour = digits_at(s, 11, 2);
	tm.tm_min = digits_at(s, 14, 2);
	tm.tm_sec = digits_at(s, 17, 2);
	if (tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mon > 11 ||
	    tm.tm_mday < 1 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
	    tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 ||
	    tm.tm_sec > 60)
		return false;
	back = tm;
	back.tm_sec = 0;
	/* A day that its month does not have becomes another one. */
	t = timegm(&back);
	if (back.tm_mday != tm.tm_mday)
		return false;
	m->holduntil = s;
	/* Not before that time: a fraction is rounded up. */
	m->holduntil_time = (int64_t)t + tm.tm_sec + (v > 0);
	return true;
}

/* RFC 6710 section 4.1: "0", or a digit 1 to 9 with a minus at most. */
static bool
take_priority(const struct param *p, struct mail_params *m)
{
	struct slice	s = p->value;
	bool		minus = s.len == 2 && s.p[0] == '-';

	if (minus)
		s = slice_from(s, 1);
	if (s.len != 1 || s.p[0] < (minus ? '1' : '0') || s.p[0] > '9')
		return false;
	m->has_priority = true;
	m->priority = minus ? '0' - s.p[0] : s.p[0] - '0';
	return true;
}

static bool
take_requiretls(const struct param *p, struct mail_params *m)
{
	m->requiretls = true;
	return !p->has_value;
}

struct keyword {
	const char		*name;
	unsigned int		 extension;
	bool			(*take)(const struct param *,
				    struct mail_params *);
	enum params_verdict	 bad;
};

static const struct keyword mail_keywords[] = {
	{ "SIZE", EXT_SIZE, take_size, PARAMS_BAD },
	{ "BODY", EXT_8BITMIME | EXT_BINARYMIME, take_body, PARAMS_BAD },
	{ "AUTH", EXT_AUTH, take_auth, PARAMS_BAD },
	{ "SMTPUTF8", EXT_SMTPUTF8, take_smtputf8, PARAMS_BAD },
	{ "RET", EXT_DSN, take_ret, PARAMS_BAD },
	{ "ENVID", EXT_DSN, take_envid, PARAMS_BAD },
	{ "BY", EXT_DELIVERBY, take_by, PARAMS_BAD },
	{ "HOLDFOR", EXT_FUTURERELEASE, take_holdfor, PARAMS_BAD },
	{ "HOLDUNTIL", EXT_FUTURERELEASE, take_holduntil, PARAMS_BAD },
	{ "MT-PRIORITY", EXT_MT_PRIORITY, take_priority,
	    PARAMS_BAD_PRIORITY },
	{ "REQUIRETLS", EXT_REQUIRETLS, take_requiretls, PARAMS_BAD },
};
#define MAIL_KEYWORDS	(sizeof(mail_keywords) / sizeof(mail_keywords[0]))

static enum params_verdict
mail_param(const struct param *p, unsigned int extensions,
    struct mail_params *m, unsigned int *seen)
{
	const struct keyword	*k;
	unsigned int		 i;

	for (i = 0; i < MAIL_KEYWORDS; i++)
		if (slice_is_nocase(p->name, mail_keywords[i].name))
			break;
	k = &mail_keywords[i];
	if (i == MAIL_KEYWORDS || (k->extension & extensions) == 0)
		return PARAMS_UNKNOWN;
	if (!orcpt_is_ascii(p->value) || !k->take(p, m) ||
	    (*seen & 1U << i))
		return k->bad;
	if (m->body == PARAMS_BINARYMIME && !(extensions & EXT_BINARYMIME))
		return PARAMS_BAD;
	*seen |= 1U << i;
	return PARAMS_OK;
}

enum params_verdict
params_mail(struct slice text, unsigned int extensions,
    struct mail_params *m)
{
	struct param		p;
	enum params_verdict	v;
	unsigned int		seen = 0;
	int			n;

	memset(m, 0, sizeof(*m));
	while ((n = param_next(&text, &p)) == 1)
		if ((v = mail_param(&p, extensions, m, &seen)) != PARAMS_OK)
			return v;
	return n == 0 ? PARAMS_OK : PARAMS_BAD;
}

/* --- the values of RCPT --- */

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static bool
take_notify(struct slice s, struct rcpt_params *r)
{
	static const char *const	names[] = { "NEVER", "SUCCESS",
		"FAILURE", "DELAY" };
	struct slice			word;
	const char			*comma;
	unsigned int			i;

	r->notify_text = s;
	if (s.len > PARAMS_VALUE_MAX)
		return false;
	for (;;) {
		comma = s.len == 0 ? NULL : memchr(s.p, ',', s.len);
		word = SLICE(s.p, comma == NULL ? s.len :
		    (size_t)(comma - s.p));
		for (i = 0; i < 4 && !slice_is_nocase(word, names[i]); i++)
			;
		if (i == 4)
			return false;
		r->notify |= 1U << i;
		if (comma == NULL)
			break;
		s = slice_from(s, word.len + 1);
	}
	return !(r->notify & NOTIFY_NEVER) ||
	    slice_is_nocase(r->notify_text, "NEVER");
}

/* Printable ASCII that RFC 5321 allows in an atom. */
static bool
atom_ok(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] < 33 || s.p[i] > 126 ||
		    strchr("()<>[]:;@\\,.\"", s.p[i]) != NULL)
			return false;
	return s.len > 0;
}

/*
 * Octets of the escape "\x{HEX}" that s begins with (RFC 6533 section 3), 0
 * when it is none, or stands for a control or for what is no character.
 */
static size_t
escape_len(struct slice s)
{
	static const char	digits[] = "0123456789ABCDEFabcdef";
	unsigned long		c;
	size_t			n;

	if (s.len < 6 || memcmp(s.p, "\\x{", 3) != 0)
		return 0;
	for (n = 3; n < s.len && n < 10 && s.p[n] != '}'; n++)
		if (s.p[n] == '\0' || strchr(digits, s.p[n]) == NULL)
			return 0;
	if (n < 5 || n == s.len || s.p[n] != '}' ||
	    (s.p[3] == '0' && n > 5))
		return 0;
	c = strtoul(s.p + 3, NULL, 16);
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	/* Of ASCII only what cannot stand for itself. */
	if (c < 0x7f && c != ' ' && c != '+' && c != '=' && c != '\\')
		return 0;
	return n + 1;
}

/* RFC 6533 section 3: what follows "utf-8;". */
static bool
utf8_addr_ok(struct slice s, bool eightbit)
{
	size_t		i = 0, n;
	unsigned char	c;

	if (s.len == 0 || !mailbox_utf8_ok(s))
		return false;
	for (; i < s.len; i += n) {
		c = (unsigned char)s.p[i];
		n = 1;
		if (c == '\\') {
			if ((n = escape_len(slice_from(s, i))) == 0)
				return false;
		} else if (c < 33 || c == 127 || c == '+' || c == '=' ||
		    (c > 127 && !eightbit))
			return false;
	}
	return true;
}

/* RFC 3461 section 4.2: address type, ";", xtext; or RFC 6533 section 3. */
static bool
take_orcpt(struct slice s, bool eightbit, struct rcpt_params *r)
{
	const char	*semi = s.len == 0 ? NULL : memchr(s.p, ';', s.len);
	struct slice	 type;

	r->orcpt = s;
	if (semi == NULL || s.len > PARAMS_ESCAPED_MAX)
		return false;
	type = SLICE(s.p, (size_t)(semi - s.p));
	if (orcpt_is_utf8(s))
		return utf8_addr_ok(slice_from(s, type.len + 1), eightbit);
	return s.len <= PARAMS_ORCPT_MAX && atom_ok(type) &&
	    xtext_ok(slice_from(s, type.len + 1));
}

enum params_verdict
params_rcpt(struct slice text, unsigned int extensions,
    struct rcpt_params *r)
{
	struct param	p;
	bool		ok;
	int		n;

	memset(r, 0, sizeof(*r));
	while ((n = param_next(&text, &p)) == 1) {
		if (!(extensions & EXT_DSN))
			return PARAMS_UNKNOWN;
		if (slice_is_nocase(p.name, "NOTIFY"))
			ok = r->notify == 0 && take_notify(p.value, r);
		else if (slice_is_nocase(p.name, "ORCPT"))
			ok = r->orcpt.p == NULL && take_orcpt(p.value,
			    extensions & EXT_SMTPUTF8, r);
		else
			return PARAMS_UNKNOWN;
		if (!ok)
			return PARAMS_BAD;
	}
	return n == 0 ? PARAMS_OK : PARAMS_BAD;
}

/* --- canonical text --- */

struct out {
	char	*p;
	size_t	 size;
	size_t	 len;
	bool	 full;
};

/* One parameter, behind a blank unless it is the first. */
static void
put(struct out *o, const char *key, struct slice value)
{
	int	n;

	if (o->full)
		return;
	n = snprintf(o->p + o->len, o->size - o->len, "%s%s%.*s",
	    o->len > 0 ? " " : "", key, SLICE_FMT(value));
	if (n < 0 || (size_t)n >= o->size - o->len)
		o->full = true;
	else
		o->len += (size_t)n;
}

static void
put_number(struct out *o, const char *key, long long v, const char *more)
{
	char	buf[48];

	snprintf(buf, sizeof(buf), "%lld%s", v, more);
	put(o, key, SLICE_STR(buf));
}

static int
finish(const struct out *o)
{
	return o->full || o->len > PARAMS_TEXT_MAX ? -1 : (int)o->len;
}

int
params_mail_print(const struct mail_params *m, char *buf, size_t size)
{
	static const char *const	bodies[] = { "7BIT", "8BITMIME",
		"BINARYMIME" };
	struct out			o = { buf, size, 0, size == 0 };

	if (size > 0)
		buf[0] = '\0';
	if (m->has_body)
		put(&o, "BODY=", SLICE_STR(bodies[m->body]));
	if (m->smtputf8)
		put(&o, "SMTPUTF8", SLICE_STR(""));
	if (m->ret != PARAMS_RET_NONE)
		put(&o, "RET=", m->ret_text.p != NULL ? m->ret_text :
		    SLICE_STR(m->ret == PARAMS_RET_FULL ? "FULL" : "HDRS"));
	if (m->envid.p != NULL)
		put(&o, "ENVID=", m->envid);
	if (m->has_by)
		put_number(&o, "BY=", m->by, m->by_return ?
		    (m->by_trace ? ";RT" : ";R") :
		    (m->by_trace ? ";NT" : ";N"));
	if (m->holdfor != 0)
		put_number(&o, "HOLDFOR=", m->holdfor, "");
	if (m->holduntil.p != NULL)
		put(&o, "HOLDUNTIL=", m->holduntil);
	if (m->has_priority)
		put_number(&o, "MT-PRIORITY=", m->priority, "");
	if (m->requiretls)
		put(&o, "REQUIRETLS", SLICE_STR(""));
	return finish(&o);
}

/* What NOTIFY= says when nobody wrote it. */
static void
put_notify(struct out *o, unsigned int notify)
{
	char	buf[64];

	if (notify & NOTIFY_NEVER)
		snprintf(buf, sizeof(buf), ",NEVER");
	else
		snprintf(buf, sizeof(buf), "%s%s%s",
		    notify & NOTIFY_SUCCESS ? ",SUCCESS" : "",
		    notify & NOTIFY_FAILURE ? ",FAILURE" : "",
		    notify & NOTIFY_DELAY ? ",DELAY" : "");
	put(o, "NOTIFY=", SLICE_STR(buf + 1));
}

int
params_rcpt_print(const struct rcpt_params *r, char *buf, size_t size)
{
	struct out	o = { buf, size, 0, size == 0 };
	char		escaped[ORCPT_ESCAPED_MAX];
	int		n;

	if (size > 0)
		buf[0] = '\0';
	if (r->notify != 0 && r->notify_text.len > 0)
		put(&o, "NOTIFY=", r->notify_text);
	else if (r->notify != 0)
		put_notify(&o, r->notify);
	if (r->orcpt.p == NULL)
		return finish(&o);
	if (orcpt_is_ascii(r->orcpt))
		put(&o, "ORCPT=", r->orcpt);
	else if ((n = orcpt_escape(r->orcpt, escaped, sizeof(escaped))) ==
	    -1 || n > PARAMS_ESCAPED_MAX)
		return -1;
	else
		put(&o, "ORCPT=", SLICE(escaped, (size_t)n));
	return finish(&o);
}

bool
params_mail_canonical(struct slice text, struct mail_params *m)
{
	char	buf[PARAMS_TEXT_MAX + 1];
	int	n;

	return params_mail(text, EXT_TRAVEL, m) == PARAMS_OK &&
	    (n = params_mail_print(m, buf, sizeof(buf))) != -1 &&
	    slice_eq(text, SLICE(buf, (size_t)n));
}

bool
params_rcpt_canonical(struct slice text, struct rcpt_params *r)
{
	char	buf[PARAMS_TEXT_MAX + 1];
	int	n;

	return params_rcpt(text, EXT_TRAVEL, r) == PARAMS_OK &&
	    (n = params_rcpt_print(r, buf, sizeof(buf))) != -1 &&
	    slice_eq(text, SLICE(buf, (size_t)n));
}
