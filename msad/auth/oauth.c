/*
 * SASL OAUTHBEARER (RFC 7628) and XOAUTH2, which deployed clients have from
 * before it: a bearer token instead of a password.
 *
 * Runs in msad-auth, driven by attempt.c on octets from the network. The token
 * is a JSON Web Token that is checked here by the keys of the block (jwt.h);
 * nobody is asked. The login is who the token names; what else the message
 * says of user, host and port must not speak against it. A token that is not
 * good is answered with a challenge that says so to the client's software,
 * and whatever it answers, the login fails.
 */

#include <openssl/evp.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/conf.h"
#include "msad/auth/identity.h"
#include "msad/auth/jwt.h"
#include "msad/auth/mech.h"
#include "msad/auth/oauth.h"
#include "msad/auth/sasl_text.h"

#define KVSEP	'\001'

struct oauth {
	const char	*reason;	/* once the token is refused */
	unsigned char	 digest[32];	/* of the token: the guard knows it */
	bool		 digested;
};

/* --- messages --- */

/* The part before the next separator; *rest goes behind it. -1: none. */
static int
next_part(struct slice *rest, char separator, struct slice *part)
{
	const char	*end;

	end = rest->len == 0 ? NULL : memchr(rest->p, separator, rest->len);
	if (end == NULL)
		return -1;
	*part = SLICE(rest->p, end - rest->p);
	*rest = slice_from(*rest, part->len + 1);
	return 0;
}

static bool
key_ok(struct slice key)
{
	size_t	 i;

	for (i = 0; i < key.len; i++)
		if (!((key.p[i] >= 'a' && key.p[i] <= 'z') ||
		    (key.p[i] >= 'A' && key.p[i] <= 'Z')))
			return false;
	return key.len > 0;
}

/* "Bearer" SP token; the scheme in any letter case. */
static int
take_token(struct slice value, struct slice *token)
{
	if (value.len < 7 || strncasecmp(value.p, "Bearer ", 7) != 0)
		return -1;
	value = slice_from(value, 7);
	while (value.len > 0 && value.p[0] == ' ')
		value = slice_from(value, 1);
	*token = value;
	return value.len > 0 ? 0 : -1;
}

static int
take_pair(struct slice pair, bool xoauth2, struct oauth_message *m)
{
	struct slice	 key, *slot = NULL;

	if (next_part(&pair, '=', &key) == -1 || !key_ok(key))
		return -1;
	if (slice_is(key, "auth"))
		return m->token.p != NULL ? -1 : take_token(pair, &m->token);
	if (xoauth2 && slice_is(key, "user"))
		slot = &m->user;
	else if (!xoauth2 && slice_is(key, "host"))
		slot = &m->host;
	else if (!xoauth2 && slice_is(key, "port"))
		slot = &m->port;
	if (slot == NULL)
		return 0;
	if (slot->p != NULL)
		return -1;
	*slot = pair;
	return 0;
}

/* gs2-header (RFC 5801): no channel binding is known for this mechanism. */
static int
take_header(struct slice *rest, struct oauth_message *m)
{
	struct slice	 flag, authzid;

	if (next_part(rest, ',', &flag) == -1 ||
	    next_part(rest, ',', &authzid) == -1 ||
	    (!slice_is(flag, "n") && !slice_is(flag, "y")))
		return -1;
	if (authzid.len > 0) {
		if (authzid.len < 3 || memcmp(authzid.p, "a=", 2) != 0)
			return -1;
		m->user = slice_from(authzid, 2);
	}
	if (rest->len == 0 || rest->p[0] != KVSEP)
		return -1;
	*rest = slice_from(*rest, 1);
	return 0;
}

int
oauth_parse(struct slice rest, bool xoauth2, struct oauth_message *m)
{
	struct slice	 pair;

	memset(m, 0, sizeof(*m));
	if (rest.len == 0 || memchr(rest.p, '\0', rest.len) != NULL)
		return -1;
	if (!xoauth2 && take_header(&rest, m) == -1)
		return -1;
	for (;;) {
		if (next_part(&rest, KVSEP, &pair) == -1)
			return -1;
		if (pair.len == 0)
			break;
		if (take_pair(pair, xoauth2, m) == -1)
			return -1;
	}
	if (rest.len > 0 || m->token.p == NULL ||
	    (xoauth2 && m->user.len == 0))
		return -1;
	return 0;
}

/* --- is it meant for us? --- */

static bool
is_our_host(const struct exchange *x, struct slice host)
{
	const struct conf_oauth	*o = &x->block->oauth;
	unsigned int		 i;

	if (slice_is_nocase(host, x->block->host) ||
	    (x->local.len > 0 && slice_eq(host, x->local)))
		return true;
	for (i = 0; i < o->nhosts; i++)
		if (slice_is_nocase(host, o->hosts[i]))
			return true;
	return false;
}

static bool
is_our_port(const struct exchange *x, struct slice port)
{
	const struct conf_oauth	*o = &x->block->oauth;
	unsigned int		 i, n;
	char			 text[8];

	for (i = 0; i < o->nports + 2; i++) {
		n = i == 0 ? x->block->port : i == 1 ? x->local_port :
		    o->ports[i - 2];
		snprintf(text, sizeof(text), "%u", n);
		if (n != 0 && slice_is(port, text))
			return true;
	}
	return false;
}

/* "=2C" and "=3D" stand for comma and equals sign (RFC 5801). */
static int
decode_name(struct slice in, bool xoauth2, char *out, size_t size)
{
	size_t	 n = 0;

	while (in.len > 0 && n < size) {
		if (xoauth2 || in.p[0] != '=') {
			out[n++] = in.p[0];
			in = slice_from(in, 1);
			continue;
		}
		if (in.len < 3 || (memcmp(in.p, "=2C", 3) != 0 &&
		    memcmp(in.p, "=3D", 3) != 0))
			return -1;
		out[n++] = in.p[2] == 'C' ? ',' : '=';
		in = slice_from(in, 3);
	}
	return in.len > 0 ? -1 : (int)n;
}

/* --- refusal --- */

/*
 * Say so in a form that the client's software can read (RFC 7628 section
 * 3.2.2); the failure itself follows its answer.
 */
static enum mech_step
refuse(struct exchange *x, const char *status, const char *reason)
{
	const struct conf_oauth	*rules = &x->block->oauth;
	bool			 xoauth2 = x->mech == &mech_xoauth2;
	struct oauth		*o = x->state;
	enum mech_step		 step;
	json_t			*error;
	char			*text;

	error = json_pack("{s:s, s:s*, s:s*, s:s*}", "status",
	    xoauth2 ? "401" : status, "schemes", xoauth2 ? "bearer" : NULL,
	    "scope", rules->scope, "openid-configuration",
	    xoauth2 ? NULL : rules->discovery);
	text = error != NULL ? json_dumps(error, JSON_COMPACT |
	    JSON_PRESERVE_ORDER) : NULL;
	json_decref(error);
	if (text == NULL)
		return exchange_fail(x, reason);
	step = exchange_ask(x, text, strlen(text));
	free(text);
	o->reason = x->reason = reason;
	x->refused = true;
	return step;
}

/* --- the exchange --- */

/* The user that the client claims to be, if it does. -1: an unfit name. */
static int
claimed(struct exchange *x, const struct oauth_message *m, const char **reason)
{
	char	 name[SASL_NAME_MAX], login[IPC_USER_MAX + 1];
	int	 n;

	if (m->user.len == 0)
		return 0;
	*reason = "unfit user name";
	n = decode_name(m->user, x->mech == &mech_xoauth2, name,
	    sizeof(name));
	if (n < 1 || identity_login(x->block, x->block->oauth.local_part,
	    SLICE(name, n), login, reason) == -1)
		return -1;
	return exchange_user(x, SLICE_STR(login)) ? 0 : -1;
}

/* The token is good: is it that user's? */
static enum mech_step
take_login(struct exchange *x, const struct jwt *jwt)
{
	char		 login[IPC_USER_MAX + 1];
	const char	*reason;

	if (identity_login(x->block, x->block->oauth.local_part,
	    SLICE_STR(jwt->name), login, &reason) == -1)
		return refuse(x, "invalid_token", reason);
	if (x->user[0] != '\0' && strcmp(x->user, login) != 0)
		return refuse(x, "invalid_token", "the token is of another "
		    "user");
	if (!exchange_user(x, SLICE_STR(login)))
		return refuse(x, "invalid_token", "unfit user name");
	return MECH_DONE;
}

static enum mech_step
check_token(struct exchange *x, struct slice token)
{
	const struct conf_oauth	*o = &x->block->oauth;
	struct jwt_want		 want = { .keys = blocks_keys(x->block),
		.issuer = o->issuer, .audience = o->audience,
		.scope = o->scope, .claim = o->claim != NULL ? o->claim :
		"email", .now = (int64_t)time(NULL) };
	struct jwt		 jwt;

	if (want.keys == NULL || want.issuer == NULL ||
	    want.audience == NULL) {
		x->reason = "no keys for tokens";
		return MECH_BUSY;
	}
	if (jwt_check(token, &want, &jwt) == -1)
		return refuse(x, jwt.scope_missing ? "insufficient_scope" :
		    "invalid_token", jwt.reason);
	return take_login(x, &jwt);
}

static enum mech_step
take_message(struct exchange *x, struct slice message)
{
	struct oauth_message	 m;
	struct oauth		*o = x->state;
	const char		*reason;

	if (oauth_parse(message, x->mech == &mech_xoauth2, &m) == -1)
		return exchange_fail(x, "malformed message");
	o->digested = EVP_Digest(m.token.p, m.token.len, o->digest, NULL,
	    EVP_sha256(), NULL) == 1;
	if (o->digested)
		x->password = SLICE(o->digest, sizeof(o->digest));
	if (claimed(x, &m, &reason) == -1)
		return refuse(x, "invalid_token", reason);
	if (m.host.p != NULL && !is_our_host(x, m.host))
		return refuse(x, "invalid_token", "for another host");
	if (m.port.p != NULL && !is_our_port(x, m.port))
		return refuse(x, "invalid_token", "for another port");
	return check_token(x, m.token);
}

static enum mech_step
oauth_response(struct exchange *x, struct slice message)
{
	struct oauth	*o = x->state;

	if (o->reason != NULL)
		return exchange_fail(x, o->reason);
	return take_message(x, message);
}

static enum mech_step
oauth_start(struct exchange *x, bool has_initial, struct slice initial)
{
	if ((x->state = calloc(1, sizeof(struct oauth))) == NULL) {
		x->reason = "out of memory";
		return MECH_BUSY;
	}
	return has_initial ? take_message(x, initial) :
	    exchange_ask(x, "", 0);
}

static void
oauth_end(struct exchange *x)
{
	if (x->state != NULL)
		freezero(x->state, sizeof(struct oauth));
	x->state = NULL;
}

const struct mech mech_oauthbearer = {
	.name = "OAUTHBEARER",
	.flag = CONF_MECH_OAUTHBEARER,
	.clear = true,
	.foreign = true,
	.start = oauth_start,
	.response = oauth_response,
	.end = oauth_end
};

const struct mech mech_xoauth2 = {
	.name = "XOAUTH2",
	.flag = CONF_MECH_XOAUTH2,
	.clear = true,
	.foreign = true,
	.start = oauth_start,
	.response = oauth_response,
	.end = oauth_end
};
