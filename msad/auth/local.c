/*
 * The local listener: programs of this host submit without a password, as the
 * user that the kernel says they are.
 *
 * Runs in msad-auth. A connection is accepted here, the kernel is asked for
 * the peer's user id, msad for that user's name, the queue for its consent to
 * the grant; then the connection goes to a front-end. So no descriptor and no
 * word of a front-end is ever evidence: it cannot make a local session, only
 * serve one it was given. Session ids have the top bit and this process's
 * epoch, so that they meet neither a front-end's own nor those of an auth that
 * ran before.
 *
 * Names: auth has no name service in its empty root. It asks msad, one
 * question at a time, and keeps the answers of the last NAMES_MAX users for
 * NAME_SECONDS; msad is not handed a copy of the password file to pass on, as
 * users may as well live in a directory.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "common/log.h"
#include "msad/auth/channels.h"
#include "msad/auth/local.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/session.h"

#define CONNS_MAX	64	/* between accept and front-end */
#define ACCEPT_BATCH	16
#define CONN_SECONDS	30
#define REST_SECONDS	1
#define NAMES_MAX	256
#define NAME_SECONDS	60
#define PENDING_MAX	65536	/* owed by a front-end that gets no more */
#define SERIAL_BITS	32

#define BUSY	"421 %.255s 4.3.2 Service not available now; try again " \
		"later\r\n"
#define NO_USER	"554 5.7.1 User id %u has no name on this host; a local " \
		"program submits as the user that runs it\r\n"

/* How an answer of msad reads. */
enum status { USER_FOUND = 0, USER_NONE, USER_UNKNOWN };

struct conn {
	TAILQ_ENTRY(conn)	 entry;
	struct event		 timer;
	int			 fd;
	uid_t			 uid;
	pid_t			 pid;		/* 0: the system does not say */
	char			*user;		/* NULL: waits for its name */
	uint64_t		 epoch;		/* of its front-end */
	uint64_t		 sid;
};

struct name {
	uid_t			 uid;
	enum status		 status;
	time_t			 until;		/* 0: nothing here */
	char			 text[IPC_USER_MAX + 1];
};

static TAILQ_HEAD(, conn)	 conns = TAILQ_HEAD_INITIALIZER(conns);
static unsigned int		 nconns;
static struct name		 names[NAMES_MAX];
static struct ipc		*parent;
static struct event_base	*base;
static struct event		 accepts;
static struct event		 rest;
static int			 listening = -1;
static bool			 started, paused;
static char			*hostname;
static uint64_t			 first_sid, serial;
static bool			 asking;
static uint64_t			 question;

static void	 advance(struct conn *);

/* --- the listening socket --- */

static void
watch(void)
{
	if (started && !paused && listening != -1 && nconns < CONNS_MAX)
		event_add(&accepts, NULL);
}

static void
on_rest(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	paused = false;
	watch();
}

static void
take_rest(void)
{
	static const struct timeval	 tv = { REST_SECONDS, 0 };

	log_warn("event=accept listener=local error=%s",
	    log_q(strerror(errno)));
	paused = true;
	event_del(&accepts);
	event_add(&rest, &tv);
}

/* --- connections --- */

static void
conn_free(struct conn *c)
{
	TAILQ_REMOVE(&conns, c, entry);
	nconns--;
	event_del(&c->timer);
	if (c->fd != -1)
		close(c->fd);
	free(c->user);
	free(c);
	watch();
}

/* The last words to a client that gets no session. */
static void
refuse(struct conn *c, const char *text, const char *reason)
{
	log_notice("event=local-refused uid=%u pid=%d reason=%s",
	    (unsigned int)c->uid, (int)c->pid, log_q(reason));
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		log_debug("event=local-refused error=%s",
		    log_q(strerror(errno)));
	conn_free(c);
}

static void
busy(struct conn *c, const char *reason)
{
	char	 text[512];

	snprintf(text, sizeof(text), BUSY,
	    hostname != NULL ? hostname : "localhost");
	refuse(c, text, reason);
}

static void
nobody(struct conn *c, const char *reason)
{
	char	 text[512];

	snprintf(text, sizeof(text), NO_USER, (unsigned int)c->uid);
	refuse(c, text, reason);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	(void)what;
	busy(c, c->user == NULL ? "msad did not tell the name in time" :
	    "the queue did not answer in time");
}

static int
credentials(int fd, uid_t *uid, pid_t *pid)
{
#ifdef HAVE_SO_PEERCRED
	struct ucred	 cred;
	socklen_t	 len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 ||
	    len != sizeof(cred))
		return -1;
	*uid = cred.uid;
	*pid = cred.pid;
	return 0;
#else
	gid_t		 gid;

	*pid = 0;
	return getpeereid(fd, uid, &gid);
#endif
}

static void
conn_new(int fd)
{
	static const struct timeval	 tv = { CONN_SECONDS, 0 };
	struct conn			*c;
	uid_t				 uid;
	pid_t				 pid;

	if (credentials(fd, &uid, &pid) == -1 ||
	    (c = calloc(1, sizeof(*c))) == NULL) {
		log_warn("event=local-refused reason=%s",
		    log_q(strerror(errno)));
		close(fd);
		return;
	}
	c->fd = fd;
	c->uid = uid;
	c->pid = pid;
	event_assign(&c->timer, base, -1, 0, on_timer, c);
	event_add(&c->timer, &tv);
	TAILQ_INSERT_TAIL(&conns, c, entry);
	if (++nconns == CONNS_MAX)
		event_del(&accepts);	/* until one has gone its way */
	advance(c);
}

static void
on_accept(int lfd, short what, void *arg)
{
	int	 i, fd;

	(void)what;
	(void)arg;
	for (i = 0; i < ACCEPT_BATCH && nconns < CONNS_MAX; i++) {
		fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			conn_new(fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			take_rest();
		return;
	}
}

/* --- names --- */

static time_t
now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + 1;	/* never 0 */
}

/* The place of a user's name; another user may be in it. */
static struct name *
place(uid_t uid)
{
	return &names[uid % NAMES_MAX];
}

static const struct name *
name_find(uid_t uid)
{
	const struct name	*n = place(uid);

	return n->until > now() && n->uid == uid ? n : NULL;
}

/* Ask for the first name that is wanted, unless an answer is due. */
static void
ask(void)
{
	const struct conn	*c;

	if (asking || parent == NULL)
		return;
	TAILQ_FOREACH(c, &conns, entry)
		if (c->user == NULL)
			break;
	if (c == NULL)
		return;
	asking = true;
	ipc_start(parent, IPC_USER_ASK, ++question);
	ipc_put_u32(parent, (uint32_t)c->uid);
	ipc_send(parent);
}

static int
on_user_name(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 text;
	struct conn		*c, *next;
	struct name		*n;
	uint32_t		 uid;
	uint8_t			 status;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	uid = ipc_get_u32(&r);
	status = ipc_get_u8(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r) || status > USER_UNKNOWN || !asking ||
	    msg->sid != question || text.len > IPC_USER_MAX)
		return -1;
	asking = false;
	n = place((uid_t)uid);
	n->uid = (uid_t)uid;
	n->status = status;
	/* a name service that is down is asked again by the next connection */
	n->until = now() + (status == USER_UNKNOWN ? 1 : NAME_SECONDS);
	memcpy(n->text, text.p, text.len);
	n->text[text.len] = '\0';
	if (status == USER_FOUND && !sasl_name_ok(text))
		n->status = USER_NONE;
	for (c = TAILQ_FIRST(&conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->user == NULL && c->uid == (uid_t)uid)
			advance(c);
	}
	ask();
	return 0;
}

const struct ipc_handler local_handlers[] = {
	{ IPC_USER_NAME, on_user_name },
	{ 0, NULL }
};

/* --- the grant --- */

static void
send_grant(struct conn *c)
{
	struct ipc	*queue = channels_to_queue();
	struct frontend	*f = channels_next_frontend();

	if (queue == NULL || f == NULL || ipc_pending(f->ch) > PENDING_MAX ||
	    serial >> SERIAL_BITS != 0) {
		busy(c, queue == NULL ? "no queue" : f == NULL ?
		    "no front-end" : "the front-end is busy");
		return;
	}
	c->epoch = f->epoch;
	c->sid = first_sid | serial++;
	ipc_start(queue, IPC_GRANT, c->sid);
	ipc_put_u64(queue, c->epoch);
	ipc_put_str(queue, c->user);
	ipc_put_str(queue, "");		/* in no tenant */
	ipc_put_str(queue, "");
	ipc_put_str(queue, "LOCAL");
	ipc_put_u16(queue, IPC_LISTENER_LOCAL);
	ipc_put_str(queue, "local");
	ipc_put_u16(queue, 0);
	ipc_put_str(queue, "");		/* the hostname stands for it */
	ipc_put_u8(queue, 0);
	ipc_put_str(queue, "");
	ipc_put_u16(queue, 0);
	ipc_put_u16(queue, 0);
	ipc_put_u32(queue, 0);
	ipc_put_u64(queue, 0);
	ipc_send(queue);
}

/* The name is known, or can be asked for. */
static void
advance(struct conn *c)
{
	const struct name	*n = name_find(c->uid);

	if (n == NULL) {
		ask();
		return;
	}
	switch (n->status) {
	case USER_FOUND:
		if ((c->user = strdup(n->text)) == NULL)
			busy(c, "out of memory");
		else
			send_grant(c);
		break;
	case USER_NONE:
		nobody(c, "no such user, or a name that is not fit");
		break;
	case USER_UNKNOWN:
		busy(c, "the name service does not answer");
		break;
	}
}

static struct conn *
conn_find(uint64_t epoch, uint64_t sid)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &conns, entry)
		if (c->user != NULL && c->epoch == epoch && c->sid == sid)
			return c;
	return NULL;
}

static void
grant_revoke(uint64_t epoch, uint64_t sid)
{
	struct ipc	*queue = channels_to_queue();

	if (queue == NULL)
		return;
	ipc_start(queue, IPC_GRANT_REVOKE, sid);
	ipc_put_u64(queue, epoch);
	ipc_send(queue);
}

void
local_granted(uint64_t epoch, uint64_t sid, bool taken)
{
	struct frontend	*f = channels_find_frontend(epoch);
	struct conn	*c = conn_find(epoch, sid);

	if (c == NULL || f == NULL) {
		if (taken)	/* its connection did not wait for it */
			grant_revoke(epoch, sid);
		return;
	}
	if (!taken) {
		busy(c, "the queue did not take the grant");
		return;
	}
	log_info("s=%llx-%llx event=local-open user=%s uid=%u pid=%d",
	    (unsigned long long)epoch, (unsigned long long)sid,
	    log_q(c->user), (unsigned int)c->uid, (int)c->pid);
	ipc_start(f->ch, IPC_SESSION_LOCAL, sid);
	ipc_put_str(f->ch, c->user);
	ipc_put_u32(f->ch, (uint32_t)c->uid);
	ipc_put_u32(f->ch, (uint32_t)c->pid);
	ipc_send_fd(f->ch, c->fd);
	c->fd = -1;
	conn_free(c);
}

void
local_frontend_gone(uint64_t epoch)
{
	struct conn	*c, *next;

	for (c = TAILQ_FIRST(&conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->user != NULL && c->epoch == epoch)
			send_grant(c);	/* the old one went with it */
	}
}

void
local_queue_gone(void)
{
	struct conn	*c, *next;

	for (c = TAILQ_FIRST(&conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->user != NULL)
			busy(c, "the queue is gone");
	}
}

/* --- life --- */

void
local_init(struct ipc *msad, struct event_base *loop, uint64_t epoch)
{
	parent = msad;
	base = loop;
	first_sid = IPC_SID_LOCAL |
	    (epoch & 0x7fffffff) << SERIAL_BITS;
	serial = 1;
	event_assign(&rest, base, -1, 0, on_rest, NULL);
}

int
local_hostname(const char *name)
{
	char	*copy;

	if ((copy = strdup(name)) == NULL)
		return -1;
	free(hostname);
	hostname = copy;
	return 0;
}

void
local_unlisten(void)
{
	if (listening == -1)
		return;
	event_del(&accepts);
	close(listening);
	listening = -1;
}

void
local_listen(int fd)
{
	local_unlisten();
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	listening = fd;
	event_assign(&accepts, base, fd, EV_READ | EV_PERSIST, on_accept,
	    NULL);
	watch();
}

void
local_start(void)
{
	started = true;
	watch();
}

void
local_stop(void)
{
	struct conn	*c;

	started = false;
	local_unlisten();
	event_del(&rest);
	while ((c = TAILQ_FIRST(&conns)) != NULL)
		busy(c, "shutting down");
	parent = NULL;
	asking = false;
}
