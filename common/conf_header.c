/*
 * The words of the configuration about header fields: from-mismatch and
 * append-domain. Called by the grammar in msad and in every child, and asked
 * by msad-frontend and msad-queue.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/address.h"
#include "common/conf.h"
#include "common/conf_build.h"
#include "common/conf_header.h"
#include "common/log.h"

static const char *const mismatch_words[] = {
	[CONF_MISMATCH_UNSET] = "",
	[CONF_MISMATCH_REJECT] = "reject",
	[CONF_MISMATCH_ADD_SENDER] = "add-sender",
	[CONF_MISMATCH_REWRITE] = "rewrite"
};

const char *
conf_mismatch_word(enum conf_mismatch m)
{
	return mismatch_words[m];
}

static enum conf_mismatch
mismatch(struct conf_build *b, const char *word)
{
	size_t	i;

	for (i = CONF_MISMATCH_REJECT; i <= CONF_MISMATCH_REWRITE; i++)
		if (strcmp(mismatch_words[i], word) == 0)
			return (enum conf_mismatch)i;
	conf_lex_error(b->lex, "unknown word %s: from-mismatch is reject, "
	    "add-sender or rewrite", log_q(word));
	return CONF_MISMATCH_REJECT;
}

void
conf_build_mismatch(struct conf_build *b, const char *word)
{
	if (b->conf->mismatch != CONF_MISMATCH_UNSET)
		conf_lex_error(b->lex, "from-mismatch is given twice");
	b->conf->mismatch = mismatch(b, word);
}

void
conf_build_match_mismatch(struct conf_build *b, struct conf_match *m)
{
	if (b->mismatch != NULL)
		m->mismatch = mismatch(b, b->mismatch);
	b->mismatch = NULL;
}

static void
append_add(struct conf_build *b, const char *label, const char *domain)
{
	struct conf_append	*a;

	if (strchr(label, '.') != NULL || (*label != '\0' &&
	    !address_domain_ok(SLICE_STR(label), false))) {
		conf_lex_error(b->lex, "append-domain: %s is not a name "
		    "without dots", log_q(label));
		return;
	}
	if (conf_append_find(&b->conf->appends, label, strlen(label)) != NULL) {
		conf_lex_error(b->lex, "append-domain for %s is given twice",
		    *label == '\0' ? "addresses without a domain" :
		    log_q(label));
		return;
	}
	if (b->nappends++ >= CONF_APPENDS_MAX) {
		conf_lex_error(b->lex, "more than %d names in append-domain",
		    CONF_APPENDS_MAX);
		return;
	}
	if ((a = calloc(1, sizeof(*a))) == NULL ||
	    (a->label = strdup(label)) == NULL ||
	    (a->domain = strdup(domain)) == NULL)
		err(1, "append-domain");
	TAILQ_INSERT_TAIL(&b->conf->appends, a, entry);
}

void
conf_build_append(struct conf_build *b, const struct conf_list *labels,
    const char *domain)
{
	if (!address_domain_ok(SLICE_STR(domain), false) ||
	    strchr(domain, '.') == NULL) {
		conf_lex_error(b->lex, "append-domain: %s is not a complete "
		    "domain", log_q(domain));
		return;
	}
	if (labels == NULL)
		append_add(b, "", domain);
	for (; labels != NULL; labels = labels->next) {
		if (*labels->text == '\0')
			conf_lex_error(b->lex, "append-domain: a name is "
			    "empty");
		else
			append_add(b, labels->text, domain);
	}
}

/* A statement that stands once and is one of two words; is it the second? */
static bool
second_word(struct conf_build *b, bool *seen, const char *what,
    const char *first, const char *second, const char *word)
{
	if (*seen)
		conf_lex_error(b->lex, "%s is given twice", what);
	*seen = true;
	if (strcmp(word, first) != 0 && strcmp(word, second) != 0)
		conf_lex_error(b->lex, "unknown word %s: %s is %s or %s",
		    log_q(word), what, first, second);
	return strcmp(word, second) == 0;
}

void
conf_build_literals(struct conf_build *b, const char *word)
{
	b->conf->literals_refused = second_word(b, &b->literals_seen,
	    "address-literals", "accept", "refuse", word);
}

void
conf_build_privacy(struct conf_build *b, const char *word)
{
	b->conf->client_shown = second_word(b, &b->privacy_seen,
	    "received-privacy", "on", "off", word);
}

void
conf_build_auth_results(struct conf_build *b)
{
	if (b->conf->auth_results)
		conf_lex_error(b->lex, "add-auth-results is given twice");
	b->conf->auth_results = true;
}

void
conf_header_finish(struct conf_build *b)
{
	struct conf_match	*m;

	if (b->conf->mismatch == CONF_MISMATCH_UNSET)
		b->conf->mismatch = CONF_MISMATCH_REJECT;
	TAILQ_FOREACH(m, &b->conf->matches, entry)
		if (m->mismatch == CONF_MISMATCH_UNSET)
			m->mismatch = b->conf->mismatch;
	/* Resolved: the canonical text has it in the rules alone. */
	b->conf->mismatch = CONF_MISMATCH_REJECT;
}

void
conf_header_print(FILE *f, const struct conf *conf)
{
	const struct conf_append	*a;

	if (conf->auth_results)
		fputs("add-auth-results\n", f);
	if (conf->literals_refused)
		fputs("address-literals refuse\n", f);
	if (conf->client_shown)
		fputs("received-privacy off\n", f);
	/* Names of domains need no quoting within the quotes. */
	TAILQ_FOREACH(a, &conf->appends, entry) {
		if (*a->label == '\0')
			fprintf(f, "append-domain \"%s\"\n", a->domain);
		else
			fprintf(f, "append-domain \"%s\" \"%s\"\n", a->label,
			    a->domain);
	}
}

void
conf_header_free(struct conf *conf)
{
	struct conf_append	*a;

	while ((a = TAILQ_FIRST(&conf->appends)) != NULL) {
		TAILQ_REMOVE(&conf->appends, a, entry);
		free(a->label);
		free(a->domain);
		free(a);
	}
}

const char *
conf_append_find(const struct conf_appends *appends, const char *label,
    size_t len)
{
	const struct conf_append	*a;

	TAILQ_FOREACH(a, appends, entry)
		if (strlen(a->label) == len &&
		    strncasecmp(a->label, label, len) == 0)
			return a->domain;
	return NULL;
}
