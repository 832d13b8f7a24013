/*
 * Selections: which messages are meant, as an operator writes it. Used by
 * msactl and msad-control for the sake of errors, and by msad-queue, which
 * parses what it is given again: for what is in the queue (select.c) and for
 * rules on mail still to come. Pure; trusts nothing.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selection.h"

#define ID_DIGITS_MAX	16
#define SHOWN_MAX	64	/* octets of a term in an error */

static const char *const	names[SELECTION_KEYS] = { "id", "user",
	"tenant", "from", "to", "domain", "relay", "state", "age", "size",
	"error" };
static const char *const	states[SELECTION_STATES] = { "waiting",
	"deferred", "inflight", "held", "future", "failed" };

const char *
selection_key_name(enum selection_key key)
{
	return (unsigned int)key < SELECTION_KEYS ? names[key] : "";
}

static int
find(const char *const *list, size_t n, struct slice name)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (slice_is(name, list[i]))
			return (int)i;
	return -1;
}

int
selection_key_find(const char *name)
{
	return find(names, SELECTION_KEYS, SLICE_STR(name));
}

/* --- patterns --- */

static bool
same(char a, char b, bool fold)
{
	return a == b || (fold && tolower((unsigned char)a) ==
	    tolower((unsigned char)b));
}

/*
 * Only the last * met need ever take more: steps are at most the product of the
 * lengths. With part set the pattern may begin and end anywhere.
 */
static bool
matches(const char *pattern, const char *text, bool fold, bool part)
{
	const char	*star = part ? pattern : NULL, *from = text;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '\0' && (part || *text == '\0')) {
			return true;
		} else if (*text != '\0' && same(*pattern, *text, fold)) {
			pattern++;
			text++;
		} else if (*from == '\0' || star == NULL) {
			return false;
		} else {
			pattern = star;
			text = ++from;
		}
	}
}

bool
selection_glob(const char *pattern, const char *text, bool fold)
{
	return matches(pattern, text, fold, false);
}

/* --- parsing --- */

/* What is being parsed, and where to say what is wrong with it. */
struct parse {
	struct selection	*sel;
	struct slice		 line;	/* the term */
	char			*err;
	size_t			 size;
};

/* The term, as far as it can be shown, and what is wrong with it. */
static int	refuse(const struct parse *, const char *, ...)
		    __attribute__((__format__(printf, 2, 3)));

static int
refuse(const struct parse *p, const char *fmt, ...)
{
	char	shown[SHOWN_MAX + 1];
	va_list	ap;
	size_t	i, n;

	for (i = 0; i < p->line.len && i < SHOWN_MAX; i++)
		shown[i] = (unsigned char)p->line.p[i] < ' ' ||
		    p->line.p[i] == 0x7f ? '?' : p->line.p[i];
	shown[i] = '\0';
	n = (size_t)snprintf(p->err, p->size, "\"%s%s\": ", shown,
	    p->line.len > SHOWN_MAX ? "..." : "");
	if (n >= p->size)
		return -1;
	va_start(ap, fmt);
	vsnprintf(p->err + n, p->size - n, fmt, ap);
	va_end(ap);
	return -1;
}

/* Digits of that base off the text; false: none, or too large a number. */
static bool
take_number(struct slice *s, unsigned int base, uint64_t *n)
{
	const char	*digits = "0123456789abcdef", *d;
	size_t		 i;

	*n = 0;
	for (i = 0; i < s->len; i++) {
		d = memchr(digits, tolower((unsigned char)s->p[i]), base);
		if (d == NULL)
			break;
		if (__builtin_mul_overflow(*n, base, n) ||
		    __builtin_add_overflow(*n, (uint64_t)(d - digits), n))
			return false;
	}
	*s = slice_from(*s, i);
	return i > 0;
}

struct unit {
	char		name;	/* '\0': none need be said */
	uint64_t	factor;
};

/* A number and its unit, which is all that is left. */
static bool
take_quantity(struct slice s, const struct unit *units, size_t n,
    uint64_t *value)
{
	if (!take_number(&s, 10, value) || s.len > 1)
		return false;
	for (; n > 0; n--, units++)
		if (units->name == (s.len == 1 ? s.p[0] : '\0'))
			return !__builtin_mul_overflow(*value, units->factor,
			    value);
	return false;
}

static int
parse_id(const struct parse *p, struct selection_term *t, struct slice value)
{
	if (value.len > ID_DIGITS_MAX || !take_number(&value, 16, &t->number) ||
	    value.len > 0 || t->number == 0)
		return refuse(p, "not a message's id");
	return 0;
}

static int
parse_state(const struct parse *p, struct selection_term *t,
    struct slice value)
{
	int	i = find(states, SELECTION_STATES, value);

	if (i == -1)
		return refuse(p, "a state is one of waiting, deferred, "
		    "inflight, held, future, failed");
	t->state = (enum selection_state)i;
	return 0;
}

static int
parse_bound(const struct parse *p, struct selection_term *t,
    struct slice value)
{
	static const struct unit	times[] = { { 's', 1 }, { 'm', 60 },
		{ 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	/* msad.conf has K */
	static const struct unit	sizes[] = { { '\0', 1 },
		{ 'k', UINT64_C(1) << 10 }, { 'K', UINT64_C(1) << 10 },
		{ 'M', UINT64_C(1) << 20 }, { 'G', UINT64_C(1) << 30 } };
	bool				ok;

	if (value.len > 0 && value.p[0] == '<') {
		t->below = true;
		value = slice_from(value, 1);
	}
	if (t->key == SELECTION_AGE)
		ok = take_quantity(value, times, sizeof(times) /
		    sizeof(times[0]), &t->number);
	else
		ok = take_quantity(value, sizes, sizeof(sizes) /
		    sizeof(sizes[0]), &t->number);
	if (ok)
		return 0;
	return refuse(p, t->key == SELECTION_AGE ?
	    "an age is a number and s, m, h, d or w" :
	    "a size is a number, and k, M or G");
}

static int
parse_text(const struct parse *p, struct selection_term *t, struct slice value)
{
	if (t->key == SELECTION_FROM && slice_is(value, "<>"))
		value.len = 0;
	if (t->key == SELECTION_DOMAIN && memchr(value.p, '@', value.len) !=
	    NULL)
		return refuse(p, "a domain has no @");
	if ((t->text = strndup(value.p, value.len)) == NULL)
		return refuse(p, "out of memory");
	t->glob = memchr(value.p, '*', value.len) != NULL;
	return 0;
}

static int
parse_value(const struct parse *p, struct selection_term *t,
    struct slice value)
{
	switch (t->key) {
	case SELECTION_ID:
		return parse_id(p, t, value);
	case SELECTION_STATE:
		return parse_state(p, t, value);
	case SELECTION_AGE:
	case SELECTION_SIZE:
		return parse_bound(p, t, value);
	default:
		return parse_text(p, t, value);
	}
}

static int
parse_term(struct parse *p)
{
	struct selection	*sel = p->sel;
	struct selection_term	*t;
	struct slice		 key = p->line, value;
	size_t			 i;
	int			 k;

	for (i = 0; i < p->line.len; i++)
		if ((unsigned char)p->line.p[i] < ' ' || p->line.p[i] == 0x7f)
			return refuse(p, "control characters are not allowed");
	if (p->line.len == 0)
		return refuse(p, "a key and a value are expected");
	for (i = 0; i < key.len && key.p[i] != ' '; i++)
		;
	key.len = i;
	value = slice_from(p->line, i + 1);
	if (slice_is(key, "all"))
		return refuse(p, "all stands alone");
	if ((k = find(names, SELECTION_KEYS, key)) == -1)
		return refuse(p, "a key is one of id, user, tenant, from, to, "
		    "domain, relay, state, age, size, error");
	if (value.len == 0)
		return refuse(p, "a value is missing");
	if (value.len > SELECTION_VALUE_MAX)
		return refuse(p, "more than %d octets", SELECTION_VALUE_MAX);
	if (sel->nterms == SELECTION_TERMS_MAX)
		return refuse(p, "more than %d terms", SELECTION_TERMS_MAX);
	t = &sel->terms[sel->nterms];
	t->key = (enum selection_key)k;
	if (parse_value(p, t, value) == -1)
		return -1;
	sel->nterms++;
	sel->keys |= 1U << k;
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct selection_term	*x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int
parse_terms(struct parse *p, struct slice text)
{
	const char	*lf;

	do {
		lf = memchr(text.p, '\n', text.len);
		p->line = text;
		if (lf != NULL)
			p->line.len = (size_t)(lf - text.p);
		if (parse_term(p) == -1)
			return -1;
		text = slice_from(text, p->line.len + 1);
	} while (lf != NULL);
	return 0;
}

int
selection_parse(struct selection *sel, struct slice text, char *err,
    size_t size)
{
	struct parse	p = { sel, SLICE("", 0), err, size };

	memset(sel, 0, sizeof(*sel));
	if (text.len == 0) {
		snprintf(err, size, "nothing is selected: say \"all\" for "
		    "every message");
		return -1;
	}
	if (text.len > SELECTION_TEXT_MAX) {
		snprintf(err, size, "the selection has more than %d octets",
		    SELECTION_TEXT_MAX);
		return -1;
	}
	if (slice_is(text, "all")) {
		sel->all = true;
		return 0;
	}
	if ((sel->terms = calloc(SELECTION_TERMS_MAX, sizeof(*sel->terms))) ==
	    NULL) {
		snprintf(err, size, "out of memory");
		return -1;
	}
	if (parse_terms(&p, text) == -1) {
		selection_free(sel);
		return -1;
	}
	/* those of one key together, ids ascending: the order of the queue */
	qsort(sel->terms, sel->nterms, sizeof(sel->terms[0]), by_key);
	return 0;
}

void
selection_free(struct selection *sel)
{
	size_t	i;

	/* one that was refused half-way may have its text already */
	for (i = 0; sel->terms != NULL && i < SELECTION_TERMS_MAX; i++)
		free(sel->terms[i].text);
	free(sel->terms);
	memset(sel, 0, sizeof(*sel));
}

/* --- matching --- */

static bool
has(const struct selection *sel, enum selection_key key)
{
	return (sel->keys & 1U << key) != 0;
}

static bool
term_matches(const struct selection_term *t, const char *text)
{
	bool	fold = t->key == SELECTION_FROM || t->key == SELECTION_TO ||
		    t->key == SELECTION_DOMAIN || t->key == SELECTION_ERROR;

	if (t->glob || t->key == SELECTION_ERROR)
		return matches(t->text, text, fold,
		    t->key == SELECTION_ERROR);
	return fold ? strcasecmp(t->text, text) == 0 :
	    strcmp(t->text, text) == 0;
}

bool
selection_text(const struct selection *sel, enum selection_key key,
    const char *text)
{
	size_t	i;

	if (!has(sel, key))
		return true;
	for (i = 0; i < sel->nterms; i++)
		if (sel->terms[i].key == key &&
		    term_matches(&sel->terms[i], text))
			return true;
	return false;
}

bool
selection_rcpt(const struct selection *sel, const char *addr)
{
	const char	*at = strrchr(addr, '@');

	return selection_text(sel, SELECTION_TO, addr) &&
	    selection_text(sel, SELECTION_DOMAIN, at == NULL ? "" : at + 1);
}

static bool
number_matches(const struct selection_term *t, uint64_t n)
{
	if (t->key == SELECTION_ID)
		return n == t->number;
	return t->below ? n < t->number : n >= t->number;
}

bool
selection_number(const struct selection *sel, enum selection_key key,
    uint64_t n)
{
	size_t	i;
	bool	one = key == SELECTION_ID, ok = false;

	if (!has(sel, key))
		return true;
	for (i = 0; i < sel->nterms; i++) {
		if (sel->terms[i].key != key)
			continue;
		ok = number_matches(&sel->terms[i], n);
		if (ok == one)
			break;
	}
	return ok;
}

bool
selection_states(const struct selection *sel, unsigned int in)
{
	size_t	i;

	if (!has(sel, SELECTION_STATE))
		return true;
	for (i = 0; i < sel->nterms; i++)
		if (sel->terms[i].key == SELECTION_STATE &&
		    (in & 1U << sel->terms[i].state) != 0)
			return true;
	return false;
}
