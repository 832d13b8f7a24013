/*
 * The queue's answers to msactl, by way of msad-control: what each question is
 * answered by, and of the smaller ones the answers: limits, who is logged in.
 * Runs in msad-queue.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

#include "control.h"
#include "control_rules.h"
#include "grant.h"
#include "held.h"
#include "limits.h"
#include "schedule.h"
#include "show.h"
#include "status.h"
#include "steer.h"
#include "summary.h"
#include "trial.h"

#define LIST_MAX	200		/* messages of one answer */
#define PENDING_MAX	(1024 * 1024)	/* octets under way to control */

void
control_init(struct spool *s)
{
	status_init(s);
	control_rules_init(s);
}

/* --- limits --- */

/* For whom the lines of limits are. */
struct asking {
	struct ipc	*ch;
	uint64_t	 sid;
};

static void
send_limit(void *arg, const struct limits_line *line)
{
	const struct asking	*a = arg;
	const struct rate_state	*s = &line->state;

	ipc_start(a->ch, IPC_CTL_LIMIT, a->sid);
	ipc_put_u8(a->ch, (uint8_t)s->key.kind);
	ipc_put_str(a->ch, s->key.space);
	ipc_put_str(a->ch, s->key.user);
	ipc_put_str(a->ch, s->key.label);
	ipc_put_u64(a->ch, s->used);
	ipc_put_u64(a->ch, s->rate.n);
	ipc_put_u32(a->ch, s->rate.period);
	ipc_put_u64(a->ch, (line->wait + 999) / 1000);
	ipc_send(a->ch);
}

static int
on_limits(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct asking		 a = { ch, msg->sid };
	struct ipc_reader	 r;
	char			 user[RATE_KEY_MAX];
	uint32_t		 place, max, n;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	place = ipc_get_u32(&r);
	max = ipc_get_u16(&r);
	ipc_copy_str(&r, user, sizeof(user));
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (max == 0 || max > LIST_MAX)
		max = LIST_MAX;
	n = limits_each(&place, user, max, send_limit, &a);
	control_end(ch, msg->sid, CTL_OK, n, place == RATE_NONE ? 0 : place,
	    "");
	return 0;
}

static int
on_limits_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	char			 user[RATE_KEY_MAX], tenant[RATE_KEY_MAX];
	uint32_t		 uid, n;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	uid = control_uid(&r);
	may = control_caller(&r);
	ipc_copy_str(&r, user, sizeof(user));
	ipc_copy_str(&r, tenant, sizeof(tenant));
	if (!ipc_done(&r) || (user[0] == '\0') == (tenant[0] == '\0'))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	n = limits_reset(user, tenant[0] == '\0' ? NULL : tenant);
	if (n > 0 && held_forward(schedule_now()) > 0)
		schedule_run(schedule_now());
	log_notice("event=limits-reset uid=%u user=%s tenant=%s limits=%u",
	    uid, log_q(user), log_q(tenant), n);
	control_end(ch, msg->sid, n > 0 ? CTL_OK : CTL_NO_MATCH, n, 0,
	    n > 0 ? "" : "nothing of a limit is used");
	return 0;
}

/* --- who is logged in --- */

/* Strings are cut so that the message always fits its bound. */
static void
put_cut(struct ipc *ch, const char *s)
{
	struct slice	cut = SLICE_STR(s);

	if (cut.len > 512)
		cut.len = 512;
	ipc_put_slice(ch, cut);
}

static void
send_user(struct ipc *ch, uint64_t sid, const struct grant *g)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ipc_start(ch, IPC_CTL_QUEUE_USER, sid);
	ipc_put_u64(ch, g->epoch);
	ipc_put_u64(ch, g->sid);
	put_cut(ch, g->user);
	put_cut(ch, g->tenant);
	put_cut(ch, g->auth);
	put_cut(ch, g->mech);
	put_cut(ch, g->client);
	put_cut(ch, g->scope.label);
	ipc_put_u64(ch, (uint64_t)(time(NULL) - (ts.tv_sec - g->since)));
	ipc_put_u8(ch, g->scope.flags);
	ipc_send(ch);
}

static int
on_users(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g;
	uint64_t		 epoch, sid;
	uint32_t		 n = 0, max;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r);
	epoch = ipc_get_u64(&r);
	sid = ipc_get_u64(&r);
	max = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, may))
		return 0;
	if (max == 0 || max > LIST_MAX)
		max = LIST_MAX;
	for (g = grant_after(epoch, sid); g != NULL && n < max &&
	    ipc_pending(ch) < PENDING_MAX; g = grant_after(g->epoch, g->sid)) {
		if (g->revoked)
			continue;
		send_user(ch, msg->sid, g);
		n++;
	}
	control_end(ch, msg->sid, CTL_OK, n, g != NULL, "");
	return 0;
}

const struct ipc_handler control_handlers[] = {
	{ IPC_CTL_QUEUE_SELECT, steer_select },
	{ IPC_CTL_QUEUE_SHOW, show_one },
	{ IPC_CTL_QUEUE_SUMMARY, summary_queue },
	{ IPC_CTL_QUEUE_AGE, summary_age },
	{ IPC_CTL_LIMITS, on_limits },
	{ IPC_CTL_LIMITS_RESET, on_limits_reset },
	{ IPC_CTL_QUEUE_USERS, on_users },
	{ IPC_CTL_QUEUE_TEST, trial_message },
	{ IPC_CTL_QUEUE_CAT, control_cat },
	{ IPC_CTL_QUEUE_LOG, control_log },
	{ IPC_CTL_RULE_ADD, control_rule_add },
	{ IPC_CTL_RULE_REMOVE, control_rule_remove },
	{ IPC_CTL_RULES, control_rules },
	{ IPC_CTL_PAUSE, control_pause },
	{ IPC_CTL_PAUSES, control_pauses },
	{ 0, NULL }
};
