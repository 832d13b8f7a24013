/*
 * "limit user { ... }" and "limit default { ... }": how much a login may send.
 * Part of the grammar (conf.y) and of the canonical text; the queue enforces
 * it (msad/queue/limits.c).
 *
 * A rate is NUMBER/PERIOD, with K, M or G behind the number of bytes; "off"
 * takes away what the default says.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_build.h"
#include "common/log.h"

#define NUMBER_MAX	32		/* octets of a number's text */
#define COUNT_MAX	1000000000
#define SIZE_LIMIT_MAX	(UINT64_C(4) << 30)

static const char *const	 words[CONF_RATE_MAX] = {
	[CONF_RATE_MESSAGES] = "messages",
	[CONF_RATE_RECIPIENTS] = "recipients",
	[CONF_RATE_BYTES] = "bytes"
};

static const struct {
	const char	*word;
	uint32_t	 seconds;
} periods[] = {
	{ "minute", 60 }, { "hour", 3600 }, { "day", 86400 }
};

#define NPERIODS	(sizeof(periods) / sizeof(periods[0]))

const char *
conf_rate_word(enum conf_rate_kind kind)
{
	return words[kind];
}

void
conf_rates_user(const struct conf *conf, struct conf_rates *r)
{
	const struct conf_rates	*u = &conf->user_rates;
	unsigned int		 i;

	*r = conf->default_rates;
	for (i = 0; i < CONF_RATE_MAX; i++)
		if (u->set & (1U << i))
			r->rate[i] = u->rate[i];
	if (u->set & CONF_RATES_SIZE)
		r->size = u->size;
	if (u->set & CONF_RATES_OVER)
		r->over = u->over;
	r->set |= u->set;
}

void
conf_build_rates(struct conf_build *b, const char *name)
{
	b->rates = strcmp(name, "user") == 0 ? &b->conf->user_rates :
	    &b->conf->default_rates;
	b->rates_name = name;
	if (b->rates->done)
		conf_lex_error(b->lex, "limit %s is given twice", name);
	b->rates->done = true;
	b->words_only = true;
}

/* NUMBER/PERIOD. */
static bool
rate_read(enum conf_rate_kind kind, const char *text, struct conf_rate *r)
{
	bool		 bytes = kind == CONF_RATE_BYTES;
	const char	*slash = strchr(text, '/');
	char		 number[NUMBER_MAX];
	size_t		 i;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(number))
		return false;
	memcpy(number, text, (size_t)(slash - text));
	number[slash - text] = '\0';
	for (i = 0; i < NPERIODS; i++)
		if (strcmp(periods[i].word, slash + 1) == 0)
			break;
	if (i == NPERIODS ||
	    !conf_limit_value(bytes ? LIMIT_SIZE : LIMIT_COUNT, number, 1,
	    bytes ? CONF_RATE_BYTES_MAX : COUNT_MAX, &r->n))
		return false;
	r->period = periods[i].seconds;
	return true;
}

static void
build_rate(struct conf_build *b, enum conf_rate_kind kind, const char *text)
{
	struct conf_rate	*r = &b->rates->rate[kind];

	*r = (struct conf_rate){ 0, 0 };
	if (strcmp(text, "off") != 0 && !rate_read(kind, text, r))
		conf_lex_error(b->lex, "%s: %s is not off or a rate such as "
		    "%s", words[kind], log_q(text), kind == CONF_RATE_BYTES ?
		    "500M/hour or 2G/day" : "300/hour or 2000/day");
}

static void
build_size(struct conf_build *b, const char *text)
{
	b->rates->size = 0;
	if (strcmp(text, "off") != 0 && !conf_limit_value(LIMIT_SIZE, text,
	    1024, SIZE_LIMIT_MAX, &b->rates->size))
		conf_lex_error(b->lex, "size: %s is not off or %s from 1K to "
		    "4G", log_q(text), conf_limit_kind(LIMIT_SIZE));
}

static void
build_over(struct conf_build *b, const char *text)
{
	b->rates->over = strcmp(text, "hold") == 0 ? CONF_OVER_HOLD :
	    CONF_OVER_REJECT;
	if (strcmp(text, "hold") != 0 && strcmp(text, "reject") != 0)
		conf_lex_error(b->lex, "unknown word %s: over is reject or "
		    "hold", log_q(text));
}

void
conf_build_rate_word(struct conf_build *b, const char *word, const char *text)
{
	unsigned int	i, bit;

	for (i = 0; i < CONF_RATE_MAX; i++)
		if (strcmp(words[i], word) == 0)
			break;
	bit = i < CONF_RATE_MAX ? 1U << i : strcmp(word, "size") == 0 ?
	    CONF_RATES_SIZE : CONF_RATES_OVER;
	if (bit == CONF_RATES_OVER && strcmp(word, "over") != 0) {
		conf_lex_error(b->lex, "unknown word %s in limit %s",
		    log_q(word), b->rates_name);
		return;
	}
	if (b->rates->set & bit)
		conf_lex_error(b->lex, "%s is given twice", word);
	b->rates->set |= bit;
	if (i < CONF_RATE_MAX)
		build_rate(b, (enum conf_rate_kind)i, text);
	else if (bit == CONF_RATES_SIZE)
		build_size(b, text);
	else
		build_over(b, text);
}

static const char *
period_word(uint32_t seconds)
{
	size_t	i;

	for (i = 0; i < NPERIODS - 1; i++)
		if (periods[i].seconds == seconds)
			break;
	return periods[i].word;
}

static void
print_rates(FILE *f, const char *name, const struct conf_rates *r)
{
	const char	*sep = "";
	unsigned int	 i;

	if (r->set == 0)
		return;
	fprintf(f, "limit %s { ", name);
	for (i = 0; i < CONF_RATE_MAX; i++) {
		if (!(r->set & (1U << i)))
			continue;
		fprintf(f, "%s%s ", sep, words[i]);
		if (r->rate[i].period == 0)
			fputs("off", f);
		else
			fprintf(f, "%llu/%s", (unsigned long long)r->rate[i].n,
			    period_word(r->rate[i].period));
		sep = ", ";
	}
	if (r->set & CONF_RATES_SIZE) {
		if (r->size == 0)
			fprintf(f, "%ssize off", sep);
		else
			fprintf(f, "%ssize %llu", sep,
			    (unsigned long long)r->size);
		sep = ", ";
	}
	if (r->set & CONF_RATES_OVER)
		fprintf(f, "%sover %s", sep, r->over == CONF_OVER_HOLD ?
		    "hold" : "reject");
	fputs(" }\n", f);
}

void
conf_rates_print(FILE *f, const struct conf *conf)
{
	print_rates(f, "default", &conf->default_rates);
	print_rates(f, "user", &conf->user_rates);
}
