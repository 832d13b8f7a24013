/* Fuzz: the SASL PLAIN message and user names. */
/* links: msad/auth/plain.c msad/auth/sasl_text.c */
/* links: msad/auth/exchange.c msad/auth/credential.c */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/auth/plain.h"
#include "msad/auth/sasl_text.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
require(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char	*reason = NULL;
	struct slice	 in = SLICE(data, size), user, password;

	if (plain_parse(in, &user, &password, &reason) == -1) {
		require(reason != NULL);
		return 0;
	}
	/* What is taken lies in the message and is fit for PAM. */
	require(user.p >= in.p && user.p + user.len < in.p + in.len);
	require(password.p > user.p + user.len &&
	    password.p + password.len == in.p + in.len);
	require(sasl_name_ok(user) && sasl_password_ok(password));
	require(memchr(user.p, '\n', user.len) == NULL);
	require(memchr(user.p, '\0', user.len) == NULL);
	require(memchr(password.p, '\0', password.len) == NULL);
	return 0;
}
