/*
 * The SASL mechanisms that msad-auth knows. Which of them a client may use is
 * the auth block's choice, and TLS's (attempt.c).
 */

#include <stddef.h>

#include "msad/auth/mech.h"

static const struct mech *const mechs[] = {
	&mech_plain, &mech_login, &mech_scram_sha256_plus, &mech_scram_sha256,
	&mech_scram_sha1_plus, &mech_scram_sha1, &mech_external,
	&mech_oauthbearer, &mech_xoauth2
};

const struct mech *
mech_find(struct slice name)
{
	size_t	 i;

	for (i = 0; i < sizeof(mechs) / sizeof(mechs[0]); i++)
		if (slice_is_nocase(name, mechs[i]->name))
			return mechs[i];
	return NULL;
}
