/*
 * Is this the password of that user? The places where passwords are known, one
 * after the other, cheapest first.
 *
 * Runs in msad-auth, called by attempt.c for mechanisms that show a password.
 * Every answer goes through answer(): there, and nowhere else, a verification
 * ends.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "msad/auth/hashers.h"
#include "msad/auth/passfile.h"
#include "common/clock.h"
#include "common/stats.h"
#include "msad/auth/cache.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/verify.h"
#include "msad/auth/workers.h"

struct verification {
	const struct auth_block	*block;
	unsigned int		 mech;		/* CONF_MECH_* */
	char			*client;
	char			*user;
	char			*password;	/* wiped when freed */
	size_t			 npassword;
	struct hash_job		*hash;		/* when the file is asked */
	struct passfile		*passfile;	/* likewise */
	struct credential *const *list;		/* of the user in it */
	size_t			 n;		/* 0: the file has no such */
	struct pam_job		*job;		/* when PAM is asked */
	const char		*backend;	/* asked last; NULL: none */
	bool			 cached;	/* the cache knew it */
	unsigned int		 flushed;	/* cache_flushed() at start */
	bool			 starting;	/* in verify_password() */
	bool			 over;		/* answered meanwhile */
	verify_done		 done;
	void			*arg;
};

static void
verification_free(struct verification *v)
{
	if (v->password != NULL)
		freezero(v->password, v->npassword);
	passfile_release(v->passfile);
	free(v->client);
	free(v->user);
	free(v);
}

static struct verification *
verification_new(const struct auth_block *block, struct slice client,
    struct slice user, struct slice password)
{
	struct verification	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	v->block = block;
	v->flushed = cache_flushed();
	v->client = strndup(client.p, client.len);
	v->user = strndup(user.p, user.len);
	v->npassword = password.len;
	v->password = malloc(password.len + 1);
	if (v->client == NULL || v->user == NULL || v->password == NULL) {
		verification_free(v);
		return NULL;
	}
	memcpy(v->password, password.p, password.len);
	v->password[password.len] = '\0';
	return v;
}

/*
 * What was asked before a flush or a reload says nothing of what holds behind
 * it, and a block of the old configuration nothing of a new one of its name.
 */
static bool
may_remember(const struct verification *v)
{
	return v->block->cache > 0 && v->flushed == cache_flushed() &&
	    blocks_current(v->block);
}

/* The end of it. */
static void
answer(struct verification *v, const struct verify_answer *a)
{
	struct verify_answer	 copy = *a;

	copy.backend = v->backend != NULL ? v->backend : "";
	copy.cached = v->cached;
	if (a->verdict == VERDICT_OK && !v->cached && may_remember(v))
		cache_put(SLICE_STR(v->block->name), SLICE_STR(v->user),
		    SLICE(v->password, v->npassword), a->user, a->credential,
		    clock_ms());
	if (a->verdict != VERDICT_AUTH_BUSY)
		copy.password = SLICE(v->password, v->npassword);
	v->done(v->arg, &copy);
	if (v->starting)
		v->over = true;
	else
		verification_free(v);
}

static void
answer_busy(struct verification *v, const char *reason)
{
	struct verify_answer	 a = { .verdict = VERDICT_AUTH_BUSY,
		.reason = SLICE_STR(reason) };

	answer(v, &a);
}

/* --- PAM --- */

static void
pam_done(void *arg, const struct pam_answer *pam)
{
	struct verification	*v = arg;
	struct verify_answer	 a = { .verdict = pam->verdict,
		.user = pam->user, .fail_delay = pam->fail_delay,
		.reason = pam->reason };

	v->job = NULL;
	if (a.verdict == VERDICT_AUTH_EXPIRED && v->block->expired_hide)
		a.verdict = VERDICT_AUTH_FAILED;
	if (a.verdict == VERDICT_OK && !sasl_name_ok(a.user))
		answer_busy(v, "unfit user name from PAM");
	else
		answer(v, &a);
}

static void
ask_pam(struct verification *v)
{
	stats_inc(STAT_AUTH_PAM_ASKED);
	v->backend = "pam";
	v->job = workers_submit(v->block->service, v->user,
	    SLICE(v->password, v->npassword), v->client, pam_done, v);
	if (v->job == NULL)
		answer_busy(v, "too many logins wait");
}

/* --- the passwd file --- */

/*
 * The password is right, but not for this mechanism. Who does not know it must
 * not learn so much.
 */
static void
answer_weak(struct verification *v)
{
	struct verify_answer	 a = { .verdict = VERDICT_AUTH_WEAK,
		.reason = SLICE_STR("not for this mechanism") };

	answer(v, &a);
}

/* The password is right; may it be used? */
static void
found(struct verification *v, struct credential *c)
{
	struct verify_answer	 a = { .verdict = VERDICT_OK,
		.user = SLICE_STR(c->user), .credential = c };
	const char		*reason;

	if (!credential_takes(c, v->mech)) {
		answer_weak(v);
		return;
	}
	if (credential_fits(c, SLICE_STR(v->client), (uint64_t)time(NULL),
	    &reason)) {
		answer(v, &a);
		return;
	}
	a.verdict = !v->block->expired_hide && c->expires != 0 &&
	    (uint64_t)time(NULL) >= c->expires ? VERDICT_AUTH_EXPIRED :
	    VERDICT_AUTH_FAILED;
	a.reason = SLICE_STR(reason);
	answer(v, &a);
}

/*
 * PAM is asked for users that the file does not have, and for those who have
 * app passwords there and none of their own (no entry without label).
 */
static bool
is_for_pam(const struct verification *v)
{
	size_t	 i;

	if (v->block->service[0] == '\0')
		return false;
	for (i = 0; i < v->n; i++)
		if (v->list[i]->label[0] == '\0')
			return false;
	return true;
}

static void
hash_done(void *arg, int match)
{
	struct verification	*v = arg;
	struct verify_answer	 a = { .verdict = VERDICT_AUTH_FAILED };

	v->hash = NULL;
	a.reason = v->n > 0 ? SLICE_STR("wrong password") :
	    SLICE_STR("unknown user");
	if (match == HASHERS_BUSY)
		answer_busy(v, "the password was not hashed in time");
	else if (match >= 0 && v->n > 0)
		found(v, v->list[match]);
	else if (is_for_pam(v))
		ask_pam(v);
	else
		answer(v, &a);
}

/* A user who is not there costs as much as one who is. */
static void
ask_passfile(struct verification *v)
{
	struct passfile	*pf = blocks_passfile(v->block);

	v->n = passfile_find(pf, SLICE_STR(v->user), &v->list);
	if (v->n == 0 && is_for_pam(v)) {
		ask_pam(v);
		return;
	}
	v->backend = "passwd";
	v->passfile = passfile_ref(pf);
	v->hash = hashers_submit(v->n > 0 ? v->list : &pf->dummy,
	    v->n > 0 ? v->n : 1, SLICE(v->password, v->npassword), hash_done,
	    v);
	if (v->hash == NULL)
		answer_busy(v, "too many passwords wait to be hashed");
}

/* --- the cache --- */

/*
 * The password was right a short time ago. What else there is to check is
 * checked anew: PAM's account, or what the credential is good for.
 */
static bool
ask_cache(struct verification *v)
{
	struct credential	*c;
	char			 user[IPC_USER_MAX + 1];

	if (!cache_find(SLICE_STR(v->block->name), SLICE_STR(v->user),
	    SLICE(v->password, v->npassword), v->block->cache, clock_ms(),
	    user, sizeof(user), &c))
		return false;
	stats_inc(STAT_AUTH_CACHE_HITS);
	v->cached = true;
	v->backend = c != NULL ? "passwd" : "pam";
	if (c != NULL) {
		found(v, c);
		credential_release(c);
		return true;
	}
	stats_inc(STAT_AUTH_PAM_ACCOUNT);
	/* by the name that PAM gave back, as after the password */
	v->job = workers_submit_account(v->block->service, user,
	    v->client, pam_done, v);
	if (v->job == NULL)
		answer_busy(v, "too many logins wait");
	return true;
}

/* --- for attempt.c --- */

struct verification *
verify_password(const struct auth_block *block, unsigned int mech,
    struct slice client,
    struct slice user, struct slice password, verify_done done, void *arg)
{
	struct verify_answer	 none = { .verdict = VERDICT_AUTH_BUSY,
		.reason = SLICE_STR("out of memory") };
	struct verification	*v;

	if ((v = verification_new(block, client, user, password)) == NULL) {
		done(arg, &none);
		return NULL;
	}
	v->mech = mech;
	v->done = done;
	v->arg = arg;
	v->starting = true;
	if (ask_cache(v))
		;
	else if (blocks_passfile(block) != NULL)
		ask_passfile(v);
	else
		ask_pam(v);
	v->starting = false;
	if (!v->over)
		return v;
	verification_free(v);
	return NULL;
}

struct verification *
verify_account(const struct auth_block *block, struct slice client,
    struct slice user, verify_done done, void *arg)
{
	struct verify_answer	 none = { .verdict = VERDICT_AUTH_BUSY,
		.reason = SLICE_STR("out of memory") };
	struct verification	*v;

	v = verification_new(block, client, user, SLICE("", 0));
	if (v == NULL) {
		done(arg, &none);
		return NULL;
	}
	v->done = done;
	v->arg = arg;
	v->cached = true;	/* there is no password to remember */
	v->starting = true;
	stats_inc(STAT_AUTH_PAM_ACCOUNT);
	v->job = workers_submit_account(block->service, v->user, v->client,
	    pam_done, v);
	if (v->job == NULL)
		answer_busy(v, "too many logins wait");
	v->starting = false;
	if (!v->over)
		return v;
	verification_free(v);
	return NULL;
}

bool
verify_begun(const struct verification *v)
{
	return (v->hash != NULL && hashers_begun(v->hash)) ||
	    (v->job != NULL && workers_begun(v->job));
}

void
verify_redirect(struct verification *v, verify_done done, void *arg)
{
	v->done = done;
	v->arg = arg;
}

void
verify_cancel(struct verification *v)
{
	if (v->hash != NULL)
		hashers_cancel(v->hash);
	if (v->job != NULL)
		workers_cancel(v->job);
	verification_free(v);
}
