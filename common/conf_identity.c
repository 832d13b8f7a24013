/*
 * "oauth { ... }" and "client-certificates { ... }" of auth blocks: whose
 * tokens and whose certificates count, and which user they name. Part of the
 * grammar (conf.y) and of the canonical text.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf_build.h"
#include "common/conf_identity.h"
#include "common/conf_mech.h"
#include "common/log.h"

void
conf_oauth_free(struct conf_oauth *o)
{
	unsigned int	 i;

	free(o->keys);
	free(o->issuer);
	free(o->audience);
	free(o->scope);
	free(o->claim);
	free(o->discovery);
	for (i = 0; i < o->nhosts; i++)
		free(o->hosts[i]);
	memset(o, 0, sizeof(*o));
}

void
conf_clients_free(struct conf_clients *c)
{
	free(c->ca);
	free(c->crl);
	free(c->table);
	memset(c, 0, sizeof(*c));
}

static int
copy(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from != NULL && *to == NULL ? -1 : 0;
}

int
conf_oauth_copy(struct conf_oauth *to, const struct conf_oauth *from)
{
	int	 bad;

	memset(to, 0, sizeof(*to));
	to->local_part = from->local_part;
	memcpy(to->ports, from->ports, sizeof(to->ports));
	to->nports = from->nports;
	bad = copy(&to->keys, from->keys) | copy(&to->issuer, from->issuer) |
	    copy(&to->audience, from->audience) |
	    copy(&to->scope, from->scope) | copy(&to->claim, from->claim) |
	    copy(&to->discovery, from->discovery);
	while (bad == 0 && to->nhosts < from->nhosts) {
		bad = copy(&to->hosts[to->nhosts], from->hosts[to->nhosts]);
		to->nhosts++;
	}
	if (bad != 0)
		conf_oauth_free(to);
	return bad != 0 ? -1 : 0;
}

int
conf_clients_copy(struct conf_clients *to, const struct conf_clients *from)
{
	memset(to, 0, sizeof(*to));
	to->user = from->user;
	to->local_part = from->local_part;
	if ((copy(&to->ca, from->ca) | copy(&to->crl, from->crl) |
	    copy(&to->table, from->table)) == 0)
		return 0;
	conf_clients_free(to);
	return -1;
}

static void
twice(struct conf_build *b, const char *word)
{
	conf_lex_error(b->lex, "%s is given twice", word);
}

void
conf_build_oauth(struct conf_build *b)
{
	b->in_clients = false;
	b->identity_seen = 0;
	b->words_only = true;
}

void
conf_build_clients(struct conf_build *b)
{
	b->in_clients = true;
	b->identity_seen = 0;
	b->words_only = true;
}

/* Where a word's text goes; NULL: it takes none. */
static char **
oauth_slot(struct conf_oauth *o, const char *word)
{
	if (strcmp(word, "issuer") == 0)
		return &o->issuer;
	if (strcmp(word, "audience") == 0)
		return &o->audience;
	if (strcmp(word, "scope") == 0)
		return &o->scope;
	if (strcmp(word, "claim") == 0)
		return &o->claim;
	if (strcmp(word, "openid-configuration") == 0)
		return &o->discovery;
	return NULL;
}

static void
set_login(struct conf_build *b, const char *text, bool *local_part)
{
	if (b->identity_seen & 1)
		twice(b, "login");
	b->identity_seen |= 1;
	*local_part = strcmp(text, "local-part") == 0;
	if (!*local_part && strcmp(text, "address") != 0)
		conf_lex_error(b->lex, "unknown word %s: login is address or "
		    "local-part", log_q(text));
}

/* Text that goes into JSON and is compared with what tokens hold. */
static bool
text_ok(const char *text)
{
	const unsigned char	*p = (const unsigned char *)text;

	while (*p >= 0x20 && *p != 0x7f)
		p++;
	return *p == '\0' && strlen(text) <= CONF_OAUTH_TEXT_MAX;
}

static void
add_host(struct conf_build *b, const char *host)
{
	struct conf_oauth	*o = &b->auth->oauth;

	if (o->nhosts == CONF_OAUTH_HOSTS_MAX)
		conf_lex_error(b->lex, "more than %d hosts",
		    CONF_OAUTH_HOSTS_MAX);
	else {
		conf_build_hostname(b, &o->hosts[o->nhosts], host, "host",
		    ":");
		if (o->hosts[o->nhosts] != NULL)
			o->nhosts++;
	}
}

static void
add_port(struct conf_build *b, const char *port)
{
	struct conf_oauth	*o = &b->auth->oauth;

	if (o->nports == CONF_OAUTH_HOSTS_MAX)
		conf_lex_error(b->lex, "more than %d ports",
		    CONF_OAUTH_HOSTS_MAX);
	else
		o->ports[o->nports++] = (uint16_t)conf_build_number(b, port,
		    1, 65535, "port");
}

static void
oauth_word(struct conf_build *b, const char *word, const char *text)
{
	struct conf_oauth	*o = &b->auth->oauth;
	char			**slot = oauth_slot(o, word);

	if (strcmp(word, "login") == 0)
		set_login(b, text, &o->local_part);
	else if (strcmp(word, "host") == 0)
		add_host(b, text);
	else if (strcmp(word, "port") == 0)
		add_port(b, text);
	else if (slot == NULL)
		conf_lex_error(b->lex, "unknown word %s in oauth",
		    log_q(word));
	else if (!text_ok(text))
		conf_lex_error(b->lex, "%s: at most %d octets, no control "
		    "characters", word, CONF_OAUTH_TEXT_MAX);
	else
		conf_build_set(b, slot, text, word);
}

static void
set_user(struct conf_build *b, enum conf_cert_user user)
{
	if (b->identity_seen & 2)
		twice(b, "user");
	b->identity_seen |= 2;
	b->auth->clients.user = user;
}

static void
clients_word(struct conf_build *b, const char *word, const char *text)
{
	if (strcmp(word, "login") == 0)
		set_login(b, text, &b->auth->clients.local_part);
	else if (strcmp(word, "user") != 0)
		conf_lex_error(b->lex, "unknown word %s in "
		    "client-certificates", log_q(word));
	else if (strcmp(text, "email") == 0)
		set_user(b, CONF_CERT_EMAIL);
	else if (strcmp(text, "common-name") == 0)
		set_user(b, CONF_CERT_NAME);
	else
		conf_lex_error(b->lex, "unknown word %s: user is email, "
		    "common-name or <TABLE>", log_q(text));
}

void
conf_build_identity_word(struct conf_build *b, const char *word,
    const char *text)
{
	if (b->in_clients)
		clients_word(b, word, text);
	else
		oauth_word(b, word, text);
}

void
conf_build_identity_file(struct conf_build *b, const char *word,
    const char *path)
{
	struct conf_auth	*a = b->auth;

	if (!b->in_clients && strcmp(word, "keys") == 0)
		conf_build_path(b, &a->oauth.keys, path, "keys");
	else if (b->in_clients && strcmp(word, "ca") == 0)
		conf_build_path(b, &a->clients.ca, path, "ca");
	else if (b->in_clients && strcmp(word, "crl") == 0)
		conf_build_path(b, &a->clients.crl, path, "crl");
	else
		conf_lex_error(b->lex, "no file goes with %s", log_q(word));
}

void
conf_build_identity_table(struct conf_build *b, const char *word,
    const char *table)
{
	if (!b->in_clients || strcmp(word, "user") != 0) {
		conf_lex_error(b->lex, "no table goes with %s", log_q(word));
		return;
	}
	set_user(b, CONF_CERT_TABLE);
	conf_build_set(b, &b->auth->clients.table, table, "user");
	conf_build_ref_users(b, table);
}

static void
check_oauth(struct conf_build *b, const struct conf_auth *auth)
{
	const struct conf_oauth	*o = &auth->oauth;
	const unsigned int	 mechs = CONF_MECH_OAUTHBEARER |
				     CONF_MECH_XOAUTH2;

	if ((b->seen & OPT_OAUTH) == 0) {
		if (auth->mechs & mechs)
			conf_lex_error(b->lex, "auth %s: mech oauthbearer and "
			    "xoauth2 need oauth { ... }", log_q(auth->name));
		return;
	}
	if (o->keys == NULL || o->issuer == NULL || o->audience == NULL)
		conf_lex_error(b->lex, "auth %s: oauth needs keys, issuer and "
		    "audience", log_q(auth->name));
	else if ((auth->mechs & mechs) == 0)
		conf_lex_error(b->lex, "auth %s: oauth without mech "
		    "oauthbearer or xoauth2", log_q(auth->name));
}

void
conf_identity_check(struct conf_build *b, const struct conf_auth *auth)
{
	const struct conf_clients	*c = &auth->clients;

	if (auth->pam_service == NULL && auth->passwd == NULL &&
	    (auth->mechs & (CONF_MECH_PLAIN | CONF_MECH_LOGIN)) != 0)
		conf_lex_error(b->lex, "auth %s: mech plain and login need a "
		    "pam service or a passwd file", log_q(auth->name));
	check_oauth(b, auth);
	if ((b->seen & OPT_CLIENTS) == 0) {
		if (auth->mechs & CONF_MECH_EXTERNAL)
			conf_lex_error(b->lex, "auth %s: mech external needs "
			    "client-certificates { ... }", log_q(auth->name));
		return;
	}
	if (c->ca == NULL)
		conf_lex_error(b->lex, "auth %s: client-certificates needs "
		    "ca", log_q(auth->name));
	if ((auth->mechs & CONF_MECH_EXTERNAL) == 0)
		conf_lex_error(b->lex, "auth %s: client-certificates without "
		    "mech external", log_q(auth->name));
}

static void
print_quoted(FILE *f, const char *before, const char *s)
{
	if (s == NULL)
		return;
	fprintf(f, " %s\"", before);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

static void
print_oauth(FILE *f, const struct conf_oauth *o)
{
	unsigned int	 i;

	fputs(" oauth {", f);
	print_quoted(f, "keys file:", o->keys);
	print_quoted(f, "issuer ", o->issuer);
	print_quoted(f, "audience ", o->audience);
	print_quoted(f, "scope ", o->scope);
	print_quoted(f, "claim ", o->claim);
	print_quoted(f, "openid-configuration ", o->discovery);
	for (i = 0; i < o->nhosts; i++)
		print_quoted(f, "host ", o->hosts[i]);
	for (i = 0; i < o->nports; i++)
		fprintf(f, " port %u", o->ports[i]);
	fprintf(f, "%s }", o->local_part ? " login local-part" : "");
}

void
conf_identity_print(FILE *f, const struct conf_auth *auth)
{
	const struct conf_clients	*c = &auth->clients;

	if (auth->oauth.keys != NULL)
		print_oauth(f, &auth->oauth);
	if (c->ca == NULL)
		return;
	fputs(" client-certificates {", f);
	print_quoted(f, "ca file:", c->ca);
	print_quoted(f, "crl file:", c->crl);
	if (c->user == CONF_CERT_TABLE) {
		print_quoted(f, "user <", c->table);
		fputs(">", f);
	} else
		fprintf(f, " user %s", c->user == CONF_CERT_EMAIL ? "email" :
		    "common-name");
	fprintf(f, "%s }", c->local_part ? " login local-part" : "");
}

void
conf_identity_free(struct conf_auth *auth)
{
	conf_oauth_free(&auth->oauth);
	conf_clients_free(&auth->clients);
}
