/* Fuzz: the messages of OAUTHBEARER and XOAUTH2. */
/* links: msad/auth/oauth.c msad/auth/jwt.c msad/auth/jwks.c */
/* links: msad/auth/identity.c msad/auth/exchange.c msad/auth/credential.c */
/* links: msad/auth/sasl_text.c */
/* libs: jansson crypto */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "msad/auth/jwks.h"
#include "msad/auth/mech.h"
#include "msad/auth/oauth.h"
#include "msad/auth/sasl_text.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char		 realm[] = "example.org", host[] = "mail.example.org";
static char		 id[] = "id", us[] = "msad";
static struct auth_block block = { .realm = realm, .host = host, .port = 587,
	.oauth = { .issuer = id, .audience = us } };
static struct jwks	*set;

struct jwks *
blocks_keys(const struct auth_block *b)
{
	static const char	 text[] = "{\"keys\":[{\"kty\":\"OKP\","
	    "\"crv\":\"Ed25519\","
	    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	char			 why[128];

	(void)b;
	if (set == NULL)
		set = jwks_parse(SLICE_STR(text), "k", why, sizeof(why));
	return set;
}

static void
require(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oauth_message	 m;
	struct exchange		*x;
	enum mech_step		 step;
	bool			 xoauth2;

	if (size == 0 || size > 12288)
		return 0;
	xoauth2 = data[0] & 1;
	x = exchange_new(xoauth2 ? &mech_xoauth2 : &mech_oauthbearer);
	if (x == NULL)
		return 0;
	x->block = &block;
	step = x->mech->start(x, true, SLICE(data + 1, size - 1));
	/* Nobody has that key's secret: no input may log in. */
	require(step == MECH_FAILED || step == MECH_CHALLENGE);
	require(x->reason != NULL);
	if (oauth_parse(SLICE(data + 1, size - 1), xoauth2, &m) == -1)
		require(step == MECH_FAILED);
	if (step == MECH_CHALLENGE) {
		require(x->refused && x->nout > 0 && x->out[0] == '{');
		require(x->mech->response(x, SLICE(data, size)) ==
		    MECH_FAILED);
	}
	require(x->user[0] == '\0' || sasl_name_ok(SLICE_STR(x->user)));
	exchange_free(x);
	return 0;
}
