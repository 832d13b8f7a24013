#ifndef AUTH_SASL_TEXT_H
#define AUTH_SASL_TEXT_H

#include <stdbool.h>

#include "common/ipc_types.h"
#include "common/slice.h"

#define SASL_NAME_MAX		255	/* octets of a user name */
#define SASL_PASSWORD_MAX	IPC_PASSWORD_MAX

/*
 * A user name as it comes from a client: valid UTF-8 of 1 to SASL_NAME_MAX
 * octets, without what SASLprep (RFC 4013) prohibits or would map away, and
 * without '/', since PAM modules make file names of it.
 */
bool	 sasl_name_ok(struct slice);
/* A password: valid UTF-8 without NUL, 1 to SASL_PASSWORD_MAX octets. */
bool	 sasl_password_ok(struct slice);
/* The same of any octets but NUL, where no standard asks for UTF-8 (LOGIN). */
bool	 sasl_octets_ok(struct slice);

#endif
