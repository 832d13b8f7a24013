/*
 * "bounce { ... }": who gets the reports that cannot be delivered themselves,
 * and how many reports one address gets. Part of the grammar (conf.y) and of
 * the canonical text; msad-queue follows it (report.c, report_wait.c).
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/conf.h"
#include "common/conf_build.h"
#include "common/log.h"

#define REPORTS_DEFAULT	100	/* an hour */
#define PATH_MAX_OCTETS	254	/* RFC 5321 section 4.5.3.1.3 */

void
conf_bounce_default(struct conf_bounce *c)
{
	memset(c, 0, sizeof(*c));
	c->reports = (struct conf_rate){ REPORTS_DEFAULT, 3600 };
}

void
conf_build_bounce(struct conf_build *b)
{
	struct conf_bounce	*c = &b->conf->bounce;

	if (c->done)
		conf_lex_error(b->lex, "bounce is given twice");
	c->done = true;
	b->bounce_line = conf_lex_line(b->lex);
	b->bounce_file = conf_lex_file(b->lex);
	b->words_only = true;
}

static void
build_postmaster(struct conf_build *b, const char *text)
{
	struct address	a;

	if (address_parse(SLICE_STR(text), &a) != ADDRESS_OK ||
	    a.domain.len == 0 || strlen(text) > PATH_MAX_OCTETS)
		conf_lex_error(b->lex, "postmaster: %s is not an address",
		    log_q(text));
	else
		conf_build_set(b, &b->conf->bounce.postmaster, text,
		    "postmaster");
}

static void
build_reports(struct conf_build *b, const char *text)
{
	struct conf_rate	*r = &b->conf->bounce.reports;

	if (b->bounce_reports)
		conf_lex_error(b->lex, "reports is given twice");
	b->bounce_reports = true;
	*r = (struct conf_rate){ 0, 0 };
	if (strcmp(text, "off") != 0 &&
	    !conf_rate_read(CONF_RATE_MESSAGES, text, r))
		conf_lex_error(b->lex, "reports: %s is not off or a rate such "
		    "as 100/hour", log_q(text));
}

void
conf_build_bounce_word(struct conf_build *b, const char *word,
    const char *text)
{
	if (strcmp(word, "postmaster") == 0)
		build_postmaster(b, text);
	else if (strcmp(word, "relay") == 0)
		conf_build_set(b, &b->conf->bounce.relay, text, "relay");
	else if (strcmp(word, "reports") == 0)
		build_reports(b, text);
	else
		conf_lex_error(b->lex, "unknown word %s in bounce",
		    log_q(word));
}

void
conf_bounce_finish(struct conf_build *b)
{
	const struct conf_bounce	*c = &b->conf->bounce;
	const struct conf_relay		*r;

	if ((c->postmaster == NULL) != (c->relay == NULL))
		conf_lex_error_at(b->lex, b->bounce_file, b->bounce_line,
		    "bounce: postmaster and relay stand together");
	if (c->relay == NULL)
		return;
	if ((r = conf_relay_find(b->conf, c->relay)) == NULL)
		conf_lex_error_at(b->lex, b->bounce_file, b->bounce_line,
		    "relay %s is not defined", log_q(c->relay));
	else if (!conf_tenant_may(NULL, r->tenant))
		conf_lex_error_at(b->lex, b->bounce_file, b->bounce_line,
		    "relay %s is the tenant's %s alone", log_q(c->relay),
		    log_q(r->tenant));
}

/* "WORD STRING", quoted. */
static void
print_string(FILE *f, const char *word, const char *s)
{
	fprintf(f, "%s \"", word);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputs("\", ", f);
}

void
conf_bounce_print(FILE *f, const struct conf_bounce *c)
{
	struct conf_bounce	def;

	conf_bounce_default(&def);
	if (c->postmaster == NULL && c->reports.n == def.reports.n &&
	    c->reports.period == def.reports.period)
		return;
	fputs("bounce { ", f);
	if (c->postmaster != NULL) {
		print_string(f, "postmaster", c->postmaster);
		print_string(f, "relay", c->relay);
	}
	fputs("reports ", f);
	conf_rate_print(f, &c->reports);
	fputs(" }\n", f);
}

void
conf_bounce_free(struct conf_bounce *c)
{
	free(c->postmaster);
	free(c->relay);
}
