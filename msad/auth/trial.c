/*
 * Logins that an operator tries by msactl: is this the password of that user,
 * and who says so; what the guard would say of a client. Runs in msad-auth,
 * called by control.c.
 *
 * A trial is no client: the guard is not asked and counts nothing, so that an
 * operator can try a user who is locked out and locks out nobody. The backends
 * are those of every login, and may count by themselves (pam_faillock). Each
 * trial is logged with who asked; only as many as few run at once.
 */

#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/verdict.h"
#include "msad/auth/blocks.h"
#include "msad/auth/byaddress.h"
#include "msad/auth/control_priv.h"
#include "msad/auth/guard.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/trial.h"
#include "msad/auth/verify.h"

#define TRIALS_MAX	8	/* at once */
#define NOWHERE		"127.0.0.1"	/* whence, unless it is said */

struct trial {
	TAILQ_ENTRY(trial)	 entry;
	struct ipc		*ch;
	uint64_t		 sid;
	uint32_t		 uid;
	char			 user[IPC_USER_MAX + 1];
	struct auth_block	*block;
	struct verification	*verification;
	bool			 starting;
	bool			 over;		/* answered meanwhile */
};

static TAILQ_HEAD(, trial)	 trials = TAILQ_HEAD_INITIALIZER(trials);
static unsigned int		 ntrials;

static void
fact(struct ipc *ch, uint64_t sid, const char *name, struct slice value)
{
	if (value.len > 1024)
		value.len = 1024;
	ipc_start(ch, IPC_CTL_AUTH_FACT, sid);
	ipc_put_str(ch, name);
	ipc_put_slice(ch, value);
	ipc_send(ch);
}

static void
trial_free(struct trial *t)
{
	TAILQ_REMOVE(&trials, t, entry);
	ntrials--;
	blocks_release(t->block);
	free(t);
}

/* --- test auth --- */

static const char *
result(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_OK:
		return "ok";
	case VERDICT_AUTH_FAILED:
	case VERDICT_AUTH_WEAK:
		return "refused";
	case VERDICT_AUTH_EXPIRED:
		return "expired";
	case VERDICT_AUTH_DISABLED:
		return "disabled";
	default:
		return "unavailable";
	}
}

static void
answer(struct trial *t, const struct verify_answer *a)
{
	const char	*backend = a->backend != NULL ? a->backend : "";
	struct slice	 reason = a->reason;

	if (a->verdict == VERDICT_OK)
		reason = SLICE_STR("");
	fact(t->ch, t->sid, "result", SLICE_STR(result(a->verdict)));
	fact(t->ch, t->sid, "user", a->verdict == VERDICT_OK ? a->user :
	    SLICE_STR(t->user));
	fact(t->ch, t->sid, "block", SLICE_STR(t->block->name));
	fact(t->ch, t->sid, "backend", SLICE_STR(backend));
	fact(t->ch, t->sid, "cached", SLICE_STR(a->cached ? "yes" : "no"));
	if (a->credential != NULL && a->credential->label[0] != '\0')
		fact(t->ch, t->sid, "label",
		    SLICE_STR(a->credential->label));
	if (reason.len > 0)
		fact(t->ch, t->sid, "reason", reason);
	log_notice("event=control-test-auth uid=%u user=%s auth=%s result=%s "
	    "backend=%s cached=%d reason=%s", t->uid, log_q(t->user),
	    log_q(t->block->name), result(a->verdict), backend, a->cached,
	    log_qn(reason.p, reason.len));
	control_end(t->ch, t->sid, CTL_OK, 1, 0, "");
}

static void
verified(void *arg, const struct verify_answer *a)
{
	struct trial	*t = arg;

	t->verification = NULL;
	answer(t, a);
	if (t->starting)
		t->over = true;
	else
		trial_free(t);
}

/* What is wrong with a trial; NULL: nothing, and *block is referenced. */
static const char *
trial_fault(struct slice user, struct slice name, struct slice client,
    struct slice password, struct auth_block **block)
{
	const char	*reason = NULL;
	struct network	 n;

	if (!sasl_name_ok(user) || user.len > IPC_USER_MAX)
		return "not a user name";
	if (!sasl_octets_ok(password))
		return "not a password: 1 to 1024 octets";
	if (client.len > 0 && !byaddress_parse(client, &n))
		return "not a numeric address";
	if (ntrials == TRIALS_MAX)
		return "too many tests are under way";
	*block = blocks_of_name(name, false, &reason);
	return *block == NULL ? reason : NULL;
}

static void
trial_start(struct trial *t, struct slice client, struct slice password)
{
	TAILQ_INSERT_TAIL(&trials, t, entry);
	ntrials++;
	t->starting = true;
	t->verification = verify_password(t->block, CONF_MECH_PLAIN,
	    client.len > 0 ? client : SLICE_STR(NOWHERE), SLICE_STR(t->user),
	    password, verified, t);
	t->starting = false;
	if (t->over)
		trial_free(t);
}

int
trial_auth(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct trial		*t;
	struct auth_block	*block;
	struct slice		 user, name, client, password;
	const char		*reason;
	uint32_t		 uid;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	user = ipc_get_str(&r);
	name = ipc_get_str(&r);
	client = ipc_get_str(&r);
	password = ipc_get_bytes(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	reason = trial_fault(user, name, client, password, &block);
	if (reason != NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, reason);
		return 0;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		blocks_release(block);
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, "out of memory");
		return 0;
	}
	t->ch = ch;
	t->sid = msg->sid;
	t->uid = uid;
	memcpy(t->user, user.p, user.len);
	t->block = block;
	trial_start(t, client, password);
	return 0;
}

void
trial_channel_gone(struct ipc *ch)
{
	struct trial	*t, *next;

	TAILQ_FOREACH_SAFE(t, &trials, entry, next) {
		if (t->ch != ch)
			continue;
		if (t->verification != NULL)
			verify_cancel(t->verification);
		trial_free(t);
	}
}

/* --- test session --- */

static void
say(struct ipc *ch, uint64_t sid, const char *name,
    const struct guard_answer *a)
{
	char	 text[256];

	if (a->word == GUARD_GO)
		strlcpy(text, "no", sizeof(text));
	else if (a->seconds == 0)
		strlcpy(text, a->reason, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s, %u seconds left", a->reason,
		    a->seconds);
	fact(ch, sid, name, SLICE_STR(text));
}

int
trial_session(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct auth_block	*block;
	struct byaddress	*b;
	struct guard_answer	 ban, guard;
	struct network		 address;
	struct slice		 client, user, name;
	const char		*reason = NULL;
	uint32_t		 uid;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	client = ipc_get_str(&r);
	user = ipc_get_str(&r);
	name = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	if (!byaddress_parse(client, &address))
		reason = "not a numeric address";
	else if (!sasl_name_ok(user))
		reason = "not a user name";
	if (reason != NULL ||
	    (block = blocks_of_name(name, false, &reason)) == NULL) {
		control_end(ch, msg->sid, CTL_ERROR, 0, 0, reason);
		return 0;
	}
	ban = guard_connect(client, clock_ms());
	guard = guard_look(client, SLICE_STR(block->name), user, clock_ms());
	fact(ch, msg->sid, "block", SLICE_STR(block->name));
	say(ch, msg->sid, "banned", &ban);
	say(ch, msg->sid, "login-refused", &guard);
	if ((b = byaddress_find(&address, block->name, clock_ms())) != NULL)
		fact(ch, msg->sid, "granted", SLICE_STR(b->user));
	blocks_release(block);
	control_end(ch, msg->sid, CTL_OK, 1, 0, "");
	return 0;
}
