/* The words of the configuration for tokens and client certificates. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* Errors of the text; the configuration where there is none. */
static struct conf *
parse(const char *text, char **errors)
{
	struct conf	*conf;
	FILE		*f;
	size_t		 len;

	*errors = NULL;
	assert_non_null(f = open_memstream(errors, &len));
	conf = conf_parse_text(text, strlen(text), "t", f);
	fclose(f);
	return conf;
}

/* A line in a configuration that is right but for that. */
static void
refuse(const char *line, const char *want)
{
	char	 text[4096], lines[4096], *got;

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	assert_null(parse(text, &got));
	assert_string_equal(got, lines);
	free(got);
}

static const char good[] = "hostname \"h\"\n"
    "table \"certs\" { \"O=A B,CN=C\" = \"ann\", \"b@h\" = \"bob\" }\n"
    "auth \"a\" {\n"
    "	oauth {\n"
    "		keys file:\"/etc/k\"\n"
    "		issuer \"https://id/\\\"\\$x\", audience msad\n"
    "		scope \"mail.send\" claim \"sub\" login local-part\n"
    "		openid-configuration \"https://id/c\"\n"
    "		host smtp.h host \"mx.h\" port 587 port 465\n"
    "	}\n"
    "	client-certificates {\n"
    "		ca file:\"/etc/ca\" crl file:\"/etc/crl\"\n"
    "		user <certs>\n"
    "	}\n"
    "	mech { external oauthbearer xoauth2 }\n"
    "}\n"
    "auth \"b\" { client-certificates { ca file:\"/c\" user common-name\n"
    "	login local-part } mech { external } realm \"r\" }\n"
    "auth \"c\" { oauth { keys file:\"/k\" issuer i audience a } }\n";

static void
check(const struct conf *c)
{
	const struct conf_auth	*a = conf_auth_find(c, "a");

	assert_string_equal(a->oauth.keys, "/etc/k");
	assert_string_equal(a->oauth.issuer, "https://id/\"$x");
	assert_string_equal(a->oauth.audience, "msad");
	assert_string_equal(a->oauth.scope, "mail.send");
	assert_string_equal(a->oauth.claim, "sub");
	assert_string_equal(a->oauth.discovery, "https://id/c");
	assert_true(a->oauth.local_part);
	assert_int_equal(a->oauth.nhosts, 2);
	assert_string_equal(a->oauth.hosts[1], "mx.h");
	assert_int_equal(a->oauth.nports, 2);
	assert_int_equal(a->oauth.ports[1], 465);
	assert_string_equal(a->clients.ca, "/etc/ca");
	assert_string_equal(a->clients.crl, "/etc/crl");
	assert_int_equal(a->clients.user, CONF_CERT_TABLE);
	assert_string_equal(a->clients.table, "certs");
	assert_int_equal(a->mechs, CONF_MECH_EXTERNAL |
	    CONF_MECH_OAUTHBEARER | CONF_MECH_XOAUTH2);
	assert_true(conf_table_find(c, "certs")->clients);
	a = conf_auth_find(c, "b");
	assert_int_equal(a->clients.user, CONF_CERT_NAME);
	assert_true(a->clients.local_part);
	assert_null(a->clients.crl);
	assert_null(a->oauth.keys);
	a = conf_auth_find(c, "c");
	/* tokens alone: no password is asked for */
	assert_int_equal(a->mechs, CONF_MECH_OAUTHBEARER |
	    CONF_MECH_XOAUTH2);
	assert_null(a->oauth.claim);
}

static void
words(void **state)
{
	struct conf	*c;
	char		*errors, *text, *again;

	(void)state;
	if ((c = parse(good, &errors)) == NULL)
		fail_msg("%s", errors);
	free(errors);
	check(c);
	text = conf_print(c);
	conf_free(c);
	if ((c = parse(text, &errors)) == NULL)
		fail_msg("%s%s", text, errors);
	free(errors);
	check(c);
	again = conf_print(c);
	assert_string_equal(text, again);
	conf_free(c);
	free(text);
	free(again);
}

#define KEYS	"keys file:\"/k\" "
#define OAUTH	KEYS "issuer i audience a "
#define CA	"ca file:\"/c\" "

static void
errors(void **state)
{
	(void)state;
	refuse("auth a { mech { oauthbearer } }", "auth \"a\": pam service, "
	    "passwd, oauth or client-certificates is needed\n"
	    "t:2: auth \"a\": mech oauthbearer and xoauth2 need oauth "
	    "{ ... }");
	refuse("auth a { pam service s mech { plain external } }",
	    "auth \"a\": mech external needs client-certificates { ... }");
	refuse("auth a { oauth { " KEYS "issuer i } }",
	    "auth \"a\": oauth needs keys, issuer and audience");
	refuse("auth a { pam service s oauth { " OAUTH "} mech { plain } }",
	    "auth \"a\": oauth without mech oauthbearer or xoauth2");
	refuse("auth a { oauth { " OAUTH "} mech { plain oauthbearer } }",
	    "auth \"a\": mech plain and login need a pam service or a passwd "
	    "file");
	refuse("auth a { client-certificates { " CA "} pam service s }",
	    "auth \"a\": client-certificates without mech external");
	refuse("auth a { client-certificates { user email } "
	    "mech { external } }", "auth \"a\": client-certificates needs ca");
	refuse("auth a { oauth { " OAUTH "issuer j } }",
	    "issuer is given twice");
	refuse("auth a { oauth { " OAUTH "} oauth { scope x } }",
	    "oauth is given twice");
	refuse("auth a { oauth { " OAUTH "secret x } }",
	    "unknown word \"secret\" in oauth");
	refuse("auth a { oauth { " OAUTH "login sub } }",
	    "unknown word \"sub\": login is address or local-part");
	refuse("auth a { oauth { " OAUTH "port 0 } }",
	    "port: \"0\" is not a number from 1 to 65535");
	refuse("auth a { oauth { keys file:k issuer i audience a } }",
	    "keys: \"k\" is not an absolute path\n"
	    "t:2: auth \"a\": oauth needs keys, issuer and audience");
	refuse("auth a { oauth { " OAUTH "ca file:\"/c\" } }",
	    "no file goes with \"ca\"");
	refuse("auth a { oauth { " OAUTH "user <t> } }",
	    "no table goes with \"user\"");
	refuse("auth a { client-certificates { " CA "user subject } "
	    "mech { external } }", "unknown word \"subject\": user is email, "
	    "common-name or <TABLE>");
	refuse("auth a { client-certificates { " CA "user <t> } "
	    "mech { external } }", "table \"t\" is not defined");
	refuse("auth a { client-certificates { " CA "user <t> } "
	    "mech { external } }\ntable t file:\"/t\"", "table \"t\" names "
	    "users of certificates: its rows must stand here");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
