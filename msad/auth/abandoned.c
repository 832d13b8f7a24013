/*
 * Logins whose client did not wait for the answer. Runs in msad-auth, called by
 * attempt.c.
 *
 * A backend that was asked cannot be stopped: a PAM module counts a wrong
 * password, and locks its user out, whether or not anybody waits. So it counts
 * with the guard too, and its ticket is held for so long. Else a client that
 * hangs up each time could try as often as it likes and at any rate.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/auth/abandoned.h"
#include "msad/auth/guard.h"
#include "msad/auth/hold.h"
#include "msad/auth/mech.h"
#include "msad/auth/session.h"
#include "msad/auth/verify.h"

struct abandoned {
	uint64_t		 epoch, sid;
	struct auth_block	*block;
	const struct mech	*mech;
	char			 client[64];
	char			 user[IPC_USER_MAX + 1];
	struct guard_ticket	 ticket;
	int64_t			 began;
};

static void
count(const struct abandoned *a, const struct verify_answer *answer)
{
	stats_inc(STAT_AUTH_FAILED);
	log_msg(5, "s=%llx-%llx event=%s user=%s client=%s mech=%s auth=%s "
	    "ms=%lld reason=%s", (unsigned long long)a->epoch,
	    (unsigned long long)a->sid,
	    answer->verdict == VERDICT_AUTH_DISABLED ? "auth-disabled" :
	    "auth-failed", log_q(a->user), log_q(a->client), a->mech->name,
	    log_q(a->block->name), (long long)(clock_ms() - a->began),
	    log_qn(answer->reason.p, answer->reason.len));
	guard_failed(SLICE_STR(a->client), SLICE_STR(a->block->name),
	    SLICE_STR(a->user), answer->password, clock_ms());
}

static void
verified(void *arg, const struct verify_answer *answer)
{
	struct abandoned	*a = arg;
	uint64_t		 pair = a->ticket.pair;

	guard_end(&a->ticket);
	switch (answer->verdict) {
	case VERDICT_AUTH_FAILED:
	case VERDICT_AUTH_DISABLED:
	case VERDICT_AUTH_EXPIRED:
		count(a, answer);
		break;
	default:
		break;
	}
	blocks_release(a->block);
	free(a);
	hold_release(pair);
}

void
abandoned_take(struct session *s)
{
	struct verification	*v = s->verification;
	struct abandoned	*a;

	s->verification = NULL;
	if (!verify_begun(v) || (a = calloc(1, sizeof(*a))) == NULL) {
		verify_cancel(v);
		return;
	}
	a->epoch = s->frontend->epoch;
	a->sid = s->sid;
	a->block = blocks_ref(s->block);
	a->mech = s->exchange->mech;
	strlcpy(a->client, s->client, sizeof(a->client));
	strlcpy(a->user, s->exchange->user, sizeof(a->user));
	a->began = s->began;
	a->ticket = s->ticket;
	memset(&s->ticket, 0, sizeof(s->ticket));
	verify_redirect(v, verified, a);
}
