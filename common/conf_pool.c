/*
 * "auth workers { ... }" and "pam service NAME limit N": the workers of PAM
 * and how many of them one service may hold. Part of the grammar (conf.y) and
 * of the canonical text.
 */
#include <sys/types.h>

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_build.h"
#include "common/conf_pool.h"
#include "common/log.h"

static const struct word {
	const char	*word;
	size_t		 offset;	/* in struct conf_pool */
	const char	*unit;
	unsigned int	 value;		/* the default */
	unsigned int	 min;
	unsigned int	 max;
} words[] = {
#define P(word, member, unit, value, min, max) \
	{ word, offsetof(struct conf_pool, member), unit, value, min, max },
	CONF_POOL_TABLE(P)
#undef P
};

#define NWORDS	(sizeof(words) / sizeof(words[0]))

static unsigned int *
slot(struct conf_pool *pool, const struct word *w)
{
	return (unsigned int *)(void *)((char *)pool + w->offset);
}

void
conf_pool_default(struct conf_pool *pool)
{
	size_t	 i;

	for (i = 0; i < NWORDS; i++)
		*slot(pool, &words[i]) = words[i].value;
}

void
conf_build_pool(struct conf_build *b)
{
	if (b->pool_done)
		conf_lex_error(b->lex, "auth workers is given twice");
	b->pool_done = true;
	b->words_only = true;
}

/* Digits and the unit; false: not within the range. */
static bool
value_parse(const struct word *w, const char *text, unsigned int *value)
{
	unsigned int	 n = 0;
	const char	*p;

	for (p = text; isdigit((unsigned char)*p) && n <= w->max; p++)
		n = n * 10 + (unsigned int)(*p - '0');
	if (p == text || strcmp(p, w->unit) != 0 || n < w->min || n > w->max)
		return false;
	*value = n;
	return true;
}

void
conf_build_pool_word(struct conf_build *b, const char *word, const char *text)
{
	const struct word	*w;
	size_t			 i;

	for (i = 0; i < NWORDS; i++)
		if (strcmp(words[i].word, word) == 0)
			break;
	if (i == NWORDS) {
		conf_lex_error(b->lex, "unknown word %s in auth workers",
		    log_q(word));
		return;
	}
	w = &words[i];
	if (b->pool_seen & (1U << i))
		conf_lex_error(b->lex, "%s is given twice", w->word);
	b->pool_seen |= 1U << i;
	if (!value_parse(w, text, slot(&b->conf->pool, w)))
		conf_lex_error(b->lex, "%s: %s is not a %s from %u%s to %u%s",
		    w->word, log_q(text), *w->unit == '\0' ? "number" : "time",
		    w->min, w->unit, w->max, w->unit);
}

void
conf_build_pam_limit(struct conf_build *b, const char *value)
{
	b->auth->pam_limit = conf_build_number(b, value, 1, 256, "limit");
}

void
conf_pool_finish(struct conf_build *b)
{
	const struct conf_pool	*pool = &b->conf->pool;

	if (pool->min > pool->max)
		conf_lex_error(b->lex, "auth workers: min %u is more than "
		    "max %u", pool->min, pool->max);
}

void
conf_pool_print(FILE *f, const struct conf_pool *pool)
{
	unsigned int	 v;
	size_t		 i, n = 0;

	for (i = 0; i < NWORDS; i++) {
		v = *(const unsigned int *)(const void *)((const char *)pool +
		    words[i].offset);
		if (v == words[i].value)
			continue;
		fprintf(f, "%s%s %u%s", n++ == 0 ? "auth workers { " : ", ",
		    words[i].word, v, words[i].unit);
	}
	if (n > 0)
		fputs(" }\n", f);
}
