/* Messages of OAUTHBEARER and XOAUTH2, and whose login a name stands for. */
/* links: msad/auth/oauth.c msad/auth/jwt.c msad/auth/jwks.c */
/* links: msad/auth/identity.c msad/auth/exchange.c msad/auth/credential.c */
/* links: msad/auth/sasl_text.c */
/* libs: jansson crypto */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "msad/auth/identity.h"
#include "msad/auth/jwks.h"
#include "msad/auth/mech.h"
#include "msad/auth/oauth.h"

static char		 realm[] = "example.org", host[] = "mail.example.org";
static char		 id[] = "id", us[] = "msad", scope[] = "mail";
static char		 where[] = "https://id.example/\"x";
static struct auth_block block = { .realm = realm, .host = host, .port = 587,
	.oauth = { .issuer = id, .audience = us, .scope = scope,
	.discovery = where, .ports = { 2587 }, .nports = 1 } };
static struct jwks	*set;

struct jwks *
blocks_keys(const struct auth_block *b)
{
	(void)b;
	return set;
}

#define S(s)	SLICE(s, sizeof(s) - 1)

static void
messages(void **state)
{
	static const struct {
		struct slice	 text;
		bool		 xoauth2;
	} bad[] = {
		{ S(""), false }, { S("\1"), false }, { S("n,,"), false },
		{ S("n,,\1\1"), false }, { S("n,,\1auth=Bearer x\1"), false },
		{ S("n,,\1auth=Bearer \1\1"), false },
		{ S("n,,\1auth=Bearer\1\1"), false },
		{ S("n,,\1auth=Basic x\1\1"), false },
		{ S("n,,\1auth=Bearer x\1\1\1"), false },
		{ S("n,,\1auth=Bearer x\1\1y"), false },
		{ S("n,,\1auth=Bearer x\1auth=Bearer y\1\1"), false },
		{ S("n,,\1host=a\1host=a\1auth=Bearer y\1\1"), false },
		{ S("n,,\1=x\1auth=Bearer y\1\1"), false },
		{ S("n,,\1k1=x\1auth=Bearer y\1\1"), false },
		{ S("n,,\1nothing\1auth=Bearer y\1\1"), false },
		{ S("n,b=x,\1auth=Bearer y\1\1"), false },
		{ S("n,a=,\1auth=Bearer y\1\1"), false },
		{ S("p=tls-unique,,\1auth=Bearer y\1\1"), false },
		{ S("n,,auth=Bearer y\1\1"), false },
		{ S("n,,\1auth=Bearer \0y\1\1"), false },
		{ S("auth=Bearer y\1\1"), true },
		{ S("user=\1auth=Bearer y\1\1"), true },
		{ S("user=a\1user=b\1auth=Bearer y\1\1"), true },
		{ S("n,a=ann,\1auth=Bearer y\1\1"), true }
	};
	struct oauth_message	 m;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (oauth_parse(bad[i].text, bad[i].xoauth2, &m) != -1)
			fail_msg("message %zu", i);
	/* R7628-3.1-a */
	assert_int_equal(oauth_parse(S("n,a=ann,\1host=h\1port=25\1k=v w\1"
	    "auth=bEaReR  t.o.k\1\1"), false, &m), 0);
	assert_true(slice_is(m.user, "ann") && slice_is(m.host, "h") &&
	    slice_is(m.port, "25") && slice_is(m.token, "t.o.k"));
	assert_int_equal(oauth_parse(S("y,,\1auth=Bearer t\1\1"), false, &m),
	    0);
	assert_int_equal(m.user.len, 0);
	/* P-xoauth2-1 */
	assert_int_equal(oauth_parse(S("user=a,b=c\1auth=Bearer t\1\1"), true,
	    &m), 0);
	assert_true(slice_is(m.user, "a,b=c") && slice_is(m.token, "t"));
}

static struct exchange *
run(const struct mech *mech, struct slice message, enum mech_step want)
{
	struct exchange	*x = exchange_new(mech);

	assert_non_null(x);
	x->block = &block;
	assert_int_equal(mech->start(x, true, message), want);
	return x;
}

/* R7628-3.2.2-a: JSON whatever is in the configuration; then the end. */
static void
refusals(void **state)
{
	static const char	 text[] = "{\"keys\":[{\"kty\":\"OKP\","
	    "\"crv\":\"Ed25519\","
	    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	struct exchange	*x;
	char		 why[128];

	(void)state;
	x = run(&mech_oauthbearer, S("n,,\1auth=Bearer t\1\1"), MECH_BUSY);
	exchange_free(x);
	set = jwks_parse(SLICE_STR(text), "k", why, sizeof(why));
	assert_non_null(set);
	x = run(&mech_oauthbearer, S("n,a=Bob@EXAMPLE.ORG,\1"
	    "auth=Bearer t\1\1"), MECH_CHALLENGE);
	assert_true(slice_is(SLICE(x->out, x->nout),
	    "{\"status\":\"invalid_token\",\"scope\":\"mail\","
	    "\"openid-configuration\":\"https://id.example/\\\"x\"}"));
	assert_true(x->refused && x->password.len == 32);
	assert_string_equal(x->user, "Bob@example.org");
	assert_int_equal(x->mech->response(x, S("\1")), MECH_FAILED);
	assert_string_equal(x->reason, "malformed token");
	exchange_free(x);
	x = run(&mech_xoauth2, S("user=bob\1auth=Bearer t\1\1"),
	    MECH_CHALLENGE);
	assert_true(slice_is(SLICE(x->out, x->nout),
	    "{\"status\":\"401\",\"schemes\":\"bearer\","
	    "\"scope\":\"mail\"}"));
	exchange_free(x);
	/* R7628-3.2-a; ports that are ours come as far as the token */
	x = run(&mech_oauthbearer, S("n,,\1port=26\1auth=Bearer t\1\1"),
	    MECH_CHALLENGE);
	assert_string_equal(x->reason, "for another port");
	exchange_free(x);
	x = run(&mech_oauthbearer, S("n,,\1port=2587\1auth=Bearer t\1\1"),
	    MECH_CHALLENGE);
	assert_string_equal(x->reason, "malformed token");
	exchange_free(x);
	x = run(&mech_oauthbearer, S("n,,\1host=mail.example.com\1"
	    "auth=Bearer t\1\1"), MECH_CHALLENGE);
	assert_string_equal(x->reason, "for another host");
	exchange_free(x);
	x = run(&mech_oauthbearer, S("n,a=x=2Cy=3D,\1auth=Bearer t\1\1"),
	    MECH_CHALLENGE);
	assert_string_equal(x->user, "x,y=");
	exchange_free(x);
	x = run(&mech_oauthbearer, S("n,a=x=2D,\1auth=Bearer t\1\1"),
	    MECH_CHALLENGE);
	assert_string_equal(x->reason, "unfit user name");
	exchange_free(x);
	jwks_release(set);
}

static void
logins(void **state)
{
	static const struct {
		const char	*name;
		const char	*login[2];	/* address, local-part */
	} t[] = {
		{ "ann", { "ann", "ann" } },
		{ "Ann@Example.ORG", { "Ann@example.org", "Ann" } },
		{ "ann@example.com", { NULL, NULL } },
		{ "ann@example.org.evil", { NULL, NULL } },
		{ "@example.org", { NULL, NULL } },
		{ "root@evil.example@example.org", { NULL, NULL } },
		{ "ann@", { NULL, NULL } },
		{ "../ann", { NULL, NULL } },
		{ "", { NULL, NULL } },
		{ "ann\n", { NULL, NULL } }
	};
	char		 login[IPC_USER_MAX + 1];
	const char	*reason;
	size_t		 i;
	int		 k, r;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (k = 0; k < 2; k++) {
			r = identity_login(&block, k == 1,
			    SLICE_STR(t[i].name), login, &reason);
			assert_int_equal(r, t[i].login[k] != NULL ? 0 : -1);
			if (r == 0)
				assert_string_equal(login, t[i].login[k]);
		}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(refusals),
		cmocka_unit_test(logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
