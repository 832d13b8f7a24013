/* SCRAM by itself: the RFCs' examples, and everything that must be refused. */
/* links: msad/auth/scram.c msad/auth/exchange.c msad/auth/credential.c */
/* links: msad/auth/passfile.c msad/auth/sasl_text.c */
/* libs: crypto idn */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/conf.h"
#include "msad/auth/mech.h"
#include "msad/auth/passfile.h"
#include "msad/auth/scram.h"

static const char	*nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

void
scram_nonce(char *buf, size_t size)
{
	strlcpy(buf, nonce, size);
}

struct passfile *
blocks_passfile(const struct auth_block *b)
{
	return b->passfile;
}

/* --- a passwd file with the users of the examples --- */

static struct passfile	*pf;
static struct auth_block block;
static struct tls_facts	 facts;
static struct exchange	*x;

/* A verifier of that password as text, with a salt given in base64. */
static const char *
verifier(enum scram_hash hash, const char *password, const char *salt)
{
	static char		 text[2][SCRAM_TEXT_MAX + 16];
	static int		 turn;
	struct scram_verifier	 v = { .iterations = 4096 };
	char			*p = text[turn ^= 1];

	v.nsalt = (size_t)base64_decode(SLICE_STR(salt), v.salt,
	    sizeof(v.salt));
	assert_int_equal(scram_derive(hash, SLICE_STR(password), &v), 0);
	strlcpy(p, hash == SCRAM_SHA1 ? "{SCRAM-SHA-1}" : "{SCRAM-SHA-256}",
	    sizeof(text[0]));
	assert_true(scram_print(hash, &v, p + strlen(p), SCRAM_TEXT_MAX) > 0);
	return p;
}

static struct passfile *
load(const char *text)
{
	char		 reason[200];
	FILE		*f = tmpfile();
	struct passfile	*new;

	assert_non_null(f);
	fputs(text, f);
	fflush(f);
	new = passfile_load(fileno(f), "test", reason, sizeof(reason));
	if (new == NULL)
		fail_msg("%s", reason);
	fclose(f);
	return new;
}

static int
setup(void **state)
{
	static const char	 s256[] = "W22ZaJ0SNY7soEsUEjb6gQ==";
	char			 text[4096];
	int			 n;

	(void)state;
	n = snprintf(text, sizeof(text), "user:%s %s\n",
	    verifier(SCRAM_SHA256, "pencil", s256),
	    verifier(SCRAM_SHA1, "pencil", "QSXCR+Q6sek8bf92"));
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "user:%s:label=printer\n",
	    verifier(SCRAM_SHA256, "paper", s256));
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "user:%s:label=elsewhere\n",
	    verifier(SCRAM_SHA256, "other", "b3RoZXJzYWx0b3RoZXJzYQ=="));
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "gone:%s:expires=2001-01-01\n",
	    verifier(SCRAM_SHA256, "pencil", s256));
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    "strict:%s:mech=scram-sha-256-plus\n",
	    verifier(SCRAM_SHA256, "pencil", s256));
	snprintf(text + n, sizeof(text) - (size_t)n,
	    "near:%s:network=192.0.2.0/24\n",
	    verifier(SCRAM_SHA256, "pencil", s256));
	pf = load(text);
	memset(&block, 0, sizeof(block));
	block.passfile = pf;
	block.mechs = CONF_MECH_SCRAM_SHA256 | CONF_MECH_SCRAM_SHA1;
	memset(&facts, 0, sizeof(facts));
	x = NULL;
	nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	exchange_free(x);
	passfile_release(pf);
	return 0;
}

static void
new_run(const struct mech *mech, struct tls_facts *tls)
{
	exchange_free(x);
	x = exchange_new(mech);
	assert_non_null(x);
	x->block = &block;
	x->tls = tls;
	x->client = SLICE_STR("192.0.2.7");
}

/* Exactly as long, so that a sanitizer sees a read past the end. */
static enum mech_step
say(bool first, struct slice message)
{
	char		*copy = malloc(message.len + 1);
	enum mech_step	 step;

	assert_non_null(copy);
	memcpy(copy + 1, message.p, message.len);
	message.p = copy + 1;
	step = first ? x->mech->start(x, true, message) :
	    x->mech->response(x, message);
	free(copy);
	return step;
}

static enum mech_step
first(const char *text)
{
	return say(true, SLICE_STR(text));
}

static enum mech_step
then(const char *text)
{
	return say(false, SLICE_STR(text));
}

static void
out_is(const char *text)
{
	if (!slice_is(SLICE(x->out, x->nout), text))
		fail_msg("out: %.*s", (int)x->nout, (const char *)x->out);
}

/* --- a client of our own --- */

/* client-final for what the server said, with that gs2 header and binding. */
static const char *
client_final(enum scram_hash hash, const char *password, const char *bare,
    struct slice gs2)
{
	static char		 msg[10000];
	char			 server[8193], auth[20000], c[1024], p64[64];
	uint8_t			 salted[32], key[32], stored[32], sig[32];
	struct scram_verifier	 v = { 0 };
	size_t			 n = scram_hash_len(hash), i;
	char			*s, *it;

	memcpy(server, x->out, x->nout);
	server[x->nout] = '\0';
	assert_true(base64_encode(gs2.p, gs2.len, c, sizeof(c)) >= 0);
	s = strstr(server, ",s=");
	it = strstr(server, ",i=");
	assert_non_null(s);
	assert_non_null(it);
	snprintf(msg, sizeof(msg), "c=%s,r=%.*s", c, (int)(s - server - 2),
	    server + 2);
	snprintf(auth, sizeof(auth), "%s,%s,%s", bare, server, msg);
	v.iterations = (uint32_t)strtol(it + 3, NULL, 10);
	v.nsalt = (size_t)base64_decode(SLICE(s + 3, it - s - 3), v.salt,
	    sizeof(v.salt));
	/* Our own derivation, so that the other side's keys are not used. */
	{
		uint8_t	 u[32], one[SCRAM_SALT_MAX + 4];
		size_t	 k;

		memcpy(one, v.salt, v.nsalt);
		memcpy(one + v.nsalt, "\0\0\0\1", 4);
		scram_hmac(hash, (const uint8_t *)password, strlen(password),
		    SLICE(one, v.nsalt + 4), u);
		memcpy(salted, u, n);
		for (i = 1; i < v.iterations; i++) {
			scram_hmac(hash, (const uint8_t *)password,
			    strlen(password), SLICE(u, n), u);
			for (k = 0; k < n; k++)
				salted[k] ^= u[k];
		}
	}
	scram_hmac(hash, salted, n, SLICE_STR("Client Key"), key);
	scram_h(hash, key, stored);
	scram_hmac(hash, stored, n, SLICE_STR(auth), sig);
	for (i = 0; i < n; i++)
		key[i] ^= sig[i];
	base64_encode(key, n, p64, sizeof(p64));
	strlcat(msg, ",p=", sizeof(msg));
	strlcat(msg, p64, sizeof(msg));
	return msg;
}

#define GS2	SLICE_STR("n,,")
#define NONCE	"abc%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF	"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

/* --- tests --- */

/* RFC 7677 section 3 */
static void
example_sha256(void **state)
{
	(void)state;
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
	    MECH_CHALLENGE);
	out_is("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	assert_int_equal(then("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfux"
	    "FIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
	    MECH_CHALLENGE);
	out_is("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_int_equal(then(""), MECH_DONE);
	assert_string_equal(x->user, "user");
	assert_string_equal(x->credential->label, "");
}

/* RFC 5802 section 5 */
static void
example_sha1(void **state)
{
	(void)state;
	nonce = "3rfcNHYJY1ZVvWVs7j";
	new_run(&mech_scram_sha1, NULL);
	assert_int_equal(first("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
	    MECH_CHALLENGE);
	out_is("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	    "s=QSXCR+Q6sek8bf92,i=4096");
	assert_int_equal(then("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVv"
	    "WVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), MECH_CHALLENGE);
	out_is("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
	assert_int_equal(then(""), MECH_DONE);
}

/* Without initial response; a credential with a label and the same salt. */
static void
app_password(void **state)
{
	const char	*bare = "n=user,r=abc";

	(void)state;
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(x->mech->start(x, false, SLICE("", 0)),
	    MECH_CHALLENGE);
	out_is("");
	assert_int_equal(then("n,,n=user,r=abc"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA256, "paper", bare, GS2)),
	    MECH_CHALLENGE);
	assert_int_equal(then(""), MECH_DONE);
	assert_string_equal(x->credential->label, "printer");

	/* One with a salt of its own cannot be known. */
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=user,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "other", bare, GS2)),
	    MECH_FAILED);
	assert_null(x->credential);
}

/* The right password is not enough. */
static void
restrictions(void **state)
{
	(void)state;
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=gone,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=gone,r=abc", GS2)), MECH_EXPIRED);
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=near,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=near,r=abc", GS2)), MECH_CHALLENGE);
	new_run(&mech_scram_sha256, NULL);
	x->client = SLICE_STR("198.51.100.1");
	first("n,,n=near,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=near,r=abc", GS2)), MECH_FAILED);
	assert_null(x->credential);
	/* R4954-6-c */
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(first("n,,n=strict,r=abc"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=strict,r=abc", GS2)), MECH_WEAK);
	/* without the proof it is as nobody */
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(first("n,,n=strict,r=abc"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA256, "wrong",
	    "n=strict,r=abc", GS2)), MECH_FAILED);
}

/* R5802-5-b, R5802-6-a: first messages that end the exchange. */
static void
bad_first(void **state)
{
	static const char *const	 texts[] = {
		"", "n", "n,", "n,,", ",,n=user,r=abc", "x,,n=user,r=abc",
		"nn,,n=user,r=abc", "p=tls-exporter,,n=user,r=abc",
		"n,b=x,n=user,r=abc", "n,a=root,n=user,r=abc",
		"n,a=,n=user,r=abc", "n,,m=x,n=user,r=abc",
		"n,,r=abc,n=user", "n,,n=user", "n,,n=user,r=", "n,,n=,r=abc",
		"n,,n=us=er,r=abc", "n,,n=user=,r=abc", "n,,n=user=2,r=abc",
		"n,,n=user=2c,r=abc", "n,,n=user=3d,r=abc",
		"n,,n=us\x01" "er,r=abc", "n,,n=us\xff,r=abc",
		"n,,n=user,r=a\x7f" "bc", "n,,n=user,r=abc,",
		"n,,n=user,r=abc,x",
		"n,,n=user,r=abc,1=x", "n,,n=user,r=abc,x=",
		"n,,n=user,r=abc,x=y,,"
	};
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		new_run(&mech_scram_sha256, NULL);
		if (first(texts[i]) != MECH_FAILED)
			fail_msg("taken: %s", texts[i]);
		assert_non_null(x->reason);
	}
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(say(true, SLICE("n,,n=user,r=abc,x=\0", 19)),
	    MECH_FAILED);
}

/* R5802-5-b: final messages. */
static void
bad_final(void **state)
{
	static const char *const	 texts[] = {
		"", "p=", "c=biws", "c=biws,r=abc",
		"c=biws,r=%s", "c=biws,r=%s,p=", "c=biws,r=%s,p=****",
		"c=biws,r=%s,p=AAAA", "r=%s,c=biws,p=%p", "c=eSws,r=%s,p=%p",
		"c=biw,r=%s,p=%p", "c=,r=%s,p=%p", "c=biws,r=%sx,p=%p",
		"c=biws,r=abc,p=%p", "c=biws,r=%s,p=%p,x=y",
		"c=biws,r=%s,1=x,p=%p", "c=biws,r=%s,,p=%p",
		"c=biws,r=%s,p=%p"
	};
	char				 msg[1024];
	const char			*p;
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		new_run(&mech_scram_sha256, NULL);
		assert_int_equal(first("n,,n=user,r=abc"), MECH_CHALLENGE);
		msg[0] = '\0';
		for (p = texts[i]; *p != '\0'; p++) {
			char	 one[2] = { *p, '\0' };

			if (strncmp(p, "%s", 2) == 0)
				strlcat(msg, NONCE, sizeof(msg));
			else if (strncmp(p, "%p", 2) == 0)
				strlcat(msg, PROOF, sizeof(msg));
			else {
				strlcat(msg, one, sizeof(msg));
				continue;
			}
			p++;
		}
		if (then(msg) != MECH_FAILED)
			fail_msg("taken: %s", msg);
		assert_null(x->credential);
	}
}

/* R5802-5-a: nothing may follow the server's signature. */
static void
after_the_last(void **state)
{
	(void)state;
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=user,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=user,r=abc", GS2)), MECH_CHALLENGE);
	assert_int_equal(then("x"), MECH_FAILED);
}

/* R5802-5-c: extensions are signed and otherwise nothing. */
static void
extensions(void **state)
{
	(void)state;
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(first("n,,n=user,r=abc,x=y,Z=1=2"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=user,r=abc,x=y,Z=1=2", GS2)), MECH_CHALLENGE);
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=user,r=abc,x=y");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=user,r=abc", GS2)), MECH_FAILED);
}

/* R5802-5-d: one salt a name, by both of its spellings. */
static void
unknown_user(void **state)
{
	char	 one[1024];

	(void)state;
	new_run(&mech_scram_sha256, NULL);
	assert_int_equal(first("n,,n=nobody,r=abc"), MECH_CHALLENGE);
	snprintf(one, sizeof(one), "%.*s", (int)x->nout,
	    (const char *)x->out);
	assert_non_null(strstr(one, ",i=4096"));
	assert_int_equal(then(client_final(SCRAM_SHA256, "", "n=nobody,r=abc",
	    GS2)), MECH_FAILED);
	assert_string_equal(x->reason, "unknown user");
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=nobody,r=abc");
	out_is(one);
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=Nobody,r=abc");
	assert_false(slice_is(SLICE(x->out, x->nout), one));
	/* U+FF4E, full-width n */
	new_run(&mech_scram_sha256, NULL);
	first("n,,n=\xef\xbd\x8e" "obody,r=abc");
	out_is(one);
	/* A user without a verifier of that kind is unknown as well. */
	nonce = "srv";
	new_run(&mech_scram_sha1, NULL);
	assert_int_equal(first("n,,n=near,r=abc"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA1, "pencil",
	    "n=near,r=abc", GS2)), MECH_FAILED);
}

static void
tls13(void)
{
	facts.tls13 = true;
	facts.nexporter = 32;
	memset(facts.exporter, 'e', 32);
	facts.nendpoint = 32;
	memset(facts.endpoint, 'd', 32);
	block.mechs |= CONF_MECH_SCRAM_SHA256_PLUS;
}

static enum mech_step
bound(const char *type, const char *data)
{
	char	 gs2[200], msg[300];

	snprintf(gs2, sizeof(gs2), "p=%s,,", type);
	snprintf(msg, sizeof(msg), "%sn=user,r=abc", gs2);
	new_run(&mech_scram_sha256_plus, &facts);
	if (first(msg) != MECH_CHALLENGE)
		return MECH_BUSY;
	strlcat(gs2, data, sizeof(gs2));
	return then(client_final(SCRAM_SHA256, "pencil", "n=user,r=abc",
	    SLICE_STR(gs2)));
}

/* R9266-3-a, R5929-3-a */
static void
channel_binding(void **state)
{
	static const char	 e[] = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
	static const char	 d[] = "dddddddddddddddddddddddddddddddd";

	(void)state;
	tls13();
	assert_int_equal(bound("tls-server-end-point", d), MECH_CHALLENGE);
	assert_int_equal(bound("tls-server-end-point", d + 1), MECH_FAILED);
	assert_int_equal(bound("tls-server-end-point", e), MECH_FAILED);
	assert_int_equal(bound("tls-server-end-point", ""), MECH_FAILED);
	assert_int_equal(bound("tls-unique", e), MECH_BUSY);
	assert_int_equal(bound("tls-something", e), MECH_BUSY);
	assert_int_equal(bound("", e), MECH_BUSY);
	assert_int_equal(bound("tls-exporter", e), MECH_CHALLENGE);
	assert_int_equal(then(""), MECH_DONE);

	/* R9266-4.1-a */
	assert_int_equal(bound("tls-exporter", d), MECH_FAILED);
	new_run(&mech_scram_sha256_plus, &facts);
	assert_int_equal(first("p=tls-exporter,,n=user,r=abc"), MECH_LAST);
	new_run(&mech_scram_sha256, &facts);
	assert_int_equal(first("n,,n=user,r=abc"), MECH_CHALLENGE);

	/* TLS 1.2: tls-unique and no exporter */
	memset(&facts, 0, sizeof(facts));
	facts.nunique = 12;
	memset(facts.unique, 'u', 12);
	assert_int_equal(bound("tls-unique", "uuuuuuuuuuuu"), MECH_CHALLENGE);
	assert_int_equal(bound("tls-unique", "uuuuuuuuuuu"), MECH_FAILED);
	assert_int_equal(bound("tls-exporter", e), MECH_BUSY);
	assert_int_equal(bound("tls-server-end-point", d), MECH_BUSY);
}

/* R5802-6-a */
static void
downgrade(void **state)
{
	(void)state;
	/* No -PLUS was listed: the client is right. */
	new_run(&mech_scram_sha256, &facts);
	assert_int_equal(first("y,,n=user,r=abc"), MECH_CHALLENGE);
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=user,r=abc", SLICE_STR("y,,"))), MECH_CHALLENGE);
	/* It saw n where it said y. */
	new_run(&mech_scram_sha256, &facts);
	first("y,,n=user,r=abc");
	assert_int_equal(then(client_final(SCRAM_SHA256, "pencil",
	    "n=user,r=abc", GS2)), MECH_FAILED);
	tls13();
	new_run(&mech_scram_sha256, &facts);
	assert_int_equal(first("y,,n=user,r=abc"), MECH_FAILED);
	new_run(&mech_scram_sha256_plus, &facts);
	assert_int_equal(first("n,,n=user,r=abc"), MECH_FAILED);
	new_run(&mech_scram_sha256_plus, &facts);
	assert_int_equal(first("y,,n=user,r=abc"), MECH_FAILED);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(example_sha256), TEST(example_sha1), TEST(app_password),
		TEST(restrictions), TEST(bad_first), TEST(bad_final),
		TEST(after_the_last), TEST(extensions), TEST(unknown_user),
		TEST(channel_binding), TEST(downgrade)
	};

	return cmocka_run_group_tests_name("scram", tests, NULL, NULL);
}
