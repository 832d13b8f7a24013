/*
 * SCRAM (RFC 5802, RFC 7677) with and without channel binding, by the
 * verifiers of the block's passwd file.
 *
 * Runs in msad-auth, driven by attempt.c on octets from the network; pure but
 * for the nonce. No password is hashed here: that is the client's work, ours
 * are three HMACs. All failures are alike to the client: 535 and no message of
 * SCRAM's own. A user who is not there gets a salt like any other and fails at
 * the end.
 *
 * A user may have several credentials (app passwords). The client learns one
 * salt before it says which of them it has, so those count that share it, as
 * entries made by msactl do (passwd_salt() there).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "common/base64.h"
#include "common/conf.h"
#include "common/saslprep.h"
#include "msad/auth/mech.h"
#include "msad/auth/passfile.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/scram.h"

#define MESSAGE_MAX	4096	/* octets of a client's message */
#define BINDING_MAX	512	/* of a gs2 header with its binding */

enum scram_step { WANT_FIRST, WANT_FINAL, WANT_EMPTY };

struct scram {
	enum scram_step		 step;
	enum scram_hash		 hash;
	bool			 plus;
	uint8_t			 binding[BINDING_MAX];	/* what c= is due */
	size_t			 nbinding;
	char			 first[MESSAGE_MAX];	/* client-first-bare */
	size_t			 nfirst;
	char			 nonce[MESSAGE_MAX + SCRAM_NONCE_MAX];
	size_t			 nnonce;
	struct slice		 server_first;		/* in out of x */
	struct passfile		*passfile;
	struct credential *const *list;
	size_t			 n;
	struct scram_verifier	 v;	/* whose salt the client got */
};

/* --- pieces of messages --- */

/* What stands before the next comma; *rest goes behind it. */
static struct slice
attribute(struct slice *rest)
{
	struct slice	 s = *rest;
	const char	*comma = s.len == 0 ? NULL : memchr(s.p, ',', s.len);

	if (comma != NULL)
		s.len = (size_t)(comma - s.p);
	*rest = slice_from(*rest, comma != NULL ? s.len + 1 : s.len);
	return s;
}

/* "k=value": true with the value in *s. */
static bool
value_of(struct slice *s, char k)
{
	if (s->len < 2 || s->p[0] != k || s->p[1] != '=')
		return false;
	*s = slice_from(*s, 2);
	return true;
}

/* saslname: "=2C" and "=3D" stand for comma and equals sign. -1: it is none. */
static int
name_decode(struct slice in, char *out, size_t size)
{
	size_t	 i, n = 0;

	for (i = 0; i < in.len && n < size; i++) {
		if (in.p[i] != '=') {
			out[n++] = in.p[i];
			continue;
		}
		if (in.len - i < 3)
			return -1;
		if (memcmp(in.p + i, "=2C", 3) == 0)
			out[n++] = ',';
		else if (memcmp(in.p + i, "=3D", 3) == 0)
			out[n++] = '=';
		else
			return -1;
		i += 2;
	}
	return i < in.len ? -1 : (int)n;
}

static bool
nonce_ok(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.len > 0;
}

/* Extensions that nobody must know (R5802-5-c): attr-val and no more. */
static bool
extensions_ok(struct slice rest)
{
	struct slice	 s;

	while (rest.len > 0) {
		s = attribute(&rest);
		if (s.len < 3 || s.p[1] != '=' ||
		    !((s.p[0] >= 'a' && s.p[0] <= 'z') ||
		    (s.p[0] >= 'A' && s.p[0] <= 'Z')))
			return false;
	}
	return true;
}

static bool
message_ok(struct slice s)
{
	return s.len > 0 && s.len <= MESSAGE_MAX && s.p[s.len - 1] != ',' &&
	    memchr(s.p, '\0', s.len) == NULL;
}

/* --- channel binding --- */

/* Could this session have one, and was that told to the client? */
static bool
plus_listed(const struct exchange *x)
{
	const unsigned int	 plus = CONF_MECH_SCRAM_SHA1_PLUS |
				     CONF_MECH_SCRAM_SHA256_PLUS;

	return x->tls != NULL && (x->block->mechs & plus) != 0;
}

/* The data of a binding by its name; empty: cannot be had (RFC 5929, 9266). */
static struct slice
binding_data(const struct tls_facts *t, struct slice name)
{
	if (t != NULL && slice_is(name, "tls-exporter") && t->tls13)
		return SLICE(t->exporter, t->nexporter);
	if (t != NULL && slice_is(name, "tls-unique") && !t->tls13)
		return SLICE(t->unique, t->nunique);
	if (t != NULL && slice_is(name, "tls-server-end-point"))
		return SLICE(t->endpoint, t->nendpoint);
	return SLICE("", 0);
}

/* The flag of the gs2 header. -1 with *reason. */
static int
take_flag(struct exchange *x, struct slice flag, struct slice *data,
    const char **reason)
{
	struct scram	*sc = x->state;

	*data = SLICE("", 0);
	if (!sc->plus) {
		*reason = "channel binding under a name without -PLUS";
		if (flag.len > 0 && flag.p[0] == 'p')
			return -1;
		*reason = "malformed gs2 header";
		if (!slice_is(flag, "n") && !slice_is(flag, "y"))
			return -1;
		*reason = "the client was kept from channel binding";
		return flag.p[0] == 'y' && plus_listed(x) ? -1 : 0;
	}
	*reason = "no channel binding under a -PLUS name";
	if (!value_of(&flag, 'p'))
		return -1;
	*reason = "channel binding that this connection does not have";
	*data = binding_data(x->tls, flag);
	if (data->len == 0)
		return -1;
	if (slice_is(flag, "tls-exporter"))
		x->tls->exporter_used = true;
	return 0;
}

/* gs2 header: flag "," [authzid] ",". -1 with *reason. */
static int
take_header(struct exchange *x, struct slice *message, struct slice *authzid,
    const char **reason)
{
	struct scram	*sc = x->state;
	struct slice	 whole = *message, flag, data;

	flag = attribute(message);
	*authzid = attribute(message);
	if (take_flag(x, flag, &data, reason) == -1)
		return -1;
	*reason = "malformed gs2 header";
	if (authzid->len > 0 &&
	    (!value_of(authzid, 'a') || authzid->len == 0))
		return -1;
	whole.len -= message->len;
	if (whole.len == 0 || whole.p[whole.len - 1] != ',' ||
	    whole.len + data.len > sizeof(sc->binding))
		return -1;
	memcpy(sc->binding, whole.p, whole.len);
	memcpy(sc->binding + whole.len, data.p, data.len);
	sc->nbinding = whole.len + data.len;
	return 0;
}

/* --- the user --- */

/* n=: the user, as whom alone it may act. */
static int
take_user(struct exchange *x, struct slice name, struct slice authzid,
    const char **reason)
{
	char	 raw[SASL_NAME_MAX], prep[SASL_NAME_MAX + 1];
	char	 other[SASL_NAME_MAX];
	int	 n, m;

	*reason = "unfit user name";
	if ((n = name_decode(name, raw, sizeof(raw))) < 1 ||
	    (m = saslprep(SLICE(raw, n), prep, sizeof(prep))) == -1 ||
	    !exchange_user(x, SLICE(prep, m)))
		return -1;
	*reason = "authorization identity of another user";
	if (authzid.len == 0)
		return 0;
	m = name_decode(authzid, other, sizeof(other));
	return m != -1 && slice_eq(SLICE(other, m), SLICE(raw, n)) ? 0 : -1;
}

static const struct scram_verifier *
verifier(const struct scram *sc, const struct credential *c)
{
	return sc->hash == SCRAM_SHA1 ? c->sha1 : c->sha256;
}

/* Whose salt the client is told: the user's own entry, else the first. */
static void
choose(struct exchange *x)
{
	struct scram			*sc = x->state;
	const struct scram_verifier	*v, *best = NULL;
	size_t				 i;

	sc->passfile = passfile_ref(blocks_passfile(x->block));
	sc->n = passfile_find(sc->passfile, SLICE_STR(x->user), &sc->list);
	for (i = 0; i < sc->n; i++)
		if ((v = verifier(sc, sc->list[i])) != NULL &&
		    (best == NULL || sc->list[i]->label[0] == '\0'))
			best = v;
	if (best != NULL) {
		sc->v = *best;
		return;
	}
	sc->n = 0;
	passfile_fake(sc->passfile, sc->hash, SLICE_STR(x->user), &sc->v);
}

/* --- client-first --- */

static enum mech_step
say_first(struct exchange *x, struct slice cnonce)
{
	struct scram	*sc = x->state;
	char		 own[SCRAM_NONCE_MAX], salt[2 * SCRAM_SALT_MAX];
	int		 n;

	scram_nonce(own, sizeof(own));
	if (base64_encode(sc->v.salt, sc->v.nsalt, salt, sizeof(salt)) == -1)
		return MECH_BUSY;
	n = snprintf(sc->nonce, sizeof(sc->nonce), "%.*s%s",
	    SLICE_FMT(cnonce), own);
	sc->nnonce = (size_t)n;
	n = snprintf((char *)x->out, sizeof(x->out), "r=%s,s=%s,i=%u",
	    sc->nonce, salt, sc->v.iterations);
	if (n < 0 || (size_t)n >= sizeof(x->out))
		return exchange_fail(x, "nonce too long");
	x->nout = (size_t)n;
	sc->server_first = SLICE(x->out, x->nout);
	sc->step = WANT_FINAL;
	return MECH_CHALLENGE;
}

static enum mech_step
take_first(struct exchange *x, struct slice message)
{
	struct scram	*sc = x->state;
	struct slice	 authzid, name, nonce;
	const char	*reason;

	if (!message_ok(message))
		return exchange_fail(x, "unfit message");
	if (take_header(x, &message, &authzid, &reason) == -1)
		return exchange_fail(x, reason);
	memcpy(sc->first, message.p, message.len);
	sc->nfirst = message.len;
	name = attribute(&message);
	nonce = attribute(&message);
	if (!value_of(&name, 'n'))
		return exchange_fail(x, "malformed client-first message");
	if (!value_of(&nonce, 'r') || !nonce_ok(nonce) ||
	    !extensions_ok(message))
		return exchange_fail(x, "malformed client-first message");
	if (take_user(x, name, authzid, &reason) == -1)
		return exchange_fail(x, reason);
	choose(x);
	return say_first(x, nonce);
}

/* --- client-final --- */

/* The text that both sides sign: without the proof, which is the last. */
static int
auth_message(struct exchange *x, struct slice without_proof, char *buf,
    size_t size)
{
	struct scram	*sc = x->state;
	int		 n;

	n = snprintf(buf, size, "%.*s,%.*s,%.*s", (int)sc->nfirst, sc->first,
	    SLICE_FMT(sc->server_first), SLICE_FMT(without_proof));
	return n < 0 || (size_t)n >= size ? -1 : n;
}

/* Does the proof come from this verifier's password? */
static bool
proof_fits(const struct scram *sc, const struct scram_verifier *v,
    struct slice text, const uint8_t *proof)
{
	uint8_t	 key[SCRAM_HASH_MAX], stored[SCRAM_HASH_MAX];
	size_t	 n = scram_hash_len(sc->hash), i;
	bool	 ok;

	if (scram_hmac(sc->hash, v->stored, n, text, key) == -1)
		return false;
	for (i = 0; i < n; i++)
		key[i] ^= proof[i];
	ok = scram_h(sc->hash, key, stored) == 0 &&
	    CRYPTO_memcmp(stored, v->stored, n) == 0;
	explicit_bzero(key, sizeof(key));
	return ok;
}

static bool
same_salt(const struct scram_verifier *a, const struct scram_verifier *b)
{
	return a->iterations == b->iterations && a->nsalt == b->nsalt &&
	    memcmp(a->salt, b->salt, a->nsalt) == 0;
}

/* The credential that the proof is of, or NULL. */
static struct credential *
find(const struct scram *sc, struct slice text, const uint8_t *proof)
{
	const struct scram_verifier	*v;
	size_t				 i;

	/* A user who is not there costs the same. */
	if (sc->n == 0)
		(void)proof_fits(sc, &sc->v, text, proof);
	for (i = 0; i < sc->n; i++)
		if ((v = verifier(sc, sc->list[i])) != NULL &&
		    same_salt(v, &sc->v) && proof_fits(sc, v, text, proof))
			return sc->list[i];
	return NULL;
}

/* The user is proven; show that we have the verifier. */
static enum mech_step
say_final(struct exchange *x, struct credential *c, struct slice text)
{
	struct scram	*sc = x->state;
	uint8_t		 sig[SCRAM_HASH_MAX];
	const char	*reason;
	uint64_t	 now = (uint64_t)time(NULL);
	char		 b64[64];
	int		 n;

	if (!credential_takes(c, x->mech->flag)) {
		x->reason = "not for this mechanism";
		return MECH_WEAK;
	}
	if (!credential_fits(c, x->client, now, &reason)) {
		x->reason = reason;
		return c->expires != 0 && now >= c->expires ? MECH_EXPIRED :
		    MECH_FAILED;
	}
	n = scram_hmac(sc->hash, verifier(sc, c)->server,
	    scram_hash_len(sc->hash), text, sig);
	if (n == -1 || base64_encode(sig, scram_hash_len(sc->hash), b64,
	    sizeof(b64)) == -1) {
		x->reason = "out of memory";
		return MECH_BUSY;
	}
	x->credential = credential_ref(c);
	sc->step = WANT_EMPTY;
	n = snprintf((char *)x->out, sizeof(x->out), "v=%s", b64);
	x->nout = (size_t)n;
	return MECH_CHALLENGE;
}

/* c= and r= are what is due. */
static bool
binding_and_nonce(const struct scram *sc, struct slice *rest)
{
	uint8_t		 got[BINDING_MAX];
	struct slice	 c = attribute(rest), r = attribute(rest);
	int		 n;

	if (!value_of(&c, 'c') || !value_of(&r, 'r'))
		return false;
	n = base64_decode(c, got, sizeof(got));
	return n != -1 && (size_t)n == sc->nbinding &&
	    CRYPTO_memcmp(got, sc->binding, sc->nbinding) == 0 &&
	    slice_eq(r, SLICE(sc->nonce, sc->nnonce));
}

static enum mech_step
take_final(struct exchange *x, struct slice message)
{
	char		 text[3 * MESSAGE_MAX];
	struct scram	*sc = x->state;
	struct slice	 rest = message, proof64;
	uint8_t		 proof[SCRAM_HASH_MAX];
	int		 want = (int)scram_hash_len(sc->hash), n;
	size_t		 i;
	struct credential *c;

	if (!message_ok(message))
		return exchange_fail(x, "unfit message");
	for (i = message.len; i > 0 && message.p[i - 1] != ','; i--)
		;
	proof64 = slice_from(message, i);
	if (i == 0 || !value_of(&proof64, 'p') ||
	    base64_decode(proof64, proof, (size_t)want) != want)
		return exchange_fail(x, "malformed client-final message");
	rest.len = message.len = i - 1;
	if (!message_ok(message) || !binding_and_nonce(sc, &rest))
		return exchange_fail(x, "channel binding or nonce is not what "
		    "is due");
	if (!extensions_ok(rest))
		return exchange_fail(x, "malformed client-final message");
	if ((n = auth_message(x, message, text, sizeof(text))) == -1)
		return exchange_fail(x, "message too long");
	if ((c = find(sc, SLICE(text, n), proof)) == NULL)
		return exchange_fail(x, sc->n == 0 ? "unknown user" :
		    "wrong password");
	return say_final(x, c, SLICE(text, n));
}

/* --- the mechanisms --- */

static enum mech_step
scram_response(struct exchange *x, struct slice message)
{
	struct scram	*sc = x->state;

	switch (sc->step) {
	case WANT_FIRST:
		return take_first(x, message);
	case WANT_FINAL:
		return take_final(x, message);
	case WANT_EMPTY:
		break;
	}
	if (message.len != 0)
		return exchange_fail(x, "message after the last one");
	if (!exchange_user(x, SLICE_STR(x->credential->user)))
		return exchange_fail(x, "unfit user name");
	/* What follows a run that went well is not its second use. */
	if (x->tls != NULL)
		x->tls->exporter_used = false;
	return MECH_DONE;
}

static enum mech_step
start(struct exchange *x, enum scram_hash hash, bool plus, bool has_initial,
    struct slice initial)
{
	struct scram	*sc;

	if (blocks_passfile(x->block) == NULL || (x->state = sc =
	    calloc(1, sizeof(*sc))) == NULL) {
		x->reason = "no verifiers";
		return MECH_BUSY;
	}
	sc->hash = hash;
	sc->plus = plus;
	if (plus && x->tls != NULL && x->tls->exporter_used) {
		x->reason = "second use of the channel binding";
		return MECH_LAST;
	}
	return has_initial ? take_first(x, initial) : exchange_ask(x, "", 0);
}

static void
scram_end(struct exchange *x)
{
	struct scram	*sc = x->state;

	if (sc == NULL)
		return;
	passfile_release(sc->passfile);
	freezero(sc, sizeof(*sc));
	x->state = NULL;
}

#define MECHANISM(var, text, bit, hash, with_binding)			\
static enum mech_step							\
start_##var(struct exchange *x, bool has_initial, struct slice initial)	\
{									\
	return start(x, hash, with_binding, has_initial, initial);	\
}									\
									\
const struct mech mech_scram_##var = {					\
	.name = text,							\
	.flag = bit,							\
	.bound = with_binding,						\
	.start = start_##var,						\
	.response = scram_response,					\
	.end = scram_end						\
}

MECHANISM(sha1, "SCRAM-SHA-1", CONF_MECH_SCRAM_SHA1, SCRAM_SHA1, false);
MECHANISM(sha1_plus, "SCRAM-SHA-1-PLUS", CONF_MECH_SCRAM_SHA1_PLUS,
    SCRAM_SHA1, true);
MECHANISM(sha256, "SCRAM-SHA-256", CONF_MECH_SCRAM_SHA256, SCRAM_SHA256,
    false);
MECHANISM(sha256_plus, "SCRAM-SHA-256-PLUS", CONF_MECH_SCRAM_SHA256_PLUS,
    SCRAM_SHA256, true);
