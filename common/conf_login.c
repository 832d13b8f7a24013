/*
 * "limit login { ... }": what failed logins lead to, from a table of words.
 * Part of the grammar (conf.y) and of the canonical text.
 */
#include <sys/types.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_build.h"
#include "common/conf_login.h"
#include "common/log.h"

static const struct word {
	const char	*word;
	size_t		 offset;	/* in struct conf_login */
	enum limit_unit	 unit;
	uint64_t	 value;		/* the default */
	uint64_t	 min;
	uint64_t	 max;
} words[] = {
#define G(word, member, unit, value, min, max) \
	{ word, offsetof(struct conf_login, member), LIMIT_##unit, value, \
	    min, max },
	CONF_LOGIN_TABLE(G)
#undef G
};

#define NWORDS	(sizeof(words) / sizeof(words[0]))

static uint64_t *
slot(struct conf_login *l, const struct word *w)
{
	return (uint64_t *)(void *)((char *)l + w->offset);
}

void
conf_login_default(struct conf_login *l)
{
	size_t	i;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < NWORDS; i++)
		*slot(l, &words[i]) = words[i].value;
}

void
conf_build_login(struct conf_build *b, const char *name)
{
	b->rates = NULL;
	if (strcmp(name, "default") == 0) {
		conf_build_rates(b, "default");
		return;
	}
	if (strcmp(name, "login") != 0)
		conf_lex_error(b->lex, "unknown word %s: limit is session, "
		    "login, user or default", log_q(name));
	else if (b->login_done)
		conf_lex_error(b->lex, "limit login is given twice");
	b->login_done = true;
	b->words_only = true;
}

void
conf_build_login_off(struct conf_build *b, const char *word)
{
	if (b->rates != NULL || strcmp(word, "off") != 0)
		conf_lex_error(b->lex, "unknown word %s: limit %s", log_q(word),
		    b->rates != NULL ? "default is { ... }" :
		    "login is off or { ... }");
	b->conf->login.off = true;
}

void
conf_build_login_word(struct conf_build *b, const char *word,
    const char *text)
{
	const struct word	*w;
	size_t			 i;

	if (b->rates != NULL) {
		conf_build_rate_word(b, word, text);
		return;
	}
	for (i = 0; i < NWORDS; i++)
		if (strcmp(words[i].word, word) == 0)
			break;
	if (i == NWORDS) {
		conf_lex_error(b->lex, "unknown word %s in limit login",
		    log_q(word));
		return;
	}
	w = &words[i];
	if (b->login_seen & (1U << i))
		conf_lex_error(b->lex, "%s is given twice", w->word);
	b->login_seen |= 1U << i;
	if (!conf_limit_value(w->unit, text, w->min, w->max,
	    slot(&b->conf->login, w)))
		conf_lex_error(b->lex, "%s: %s is not %s from %llu to %llu",
		    w->word, log_q(text), conf_limit_kind(w->unit),
		    (unsigned long long)w->min, (unsigned long long)w->max);
}

void
conf_login_print(FILE *f, const struct conf_login *l)
{
	uint64_t	 v;
	size_t		 i, n = 0;

	if (l->off) {
		fputs("limit login off\n", f);
		return;
	}
	for (i = 0; i < NWORDS; i++) {
		v = *(const uint64_t *)(const void *)((const char *)l +
		    words[i].offset);
		if (v == words[i].value)
			continue;
		fprintf(f, "%s%s %llu%s", n++ == 0 ? "limit login { " : ", ",
		    words[i].word, (unsigned long long)v,
		    words[i].unit == LIMIT_TIME ? "s" : "");
	}
	if (n > 0)
		fputs(" }\n", f);
}
