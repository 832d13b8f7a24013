/*
 * One run of a SASL mechanism: what all mechanisms do alike. Runs in
 * msad-auth; pure. attempt.c makes and ends runs, the mechanisms fill them in.
 */

#include <stdlib.h>
#include <string.h>

#include "msad/auth/mech.h"
#include "msad/auth/sasl_text.h"

struct exchange *
exchange_new(const struct mech *mech)
{
	struct exchange	*x;

	if ((x = calloc(1, sizeof(*x))) != NULL)
		x->mech = mech;
	return x;
}

void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	if (x->mech->end != NULL)
		x->mech->end(x);
	if (x->credential != NULL)
		credential_release(x->credential);
	freezero(x, sizeof(*x));
}

enum mech_step
exchange_ask(struct exchange *x, const void *out, size_t n)
{
	if (n > sizeof(x->out))
		return exchange_fail(x, "challenge too long");
	memcpy(x->out, out, n);
	x->nout = n;
	return MECH_CHALLENGE;
}

enum mech_step
exchange_fail(struct exchange *x, const char *reason)
{
	x->reason = reason;
	return MECH_FAILED;
}

bool
exchange_user(struct exchange *x, struct slice user)
{
	if (!sasl_name_ok(user) || user.len >= sizeof(x->user))
		return false;
	memcpy(x->user, user.p, user.len);
	x->user[user.len] = '\0';
	return true;
}
