/*
 * A child of msad: its place, fork and exec, and the messages that bring it up.
 *
 * Every process is a program of its own, started with descriptor 3 (its channel
 * to msad), the standard ones, and a clean environment. All else comes over
 * that channel, at the first start as at each restart:
 * PROC_SYSLOG, PROC_INIT, PROC_CONF_PREPARE, PROC_FILE..., PROC_CONF_CHECK;
 * once it answered READY: PROC_CONF_COMMIT, PROC_LISTENER..., PROC_CHANNEL...,
 * PROC_START. Nothing is taken from a child but what handlers.c reads.
 */

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "common/conf.h"
#include "common/counts.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/parent/files.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

/* A child that leaves this much unread is no use: it is killed. */
#define PENDING_MAX	(4 * 1024 * 1024)
#define START_MS	30000	/* for all but the queue, which recovers */
#define EXIT_MS		2000	/* from a closed channel to the end */

struct proc_list	 procs = TAILQ_HEAD_INITIALIZER(procs);

static uint64_t		 last_epoch;
static uint32_t		 last_pam;
static int		 control_fd = -1;
static int		 own_page = -1;
static int		 counts = -1;	/* of the front-ends */

int
process_init(int control)
{
	struct timespec	 ts;

	control_fd = control;
	clock_gettime(CLOCK_REALTIME, &ts);
	last_epoch = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if ((counts = counts_create()) == -1)
		return -1;
	if ((own_page = stats_create()) == -1)
		return -1;
	return stats_map(own_page);
}

int
process_page(void)
{
	return own_page;
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	supervise_timer(arg);
}

void
proc_timer(struct proc *p, int64_t ms)
{
	struct timeval	 tv;

	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	event_add(&p->timer, &tv);
}

static void
set_name(struct proc *p)
{
	snprintf(p->name, sizeof(p->name), "%s[%u]", ipc_role_name(p->role),
	    p->index);
}

struct proc *
proc_new(enum ipc_role role, uint32_t slot, const char *relay,
    const char *root)
{
	struct proc	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->role = role;
	p->slot = p->index = slot;
	p->wanted = true;
	p->page = stats_create();
	p->root = strdup(root != NULL ? root : MSAD_EMPTY);
	if (relay != NULL)
		p->relay = strdup(relay);
	if (p->page == -1 || p->root == NULL ||
	    (relay != NULL && p->relay == NULL)) {
		log_err("event=process-new role=%s error=%s",
		    ipc_role_name(role), log_q(strerror(errno)));
		if (p->page != -1)
			close(p->page);
		free(p->root);
		free(p->relay);
		free(p);
		return NULL;
	}
	set_name(p);
	event_assign(&p->timer, parent_base(), -1, 0, on_timer, p);
	TAILQ_INSERT_TAIL(&procs, p, entry);
	channels_page(p, false);
	return p;
}

void
proc_free(struct proc *p)
{
	if (!p->retired)	/* else taken back before, see retire() */
		channels_page(p, true);
	TAILQ_REMOVE(&procs, p, entry);
	event_del(&p->timer);
	ipc_free(p->ch);
	close(p->page);
	free(p->root);
	free(p->relay);
	free(p);
}

struct proc *
proc_by_pid(pid_t pid)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (p->pid == pid)
			return p;
	return NULL;
}

struct proc *
proc_of_role(enum ipc_role role)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (p->role == role)
			return p;
	return NULL;
}

/* --- fork and exec --- */

/* "NAME=VALUE" of our own environment, or the default. */
static char *
environment(const char *name, const char *otherwise)
{
	const char	*value = getenv(name);
	char		*s;

	if (value == NULL)
		value = otherwise;
	if (value == NULL || asprintf(&s, "%s=%s", name, value) == -1)
		return NULL;
	return s;
}

/* Between fork and exec; never returns. */
static void __attribute__((__noreturn__))
run(const struct proc *p, const char *path, char *const env[], int fd)
{
	char		 title[64];
	char		*argv[] = { title, NULL };
	sigset_t	 none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* a signal to our group is for msad alone, which ends us in order */
	setpgid(0, 0);
	snprintf(title, sizeof(title), "msad: %s", p->name);
	if (fd == 3) {
		if (fcntl(fd, F_SETFD, 0) == -1)
			_exit(126);
	} else if (dup2(fd, 3) == -1)
		_exit(126);
	closefrom(4);
	execve(path, argv, env);
	_exit(127);
}

static pid_t
spawn(const struct proc *p, int fd)
{
	char	*env[8] = { NULL }, path[1024];
	size_t	 n = 0;
	pid_t	 pid;

	if ((size_t)snprintf(path, sizeof(path), "%s/msad-%s", options.libexec,
	    ipc_role_name(p->role)) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	env[n++] = (char[]){ "PATH=/usr/bin:/bin:/usr/sbin:/sbin" };
	/* named, the C library does not look for it at each conversion */
	if ((env[n] = environment("TZ", ":/etc/localtime")) != NULL)
		n++;
#ifdef __SANITIZE_ADDRESS__
	if ((env[n] = environment("ASAN_OPTIONS", NULL)) != NULL)
		n++;
	if ((env[n] = environment("UBSAN_OPTIONS", NULL)) != NULL)
		n++;
#endif
	if ((pid = fork()) == 0)
		run(p, path, env, fd);
	while (n > 1)
		free(env[--n]);
	return pid;
}

/* --- messages --- */

static uint8_t
level_of(void)
{
	return (uint8_t)log_level();
}

static int
send_init(struct proc *p)
{
	int	 page = fcntl(p->page, F_DUPFD_CLOEXEC, 4);

	if (page == -1)
		return -1;
	ipc_start(p->ch, IPC_PROC_INIT, 0);
	ipc_put_u32(p->ch, p->index);
	ipc_put_u64(p->ch, p->epoch);
	ipc_put_u32(p->ch, users_uid(p->role));
	ipc_put_u32(p->ch, users_gid(p->role));
	ipc_put_u8(p->ch, level_of());
	ipc_put_u8(p->ch, options.debug);
	ipc_put_u8(p->ch, PROC_MAILDIR(p) ? INIT_MAILDIR : 0);
	ipc_put_str(p->ch, p->root);
	ipc_send_fd(p->ch, page);
	return 0;
}

void
proc_send_syslog(struct proc *p)
{
	int	 fd;

	if (options.debug || (fd = syslog_open()) == -1)
		return;
	ipc_start(p->ch, IPC_PROC_SYSLOG, 0);
	ipc_send_fd(p->ch, fd);
}

void
proc_send_loglevel(struct proc *p, int level)
{
	ipc_start(p->ch, IPC_PROC_LOGLEVEL, 0);
	ipc_put_u8(p->ch, (uint8_t)level);
	ipc_send(p->ch);
}

static void
send_generation(struct proc *p, unsigned int type, uint32_t generation)
{
	ipc_start(p->ch, type, 0);
	ipc_put_u32(p->ch, generation);
	ipc_send(p->ch);
}

static int
send_file(struct proc *p, const struct generation *gen, const struct file *f)
{
	int	 fd;

	if ((fd = files_reopen(f)) == -1) {
		log_err("event=file path=%s error=%s", log_q(f->path),
		    log_q(strerror(errno)));
		return -1;
	}
	ipc_start(p->ch, IPC_PROC_FILE, 0);
	ipc_put_u32(p->ch, gen->number);
	ipc_put_u8(p->ch, (uint8_t)f->kind);
	ipc_put_str(p->ch, f->name);
	ipc_send_fd(p->ch, fd);
	return 0;
}

/* The counts of connections, the same file whatever the generation. */
static int
send_counts(struct proc *p, const struct generation *gen)
{
	int	 fd;

	if ((fd = fcntl(counts, F_DUPFD_CLOEXEC, 4)) == -1)
		return -1;
	ipc_start(p->ch, IPC_PROC_FILE, 0);
	ipc_put_u32(p->ch, gen->number);
	ipc_put_u8(p->ch, FILE_COUNTS);
	ipc_put_str(p->ch, "");
	ipc_send_fd(p->ch, fd);
	return 0;
}

int
proc_send_prepare(struct proc *p, const struct generation *gen)
{
	const struct file	*f;
	int			 fd;

	if ((fd = files_text(gen)) == -1)
		return -1;
	ipc_start(p->ch, IPC_PROC_CONF_PREPARE, 0);
	ipc_put_u32(p->ch, gen->number);
	ipc_send_fd(p->ch, fd);
	if (p->role == ROLE_FRONTEND && send_counts(p, gen) == -1)
		return -1;
	TAILQ_FOREACH(f, &gen->files, entry)
		if (f->role == p->role && !PROC_MAILDIR(p) &&
		    send_file(p, gen, f) == -1)
			return -1;
	send_generation(p, IPC_PROC_CONF_CHECK, gen->number);
	return 0;
}

void
proc_send_commit(struct proc *p, uint32_t generation)
{
	send_generation(p, IPC_PROC_CONF_COMMIT, generation);
}

void
proc_send_abort(struct proc *p, uint32_t generation)
{
	send_generation(p, IPC_PROC_CONF_ABORT, generation);
}

static int
send_listener(struct proc *p, uint32_t generation, uint16_t index, int fd)
{
	if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 4)) == -1)
		return -1;
	ipc_start(p->ch, IPC_PROC_LISTENER, 0);
	ipc_put_u32(p->ch, generation);
	ipc_put_u16(p->ch, index);
	ipc_send_fd(p->ch, fd);
	return 0;
}

int
proc_send_listeners(struct proc *p, const struct generation *gen)
{
	const struct listener	*l;

	if (p->role == ROLE_CONTROL)
		return send_listener(p, gen->number, 0, control_fd);
	if (p->role != ROLE_FRONTEND && p->role != ROLE_AUTH)
		return 0;
	/* the local socket is auth's alone */
	TAILQ_FOREACH(l, &gen->listeners, entry)
		if ((l->path != NULL) == (p->role == ROLE_AUTH) &&
		    send_listener(p, gen->number, l->index, l->fd) == -1)
			return -1;
	return 0;
}

bool
proc_writable(struct proc *p)
{
	if (p->ch == NULL || p->condemned)
		return false;
	if (ipc_pending(p->ch) <= PENDING_MAX)
		return true;
	log_warn("event=child-stuck name=%s pending=%zu", p->name,
	    ipc_pending(p->ch));
	proc_kill(p);
	return false;
}

/* --- life --- */

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct proc	*p = arg;

	ipc_free(ch);
	p->ch = NULL;
	if (end == IPC_VIOLATION) {
		log_err("event=child-violation name=%s pid=%d", p->name,
		    (int)p->pid);
		proc_kill(p);
	} else if (PROC_ALIVE(p))
		proc_timer(p, EXIT_MS);	/* its death is near, or is made */
}

/* Open the channel and start the program; the place has a process then. */
static int
launch(struct proc *p)
{
	int	 sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    sv) == -1)
		return -1;
	p->pid = spawn(p, sv[1]);
	close(sv[1]);
	if (p->pid == -1) {
		p->pid = 0;
		close(sv[0]);
		return -1;
	}
	p->ch = ipc_new(sv[0], ROLE_PARENT, p->role, handlers_of(p), on_closed,
	    p);
	if (p->ch == NULL) {
		close(sv[0]);
		proc_kill(p);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

int
proc_start(struct proc *p)
{
	const struct generation	*gen = parent_generation();

	if (p->role == ROLE_PAM) {
		p->index = last_pam++;
		set_name(p);
	}
	p->epoch = ++last_epoch;
	p->generation = gen->number;
	p->excused = p->condemned = false;
	if (launch(p) == -1) {
		log_err("event=child-start name=%s error=%s", p->name,
		    log_q(strerror(errno)));
		return -1;
	}
	p->state = PROC_CHECKING;
	p->since = time(NULL);
	stats_inc(STAT_PROC_STARTED);
	ipc_set_peer(p->ch, p->index, p->epoch);
	if (p->role != ROLE_QUEUE)
		proc_timer(p, START_MS);
	proc_send_syslog(p);	/* first, so that what fails is logged */
	if (send_init(p) == -1 || proc_send_prepare(p, gen) == -1) {
		log_err("event=child-start name=%s error=%s", p->name,
		    log_q(strerror(errno)));
		proc_kill(p);
	}
	log_debug("event=child-start name=%s pid=%d", p->name, (int)p->pid);
	return 0;
}

void
proc_link(struct proc *p)
{
	proc_send_commit(p, p->generation);
	p->state = PROC_STARTING;
	if (proc_send_listeners(p, parent_generation()) == -1 ||
	    channels_link(p) == -1) {
		log_err("event=child-start name=%s error=%s", p->name,
		    log_q(strerror(errno)));
		proc_kill(p);
		return;
	}
	ipc_send_empty(p->ch, IPC_PROC_START, 0);
}

/* A gauge counts what is there now; the dead process has nothing. */
static void
reset_gauges(const struct proc *p)
{
	uint64_t	*page;
	int		 i;

	page = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	    p->page, 0);
	if (page == MAP_FAILED)
		return;
	for (i = 0; i < STAT_MAX; i++)
		if (stats_is_gauge(i))
			page[i] = 0;
	munmap(page, STATS_PAGE_SIZE);
}

void
proc_gone(struct proc *p)
{
	ipc_free(p->ch);
	p->ch = NULL;
	p->pid = 0;
	p->state = PROC_DOWN;
	p->asked = false;
	event_del(&p->timer);
	reset_gauges(p);
	if (p->role == ROLE_FRONTEND)
		counts_clear(counts, p->slot);
}

void
proc_stop(struct proc *p, unsigned int seconds)
{
	enum proc_state	 was = p->state;

	p->state = PROC_STOPPING;
	proc_timer(p, (int64_t)seconds * 1000 + EXIT_MS);
	if (was != PROC_RUNNING || !proc_writable(p)) {
		kill(p->pid, SIGTERM);
		return;
	}
	ipc_start(p->ch, IPC_PROC_SHUTDOWN, 0);
	ipc_put_u16(p->ch, (uint16_t)seconds);
	ipc_send(p->ch);
}

void
proc_kill(struct proc *p)
{
	p->condemned = true;
	if (!PROC_ALIVE(p))
		return;
	/* what a PAM module started, and waits for, is in the worker's group */
	if (p->role == ROLE_PAM)
		kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
}
