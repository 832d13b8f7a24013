/*
 * "future-release", "deliver-by" and "mt-priority": which of them are offered
 * and within which bounds. Part of the grammar (conf.y) and of the canonical
 * text; asked by msad-frontend, which tells clients and checks what they write,
 * and by msad-queue, which believes none of it and checks again.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_build.h"
#include "common/log.h"

#define PORT_SUBMISSION		587
#define PORT_SUBMISSIONS	465
#define SECONDS_MAX		999999999	/* nine digits */
#define HELD_MAX		10000
#define SIZE_MAX_URGENT		(UINT64_C(4) << 30)
#define PRIORITY_ABOVE		(1U << 4)	/* the place of "above" */

static const char *const	 statements[] = {
	[CONF_EXT_FUTURE] = "future-release",
	[CONF_EXT_BY] = "deliver-by",
	[CONF_EXT_PRIORITY] = "mt-priority"
};

static const struct conf_ext	 defaults = {
	.future_max = 30 * 86400,
	.future_held = 1000,
	.floor = CONF_PRIORITY_MIN
};

void
conf_ext_default(struct conf_ext *e)
{
	*e = defaults;
}

/* --- the grammar --- */

void
conf_build_ext(struct conf_build *b, enum conf_ext_kind kind)
{
	if (b->ext_done & (1U << kind))
		conf_lex_error(b->lex, "%s is given twice", statements[kind]);
	b->ext_done |= 1U << kind;
	b->ext_kind = kind;
	b->ext_seen = 0;
	b->words_only = true;
}

void
conf_build_ext_off(struct conf_build *b, const char *word)
{
	struct conf_ext	*e = &b->conf->ext;

	b->words_only = false;
	if (strcmp(word, "off") != 0) {
		conf_lex_error(b->lex, "unknown word %s: %s is off or { ... }",
		    log_q(word), statements[b->ext_kind]);
		return;
	}
	if (b->ext_kind == CONF_EXT_FUTURE)
		e->future_off = true;
	else if (b->ext_kind == CONF_EXT_BY)
		e->by_off = true;
	else
		e->priority_off = true;
}

static void
take_number(struct conf_build *b, const char *word, enum limit_unit unit,
    const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	if (!conf_limit_value(unit, text, min, max, value))
		conf_lex_error(b->lex, "%s: %s is not %s from %llu to %llu",
		    word, log_q(text), conf_limit_kind(unit),
		    (unsigned long long)min, (unsigned long long)max);
}

/* A priority as RFC 6710 writes it, from min to max; false: it is none. */
static bool
priority_read(const char *text, int min, int max, int *value)
{
	bool	minus = *text == '-';

	text += minus;
	if (text[0] < (minus ? '1' : '0') || text[0] > '9' || text[1] != '\0')
		return false;
	*value = minus ? '0' - text[0] : text[0] - '0';
	return *value >= min && *value <= max;
}

static void
take_priority(struct conf_build *b, const char *word, const char *text,
    int min, int max, int *value)
{
	if (!priority_read(text, min, max, value))
		conf_lex_error(b->lex, "%s: %s is not a priority from %d to "
		    "%d", word, log_q(text), min, max);
}

/* The second of two words? */
static void
take_choice(struct conf_build *b, const char *word, const char *first,
    const char *second, const char *text, bool *value)
{
	*value = strcmp(text, second) == 0;
	if (!*value && strcmp(text, first) != 0)
		conf_lex_error(b->lex, "unknown word %s: %s is %s or %s",
		    log_q(text), word, first, second);
}

/* The name of a policy: an atom of letters, digits, '-' and '_'. */
static void
take_profile(struct conf_build *b, const char *text)
{
	static const char	octets[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	char			*profile = b->conf->ext.profile;

	if (*text == '\0' || strspn(text, octets) != strlen(text) ||
	    strlcpy(profile, text, CONF_PROFILE_MAX + 1) > CONF_PROFILE_MAX)
		conf_lex_error(b->lex, "profile: %s is not a name of letters, "
		    "digits, '-' and '_', %d at most", log_q(text),
		    CONF_PROFILE_MAX);
}

static void
future_word(struct conf_build *b, unsigned int i, const char *word,
    const char *text)
{
	struct conf_ext	*e = &b->conf->ext;

	if (i == 0)
		take_number(b, word, LIMIT_TIME, text, 1, SECONDS_MAX,
		    &e->future_max);
	else if (i == 1)
		take_number(b, word, LIMIT_COUNT, text, 1, HELD_MAX,
		    &e->future_held);
	else
		take_choice(b, word, "submission", "any", text,
		    &e->future_all);
}

static void
by_word(struct conf_build *b, unsigned int i, const char *word,
    const char *text)
{
	(void)i;
	take_number(b, word, LIMIT_TIME, text, 1, SECONDS_MAX,
	    &b->conf->ext.by_min);
}

static void
priority_word(struct conf_build *b, unsigned int i, const char *word,
    const char *text)
{
	struct conf_ext	*e = &b->conf->ext;

	if (i == 0)
		take_profile(b, text);
	else if (i == 1)
		take_priority(b, word, text, CONF_PRIORITY_MIN,
		    CONF_PRIORITY_MAX, &e->floor);
	else if (i == 2)
		take_choice(b, word, "reject", "defer", text,
		    &e->floor_defer);
	else if (i == 3)
		take_number(b, word, LIMIT_SIZE, text, 1024, SIZE_MAX_URGENT,
		    &e->urgent_size);
	else
		take_priority(b, word, text, CONF_PRIORITY_MIN,
		    CONF_PRIORITY_MAX - 1, &e->urgent_above);
}

void
conf_build_ext_word(struct conf_build *b, const char *word, const char *text)
{
	static const char *const	words[][6] = {
		[CONF_EXT_FUTURE] = { "max", "held", "port" },
		[CONF_EXT_BY] = { "min" },
		[CONF_EXT_PRIORITY] = { "profile", "floor", "below", "size",
		    "above" }
	};
	static void (*const take[])(struct conf_build *, unsigned int,
	    const char *, const char *) = {
		[CONF_EXT_FUTURE] = future_word,
		[CONF_EXT_BY] = by_word,
		[CONF_EXT_PRIORITY] = priority_word
	};
	const char *const		*w = words[b->ext_kind];
	unsigned int			 i;

	for (i = 0; w[i] != NULL && strcmp(w[i], word) != 0; i++)
		;
	if (w[i] == NULL) {
		conf_lex_error(b->lex, "unknown word %s in %s", log_q(word),
		    statements[b->ext_kind]);
		return;
	}
	if (b->ext_seen & (1U << i))
		conf_lex_error(b->lex, "%s is given twice", w[i]);
	b->ext_seen |= 1U << i;
	take[b->ext_kind](b, i, w[i], text);
}

void
conf_build_ext_end(struct conf_build *b)
{
	if (b->ext_kind == CONF_EXT_PRIORITY &&
	    b->conf->ext.urgent_size == 0 && (b->ext_seen & PRIORITY_ABOVE))
		conf_lex_error(b->lex, "above stands with size alone");
}

void
conf_build_match_priority(struct conf_build *b, struct conf_match *m)
{
	if (b->priority != NULL)
		take_priority(b, "priority", b->priority, 0,
		    CONF_PRIORITY_MAX, &m->priority);
	b->priority = NULL;
}

/* --- the canonical text --- */

/* What stands before the next pair of a block, and behind the last one. */
static void
print_before(FILE *f, const char *statement, unsigned int *n)
{
	if ((*n)++ == 0)
		fprintf(f, "%s { ", statement);
	else
		fputs(", ", f);
}

static void
print_behind(FILE *f, unsigned int n)
{
	if (n > 0)
		fputs(" }\n", f);
}

static void
print_future(FILE *f, const struct conf_ext *e)
{
	const char	*s = statements[CONF_EXT_FUTURE];
	unsigned int	 n = 0;

	if (e->future_off) {
		fprintf(f, "%s off\n", s);
		return;
	}
	if (e->future_max != defaults.future_max) {
		print_before(f, s, &n);
		fprintf(f, "max %llus", (unsigned long long)e->future_max);
	}
	if (e->future_held != defaults.future_held) {
		print_before(f, s, &n);
		fprintf(f, "held %llu", (unsigned long long)e->future_held);
	}
	if (e->future_all) {
		print_before(f, s, &n);
		fputs("port any", f);
	}
	print_behind(f, n);
}

static void
print_priority(FILE *f, const struct conf_ext *e)
{
	const char	*s = statements[CONF_EXT_PRIORITY];
	unsigned int	 n = 0;

	if (e->priority_off) {
		fprintf(f, "%s off\n", s);
		return;
	}
	if (e->profile[0] != '\0') {
		print_before(f, s, &n);
		fprintf(f, "profile \"%s\"", e->profile);
	}
	if (e->floor != defaults.floor) {
		print_before(f, s, &n);
		fprintf(f, "floor %d", e->floor);
	}
	if (e->floor_defer) {
		print_before(f, s, &n);
		fputs("below defer", f);
	}
	if (e->urgent_size != 0) {
		print_before(f, s, &n);
		fprintf(f, "size %llu", (unsigned long long)e->urgent_size);
	}
	if (e->urgent_above != defaults.urgent_above) {
		print_before(f, s, &n);
		fprintf(f, "above %d", e->urgent_above);
	}
	print_behind(f, n);
}

void
conf_ext_print(FILE *f, const struct conf_ext *e)
{
	print_future(f, e);
	if (e->by_off)
		fprintf(f, "%s off\n", statements[CONF_EXT_BY]);
	else if (e->by_min != 0)
		fprintf(f, "%s { min %llus }\n", statements[CONF_EXT_BY],
		    (unsigned long long)e->by_min);
	print_priority(f, e);
}

/* --- what it means --- */

unsigned int
conf_ext_offered(const struct conf_ext *e, unsigned int port)
{
	unsigned int	offered = 0;

	if (!e->future_off && (e->future_all || port == PORT_SUBMISSION ||
	    port == PORT_SUBMISSIONS))
		offered |= EXT_FUTURERELEASE;
	if (!e->by_off)
		offered |= EXT_DELIVERBY;
	if (!e->priority_off)
		offered |= EXT_MT_PRIORITY;
	return offered;
}

int64_t
conf_ext_release(const struct mail_params *m, int64_t arrival)
{
	if (m->holdfor != 0)
		return arrival + (int64_t)m->holdfor;
	return m->holduntil.p != NULL ? m->holduntil_time : 0;
}

enum ext_verdict
conf_ext_check(const struct conf_ext *e, const struct mail_params *m,
    int64_t now)
{
	int64_t	release = conf_ext_release(m, now);

	if (m->has_by && m->by_return && m->by < (int64_t)e->by_min)
		return EXT_BY_SHORT;
	if (m->holdfor == 0 && m->holduntil.p == NULL)
		return EXT_OK;
	if (release <= now)
		return EXT_HOLD_PAST;
	if (release - now > (int64_t)e->future_max)
		return EXT_HOLD_FAR;
	/* RFC 4865 section 5.2.2 */
	if (m->has_by && release - now > m->by)
		return EXT_HOLD_BY;
	return EXT_OK;
}

bool
conf_ext_possible(const struct conf_ext *e, const struct mail_params *m)
{
	bool	until = m->holduntil.p != NULL;

	if ((until || m->holdfor != 0) && e->future_off)
		return false;
	if ((m->has_by && e->by_off) || (m->has_priority && e->priority_off))
		return false;
	if (until && m->has_by && m->by <= 0)
		return false;
	if (!until)
		return conf_ext_check(e, m, 0) == EXT_OK;
	return !m->has_by || !m->by_return || m->by >= (int64_t)e->by_min;
}
