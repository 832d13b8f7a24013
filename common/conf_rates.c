/*
 * "limit user { ... }" and "limit default { ... }": how much a login may send;
 * "limit tenant { ... }": how much all of a tenant's may, and have in the queue
 * at a time. Part of the grammar (conf.y) and of the canonical text; the queue
 * enforces it (msad/queue/limits.c).
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
#define OCTETS_MAX	(UINT64_C(1) << 50)

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

/* The words of u go over those of r. */
static void
put_over(struct conf_rates *r, const struct conf_rates *u)
{
	unsigned int	 i;

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
conf_rates_user(const struct conf *conf, const char *tenant,
    struct conf_rates *r)
{
	const struct conf_tenant	*t;

	*r = conf->default_rates;
	put_over(r, &conf->user_rates);
	if (*tenant != '\0' && (t = conf_tenant_find(conf, tenant)) != NULL)
		put_over(r, &t->user_rates);
}

const struct conf_rates *
conf_rates_tenant(const struct conf *conf, const char *tenant)
{
	const struct conf_tenant	*t;

	if (*tenant == '\0' || (t = conf_tenant_find(conf, tenant)) == NULL)
		return NULL;
	return t->rates.set != 0 ? &t->rates : NULL;
}

void
conf_build_rates(struct conf_build *b, const char *name)
{
	if (strcmp(name, "tenant") == 0)
		b->rates = &b->tenant->rates;
	else if (strcmp(name, "user") == 0)
		b->rates = b->tenant != NULL ? &b->tenant->user_rates :
		    &b->conf->user_rates;
	else
		b->rates = &b->conf->default_rates;
	b->rates_name = name;
	if (b->rates->done)
		conf_lex_error(b->lex, "limit %s is given twice", name);
	b->rates->done = true;
	b->words_only = true;
}

/* Is it "limit tenant" that is read? */
static bool
for_tenant(const struct conf_build *b)
{
	return b->tenant != NULL && b->rates == &b->tenant->rates;
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

/* "bytes 2G" of a tenant, without a period: in the queue at a time. */
static void
build_octets(struct conf_build *b, const char *text)
{
	if (!conf_limit_value(LIMIT_SIZE, text, 1024, OCTETS_MAX,
	    &b->rates->octets))
		conf_lex_error(b->lex, "bytes: %s is not off, a rate such as "
		    "2G/day or %s from 1K to 1048576G", log_q(text),
		    conf_limit_kind(LIMIT_SIZE));
}

static void
build_queue(struct conf_build *b, const char *text)
{
	b->rates->queue = 0;
	if (strcmp(text, "off") != 0 && !conf_limit_value(LIMIT_COUNT, text,
	    1, COUNT_MAX, &b->rates->queue))
		conf_lex_error(b->lex, "queue: %s is not off or %s from 1 to "
		    "%d", log_q(text), conf_limit_kind(LIMIT_COUNT),
		    COUNT_MAX);
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

/* The bit of a word; 0: it has no place here. */
static unsigned int
word_bit(const struct conf_build *b, const char *word, const char *text)
{
	unsigned int	i;

	if (for_tenant(b) && strcmp(word, words[CONF_RATE_BYTES]) == 0 &&
	    strchr(text, '/') == NULL && strcmp(text, "off") != 0)
		return CONF_RATES_OCTETS;
	for (i = 0; i < CONF_RATE_MAX; i++)
		if (strcmp(words[i], word) == 0)
			return 1U << i;
	if (strcmp(word, "over") == 0)
		return CONF_RATES_OVER;
	if (for_tenant(b))
		return strcmp(word, "queue") == 0 ? CONF_RATES_QUEUE : 0;
	return strcmp(word, "size") == 0 ? CONF_RATES_SIZE : 0;
}

static void
build_word(struct conf_build *b, unsigned int bit, const char *text)
{
	unsigned int	i;

	switch (bit) {
	case CONF_RATES_SIZE:
		build_size(b, text);
		return;
	case CONF_RATES_OVER:
		build_over(b, text);
		return;
	case CONF_RATES_QUEUE:
		build_queue(b, text);
		return;
	case CONF_RATES_OCTETS:
		build_octets(b, text);
		return;
	default:
		break;
	}
	for (i = 0; i < CONF_RATE_MAX; i++)
		if (bit == 1U << i)
			build_rate(b, (enum conf_rate_kind)i, text);
}

void
conf_build_rate_word(struct conf_build *b, const char *word, const char *text)
{
	unsigned int	bit = word_bit(b, word, text);

	if (bit == 0) {
		conf_lex_error(b->lex, "unknown word %s in limit %s",
		    log_q(word), b->rates_name);
		return;
	}
	if (b->rates->set & bit)
		conf_lex_error(b->lex, "%s is given twice", word);
	b->rates->set |= bit;
	build_word(b, bit, text);
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

/* ", WORD": with what stands between it and the one before. */
static void
print_word(FILE *f, const char **sep, const char *word)
{
	fprintf(f, "%s%s ", *sep, word);
	*sep = ", ";
}

static void
print_number(FILE *f, const char **sep, const char *word, uint64_t n)
{
	print_word(f, sep, word);
	if (n == 0)
		fputs("off", f);
	else
		fprintf(f, "%llu", (unsigned long long)n);
}

bool
conf_rate_read(enum conf_rate_kind kind, const char *text,
    struct conf_rate *r)
{
	return rate_read(kind, text, r);
}

void
conf_rate_print(FILE *f, const struct conf_rate *r)
{
	if (r->period == 0)
		fputs("off", f);
	else
		fprintf(f, "%llu/%s", (unsigned long long)r->n,
		    period_word(r->period));
}

static void
print_rates(FILE *f, const char *statement, const struct conf_rates *r)
{
	const char	*sep = "";
	unsigned int	 i;

	if (r->set == 0)
		return;
	fprintf(f, "%s { ", statement);
	for (i = 0; i < CONF_RATE_MAX; i++) {
		if (!(r->set & (1U << i)))
			continue;
		print_number(f, &sep, words[i], r->rate[i].n);
		if (r->rate[i].period != 0)
			fprintf(f, "/%s", period_word(r->rate[i].period));
	}
	if (r->set & CONF_RATES_SIZE)
		print_number(f, &sep, "size", r->size);
	if (r->set & CONF_RATES_QUEUE)
		print_number(f, &sep, "queue", r->queue);
	if (r->set & CONF_RATES_OCTETS)
		print_number(f, &sep, "bytes", r->octets);
	if (r->set & CONF_RATES_OVER) {
		print_word(f, &sep, "over");
		fputs(r->over == CONF_OVER_HOLD ? "hold" : "reject", f);
	}
	fputs(" }\n", f);
}

void
conf_rates_print(FILE *f, const struct conf *conf)
{
	print_rates(f, "limit default", &conf->default_rates);
	print_rates(f, "limit user", &conf->user_rates);
}

void
conf_rates_print_tenant(FILE *f, const struct conf_tenant *t)
{
	print_rates(f, "\tlimit tenant", &t->rates);
	print_rates(f, "\tlimit user", &t->user_rates);
}
