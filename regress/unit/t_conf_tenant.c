/* links: regress/unit/conf_side.c */
/*
 * "tenant NAME { ... }" of the configuration: what is its own, what it may use
 * of others, and that its rules are nobody else's (P3).
 */
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

static const char	all_words[] = "hostname h.example\n"
    "tenant acme {\n"
    "\tauth { pam service m realm acme.example }\n"
    "\tauth \"acme-2\" { passwd file:/p mech plain realm acme.test }\n"
    "\tlimit tenant { messages 5000/day, recipients off, bytes 2G/hour,\n"
    "\t    queue 2000, bytes 3G, over hold }\n"
    "\tlimit user { messages 100/hour, size 1M }\n"
    "\ttable t { ann = \"ann@acme.example\" }\n"
    "\tmatch from auth sender { own, <t> } relay pool\n"
    "\tmatch from auth sender any relay second\n"
    "\trelay second { host 127.0.0.2 }\n"
    "}\n"
    "relay pool { host 127.0.0.1 }\n"
    "auth sys { pam service s }\n"
    "match from auth sender own relay pool\n"
    "limit user { messages 7/day, recipients 9/day }\n"
    "limit default { over hold }\n"
    "tenant \"zeta\" { auth { passwd file:/z realm zeta.example }\n"
    "\tlimit tenant { queue off } }\n"
    "tenant none { }\n";

/* The same behind what every configuration needs. */
static void
wrong(const char *text, const char *want)
{
	char	 all[2048];

	snprintf(all, sizeof(all), "hostname h; relay out { host h }\n%s",
	    text);
	*strchr(all, ';') = '\n';
	refuse(all, want);
}

static void
check_all(const struct conf *c)
{
	const struct conf_tenant	*t;
	const struct conf_match		*m;
	const struct conf_rates		*r;
	struct conf_rates		 u;

	assert_non_null(t = conf_tenant_find(c, "acme"));
	assert_string_equal(conf_auth_find(c, "acme")->tenant, "acme");
	assert_string_equal(conf_auth_find(c, "acme-2")->tenant, "acme");
	assert_string_equal(conf_relay_find(c, "second")->tenant, "acme");
	assert_string_equal(conf_table_find(c, "t")->tenant, "acme");
	assert_null(conf_auth_find(c, "sys")->tenant);
	assert_null(conf_relay_find(c, "pool")->tenant);
	/* in no tenant first, in both forms of the text */
	assert_int_equal(conf_relay_find(c, "pool")->index, 0);
	assert_int_equal(conf_relay_find(c, "second")->index, 1);
	/* the rules of each */
	m = TAILQ_FIRST(conf_tenant_matches(c, ""));
	assert_string_equal(m->relay, "pool");
	assert_int_equal(m->line, 15);
	assert_null(TAILQ_NEXT(m, entry));
	assert_ptr_equal(conf_tenant_matches(c, "acme"), &t->matches);
	m = TAILQ_FIRST(&t->matches);
	assert_int_equal(m->line, 9);
	assert_string_equal(TAILQ_NEXT(m, entry)->relay, "second");
	assert_null(TAILQ_FIRST(conf_tenant_matches(c, "zeta")));
	assert_null(TAILQ_FIRST(conf_tenant_matches(c, "nobody")));
	/* limits */
	assert_non_null(r = conf_rates_tenant(c, "acme"));
	assert_int_equal(r->rate[CONF_RATE_MESSAGES].n, 5000);
	assert_int_equal(r->rate[CONF_RATE_RECIPIENTS].period, 0);
	assert_int_equal(r->rate[CONF_RATE_BYTES].n, UINT64_C(2) << 30);
	assert_int_equal(r->rate[CONF_RATE_BYTES].period, 3600);
	assert_int_equal(r->queue, 2000);
	assert_int_equal(r->octets, UINT64_C(3) << 30);
	assert_int_equal(r->over, CONF_OVER_HOLD);
	assert_int_equal(conf_rates_tenant(c, "zeta")->queue, 0);
	assert_null(conf_rates_tenant(c, "none"));
	assert_null(conf_rates_tenant(c, ""));
	assert_null(conf_rates_tenant(c, "nobody"));
	conf_rates_user(c, "acme", &u);
	assert_int_equal(u.rate[CONF_RATE_MESSAGES].n, 100);
	assert_int_equal(u.rate[CONF_RATE_RECIPIENTS].n, 9);
	assert_int_equal(u.size, 1 << 20);
	assert_int_equal(u.over, CONF_OVER_HOLD);
	conf_rates_user(c, "zeta", &u);
	assert_int_equal(u.rate[CONF_RATE_MESSAGES].n, 7);
	assert_int_equal(u.size, 0);
}

static void
every_word(void **state)
{
	struct conf	*c = parse(all_words), *again;
	char		*text, *second;

	(void)state;
	check_all(c);
	text = conf_print(c);
	again = parse(text);
	check_all(again);
	second = conf_print(again);
	assert_string_equal(text, second);
	free(text);
	free(second);
	conf_free(c);
	conf_free(again);
}

/* One name stands for one thing, whoever has it. */
static void
names(void **state)
{
	(void)state;
	wrong("tenant a { auth { pam service m } }\n"
	    "auth a { pam service m }\n",
	    "t:4: auth \"a\" is defined twice\n");
	wrong("tenant a { relay x { host h } }\n"
	    "tenant b { relay x { host i } }\n",
	    "t:4: relay \"x\" is defined twice\n");
	wrong("tenant a { table x { } }\ntable x { }\n",
	    "t:4: table \"x\" is defined twice\n");
	wrong("tenant a { }\ntenant a { }\n",
	    "t:4: tenant \"a\" is defined twice\n");
	wrong("tenant \"a b\" { }\n", "t:3: \"a b\" is no name for a tenant: "
	    "1 to 64 octets, no blanks\n");
	wrong("tenant a { auth { pam service m } auth { pam service m } }\n",
	    "t:3: auth \"a\" is defined twice\n");
}

/* What is a tenant's is for its logins alone. */
static void
apart(void **state)
{
	(void)state;
	wrong("tenant a { relay x { host h } }\n"
	    "tenant b { match from auth sender own relay x }\n",
	    "t:4: relay \"x\" is the tenant's \"a\" alone\n");
	wrong("tenant a { relay x { host h } }\n"
	    "match from auth sender own relay x\n",
	    "t:4: relay \"x\" is the tenant's \"a\" alone\n");
	wrong("tenant a { table x { } }\n"
	    "tenant b { match from auth sender <x> relay out }\n",
	    "t:4: table \"x\" is the tenant's \"a\" alone\n");
	wrong("tenant a { table x { } }\n"
	    "match from auth sender <x> relay out\n",
	    "t:4: table \"x\" is the tenant's \"a\" alone\n");
	wrong("tenant a { table x file:/x }\n"
	    "relay y { host h starttls auth <x> l }\n",
	    "t:4: table \"x\" is the tenant's \"a\" alone\n");
	wrong("table x { }\n"
	    "tenant b { match from auth sender <x> relay out }\n",
	    "t:4: table \"x\" must stand in the tenant \"b\": users of others "
	    "may have the same names\n");
	wrong("tenant a { match from local sender own relay out }\n",
	    "t:3: match from local does not stand in a tenant: local users are "
	    "in none\n");
}

/* Users of two tenants must not have the same own addresses. */
static void
realms(void **state)
{
	static const char	 rule[] =
	    "match from auth sender own relay out";
	char			 text[512];

	(void)state;
	snprintf(text, sizeof(text), "tenant a { auth { pam service m } %s }\n"
	    "tenant b { auth { pam service n realm H } %s }\n", rule, rule);
	wrong(text, "t:4: auth \"a\" and auth \"b\" have the realm \"H\" both,"
	    " for different tenants: the own addresses of their users would be "
	    "the same\n");
	snprintf(text, sizeof(text), "auth a { pam service m realm x }\n%s\n"
	    "tenant b { auth { pam service n realm x } %s }\n", rule, rule);
	wrong(text, "t:5: auth \"a\" and auth \"b\" have the realm \"x\" both,"
	    " for different tenants: the own addresses of their users would be "
	    "the same\n");
	/* where nobody's own counts it does no harm; nor within a tenant */
	conf_free(parse("hostname h\nrelay out { host h }\n"
	    "auth a { pam service m realm x }\n"
	    "match from auth sender own relay out\n"
	    "tenant b { auth { pam service n realm x }\n"
	    "match from auth sender any relay out }\n"
	    "auth c { pam service m realm x }\n"));
}

/* Words of other statements, and of those that are not there yet. */
static void
unknown_words(void **state)
{
	static const char *const	 words[] = {
		"domains { x }", "dkim x", "admin x", "sni",
	};
	char	 text[256], want[256];
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(text, sizeof(text), "tenant a { %s }\n", words[i]);
		snprintf(want, sizeof(want), "t:3: unknown word \"%.*s\"\n",
		    (int)strcspn(words[i], " "), words[i]);
		wrong(text, want);
	}
	wrong("tenant a { pki x { } }\n",
	    "t:3: the word \"pki\" does not fit here\n");
	wrong("tenant a { match from auth sender domains relay out }\n",
	    "t:3: unknown word \"domains\"\n");
	wrong("tenant a { tenant b { } }\n",
	    "t:3: the word \"tenant\" does not fit here\n");
	wrong("limit tenant { queue 3 }\n",
	    "t:3: the word \"tenant\" does not fit here\n");
	wrong("tenant a { limit login { user 3 } }\n",
	    "t:3: unknown word \"login\"\n");
	wrong("tenant a { limit user { queue 3 } }\n",
	    "t:3: unknown word \"queue\" in limit user\n");
	wrong("tenant a { limit tenant { size 3K } }\n",
	    "t:3: unknown word \"size\" in limit tenant\n");
	wrong("limit user { bytes 2G }\n", "t:3: bytes: \"2G\" is not off or "
	    "a rate such as 500M/hour or 2G/day\n");
}

static void
values(void **state)
{
	(void)state;
	wrong("tenant a { limit tenant { bytes 1 } }\n",
	    "t:3: bytes: \"1\" is not off, a rate such as 2G/day or a size such"
	    " as 64K or 25M from 1K to 1048576G\n");
	wrong("tenant a { limit tenant { bytes 1125899906842624G } }\n",
	    "t:3: bytes: \"1125899906842624G\" is not off, a rate such as "
	    "2G/day or a size such as 64K or 25M from 1K to 1048576G\n");
	wrong("tenant a { limit tenant { queue 0 } }\n",
	    "t:3: queue: \"0\" is not off or a number from 1 to 1000000000\n");
	wrong("tenant a { limit tenant { bytes 1G bytes 2G } }\n",
	    "t:3: bytes is given twice\n");
	wrong("tenant a { limit tenant { queue 2 queue 2 } }\n",
	    "t:3: queue is given twice\n");
	wrong("tenant a { limit tenant { queue 2 } limit tenant { queue 2 } }"
	    "\n", "t:3: limit tenant is given twice\nt:3: queue is given "
	    "twice\n");
	wrong("tenant a { limit user { size 2K } limit user { size 2K } }\n",
	    "t:3: limit user is given twice\nt:3: size is given twice\n");
	/* what follows a fault is not the tenant's */
	wrong("tenant a { nothing }\nauth b { pam service \"/\" }\n",
	    "t:3: unknown word \"nothing\"\n"
	    "t:4: pam service: \"/\" is not a name\n");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(every_word),
		cmocka_unit_test(names),
		cmocka_unit_test(apart),
		cmocka_unit_test(realms),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
