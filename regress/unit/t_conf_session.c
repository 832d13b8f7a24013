/* links: regress/unit/conf_side.c */
/*
 * The configuration: what holds for sessions and logins, and switches.
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

/* The same with what every configuration needs around it. */
static void
refuse_line(const char *line, const char *want)
{
	char	 text[2048], lines[2048];

	snprintf(text, sizeof(text), "hostname h\n%s\n", line);
	snprintf(lines, sizeof(lines), "t:2: %s\n", want);
	refuse(text, lines);
}

/* What holds for sessions, with the least that is needed around it. */
static void
test_sessions(void **state)
{
	static const char	 text[] =
	    "hostname h\npki main { cert \"/c\" key \"/k\" }\n"
	    "auth sys { pam service msad }\n"
	    "limit session {\n\tconnections 100, per-address 10\n"
	    "\tsize 25M\n\trecipients 50 idle-time 2m, header-size 64K\n"
	    "\tmails 7 data-rate 0\n}\nearly-talker reject\n"
	    "convert off\n"
	    "proxy from { 10.0.0.0/24, 2001:db8::/32 127.0.0.1 }\n"
	    "bar from 192.0.2.0/24\n"
	    "listen on 127.0.0.1 port 465 tls pki main auth sys proxy-v2\n"
	    "listen on 127.0.0.1 port 466 tls pki main auth sys proxy-v1 "
	    "proxy-v2\n"
	    "listen on 127.0.0.1 port 467 tls pki main auth sys\n";
	struct conf		*c = parse(text), *again;
	char			*printed, *twice;

	(void)state;
	printed = conf_print(c);
	again = parse(printed);
	twice = conf_print(again);
	assert_string_equal(printed, twice);
	conf_free(c);
	assert_int_equal(again->limits.connections, 100);
	assert_int_equal(again->limits.per_address, 10);
	assert_int_equal(again->limits.per_network, 2000);
	assert_int_equal(again->limits.size, 25 * 1024 * 1024);
	assert_int_equal(again->message_size, 25 * 1024 * 1024);
	assert_int_equal(again->limits.recipients, 50);
	assert_int_equal(again->limits.idle_time, 120);
	assert_int_equal(again->limits.header_size, 65536);
	assert_int_equal(again->limits.mails, 7);
	assert_int_equal(again->limits.data_rate, 0);
	assert_true(again->early_reject);
	assert_true(again->convert_off);
	assert_int_equal(conf_listener_find(again, 0)->proxy, CONF_PROXY_V2);
	assert_int_equal(conf_listener_find(again, 1)->proxy,
	    CONF_PROXY_V1 | CONF_PROXY_V2);
	assert_int_equal(conf_listener_find(again, 2)->proxy, 0);
	assert_int_equal(TAILQ_FIRST(&again->proxies)->net.prefix, 24);
	assert_int_equal(TAILQ_FIRST(&again->barred)->net.prefix, 24);
	conf_free(again);
	free(printed);
	free(twice);
}

/* What failed logins lead to, and how long right passwords are kept. */
static void
test_login(void **state)
{
	static const char	 text[] =
	    "hostname h\npki main { cert \"/c\" key \"/k\" }\n"
	    "auth sys { pam service msad }\n"
	    "auth off { pam service msad cache off mech { plain, login } }\n"
	    "auth long { pam service msad cache 5m }\n"
	    "limit login { address 7, network 0\n\tuser 9 user-address 3,\n"
	    "\tperiod 1h ban 2m ban-max 3h delay 0s delay-max 9s\n"
	    "\tremember 1d }\nlimit session { mails 7 }\n"
	    "trust from { 10.0.0.0/24, ::1 }\n";
	struct conf		*c = parse(text), *again;
	char			*printed, *twice;

	(void)state;
	printed = conf_print(c);
	again = parse(printed);
	twice = conf_print(again);
	assert_string_equal(printed, twice);
	conf_free(c);
	assert_int_equal(again->login.address, 7);
	assert_int_equal(again->login.network, 0);
	assert_int_equal(again->login.user, 9);
	assert_int_equal(again->login.user_address, 3);
	assert_int_equal(again->login.period, 3600);
	assert_int_equal(again->login.ban, 120);
	assert_int_equal(again->login.ban_max, 10800);
	assert_int_equal(again->login.delay, 0);
	assert_int_equal(again->login.delay_max, 9);
	assert_int_equal(again->login.remember, 86400);
	assert_false(again->login.off);
	assert_int_equal(again->limits.mails, 7);
	assert_int_equal(TAILQ_FIRST(&again->trusted)->net.prefix, 24);
	assert_int_equal(conf_auth_find(again, "sys")->cache, 60);
	assert_int_equal(conf_auth_find(again, "off")->cache, 0);
	assert_int_equal(conf_auth_find(again, "long")->cache, 300);
	conf_free(again);
	free(printed);
	free(twice);

	c = parse("hostname h\nlimit login off\nlimit session { mails 7 }\n");
	assert_true(c->login.off);
	printed = conf_print(c);
	assert_non_null(strstr(printed, "limit login off\n"));
	free(printed);
	conf_free(c);
	refuse_line("limit login on", "unknown word \"on\": limit login is off "
	    "or { ... }");
	refuse_line("limit mails off", "unknown word \"mails\": limit is "
	    "session, login, user or default");
	refuse_line("limit login { speed 9 }",
	    "unknown word \"speed\" in limit login");
	refuse_line("limit login { user 1 user 2 }", "user is given twice");
	refuse_line("limit login { delay 2m }", "delay: \"2m\" is not a time "
	    "such as 30s or 5m from 0 to 60");
	refuse_line("trust from anywhere", "trust from: \"anywhere\" is no "
	    "network such as 192.0.2.0/24 or 2001:db8::/32");
}

static void
test_sessions_errors(void **state)
{
	(void)state;
	refuse_line("limit session { speed 9 }",
	    "unknown word \"speed\" in limit session");
	refuse_line("limit session { mails 1 mails 2 }",
	    "mails is given twice");
	refuse_line("limit session { mails 0 }",
	    "mails: \"0\" is not a number from 1 to 1000000000");
	refuse_line("limit session { mails 1K }",
	    "mails: \"1K\" is not a number from 1 to 1000000000");
	refuse_line("limit session { recipients 1001 }",
	    "recipients: \"1001\" is not a number from 1 to 1000");
	refuse_line("limit session { idle-time 5 }", "idle-time: \"5\" is not "
	    "a time such as 30s or 5m from 1 to 86400");
	refuse_line("limit session { size 99999999999999999999G }", "size: "
	    "\"99999999999999999999G\" is not a size such as 64K or 25M from "
	    "65536 to 4294967296");
	refuse("hostname h\nlimit session { mails 5 }\n"
	    "limit session { received 5 }\n",
	    "t:3: limit session is given twice\n");
	refuse_line("convert 8bit", "unknown word \"8bit\": convert is 7bit or "
	    "off");
	refuse("hostname h\nconvert 7bit\nconvert off\n",
	    "t:3: convert is given twice\n");
	refuse_line("early-talker ignore", "unknown word \"ignore\": "
	    "early-talker is accept or reject");
	refuse_line("proxy from 10.0.0.1/24", "proxy from: \"10.0.0.1/24\" is "
	    "no network such as 192.0.2.0/24 or 2001:db8::/32");
	refuse_line("bar from host.example", "bar from: \"host.example\" is "
	    "no network such as 192.0.2.0/24 or 2001:db8::/32");
	refuse("hostname h\npki p { cert \"/c\" key \"/k\" }\n"
	    "auth a { pam service x }\n"
	    "listen on ::1 port 465 tls pki p auth a proxy-v1\n",
	    "t:4: proxy-v1 and proxy-v2 need proxy from { ... }\n");
}

/* starttls optional where nobody can listen, add-auth-results. */
static void
test_switches(void **state)
{
	static const char	 text[] = "hostname h\nadd-auth-results\n"
	    "address-literals refuse\nreceived-privacy off\n"
	    "pki p { cert /c key /k }\nauth a { pam service s }\n"
	    "relay r { maildir /m }\n"
	    "listen on { 127.9.9.9, ::1 } port 25 starttls optional pki p "
	    "auth a\n"
	    "listen on 0.0.0.0 port 26 starttls optional insecure pki p "
	    "auth a\n"
	    "listen on 127.0.0.1 port 27 starttls pki p auth a\n"
	    "match from auth sender own relay r\n";
	static const bool	 want[][2] = {
		{ true, false }, { true, false }, { true, true },
		{ false, false }
	};
	struct conf		*conf, *again;
	struct conf_listener	*l;
	char			*printed;
	size_t			 i = 0;

	(void)state;
	conf = parse(text);
	assert_true(conf->auth_results);
	printed = conf_print(conf);
	again = parse(printed);
	assert_true(again->auth_results);
	assert_true(again->literals_refused && again->client_shown);
	TAILQ_FOREACH(l, &again->listeners, entry) {
		assert_int_equal(l->optional, want[i][0]);
		assert_int_equal(l->insecure, want[i++][1]);
	}
	assert_int_equal(i, 4);
	free(printed);
	conf_free(conf);
	conf_free(again);
	refuse("hostname h\npki p { cert /c key /k }\n"
	    "auth a { pam service s }\n"
	    "listen on 10.0.0.1 port 25 starttls optional pki p auth a\n",
	    "t:4: starttls optional on 10.0.0.1: what clients send there can "
	    "be read on the way; write insecure beside it if that is meant\n");
	refuse_line("address-literals no", "unknown word \"no\": "
	    "address-literals is accept or refuse");
	refuse_line("received-privacy no", "unknown word \"no\": "
	    "received-privacy is on or off");
	refuse("hostname h\nreceived-privacy on\nreceived-privacy off\n",
	    "t:3: received-privacy is given twice\n");
	refuse_line("listen on ::1 port 25 tls optional",
	    "the word \"optional\" does not fit here");
	refuse_line("listen on ::1 port 25 starttls insecure",
	    "the word \"insecure\" does not fit here");
	refuse("hostname h\nadd-auth-results\nadd-auth-results\n",
	    "t:3: add-auth-results is given twice\n");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_sessions_errors),
		cmocka_unit_test(test_switches)
	};

	return cmocka_run_group_tests_name("conf_session", tests, NULL, NULL);
}
