/* links: regress/unit/conf_side.c */
/*
 * Words of the configuration about rights: tables that databases serve, how
 * addresses are compared, what a rule is not for.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "regress/unit/conf_side.h"

TAILQ_HEAD(match_list, conf_match);

static const char	all[] =
    "hostname \"mail.example.org\"\n"
    "relay box { maildir \"/m\" }\n"
    "table lite sqlite:\"/var/db/s.db\" {\n\tquery \"SELECT a FROM s "
    "WHERE l = ?\"\n}\n"
    "table dir ldap:\"ldap://192.0.2.1:3890/\" { base \"dc=x\", filter "
    "\"(uid=%u)\"\n\tattribute mail bind-dn \"cn=r\" "
    "password-file \"/l.pw\" }\n"
    "table six ldap:\"ldap://[2001:db8::1]\" { base b filter %u "
    "attribute m }\n"
    "subaddress \"+-\"\nlocal-part ignore-case\n"
    "match from auth sender own relay box\n"
    "match from auth except external sender <lite> relay box\n"
    "match from auth except { address, external } sender <dir> "
    "from-mismatch rewrite relay box\n";

static void
refuse_line(const char *line, const char *want)
{
	char	 text[2048], lines[2048];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

/* Tables of databases, how addresses are compared, `except`. */
static void
test_rights_words(void **state)
{
	struct conf			*conf = parse(all), *again;
	const struct conf_table		*t;
	const struct conf_match		*m;
	const struct sockaddr_in	*sin;
	char				*text = conf_print(conf);
	int				 i;

	(void)state;
	again = parse(text);
	free(text);
	conf_free(conf);
	t = conf_table_find(again, "lite");
	assert_int_equal(t->kind, CONF_TABLE_SQLITE);
	assert_string_equal(t->path, "/var/db/s.db");
	assert_string_equal(t->query, "SELECT a FROM s WHERE l = ?");
	t = conf_table_find(again, "dir");
	assert_int_equal(t->kind, CONF_TABLE_LDAP);
	assert_null(t->path);
	assert_string_equal(t->base, "dc=x");
	assert_string_equal(t->filter, "(uid=%u)");
	assert_string_equal(t->attribute, "mail");
	assert_string_equal(t->bind_dn, "cn=r");
	assert_string_equal(t->password_file, "/l.pw");
	sin = (const struct sockaddr_in *)&t->addr;
	assert_int_equal(ntohs(sin->sin_port), 3890);
	t = conf_table_find(again, "six");
	assert_int_equal(t->addr.ss_family, AF_INET6);
	assert_int_equal(ntohs(((const struct sockaddr_in6 *)
	    &t->addr)->sin6_port), 389);
	assert_string_equal(again->subaddress, "+-");
	assert_true(again->fold_local);
	i = 0;
	TAILQ_FOREACH(m, &again->matches, entry)
		if (++i == 1)
			assert_int_equal(m->except, 0);
	assert_int_equal(i, 3);
	m = TAILQ_LAST(&again->matches, match_list);
	assert_int_equal(m->except, CONF_EXCEPT_EXTERNAL |
	    CONF_EXCEPT_ADDRESS);
	assert_int_equal(TAILQ_PREV(m, match_list, entry)->except,
	    CONF_EXCEPT_EXTERNAL);
	conf_free(again);
}

static void
test_rights_errors(void **state)
{
	(void)state;
	refuse_line("table t sqlite:\"db\" { query q }",
	    "sqlite: \"db\" is not an absolute path");
	refuse_line("table t sqlite:\"/db\" { filter q }",
	    "unknown word \"filter\": the options are query\n"
	    "t:2: table \"t\": a query is needed");
	refuse_line("table t sqlite:\"/db\" { query a query b }",
	    "query is given twice");
	refuse_line("table t ldap:\"ldap://host/\" { base b filter %u "
	    "attribute m }", "\"ldap://host/\" is not like "
	    "ldap://192.0.2.1:389/ or ldap://[2001:db8::1]/, with a numeric "
	    "address");
	refuse_line("table t ldap:\"ldap://192.0.2.1:0\" { base b filter %u "
	    "attribute m }", "\"ldap://192.0.2.1:0\" is not like "
	    "ldap://192.0.2.1:389/ or ldap://[2001:db8::1]/, with a numeric "
	    "address");
	refuse_line("table t ldap:\"ldap://192.0.2.1\" { base b filter uid "
	    "attribute m }", "table \"t\": the filter needs %u where the "
	    "login goes, and %% for a percent sign");
	refuse_line("table t ldap:\"ldap://192.0.2.1\" { base b filter %u%x "
	    "attribute m }", "table \"t\": the filter needs %u where the "
	    "login goes, and %% for a percent sign");
	refuse_line("table t ldap:\"ldap://192.0.2.1\" { base b filter %u "
	    "attribute m bind-dn x }", "table \"t\": bind-dn and "
	    "password-file go together");
	refuse_line("table t ldap:\"ldap://192.0.2.1\" { base b }",
	    "table \"t\": base, filter and attribute are needed");
	refuse_line("subaddress \"a\"", "subaddress: \"a\" is not one to 7 of "
	    "the characters that separate, such as \"+\"");
	refuse("hostname h\nsubaddress \"+\"\nsubaddress \"-\"\n",
	    "t:3: subaddress is given twice\n");
	refuse("hostname h\nlocal-part exact\nlocal-part exact\n",
	    "t:3: local-part is given twice\n");
	refuse("hostname h\nrelay r { maildir /m }\nmatch from auth except x "
	    "sender own relay r\n", "t:3: unknown word \"x\": except is "
	    "external or address\n");
	refuse_line("local-part loud", "unknown word \"loud\": local-part is "
	    "exact or ignore-case");
}

/* No message is judged by more databases than it can ask. */
static void
test_many_tables(void **state)
{
	char	 text[4096] = "hostname h\n";
	size_t	 len = strlen(text);
	int	 i;

	(void)state;
	for (i = 0; i < CONF_REMOTE_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "table t%d sqlite:/d { query q }\n", i);
	conf_free(parse(text));
	strlcat(text, "table one-more sqlite:/d { query q }\n", sizeof(text));
	refuse(text, "t:18: more than 16 tables of databases\n");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rights_words),
		cmocka_unit_test(test_rights_errors),
		cmocka_unit_test(test_many_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
