/* links: regress/unit/conf_side.c */
/*
 * The configuration: each word, each error with its place, macros, includes,
 * and the canonical text as a fixed point.
 */
#include <sys/types.h>
#include <sys/stat.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf.h"
#include "regress/unit/conf_side.h"

/* The words of every statement; its canonical text must be accepted again. */
static const char	all_words[] =
    "org = \"example.org\"\n"
    "addrs = \"{ 127.0.0.1, ::1 }\"\n"
    "hostname \"mail.$org\"   # a comment\n"
    "log level debug\n"
    "frontend workers 3\n"
    "relay workers 2\n"
    "control socket \"/run/m.sock\" group \"mail\"\n"
    "queue { path \"/var/spool/m\" }\n"
    "pki main { cert \"/p.pem\" key \"/k \\\"\\\\\\$.pem\" }\n"
    "auth \"sys\" {\n\tpam service \"msad\"\n\tmech { plain, login }\n"
    "\trealm \"example.org\"\n}\n"
    "auth \"one\" { pam service other mech plain }\n"
    "auth \"file\" { passwd file:\"/etc/msad/passwd\" }\n"
    "auth \"both\" { pam service other passwd file:\"/p w\" mech { plain, "
    "scram-sha-1-plus } }\n"
    "table aliases file:\"/etc/msad/aliases\"\n"
    "table t2 { \"ann\" = \"ann@x.example, @y.example\", bob }\n"
    "table none { }\n"
    "table secrets file:/etc/msad/secrets\n"
    "relay \"smart\" {\n\thost smtp.isp.example port 4650 tls verify\n"
    "\tca \"/x.pem\" helo \"h.$org\"\n\tauth <secrets> \"isp\"\n"
    "\tconcurrency 20 per-tenant 10 per-user 5\n"
    "\tretry { 5m, 15m 1h, } expire 5d\n}\n"
    "relay plain { host 127.0.0.1 }\n"
    "relay start { host ::1 starttls }\n"
    "relay box { maildir \"/var/mail/box\" retry 30s expire 2w }\n"
    "listen on $addrs port 465 tls pki main auth sys\n"
    "listen on 127.0.0.1 port 587 \\\n\tstarttls pki main auth sys "
    "grants allow\n"
    "match from auth sender { own, <aliases>, <t2> } relay smart\n"
    "listen on socket \"/run/m/submit.sock\"\n"
    "match from auth sender any relay \"box\"\n"
    "match from local user root sender any relay box\n"
    "match from local sender { own, <t2> } relay box\n"
    "from-mismatch rewrite\n"
    "append-domain example.org\n"
    "append-domain { corp, \"Lab\" } \"example.com\"\n"
    "append-domain x example.net\n"
    "match from auth sender own from-mismatch reject relay box\n"
    "match from local sender own from-mismatch add-sender relay box\n";

/* The same with what every configuration needs around it. */
static void
refuse_line(const char *line, const char *want)
{
	char	 text[2048], lines[2048];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

static void
test_every_word(void **state)
{
	struct conf		*c = parse(all_words);
	struct conf_relay	*r;
	struct conf_listener	*l;
	struct conf_match	*m;
	struct conf_table	*t;
	struct conf_auth	*a;

	(void)state;
	assert_string_equal(c->hostname, "mail.example.org");
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_int_equal(c->frontend_workers, 3);
	assert_int_equal(c->relay_workers, 2);
	assert_string_equal(c->socket, "/run/m.sock");
	assert_string_equal(c->socket_group, "mail");
	assert_string_equal(c->spool, "/var/spool/m");
	assert_int_equal(c->message_size, 52428800);
	assert_string_equal(conf_pki_find(c, "main")->cert, "/p.pem");
	assert_string_equal(conf_pki_find(c, "main")->key, "/k \"\\$.pem");

	a = conf_auth_find(c, "sys");
	assert_string_equal(a->pam_service, "msad");
	assert_string_equal(a->realm, "example.org");
	assert_int_equal(a->mechs, CONF_MECH_PLAIN | CONF_MECH_LOGIN);
	a = conf_auth_find(c, "one");
	assert_int_equal(a->mechs, CONF_MECH_PLAIN);
	assert_string_equal(a->realm, "mail.example.org");

	a = conf_auth_find(c, "file");
	assert_null(a->pam_service);
	assert_int_equal(a->mechs & CONF_MECH_SCRAM_SHA256_PLUS,
	    CONF_MECH_SCRAM_SHA256_PLUS);
	assert_string_equal(conf_auth_find(c, "both")->passwd, "/p w");

	t = conf_table_find(c, "t2");
	assert_null(t->path);
	assert_string_equal(TAILQ_FIRST(&t->rows)->key, "ann");
	assert_string_equal(TAILQ_FIRST(&t->rows)->value,
	    "ann@x.example, @y.example");
	assert_null(TAILQ_NEXT(TAILQ_FIRST(&t->rows), entry)->value);
	assert_string_equal(conf_table_find(c, "aliases")->path,
	    "/etc/msad/aliases");
	assert_false(conf_table_find(c, "aliases")->secret);
	assert_true(conf_table_find(c, "secrets")->secret);
	assert_string_equal(conf_table_find(c, "secrets")->path,
	    "/etc/msad/secrets");

	r = conf_relay_find(c, "smart");
	assert_int_equal(r->kind, CONF_RELAY_HOST);
	assert_int_equal(r->index, 0);
	assert_string_equal(r->host, "smtp.isp.example");
	assert_int_equal(r->port, 4650);
	assert_int_equal(r->tls, CONF_TLS_IMPLICIT);
	assert_true(r->verify);
	assert_string_equal(r->ca, "/x.pem");
	assert_string_equal(r->helo, "h.example.org");
	assert_string_equal(r->auth_table, "secrets");
	assert_string_equal(r->auth_label, "isp");
	assert_int_equal(r->concurrency, 20);
	assert_true(r->per_tenant == 10 && r->per_user == 5);
	assert_int_equal(r->nretry, 3);
	assert_true(r->retry[0] == 300 && r->retry[1] == 900);
	assert_int_equal(r->retry[2], 3600);
	assert_int_equal(r->expire, 5 * 86400);
	r = conf_relay_find(c, "plain");
	assert_int_equal(r->port, 25);
	assert_int_equal(r->tls, CONF_TLS_NONE);
	assert_int_equal(r->concurrency, 0);
	r = conf_relay_find(c, "start");
	assert_int_equal(r->port, 587);
	assert_int_equal(r->tls, CONF_TLS_STARTTLS);
	assert_false(r->verify);
	r = conf_relay_find(c, "box");
	assert_int_equal(r->kind, CONF_RELAY_MAILDIR);
	assert_int_equal(r->index, 3);
	assert_string_equal(r->maildir, "/var/mail/box");
	assert_int_equal(r->expire, 14 * 86400);

	l = conf_listener_find(c, 1);
	assert_string_equal(l->address, "::1");
	assert_int_equal(l->port, 465);
	assert_int_equal(l->tls, CONF_LISTEN_TLS);
	assert_int_equal(l->addr.ss_family, AF_INET6);
	assert_int_equal(l->addrlen, sizeof(struct sockaddr_in6));
	l = conf_listener_find(c, 2);
	assert_int_equal(((struct sockaddr_in *)&l->addr)->sin_port,
	    htons(587));
	assert_int_equal(l->tls, CONF_LISTEN_STARTTLS);
	assert_string_equal(l->pki, "main");
	assert_string_equal(l->auth, "sys");
	assert_null(conf_listener_find(c, 3));

	m = TAILQ_FIRST(&c->matches);
	assert_string_equal(m->relay, "smart");
	assert_int_equal(TAILQ_FIRST(&m->senders)->kind, CONF_SENDER_OWN);
	assert_string_equal(TAILQ_NEXT(TAILQ_FIRST(&m->senders), entry)->table,
	    "aliases");
	m = TAILQ_NEXT(m, entry);
	assert_int_equal(TAILQ_FIRST(&m->senders)->kind, CONF_SENDER_ANY);
	conf_free(c);
}

/* Parsing the canonical text and printing it again changes nothing. */
static void
fixed_point(const char *text)
{
	struct conf	*first = parse(text), *second;
	char		*one = conf_print(first), *two;

	second = parse(one);
	two = conf_print(second);
	assert_string_equal(one, two);
	free(one);
	free(two);
	conf_free(first);
	conf_free(second);
}

static void
test_canonical(void **state)
{
	(void)state;
	fixed_point(all_words);
	fixed_point("hostname h\n");
	fixed_point("hostname h\nlog level error\n");
	fixed_point("hostname h\nlog level warning\n");
	fixed_point("hostname h\nlog level notice\n");
	fixed_point("hostname h\nauth a { pam service x mech login }\n");
}

static void
test_canonical_text(void **state)
{
	struct conf	*c = parse(all_words);
	char		*text = conf_print(c);

	(void)state;
	assert_non_null(strstr(text, "key \"/k \\\"\\\\\\$.pem\""));
	assert_non_null(strstr(text, "\"ann\" = \"ann@x.example, @y.example\""
	    "\n\t\"bob\"\n}"));
	assert_non_null(strstr(text, "relay \"smart\" { host "
	    "\"smtp.isp.example\" port 4650 tls verify ca \"/x.pem\" helo "
	    "\"h.example.org\" auth <\"secrets\"> \"isp\" concurrency 20 "
	    "per-tenant 10 per-user 5 retry { 300s 900s 3600s } "
	    "expire 432000s }\n"));
	assert_non_null(strstr(text, "listen on ::1 port 465 tls pki \"main\" "
	    "auth \"sys\"\n"));
	assert_non_null(strstr(text, "match from auth sender { own "
	    "<\"aliases\"> <\"t2\"> } from-mismatch rewrite "
	    "relay \"smart\"\n"));
	free(text);
	conf_free(c);
}

/* A rule keeps the line of the file in the canonical text, and no other. */
static void
test_lines(void **state)
{
	static const char	 text[] = "#:x7\n#: 7\n#:7 \nhostname h\n"
	    "queue { path \"/q\" }\ncontrol socket \"/s\"\n"
	    "relay x { maildir \"/m\" }\n\n\n"
	    "match from auth sender own relay x\n"
	    "match from local sender any relay x\n";
	struct conf	*c = parse(text), *again;
	char		*printed = conf_print(c);

	(void)state;
	assert_non_null(strstr(printed, "\n#:10\nmatch from auth "));
	again = parse(printed);
	assert_int_equal(TAILQ_FIRST(&again->matches)->line, 10);
	assert_int_equal(TAILQ_NEXT(TAILQ_FIRST(&again->matches),
	    entry)->line, 11);
	conf_free(again);
	conf_free(c);
	free(printed);
}

/* Every octet but NUL and newline comes back from the canonical text. */
static void
test_any_octet(void **state)
{
	struct conf	*c;
	char		 path[600], text[1400], *p = text, *out;
	int		 i;

	(void)state;
	path[0] = '/';
	for (i = 1; i < 256; i++)
		path[i] = i == '\n' ? 'n' : (char)i;
	path[256] = '\0';
	p += snprintf(p, 100, "hostname h\nqueue { path \"");
	for (i = 0; i < 256; i++) {
		if (strchr("\"\\$", path[i]) != NULL)
			*p++ = '\\';
		*p++ = path[i];
	}
	strlcpy(p, "\" }\n", 10);
	c = parse(text);
	assert_string_equal(c->spool, path);
	out = conf_print(c);
	conf_free(c);
	c = parse(out);
	assert_string_equal(c->spool, path);
	free(out);
	conf_free(c);
}

static void
test_unknown_words(void **state)
{
	static const char *const	 later[] = {
		"dkim", "metrics", "resolver",
		"tls-report", "mx"
	};
	char				 line[100], want[100];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		snprintf(line, sizeof(line), "%s \"x\" { }", later[i]);
		snprintf(want, sizeof(want), "unknown word \"%s\"", later[i]);
		refuse_line(line, want);
	}
	refuse_line("auth a { pam service x cache 2h }",
	    "cache: \"2h\" is not off or a time such as 30s or 5m from 1 to "
	    "3600");
	refuse_line("auth a { pam service x cache 1m cache off }",
	    "cache is given twice");
	refuse_line("auth a { pam service x mech { plain, cram-md5 } }",
	    "unknown word \"cram-md5\": mech is plain, login, scram-sha-256, "
	    "scram-sha-256-plus, scram-sha-1, scram-sha-1-plus, oauthbearer, "
	    "xoauth2 or external");
	refuse_line("auth a { pam service x mech scram-sha-256 }",
	    "auth \"a\": mech scram-sha-256 needs a passwd file");
	refuse_line("auth a { pam service x passwd file:\"p\" }",
	    "passwd: \"p\" is not an absolute path");
	refuse_line("auth a { passwd file:\"/p\" passwd file:\"/q\" }",
	    "passwd is given twice");
	refuse_line("log level loud", "unknown word \"loud\": log level is "
	    "error, warning, notice, info or debug");
}

static void
test_local(void **state)
{
	struct conf		*c = parse("hostname h\n"
	    "relay x { maildir \"/m\" }\n"
	    "listen on socket \"/run/m/submit.sock\"\n"
	    "match from auth sender own relay x\n"
	    "match from local user \"root\" sender any relay x\n"
	    "match from local sender own relay x\n");
	struct conf_match	*m = TAILQ_FIRST(&c->matches);
	char			 line[200], path[128];

	(void)state;
	assert_string_equal(c->local, "/run/m/submit.sock");
	assert_true(TAILQ_EMPTY(&c->listeners));
	assert_false(m->local);
	m = TAILQ_NEXT(m, entry);
	assert_true(m->local);
	assert_string_equal(m->user, "root");
	m = TAILQ_NEXT(m, entry);
	assert_true(m->local);
	assert_null(m->user);
	conf_free(c);
	refuse("hostname h\nlisten on socket \"/a\"\n"
	    "listen on socket \"/b\"\n",
	    "t:3: listen on socket is given twice\n");
	refuse_line("listen on socket \"a\"",
	    "listen on socket: \"a\" is not an absolute path");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	snprintf(line, sizeof(line), "listen on socket \"%s\"", path);
	refuse_line(line, "listen on socket: the path is too long for a "
	    "socket");
	refuse_line("listen on ::1 port 1 grants deny tls pki p auth a",
	    "unknown word \"deny\": grants are allowed by \"grants allow\"\n"
	    "t:2: pki \"p\" is not defined\n"
	    "t:2: auth \"a\" is not defined");
	refuse_line("match from auth user a sender own relay x",
	    "the word \"user\" does not fit here");
	refuse_line("match from local user \"\" sender own relay x",
	    "user is empty\nt:2: relay \"x\" is not defined");
}

static void
test_errors(void **state)
{
	(void)state;
	refuse("", "t:1: hostname is needed\n");
	refuse_line("hostname i", "hostname is given twice");
	refuse_line("queue { path \"x\" }",
	    "queue path: \"x\" is not an absolute path");
	refuse_line("queue { path \"/x\"", "the text ends within a statement");
	refuse_line("log level", "the line ends within a statement");
	refuse_line("log } info", "'}' does not fit here");
	refuse_line("log \"level\" info",
	    "the string \"level\" does not fit here");
	refuse_line("frontend workers 0",
	    "workers: \"0\" is not a number from 1 to 256");
	refuse_line("frontend workers +1",
	    "workers: \"+1\" is not a number from 1 to 256");
	refuse_line("pki a { cert \"/c\" }",
	    "pki \"a\": cert and key are needed");
	refuse_line("pki a { cert \"/c\" cert \"/d\" key \"/k\" }",
	    "cert is given twice");
	refuse_line("auth a { }",
	    "auth \"a\": pam service, passwd, oauth or client-certificates "
	    "is needed");
	refuse_line("auth a { pam service \"../x\" }",
	    "pam service: \"../x\" is not a name");
	refuse_line("table t file:\"/x\" table",
	    "the word \"table\" does not fit here");
	refuse_line("table t { \"\" = b }", "table \"t\": a row is empty");
	refuse_line("table \"a b\" { }",
	    "\"a b\" is no name for a table: 1 to 64 octets, no blanks");
	refuse_line("control socket \"/s\" group",
	    "the line ends within a statement");
	refuse_line("hostname2 \"a b\"", "unknown word \"hostname2\"");
}

static void
test_relay_errors(void **state)
{
	(void)state;
	refuse_line("relay r { }",
	    "relay \"r\": either host or maildir is needed");
	refuse_line("relay r { host h maildir \"/m\" }",
	    "relay \"r\": either host or maildir is needed");
	refuse_line("relay r { maildir \"/m\" port 25 }",
	    "relay \"r\": only retry, expire and warn go with maildir");
	refuse_line("relay r { host h port 65536 }",
	    "port: \"65536\" is not a number from 1 to 65535");
	refuse_line("relay r { host h ca \"/c\" tls }",
	    "relay \"r\": ca is for verify alone");
	refuse_line("relay r { host h tls starttls }",
	    "starttls or tls is given twice");
	refuse_line("relay r { host \"a b\" }", "host: \"a b\" is not a name"
	    "\nt:2: relay \"r\": either host or maildir is needed");
	refuse_line("relay r { host h retry { 5m, 5x } }", "retry: \"5x\" is "
	    "not a time such as 30s, 5m, 1h or 2d, at most a year");
	refuse_line("relay r { host h expire 53w }", "expire: \"53w\" is "
	    "not a time such as 30s, 5m, 1h or 2d, at most a year");
	refuse_line("relay r { host h expire 99999999999999999999s }",
	    "expire: \"99999999999999999999s\" is "
	    "not a time such as 30s, 5m, 1h or 2d, at most a year");
	refuse_line("relay r { host h } relay r { host h }",
	    "the word \"relay\" does not fit here");
	refuse("hostname h\nrelay r { host h }\nrelay r { host h }\n",
	    "t:3: relay \"r\" is defined twice\n");
}

static void
test_references(void **state)
{
	(void)state;
	refuse("hostname h\n"
	    "listen on 127.0.0.1 port 25 tls pki p auth a\n"
	    "match from auth sender <t> relay r\n"
	    "relay s { host h tls auth <u> l }\n",
	    "t:2: pki \"p\" is not defined\n"
	    "t:2: auth \"a\" is not defined\n"
	    "t:3: relay \"r\" is not defined\n"
	    "t:3: table \"t\" is not defined\n"
	    "t:4: table \"u\" is not defined\n");
	refuse("hostname h\ntable u { a }\n"
	    "relay s { host h tls auth <u> l }\n"
	    "match from auth sender <u> relay s\n",
	    "t:3: table \"u\" holds passwords: it must be a file\n"
	    "t:4: table \"u\" holds passwords and cannot name senders\n");
	refuse("hostname h\ntable u file:\"/u\"\n"
	    "relay s { host h auth <u> l }\n",
	    "t:3: relay \"s\": auth needs starttls or tls\n");
}

static void
test_listen_errors(void **state)
{
	(void)state;
	refuse_line("listen on localhost port 25 tls pki p auth a",
	    "\"localhost\" is not a numeric address\n"
	    "t:2: pki \"p\" is not defined\n"
	    "t:2: auth \"a\" is not defined");
	refuse_line("listen on { ::1, 0:0::1 } port 25 tls pki p auth a",
	    "listen on ::1 port 25 is given twice\n"
	    "t:2: pki \"p\" is not defined\n"
	    "t:2: auth \"a\" is not defined");
	refuse_line("listen on ::1 port 25 pki p auth a", "listen needs a "
	    "port, starttls or tls, a pki and an auth");
}

static void
test_several_errors(void **state)
{
	(void)state;
	refuse("hostname h\nfoo 1\nlog level loud\nbaa { x\n y }\n\nbaz\n",
	    "t:2: unknown word \"foo\"\n"
	    "t:3: unknown word \"loud\": log level is error, warning, notice, "
	    "info or debug\n"
	    "t:4: unknown word \"baa\"\n"
	    "t:7: unknown word \"baz\"\n");
}

static void
test_macros(void **state)
{
	struct conf	*c;

	(void)state;
	c = parse("a = x\nb = \"$a.y\"\nhostname z.$b\nd = /var\n"
	    "queue { path $d/s }\nlog = info\nlog level $log\n");
	assert_string_equal(c->hostname, "z.x.y");
	assert_string_equal(c->spool, "/var/s");
	conf_free(c);
	refuse_line("queue { path $no }", "macro \"no\" is not defined\n"
	    "t:2: '}' does not fit here");
	refuse_line("queue { path \"/$no\" }", "macro \"no\" is not defined");
	refuse_line("queue { path \"/$\" }", "no macro name after $");
	refuse("hostname h\na = 1\na = 2\n",
	    "t:3: macro a is defined twice\n");
	refuse("hostname h\na = \"\\$a\"\nlog level $a\n",
	    "t:3: macro within the value of a macro\n"
	    "t:3: the line ends within a statement\n");
	refuse("hostname h\nb-c = 1\n",
	    "t:2: a macro's name has letters, digits and _ only\n");
}

static void
test_quoting_errors(void **state)
{
	static const char	 nul[] = "hostname \"a\0b\"\n";
	FILE			*f;
	char			*got = NULL;
	size_t			 len;

	(void)state;
	refuse_line("queue { path \"/a\\n\" }",
	    "a backslash stands only before \", \\ and $");
	refuse("hostname \"h\n", "t:1: string has no end on its line\n");
	refuse_line("log level info;",
	    "octet \";\" stands outside a string");
	refuse_line("\x01", "octet \"\\x01\" stands outside a string");
	assert_non_null(f = open_memstream(&got, &len));
	assert_null(conf_parse_text(nul, sizeof(nul) - 1, "t", f));
	fclose(f);
	assert_string_equal(got, "t:1: NUL octet in a string\n");
	free(got);
}

/* Text that would grow or loop is cut off. */
static void
test_limits(void **state)
{
	static char	 text[70000];
	char		*p = text;
	int		 i;

	(void)state;
	p += snprintf(p, 100, "hostname h\na0 = \"xxxxxxxxxxxxxxxx\"\n");
	for (i = 1; i < 10; i++)
		p += snprintf(p, 100, "a%d = \"$a%d$a%d$a%d$a%d\"\n", i, i - 1,
		    i - 1, i - 1, i - 1);
	assert_null(conf_parse_text(text, strlen(text), "t", NULL));

	p = text;
	for (i = 0; i < 60000; i++)
		*p++ = '"';
	*p = '\0';
	assert_null(conf_parse_text(text, strlen(text), "t", NULL));
	memset(text, '{', 60000);
	assert_null(conf_parse_text(text, 60000, "t", NULL));
	memset(text, '$', 60000);
	assert_null(conf_parse_text(text, 60000, "t", NULL));
}

static char	 dir[64];

static void
file_write(const char *name, const char *text)
{
	char	 path[128];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(f = fopen(path, "w"));
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int
dir_make(void **state)
{
	(void)state;
	strlcpy(dir, "/tmp/t_conf.XXXXXX", sizeof(dir));
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
dir_remove(void **state)
{
	static const char *const	 names[] = { "a", "b", "c" };
	char				 path[128];
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* Parse the file "a"; its errors must be want, '%' standing for dir. */
static void
refuse_file(const char *want)
{
	char	 path[128], *lines = NULL, *got = NULL;
	FILE	*f;
	size_t	 len;

	assert_non_null(f = open_memstream(&lines, &len));
	for (; *want != '\0'; want++) {
		if (*want == '%')
			fputs(dir, f);
		else
			fputc(*want, f);
	}
	fclose(f);
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_non_null(f = open_memstream(&got, &len));
	assert_null(conf_parse_file(path, NULL, 0, f));
	fclose(f);
	assert_string_equal(got, lines);
	free(got);
	free(lines);
}

static void
test_include(void **state)
{
	struct conf_macro	 macros[] = { { "m", "cmd" }, { "n", "x y" } };
	struct conf		*c;
	char			 path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/a", dir);
	file_write("a", "include \"b\"\nqueue { path \"/$m/$o\" }\n");
	file_write("b", "m = file\no = \"$m$n\"\nhostname h");
	assert_non_null(c = conf_parse_file(path, macros, 2, stderr));
	assert_string_equal(c->spool, "/cmd/cmdx y");
	conf_free(c);
	file_write("b", "hostname h\nfoo\n");
	file_write("a", "include \"b\"\nqueue { path \"/$m\" }\n");
	refuse_file("%/b:2: unknown word \"foo\"\n"
	    "%/a:2: macro \"m\" is not defined\n");
}

static void
test_include_errors(void **state)
{
	(void)state;
	file_write("a", "hostname h\ninclude \"c\"\n");
	refuse_file("%/a:2: include \"%/c\": No such file or directory\n");
	file_write("c", "hostname h\nqueue { path\n");
	refuse_file("%/c:1: hostname is given twice\n"
	    "%/c:2: the line ends within a statement\n");
	file_write("a", "include \"a\"\n");
	refuse_file("%/a:1: more than 16 files include one another\n"
	    "%/a:1: hostname is needed\n");
	refuse_line("include \"/etc/passwd\"", "include is not allowed here");
}

/* Who may write a file of the configuration may say what msad does. */
static void
test_include_owner(void **state)
{
	struct conf	*c;
	char		 path[128], main_path[128];

	(void)state;
	file_write("a", "hostname h\ninclude \"c\"\n");
	file_write("c", "queue { path \"/q\" }\n");
	snprintf(path, sizeof(path), "%s/c", dir);
	assert_int_equal(chmod(path, 0664), 0);
	refuse_file("%/a:2: include \"%/c\": must not be writable by group "
	    "or others\n");
	assert_int_equal(chmod(path, 0646), 0);
	refuse_file("%/a:2: include \"%/c\": must not be writable by group "
	    "or others\n");
	assert_int_equal(chmod(path, 0644), 0);
	snprintf(main_path, sizeof(main_path), "%s/a", dir);
	assert_non_null(c = conf_parse_file(main_path, NULL, 0, stderr));
	conf_free(c);
	if (getuid() == 0) {
		assert_int_equal(chown(path, 65534, 0), 0);
		refuse_file("%/a:2: include \"%/c\": must belong to root\n");
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refuse_file("%/a:2: include \"%/c\": not a regular file\n");
}

/* from-mismatch of a rule, else of the whole; append-domain by label. */
static void
test_header_words(void **state)
{
	static const enum conf_mismatch	want[] = {
		CONF_MISMATCH_REWRITE, CONF_MISMATCH_REWRITE,
		CONF_MISMATCH_REWRITE, CONF_MISMATCH_REWRITE,
		CONF_MISMATCH_REJECT, CONF_MISMATCH_ADD_SENDER
	};
	struct conf_match		*m;
	struct conf			*conf, *again;
	char				*text;
	size_t				 i = 0;

	(void)state;
	conf = parse(all_words);
	text = conf_print(conf);
	again = parse(text);
	free(text);
	TAILQ_FOREACH(m, &conf->matches, entry)
		assert_int_equal(m->mismatch, want[i++]);
	i = 0;
	TAILQ_FOREACH(m, &again->matches, entry)
		assert_int_equal(m->mismatch, want[i++]);
	assert_int_equal(i, 6);
	assert_string_equal(conf_append_find(&again->appends, "", 0),
	    "example.org");
	assert_string_equal(conf_append_find(&again->appends, "LAB", 3),
	    "example.com");
	assert_string_equal(conf_append_find(&again->appends, "x.y", 1),
	    "example.net");
	assert_null(conf_append_find(&again->appends, "y", 1));
	conf_free(conf);
	conf_free(again);
	refuse_line("from-mismatch sometimes", "unknown word \"sometimes\": "
	    "from-mismatch is reject, add-sender or rewrite");
	refuse_line("append-domain corp", "append-domain: \"corp\" is not a "
	    "complete domain");
	refuse_line("append-domain a.b example.org", "append-domain: \"a.b\" "
	    "is not a name without dots");
	refuse_line("append-domain { a, A } example.org", "append-domain for "
	    "\"A\" is given twice");
	refuse_line("append-domain \"\" example.org", "append-domain: a name "
	    "is empty");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_every_word),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_canonical_text),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_any_octet),
		cmocka_unit_test(test_unknown_words),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_relay_errors),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_listen_errors),
		cmocka_unit_test(test_header_words),
		cmocka_unit_test(test_several_errors),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_quoting_errors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test_setup_teardown(test_include, dir_make,
		    dir_remove),
		cmocka_unit_test_setup_teardown(test_include_errors, dir_make,
		    dir_remove),
		cmocka_unit_test_setup_teardown(test_include_owner, dir_make,
		    dir_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
