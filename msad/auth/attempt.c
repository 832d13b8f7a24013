/*
 * One login, from AUTH_START to the grant: the mechanisms PLAIN and LOGIN,
 * PAM, the queue's consent, the answer.
 *
 * Runs in msad-auth, called for messages of front-ends. What a response holds
 * comes from the client; what order messages come in is the front-end's doing.
 * The front-end hears of success only after the queue has taken the grant, so
 * that a MAIL behind the 235 finds it. Failures are all alike to the client:
 * one verdict, the same slowness whatever the reason.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"
#include "common/verdict.h"
#include "msad/auth/attempt.h"
#include "msad/auth/plain.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/session.h"
#include "msad/auth/throttle.h"
#include "msad/auth/workers.h"

static struct ipc	*queue;

void
attempt_set_queue(struct ipc *ch)
{
	queue = ch;
}

static int64_t
now_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- answers --- */

static void
send_challenge(struct session *s, const char *text)
{
	struct ipc	*ch = s->frontend->ch;

	ipc_start(ch, IPC_AUTH_CHALLENGE, s->sid);
	ipc_put_bytes(ch, text, strlen(text));
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

static void
log_attempt(const struct session *s, int level, const char *event,
    struct slice reason)
{
	log_msg(level, "s=%llx-%llx event=%s user=%s client=%s mech=%s "
	    "auth=%s ms=%lld%s%s",
	    (unsigned long long)s->frontend->epoch,
	    (unsigned long long)s->sid, event,
	    s->user != NULL ? log_q(s->user) : "\"\"", log_q(s->client),
	    s->mech != NULL ? s->mech : "none",
	    s->block != NULL ? log_q(s->block->name) : "\"\"",
	    (long long)(now_ms() - s->began),
	    reason.len > 0 ? " reason=" : "",
	    reason.len > 0 ? log_qn(reason.p, reason.len) : "");
}

/* Back to where a login can begin. */
static void
reset(struct session *s)
{
	s->state = ATTEMPT_NONE;
	s->mech = NULL;
	free(s->user);
	s->user = NULL;
}

/* 535 or 525: the client's doing, answered slowly. */
static void
fail(struct session *s, enum verdict verdict, unsigned int pam_us,
    struct slice reason)
{
	unsigned int	 ms;

	stats_inc(STAT_AUTH_FAILED);
	log_attempt(s, 5, verdict == VERDICT_AUTH_DISABLED ?
	    "auth-disabled" : "auth-failed", reason);
	if (s->failures < UINT32_MAX)
		s->failures++;
	ms = throttle_answer_ms(s->failures, pam_us);
	ms = throttle_remaining_ms(ms, now_ms() - s->began);
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

/* --- the grant --- */

static void
send_grant(struct session *s)
{
	ipc_start(queue, IPC_GRANT, s->sid);
	ipc_put_u64(queue, s->frontend->epoch);
	ipc_put_str(queue, s->user);
	ipc_put_str(queue, "");
	ipc_put_str(queue, s->block->name);
	ipc_put_str(queue, s->mech);
	ipc_put_u16(queue, s->listener);
	ipc_put_str(queue, s->client);
	ipc_put_u16(queue, s->client_port);
	ipc_put_str(queue, s->block->realm);
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
	if (s->state != ATTEMPT_GRANT)
		return;		/* cancelled meanwhile, and revoked then */
	if (!taken) {
		busy(s, SLICE_STR("the queue did not take the grant"));
		return;
	}
	s->state = ATTEMPT_GRANTED;
	stats_inc(STAT_AUTH_OK);
	log_attempt(s, 6, "auth-ok", SLICE("", 0));
	send_result(s, VERDICT_OK, s->user, 0);
	free(s->user);
	s->user = NULL;
}

void
attempt_queue_gone(struct session *s)
{
	if (s->state == ATTEMPT_GRANT)
		busy(s, SLICE_STR("the queue is gone"));
}

/* --- PAM --- */

/* The name as PAM knows it counts from now on. */
static int
take_user(struct session *s, struct slice user)
{
	char	*copy;

	if (!sasl_name_ok(user) ||
	    (copy = strndup(user.p, user.len)) == NULL)
		return -1;
	free(s->user);
	s->user = copy;
	return 0;
}

static void
pam_done(void *arg, const struct pam_answer *answer)
{
	struct session	*s = arg;

	s->job = NULL;
	switch (answer->verdict) {
	case VERDICT_OK:
		if (take_user(s, answer->user) == -1)
			busy(s, SLICE_STR("unfit user name from PAM"));
		else if (queue == NULL)
			busy(s, SLICE_STR("no queue"));
		else
			send_grant(s);
		break;
	case VERDICT_AUTH_FAILED:
	case VERDICT_AUTH_DISABLED:
		fail(s, answer->verdict, answer->fail_delay, answer->reason);
		break;
	default:
		busy(s, answer->reason);
		break;
	}
}

/* s->user is set. */
static void
ask_pam(struct session *s, struct slice password)
{
	s->job = workers_submit(s->block->service, s->user, password,
	    s->client, pam_done, s);
	if (s->job == NULL)
		busy(s, SLICE_STR("too many logins wait"));
	else
		s->state = ATTEMPT_PAM;
}

/* --- mechanisms --- */

static void
plain_message(struct session *s, struct slice message)
{
	const char	*reason;
	struct slice	 user, password;

	if (plain_parse(message, &user, &password, &reason) == -1)
		fail(s, VERDICT_AUTH_FAILED, 0, SLICE_STR(reason));
	else if (take_user(s, user) == -1)
		busy(s, SLICE_STR("out of memory"));
	else
		ask_pam(s, password);
}

/* An unfit name is refused after the password (CONFORMANCE D-login-2-b). */
static void
login_user(struct session *s, struct slice user)
{
	(void)take_user(s, user);
	s->state = ATTEMPT_LOGIN_PASSWORD;
	send_challenge(s, "Password:");
}

static void
login_password(struct session *s, struct slice password)
{
	if (s->user == NULL)
		fail(s, VERDICT_AUTH_FAILED, 0, SLICE_STR("unfit user name"));
	else if (!sasl_password_ok(password))
		fail(s, VERDICT_AUTH_FAILED, 0, SLICE_STR("unfit password"));
	else
		ask_pam(s, password);
}

static void
start_plain(struct session *s, bool has_initial, struct slice initial)
{
	s->mech = "PLAIN";
	s->state = ATTEMPT_PLAIN;
	if (has_initial)
		plain_message(s, initial);
	else
		send_challenge(s, "");
}

/* The initial response is the user name (CONFORMANCE R4954-4-f). */
static void
start_login(struct session *s, bool has_initial, struct slice initial)
{
	s->mech = "LOGIN";
	s->state = ATTEMPT_LOGIN_USER;
	if (has_initial)
		login_user(s, initial);
	else
		send_challenge(s, "Username:");
}

/* --- what front-ends ask --- */

int
attempt_start(struct session *s, bool tls, struct slice mech,
    bool has_initial, struct slice initial)
{
	unsigned int	 mechs;

	if (s->state == ATTEMPT_GRANTED) {
		send_result(s, VERDICT_SEQUENCE, "", 0);
		return 0;
	}
	if (s->state != ATTEMPT_NONE)
		return -1;
	s->began = now_ms();
	if (s->block == NULL) {
		busy(s, SLICE_STR("unknown listener"));
		return 0;
	}
	/* Both mechanisms show the password: never without TLS. */
	mechs = tls ? s->block->mechs : 0;
	if (slice_is_nocase(mech, "PLAIN") && (mechs & CONF_MECH_PLAIN))
		start_plain(s, has_initial, initial);
	else if (slice_is_nocase(mech, "LOGIN") && (mechs & CONF_MECH_LOGIN))
		start_login(s, has_initial, initial);
	else
		send_result(s, VERDICT_AUTH_MECHANISM, "", 0);
	return 0;
}

int
attempt_response(struct session *s, struct slice response)
{
	s->began = now_ms();
	switch (s->state) {
	case ATTEMPT_PLAIN:
		plain_message(s, response);
		return 0;
	case ATTEMPT_LOGIN_USER:
		login_user(s, response);
		return 0;
	case ATTEMPT_LOGIN_PASSWORD:
		login_password(s, response);
		return 0;
	case ATTEMPT_NONE:
	case ATTEMPT_PAM:
	case ATTEMPT_GRANT:
	case ATTEMPT_GRANTED:
		break;
	}
	return -1;
}

/* Stop what is under way for nobody. */
static void
abandon(struct session *s)
{
	if (s->job != NULL)
		workers_cancel(s->job);
	s->job = NULL;
	if (s->state == ATTEMPT_GRANT || s->state == ATTEMPT_GRANTED)
		revoke(s);
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
	abandon(s);
	reset(s);
}
