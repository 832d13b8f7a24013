/*
 * SASL PLAIN: [authzid] NUL authcid NUL passwd. Pure; called by the login's
 * state machine in msad-auth on octets from the network.
 */

#include <stddef.h>

#include "common/conf.h"
#include "msad/auth/mech.h"
#include "msad/auth/plain.h"
#include "msad/auth/sasl_text.h"

/* The part before the next NUL; *rest goes behind it. -1: there is none. */
static int
next_part(struct slice *rest, struct slice *part)
{
	const char	*nul;

	nul = rest->len == 0 ? NULL : memchr(rest->p, '\0', rest->len);
	if (nul == NULL)
		return -1;
	*part = SLICE(rest->p, nul - rest->p);
	*rest = slice_from(*rest, part->len + 1);
	return 0;
}

int
plain_parse(struct slice message, struct slice *user, struct slice *password,
    const char **reason)
{
	struct slice	 authzid;

	*reason = "malformed PLAIN message";
	if (next_part(&message, &authzid) == -1 ||
	    next_part(&message, user) == -1)
		return -1;
	*password = message;
	if (password->len > 0 &&
	    memchr(password->p, '\0', password->len) != NULL)
		return -1;
	*reason = "unfit user name";
	if (!sasl_name_ok(*user))
		return -1;
	*reason = "unfit password";
	if (!sasl_password_ok(*password))
		return -1;
	*reason = "authorization identity of another user";
	if (authzid.len > 0 && !slice_eq(authzid, *user))
		return -1;
	*reason = NULL;
	return 0;
}

static enum mech_step
plain_response(struct exchange *x, struct slice message)
{
	const char	*reason;
	struct slice	 user;

	if (plain_parse(message, &user, &x->password, &reason) == -1)
		return exchange_fail(x, reason);
	if (!exchange_user(x, user))
		return exchange_fail(x, "unfit user name");
	return MECH_PASSWORD;
}

static enum mech_step
plain_start(struct exchange *x, bool has_initial, struct slice initial)
{
	return has_initial ? plain_response(x, initial) :
	    exchange_ask(x, "", 0);
}

const struct mech mech_plain = {
	.name = "PLAIN",
	.flag = CONF_MECH_PLAIN,
	.clear = true,
	.start = plain_start,
	.response = plain_response
};
