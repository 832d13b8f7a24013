/* links: msad/auth/guard.c msad/auth/guard_ban.c msad/auth/guard_table.c */
/* libs: idn */
/*
 * The guard before logins: what is counted, who is slowed, refused and banned,
 * and that an attacker can neither lock a user out nor fill the memory.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <arpa/inet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/siphash.h"
#include "common/stats.h"
#include "msad/auth/guard.h"
#include "msad/auth/guard_state.h"

#define S(text)	SLICE_STR(text)

static struct conf	 conf;
static int64_t		 now;	/* ms */

/* Empty tables, limits of the tests' own, no trusted networks. */
static int
fresh(void **state)
{
	struct network	 all;

	(void)state;
	memset(&conf, 0, sizeof(conf));
	TAILQ_INIT(&conf.trusted);
	conf_login_default(&conf.login);
	conf.login.address = 20;
	conf.login.network = 100;
	conf.login.user = 30;
	conf.login.user_address = 10;
	free(guard.trusted);
	memset(&guard, 0, sizeof(guard));
	assert_int_equal(guard_init(), 0);
	guard_configure(&conf);
	now = 1000000;
	network_parse("0.0.0.0/0", &all);
	guard_unban(&all, now);
	network_parse("::/0", &all);
	guard_unban(&all, now);
	return 0;
}

static enum guard_word
connects(const char *client)
{
	return guard_connect(S(client), now).word;
}

static enum guard_word
tries(const char *client, const char *user)
{
	return guard_try(S(client), S("sys"), S(user), now).word;
}

static unsigned int
fails(const char *client, const char *user, const char *password)
{
	return guard_failed(S(client), S("sys"), S(user), S(password), now);
}

static void
succeeds(const char *client, const char *user)
{
	guard_ok(S(client), S("sys"), S(user), now);
}

/* Fail with so many different passwords. */
static void
fail_times(const char *client, const char *user, unsigned int n)
{
	static unsigned int	 serial;
	char			 password[32];

	while (n-- > 0) {
		snprintf(password, sizeof(password), "wrong-%u", serial++);
		fails(client, user, password);
	}
}

/* Wrong logins of that user until it is refused; passwords that got through. */
static unsigned int
guesses(const char *client, const char *user, unsigned int n)
{
	unsigned int	 through = 0;

	for (; n > 0; n--) {
		if (tries(client, user) != GUARD_GO)
			continue;
		fail_times(client, user, 1);
		through++;
	}
	return through;
}

static void
test_siphash(void **state)
{
	/* the authors' test vector: key 00..0f, text 00..0e */
	static const uint64_t	 want = 0xa129ca6149be45e5ULL;
	struct siphash_key	 k = { { 0x0706050403020100ULL,
		0x0f0e0d0c0b0a0908ULL } };
	struct siphash		 h;
	uint8_t			 text[15];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)i;
	assert_true(siphash(&k, text, sizeof(text)) == want);
	siphash_begin(&h, &k);
	siphash_add(&h, text, 3);
	siphash_add(&h, text + 3, 11);
	siphash_add(&h, text + 14, 1);
	assert_true(siphash_end(&h) == want);
	assert_true(siphash(&k, "", 0) == 0x726fdb47dd0e0e31ULL);
}

static void
test_delay_grows(void **state)
{
	unsigned int	 first, second, third;

	(void)state;
	first = fails("192.0.2.1", "u", "a");
	second = fails("192.0.2.1", "u", "b");
	third = fails("192.0.2.1", "u", "c");
	assert_int_equal(first, 1000);
	assert_int_equal(second, 2000);
	assert_int_equal(third, 3000);
	fail_times("192.0.2.1", "u", 5);
	assert_int_equal(fails("192.0.2.1", "u", "z"), 5000);
	/* elsewhere it begins anew; users who are not there do not differ */
	assert_int_equal(fails("198.51.100.1", "no-such", "a"), 1000);
	/* many users at one address: slower, too */
	fail_times("198.51.100.2", "x1", 1);
	fail_times("198.51.100.2", "x2", 7);
	assert_int_equal(fails("198.51.100.2", "x3", "a"), 2000);
	conf.login.delay = 0;
	guard_configure(&conf);
	assert_int_equal(fails("192.0.2.1", "u", "y"), 0);
}

/*
 * Spellings that a passwd file (SASLprep) or a directory takes for the same
 * user are one user: no fresh count for each of them.
 */
static void
test_spellings_are_one(void **state)
{
	static const char *const	 same[] = {
		"ann lee", "ANN LEE", " ann lee", "ann lee  ", "ann   lee",
		"\xef\xbd\x81nn lee",			/* wide a */
		"\xf0\x9d\x90\x80nn lee",		/* bold A */
		"\xe2\x93\x90nn lee"			/* a in a circle */
	};
	size_t				 i;

	(void)state;
	assert_int_equal(guesses("192.0.2.1", "ann lee", 12), 10);
	for (i = 1; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(tries("192.0.2.1", same[i]), GUARD_BUSY);
	assert_int_equal(tries("192.0.2.1", "annlee"), GUARD_GO);
	assert_int_equal(guesses("192.0.2.7", "\xc3\xa9mile", 12), 10);
	assert_int_equal(tries("192.0.2.7", "\xc3\x89mile"), GUARD_BUSY);
	assert_int_equal(tries("192.0.2.7", "e\xcc\x81mile"), GUARD_BUSY);
	assert_int_equal(tries("192.0.2.7", "emile"), GUARD_GO);
}

/* A phone with an old password must not ban its office. */
static void
test_same_password_counts_once(void **state)
{
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(tries("192.0.2.1", "u"), GUARD_GO);
		assert_int_equal(fails("192.0.2.1", "u", "old"), 1000);
	}
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	/* a few by turns are remembered as well */
	for (i = 0; i < 1000; i++)
		fails("192.0.2.1", "u", i % 2 ? "old" : "older");
	assert_int_equal(tries("192.0.2.1", "u"), GUARD_GO);
	/* the same password of another user, or from elsewhere, is another */
	assert_int_equal(guesses("192.0.2.9", "v", 100), 10);
}

static void
test_pair_refused(void **state)
{
	struct guard_answer	 a;

	(void)state;
	assert_int_equal(guesses("192.0.2.1", "u", 12), 10);
	a = guard_try(S("192.0.2.1"), S("sys"), S("u"), now);
	assert_int_equal(a.word, GUARD_BUSY);
	assert_int_equal(a.seconds, 90);
	/* in any letter case, as some backends take it */
	assert_int_equal(tries("192.0.2.1", "U"), GUARD_BUSY);
	/* others there may, and he elsewhere, and his namesake */
	assert_int_equal(tries("192.0.2.1", "v"), GUARD_GO);
	assert_int_equal(tries("192.0.2.2", "u"), GUARD_GO);
	assert_int_equal(guard_try(S("192.0.2.1"), S("other"), S("u"),
	    now).word, GUARD_GO);
	now += 90 * 1000;
	assert_int_equal(guesses("192.0.2.1", "u", 5), 1);
	now += 900 * 1000;
	assert_int_equal(guesses("192.0.2.1", "u", 12), 10);
}

static void
test_address_banned(void **state)
{
	char		 user[32];
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_int_equal(connects("192.0.2.1"), GUARD_GO);
		snprintf(user, sizeof(user), "user%u", i);
		fails("192.0.2.1", user, "password");
	}
	assert_int_equal(connects("192.0.2.1"), GUARD_BANNED);
	assert_int_equal(connects("::ffff:192.0.2.1"), GUARD_BANNED);
	assert_int_equal(tries("192.0.2.1", "anybody"), GUARD_BANNED);
	assert_int_equal(connects("192.0.2.2"), GUARD_GO);
	assert_int_equal(guard_connect(S("192.0.2.1"), now).seconds, 900);
	now += 899 * 1000;
	assert_int_equal(connects("192.0.2.1"), GUARD_BANNED);
	now += 1000;
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	/* who goes on stays out for twice as long */
	for (i = 0; i < 20; i++) {
		snprintf(user, sizeof(user), "other%u", i);
		fails("192.0.2.1", user, "password");
	}
	assert_int_equal(guard_connect(S("192.0.2.1"), now).seconds, 1800);
}

/* An IPv6 client may choose the lower half as it likes. */
static void
test_ipv6(void **state)
{
	char		 client[64], user[32];
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(client, sizeof(client), "2001:db8:1:2::%x", i + 1);
		snprintf(user, sizeof(user), "user%u", i);
		fails(client, user, "password");
	}
	assert_int_equal(connects("2001:db8:1:2:ffff::1"), GUARD_BANNED);
	assert_int_equal(connects("2001:db8:1:3::1"), GUARD_GO);
	assert_int_equal(connects("fe80::1%eth0"), GUARD_GO);
	assert_int_equal(connects("unknown"), GUARD_GO);
}

/* Addresses of one network that each stay below their limit. */
static void
test_network_banned(void **state)
{
	char		 client[64], user[32];
	unsigned int	 i;

	(void)state;
	succeeds("192.0.2.250", "good");
	for (i = 0; i < 100; i++) {
		snprintf(client, sizeof(client), "192.0.2.%u", i % 10 + 1);
		snprintf(user, sizeof(user), "user%u", i);
		fails(client, user, "password");
	}
	assert_int_equal(connects("192.0.2.200"), GUARD_BANNED);
	assert_int_equal(connects("192.0.3.1"), GUARD_GO);
	/* where somebody logged in lately the network's ban does not reach */
	assert_int_equal(connects("192.0.2.250"), GUARD_GO);
	assert_int_equal(tries("192.0.2.250", "good"), GUARD_GO);
}

/* An office with good logins: one bad machine bans nobody who is known. */
static void
test_gentle(void **state)
{
	char		 user[32];
	unsigned int	 i;

	(void)state;
	succeeds("192.0.2.1", "boss");
	for (i = 0; i < 79; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		fails("192.0.2.1", user, "password");
	}
	assert_int_equal(tries("192.0.2.1", "anybody"), GUARD_GO);
	fails("192.0.2.1", "user79", "password");
	/* it is banned, but he may come in and log in, and nobody else */
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	assert_int_equal(tries("192.0.2.1", "boss"), GUARD_GO);
	assert_int_equal(tries("192.0.2.1", "anybody"), GUARD_BUSY);
	/* for as long as it is remembered */
	now += (int64_t)conf.login.remember * 1000;
	for (i = 0; i < 80; i++) {
		snprintf(user, sizeof(user), "more%u", i);
		fails("192.0.2.1", user, "password");
	}
	assert_int_equal(connects("192.0.2.1"), GUARD_BANNED);
}

static void
test_forgiven(void **state)
{
	(void)state;
	fail_times("192.0.2.1", "u", 5);
	succeeds("192.0.2.1", "u");
	assert_int_equal(fails("192.0.2.1", "u", "x"), 1000);
	assert_int_equal(guard_net_find(&(struct network){ AF_INET, 32,
	    { 192, 0, 2, 1 } })->mark.level, 1000);
	/* but not what he did to others */
	fail_times("192.0.2.1", "victim", 5);
	succeeds("192.0.2.1", "u");
	assert_int_equal(guard_net_find(&(struct network){ AF_INET, 32,
	    { 192, 0, 2, 1 } })->mark.level, 5000);
}

/*
 * Acceptance: 10,000 passwords from 1,000 addresses against one user. Fewer
 * than 200 reach the backend; his own client logs in at any time.
 */
static void
attack(unsigned int per_second, unsigned int *through)
{
	static const char	*own = "203.0.113.7";
	char			 client[64];
	unsigned int		 i;

	*through = 0;
	for (i = 0; i < 10000; i++) {
		snprintf(client, sizeof(client), "127.%u.%u.1", i % 1000 / 250,
		    i % 250);
		if (connects(client) == GUARD_GO)
			*through += guesses(client, "victim", 1);
		if (i % 100 == 99) {
			assert_int_equal(connects(own), GUARD_GO);
			assert_int_equal(tries(own, "victim"), GUARD_GO);
			succeeds(own, "victim");
		}
		now += 1000 / per_second;
	}
}

static void
test_attack(void **state)
{
	unsigned int	 through;

	(void)state;
	succeeds("203.0.113.7", "victim");
	attack(100, &through);
	assert_in_range(through, 30, 40);
	/* from the user's own network, too */
	fresh(NULL);
	succeeds("127.0.1.7", "victim");
	succeeds("203.0.113.7", "victim");
	attack(1000, &through);
	assert_in_range(through, 30, 100);
	assert_int_equal(tries("127.0.1.7", "victim"), GUARD_GO);
	/* nobody but him is kept out meanwhile */
	assert_int_equal(tries("198.51.100.1", "somebody"), GUARD_GO);
	/* from where he is not known he is, with one try now and then */
	assert_int_equal(tries("198.51.100.1", "victim"), GUARD_BUSY);
	now += 30 * 1000 + 1;
	assert_int_equal(tries("198.51.100.1", "victim"), GUARD_GO);
}

/* A user is known at an address, and less so in the network around it. */
static void
test_near(void **state)
{
	char		 other[64];
	unsigned int	 i, through = 0;

	(void)state;
	succeeds("203.0.113.7", "victim");
	for (i = 0; i < 40; i++) {
		snprintf(other, sizeof(other), "198.18.%u.1", i);
		through += guesses(other, "victim", 1);
	}
	assert_int_equal(through, 30);
	assert_int_equal(tries("198.18.99.1", "victim"), GUARD_BUSY);
	assert_int_equal(tries("203.0.113.8", "victim"), GUARD_GO);
	/* the network has a count of its own */
	for (i = through = 0; i < 40; i++) {
		snprintf(other, sizeof(other), "203.0.113.%u", 100 + i);
		through += guesses(other, "victim", 1);
	}
	assert_int_equal(through, 30);
	assert_int_equal(tries("203.0.113.8", "victim"), GUARD_BUSY);
	assert_int_equal(tries("203.0.113.7", "victim"), GUARD_GO);
}

/* Thousand at once: none has failed yet when the others ask. */
static void
test_at_once(void **state)
{
	static struct guard_ticket	 t[1000];
	struct guard_answer		 a;
	struct guard_user		 user;
	char				 client[64];
	unsigned int			 i, through = 0;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(client, sizeof(client), "127.1.%u.%u", i / 250,
		    i % 250);
		a = guard_begin(S(client), S("sys"), S("victim"), now, &t[i]);
		through += a.word == GUARD_GO;
	}
	assert_int_equal(through, 30);
	for (i = 0; i < 1000; i++)
		guard_end(&t[i]);
	/* they ended without a verdict: nothing stays */
	assert_int_equal(tries("192.0.2.1", "victim"), GUARD_GO);
	assert_int_equal(guard_top_users(&user, 1, now), 0);
}

/* A client that opens many sessions at once: one is tried, then the others. */
static void
test_wait(void **state)
{
	struct guard_ticket	 a, b, c;

	(void)state;
	assert_int_equal(guard_begin(S("192.0.2.1"), S("sys"), S("u"), now,
	    &a).word, GUARD_GO);
	assert_int_equal(guard_begin(S("192.0.2.1"), S("sys"), S("u"), now,
	    &b).word, GUARD_WAIT);
	assert_true(b.pair == a.pair);
	assert_int_equal(guard_begin(S("192.0.2.2"), S("sys"), S("u"), now,
	    &c).word, GUARD_GO);
	guard_end(&c);
	guard_end(&a);
	assert_int_equal(guard_begin(S("192.0.2.1"), S("sys"), S("u"), now,
	    &b).word, GUARD_GO);
	guard_end(&b);
	succeeds("192.0.2.1", "u");
	/* known now: as many as come */
	assert_int_equal(guard_begin(S("192.0.2.1"), S("sys"), S("u"), now,
	    &a).word, GUARD_GO);
	assert_int_equal(guard_begin(S("192.0.2.1"), S("sys"), S("u"), now,
	    &b).word, GUARD_GO);
	guard_end(&a);
	guard_end(&b);
}

static void
test_trusted(void **state)
{
	static struct conf_network	 n;
	char				 user[32];
	unsigned int			 i;

	(void)state;
	assert_true(network_parse("192.0.2.0/24", &n.net));
	TAILQ_INSERT_TAIL(&conf.trusted, &n, entry);
	guard_configure(&conf);
	for (i = 0; i < 1000; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		fails("192.0.2.1", user, "password");
	}
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	/* a user is guarded there all the same */
	assert_int_equal(guesses("192.0.2.1", "u", 100), 10);
}

static void
test_off(void **state)
{
	(void)state;
	conf.login.off = true;
	guard_configure(&conf);
	assert_int_equal(guesses("192.0.2.1", "u", 100), 100);
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	assert_int_equal(fails("192.0.2.1", "u", "x"), 1000);
	/* each limit can be taken away by itself */
	conf.login.off = false;
	conf.login.user_address = conf.login.address = 0;
	guard_configure(&conf);
	assert_int_equal(guesses("192.0.2.1", "v", 100), 30);
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
}

/* No user was named, or no password can be seen. */
static void
test_no_user(void **state)
{
	unsigned int	 i;

	(void)state;
	for (i = 0; i < 20; i++)
		fails("192.0.2.1", "", "");
	assert_int_equal(connects("192.0.2.1"), GUARD_BANNED);
	/* SCRAM of a phone with an old password, in its office: */
	succeeds("198.51.100.1", "u");
	for (i = 0; i < 100; i++)
		fails("198.51.100.1", "u", "");
	assert_int_equal(tries("198.51.100.1", "u"), GUARD_GO);
	assert_int_equal(connects("198.51.100.1"), GUARD_GO);
}

/* Names and addresses without end: the memory stays, and what counts stays. */
static void
test_bounded(void **state)
{
	size_t		 memory = guard_memory();
	char		 client[64], user[32];
	unsigned int	 i;

	(void)state;
	assert_true(memory < 32 * 1024 * 1024);
	succeeds("203.0.113.7", "owner");
	fail_times("203.0.113.99", "x", 20);
	for (i = 0; i < 300000; i++) {
		snprintf(client, sizeof(client), "%u.%u.%u.%u", 1 + i % 99,
		    i / 99 % 256, i / 99 / 256, i % 251);
		snprintf(user, sizeof(user), "u%u", i);
		fails(client, user, "password");
	}
	assert_int_equal(guard_memory(), memory);
	assert_true(guard_entries() <= 4096 * 8 + 2048 * 8 + 8192 * 8);
	assert_int_equal(connects("203.0.113.99"), GUARD_BANNED);
	/* a ban of the network leaves the address of a good login alone */
	assert_int_equal(connects("203.0.113.7"), GUARD_GO);
	fail_times("203.0.113.98", "owner", 10);
	for (i = 0; i < 30; i++) {
		snprintf(client, sizeof(client), "198.18.%u.1", i);
		guesses(client, "owner", 1);
	}
	assert_int_equal(tries("198.18.99.1", "owner"), GUARD_BUSY);
	assert_int_equal(tries("203.0.113.7", "owner"), GUARD_GO);
}

static struct network
net(const char *text)
{
	struct network	 n;

	assert_true(network_parse(text, &n));
	return n;
}

static void
test_manual(void **state)
{
	struct network	 n = net("198.51.100.0/22"), one = net("192.0.2.1"),
			 six = net("2001:db8::1/128");

	(void)state;
	assert_int_equal(guard_ban(&n, 60, now), 0);
	assert_int_equal(guard_ban(&one, 0, now), 0);
	assert_int_equal(guard_ban(&six, 0, now), 0);
	succeeds("192.0.2.1", "u");
	assert_int_equal(connects("198.51.102.3"), GUARD_BANNED);
	assert_int_equal(connects("198.51.104.3"), GUARD_GO);
	assert_int_equal(connects("192.0.2.1"), GUARD_BANNED);
	assert_int_equal(tries("192.0.2.1", "u"), GUARD_BANNED);
	assert_int_equal(connects("2001:db8::2"), GUARD_BANNED);
	now += 60 * 1000;
	assert_int_equal(connects("198.51.102.3"), GUARD_GO);
	assert_int_equal(guard_unban(&one, now), 1);
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	assert_int_equal(guard_unban(&one, now), 0);
	assert_int_equal(guard_unban(&six, now), 1);
}

static void
test_lists(void **state)
{
	struct network		 n = net("198.51.100.0/24"), address;
	struct guard_user	 users[2];
	struct guard_ban	 b;
	size_t			 cursor = 0;
	unsigned int		 manual = 0, own = 0;
	char			 text[NETWORK_TEXT_MAX];

	(void)state;
	guard_ban(&n, 0, now);
	fail_times("192.0.2.1", "", 20);
	while (guard_next_ban(&cursor, now, &b)) {
		network_print(&b.network, text, sizeof(text));
		if (b.manual) {
			assert_string_equal(text, "198.51.100.0/24");
			assert_int_equal(b.seconds, 0);
			manual++;
		} else {
			assert_string_equal(text, "192.0.2.1/32");
			assert_int_equal(b.seconds, 900);
			assert_int_equal(b.failures, 20);
			own++;
		}
	}
	assert_int_equal(manual, 1);
	assert_int_equal(own, 1);
	assert_int_equal(stats_page[STAT_AUTH_GUARD_BANS], 2);
	address = net("192.0.2.1");
	assert_int_equal(guard_unban(&address, now), 1);
	assert_int_equal(connects("192.0.2.1"), GUARD_GO);
	assert_int_equal(stats_page[STAT_AUTH_GUARD_BANS], 1);

	fail_times("203.0.113.1", "few", 2);
	fail_times("203.0.113.2", "some", 5);
	fail_times("203.0.113.3", "many", 10);
	fail_times("203.0.113.4", "many", 10);
	fail_times("203.0.113.5", "many", 10);
	assert_int_equal(tries("203.0.113.6", "many"), GUARD_BUSY);
	assert_int_equal(guard_top_users(users, 2, now), 2);
	assert_string_equal(users[0].user, "many");
	assert_string_equal(users[0].block, "sys");
	assert_int_equal(users[0].failures, 30);
	assert_int_equal(users[0].refused, 1);
	assert_true(users[0].locked);
	assert_string_equal(users[1].user, "some");
	assert_int_equal(users[1].failures, 5);
	assert_false(users[1].locked);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_siphash, fresh),
		cmocka_unit_test_setup(test_delay_grows, fresh),
		cmocka_unit_test_setup(test_spellings_are_one, fresh),
		cmocka_unit_test_setup(test_same_password_counts_once, fresh),
		cmocka_unit_test_setup(test_pair_refused, fresh),
		cmocka_unit_test_setup(test_address_banned, fresh),
		cmocka_unit_test_setup(test_ipv6, fresh),
		cmocka_unit_test_setup(test_network_banned, fresh),
		cmocka_unit_test_setup(test_gentle, fresh),
		cmocka_unit_test_setup(test_forgiven, fresh),
		cmocka_unit_test_setup(test_attack, fresh),
		cmocka_unit_test_setup(test_near, fresh),
		cmocka_unit_test_setup(test_at_once, fresh),
		cmocka_unit_test_setup(test_wait, fresh),
		cmocka_unit_test_setup(test_trusted, fresh),
		cmocka_unit_test_setup(test_off, fresh),
		cmocka_unit_test_setup(test_no_user, fresh),
		cmocka_unit_test_setup(test_bounded, fresh),
		cmocka_unit_test_setup(test_manual, fresh),
		cmocka_unit_test_setup(test_lists, fresh)
	};

	log_set_level(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
