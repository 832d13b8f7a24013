/*
 * "limit session { ... }": what one client may do, from a table of words.
 * Part of the grammar (conf.y) and of the canonical text.
 *
 * Sizes may end in K, M or G, times in s, m, h or d. Each limit has a range
 * that keeps the server able to work: what the front-end or the spool has as
 * a bound of its own is the upper end.
 */
#include <sys/types.h>

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_build.h"
#include "common/conf_limits.h"
#include "common/log.h"

static const struct limit {
	const char	*word;
	size_t		 offset;	/* in struct conf_limits */
	enum limit_unit	 unit;
	uint64_t	 value;		/* the default */
	uint64_t	 min;
	uint64_t	 max;
} limits[] = {
#define L(word, member, unit, value, min, max) \
	{ word, offsetof(struct conf_limits, member), LIMIT_##unit, value, \
	    min, max },
	CONF_LIMITS_TABLE(L)
#undef L
};

#define NLIMITS	(sizeof(limits) / sizeof(limits[0]))

static uint64_t *
slot(struct conf_limits *l, const struct limit *limit)
{
	return (uint64_t *)(void *)((char *)l + limit->offset);
}

void
conf_limits_default(struct conf_limits *l)
{
	size_t	i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < NLIMITS; i++)
		*slot(l, &limits[i]) = limits[i].value;
}

/* What the letter behind a number stands for; 0: nothing. */
static uint64_t
unit_factor(enum limit_unit unit, const char *letter)
{
	static const struct {
		enum limit_unit	 unit;
		char		 letter;
		uint64_t	 factor;
	} letters[] = {
		{ LIMIT_SIZE, 'K', 1024 }, { LIMIT_SIZE, 'M', 1024 * 1024 },
		{ LIMIT_SIZE, 'G', 1024 * 1024 * 1024 }, { LIMIT_TIME, 's', 1 },
		{ LIMIT_TIME, 'm', 60 }, { LIMIT_TIME, 'h', 3600 },
		{ LIMIT_TIME, 'd', 86400 }
	};
	size_t	i;

	if (*letter == '\0')
		return unit == LIMIT_TIME ? 0 : 1;
	for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].unit == unit && letters[i].letter == *letter &&
		    letter[1] == '\0')
			return letters[i].factor;
	return 0;
}

bool
conf_limit_value(enum limit_unit unit, const char *text, uint64_t min,
    uint64_t max, uint64_t *value)
{
	uint64_t	 factor, n = 0;
	const char	*p;

	for (p = text; isdigit((unsigned char)*p) && n <= max; p++)
		n = n * 10 + (unsigned int)(*p - '0');
	if (p == text || n > max || (factor = unit_factor(unit, p)) == 0)
		return false;
	if (n > max / factor)
		return false;
	*value = n * factor;
	return *value >= min;
}

const char *
conf_limit_kind(enum limit_unit unit)
{
	static const char *const	 kinds[] = {
		"a number", "a size such as 64K or 25M",
		"a time such as 30s or 5m"
	};

	return kinds[unit];
}

void
conf_build_limit(struct conf_build *b, const char *word, const char *text)
{
	struct conf_limits	*l = &b->conf->limits;
	size_t			 i;

	for (i = 0; i < NLIMITS; i++)
		if (strcmp(limits[i].word, word) == 0)
			break;
	if (i == NLIMITS) {
		conf_lex_error(b->lex, "unknown word %s in limit session",
		    log_q(word));
		return;
	}
	if (b->limits_seen & (1U << i))
		conf_lex_error(b->lex, "%s is given twice", limits[i].word);
	b->limits_seen |= 1U << i;
	if (!conf_limit_value(limits[i].unit, text, limits[i].min,
	    limits[i].max, slot(l, &limits[i])))
		conf_lex_error(b->lex, "%s: %s is not %s from %llu to %llu",
		    limits[i].word, log_q(text),
		    conf_limit_kind(limits[i].unit),
		    (unsigned long long)limits[i].min,
		    (unsigned long long)limits[i].max);
}

void
conf_limits_print(FILE *f, const struct conf_limits *l)
{
	const uint64_t	*v;
	size_t		 i, n = 0;

	for (i = 0; i < NLIMITS; i++) {
		v = (const uint64_t *)(const void *)((const char *)l +
		    limits[i].offset);
		if (*v == limits[i].value)
			continue;
		fprintf(f, "%s%s %llu%s", n++ == 0 ? "limit session { " :
		    ", ", limits[i].word, (unsigned long long)*v,
		    limits[i].unit == LIMIT_TIME ? "s" : "");
	}
	if (n > 0)
		fputs(" }\n", f);
}
