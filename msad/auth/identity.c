/*
 * Which login a proven name stands for: names that an identity provider or an
 * authority gives out are theirs, and count as far as they are of the realm.
 * Pure; runs in msad-auth for oauth.c and external.c.
 */

#include <string.h>
#include <strings.h>

#include "msad/auth/identity.h"
#include "msad/auth/sasl_text.h"

int
identity_login(const struct auth_block *block, bool local_part,
    struct slice name, char *login, const char **reason)
{
	const char	*at;
	struct slice	 local = name;

	*reason = "unfit user name";
	if (!sasl_name_ok(name))
		return -1;
	at = memrchr(name.p, '@', name.len);
	if (at != NULL) {
		local.len = (size_t)(at - name.p);
		*reason = "user of another realm";
		if (local.len == 0 || memchr(local.p, '@', local.len) !=
		    NULL || !slice_is_nocase(slice_from(name,
		    local.len + 1), block->realm))
			return -1;
	}
	*reason = "user name too long";
	if (local.len + 1 + strlen(block->realm) > IPC_USER_MAX)
		return -1;
	memcpy(login, local.p, local.len);
	login[local.len] = '\0';
	if (at != NULL && !local_part) {
		login[local.len] = '@';
		strlcpy(login + local.len + 1, block->realm,
		    IPC_USER_MAX + 1 - local.len - 1);
	}
	return 0;
}
