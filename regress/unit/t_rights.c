/* links: msad/queue/rights.c msad/queue/tables.c msad/queue/form.c */
/* links: msad/queue/scope.c msad/queue/lookup.c */
/*
 * Who may write as whom: own, any, tables, and the first match's relay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc_types.h"
#include "msad/queue/rights.h"
#include "msad/queue/scope.h"

static const char text[] =
    "hostname \"mail.example.org\"\n"
    "queue { path \"/var/spool/m\" }\n"
    "pki \"main\" { cert \"/c\" key \"/k\" }\n"
    "auth \"sys\" { pam service \"msad\" mech { plain } realm \"r.example\" }\n"
    "table aliases file:\"/etc/msad/aliases\"\n"
    "table secrets file:\"/etc/msad/secrets\"\n"
    "relay \"one\" { host \"a.example\" port 465 tls auth <secrets> \"isp\" }\n"
    "relay \"two\" { host \"b.example\" port 25 }\n"
    "listen on 127.0.0.1 port 587 starttls pki \"main\" auth \"sys\"\n";

static const char aliases[] =
    "# who: as whom\r\n"
    "\n"
    "ann: sales@r.example , @shop.example,\"odd, name\"@r.example\n"
    "bob: Bob.B@R.Example\n"
    "ann: late@r.example\n"
    "carl: m\xc3\xbcller@xn--mnchen-3ya.example, @\xd0\xbf\xd1\x80.example\n"
    "j\xc3\xb6rg: jo@M\xc3\xbcnchen.Example, @[192.0.2.1]\n";

static struct conf	*conf;
static struct tables	*tables;
static char		 reason[256];

static struct conf *
parse(const char *rules)
{
	char		 all[8192];
	struct conf	*c;

	snprintf(all, sizeof(all), "%s%s", text, rules);
	assert_non_null(c = conf_parse_text(all, strlen(all), "t", stderr));
	return c;
}

/* A descriptor with this text in it. */
static int
file_with(const char *s)
{
	char	name[] = "/tmp/t_rights.XXXXXX";
	int	fd;

	assert_int_not_equal(fd = mkstemp(name), -1);
	unlink(name);
	assert_int_equal(write(fd, s, strlen(s)), strlen(s));
	return fd;
}

static struct tables *
load(const struct conf *c, const char *senders, const char *secrets)
{
	struct table_files	 files = TAILQ_HEAD_INITIALIZER(files);
	struct tables		*t;

	assert_int_equal(table_file_read(&files, SLICE_STR("aliases"),
	    file_with(senders)), 0);
	assert_int_equal(table_file_read(&files, SLICE_STR("secrets"),
	    file_with(secrets)), 0);
	t = tables_load(c, &files, reason, sizeof(reason));
	table_files_free(&files);
	return t;
}

static void
setup(const char *rules)
{
	conf = parse(rules);
	assert_non_null(tables = load(conf, aliases, "isp: me p4ss word\n"));
}

static void
teardown(void)
{
	tables_free(tables);
	conf_free(conf);
}

static bool			 local;
static const struct scope	*scope;

static bool
listed(const struct tables *t, const char *name, const char *login,
    const char *addr)
{
	struct forms	f;

	return form_mailbox(tables_rules(t), SLICE_STR(addr), &f) &&
	    tables_sender(t, name, SLICE_STR(login), &f);
}

static const char *
route(const char *user, const char *own, const char *sender)
{
	struct rights_login	 login = { .user = user, .own = own,
		.local = local, .scope = scope };
	const char		*relay = "?";

	switch (rights_route(conf, tables, &login, SLICE_STR(sender),
	    &relay)) {
	case VERDICT_OK:
		return relay;
	case VERDICT_SENDER_DENIED:
		return "denied";
	case VERDICT_BAD_SENDER:
		return "bad";
	case VERDICT_NO_ROUTE:
		return "no route";
	case VERDICT_TROUBLE:
		return "unknown";
	default:
		return "other";
	}
}

/* R6409-6.1-a, R5321-4.1.2-a */
static void
own_address_and_no_other(void **state)
{
	(void)state;
	setup("match from auth sender own relay \"one\"\n");
	assert_string_equal(route("ann", "ann@r.example", "ann@r.example"),
	    "one");
	assert_string_equal(route("ann", "ann@r.example", "ann@R.EXAMPLE"),
	    "one");
	assert_string_equal(route("ann", "ann@r.example",
	    "\"ann\"@r.example"), "one");
	assert_string_equal(route("ann", "ann@r.example", "Ann@r.example"),
	    "denied");
	assert_string_equal(route("ann", "ann@r.example", "bob@r.example"),
	    "denied");
	assert_string_equal(route("ann", "ann@r.example", "ann@r.example.org"),
	    "denied");
	assert_string_equal(route("ann", "ann@r.example", "ann"), "bad");
	assert_string_equal(route("ann", "ann@r.example",
	    "ann@r.example\r\nX"), "bad");
	/* R6409-3.2-a */
	assert_string_equal(route("ann", "ann@r.example", ""), "one");
	teardown();
}

static void
tables_add_addresses_and_domains(void **state)
{
	(void)state;
	setup("match from auth sender <aliases> relay \"one\"\n");
	assert_string_equal(route("ann", "x@y", "sales@r.example"), "one");
	assert_string_equal(route("ann", "x@y", "late@r.example"), "one");
	assert_string_equal(route("ann", "x@y", "any.one@SHOP.example"),
	    "one");
	assert_string_equal(route("ann", "x@y", "\"odd, name\"@r.example"),
	    "one");
	assert_string_equal(route("bob", "x@y", "Bob.B@r.example"), "one");
	assert_string_equal(route("bob", "x@y", "bob.b@r.example"), "denied");
	assert_string_equal(route("bob", "x@y", "sales@r.example"), "denied");
	assert_string_equal(route("ann", "x@y", "a@sub.shop.example"),
	    "denied");
	assert_string_equal(route("an", "x@y", "sales@r.example"), "denied");
	teardown();
}

/* P3, R6531-3.3-a: U- and A-labels are one domain, look-alikes are none. */
static void
utf8_addresses(void **state)
{
	static const struct {
		const char	*user, *sender, *want;
	} list[] = {
		{ "carl", "m\xc3\xbcller@m\xc3\xbcnchen.example", "one" },
		{ "carl", "m\xc3\xbcller@mu\xcc\x88nchen.example", "one" },
		{ "carl", "m\xc3\xbcller@XN--mnchen-3YA.example", "one" },
		{ "carl", "\"m\xc3\xbcller\"@m\xc3\xbcnchen.EXAMPLE", "one" },
		{ "carl", "mu\xcc\x88ller@m\xc3\xbcnchen.example", "denied" },
		{ "carl", "M\xc3\xbcller@m\xc3\xbcnchen.example", "denied" },
		{ "carl", "muller@m\xc3\xbcnchen.example", "denied" },
		{ "carl", "m\xc3\xbcller@munchen.example", "denied" },
		{ "carl", "x@\xd0\xbf\xd1\x80.example", "one" },
		{ "carl", "\xe6\x97\xa5@xn--o1ac.example", "one" },
		{ "carl", "x@a.xn--o1ac.example", "denied" },
		{ "carl", "x@\xd0\xbfp.example", "denied" },
		{ "carl", "x@np.example", "denied" },
		{ "carl", "jo@m\xc3\xbcnchen.example", "denied" },
		{ "j\xc3\xb6rg", "jo@xn--mnchen-3ya.example", "one" },
		{ "j\xc3\xb6rg", "jo@m\xc3\xbcnchen.example", "one" },
		{ "j\xc3\xb6rg", "x@[192.0.2.1]", "one" },
		{ "jo\xcc\x88rg", "jo@xn--mnchen-3ya.example", "denied" },
		{ "jorg", "jo@xn--mnchen-3ya.example", "denied" },
		{ "j\xc3\xb6rg", "jo@M\xc3\x9cNCHEN.example", "bad" },
		{ "j\xc3\xb6rg", "jo@m\xfcnchen.example", "bad" },
		{ "j\xc3\xb6rg", "jo\xef\xbc\xa0m\xc3\xbcnchen.example",
		    "bad" },
	};
	size_t	i;

	(void)state;
	setup("match from auth sender <aliases> relay \"one\"\n");
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (strcmp(route(list[i].user, "x@y", list[i].sender),
		    list[i].want) != 0)
			fail_msg("%s as %s: %s", list[i].user, list[i].sender,
			    route(list[i].user, "x@y", list[i].sender));
	teardown();
	setup("match from auth sender own relay \"one\"\n");
	assert_string_equal(route("j\xc3\xb6", "j\xc3\xb6@r.example",
	    "j\xc3\xb6@R.example"), "one");
	assert_string_equal(route("j\xc3\xb6", "j\xc3\xb6@r.example",
	    "jo\xcc\x88@r.example"), "denied");
	assert_string_equal(route("ann", "ann@r.example",
	    "\xd0\xb0nn@r.example"), "denied");
	assert_string_equal(route("ann", "ann@r.example",
	    "\xef\xbd\x81nn@r.example"), "denied");
	assert_string_equal(route("ann", "ann@r.example",
	    "ann@r.ex\xd0\xb0mple"), "denied");
	assert_string_equal(route("ann", "ann@r.example",
	    "ann@r\xef\xbc\x8e""example"), "bad");
	assert_string_equal(route("ann", "ann@r.example",
	    "ann\xef\xbc\xa0r.example"), "bad");
	/* a login that is no address owns none */
	assert_string_equal(route("\xff", "\xff@r.example", "\xff@r.example"),
	    "bad");
	teardown();
}

static void
first_match_wins(void **state)
{
	(void)state;
	setup("match from auth sender own relay \"one\"\n"
	    "match from auth sender any relay \"two\"\n");
	assert_string_equal(route("a", "a@r.example", "a@r.example"), "one");
	assert_string_equal(route("a", "a@r.example", "b@r.example"), "two");
	teardown();
}

static void
secrets_are_found_by_label(void **state)
{
	struct slice	user, password;

	(void)state;
	setup("match from auth sender any relay \"one\"\n");
	assert_true(tables_secret(tables, "secrets", "isp", &user,
	    &password));
	assert_true(slice_is(user, "me"));
	assert_true(slice_is(password, "p4ss word"));
	assert_false(tables_secret(tables, "secrets", "is", &user, &password));
	assert_false(tables_secret(tables, "aliases", "ann", &user,
	    &password));
	assert_false(listed(tables, "secrets", "isp", "me@p4ss"));
	teardown();
}

static void
wrong_rows_are_named(void **state)
{
	static const struct {
		const char	*senders, *secrets, *want;
	} rows[] = {
		{ "ann a@b.c\n", "", "/etc/msad/aliases:1: no colon" },
		{ "\n\nann: x\n", "", "/etc/msad/aliases:3: neither" },
		{ "ann: a@b.c,\nbob:\n", "", "/etc/msad/aliases:2: an empty" },
		{ "a b: a@b.c\n", "", "/etc/msad/aliases:1: white space" },
		{ ": a@b.c\n", "", "/etc/msad/aliases:1: the key" },
		{ "ann: a@\xe2\x98\x83.net\n", "",
		    "/etc/msad/aliases:1: neither" },
		{ "ann: @\xff\n", "", "/etc/msad/aliases:1: neither" },
		{ "ann: \xc2\x85@b.c\n", "", "/etc/msad/aliases:1: neither" },
		{ "ann: @-x.y\n", "", "/etc/msad/aliases:1: neither" },
		{ "ann: a@b.c b@c.d\n", "", "/etc/msad/aliases:1: neither" },
		{ "", "isp: me\n", "/etc/msad/secrets:1: the row is not" },
	};
	struct conf	*c;
	size_t		 i;

	(void)state;
	c = parse("match from auth sender { <aliases> } relay \"one\"\n");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reason[0] = '\0';
		assert_null(load(c, rows[i].senders, rows[i].secrets));
		if (strncmp(reason, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("\"%s\" is not \"%s\"", reason, rows[i].want);
	}
	conf_free(c);
}

static void
many_rows(void **state)
{
	struct conf	*c;
	struct tables	*t;
	char		*big, addr[64], login[32];
	size_t		 len = 0, size = 20000 * 48;
	int		 i;

	(void)state;
	assert_non_null(big = malloc(size));
	for (i = 0; i < 20000; i++)
		len += (size_t)snprintf(big + len, size - len,
		    "user%d: alias%d@r.example\n", i, i);
	c = parse("match from auth sender <aliases> relay \"one\"\n");
	assert_non_null(t = load(c, big, ""));
	for (i = 0; i < 20000; i += 7) {
		snprintf(login, sizeof(login), "user%d", i);
		snprintf(addr, sizeof(addr), "alias%d@r.example", i);
		assert_true(listed(t, "aliases", login, addr));
		snprintf(addr, sizeof(addr), "alias%d@r.example", i + 1);
		assert_false(listed(t, "aliases", login, addr));
	}
	tables_free(t);
	conf_free(c);
	free(big);
}

/* R6409-4.3-b: rules for local users and for logins stay apart. */
static void
local_rules_are_for_local_users(void **state)
{
	(void)state;
	setup("match from auth sender any relay \"one\"\n"
	    "match from local user root sender any relay \"two\"\n"
	    "match from local sender own relay \"two\"\n");
	assert_string_equal(route("root", "root@r.example", "x@y.example"),
	    "one");
	local = true;
	assert_string_equal(route("root", "root@h.example", "x@y.example"),
	    "two");
	assert_string_equal(route("ann", "ann@h.example", "ann@h.example"),
	    "two");
	assert_string_equal(route("ann", "ann@h.example", "x@y.example"),
	    "denied");
	assert_string_equal(route("rooty", "rooty@h.example", "x@y.example"),
	    "denied");
	teardown();
	setup("match from auth sender any relay \"one\"\n");
	assert_string_equal(route("root", "root@h.example", "x@y.example"),
	    "no route");
	local = false;
	teardown();
}

/* Entries that stand for all: any address, everybody. */
static void
everybody_and_anything(void **state)
{
	(void)state;
	conf = parse("match from auth sender <aliases> relay \"one\"\n");
	assert_non_null(tables = load(conf, "boss: *\n"
	    "*: info@r.example, @open.example\n" "ann: ann@x.example\n",
	    "isp: me p4ss\n"));
	assert_string_equal(route("boss", "x@y", "any@where.example"), "one");
	assert_string_equal(route("ann", "x@y", "info@r.example"), "one");
	assert_string_equal(route("bob", "x@y", "x@open.example"), "one");
	assert_string_equal(route("ann", "x@y", "ann@x.example"), "one");
	assert_string_equal(route("bob", "x@y", "ann@x.example"), "denied");
	assert_string_equal(route("ann", "x@y", "any@where.example"),
	    "denied");
	/* a login of that name is nobody special */
	assert_string_equal(route("*", "x@y", "ann@x.example"), "denied");
	teardown();
}

/* Who may use what with sub-addresses: every row of the table. */
static void
sub_addresses(void **state)
{
	static const struct {
		const char	*user, *sender, *want;
	} rows[] = {
		{ "ann", "ann@r.example", "one" },
		{ "ann", "ann+x@r.example", "one" },
		{ "ann", "\"ann+x\"@r.example", "one" },
		{ "ann", "\"a\\nn+x y\"@r.example", "one" },
		{ "ann", "ann+@r.example", "one" },
		{ "ann", "Ann+x@r.example", "denied" },
		{ "ann", "ann-x@r.example", "denied" },
		{ "ann", "+ann@r.example", "denied" },
		{ "ann", "annx+x@r.example", "denied" },
		{ "ann", "ann+x@s.example", "denied" },
		/* given to another by name: it is no sub-address of hers */
		{ "ann", "ann+lists@r.example", "denied" },
		{ "bob", "ann+lists@r.example", "one" },
		{ "bob", "ann+lists+x@r.example", "denied" },
		{ "bob", "ann@r.example", "denied" },
		{ "bob", "ann+x@r.example", "denied" },
		{ "ann", "\"ann+lists\"@R.example", "denied" },
		/* of addresses in tables as well */
		{ "bob", "sales+eu@r.example", "one" },
		{ "bob", "sales+us@r.example", "denied" },
		{ "cat", "sales+us@r.example", "one" },
		{ "cat", "sales@r.example", "denied" },
		/* and of domains, which take all */
		{ "cat", "any+one@cat.example", "one" },
		/* an entry with a separator in it is the one address */
		{ "cat", "cat+only@r.example", "one" },
		{ "cat", "cat+only+x@r.example", "denied" },
	};
	char	own[64];
	size_t	i;

	(void)state;
	conf = parse("subaddress \"+\"\n"
	    "match from auth sender { own, <aliases> } relay \"one\"\n");
	assert_non_null(tables = load(conf, "bob: ann+lists@r.example, "
	    "sales@r.example\n" "cat: sales+us@r.example, @cat.example, "
	    "cat+only@r.example\n", "isp: me p4ss\n"));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(own, sizeof(own), "%s@r.example", rows[i].user);
		if (strcmp(rows[i].user, "cat") == 0)
			snprintf(own, sizeof(own), "cat@other.example");
		if (strcmp(route(rows[i].user, own, rows[i].sender),
		    rows[i].want) != 0)
			fail_msg("%s as %s: not %s", rows[i].user,
			    rows[i].sender, rows[i].want);
	}
	teardown();
}

static void
case_of_local_parts(void **state)
{
	(void)state;
	conf = parse("local-part ignore-case\n"
	    "match from auth sender { own, <aliases> } relay \"one\"\n");
	assert_non_null(tables = load(conf, "ann: Sales@R.Example\n",
	    "isp: me p4ss\n"));
	assert_string_equal(route("ann", "Ann@r.example", "aNN@R.example"),
	    "one");
	assert_string_equal(route("ann", "x@y", "SALES@r.example"), "one");
	assert_string_equal(route("ann", "x@y", "sale@r.example"), "denied");
	teardown();
	/* and without the directive octet for octet (R5321-4.1.2-a) */
	conf = parse("match from auth sender <aliases> relay \"one\"\n");
	assert_non_null(tables = load(conf, "ann: Sales@R.Example\n",
	    "isp: me p4ss\n"));
	assert_string_equal(route("ann", "x@y", "sales@r.example"), "denied");
	teardown();
}

/* R6409-6.1-a: the rule and the credential must both allow it. */
static void
credentials_restrict(void **state)
{
	struct scope_claim	c = { .nsenders = 2 };
	struct scope		s;

	(void)state;
	c.senders[0] = SLICE_STR("ann@r.example");
	c.senders[1] = SLICE_STR("@shop.example");
	assert_int_equal(scope_set(&s, &c), 0);
	setup("match from auth sender own relay \"one\"\n"
	    "match from auth sender { <aliases> } relay \"two\"\n");
	scope = &s;
	assert_string_equal(route("ann", "ann@r.example", "ann@r.example"),
	    "one");
	assert_string_equal(route("ann", "ann@r.example", "x@shop.example"),
	    "two");
	assert_string_equal(route("ann", "ann@r.example", "sales@r.example"),
	    "denied");
	assert_string_equal(route("bob", "bob@r.example", "bob@r.example"),
	    "denied");
	assert_string_equal(route("bob", "bob@r.example", "x@shop.example"),
	    "denied");
	assert_string_equal(route("bob", "bob@r.example", ""), "one");
	teardown();
	setup("match from auth sender any relay \"one\"\n");
	assert_string_equal(route("ann", "x@y", "x@shop.example"), "one");
	assert_string_equal(route("ann", "x@y", "x@any.example"), "denied");
	teardown();
	scope = NULL;
	scope_clear(&s);
}

/* P2: rules that take no proof but a login's own. */
static void
rules_except_proofs(void **state)
{
	struct scope_claim	c = { .flags = GRANT_SEEN };
	struct scope		seen, address;

	(void)state;
	assert_int_equal(scope_set(&seen, &c), 0);
	c.flags = GRANT_ADDRESS;
	assert_int_equal(scope_set(&address, &c), 0);
	setup("match from auth except { external, address } sender any "
	    "relay \"one\"\n"
	    "match from auth except external sender own relay \"two\"\n");
	assert_string_equal(route("a", "a@r.example", "x@y.example"), "one");
	scope = &address;
	assert_string_equal(route("a", "a@r.example", "x@y.example"),
	    "denied");
	assert_string_equal(route("a", "a@r.example", "a@r.example"), "two");
	scope = &seen;
	assert_string_equal(route("a", "a@r.example", "a@r.example"),
	    "no route");
	scope = NULL;
	teardown();
	scope_clear(&seen);
	scope_clear(&address);
}

/* What no database answered is neither allowed nor refused. */
static void
unknown_is_no_refusal(void **state)
{
	static const char	db[] = "table db sqlite:\"/db\" { query "
	    "\"SELECT a FROM t WHERE u = ?\" }\n";
	struct rights_login	login = { .user = "ann",
	    .own = "ann@r.example" };
	const char		*names[4];
	char			 rules[512];

	(void)state;
	snprintf(rules, sizeof(rules), "%s%s", db,
	    "match from auth sender { own, <db> } relay \"one\"\n"
	    "match from auth sender { <aliases>, <db> } relay \"two\"\n"
	    "match from local sender <db> relay \"two\"\n");
	setup(rules);
	assert_string_equal(route("ann", "ann@r.example", "ann@r.example"),
	    "one");
	/* a later rule that would allow it is not looked at */
	assert_string_equal(route("ann", "ann@r.example", "sales@r.example"),
	    "unknown");
	assert_string_equal(route("ann", "ann@r.example", ""), "one");
	assert_int_equal(rights_lookups(conf, &login, names, 4), 1);
	assert_string_equal(names[0], "db");
	assert_int_equal(rights_sender(TAILQ_FIRST(&conf->matches), tables,
	    &login, SLICE_STR("x@y.example")), RIGHT_UNKNOWN);
	assert_int_equal(rights_sender(TAILQ_FIRST(&conf->matches), tables,
	    &login, SLICE_STR("ann@r.example")), RIGHT_YES);
	teardown();
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(own_address_and_no_other),
		cmocka_unit_test(tables_add_addresses_and_domains),
		cmocka_unit_test(utf8_addresses),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(local_rules_are_for_local_users),
		cmocka_unit_test(secrets_are_found_by_label),
		cmocka_unit_test(wrong_rows_are_named),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(everybody_and_anything),
		cmocka_unit_test(sub_addresses),
		cmocka_unit_test(case_of_local_parts),
		cmocka_unit_test(credentials_restrict),
		cmocka_unit_test(rules_except_proofs),
		cmocka_unit_test(unknown_is_no_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
