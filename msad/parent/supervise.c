/*
 * The family of processes: brought up in order, held up, and ended in order.
 *
 * Up: queue and keys; then auth, resolver, relays, control and lookup;
 * front-ends last, so that nothing is accepted that cannot be served. A death
 * on the way up ends msad. Later a worker, auth, resolver, control or lookup is
 * started again, at most RESTARTS_MAX times a minute; when queue or keys dies
 * the family ends and msad exits with 1: fail closed.
 * Down: front-ends, which end their sessions; relays; the rest; queue; keys.
 */

#include <sys/types.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/parent/files.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

#define PHASES_UP	3
#define PHASES_DOWN	5

/* When a role comes up and goes down. pam comes when auth asks. */
static const struct {
	int	 up;
	int	 down;
} order[ROLE_MAX] = {
	[ROLE_FRONTEND] = { 2, 0 },
	[ROLE_AUTH] = { 1, 2 },
	[ROLE_PAM] = { -1, 2 },
	[ROLE_KEYS] = { 0, 4 },
	[ROLE_QUEUE] = { 0, 3 },
	[ROLE_RELAY] = { 1, 1 },
	[ROLE_RESOLVER] = { 1, 2 },
	[ROLE_CONTROL] = { 1, 2 },
	[ROLE_LOOKUP] = { 1, 2 }
};

/* Seconds that each phase down may take: in order, and after a failure. */
static const unsigned int patience[2][PHASES_DOWN] = {
	{ 30, 10, 5, 30, 5 },
	{ 5, 5, 2, 10, 2 }
};

static int	 up_phase;
static bool	 up;
static int	 down_phase;
static bool	 down;
static int	 exit_status;

bool
supervise_up(void)
{
	return up;
}

bool
supervise_stopping(void)
{
	return down;
}

unsigned int
supervise_workers(unsigned int configured)
{
	long	 n;

	if (configured != 0)
		return configured;
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : (unsigned int)n;
}

/* --- up --- */

static int
places(enum ipc_role role, unsigned int n, const char *root)
{
	unsigned int	 i;

	for (i = 0; i < n; i++)
		if (proc_new(role, i, NULL, root) == NULL)
			return -1;
	return 0;
}

static int
maildir_place(const struct conf_relay *relay, struct proc **p)
{
	*p = proc_new(ROLE_RELAY, RELAY_MAILDIR_INDEX + relay->index,
	    relay->name, relay->maildir);
	return *p == NULL ? -1 : 0;
}

static int
start_phase(void)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (order[p->role].up == up_phase && proc_start(p) == -1)
			return -1;
	return 0;
}

int
supervise_begin(const struct generation *gen)
{
	const struct conf	*conf = gen->conf;
	const struct conf_relay	*relay;
	struct proc		*p;

	if (places(ROLE_QUEUE, 1, conf->spool) == -1 ||
	    places(ROLE_KEYS, 1, NULL) == -1 ||
	    places(ROLE_AUTH, 1, NULL) == -1 ||
	    places(ROLE_RESOLVER, 1, NULL) == -1 ||
	    places(ROLE_RELAY, supervise_workers(conf->relay_workers), NULL) ==
	    -1 || places(ROLE_CONTROL, 1, NULL) == -1 ||
	    places(ROLE_LOOKUP, 1, NULL) == -1 ||
	    places(ROLE_FRONTEND, supervise_workers(conf->frontend_workers),
	    NULL) == -1)
		return -1;
	TAILQ_FOREACH(relay, &conf->relays, entry)
		if (relay->kind == CONF_RELAY_MAILDIR &&
		    maildir_place(relay, &p) == -1)
			return -1;
	return start_phase();
}

static void
next_phase(void)
{
	const struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (order[p->role].up == up_phase && p->state != PROC_RUNNING)
			return;
	if (++up_phase < PHASES_UP) {
		if (start_phase() == -1)
			supervise_stop(1);
		return;
	}
	up = true;
	parent_started();
}

void
supervise_started(struct proc *p)
{
	p->state = PROC_RUNNING;
	event_del(&p->timer);
	log_msg(up && p->role != ROLE_PAM ? 6 : 7,
	    "event=child-started name=%s pid=%d", p->name, (int)p->pid);
	if (!up && !down)
		next_phase();
	reload_step();
}

/* --- death --- */

static int64_t
delay_of(struct proc *p)
{
	int64_t	 delay;
	bool	 paused;

	delay = restart_delay(&p->restart, parent_now(), &paused);
	if (paused)
		log_err("event=child-throttled name=%s starts=%d seconds=%lld",
		    p->name, RESTARTS_MAX, (long long)delay / 1000);
	return delay;
}

/*
 * How long until the next start: nothing after an end in order. A worker of
 * PAM that auth had killed, or that did not live long, waits a second, so that
 * auth taken over cannot make msad fork without end.
 */
static int64_t
pause_of(struct proc *p, bool fault)
{
	if (fault)
		return delay_of(p);
	return p->excused || time(NULL) - p->since < 2 ? 1000 : 0;
}

static void
describe(char *buf, size_t size, int status)
{
	if (WIFEXITED(status))
		snprintf(buf, size, "status=%d%s", WEXITSTATUS(status),
		    WEXITSTATUS(status) == 127 ?
		    " reason=\"program cannot be run\"" : "");
	else if (WTERMSIG(status) == SIGSYS)
		snprintf(buf, size, "signal=%d reason=\"sandbox violation\"",
		    WTERMSIG(status));
	else
		snprintf(buf, size, "signal=%d", WTERMSIG(status));
}

/* A worker of PAM that has done its share exits 0, but not at once. */
static bool
is_fault(const struct proc *p, int status)
{
	if (p->excused || p->state == PROC_STOPPING)
		return false;
	return p->role != ROLE_PAM || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0 || p->since == time(NULL);
}

static void
mourn(const struct proc *p, int status, bool fault)
{
	char	 text[80];

	stats_inc(STAT_PROC_DIED);
	describe(text, sizeof(text), status);
	log_msg(fault ? 3 : 7, "event=child-died name=%s pid=%d %s", p->name,
	    (int)p->pid, text);
}

static void	 stop_step(void);

static void
after_death(struct proc *p, bool fault)
{
	int64_t	 pause;

	if (down) {
		stop_step();
	} else if (p->retired) {
		proc_free(p);
	} else if (p->role == ROLE_QUEUE || p->role == ROLE_KEYS) {
		log_err("event=fail-closed name=%s", p->name);
		supervise_stop(1);
	} else if (!up && p->role != ROLE_PAM) {
		log_err("event=start-failed name=%s", p->name);
		supervise_stop(1);
	} else {
		pause = pause_of(p, fault);
		p->rest = parent_now() + pause;
		if (p->wanted)
			proc_timer(p, pause);
	}
}

static void
died(struct proc *p, int status)
{
	bool	 fault = is_fault(p, status);

	p->state = PROC_STOPPING;	/* what it still says starts nothing */
	if (p->ch != NULL)
		(void)ipc_wait(p->ch, IPC_PROC_CONF_REFUSED, 1);
	mourn(p, status, fault);
	reload_died(p, fault);
	proc_gone(p);
	if (p->role == ROLE_AUTH && !down)
		pool_reset();
	if (p->role == ROLE_CONTROL)
		reload_forget();
	after_death(p, fault);
	reload_step();
}

void
supervise_reap(void)
{
	struct proc	*p;
	pid_t		 pid;
	int		 status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if ((p = proc_by_pid(pid)) != NULL)
			died(p, status);
}

void
supervise_timer(struct proc *p)
{
	if (PROC_ALIVE(p)) {
		log_warn("event=child-late name=%s pid=%d", p->name,
		    (int)p->pid);
		proc_kill(p);
		return;
	}
	if (down || !p->wanted)
		return;
	if (reload_running()) {
		proc_timer(p, 100);	/* it gets what the reload leaves */
		return;
	}
	if (p->since != 0)
		p->restarts++;
	if (proc_start(p) == -1 && !PROC_ALIVE(p))
		proc_timer(p, delay_of(p));
}

/* --- down --- */

static void
stop_step(void)
{
	struct proc	*p;
	bool		 alive;

	for (; down_phase < PHASES_DOWN; down_phase++) {
		alive = false;
		TAILQ_FOREACH(p, &procs, entry) {
			if (order[p->role].down != down_phase ||
			    !PROC_ALIVE(p))
				continue;
			alive = true;
			if (p->state != PROC_STOPPING)
				proc_stop(p, patience[exit_status != 0]
				    [down_phase]);
		}
		if (alive)
			return;
	}
	parent_exit(exit_status);
}

void
supervise_stop(int status)
{
	if (status != 0)
		exit_status = status;
	if (down)
		return;
	down = true;
	log_notice("event=stopping");
	notify_send("STOPPING=1");
	listeners_close(parent_generation(), NULL);
	stop_step();
}

/* --- Maildir relays of a new generation --- */

bool
supervise_keeps(const struct proc *p, const struct generation *gen)
{
	const struct conf_relay	*relay;

	if (!PROC_MAILDIR(p))
		return true;
	relay = conf_relay_find(gen->conf, p->relay);
	return relay != NULL && relay->kind == CONF_RELAY_MAILDIR &&
	    p->slot == RELAY_MAILDIR_INDEX + relay->index &&
	    strcmp(p->root, relay->maildir) == 0;
}

static void
retire(struct proc *p)
{
	channels_page(p, true);
	p->retired = true;
	p->wanted = false;
	if (PROC_ALIVE(p))
		proc_stop(p, patience[0][1]);
	else
		proc_free(p);
}

static bool
has_place(const struct conf_relay *relay)
{
	const struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (PROC_MAILDIR(p) && !p->retired &&
		    strcmp(p->relay, relay->name) == 0)
			return true;
	return false;
}

void
supervise_maildirs(const struct generation *gen)
{
	const struct conf_relay	*relay;
	struct proc		*p, *next;

	for (p = TAILQ_FIRST(&procs); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (!p->retired && !supervise_keeps(p, gen))
			retire(p);
	}
	TAILQ_FOREACH(relay, &gen->conf->relays, entry)
		if (relay->kind == CONF_RELAY_MAILDIR && !has_place(relay) &&
		    maildir_place(relay, &p) == 0 && proc_start(p) == -1)
			proc_timer(p, delay_of(p));
}
