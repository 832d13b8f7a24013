/*
 * Listening sockets and the settings that go with them. Part of the
 * front-end. msad opens the sockets and hands them over by their place in the
 * configuration; here is the accept loop, bounded in each round, and what a
 * reload does: a new generation is prepared beside the current one, sessions
 * keep the settings they began with.
 *
 * When descriptors run out the sockets rest for a moment instead of spinning.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "msad/frontend/arrival.h"
#include "msad/frontend/listener.h"
#include "msad/frontend/session.h"
#include "msad/frontend/tls.h"

#define ACCEPT_BATCH	32
#define REST_SECONDS	1
#define SESSIONS_MAX	10000
#define LOCAL_USER_MAX	1000	/* sessions of one local user */
#define FDS_RESERVED	64
#define PEM_MAX		1048576

struct pki_file {
	TAILQ_ENTRY(pki_file)	 entry;
	uint32_t		 generation;
	char			*name;
	enum ipc_file		 kind;
	char			*pem;
	size_t			 len;
};

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	struct settings		*set;
	struct event		 ev;
	int			 fd;
};

struct generation {
	uint32_t		 number;
	struct settings		**sets;
	size_t			 n;
	struct settings		*local;	/* of sessions that auth passes */
};

static TAILQ_HEAD(, pki_file)	 files = TAILQ_HEAD_INITIALIZER(files);
static TAILQ_HEAD(, listener)	 listeners = TAILQ_HEAD_INITIALIZER(listeners);
static struct generation	 current, pending;
static struct event		 rest;
static bool			 started, resting;
static unsigned int		 sessions_max = SESSIONS_MAX;
static int			 spare = -1;	/* a descriptor for later */

/* --- settings --- */

struct settings *
settings_ref(struct settings *set)
{
	set->refs++;
	return set;
}

void
settings_unref(struct settings *set)
{
	if (set == NULL || --set->refs > 0)
		return;
	tls_free(set->tls);
	client_cas_free(set->cas);
	free(set->host);
	free(set);
}

static void
generation_free(struct generation *g)
{
	size_t	i;

	for (i = 0; i < g->n; i++)
		settings_unref(g->sets[i]);
	free(g->sets);
	settings_unref(g->local);
	memset(g, 0, sizeof(*g));
}

/* --- certificates --- */

static void
file_free(struct pki_file *f)
{
	free(f->name);
	free(f->pem);
	free(f);
}

/* Read the whole of a certificate file. */
static char *
read_pem(int fd, size_t *len)
{
	struct stat	 st;
	char		*buf;
	ssize_t		 n;

	*len = 0;
	if (fstat(fd, &st) == -1 || st.st_size <= 0 || st.st_size > PEM_MAX ||
	    (buf = malloc((size_t)st.st_size)) == NULL)
		return NULL;
	while (*len < (size_t)st.st_size) {
		n = pread(fd, buf + *len, (size_t)st.st_size - *len,
		    (off_t)*len);
		if (n <= 0)
			break;
		*len += (size_t)n;
	}
	if (*len == (size_t)st.st_size)
		return buf;
	free(buf);
	return NULL;
}

int
listener_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	struct pki_file	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL) {
		close(fd);
		return 0;	/* found missing at the check */
	}
	f->generation = generation;
	f->kind = kind;
	f->name = strndup(name.p, name.len);
	f->pem = read_pem(fd, &f->len);
	close(fd);
	if (f->name == NULL || f->pem == NULL) {
		log_warn("event=certificate pki=%s error=\"cannot be read\"",
		    log_qn(name.p, name.len));
		file_free(f);
	} else
		TAILQ_INSERT_TAIL(&files, f, entry);
	return 0;
}

static struct pki_file *
file_find(uint32_t generation, enum ipc_file kind, const char *name)
{
	struct pki_file	*f;

	TAILQ_FOREACH(f, &files, entry)
		if (f->generation == generation && f->kind == kind &&
		    strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void
files_drop(void)
{
	struct pki_file	*f;

	while ((f = TAILQ_FIRST(&files)) != NULL) {
		TAILQ_REMOVE(&files, f, entry);
		file_free(f);
	}
}

/* --- generations --- */

static struct settings *
settings_new(const struct conf *conf, const struct conf_listener *l,
    uint32_t generation, char *reason, size_t size)
{
	struct conf_auth	*auth = conf_auth_find(conf, l->auth);
	struct pki_file		*f = file_find(generation, FILE_PKI_CERT,
				     l->pki);
	struct settings		*set;
	char			 why[256];

	if (f == NULL || auth == NULL) {
		snprintf(reason, size, "listener %u: no certificate \"%s\" "
		    "that can be read", l->index, l->pki);
		return NULL;
	}
	if ((set = calloc(1, sizeof(*set))) == NULL ||
	    (set->host = strdup(conf->hostname)) == NULL) {
		snprintf(reason, size, "out of memory");
		free(set);
		return NULL;
	}
	set->refs = 1;
	set->index = (uint16_t)l->index;
	set->port = l->port;
	set->implicit = l->tls == CONF_LISTEN_TLS;
	set->optional = l->optional;
	set->message_size = conf->message_size;
	set->proxy = l->proxy;
	set->early_reject = conf->early_reject;
	set->limits = conf->limits;
	set->mechs = auth->mechs;
	set->tls = server_tls_new(f->pem, f->len, why, sizeof(why));
	if (set->tls == NULL) {
		snprintf(reason, size, "pki \"%s\": %s", l->pki, why);
		settings_unref(set);
		return NULL;
	}
	if (auth->clients.ca == NULL)
		return set;
	f = file_find(generation, FILE_CLIENT_CA, auth->name);
	set->cas = f != NULL ? client_cas_new(f->pem, f->len) : NULL;
	if (set->cas == NULL) {
		snprintf(reason, size, "%s: no certificate that can be read",
		    auth->clients.ca);
		settings_unref(set);
		return NULL;
	}
	return set;
}

/* No TLS and no login: the kernel and auth have said who it is. */
static struct settings *
settings_local(const struct conf *conf)
{
	struct settings	*set;

	if ((set = calloc(1, sizeof(*set))) == NULL ||
	    (set->host = strdup(conf->hostname)) == NULL) {
		free(set);
		return NULL;
	}
	set->refs = 1;
	set->index = IPC_LISTENER_LOCAL;
	set->message_size = conf->message_size;
	set->limits = conf->limits;
	return set;
}

int
listener_prepare(struct conf *conf, uint32_t generation, char *reason,
    size_t size)
{
	struct conf_listener	*l;
	size_t			 n = 0;

	generation_free(&pending);
	TAILQ_FOREACH(l, &conf->listeners, entry)
		n++;
	pending.number = generation;
	if ((n > 0 && (pending.sets = calloc(n, sizeof(*pending.sets))) ==
	    NULL) || (pending.local = settings_local(conf)) == NULL) {
		snprintf(reason, size, "out of memory");
		generation_free(&pending);
		return -1;
	}
	TAILQ_FOREACH(l, &conf->listeners, entry) {
		pending.sets[pending.n] = settings_new(conf, l, generation,
		    reason, size);
		if (pending.sets[pending.n] == NULL) {
			generation_free(&pending);
			return -1;
		}
		pending.n++;
	}
	return 0;
}

static void
listeners_close(void)
{
	struct listener	*l;

	while ((l = TAILQ_FIRST(&listeners)) != NULL) {
		TAILQ_REMOVE(&listeners, l, entry);
		event_del(&l->ev);
		close(l->fd);
		settings_unref(l->set);
		free(l);
	}
}

void
listener_commit(uint32_t generation)
{
	if (pending.number != generation)
		return;
	listeners_close();
	generation_free(&current);
	current = pending;
	memset(&pending, 0, sizeof(pending));
	files_drop();
}

void
listener_abort(uint32_t generation)
{
	if (pending.number == generation)
		generation_free(&pending);
	files_drop();
}

/* --- accept --- */

static void
on_rest(int fd, short what, void *arg)
{
	struct listener	*l;

	(void)fd;
	(void)what;
	(void)arg;
	resting = false;
	TAILQ_FOREACH(l, &listeners, entry)
		event_add(&l->ev, NULL);
}

/* Out of descriptors or memory: leave the sockets alone for a while. */
static void
take_rest(int error)
{
	static const struct timeval	 tv = { REST_SECONDS, 0 };
	struct listener			*l;

	log_warn("event=accept error=%s sessions=%u", log_q(strerror(error)),
	    session_count());
	if (resting)
		return;
	resting = true;
	TAILQ_FOREACH(l, &listeners, entry)
		event_del(&l->ev);
	event_assign(&rest, child_base(), -1, 0, on_rest, NULL);
	event_add(&rest, &tv);
}

static int
accept_one(int lfd, struct sockaddr_storage *ss)
{
	socklen_t	len = sizeof(*ss);

	return accept4(lfd, (struct sockaddr *)ss, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/*
 * Out of descriptors: say so to one client with the spare one, so that those
 * who wait do not wait for nothing. False: there is none.
 */
static bool
refuse_with_spare(struct settings *set, int lfd)
{
	static int64_t		 logged;
	struct sockaddr_storage	 ss;
	int			 fd;

	if (session_now() - logged >= 1000) {
		logged = session_now();
		log_warn("event=accept error=%s sessions=%u",
		    log_q(strerror(EMFILE)), session_count());
	}
	if (spare == -1)
		return false;
	close(spare);
	if ((fd = accept_one(lfd, &ss)) != -1)
		session_refuse(set, fd);
	spare = dup(STDIN_FILENO);
	return fd != -1;
}

/* A client is there: let it in, if there is room and it may. */
static void
arrive(struct settings *set, int fd, const struct sockaddr *sa)
{
	struct arrival	a = { .counted = false };

	if (set->proxy != 0 && !arrival_may_proxy(sa)) {
		log_info("event=proxy-refused listener=%u "
		    "error=\"not a network that may\"", set->index);
		close(fd);
		return;
	}
	/* Behind a proxy the client is counted once it is known. */
	if (session_count() >= sessions_max || (set->proxy == 0 &&
	    !arrival_enter(&set->limits, sa, &a)))
		session_refuse(set, fd);
	else
		session_new(set, fd, sa, &a);
}

static void
on_accept(int lfd, short what, void *arg)
{
	struct settings		*set = ((struct listener *)arg)->set;
	struct sockaddr_storage	 ss;
	int			 i, fd;

	(void)what;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept_one(lfd, &ss);
		if (fd == -1 && errno == EMFILE && refuse_with_spare(set, lfd))
			continue;
		if (fd == -1 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				take_rest(errno);
			return;
		}
		arrive(set, fd, (struct sockaddr *)&ss);
	}
}

void
listener_add(uint32_t generation, uint16_t index, int fd)
{
	struct listener	*l;

	if (generation != current.number || index >= current.n ||
	    (l = calloc(1, sizeof(*l))) == NULL) {
		log_warn("event=listener index=%u error=\"not known\"", index);
		close(fd);
		return;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	l->fd = fd;
	l->set = settings_ref(current.sets[index]);
	event_assign(&l->ev, child_base(), fd, EV_READ | EV_PERSIST,
	    on_accept, l);
	TAILQ_INSERT_TAIL(&listeners, l, entry);
	if (started && !resting)
		event_add(&l->ev, NULL);
}

void
listener_local(uint64_t sid, struct slice user, int fd)
{
	if (current.local == NULL || session_count() >= sessions_max ||
	    session_find(sid) != NULL ||
	    session_count_local(user) >= LOCAL_USER_MAX)
		session_refuse_local(current.local, sid, fd);
	else
		session_new_local(current.local, fd, sid, user);
}

void
listener_start(void)
{
	struct listener	*l;

	started = true;
	if (spare == -1)
		spare = dup(STDIN_FILENO);
	TAILQ_FOREACH(l, &listeners, entry)
		event_add(&l->ev, NULL);
}

void
listener_stop(void)
{
	started = false;
	listeners_close();
}

void
listener_limits(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1 ||
	    getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	if (rl.rlim_cur != RLIM_INFINITY &&
	    rl.rlim_cur < SESSIONS_MAX + FDS_RESERVED)
		sessions_max = rl.rlim_cur > 2 * FDS_RESERVED ?
		    (unsigned int)rl.rlim_cur - FDS_RESERVED : FDS_RESERVED;
}
