/*
 * One login, from AUTH_START to the grant: the mechanism's exchange (mech.h),
 * the password where it shows one (verify.h), the queue's consent, the answer.
 *
 * Runs in msad-auth, called for messages of front-ends. What a response holds
 * comes from the client; what order messages come in is the front-end's doing.
 * The front-end hears of success only after the queue has taken the grant, so
 * that a MAIL behind the 235 finds it. Failures are all alike to the client:
 * one verdict, the same slowness whatever the reason.
 */

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/passwd_line.h"
#include "common/stats.h"
#include "common/verdict.h"
#include "msad/auth/abandoned.h"
#include "msad/auth/attempt.h"
#include "msad/auth/authority.h"
#include "msad/auth/external.h"
#include "msad/auth/guard.h"
#include "msad/auth/hold.h"
#include "msad/auth/mech.h"
#include "msad/auth/session.h"
#include "msad/auth/standin.h"
#include "msad/auth/throttle.h"
#include "msad/auth/verify.h"

static struct ipc	*queue;

void
attempt_set_queue(struct ipc *ch)
{
	queue = ch;
}

/* --- answers --- */

static void
send_challenge(struct session *s, const struct exchange *x)
{
	struct ipc	*ch = s->frontend->ch;

	ipc_start(ch, IPC_AUTH_CHALLENGE, s->sid);
	ipc_put_bytes(ch, x->out, x->nout);
	ipc_send(ch);
}

static void
send_result(struct session *s, enum verdict verdict, const char *user,
    unsigned int delay_ms)
{
	struct ipc	*ch = s->frontend->ch;

	ipc_start(ch, IPC_AUTH_RESULT, s->sid);
	ipc_put_u8(ch, (uint8_t)verdict);
	ipc_put_str(ch, user);
	ipc_put_u32(ch, delay_ms);
	ipc_send(ch);
}

/* The user as far as it is known, "" before that. */
static const char *
user_of(const struct session *s)
{
	return s->exchange != NULL ? s->exchange->user : "";
}

static void
log_attempt(const struct session *s, int level, const char *event,
    struct slice reason)
{
	log_msg(level, "s=%llx-%llx event=%s user=%s client=%s mech=%s "
	    "auth=%s ms=%lld%s%s",
	    (unsigned long long)s->frontend->epoch,
	    (unsigned long long)s->sid, event,
	    log_q(user_of(s)), log_q(s->client),
	    s->exchange != NULL ? s->exchange->mech->name : "none",
	    s->block != NULL ? log_q(s->block->name) : "\"\"",
	    (long long)(clock_ms() - s->began),
	    reason.len > 0 ? " reason=" : "",
	    reason.len > 0 ? log_qn(reason.p, reason.len) : "");
}

/* Back to where a login can begin. */
static void
reset(struct session *s)
{
	s->state = ATTEMPT_NONE;
	exchange_free(s->exchange);
	s->exchange = NULL;
}

/*
 * Log and count a failure. Returns ms after the attempt's start at which the
 * answer is due.
 */
static unsigned int
count_failure(struct session *s, enum verdict verdict, unsigned int delay_us,
    struct slice password, struct slice reason)
{
	unsigned int	 ms, slow;

	stats_inc(STAT_AUTH_FAILED);
	log_attempt(s, 5, verdict == VERDICT_AUTH_DISABLED ?
	    "auth-disabled" : "auth-failed", reason);
	if (s->failures < UINT32_MAX)
		s->failures++;
	ms = throttle_answer_ms(s->failures, guard_delay_ms(), delay_us);
	slow = verdict == VERDICT_AUTH_WEAK ? 0 :
	    guard_failed(SLICE_STR(s->client), SLICE_STR(s->block->name),
	    SLICE_STR(user_of(s)), password, clock_ms());
	return slow > ms ? slow : ms;
}

/*
 * 535, 534 or 525: the client's doing, answered slowly. password: what was
 * tried, "" where there was none to see.
 */
static void
fail(struct session *s, enum verdict verdict, unsigned int delay_us,
    struct slice password, struct slice reason)
{
	unsigned int	 ms;

	ms = throttle_remaining_ms(count_failure(s, verdict, delay_us,
	    password, reason), clock_ms() - s->began);
	reset(s);
	send_result(s, verdict, "", ms);
}

/* 454: not the client's doing, and not counted as a failure. */
static void
busy(struct session *s, struct slice reason)
{
	stats_inc(STAT_AUTH_TEMPFAIL);
	log_attempt(s, 4, "auth-unavailable", reason);
	reset(s);
	send_result(s, VERDICT_AUTH_BUSY, "", 0);
}

/* --- the guard --- */

static void
send_refuse(struct session *s, const struct guard_answer *a)
{
	struct ipc	*ch = s->frontend->ch;

	stats_inc(STAT_AUTH_BANNED);
	ipc_start(ch, IPC_SESSION_REFUSE, s->sid);
	ipc_put_u32(ch, a->seconds);
	ipc_put_str(ch, a->reason);
	ipc_send(ch);
}

/* No backend is asked. 454, as for a user there is not. */
static void
refuse(struct session *s, const struct guard_answer *a)
{
	stats_inc(STAT_AUTH_REFUSED);
	log_attempt(s, 5, "auth-refused", SLICE_STR(a->reason));
	reset(s);
	if (a->word == GUARD_BANNED)
		send_refuse(s, a);
	else
		send_result(s, VERDICT_AUTH_BUSY, "", guard_delay_ms());
}

/* May the login go on? If not it was refused. */
static bool
admitted(struct session *s)
{
	struct guard_answer	 a;
	struct slice		 client = SLICE_STR(s->client);

	if (user_of(s)[0] == '\0')
		a = guard_connect(client, clock_ms());
	else
		a = guard_try(client, SLICE_STR(s->block->name),
		    SLICE_STR(user_of(s)), clock_ms());
	if (a.word == GUARD_GO)
		return true;
	refuse(s, &a);
	return false;
}

/* The user has proven who he is, under the name of the exchange. */
static void
proven(struct session *s)
{
	guard_ok(SLICE_STR(s->client), SLICE_STR(s->block->name),
	    SLICE_STR(user_of(s)), clock_ms());
}

void
attempt_opened(struct session *s)
{
	struct guard_answer	 a;

	a = guard_connect(SLICE_STR(s->client), clock_ms());
	if (a.word == GUARD_BANNED)
		send_refuse(s, &a);
	else
		standin_opened(s);
}

void
attempt_certificate(struct session *s)
{
	struct ipc	*ch = s->frontend->ch;
	char		 login[IPC_USER_MAX + 1] = "", subject[512];
	const char	*reason = "unknown listener";
	bool		 good;

	good = s->block != NULL &&
	    external_login(s->block, s->tls, login, &reason) == 0;
	authority_subject(SLICE(s->tls->cert, s->tls->ncert), subject,
	    sizeof(subject));
	log_msg(good ? 6 : 5, "s=%llx-%llx event=client-certificate "
	    "result=%s user=%s client=%s auth=%s subject=%s%s%s",
	    (unsigned long long)s->frontend->epoch,
	    (unsigned long long)s->sid, good ? "ok" : "refused",
	    log_q(good ? login : ""), log_q(s->client),
	    s->block != NULL ? log_q(s->block->name) : "\"\"",
	    log_q(subject), good ? "" : " reason=", good ? "" : log_q(reason));
	ipc_start(ch, IPC_SESSION_CERT, s->sid);
	ipc_put_u8(ch, good);
	ipc_send(ch);
}

/* --- the grant --- */

static void
put_list(struct ipc *ch, char *const *list, size_t n)
{
	size_t	 i;

	ipc_put_u16(ch, (uint16_t)n);
	for (i = 0; i < n; i++)
		ipc_put_str(ch, list[i]);
}

/* Names, addresses and numbers of a GRANT take less than 2048 octets. */
_Static_assert(PASSWD_SCOPE_MAX + 2048 <= IPC_PAYLOAD_MAX,
    "a GRANT does not hold what a credential may say");

/* What the credential is good for; all 0: whatever the user may. */
static void
put_scope(struct ipc *ch, const struct credential *c)
{
	static const struct credential	 any;

	if (c == NULL)
		c = &any;
	ipc_put_str(ch, c->label);
	put_list(ch, c->senders, c->nsenders);
	put_list(ch, c->rcpt_domains, c->nrcpt_domains);
	ipc_put_u32(ch, c->rate);
	ipc_put_u64(ch, c->relay_after);
}

static void
send_grant(struct session *s)
{
	const struct exchange	*x = s->exchange;

	if (queue == NULL) {
		busy(s, SLICE_STR("no queue"));
		return;
	}
	ipc_start(queue, IPC_GRANT, s->sid);
	ipc_put_u64(queue, s->frontend->epoch);
	ipc_put_str(queue, x->user);
	ipc_put_str(queue, s->block->tenant);
	ipc_put_str(queue, s->block->name);
	ipc_put_str(queue, x->mech->name);
	ipc_put_u16(queue, s->listener);
	ipc_put_str(queue, s->client);
	ipc_put_u16(queue, s->client_port);
	ipc_put_str(queue, s->block->realm);
	ipc_put_u8(queue, x->mech->flag == CONF_MECH_EXTERNAL ?
	    GRANT_SEEN : 0);
	put_scope(queue, x->credential);
	ipc_send(queue);
	s->state = ATTEMPT_GRANT;
}

static void
revoke(struct session *s)
{
	if (queue == NULL)
		return;
	ipc_start(queue, IPC_GRANT_REVOKE, s->sid);
	ipc_put_u64(queue, s->frontend->epoch);
	ipc_send(queue);
}

void
attempt_granted(struct session *s, bool taken)
{
	if (s->taken_owed > 0) {
		s->taken_owed--;	/* revoked meanwhile */
		return;
	}
	if (s->standin_asked) {
		standin_granted(s, taken);
		return;
	}
	if (s->state != ATTEMPT_GRANT)
		return;
	if (!taken) {
		busy(s, SLICE_STR("the queue did not take the grant"));
		return;
	}
	stats_inc(STAT_AUTH_OK);
	log_attempt(s, 6, "auth-ok", SLICE("", 0));
	send_result(s, VERDICT_OK, user_of(s), 0);
	reset(s);
	s->state = ATTEMPT_GRANTED;
}

void
attempt_queue_gone(struct session *s)
{
	standin_drop(s);
	s->taken_owed = 0;
	if (s->state == ATTEMPT_GRANT)
		busy(s, SLICE_STR("the queue is gone"));
}

/* --- the password --- */

static void
verified(void *arg, const struct verify_answer *a)
{
	struct session	*s = arg;
	uint64_t	 pair = s->ticket.pair;

	s->verification = NULL;
	guard_end(&s->ticket);
	switch (a->verdict) {
	case VERDICT_OK:
		proven(s);
		/* The name as the backend knows it counts from now on. */
		if (!exchange_user(s->exchange, a->user)) {
			busy(s, SLICE_STR("unfit user name from a backend"));
			break;
		}
		if (a->credential != NULL)
			s->exchange->credential =
			    credential_ref(a->credential);
		send_grant(s);
		break;
	case VERDICT_AUTH_FAILED:
	case VERDICT_AUTH_DISABLED:
	case VERDICT_AUTH_EXPIRED:
	case VERDICT_AUTH_WEAK:
		fail(s, a->verdict, a->fail_delay, a->password, a->reason);
		break;
	default:
		busy(s, a->reason);
		break;
	}
	hold_release(pair);
}

static void	 verify_held(void *, struct slice);

/* Wait until the client's other login of that user has ended. */
static void
hold(struct session *s, uint64_t pair, struct slice password)
{
	memset(&s->ticket, 0, sizeof(s->ticket));
	s->hold = hold_new(pair, password, verify_held, s);
	if (s->hold == NULL)
		busy(s, SLICE_STR("too many logins wait"));
	else
		s->state = ATTEMPT_HOLD;
}

static void
verify(struct session *s, struct slice password)
{
	struct exchange		*x = s->exchange;
	struct guard_answer	 a;

	a = guard_begin(x->client, SLICE_STR(s->block->name),
	    SLICE_STR(x->user), clock_ms(), &s->ticket);
	switch (a.word) {
	case GUARD_GO:
		break;
	case GUARD_WAIT:
		hold(s, s->ticket.pair, password);
		return;
	default:
		memset(&s->ticket, 0, sizeof(s->ticket));
		refuse(s, &a);
		return;
	}
	s->state = ATTEMPT_VERIFY;
	s->verification = verify_password(s->block, x->mech->flag, x->client,
	    SLICE_STR(x->user), password, verified, s);
}

static void
verify_held(void *arg, struct slice password)
{
	struct session	*s = arg;

	s->hold = NULL;
	verify(s, password);
}

/* Others vouch for the user: has PAM anything against the account? */
static void
check_account(struct session *s)
{
	s->state = ATTEMPT_VERIFY;
	s->verification = verify_account(s->block, s->exchange->client,
	    SLICE_STR(s->exchange->user), verified, s);
}

/* --- the exchange --- */

/* What the mechanism made of a response. */
static void
step(struct session *s, enum mech_step what)
{
	struct exchange	*x = s->exchange;
	struct slice	 none = SLICE("", 0), reason;

	reason = SLICE_STR(x->reason != NULL ? x->reason : "");
	switch (what) {
	case MECH_CHALLENGE:
		s->state = ATTEMPT_RESPONSE;
		send_challenge(s, x);
		break;
	case MECH_PASSWORD:
		verify(s, x->password);
		break;
	case MECH_DONE:
		if (x->mech->foreign && s->block->service[0] != '\0') {
			check_account(s);
			break;
		}
		proven(s);
		send_grant(s);
		break;
	case MECH_FAILED:
		fail(s, VERDICT_AUTH_FAILED, 0, x->password, reason);
		break;
	case MECH_LAST:
		fail(s, VERDICT_AUTH_LAST, 0, none, reason);
		break;
	case MECH_EXPIRED:
		fail(s, s->block->expired_hide ? VERDICT_AUTH_FAILED :
		    VERDICT_AUTH_EXPIRED, 0, none, reason);
		break;
	case MECH_WEAK:
		fail(s, VERDICT_AUTH_WEAK, 0, none, reason);
		break;
	case MECH_BUSY:
		busy(s, reason);
		break;
	}
}

/* The same for one before which there was no user to ask the guard about. */
static void
first_step(struct session *s, enum mech_step what)
{
	if ((what == MECH_CHALLENGE || what == MECH_DONE) &&
	    user_of(s)[0] != '\0' && !admitted(s))
		return;
	step(s, what);
}

/* May this session use it? */
static bool
permitted(const struct session *s, const struct mech *mech, bool tls)
{
	if (mech == NULL || (s->block->mechs & mech->flag) == 0)
		return false;
	return tls || (!mech->clear && !mech->bound);
}

/* --- what front-ends ask --- */

int
attempt_start(struct session *s, bool tls, struct slice name,
    bool has_initial, struct slice initial)
{
	const struct mech	*mech;
	struct exchange		*x;

	if (s->state == ATTEMPT_GRANTED) {
		send_result(s, VERDICT_SEQUENCE, "", 0);
		return 0;
	}
	if (s->state != ATTEMPT_NONE)
		return -1;
	standin_drop(s);
	s->began = clock_ms();
	if (s->block == NULL) {
		busy(s, SLICE_STR("unknown listener"));
		return 0;
	}
	if (!permitted(s, mech = mech_find(name), tls)) {
		send_result(s, VERDICT_AUTH_MECHANISM, "", 0);
		return 0;
	}
	if ((x = exchange_new(mech)) == NULL) {
		busy(s, SLICE_STR("out of memory"));
		return 0;
	}
	x->block = s->block;
	x->tls = tls ? s->tls : NULL;
	x->client = SLICE_STR(s->client);
	x->local = SLICE_STR(s->local);
	x->local_port = s->local_port;
	s->exchange = x;
	if (admitted(s))
		first_step(s, mech->start(x, has_initial, initial));
	return 0;
}

int
attempt_response(struct session *s, struct slice response)
{
	bool	 named = user_of(s)[0] != '\0';

	if (s->state != ATTEMPT_RESPONSE)
		return -1;
	s->began = clock_ms();
	if (!admitted(s))
		return 0;
	if (named)
		step(s, s->exchange->mech->response(s->exchange, response));
	else
		first_step(s, s->exchange->mech->response(s->exchange,
		    response));
	return 0;
}

/* Stop what is under way for nobody. */
static void
abandon(struct session *s)
{
	uint64_t	 pair;

	/* It was told that it failed; that it did not wait is no way out. */
	if (s->state == ATTEMPT_RESPONSE && s->exchange->refused)
		(void)count_failure(s, VERDICT_AUTH_FAILED, 0,
		    s->exchange->password, SLICE_STR(s->exchange->reason));
	if (s->hold != NULL)
		hold_free(s->hold);
	s->hold = NULL;
	if (s->verification != NULL)
		abandoned_take(s);
	pair = s->ticket.pair;
	guard_end(&s->ticket);
	if (s->state == ATTEMPT_GRANT)
		s->taken_owed++;
	if (s->state == ATTEMPT_GRANT || s->state == ATTEMPT_GRANTED)
		revoke(s);
	hold_release(pair);
}

void
attempt_cancel(struct session *s)
{
	bool	 crossed = s->state == ATTEMPT_NONE ||
	    s->state == ATTEMPT_GRANTED;

	/* A front-end that gave up before it read OK has nobody logged in. */
	abandon(s);
	reset(s);
	if (!crossed)
		send_result(s, VERDICT_AUTH_CANCELLED, "", 0);
}

void
attempt_end(struct session *s)
{
	standin_drop(s);
	abandon(s);
	reset(s);
}
