/*
 * The configuration as a whole: parsing from a file or from memory, finding
 * by name, printing the canonical text, freeing. See conf.h.
 *
 * The canonical text has one statement a line, every value that is set, and
 * leaves out what is not (a default of the process that uses it). Every
 * string is quoted, so that whatever a string may hold comes back.
 */
#include <sys/types.h>

#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/conf.h"
#include "common/conf_mech.h"
#include "common/conf_build.h"
#include "common/conf_lex.h"
#include "common/conf_table.h"

static struct conf *
conf_new(void)
{
	struct conf	*conf;

	if ((conf = calloc(1, sizeof(*conf))) == NULL)
		err(1, "calloc");
	conf->log_level = LOG_INFO;
	conf_limits_default(&conf->limits);
	conf_login_default(&conf->login);
	conf_pool_default(&conf->pool);
	conf_ext_default(&conf->ext);
	conf_bounce_default(&conf->bounce);
	TAILQ_INIT(&conf->appends);
	TAILQ_INIT(&conf->proxies);
	TAILQ_INIT(&conf->barred);
	TAILQ_INIT(&conf->trusted);
	TAILQ_INIT(&conf->pkis);
	TAILQ_INIT(&conf->auths);
	TAILQ_INIT(&conf->tables);
	TAILQ_INIT(&conf->relays);
	TAILQ_INIT(&conf->listeners);
	TAILQ_INIT(&conf->matches);
	TAILQ_INIT(&conf->tenants);
	RB_INIT(&conf->tenants_by_name);
	return conf;
}

/* Parse what was pushed, and free the lexer. */
static struct conf *
conf_parse(struct conf_lex *lex)
{
	struct conf_build	 build = { .lex = lex, .conf = conf_new() };
	unsigned int		 nerrors;

	if (conf_lex_errors(lex) == 0) {
		conf_grammar(&build);
		conf_build_finish(&build);
	}
	nerrors = conf_lex_errors(lex);
	conf_lex_free(lex);
	if (nerrors == 0)
		return build.conf;
	conf_free(build.conf);
	return NULL;
}

struct conf *
conf_parse_file(const char *path, const struct conf_macro *macros,
    size_t nmacros, FILE *errors)
{
	struct conf_lex	*lex = conf_lex_new(errors);
	size_t		 i;

	for (i = 0; i < nmacros; i++)
		conf_lex_preset(lex, macros[i].name, macros[i].value);
	conf_lex_push_file(lex, path);
	return conf_parse(lex);
}

struct conf *
conf_parse_text(const char *text, size_t len, const char *name, FILE *errors)
{
	struct conf_lex	*lex = conf_lex_new(errors);

	conf_lex_push_text(lex, text, len, name);
	return conf_parse(lex);
}

/* " WORD STRING", quoted. */
static void
print_string(FILE *f, const char *word, const char *s)
{
	fprintf(f, "%s\"", word);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

/* The same for one that may be unset. */
static void
print_option(FILE *f, const char *word, const char *s)
{
	if (s != NULL)
		print_string(f, word, s);
}

static const char *
level_word(int level)
{
	switch (level) {
	case LOG_ERR:
		return "error";
	case LOG_WARNING:
		return "warning";
	case LOG_NOTICE:
		return "notice";
	case LOG_DEBUG:
		return "debug";
	default:
		return "info";
	}
}

static void
print_globals(FILE *f, const struct conf *conf)
{
	print_string(f, "hostname ", conf->hostname);
	fprintf(f, "\nlog level %s\n", level_word(conf->log_level));
	if (conf->frontend_workers != 0)
		fprintf(f, "frontend workers %u\n", conf->frontend_workers);
	if (conf->relay_workers != 0)
		fprintf(f, "relay workers %u\n", conf->relay_workers);
	print_string(f, "control socket ", conf->socket);
	print_option(f, " group ", conf->socket_group);
	print_string(f, "\nqueue { path ", conf->spool);
	fputs(" }\n", f);
}

static void
print_networks(FILE *f, const char *word, const struct conf_networks *networks)
{
	const struct conf_network	*n;
	char				 buf[NETWORK_TEXT_MAX];

	if (TAILQ_EMPTY(networks))
		return;
	fprintf(f, "%s from {", word);
	TAILQ_FOREACH(n, networks, entry)
		fprintf(f, " %s", network_print(&n->net, buf, sizeof(buf)));
	fputs(" }\n", f);
}

/* What holds for every session. */
static void
print_sessions(FILE *f, const struct conf *conf)
{
	conf_limits_print(f, &conf->limits);
	conf_login_print(f, &conf->login);
	conf_rates_print(f, conf);
	conf_pool_print(f, &conf->pool);
	conf_ext_print(f, &conf->ext);
	conf_bounce_print(f, &conf->bounce);
	if (conf->convert_off)
		fputs("convert off\n", f);
	if (conf->early_reject)
		fputs("early-talker reject\n", f);
	print_networks(f, "proxy", &conf->proxies);
	print_networks(f, "bar", &conf->barred);
	print_networks(f, "trust", &conf->trusted);
}

static void
print_auth(FILE *f, const struct conf_auth *auth)
{
	print_string(f, "auth ", auth->name);
	fputs(" {", f);
	if (auth->pam_service != NULL)
		print_string(f, " pam service ", auth->pam_service);
	if (auth->pam_limit != 0)
		fprintf(f, " limit %u", auth->pam_limit);
	if (auth->expired_hide)
		fputs(" expired-password hide", f);
	if (auth->cache == 0)
		fputs(" cache off", f);
	else if (auth->cache != CONF_CACHE_DEFAULT)
		fprintf(f, " cache %us", auth->cache);
	if (auth->passwd != NULL)
		print_string(f, " passwd file:", auth->passwd);
	conf_identity_print(f, auth);
	fputs(" mech {", f);
	conf_mech_print(f, auth->mechs);
	fputs(" }", f);
	print_string(f, " realm ", auth->realm);
	fputs(" }\n", f);
}

static void
print_table(FILE *f, const struct conf_table *table)
{
	const struct conf_row	*row;

	print_string(f, "table ", table->name);
	if (conf_table_remote(table)) {
		conf_table_print(f, table);
		return;
	}
	if (table->path != NULL) {
		print_string(f, " file:", table->path);
		fputc('\n', f);
		return;
	}
	fputs(" {", f);
	TAILQ_FOREACH(row, &table->rows, entry) {
		print_string(f, "\n\t", row->key);
		print_option(f, " = ", row->value);
	}
	fputs("\n}\n", f);
}

static void
print_relay_host(FILE *f, const struct conf_relay *r)
{
	print_string(f, "host ", r->host);
	fprintf(f, " port %u", r->port);
	if (r->tls != CONF_TLS_NONE)
		fprintf(f, " %s%s", r->tls == CONF_TLS_STARTTLS ? "starttls" :
		    "tls", r->verify ? " verify" : "");
	print_option(f, " ca ", r->ca);
	print_option(f, " helo ", r->helo);
	if (r->auth_table != NULL) {
		print_string(f, " auth <", r->auth_table);
		print_string(f, "> ", r->auth_label);
	}
	if (r->concurrency != 0)
		fprintf(f, " concurrency %u", r->concurrency);
	if (r->per_tenant != 0)
		fprintf(f, " per-tenant %u", r->per_tenant);
	if (r->per_user != 0)
		fprintf(f, " per-user %u", r->per_user);
}

static void
print_relay(FILE *f, const struct conf_relay *r)
{
	unsigned int	 i;

	print_string(f, "relay ", r->name);
	fputs(" { ", f);
	if (r->kind == CONF_RELAY_MAILDIR)
		print_string(f, "maildir ", r->maildir);
	else
		print_relay_host(f, r);
	if (r->nretry != 0) {
		fputs(" retry {", f);
		for (i = 0; i < r->nretry; i++)
			fprintf(f, " %us", r->retry[i]);
		fputs(" }", f);
	}
	if (r->expire != 0)
		fprintf(f, " expire %us", r->expire);
	if (r->warn != 0)
		fprintf(f, " warn %us", r->warn);
	fputs(" }\n", f);
}

static void
print_listener(FILE *f, const struct conf_listener *l)
{
	fprintf(f, "listen on %s port %u %s%s%s%s%s", l->address, l->port,
	    l->tls == CONF_LISTEN_TLS ? "tls" : "starttls",
	    l->optional ? " optional" : "", l->insecure ? " insecure" : "",
	    l->proxy & CONF_PROXY_V1 ? " proxy-v1" : "",
	    l->proxy & CONF_PROXY_V2 ? " proxy-v2" : "");
	print_string(f, " pki ", l->pki);
	print_string(f, " auth ", l->auth);
	if (l->grants)
		fputs(" grants allow", f);
	fputc('\n', f);
}

static void
print_match(FILE *f, const struct conf_match *m)
{
	const struct conf_sender	*s;

	fprintf(f, "#:%d\nmatch from %s", m->line, m->local ? "local" : "auth");
	print_option(f, " user ", m->user);
	conf_except_print(f, m);
	fputs(" sender {", f);
	TAILQ_FOREACH(s, &m->senders, entry) {
		if (s->kind == CONF_SENDER_TABLE) {
			print_string(f, " <", s->table);
			fputc('>', f);
		} else
			fputs(s->kind == CONF_SENDER_OWN ? " own" : " any", f);
	}
	fputs(" }", f);
	if (m->mismatch != CONF_MISMATCH_REJECT)
		fprintf(f, " from-mismatch %s",
		    conf_mismatch_word(m->mismatch));
	print_string(f, " relay ", m->relay);
	if (m->priority != 0)
		fprintf(f, " priority %d", m->priority);
	fputc('\n', f);
}

/* What stands in the tenant of that name; NULL: in none. */
static void
print_within(FILE *f, const struct conf *conf, const char *tenant)
{
	const struct conf_auth		*auth;
	const struct conf_table		*table;
	const struct conf_relay		*relay;

	TAILQ_FOREACH(auth, &conf->auths, entry)
		if (auth->tenant == tenant)
			print_auth(f, auth);
	TAILQ_FOREACH(table, &conf->tables, entry)
		if (table->tenant == tenant)
			print_table(f, table);
	TAILQ_FOREACH(relay, &conf->relays, entry)
		if (relay->tenant == tenant)
			print_relay(f, relay);
}

static void
print_matches(FILE *f, const struct conf_matches *matches)
{
	const struct conf_match	*m;

	TAILQ_FOREACH(m, matches, entry)
		print_match(f, m);
}

static void
print_tenants(FILE *f, const struct conf *conf)
{
	const struct conf_tenant	*t;

	TAILQ_FOREACH(t, &conf->tenants, entry) {
		print_string(f, "tenant ", t->name);
		fputs(" {\n", f);
		conf_rates_print_tenant(f, t);
		print_within(f, conf, t->name);
		print_matches(f, &t->matches);
		fputs("}\n", f);
	}
}

char *
conf_print(const struct conf *conf)
{
	const struct conf_pki		*pki;
	const struct conf_listener	*l;
	FILE				*f;
	char				*text = NULL;
	size_t				 len;

	if ((f = open_memstream(&text, &len)) == NULL)
		err(1, "open_memstream");
	print_globals(f, conf);
	print_sessions(f, conf);
	conf_header_print(f, conf);
	conf_rights_print(f, conf);
	TAILQ_FOREACH(pki, &conf->pkis, entry) {
		print_string(f, "pki ", pki->name);
		print_string(f, " { cert ", pki->cert);
		print_string(f, " key ", pki->key);
		fputs(" }\n", f);
	}
	print_within(f, conf, NULL);
	print_tenants(f, conf);
	TAILQ_FOREACH(l, &conf->listeners, entry)
		print_listener(f, l);
	if (conf->local != NULL) {
		print_string(f, "listen on socket ", conf->local);
		fputc('\n', f);
	}
	print_matches(f, &conf->matches);
	if (fclose(f) == EOF || text == NULL)
		err(1, "open_memstream");
	return text;
}

static void
table_free(struct conf_table *table)
{
	struct conf_row	*row;

	while ((row = TAILQ_FIRST(&table->rows)) != NULL) {
		TAILQ_REMOVE(&table->rows, row, entry);
		free(row->key);
		free(row->value);
		free(row);
	}
	free(table->name);
	free(table->path);
	conf_table_clear(table);
	free(table);
}

static void
relay_free(struct conf_relay *r)
{
	free(r->name);
	free(r->host);
	free(r->ca);
	free(r->helo);
	free(r->auth_table);
	free(r->auth_label);
	free(r->maildir);
	free(r);
}

static void
match_free(struct conf_match *m)
{
	struct conf_sender	*s;

	while ((s = TAILQ_FIRST(&m->senders)) != NULL) {
		TAILQ_REMOVE(&m->senders, s, entry);
		free(s->table);
		free(s);
	}
	free(m->user);
	free(m->relay);
	free(m);
}

static void
tenant_free(struct conf_tenant *t)
{
	struct conf_match	*m;

	while ((m = TAILQ_FIRST(&t->matches)) != NULL) {
		TAILQ_REMOVE(&t->matches, m, entry);
		match_free(m);
	}
	free(t->name);
	free(t);
}

static void
pki_free(struct conf_pki *pki)
{
	free(pki->name);
	free(pki->cert);
	free(pki->key);
	free(pki);
}

static void
auth_free(struct conf_auth *auth)
{
	free(auth->name);
	free(auth->pam_service);
	free(auth->passwd);
	free(auth->realm);
	conf_identity_free(auth);
	free(auth);
}

static void
listener_free(struct conf_listener *l)
{
	free(l->address);
	free(l->pki);
	free(l->auth);
	free(l);
}

#define FREE_ALL(head, type, function) do {				\
	struct type	*item_;						\
									\
	while ((item_ = TAILQ_FIRST(head)) != NULL) {			\
		TAILQ_REMOVE(head, item_, entry);			\
		function(item_);					\
	}								\
} while (0)

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	conf_header_free(conf);
	conf_bounce_free(&conf->bounce);
	FREE_ALL(&conf->proxies, conf_network, free);
	FREE_ALL(&conf->barred, conf_network, free);
	FREE_ALL(&conf->trusted, conf_network, free);
	FREE_ALL(&conf->pkis, conf_pki, pki_free);
	FREE_ALL(&conf->auths, conf_auth, auth_free);
	FREE_ALL(&conf->tables, conf_table, table_free);
	FREE_ALL(&conf->relays, conf_relay, relay_free);
	FREE_ALL(&conf->listeners, conf_listener, listener_free);
	FREE_ALL(&conf->matches, conf_match, match_free);
	FREE_ALL(&conf->tenants, conf_tenant, tenant_free);
	free(conf->hostname);
	free(conf->spool);
	free(conf->socket);
	free(conf->socket_group);
	free(conf->local);
	free(conf->subaddress);
	free(conf);
}

#define FIND(head, item, name) do {					\
	TAILQ_FOREACH(item, head, entry) {				\
		if (strcmp((item)->name, name) == 0)			\
			return item;					\
	}								\
	return NULL;							\
} while (0)

struct conf_pki *
conf_pki_find(const struct conf *conf, const char *name)
{
	struct conf_pki	*pki;

	FIND(&conf->pkis, pki, name);
}

struct conf_auth *
conf_auth_find(const struct conf *conf, const char *name)
{
	struct conf_auth	*auth;

	FIND(&conf->auths, auth, name);
}

struct conf_table *
conf_table_find(const struct conf *conf, const char *name)
{
	struct conf_table	*table;

	FIND(&conf->tables, table, name);
}

struct conf_relay *
conf_relay_find(const struct conf *conf, const char *name)
{
	struct conf_relay	*relay;

	FIND(&conf->relays, relay, name);
}

struct conf_listener *
conf_listener_find(const struct conf *conf, unsigned int index)
{
	struct conf_listener	*l;

	TAILQ_FOREACH(l, &conf->listeners, entry) {
		if (l->index == index)
			return l;
	}
	return NULL;
}
