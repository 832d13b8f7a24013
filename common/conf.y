/*
 * The grammar of msad.conf(5), for byacc and bison -y.
 *
 * Runs in msad and in every child (conf.h). The lexer (conf_lex.c) gives
 * words and strings, this file knows which words are the grammar's own, and
 * conf_build.c makes the configuration of them. Actions allocate nothing that
 * an error could lose. Statements end at a newline; within braces newlines
 * count for nothing.
 */
%{
#include <string.h>

#include "common/conf_build.h"
#include "common/conf_table.h"
#include "common/log.h"

int		 yyparse(void);
static int	 yylex(void);
static void	 yyerror(const char *);
static struct conf_list *list_new(enum conf_sender_kind, const char *);
static struct conf_list *list_join(struct conf_list *, struct conf_list *);

/* The parse under way; conf_grammar() sets it and clears it. */
static struct conf_build	*b;
%}

%union {
	const char		*text;
	struct conf_list	*list;
}

%token	<text> WORD STRING MACRO
%token	ADDAUTHRESULTS ADDRESSLITERALS APPENDDOMAIN CONVERT FROMMISMATCH
%token	INSECURE OPTIONAL RECEIVEDPRIVACY
%token	DELIVERBY FUTURERELEASE MTPRIORITY PRIORITY
%token	BAR BOUNCE CACHE EARLYTALKER EXPIREDPASSWORD GRANTS LIMIT PROXY PROXYV1
%token	PROXYV2 SESSION TRUST PERTENANT PERUSER
%token	ANY AUTH CA CERT CONCURRENCY CONTROL EXPIRE FILECOLON FROM FRONTEND
%token	GROUP HELO HOST HOSTNAME INCLUDE KEY LEVEL LISTEN LOCAL LOG MAILDIR
%token	MATCH EXCEPT LDAPCOLON LOCALPART SQLITECOLON SUBADDRESS
%token	PASSWD OAUTH CLIENTCERTIFICATES
%token	MECH ON OWN PAM PATH PKI PORT QUEUE REALM RELAY RETRY SENDER SERVICE
%token	SOCKET STARTTLS TABLE TENANT TLS USER VERIFY WARN WORKERS
%type	<text> text match_user
%type	<list> words list senders sender sender_list

%%

configuration:
	| configuration '\n'
	| configuration statement '\n'
	| configuration error '\n'		{
		conf_build_tenant_end(b);
		yyerrok;
	}
	;

statement: MACRO text			{ conf_lex_define(b->lex, $1, $2); }
	| INCLUDE text			{ conf_lex_push_file(b->lex, $2); }
	| HOSTNAME text			{
		conf_build_hostname(b, &b->conf->hostname, $2, "hostname", "");
	}
	| LOG LEVEL text		{ conf_build_level(b, $3); }
	| FRONTEND WORKERS text		{
		conf_build_workers(b, &b->frontend_seen,
		    &b->conf->frontend_workers, $3);
	}
	| RELAY WORKERS text		{
		conf_build_workers(b, &b->relay_seen,
		    &b->conf->relay_workers, $3);
	}
	| CONTROL SOCKET text control_group {
		conf_build_path(b, &b->conf->socket, $3, "control socket");
	}
	| CONVERT text			{ conf_build_convert(b, $2); }
	| FROMMISMATCH text		{ conf_build_mismatch(b, $2); }
	| ADDAUTHRESULTS		{ conf_build_auth_results(b); }
	| ADDRESSLITERALS text		{ conf_build_literals(b, $2); }
	| RECEIVEDPRIVACY text		{ conf_build_privacy(b, $2); }
	| RECEIVEDPRIVACY ON		{ conf_build_privacy(b, "on"); }
	| APPENDDOMAIN text		{ conf_build_append(b, NULL, $2); }
	| APPENDDOMAIN list text	{ conf_build_append(b, $2, $3); }
	| QUEUE '{' queue_options '}'
	| LIMIT SESSION		{ conf_build_limits(b); }
	    '{' session_limits comma '}'
	| LIMIT WORD		{ conf_build_login(b, $2); }
	    login_limits
	| LIMIT USER		{ conf_build_rates(b, "user"); }
	    '{' login_words comma '}'
	| AUTH WORKERS		{ conf_build_pool(b); }
	    '{' pool_words comma '}'
	| FUTURERELEASE		{ conf_build_ext(b, CONF_EXT_FUTURE); }
	    ext_value
	| DELIVERBY		{ conf_build_ext(b, CONF_EXT_BY); }
	    ext_value
	| MTPRIORITY		{ conf_build_ext(b, CONF_EXT_PRIORITY); }
	    ext_value
	| BOUNCE		{ conf_build_bounce(b); }
	    '{' bounce_words comma '}'
	| EARLYTALKER text		{ conf_build_early(b, $2); }
	| SUBADDRESS text		{ conf_build_subaddress(b, $2); }
	| LOCALPART text		{ conf_build_local_part(b, $2); }
	| PROXY FROM list		{
		conf_build_networks(b, &b->conf->proxies, $3, "proxy from");
	}
	| BAR FROM list			{
		conf_build_networks(b, &b->conf->barred, $3, "bar from");
	}
	| TRUST FROM list		{
		conf_build_networks(b, &b->conf->trusted, $3, "trust from");
	}
	| pki
	| auth
	| table
	| relay
	| listen
	| match
	| tenant
	;

text:	WORD
	| STRING
	;

comma:
	| ','
	;

words:	text				{ $$ = list_new(0, $1); }
	| words comma text		{ $$ = list_join($1, list_new(0, $3)); }
	;

list:	text				{ $$ = list_new(0, $1); }
	| '{' words comma '}'		{ $$ = $2; }
	;

control_group:
	| GROUP text			{
		conf_build_set(b, &b->conf->socket_group, $2, "group");
	}
	;

session_limits: session_limit
	| session_limits comma session_limit
	;

session_limit: text text		{ conf_build_limit(b, $1, $2); }
	;

login_limits: '{' login_words comma '}'
	| text				{ conf_build_login_off(b, $1); }
	;

login_words: login_word
	| login_words comma login_word
	;

login_word: text text			{ conf_build_login_word(b, $1, $2); }
	;

ext_value: '{' ext_words comma '}'		{ conf_build_ext_end(b); }
	| text				{ conf_build_ext_off(b, $1); }
	;

ext_words: ext_word
	| ext_words comma ext_word
	;

ext_word: text text			{ conf_build_ext_word(b, $1, $2); }
	;

bounce_words: bounce_word
	| bounce_words comma bounce_word
	;

bounce_word: text text			{ conf_build_bounce_word(b, $1, $2); }
	;

pool_words: pool_word
	| pool_words comma pool_word
	;

pool_word: text text			{ conf_build_pool_word(b, $1, $2); }
	;

queue_options:
	| queue_options PATH text	{
		conf_build_path(b, &b->conf->spool, $3, "queue path");
	}
	;

pki:	PKI text			{ conf_build_pki_begin(b, $2); }
	    '{' pki_options '}'		{ conf_build_pki_end(b); }
	;

pki_options:
	| pki_options CERT text		{
		conf_build_path(b, &b->pki->cert, $3, "cert");
	}
	| pki_options KEY text		{
		conf_build_path(b, &b->pki->key, $3, "key");
	}
	;

auth:	AUTH text			{ conf_build_auth_begin(b, $2); }
	    '{' auth_options '}'	{ conf_build_auth_end(b); }
	;

auth_options:
	| auth_options PAM SERVICE text	{
		conf_build_set(b, &b->auth->pam_service, $4, "pam service");
	}
	    pam_limit
	| auth_options EXPIREDPASSWORD text {
		conf_build_once(b, OPT_EXPIRED, "expired-password");
		conf_build_expired(b, $3);
	}
	| auth_options CACHE text	{
		conf_build_once(b, OPT_CACHE, "cache");
		conf_build_cache(b, $3);
	}
	| auth_options PASSWD FILECOLON text {
		conf_build_path(b, &b->auth->passwd, $4, "passwd");
	}
	| auth_options OAUTH	{
		conf_build_once(b, OPT_OAUTH, "oauth");
		conf_build_oauth(b);
	}
	    '{' identity_words comma '}'
	| auth_options CLIENTCERTIFICATES {
		conf_build_once(b, OPT_CLIENTS, "client-certificates");
		conf_build_clients(b);
	}
	    '{' identity_words comma '}'
	| auth_options MECH list	{
		conf_build_once(b, OPT_MECH, "mech");
		conf_build_mech(b, $3);
	}
	| auth_options REALM text	{
		conf_build_hostname(b, &b->auth->realm, $3, "realm", "");
	}
	;

identity_words: identity_word
	| identity_words comma identity_word
	;

identity_word: text text	{ conf_build_identity_word(b, $1, $2); }
	| text FILECOLON text	{ conf_build_identity_file(b, $1, $3); }
	| text '<' text '>'	{ conf_build_identity_table(b, $1, $3); }
	;

pam_limit:
	| LIMIT text			{ conf_build_pam_limit(b, $2); }
	;

table:	TABLE text			{ conf_build_table_begin(b, $2); }
	    table_content
	;

table_content: FILECOLON text		{
		conf_build_path(b, &b->table->path, $2, "table file");
	}
	| SQLITECOLON text		{
		conf_table_db(b, CONF_TABLE_SQLITE);
		conf_build_path(b, &b->table->path, $2, "sqlite");
	}
	    '{' table_options '}'	{ conf_table_end(b); }
	| LDAPCOLON text		{
		conf_table_db(b, CONF_TABLE_LDAP);
		conf_table_url(b, $2);
	}
	    '{' table_options '}'	{ conf_table_end(b); }
	| '{' '}'
	| '{' rows comma '}'
	;

table_options: table_option
	| table_options comma table_option
	;

table_option: text text			{ conf_table_option(b, $1, $2); }
	;

rows:	row
	| rows comma row
	;

row:	text				{ conf_build_row(b, $1, NULL); }
	| text '=' text			{ conf_build_row(b, $1, $3); }
	;

relay:	RELAY text			{ conf_build_relay_begin(b, $2); }
	    '{' relay_options '}'	{ conf_build_relay_end(b); }
	;

relay_options:
	| relay_options relay_option
	;

relay_option: HOST text			{
		conf_build_hostname(b, &b->relay->host, $2, "host", ":");
	}
	| PORT text			{
		conf_build_once(b, OPT_PORT, "port");
		b->relay->port = (uint16_t)conf_build_number(b, $2, 1, 65535,
		    "port");
	}
	| STARTTLS			{
		conf_build_once(b, OPT_TLS, "starttls or tls");
		b->relay->tls = CONF_TLS_STARTTLS;
	}
	    relay_verify
	| TLS				{
		conf_build_once(b, OPT_TLS, "starttls or tls");
		b->relay->tls = CONF_TLS_IMPLICIT;
	}
	    relay_verify
	| CA text			{
		conf_build_path(b, &b->relay->ca, $2, "ca");
	}
	| HELO text			{
		conf_build_hostname(b, &b->relay->helo, $2, "helo", "[:]");
	}
	| AUTH '<' text '>' text	{
		conf_build_relay_auth(b, $3, $5);
	}
	| CONCURRENCY text		{
		conf_build_once(b, OPT_CONCURRENCY, "concurrency");
		b->relay->concurrency = conf_build_number(b, $2, 1, 10000,
		    "concurrency");
	}
	| PERTENANT text		{
		conf_build_once(b, OPT_PER_TENANT, "per-tenant");
		b->relay->per_tenant = conf_build_number(b, $2, 1, 10000,
		    "per-tenant");
	}
	| PERUSER text			{
		conf_build_once(b, OPT_PER_USER, "per-user");
		b->relay->per_user = conf_build_number(b, $2, 1, 10000,
		    "per-user");
	}
	| RETRY list			{
		conf_build_once(b, OPT_RETRY, "retry");
		conf_build_retry(b, $2);
	}
	| EXPIRE text			{
		conf_build_once(b, OPT_EXPIRE, "expire");
		conf_build_expire(b, $2);
	}
	| WARN text			{
		conf_build_once(b, OPT_WARN, "warn");
		conf_build_warn(b, $2);
	}
	| MAILDIR text			{
		conf_build_path(b, &b->relay->maildir, $2, "maildir");
	}
	;

relay_verify:
	| VERIFY			{ b->relay->verify = true; }
	;

listen:	LISTEN ON list			{ conf_build_listen_begin(b, $3); }
	    listen_options		{ conf_build_listen_end(b); }
	| LISTEN ON SOCKET text		{ conf_build_local(b, $4); }
	;

tenant:	TENANT text			{ conf_build_tenant_begin(b, $2); }
	    '{' tenant_options '}'	{ conf_build_tenant_end(b); }
	;

tenant_options:
	| tenant_options tenant_option
	;

tenant_option: auth
	| AUTH		{ conf_build_auth_begin(b, b->tenant->name); }
	    '{' auth_options '}'	{ conf_build_auth_end(b); }
	| LIMIT TENANT	{ conf_build_rates(b, "tenant"); }
	    '{' login_words comma '}'
	| LIMIT USER		{ conf_build_rates(b, "user"); }
	    '{' login_words comma '}'
	| table
	| relay
	| match
	;

listen_options:
	| listen_options listen_option
	;

listen_option: PORT text		{
		conf_build_once(b, OPT_PORT, "port");
		b->listen.port = (uint16_t)conf_build_number(b, $2, 1, 65535,
		    "port");
	}
	| STARTTLS			{
		conf_build_once(b, OPT_TLS, "starttls or tls");
		b->listen.tls = CONF_LISTEN_STARTTLS;
	}
	    listen_optional
	| TLS				{
		conf_build_once(b, OPT_TLS, "starttls or tls");
		b->listen.tls = CONF_LISTEN_TLS;
	}
	| PROXYV1			{
		conf_build_proxy(b, CONF_PROXY_V1, "proxy-v1");
	}
	| PROXYV2			{
		conf_build_proxy(b, CONF_PROXY_V2, "proxy-v2");
	}
	| PKI text			{
		conf_build_set(b, &b->listen.pki, $2, "pki");
	}
	| AUTH text			{
		conf_build_set(b, &b->listen.auth, $2, "auth");
	}
	| GRANTS text			{ conf_build_grants(b, $2); }
	;

listen_optional:
	| OPTIONAL			{ b->listen.optional = true; }
	| OPTIONAL INSECURE		{
		b->listen.optional = b->listen.insecure = true;
	}
	;

match_begin: MATCH			{ conf_build_match_begin(b); }
	;

match:	match_begin FROM AUTH except SENDER sender_list mismatch RELAY text
	    match_priority {
		conf_build_match(b, $6, $9);
	}
	| match_begin FROM LOCAL match_user SENDER sender_list mismatch
	    RELAY text match_priority {
		conf_build_match_local(b, $4, $6, $9);
	}
	;

except:					{ b->except = 0; }
	| EXCEPT list			{ conf_build_except(b, $2); }
	;

match_user:				{ $$ = NULL; }
	| USER text			{ $$ = $2; }
	;

match_priority:
	| PRIORITY text			{ b->priority = $2; }
	;

mismatch:
	| FROMMISMATCH text	{ b->mismatch = $2; }
	;

sender_list: sender
	| '{' senders comma '}'		{ $$ = $2; }
	;

senders: sender
	| senders comma sender		{ $$ = list_join($1, $3); }
	;

sender:	OWN			{ $$ = list_new(CONF_SENDER_OWN, NULL); }
	| ANY			{ $$ = list_new(CONF_SENDER_ANY, NULL); }
	| '<' text '>'		{ $$ = list_new(CONF_SENDER_TABLE, $2); }
	;

%%

static const struct word {
	const char	*text;
	int		 token;
} words[] = {
	{ "add-auth-results", ADDAUTHRESULTS },
	{ "address-literals", ADDRESSLITERALS },
	{ "any", ANY }, { "append-domain", APPENDDOMAIN },
	{ "auth", AUTH }, { "bar", BAR },
	{ "bounce", BOUNCE }, { "ca", CA },
	{ "cache", CACHE }, { "cert", CERT },
	{ "client-certificates", CLIENTCERTIFICATES },
	{ "concurrency", CONCURRENCY }, { "control", CONTROL },
	{ "convert", CONVERT }, { "deliver-by", DELIVERBY },
	{ "early-talker", EARLYTALKER },
	{ "except", EXCEPT }, { "expire", EXPIRE },
	{ "expired-password", EXPIREDPASSWORD },
	{ "from", FROM },
	{ "from-mismatch", FROMMISMATCH }, { "frontend", FRONTEND },
	{ "future-release", FUTURERELEASE },
	{ "grants", GRANTS }, { "group", GROUP }, { "helo", HELO },
	{ "host", HOST }, { "hostname", HOSTNAME }, { "include", INCLUDE },
	{ "insecure", INSECURE }, { "key", KEY },
	{ "level", LEVEL }, { "limit", LIMIT },
	{ "listen", LISTEN }, { "local", LOCAL },
	{ "local-part", LOCALPART },
	{ "log", LOG },
	{ "maildir", MAILDIR }, { "match", MATCH }, { "mech", MECH },
	{ "mt-priority", MTPRIORITY },
	{ "oauth", OAUTH }, { "on", ON }, { "optional", OPTIONAL },
	{ "own", OWN }, { "pam", PAM },
	{ "passwd", PASSWD }, { "path", PATH },
	{ "per-tenant", PERTENANT }, { "per-user", PERUSER },
	{ "pki", PKI }, { "port", PORT }, { "priority", PRIORITY },
	{ "proxy", PROXY },
	{ "proxy-v1", PROXYV1 }, { "proxy-v2", PROXYV2 }, { "queue", QUEUE },
	{ "realm", REALM }, { "received-privacy", RECEIVEDPRIVACY },
	 { "relay", RELAY }, { "retry", RETRY },
	{ "sender", SENDER }, { "service", SERVICE },
	{ "session", SESSION }, { "socket", SOCKET },
	{ "starttls", STARTTLS }, { "subaddress", SUBADDRESS },
	{ "table", TABLE }, { "tenant", TENANT }, { "tls", TLS },
	{ "trust", TRUST },
	{ "user", USER },
	{ "verify", VERIFY }, { "warn", WARN }, { "workers", WORKERS }
};

static int
yylex(void)
{
	const char	*text;
	size_t		 i;

	b->last_item = conf_lex_next(b->lex, &text);
	b->last = yylval.text = text;
	switch (b->last_item) {
	case CONF_ITEM_EOF:
		return 0;
	case CONF_ITEM_NEWLINE:
		b->words_only = false;
		return '\n';
	case CONF_ITEM_STRING:
		return STRING;
	case CONF_ITEM_MACRO:
		return MACRO;
	case CONF_ITEM_FILE:
		return FILECOLON;
	case CONF_ITEM_SQLITE:
		return SQLITECOLON;
	case CONF_ITEM_LDAP:
		return LDAPCOLON;
	case CONF_ITEM_PUNCT:
		if (*text == '}')
			b->words_only = false;
		return *text;
	}
	if (b->words_only)
		return WORD;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].text) == 0)
			return words[i].token;
	}
	return WORD;
}

/* Does the grammar know the word? */
static bool
word_known(const char *text)
{
	size_t	 i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].text) == 0)
			return true;
	}
	return false;
}

/* The parser's own complaint; which one it is follows from the last item. */
static void
yyerror(const char *why)
{
	(void)why;
	switch (b->last_item) {
	case CONF_ITEM_EOF:
		conf_lex_error(b->lex, "the text ends within a statement");
		break;
	case CONF_ITEM_NEWLINE:
		conf_lex_error(b->lex, "the line ends within a statement");
		break;
	case CONF_ITEM_WORD:
		conf_lex_error(b->lex, word_known(b->last) ?
		    "the word %s does not fit here" : "unknown word %s",
		    log_q(b->last));
		break;
	case CONF_ITEM_STRING:
		conf_lex_error(b->lex, "the string %s does not fit here",
		    log_q(b->last));
		break;
	case CONF_ITEM_PUNCT:
		conf_lex_error(b->lex, "'%c' does not fit here", *b->last);
		break;
	default:
		conf_lex_error(b->lex, "syntax error");
		break;
	}
}

static struct conf_list *
list_new(enum conf_sender_kind kind, const char *text)
{
	struct conf_list	*item;

	item = conf_lex_alloc(b->lex, sizeof(*item));
	item->text = text;
	item->sender = kind;
	item->last = item;
	return item;
}

/* Put a list of one item behind the other list. */
static struct conf_list *
list_join(struct conf_list *list, struct conf_list *item)
{
	list->last->next = item;
	list->last = item;
	return list;
}

void
conf_grammar(struct conf_build *build)
{
	b = build;
	if (yyparse() != 0 && conf_lex_errors(build->lex) == 0)
		conf_lex_error(build->lex, "the text cannot be parsed");
	b = NULL;
}
