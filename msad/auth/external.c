/*
 * SASL EXTERNAL (RFC 4422 appendix A) by the client certificate of the TLS
 * handshake.
 *
 * Runs in msad-auth, driven by attempt.c. That the client has the key of the
 * certificate is what the front-end saw, and the grant says so (GRANT_SEEN);
 * everything else about it is verified here, for the list of mechanisms and
 * again for each login, since it may have been revoked in between.
 */

#include <string.h>

#include "common/conf.h"
#include "msad/auth/authority.h"
#include "msad/auth/external.h"
#include "msad/auth/identity.h"
#include "msad/auth/sasl_text.h"

int
external_login(const struct auth_block *block, const struct tls_facts *tls,
    char *login, const char **reason)
{
	const struct conf_clients	*c = &block->clients;
	struct authority		*a = blocks_authority(block);
	char				 name[IPC_USER_MAX + 1];

	*reason = "no client certificate";
	if (tls == NULL || tls->cert == NULL)
		return -1;
	*reason = "client certificates do not count here";
	if (a == NULL || c->ca == NULL ||
	    (block->mechs & CONF_MECH_EXTERNAL) == 0)
		return -1;
	if (authority_check(a, SLICE(tls->cert, tls->ncert), c->user,
	    block->cert_users, name, reason) == -1)
		return -1;
	if (c->user != CONF_CERT_TABLE)
		return identity_login(block, c->local_part, SLICE_STR(name),
		    login, reason);
	*reason = "unfit user name";
	if (!sasl_name_ok(SLICE_STR(name)))
		return -1;
	strlcpy(login, name, IPC_USER_MAX + 1);
	return 0;
}

/* The message: as whom to act; empty: as who the certificate says. */
static enum mech_step
external_response(struct exchange *x, struct slice authzid)
{
	char		 login[IPC_USER_MAX + 1], other[IPC_USER_MAX + 1];
	const char	*reason;

	if (external_login(x->block, x->tls, login, &reason) == -1)
		return exchange_fail(x, reason);
	if (!exchange_user(x, SLICE_STR(login)))
		return exchange_fail(x, "unfit user name");
	if (authzid.len == 0 || slice_is(authzid, login))
		return MECH_DONE;
	if (identity_login(x->block, x->block->clients.local_part, authzid,
	    other, &reason) == -1 || strcmp(other, login) != 0)
		return exchange_fail(x, "authorization identity of another "
		    "user");
	return MECH_DONE;
}

static enum mech_step
external_start(struct exchange *x, bool has_initial, struct slice initial)
{
	return has_initial ? external_response(x, initial) :
	    exchange_ask(x, "", 0);
}

const struct mech mech_external = {
	.name = "EXTERNAL",
	.flag = CONF_MECH_EXTERNAL,
	.clear = true,
	.foreign = true,
	.start = external_start,
	.response = external_response
};
