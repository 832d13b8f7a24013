/*
 * The start, the configuration and the end of every child of msad, once for
 * all of them. Linked into each child program; see child.h for what a child
 * supplies. Trusts msad, which it talks to on descriptor 3, and nobody else.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <event.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#ifdef HAVE_PRCTL
#include <sys/prctl.h>
#endif

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/stats.h"

#define PARENT_FD	3
#define INIT_WAIT_MS	30000
#define CONF_TEXT_MAX	(16 * 1024 * 1024)

static const struct child	*self;
static struct event_base	*base;
static struct ipc		*parent;
static struct conf		*current, *pending;
static uint32_t			 pending_generation;
static int			 exit_status;

/* What PROC_INIT said. */
static struct {
	uint32_t	 index;
	uint64_t	 epoch;
	uid_t		 uid;
	gid_t		 gid;
	uint8_t		 flags;
	char		 root[1024];
	int		 done;
} start;

struct conf *
child_conf(void)
{
	return current;
}

uint32_t
child_index(void)
{
	return start.index;
}

uint64_t
child_epoch(void)
{
	return start.epoch;
}

uint8_t
child_flags(void)
{
	return start.flags;
}

struct ipc *
child_parent(void)
{
	return parent;
}

struct event_base *
child_base(void)
{
	return base;
}

void
child_exit(int status)
{
	exit_status = status;
	event_base_loopbreak(base);
}

void
child_condemn(struct ipc *ch)
{
	if (parent == NULL)
		return;
	ipc_start(parent, IPC_PROC_CONDEMN, 0);
	ipc_put_u8(parent, (uint8_t)ipc_peer(ch));
	ipc_put_u64(parent, ipc_peer_epoch(ch));
	ipc_send(parent);
}

static int
on_init(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	char			 name[64];
	uint8_t			 level, to_stderr;

	(void)ch;
	(void)arg;
	if (start.done)
		return -1;
	ipc_reader(&r, msg);
	start.index = ipc_get_u32(&r);
	start.epoch = ipc_get_u64(&r);
	start.uid = ipc_get_u32(&r);
	start.gid = ipc_get_u32(&r);
	level = ipc_get_u8(&r);
	to_stderr = ipc_get_u8(&r);
	start.flags = ipc_get_u8(&r);
	ipc_copy_str(&r, start.root, sizeof(start.root));
	if (!ipc_done(&r))
		return -1;
	snprintf(name, sizeof(name), "%s[%u]", self->name, start.index);
	log_init(name, to_stderr);
	log_set_level(level);
	if (stats_map(msg->fd) == -1)
		log_warn("event=stats-map error=%s", log_q(strerror(errno)));
	start.done = 1;
	return 0;
}

static int
on_syslog(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	log_set_syslog(ipc_take_fd(msg));
	return 0;
}

static int
on_loglevel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint8_t			 level;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	level = ipc_get_u8(&r);
	if (!ipc_done(&r))
		return -1;
	log_set_level(level);
	return 0;
}

/* --- configuration --- */

static void
refuse(uint32_t generation, const char *reason)
{
	char	 cut[1024];

	strlcpy(cut, reason, sizeof(cut));
	ipc_start(parent, IPC_PROC_CONF_REFUSED, 0);
	ipc_put_u32(parent, generation);
	ipc_put_str(parent, cut);
	ipc_send(parent);
}

static struct conf *
parse_fd(int fd, char **errors)
{
	struct stat	 st;
	struct conf	*conf = NULL;
	size_t		 n = 0;
	FILE		*out;
	char		*text;

	*errors = NULL;
	if (fstat(fd, &st) == -1 || st.st_size <= 0 ||
	    st.st_size > CONF_TEXT_MAX)
		return NULL;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return NULL;
	if ((out = open_memstream(errors, &n)) != NULL) {
		conf = conf_parse_text(text, (size_t)st.st_size, "canonical",
		    out);
		fclose(out);
	}
	munmap(text, (size_t)st.st_size);
	return conf;
}

static int
on_prepare(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint32_t		 generation;
	char			*errors;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	conf_free(pending);
	pending = parse_fd(msg->fd, &errors);
	pending_generation = generation;
	if (pending == NULL)
		refuse(generation, errors != NULL && *errors != '\0' ?
		    errors : "canonical text cannot be read");
	free(errors);
	return 0;
}

static int
on_file(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 name;
	uint32_t		 generation;
	uint8_t			 kind;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	kind = ipc_get_u8(&r);
	name = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (self->conf_file == NULL)
		return 0;
	return self->conf_file(generation, kind, name, ipc_take_fd(msg));
}

/* The generation of a message that has nothing else; -1: malformed. */
static int
generation_of(struct ipc_msg *msg, uint32_t *generation)
{
	struct ipc_reader	 r;

	ipc_reader(&r, msg);
	*generation = ipc_get_u32(&r);
	return ipc_done(&r) ? 0 : -1;
}

static int
on_check(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	char		 reason[1024] = "refused";
	uint32_t	 generation;

	(void)arg;
	if (generation_of(msg, &generation) == -1)
		return -1;
	if (pending == NULL || generation != pending_generation)
		return 0;	/* refused at PREPARE */
	if (self->conf_check != NULL && self->conf_check(pending, generation,
	    reason, sizeof(reason)) == -1) {
		refuse(generation, reason);
		return 0;
	}
	ipc_start(ch, IPC_PROC_CONF_READY, 0);
	ipc_put_u32(ch, generation);
	ipc_send(ch);
	return 0;
}

static int
on_commit(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct conf	*old = current;
	uint32_t	 generation;

	(void)ch;
	(void)arg;
	if (generation_of(msg, &generation) == -1)
		return -1;
	if (pending == NULL || generation != pending_generation)
		return -1;
	current = pending;
	pending = NULL;
	if (self->conf_commit != NULL)
		self->conf_commit(current, generation);
	conf_free(old);
	return 0;
}

static int
on_abort(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	uint32_t	 generation;

	(void)ch;
	(void)arg;
	if (generation_of(msg, &generation) == -1)
		return -1;
	conf_free(pending);
	pending = NULL;
	if (self->conf_abort != NULL)
		self->conf_abort(generation);
	return 0;
}

/* --- descriptors and life --- */

static int
on_channel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 name;
	uint64_t		 epoch;
	uint32_t		 index;
	uint8_t			 peer;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	peer = ipc_get_u8(&r);
	index = ipc_get_u32(&r);
	epoch = ipc_get_u64(&r);
	name = ipc_get_str(&r);
	if (!ipc_done(&r) || peer == ROLE_PARENT || peer >= ROLE_MAX ||
	    self->channel == NULL)
		return -1;
	return self->channel(peer, index, epoch, name, ipc_take_fd(msg));
}

static int
on_listener(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint32_t		 generation;
	uint16_t		 index;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	generation = ipc_get_u32(&r);
	index = ipc_get_u16(&r);
	if (!ipc_done(&r) || self->listener == NULL)
		return -1;
	self->listener(generation, index, ipc_take_fd(msg));
	return 0;
}

static int
on_start(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	if (self->start != NULL)
		self->start();
	ipc_send_empty(ch, IPC_PROC_STARTED, 0);
	return 0;
}

static int
on_shutdown(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint16_t		 seconds;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	seconds = ipc_get_u16(&r);
	if (!ipc_done(&r))
		return -1;
	if (self->shutdown != NULL)
		self->shutdown(seconds);
	else
		child_exit(0);
	return 0;
}

/* msad is gone: nobody would start our peers again, so end. */
static void
on_parent_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)arg;
	log_warn("event=parent-gone end=%d", (int)end);
	child_exit(1);
}

static const struct ipc_handler base_handlers[] = {
	{ IPC_PROC_INIT, on_init },
	{ IPC_PROC_SYSLOG, on_syslog },
	{ IPC_PROC_LOGLEVEL, on_loglevel },
	{ IPC_PROC_CONF_PREPARE, on_prepare },
	{ IPC_PROC_FILE, on_file },
	{ IPC_PROC_CONF_CHECK, on_check },
	{ IPC_PROC_CONF_COMMIT, on_commit },
	{ IPC_PROC_CONF_ABORT, on_abort },
	{ IPC_PROC_CHANNEL, on_channel },
	{ IPC_PROC_LISTENER, on_listener },
	{ IPC_PROC_START, on_start },
	{ IPC_PROC_SHUTDOWN, on_shutdown },
};
#define NBASE	(sizeof(base_handlers) / sizeof(base_handlers[0]))
#define NOWN	8

/* The table every child has, and behind it what this child adds. */
static const struct ipc_handler *
all_handlers(void)
{
	static struct ipc_handler	 all[NBASE + NOWN + 1];
	const struct ipc_handler	*h;
	size_t				 n = NBASE;

	memcpy(all, base_handlers, sizeof(base_handlers));
	for (h = self->handlers; h != NULL && h->type != 0; h++) {
		if (n == NBASE + NOWN)
			fatal("event=start error=\"too many handlers\"");
		all[n++] = *h;
	}
	return all;
}

static void
drop_privileges(void)
{
	if (start.uid == 0) {
		if (chdir("/") == -1)
			fatal("event=start error=\"chdir: %s\"",
			    strerror(errno));
		return;
	}
	if (chroot(start.root) == -1 || chdir("/") == -1)
		fatal("event=start error=\"chroot %s: %s\"", start.root,
		    strerror(errno));
	if (setgroups(1, &start.gid) == -1 ||
	    setresgid(start.gid, start.gid, start.gid) == -1 ||
	    setresuid(start.uid, start.uid, start.uid) == -1)
		fatal("event=start error=\"change user: %s\"",
		    strerror(errno));
}

static void
no_core(void)
{
	struct rlimit	 rl = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		fatal("event=start error=\"no core: %s\"", strerror(errno));
#ifdef HAVE_PRCTL
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		fatal("event=start error=\"dumpable: %s\"", strerror(errno));
#endif
}

static void
own_signals(void)
{
	/* Terminal signals are for msad, which ends us in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void
lock_in(void)
{
	const char		*reason = "unknown";
	enum sandbox_extra	 extra = SANDBOX_PLAIN;

	if (start.flags & INIT_MAILDIR)
		extra = SANDBOX_MAILDIR;
	if (sandbox_apply(self->role, extra, &reason) == -1)
		fatal("event=start error=\"sandbox: %s\"", reason);
}

int
child_main(const struct child *child, int argc, char **argv)
{
	(void)argv;
	self = child;
	log_init(child->name, 1);
	if (argc != 1)
		fatal("event=start error=\"to be started by msad alone\"");
	no_core();
	own_signals();
	tzset();
	umask(077);
	if ((base = event_base_new()) == NULL)
		fatal("event=start error=\"no event loop\"");
	ipc_init(base);
	parent = ipc_new(PARENT_FD, child->role, ROLE_PARENT, all_handlers(),
	    on_parent_closed, NULL);
	if (parent == NULL)
		fatal("event=start error=\"out of memory\"");
	if (ipc_wait(parent, IPC_PROC_INIT, INIT_WAIT_MS) != 1 || !start.done)
		fatal("event=start error=\"no PROC_INIT on descriptor 3\"");
	drop_privileges();
	no_core();	/* changing the user may have reset it */
	if (child->early != NULL && child->early() == -1)
		fatal("event=start error=\"early start\"");
	lock_in();
	if (child->init != NULL && child->init() == -1)
		fatal("event=start error=\"start\"");
	event_base_dispatch(base);
	if (parent != NULL)
		ipc_flush(parent, 100);
	return exit_status;
}
