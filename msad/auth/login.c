/*
 * SASL LOGIN (draft-murchison-sasl-login): the user name, then the password,
 * each on a line of its own. Pure; driven by attempt.c in msad-auth on octets
 * from the network.
 *
 * An unfit name is refused after the password, as a wrong one is (CONFORMANCE
 * D-login-2-b). An initial response is the user name, since deployed clients
 * send it (R4954-4-f).
 */

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "msad/auth/mech.h"
#include "msad/auth/sasl_text.h"

struct login {
	bool		 named;		/* the user name has come */
	char		 user[SASL_NAME_MAX];
	size_t		 nuser;		/* 0: not fit */
};

static enum mech_step
take_name(struct exchange *x, struct slice user)
{
	struct login	*login = x->state;

	login->named = true;
	if (sasl_name_ok(user) && user.len <= sizeof(login->user)) {
		memcpy(login->user, user.p, user.len);
		login->nuser = user.len;
	}
	return exchange_ask(x, "Password:", 9);
}

static enum mech_step
login_response(struct exchange *x, struct slice text)
{
	struct login	*login = x->state;

	if (!login->named)
		return take_name(x, text);
	if (!exchange_user(x, SLICE(login->user, login->nuser)))
		return exchange_fail(x, "unfit user name");
	if (!sasl_octets_ok(text))
		return exchange_fail(x, "unfit password");
	x->password = text;
	return MECH_PASSWORD;
}

static enum mech_step
login_start(struct exchange *x, bool has_initial, struct slice initial)
{
	if ((x->state = calloc(1, sizeof(struct login))) == NULL) {
		x->reason = "out of memory";
		return MECH_BUSY;
	}
	return has_initial ? take_name(x, initial) :
	    exchange_ask(x, "Username:", 9);
}

static void
login_end(struct exchange *x)
{
	if (x->state != NULL)
		freezero(x->state, sizeof(struct login));
	x->state = NULL;
}

const struct mech mech_login = {
	.name = "LOGIN",
	.flag = CONF_MECH_LOGIN,
	.clear = true,
	.start = login_start,
	.response = login_response,
	.end = login_end
};
