/*
 * What the statements of the configuration mean: the actions of conf.y.
 *
 * Each function takes words as they stand in the text, checks them, reports
 * what is wrong through the lexer (which knows the line) and goes on, so that
 * one run shows all errors. What is built hangs on the struct conf from the
 * start; conf_free() frees it whatever state the errors left it in. Names
 * that refer to other statements are checked at the end, so that their order
 * does not matter.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <ctype.h>
#include <err.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "common/conf_build.h"
#include "common/conf_mech.h"
#include "common/log.h"
#include "config.h"

#define NAMES_MAX	5000
#define MATCHES_MAX	10000
#define EXPIRE_MAX	(366U * 86400)
#define NETWORKS_MAX	10000

enum ref_kind { REF_PKI, REF_AUTH, REF_SENDERS, REF_SECRETS, REF_RELAY,
	REF_USERS };

/* A name used at a place of the text. */
struct conf_ref {
	struct conf_ref	*next;
	enum ref_kind	 kind;
	const char	*name;
	const char	*tenant;	/* within which it stands; or NULL */
	const char	*file;
	int		 line;
};

static void *
xcalloc(size_t size)
{
	void	*p;

	if ((p = calloc(1, size)) == NULL)
		err(1, "calloc");
	return p;
}

static char *
xstrdup(const char *s)
{
	char	*copy;

	if ((copy = strdup(s)) == NULL)
		err(1, "strdup");
	return copy;
}

void
conf_build_once(struct conf_build *b, enum conf_option option,
    const char *word)
{
	if (b->seen & option)
		conf_lex_error(b->lex, "%s is given twice", word);
	b->seen |= option;
}

void
conf_build_set(struct conf_build *b, char **slot, const char *value,
    const char *what)
{
	if (*slot != NULL)
		conf_lex_error(b->lex, "%s is given twice", what);
	else if (*value == '\0')
		conf_lex_error(b->lex, "%s is empty", what);
	else
		*slot = xstrdup(value);
}

void
conf_build_path(struct conf_build *b, char **slot, const char *value,
    const char *what)
{
	if (*value != '/')
		conf_lex_error(b->lex, "%s: %s is not an absolute path", what,
		    log_q(value));
	else if (strlen(value) >= PATH_MAX)
		conf_lex_error(b->lex, "%s: the path is too long", what);
	else
		conf_build_set(b, slot, value, what);
}

void
conf_build_hostname(struct conf_build *b, char **slot, const char *value,
    const char *what, const char *extra)
{
	const unsigned char	*p = (const unsigned char *)value;

	while (*p < 0x80 && *p != '\0' && (isalnum(*p) ||
	    strchr("-._", *p) != NULL || strchr(extra, *p) != NULL))
		p++;
	if (*p != '\0' || strlen(value) > 255)
		conf_lex_error(b->lex, "%s: %s is not a name", what,
		    log_q(value));
	else
		conf_build_set(b, slot, value, what);
}

unsigned int
conf_build_number(struct conf_build *b, const char *word, unsigned int min,
    unsigned int max, const char *what)
{
	const char	*why, *p;
	long long	 n;

	for (p = word; isdigit((unsigned char)*p); p++)
		;
	n = strtonum(word, min, max, &why);
	if (why != NULL || *p != '\0') {
		conf_lex_error(b->lex, "%s: %s is not a number from %u to %u",
		    what, log_q(word), min, max);
		return min;
	}
	return (unsigned int)n;
}

/* Seconds of a duration such as 90s, 5m, 1h, 5d or 2w; 0 when it is none. */
static unsigned int
duration(struct conf_build *b, const char *word, const char *what)
{
	static const struct { char letter; unsigned int seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 7 * 86400 }
	};
	unsigned long long	 n = 0;
	const char		*p;
	size_t			 i;

	for (p = word; isdigit((unsigned char)*p) && n <= EXPIRE_MAX; p++)
		n = n * 10 + (unsigned int)(*p - '0');
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (p != word && p[0] == units[i].letter && p[1] == '\0' &&
		    n > 0 && n * units[i].seconds <= EXPIRE_MAX)
			return (unsigned int)n * units[i].seconds;
	}
	conf_lex_error(b->lex, "%s: %s is not a time such as 30s, 5m, 1h or 2d,"
	    " at most a year", what, log_q(word));
	return 0;
}

void
conf_build_workers(struct conf_build *b, bool *seen, unsigned int *slot,
    const char *word)
{
	if (*seen)
		conf_lex_error(b->lex, "workers is given twice");
	*seen = true;
	*slot = conf_build_number(b, word, 1, 256, "workers");
}

void
conf_build_limits(struct conf_build *b)
{
	if (b->limits_done)
		conf_lex_error(b->lex, "limit session is given twice");
	b->limits_done = true;
	b->words_only = true;
}

void
conf_build_early(struct conf_build *b, const char *word)
{
	if (b->early_seen)
		conf_lex_error(b->lex, "early-talker is given twice");
	b->early_seen = true;
	if (strcmp(word, "reject") == 0)
		b->conf->early_reject = true;
	else if (strcmp(word, "accept") != 0)
		conf_lex_error(b->lex, "unknown word %s: early-talker is "
		    "accept or reject", log_q(word));
}

void
conf_build_convert(struct conf_build *b, const char *word)
{
	if (b->convert_seen)
		conf_lex_error(b->lex, "convert is given twice");
	b->convert_seen = true;
	if (strcmp(word, "off") == 0)
		b->conf->convert_off = true;
	else if (strcmp(word, "7bit") != 0)
		conf_lex_error(b->lex, "unknown word %s: convert is 7bit or "
		    "off", log_q(word));
}

void
conf_build_networks(struct conf_build *b, struct conf_networks *networks,
    const struct conf_list *list, const char *what)
{
	struct conf_network	*n;

	for (; list != NULL; list = list->next) {
		n = xcalloc(sizeof(*n));
		if (!network_parse(list->text, &n->net)) {
			conf_lex_error(b->lex, "%s: %s is no network such as "
			    "192.0.2.0/24 or 2001:db8::/32", what,
			    log_q(list->text));
			free(n);
		} else if (b->nnetworks++ >= NETWORKS_MAX) {
			conf_lex_error(b->lex, "more than %d networks",
			    NETWORKS_MAX);
			free(n);
			return;
		} else
			TAILQ_INSERT_TAIL(networks, n, entry);
	}
}

void
conf_build_proxy(struct conf_build *b, unsigned int version, const char *word)
{
	if (b->listen.proxy & version)
		conf_lex_error(b->lex, "%s is given twice", word);
	b->listen.proxy |= version;
}

/* A listener that waits for PROXY from nobody would serve nobody. */
static void
proxy_check(struct conf_build *b)
{
	struct conf_listener	*l;

	if (!TAILQ_EMPTY(&b->conf->proxies))
		return;
	TAILQ_FOREACH(l, &b->conf->listeners, entry)
		if (l->proxy != 0) {
			conf_lex_error(b->lex, "proxy-v1 and proxy-v2 need "
			    "proxy from { ... }");
			return;
		}
}

void
conf_build_level(struct conf_build *b, const char *word)
{
	static const struct { const char *word; int level; } levels[] = {
		{ "error", LOG_ERR }, { "warning", LOG_WARNING },
		{ "notice", LOG_NOTICE }, { "info", LOG_INFO },
		{ "debug", LOG_DEBUG }
	};
	size_t	 i;

	if (b->level_seen)
		conf_lex_error(b->lex, "log level is given twice");
	b->level_seen = true;
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].word, word) == 0) {
			b->conf->log_level = levels[i].level;
			return;
		}
	}
	conf_lex_error(b->lex, "unknown word %s: log level is error, warning, "
	    "notice, info or debug", log_q(word));
}

char *
conf_build_name(struct conf_build *b, const char *name, const void *already,
    const char *what)
{
	const unsigned char	*p = (const unsigned char *)name;

	while (*p > ' ' && *p != 0x7f)
		p++;
	if (*p != '\0' || *name == '\0' || strlen(name) > CONF_NAME_MAX)
		conf_lex_error(b->lex, "%s is no name for a %s: 1 to %d "
		    "octets, no blanks", log_q(name), what, CONF_NAME_MAX);
	else if (already != NULL)
		conf_lex_error(b->lex, "%s %s is defined twice", what,
		    log_q(name));
	if (++b->nnames > NAMES_MAX)
		conf_lex_error(b->lex, "more than %d names", NAMES_MAX);
	b->seen = 0;
	return xstrdup(name);
}

/* The tenant within which this stands; or NULL. */
static const char *
tenant_name(const struct conf_build *b)
{
	return b->tenant != NULL ? b->tenant->name : NULL;
}

static void
ref_add(struct conf_build *b, enum ref_kind kind, const char *name)
{
	struct conf_ref	*ref = conf_lex_alloc(b->lex, sizeof(*ref));
	char		*copy = conf_lex_alloc(b->lex, strlen(name) + 1);

	memcpy(copy, name, strlen(name));
	ref->kind = kind;
	ref->name = copy;
	ref->tenant = tenant_name(b);
	ref->file = conf_lex_file(b->lex);
	ref->line = conf_lex_line(b->lex);
	ref->next = b->refs;
	b->refs = ref;
}

void
conf_build_ref_users(struct conf_build *b, const char *table)
{
	ref_add(b, REF_USERS, table);
}

void
conf_build_ref_listen(struct conf_build *b, const char *pki, const char *auth)
{
	ref_add(b, REF_PKI, pki);
	ref_add(b, REF_AUTH, auth);
}

void
conf_build_pki_begin(struct conf_build *b, const char *name)
{
	b->pki = xcalloc(sizeof(*b->pki));
	b->pki->name = conf_build_name(b, name, conf_pki_find(b->conf, name),
	    "pki");
	TAILQ_INSERT_TAIL(&b->conf->pkis, b->pki, entry);
}

void
conf_build_pki_end(struct conf_build *b)
{
	if (b->pki->cert == NULL || b->pki->key == NULL)
		conf_lex_error(b->lex, "pki %s: cert and key are needed",
		    log_q(b->pki->name));
}

void
conf_build_auth_begin(struct conf_build *b, const char *name)
{
	b->auth = xcalloc(sizeof(*b->auth));
	b->auth->name = conf_build_name(b, name, conf_auth_find(b->conf, name),
	    "auth");
	b->auth->cache = CONF_CACHE_DEFAULT;
	b->auth->tenant = tenant_name(b);
	TAILQ_INSERT_TAIL(&b->conf->auths, b->auth, entry);
}

void
conf_build_mech(struct conf_build *b, const struct conf_list *mech)
{
	const struct conf_mech	*m;

	for (; mech != NULL; mech = mech->next) {
		if ((m = conf_mech_word(mech->text)) == NULL) {
			conf_lex_error(b->lex, "unknown word %s: mech is "
			    "plain, login, scram-sha-256, scram-sha-256-plus, "
			    "scram-sha-1, scram-sha-1-plus, oauthbearer, "
			    "xoauth2 or external",
			    log_q(mech->text));
			continue;
		}
		if (b->auth->mechs & m->flag)
			conf_lex_error(b->lex, "mech %s is given twice",
			    mech->text);
		b->auth->mechs |= m->flag;
	}
}

/*
 * Where nothing is said: what all users of the block can use. Those of PAM
 * cannot use SCRAM, and a client that is offered it would try nothing else.
 */
static unsigned int
default_mechs(const struct conf_auth *auth)
{
	unsigned int	 mechs = CONF_MECH_PLAIN | CONF_MECH_LOGIN;

	if (auth->pam_service == NULL && auth->passwd == NULL)
		mechs = 0;
	if (auth->oauth.keys != NULL)
		mechs |= CONF_MECH_OAUTHBEARER | CONF_MECH_XOAUTH2;
	if (auth->pam_service == NULL && auth->passwd != NULL)
		mechs |= CONF_MECH_SCRAM_SHA256 | CONF_MECH_SCRAM_SHA256_PLUS;
	return mechs;
}

/* Every mechanism of the block must have what it needs. */
static void
check_mechs(struct conf_build *b, const struct conf_auth *auth)
{
	const struct conf_mech	*m;

	for (m = conf_mechs; m->flag != 0; m++)
		if ((auth->mechs & m->flag) != 0 && auth->passwd == NULL &&
		    m->passwd)
			conf_lex_error(b->lex, "auth %s: mech %s needs a "
			    "passwd file", log_q(auth->name), m->word);
}

void
conf_build_cache(struct conf_build *b, const char *word)
{
	uint64_t	 seconds = 0;

	if (strcmp(word, "off") != 0 && !conf_limit_value(LIMIT_TIME, word, 1,
	    3600, &seconds))
		conf_lex_error(b->lex, "cache: %s is not off or %s from 1 to "
		    "3600", log_q(word), conf_limit_kind(LIMIT_TIME));
	b->auth->cache = (unsigned int)seconds;
}

void
conf_build_expired(struct conf_build *b, const char *word)
{
	b->auth->expired_hide = strcmp(word, "hide") == 0;
	if (!b->auth->expired_hide && strcmp(word, "say") != 0)
		conf_lex_error(b->lex, "unknown word %s: expired-password is "
		    "say or hide", log_q(word));
}

void
conf_build_auth_end(struct conf_build *b)
{
	struct conf_auth	*auth = b->auth;

	if (auth->pam_service == NULL && auth->passwd == NULL &&
	    (b->seen & (OPT_OAUTH | OPT_CLIENTS)) == 0)
		conf_lex_error(b->lex, "auth %s: pam service, passwd, oauth or "
		    "client-certificates is needed", log_q(auth->name));
	else if (auth->pam_service != NULL &&
	    strchr(auth->pam_service, '/') != NULL)
		conf_lex_error(b->lex, "pam service: %s is not a name",
		    log_q(auth->pam_service));
	if (!(b->seen & OPT_MECH))
		auth->mechs = default_mechs(auth);
	check_mechs(b, auth);
	conf_identity_check(b, auth);
}

void
conf_build_table_begin(struct conf_build *b, const char *name)
{
	b->table = xcalloc(sizeof(*b->table));
	TAILQ_INIT(&b->table->rows);
	b->table->name = conf_build_name(b, name,
	    conf_table_find(b->conf, name), "table");
	b->table->tenant = tenant_name(b);
	TAILQ_INSERT_TAIL(&b->conf->tables, b->table, entry);
}

void
conf_build_row(struct conf_build *b, const char *key, const char *value)
{
	struct conf_row	*row;

	if (*key == '\0' || (value != NULL && *value == '\0')) {
		conf_lex_error(b->lex, "table %s: a row is empty",
		    log_q(b->table->name));
		return;
	}
	row = xcalloc(sizeof(*row));
	row->key = xstrdup(key);
	row->value = value != NULL ? xstrdup(value) : NULL;
	TAILQ_INSERT_TAIL(&b->table->rows, row, entry);
}

void
conf_build_relay_begin(struct conf_build *b, const char *name)
{
	b->relay = xcalloc(sizeof(*b->relay));
	b->relay->name = conf_build_name(b, name,
	    conf_relay_find(b->conf, name), "relay");
	b->relay->index = b->nrelays++;
	b->relay->tenant = tenant_name(b);
	TAILQ_INSERT_TAIL(&b->conf->relays, b->relay, entry);
}

void
conf_build_retry(struct conf_build *b, const struct conf_list *retry)
{
	struct conf_relay	*relay = b->relay;
	unsigned int		 seconds;

	for (; retry != NULL; retry = retry->next) {
		if (relay->nretry == CONF_RETRY_MAX) {
			conf_lex_error(b->lex, "retry has more than %d times",
			    CONF_RETRY_MAX);
			return;
		}
		if ((seconds = duration(b, retry->text, "retry")) != 0)
			relay->retry[relay->nretry++] = seconds;
	}
}

void
conf_build_expire(struct conf_build *b, const char *word)
{
	b->relay->expire = duration(b, word, "expire");
}

void
conf_build_warn(struct conf_build *b, const char *word)
{
	b->relay->warn = duration(b, word, "warn");
}

void
conf_build_relay_auth(struct conf_build *b, const char *table,
    const char *label)
{
	if (b->relay->auth_table == NULL)
		ref_add(b, REF_SECRETS, table);
	conf_build_set(b, &b->relay->auth_table, table, "auth");
	if (b->relay->auth_label == NULL)
		conf_build_set(b, &b->relay->auth_label, label, "auth's label");
}

static void
relay_host_end(struct conf_build *b, struct conf_relay *r)
{
	const char	*name = log_q(r->name);

	if (r->tls == CONF_TLS_NONE && r->auth_table != NULL)
		conf_lex_error(b->lex, "relay %s: auth needs starttls or tls",
		    name);
	if (r->ca != NULL && !r->verify)
		conf_lex_error(b->lex, "relay %s: ca is for verify alone",
		    name);
	if (r->port == 0)
		r->port = r->tls == CONF_TLS_NONE ? 25 :
		    r->tls == CONF_TLS_STARTTLS ? 587 : 465;
}

void
conf_build_relay_end(struct conf_build *b)
{
	struct conf_relay	*r = b->relay;

	if ((r->host == NULL) == (r->maildir == NULL))
		conf_lex_error(b->lex, "relay %s: either host or maildir is "
		    "needed", log_q(r->name));
	if (r->maildir == NULL) {
		relay_host_end(b, r);
		return;
	}
	r->kind = CONF_RELAY_MAILDIR;
	if (b->seen & (OPT_PORT | OPT_TLS | OPT_CONCURRENCY |
	    OPT_PER_TENANT | OPT_PER_USER) ||
	    r->ca != NULL || r->helo != NULL || r->auth_table != NULL)
		conf_lex_error(b->lex, "relay %s: only retry, expire and warn "
		    "go with maildir", log_q(r->name));
}

void
conf_build_match_begin(struct conf_build *b)
{
	b->line = conf_lex_line(b->lex);
	b->said_line = conf_lex_said_line(b->lex);
}

/* Within a tenant a rule ends where the next statement has begun. */
static void
match_ref(struct conf_build *b, enum ref_kind kind, const char *name)
{
	ref_add(b, kind, name);
	b->refs->line = b->line;
}

static struct conf_match *
match_new(struct conf_build *b, const struct conf_list *senders,
    const char *relay)
{
	struct conf_match	*m;
	struct conf_sender	*s;

	if (++b->nmatches > MATCHES_MAX) {
		conf_lex_error(b->lex, "more than %d matches", MATCHES_MAX);
		return NULL;
	}
	m = xcalloc(sizeof(*m));
	TAILQ_INIT(&m->senders);
	m->relay = xstrdup(relay);
	m->line = b->said_line;
	m->except = b->except;
	b->except = 0;
	conf_build_match_mismatch(b, m);
	conf_build_match_priority(b, m);
	m->tenant = tenant_name(b);
	TAILQ_INSERT_TAIL(&b->conf->matches, m, entry);
	match_ref(b, REF_RELAY, relay);
	for (; senders != NULL; senders = senders->next) {
		s = xcalloc(sizeof(*s));
		s->kind = senders->sender;
		if (s->kind == CONF_SENDER_TABLE) {
			s->table = xstrdup(senders->text);
			match_ref(b, REF_SENDERS, s->table);
		}
		TAILQ_INSERT_TAIL(&m->senders, s, entry);
	}
	return m;
}

void
conf_build_match(struct conf_build *b, const struct conf_list *senders,
    const char *relay)
{
	(void)match_new(b, senders, relay);
}

void
conf_build_match_local(struct conf_build *b, const char *user,
    const struct conf_list *senders, const char *relay)
{
	struct conf_match	*m;

	if ((m = match_new(b, senders, relay)) == NULL)
		return;
	if (b->tenant != NULL)
		conf_lex_error(b->lex, "match from local does not stand in a "
		    "tenant: local users are in none");
	m->local = true;
	if (user != NULL)
		conf_build_set(b, &m->user, user, "user");
}

/* Mark the tables that hold secrets; senders must not come from those. */
static void
secrets_mark(struct conf_build *b)
{
	struct conf_ref		*ref;
	struct conf_table	*table;

	for (ref = b->refs; ref != NULL; ref = ref->next) {
		if (ref->kind != REF_SECRETS && ref->kind != REF_USERS)
			continue;
		if ((table = conf_table_find(b->conf, ref->name)) == NULL)
			continue;
		if (ref->kind == REF_USERS) {
			table->clients = true;
			continue;
		}
		table->secret = true;
		if (table->path == NULL || table->kind != CONF_TABLE_ROWS)
			conf_lex_error_at(b->lex, ref->file, ref->line,
			    "table %s holds passwords: it must be a file",
			    log_q(ref->name));
	}
}

static void
ref_check(struct conf_build *b, const struct conf_ref *ref)
{
	static const char *const	 what[] = {
		[REF_PKI] = "pki", [REF_AUTH] = "auth",
		[REF_SENDERS] = "table", [REF_SECRETS] = "table",
		[REF_RELAY] = "relay", [REF_USERS] = "table"
	};
	const struct conf_table		*table;
	const struct conf_relay		*relay;
	const void			*found = NULL;
	const char			*owner = NULL;

	switch (ref->kind) {
	case REF_PKI:
		found = conf_pki_find(b->conf, ref->name);
		break;
	case REF_AUTH:
		found = conf_auth_find(b->conf, ref->name);
		break;
	case REF_SENDERS:
	case REF_SECRETS:
		found = table = conf_table_find(b->conf, ref->name);
		owner = table != NULL ? table->tenant : NULL;
		if (table != NULL && table->secret && ref->kind == REF_SENDERS)
			conf_lex_error_at(b->lex, ref->file, ref->line,
			    "table %s holds passwords and cannot name senders",
			    log_q(ref->name));
		if (table != NULL && table->clients && ref->kind != REF_USERS)
			conf_lex_error_at(b->lex, ref->file, ref->line,
			    "table %s names users of certificates and nothing "
			    "else", log_q(ref->name));
		break;
	case REF_USERS:
		found = table = conf_table_find(b->conf, ref->name);
		owner = table != NULL ? table->tenant : NULL;
		if (table != NULL && (table->kind != CONF_TABLE_ROWS ||
		    table->path != NULL))
			conf_lex_error_at(b->lex, ref->file, ref->line,
			    "table %s names users of certificates: its rows "
			    "must stand here", log_q(ref->name));
		break;
	case REF_RELAY:
		found = relay = conf_relay_find(b->conf, ref->name);
		owner = relay != NULL ? relay->tenant : NULL;
		break;
	}
	if (found == NULL)
		conf_lex_error_at(b->lex, ref->file, ref->line,
		    "%s %s is not defined", what[ref->kind], log_q(ref->name));
	else if (ref->kind == REF_SENDERS && ref->tenant != NULL &&
	    owner == NULL)
		conf_lex_error_at(b->lex, ref->file, ref->line,
		    "table %s must stand in the tenant %s: users of others may "
		    "have the same names", log_q(ref->name),
		    log_q(ref->tenant));
	else if (!conf_tenant_may(ref->tenant, owner))
		conf_lex_error_at(b->lex, ref->file, ref->line,
		    "%s %s is the tenant's %s alone", what[ref->kind],
		    log_q(ref->name), log_q(owner));
}

/* Turn the references round: they were gathered last first. */
static void
refs_order(struct conf_build *b)
{
	struct conf_ref	*ref, *next, *turned = NULL;

	for (ref = b->refs; ref != NULL; ref = next) {
		next = ref->next;
		ref->next = turned;
		turned = ref;
	}
	b->refs = turned;
}

void
conf_build_finish(struct conf_build *b)
{
	struct conf		*conf = b->conf;
	struct conf_auth	*auth;
	struct conf_ref		*ref;

	conf_build_listen_clear(b);
	if (conf->hostname == NULL)
		conf_lex_error(b->lex, "hostname is needed");
	if (conf->spool == NULL)
		conf->spool = xstrdup(MSAD_SPOOL);
	if (conf->socket == NULL)
		conf->socket = xstrdup(MSAD_SOCKET);
	conf->message_size = conf->limits.size;
	proxy_check(b);
	conf_pool_finish(b);
	TAILQ_FOREACH(auth, &conf->auths, entry) {
		if (auth->realm == NULL && conf->hostname != NULL)
			auth->realm = xstrdup(conf->hostname);
	}
	conf_header_finish(b);
	conf_tenant_finish(b);
	conf_bounce_finish(b);
	refs_order(b);
	secrets_mark(b);
	for (ref = b->refs; ref != NULL; ref = ref->next)
		ref_check(b, ref);
}
