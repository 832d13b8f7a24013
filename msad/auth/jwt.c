/*
 * JSON Web Tokens (RFC 7515, RFC 7519, with the cautions of RFC 8725): is this
 * one by our issuer, for us, valid now, and whom does it name?
 *
 * Runs in msad-auth, called by oauth.c on octets from the network. Pure but
 * for the clock that the caller brings. The order is: size, form, header, key,
 * signature, claims, so that the JSON of strangers is read in one small object
 * alone, the header.
 */

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "msad/auth/jwt.h"

#define DEPTH_MAX	16	/* objects and arrays in each other */
#define SIGNATURE_MAX	512	/* octets: RSA with 4096 bits */

struct parts {
	struct slice	 header;
	struct slice	 claims;
	struct slice	 data;		/* both and their dot: signed */
	struct slice	 signature;
};

static int
fail(struct jwt *jwt, const char *reason)
{
	jwt->reason = reason;
	return -1;
}

/* header "." claims "." signature, each not empty. */
static int
split(struct slice token, struct parts *p)
{
	const char	*a, *b;

	a = memchr(token.p, '.', token.len);
	b = a == NULL ? NULL :
	    memchr(a + 1, '.', token.len - (size_t)(a + 1 - token.p));
	if (b == NULL)
		return -1;
	p->header = SLICE(token.p, a - token.p);
	p->claims = SLICE(a + 1, b - a - 1);
	p->data = SLICE(token.p, b - token.p);
	p->signature = slice_from(token, p->data.len + 1);
	if (p->header.len == 0 || p->claims.len == 0 ||
	    p->signature.len == 0 ||
	    memchr(p->signature.p, '.', p->signature.len) != NULL)
		return -1;
	return 0;
}

/* An object in base64url; NULL: it is none. */
static json_t *
object(struct slice part)
{
	unsigned char	 text[JWT_SIZE_MAX];
	json_t		*root = NULL;
	int		 n;

	n = base64url_decode(part, text, sizeof(text));
	if (n > 0 && json_depth_ok(SLICE(text, n), DEPTH_MAX))
		root = json_loadb((const char *)text, (size_t)n,
		    JSON_REJECT_DUPLICATES, NULL);
	explicit_bzero(text, sizeof(text));
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* --- the header --- */

/* "JWT" or "at+jwt" (RFC 9068), where it says its type at all. */
static bool
type_ok(const json_t *typ)
{
	const char	*s = json_string_value(typ);

	if (typ == NULL)
		return true;
	if (s == NULL)
		return false;
	if (strncasecmp(s, "application/", 12) == 0)
		s += 12;
	return strcasecmp(s, "JWT") == 0 || strcasecmp(s, "at+jwt") == 0;
}

/* By whose key, and is it that one's signature? */
static int
check_signature(const json_t *header, const struct parts *p,
    const struct jwt_want *want, struct jwt *jwt)
{
	const json_t	*kid = json_object_get(header, "kid");
	const char	*alg = json_string_value(json_object_get(header,
			    "alg"));
	unsigned char	 sig[SIGNATURE_MAX];
	int		 n;

	if (alg == NULL || jwk_alg(alg) == JWK_NONE)
		return fail(jwt, "the token's algorithm is not one of RS256, "
		    "ES256 and EdDSA");
	if (json_object_get(header, "crit") != NULL ||
	    json_object_get(header, "b64") != NULL)
		return fail(jwt, "the token asks for what is not known");
	if (!type_ok(json_object_get(header, "typ")))
		return fail(jwt, "the token is for something else");
	if (kid != NULL && !json_is_string(kid))
		return fail(jwt, "malformed token");
	n = base64url_decode(p->signature, sig, sizeof(sig));
	if (n < 1)
		return fail(jwt, "malformed token");
	return jwks_verify(want->keys, jwk_alg(alg),
	    json_string_value(kid), p->data, SLICE(sig, n), &jwt->reason);
}

/* --- claims --- */

/* NumericDate; -1: there is none, or no time that can be. */
static double
date(const json_t *claims, const char *name)
{
	const json_t	*v = json_object_get(claims, name);
	double		 d = json_is_number(v) ? json_number_value(v) : -1;

	return isfinite(d) && d >= 0 && d < 1e12 ? d : -1;
}

static int
check_times(const json_t *claims, const struct jwt_want *want,
    struct jwt *jwt)
{
	double	 now = (double)want->now;

	if (date(claims, "exp") < 0)
		return fail(jwt, "the token never expires");
	if (date(claims, "exp") + JWT_LEEWAY <= now)
		return fail(jwt, "the token has expired");
	if (json_object_get(claims, "nbf") != NULL &&
	    (date(claims, "nbf") < 0 ||
	    date(claims, "nbf") > now + JWT_LEEWAY))
		return fail(jwt, "the token is not valid yet");
	if (json_object_get(claims, "iat") != NULL &&
	    (date(claims, "iat") < 0 ||
	    date(claims, "iat") > now + JWT_LEEWAY))
		return fail(jwt, "the token was issued in the future");
	return 0;
}

static bool
is(const json_t *v, const char *want)
{
	return json_is_string(v) &&
	    json_string_length(v) == strlen(want) &&
	    strcmp(json_string_value(v), want) == 0;
}

/* A string, or an array of strings with it. */
static bool
among(const json_t *v, const char *want)
{
	size_t	 i;

	for (i = 0; i < json_array_size(v); i++)
		if (is(json_array_get(v, i), want))
			return true;
	return is(v, want);
}

/* One of the words of a string (RFC 8693 section 4.2). */
static bool
has_word(const char *s, const char *want)
{
	size_t	 n;

	for (; *s != '\0'; s += n + (s[n] == ' ')) {
		n = strcspn(s, " ");
		if (n == strlen(want) && strncmp(s, want, n) == 0)
			return true;
	}
	return false;
}

/* "scope" (RFC 9068), or "scp", as some issuers have it; array or words. */
static bool
has_scope(const json_t *claims, const char *want)
{
	const json_t	*v = json_object_get(claims, "scope");

	if (v == NULL)
		v = json_object_get(claims, "scp");
	return among(v, want) ||
	    (json_is_string(v) && has_word(json_string_value(v), want));
}

/* The user. An address that its issuer did not check is nobody's. */
static int
take_name(const json_t *claims, const struct jwt_want *want, struct jwt *jwt)
{
	const json_t	*v = json_object_get(claims, want->claim), *verified;

	if (!json_is_string(v) || json_string_length(v) == 0 ||
	    json_string_length(v) > JWT_NAME_MAX)
		return fail(jwt, "the token names no user");
	verified = json_object_get(claims, "email_verified");
	if (strcmp(want->claim, "email") == 0 && verified != NULL &&
	    !json_is_true(verified) && !is(verified, "true"))
		return fail(jwt, "the token's address was not verified by its "
		    "issuer");
	strlcpy(jwt->name, json_string_value(v), sizeof(jwt->name));
	return 0;
}

static int
check_claims(const json_t *claims, const struct jwt_want *want,
    struct jwt *jwt)
{
	if (!is(json_object_get(claims, "iss"), want->issuer))
		return fail(jwt, "the token is by another issuer");
	if (!among(json_object_get(claims, "aud"), want->audience))
		return fail(jwt, "the token is for another audience");
	if (check_times(claims, want, jwt) == -1)
		return -1;
	if (want->scope != NULL && !has_scope(claims, want->scope)) {
		jwt->scope_missing = true;
		return fail(jwt, "the token lacks the scope");
	}
	return take_name(claims, want, jwt);
}

int
jwt_check(struct slice token, const struct jwt_want *want, struct jwt *jwt)
{
	struct parts	 p;
	json_t		*header, *claims;
	int		 r;

	memset(jwt, 0, sizeof(*jwt));
	if (token.len == 0 || token.len > JWT_SIZE_MAX)
		return fail(jwt, "the token is empty or too long");
	if (split(token, &p) == -1 || (header = object(p.header)) == NULL)
		return fail(jwt, "malformed token");
	r = check_signature(header, &p, want, jwt);
	json_decref(header);
	if (r == -1)
		return -1;
	if ((claims = object(p.claims)) == NULL)
		return fail(jwt, "malformed token");
	r = check_claims(claims, want, jwt);
	json_decref(claims);
	return r;
}
