/*
 * The words of the configuration about tables that a database serves, and
 * about how the addresses of senders are compared: sqlite: and ldap: tables,
 * subaddress, local-part, `except` of match rules. Called by the grammar in
 * msad and in every child; asked by msad-queue and msad-lookup.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_build.h"
#include "common/conf_table.h"
#include "common/log.h"

#define TEXT_MAX	4096	/* octets of a query, filter or name */
#define LDAP_SCHEME	"ldap://"
#define LDAP_PORT	389

bool
conf_table_remote(const struct conf_table *t)
{
	return t->kind != CONF_TABLE_ROWS;
}

void
conf_table_db(struct conf_build *b, enum conf_table_kind kind)
{
	b->table->kind = kind;
	b->words_only = true;
}

/* The option's place; NULL when the table's kind has none of this name. */
static char **
slot_of(struct conf_table *t, const char *word)
{
	if (t->kind == CONF_TABLE_SQLITE)
		return strcmp(word, "query") == 0 ? &t->query : NULL;
	if (strcmp(word, "base") == 0)
		return &t->base;
	if (strcmp(word, "filter") == 0)
		return &t->filter;
	if (strcmp(word, "attribute") == 0)
		return &t->attribute;
	if (strcmp(word, "bind-dn") == 0)
		return &t->bind_dn;
	return strcmp(word, "password-file") == 0 ? &t->password_file : NULL;
}

void
conf_table_option(struct conf_build *b, const char *word, const char *value)
{
	char	**slot;

	if ((slot = slot_of(b->table, word)) == NULL)
		conf_lex_error(b->lex, "unknown word %s: the options are %s",
		    log_q(word), b->table->kind == CONF_TABLE_SQLITE ?
		    "query" : "base, filter, attribute, bind-dn and "
		    "password-file");
	else if (strlen(value) > TEXT_MAX)
		conf_lex_error(b->lex, "%s is longer than %d octets", word,
		    TEXT_MAX);
	else if (slot == &b->table->password_file)
		conf_build_path(b, slot, value, word);
	else
		conf_build_set(b, slot, value, word);
}

/* Fill in the address of "host:port", "host", "[host]:port" or "[host]". */
static bool
address_set(struct conf_table *t, const char *text)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)&t->addr;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)&t->addr;
	char			 host[INET6_ADDRSTRLEN + 2];
	const char		*end, *why = NULL;
	bool			 six = *text == '[';
	uint16_t		 port = LDAP_PORT;

	end = six ? strchr(text, ']') : strchr(text, ':');
	if (six) {
		if (end == NULL)
			return false;
		text++;
	} else if (end == NULL)
		end = text + strlen(text);
	if ((size_t)(end - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	end += six;
	if (*end == ':') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		port = (uint16_t)strtonum(end + 1, 1, 65535, &why);
	} else if (*end != '\0')
		return false;
	if (why != NULL)
		return false;
	if (!six && inet_pton(AF_INET, host, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		t->addrlen = sizeof(*sin);
		return true;
	}
	if (!six || inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1)
		return false;
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	t->addrlen = sizeof(*sin6);
	return true;
}

void
conf_table_url(struct conf_build *b, const char *url)
{
	char	 text[sizeof(LDAP_SCHEME) + INET6_ADDRSTRLEN + 16];
	size_t	 n;

	n = strlcpy(text, url, sizeof(text));
	if (n < sizeof(text) && n > 0 && text[n - 1] == '/' &&
	    n > strlen(LDAP_SCHEME))
		text[n - 1] = '\0';
	if (n >= sizeof(text) || strncmp(text, LDAP_SCHEME,
	    strlen(LDAP_SCHEME)) != 0 ||
	    !address_set(b->table, text + strlen(LDAP_SCHEME)))
		conf_lex_error(b->lex, "%s is not like ldap://192.0.2.1:389/ "
		    "or ldap://[2001:db8::1]/, with a numeric address",
		    log_q(url));
	else
		conf_build_set(b, &b->table->url, url, "ldap");
}

/* How often a filter has %u; -1: another % than %u and %%. */
static int
filter_users(const char *p)
{
	int	n = 0;

	for (; (p = strchr(p, '%')) != NULL; p += 2) {
		if (p[1] == 'u')
			n++;
		else if (p[1] != '%')
			return -1;
	}
	return n;
}

/* More than a message is judged by? */
static void
count_tables(struct conf_build *b)
{
	const struct conf_table	*t;
	int			 n = 0;

	TAILQ_FOREACH(t, &b->conf->tables, entry)
		n += conf_table_remote(t);
	if (n == CONF_REMOTE_MAX + 1)
		conf_lex_error(b->lex, "more than %d tables of databases",
		    CONF_REMOTE_MAX);
}

void
conf_table_end(struct conf_build *b)
{
	const struct conf_table	*t = b->table;
	const char		*name = log_q(t->name);

	count_tables(b);

	if (t->kind == CONF_TABLE_SQLITE) {
		if (t->query == NULL)
			conf_lex_error(b->lex, "table %s: a query is needed",
			    name);
		return;
	}
	if (t->base == NULL || t->filter == NULL || t->attribute == NULL)
		conf_lex_error(b->lex, "table %s: base, filter and attribute "
		    "are needed", name);
	else if (filter_users(t->filter) < 1)
		conf_lex_error(b->lex, "table %s: the filter needs %%u where "
		    "the login goes, and %%%% for a percent sign", name);
	if ((t->bind_dn == NULL) != (t->password_file == NULL))
		conf_lex_error(b->lex, "table %s: bind-dn and password-file "
		    "go together", name);
}

/* --- addresses --- */

void
conf_build_subaddress(struct conf_build *b, const char *value)
{
	const char	*p;

	for (p = value; *p > ' ' && *p < 0x7f && strchr("\"\\@.", *p) == NULL &&
	    !isalnum((unsigned char)*p); p++)
		;
	if (*p != '\0' || strlen(value) > CONF_SEPARATORS_MAX)
		conf_lex_error(b->lex, "subaddress: %s is not one to %d of "
		    "the characters that separate, such as \"+\"",
		    log_q(value), CONF_SEPARATORS_MAX);
	else
		conf_build_set(b, &b->conf->subaddress, value, "subaddress");
}

void
conf_build_local_part(struct conf_build *b, const char *word)
{
	if (b->fold_seen)
		conf_lex_error(b->lex, "local-part is given twice");
	b->fold_seen = true;
	if (strcmp(word, "ignore-case") == 0)
		b->conf->fold_local = true;
	else if (strcmp(word, "exact") != 0)
		conf_lex_error(b->lex, "unknown word %s: local-part is exact "
		    "or ignore-case", log_q(word));
}

static const struct {
	const char	*word;
	unsigned int	 bit;
} excepts[] = {
	{ "external", CONF_EXCEPT_EXTERNAL },
	{ "address", CONF_EXCEPT_ADDRESS }
};

#define NEXCEPTS	(sizeof(excepts) / sizeof(excepts[0]))

void
conf_build_except(struct conf_build *b, const struct conf_list *list)
{
	size_t	i;

	for (b->except = 0; list != NULL; list = list->next) {
		for (i = 0; i < NEXCEPTS; i++)
			if (strcmp(list->text, excepts[i].word) == 0)
				break;
		if (i == NEXCEPTS)
			conf_lex_error(b->lex, "unknown word %s: except is "
			    "external or address", log_q(list->text));
		else if (b->except & excepts[i].bit)
			conf_lex_error(b->lex, "except %s is given twice",
			    list->text);
		else
			b->except |= excepts[i].bit;
	}
}

/* --- the canonical text --- */

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

void
conf_table_print(FILE *f, const struct conf_table *t)
{
	if (t->kind == CONF_TABLE_SQLITE) {
		print_string(f, " sqlite:", t->path);
		print_string(f, " { query ", t->query);
	} else {
		print_string(f, " ldap:", t->url);
		print_string(f, " { base ", t->base);
		print_string(f, " filter ", t->filter);
		print_string(f, " attribute ", t->attribute);
		if (t->bind_dn != NULL) {
			print_string(f, " bind-dn ", t->bind_dn);
			print_string(f, " password-file ", t->password_file);
		}
	}
	fputs(" }\n", f);
}

void
conf_rights_print(FILE *f, const struct conf *conf)
{
	if (conf->subaddress != NULL) {
		print_string(f, "subaddress ", conf->subaddress);
		fputc('\n', f);
	}
	if (conf->fold_local)
		fputs("local-part ignore-case\n", f);
}

void
conf_except_print(FILE *f, const struct conf_match *m)
{
	size_t	i;

	if (m->except == 0)
		return;
	fputs(" except {", f);
	for (i = 0; i < NEXCEPTS; i++)
		if (m->except & excepts[i].bit)
			fprintf(f, " %s", excepts[i].word);
	fputs(" }", f);
}

void
conf_table_clear(struct conf_table *t)
{
	free(t->query);
	free(t->url);
	free(t->base);
	free(t->filter);
	free(t->attribute);
	free(t->bind_dn);
	free(t->password_file);
}
