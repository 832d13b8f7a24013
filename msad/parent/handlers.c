/*
 * What children may say to msad, by role. msad is root, so every value is
 * checked, nothing is allocated by what they say, and what they ask is bounded:
 * a wrong payload ends the channel and with it the child.
 */

#include <sys/types.h>

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

#define REASON_MAX	1500	/* octets of a CTL_PARENT_END's text */

static time_t	 started;

static int
on_ready(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct proc		*p = arg;
	struct ipc_reader	 r;
	uint32_t		 generation;

	(void)ch;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (p->state != PROC_CHECKING)
		reload_ready(p, generation);
	else if (generation != p->generation)
		return -1;
	else
		proc_link(p);
	return 0;
}

static int
on_refused(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct proc		*p = arg;
	struct ipc_reader	 r;
	struct slice		 why;
	uint32_t		 generation;

	(void)ch;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	why = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	log_err("event=conf-refused name=%s reason=%s", p->name,
	    log_qn(why.p, why.len));
	if (p->state == PROC_CHECKING)
		proc_kill(p);
	else
		reload_refused(p, generation, why);
	return 0;
}

static int
on_started(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct proc	*p = arg;

	(void)ch;
	(void)msg;
	if (p->state == PROC_STOPPING)
		return 0;
	if (p->state != PROC_STARTING)
		return -1;
	supervise_started(p);
	return 0;
}

static int
on_want(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint16_t		 n;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	n = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	pool_want(n);
	return 0;
}

static int
on_kill(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint32_t		 index;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	index = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	pool_kill(index);
	return 0;
}

/*
 * Who is this local user? auth has no name service in its empty root. It asks
 * one question at a time and remembers the answer.
 */
static int
on_user_ask(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	const char		*name = "";
	uint32_t		 uid;
	uint8_t			 status;

	ipc_reader(&r, msg);
	uid = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (!proc_writable(arg))
		return 0;
	status = users_name((uid_t)uid, &name);
	ipc_start(ch, IPC_USER_NAME, msg->sid);
	ipc_put_u32(ch, uid);
	ipc_put_u8(ch, status);
	ipc_put_str(ch, name);
	ipc_send(ch);
	return 0;
}

/*
 * A worker to be killed, by those who keep what it may not touch. No worker
 * can ask for it, and nothing but a worker can be named.
 */
static int
on_condemn(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct proc		*by = arg, *p;
	struct ipc_reader	 r;
	uint64_t		 epoch;
	uint8_t			 role;

	(void)ch;
	ipc_reader(&r, msg);
	role = ipc_get_u8(&r);
	epoch = ipc_get_u64(&r);
	if (!ipc_done(&r) || (role != ROLE_FRONTEND && role != ROLE_RELAY))
		return -1;
	TAILQ_FOREACH(p, &procs, entry) {
		if (p->role != role || p->epoch != epoch || !PROC_ALIVE(p) ||
		    p->condemned)
			continue;
		log_warn("event=child-condemned name=%s pid=%d by=%s", p->name,
		    (int)p->pid, by->name);
		proc_kill(p);
	}
	return 0;
}

/* --- requests of control --- */

void
handlers_end(uint64_t sid, bool ok, const char *text)
{
	struct proc	*control = proc_of_role(ROLE_CONTROL);
	char		 cut[REASON_MAX];

	if (control == NULL || !proc_writable(control))
		return;
	strlcpy(cut, text, sizeof(cut));
	ipc_start(control->ch, IPC_CTL_PARENT_END, sid);
	ipc_put_u8(control->ch, ok);
	ipc_put_str(control->ch, cut);
	ipc_send(control->ch);
}

static int
on_reload(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	reload_begin(msg->sid);
	return 0;
}

static int
on_loglevel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct proc		*p;
	uint8_t			 level;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	level = ipc_get_u8(&r);
	if (!ipc_done(&r))
		return -1;
	if (level < LOG_ERR || level > LOG_DEBUG) {
		handlers_end(msg->sid, false, "no such level");
		return 0;
	}
	if (level != log_level()) {
		log_set_level(level);
		TAILQ_FOREACH(p, &procs, entry)
			if (proc_writable(p))
				proc_send_loglevel(p, level);
	}
	handlers_end(msg->sid, true, "");
	return 0;
}

static void
send_process(struct ipc *ch, uint64_t sid, const char *name,
    const struct proc *p)
{
	ipc_start(ch, IPC_CTL_PROCESS, sid);
	ipc_put_str(ch, name);
	ipc_put_u32(ch, p == NULL ? 0 : p->index);
	ipc_put_u32(ch, (uint32_t)(p == NULL ? getpid() : p->pid));
	ipc_put_u32(ch, p == NULL ? 0 : users_uid(p->role));
	ipc_put_u64(ch, (uint64_t)(p == NULL ? started : p->since));
	ipc_put_u32(ch, p == NULL ? 0 : p->restarts);
	ipc_send(ch);
}

static int
on_status(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	const struct proc	*p;

	if (!proc_writable(arg))
		return 0;
	send_process(ch, msg->sid, "msad", NULL);
	TAILQ_FOREACH(p, &procs, entry)
		if (p->wanted || PROC_ALIVE(p))
			send_process(ch, msg->sid, ipc_role_name(p->role), p);
	handlers_end(msg->sid, true, "");
	return 0;
}

/* --- tables --- */

#define COMMON \
	{ IPC_PROC_CONF_READY, on_ready }, \
	{ IPC_PROC_CONF_REFUSED, on_refused }, \
	{ IPC_PROC_STARTED, on_started }

static const struct ipc_handler of_all[] = { COMMON, { 0, NULL } };

/* Of keys and queue. */
static const struct ipc_handler of_keeper[] = {
	COMMON,
	{ IPC_PROC_CONDEMN, on_condemn },
	{ 0, NULL }
};

static const struct ipc_handler of_auth[] = {
	COMMON,
	{ IPC_PROC_CONDEMN, on_condemn },
	{ IPC_PAM_POOL_WANT, on_want },
	{ IPC_PAM_POOL_KILL, on_kill },
	{ IPC_USER_ASK, on_user_ask },
	{ 0, NULL }
};

static const struct ipc_handler of_control[] = {
	COMMON,
	{ IPC_CTL_RELOAD, on_reload },
	{ IPC_CTL_LOGLEVEL, on_loglevel },
	{ IPC_CTL_STATUS, on_status },
	{ 0, NULL }
};

const struct ipc_handler *
handlers_of(struct proc *p)
{
	if (started == 0)
		started = time(NULL);
	if (p->role == ROLE_AUTH)
		return of_auth;
	if (p->role == ROLE_CONTROL)
		return of_control;
	if (p->role == ROLE_KEYS || p->role == ROLE_QUEUE)
		return of_keeper;
	return of_all;
}
