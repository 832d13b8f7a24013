/*
 * msad: start, signals and end of the parent of all. It runs as root, reads the
 * configuration, opens sockets and files, and starts the other programs; it
 * never reads a byte that came from the network. supervise.c keeps the family,
 * reload.c changes its configuration, handlers.c is all that children can say.
 */

#include <sys/types.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#ifdef HAVE_PRCTL
#include <sys/prctl.h>
#endif

#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "msad/parent/files.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

#define MACROS_MAX	64

struct options			 options = { .conf_path = MSAD_CONF,
				     .libexec = MSAD_LIBEXEC };

static struct event_base	*base;
static struct generation	*generation;
static int			 exit_status = 1;
static int			 started_fd = -1;	/* who waits for us */
static char			 pid_path[PATH_MAX];
static int			 pid_fd = -1;
static int			 control_fd = -1;

struct event_base *
parent_base(void)
{
	return base;
}

struct generation *
parent_generation(void)
{
	return generation;
}

void
parent_set_generation(struct generation *gen)
{
	generation = gen;
}

int64_t
parent_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
parent_exit(int status)
{
	exit_status = status;
	event_base_loopbreak(base);
}

void
parent_started(void)
{
	log_notice("event=started pid=%d", (int)getpid());
	notify_send("READY=1");
	if (started_fd == -1)
		return;
	if (write(started_fd, "", 1) == -1)
		log_warn("event=daemon error=%s", log_q(strerror(errno)));
	close(started_fd);
	started_fd = -1;
}

static void __attribute__((__noreturn__))
usage(void)
{
	fprintf(stderr, "usage: msad [-dnv] [-D name=value] [-f file] "
	    "[-L libexecdir]\n");
	exit(2);
}

static void __attribute__((__noreturn__, __format__(printf, 1, 2)))
quit(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	fprintf(stderr, "msad: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

static void
add_macro(char *arg)
{
	static struct conf_macro	 macros[MACROS_MAX];
	char				*value;

	if ((value = strchr(arg, '=')) == NULL || value == arg)
		usage();
	if (options.nmacros == MACROS_MAX)
		quit("more than %d macros", MACROS_MAX);
	*value++ = '\0';
	macros[options.nmacros].name = arg;
	macros[options.nmacros].value = value;
	options.macros = macros;
	options.nmacros++;
}

/* Paths are made absolute, as a daemon works in "/". */
static char *
absolute(const char *path)
{
	char	*s;

	if ((s = realpath(path, NULL)) == NULL)
		quit("%s: %s", path, strerror(errno));
	return s;
}

/* Returns whether -n was there. */
static bool
parse_options(int argc, char **argv)
{
	bool	 check = false;
	int	 c;

	while ((c = getopt(argc, argv, "D:df:L:nv")) != -1) {
		switch (c) {
		case 'D':
			add_macro(optarg);
			break;
		case 'd':
			options.debug = true;
			break;
		case 'f':
			options.conf_path = optarg;
			break;
		case 'L':
			options.libexec = optarg;
			break;
		case 'n':
			check = true;
			break;
		case 'v':
			options.verbose = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	options.conf_path = absolute(options.conf_path);
	return check;
}

static struct generation *
load(void)
{
	struct generation	*gen;
	struct conf		*conf;

	if (geteuid() == 0) {
		if ((gen = reload_load(NULL, stderr)) == NULL)
			exit(1);
		return gen;
	}
	/* anybody may have the text checked; files and users are root's */
	conf = conf_parse_file(options.conf_path, options.macros,
	    options.nmacros, stderr);
	if (conf == NULL || (gen = generation_new(1, conf)) == NULL)
		exit(1);
	return gen;
}

static gid_t
socket_group(const struct conf *conf)
{
	struct group	*gr;

	if (conf->socket_group == NULL)
		return 0;
	if ((gr = getgrnam(conf->socket_group)) == NULL)
		quit("group %s: not found", conf->socket_group);
	return gr->gr_gid;
}

static int
check_only(const struct generation *gen)
{
	if (geteuid() == 0) {
		if (users_find(stderr) == -1)
			return 1;
		(void)socket_group(gen->conf);
	}
	if (options.verbose)
		printf("%s", gen->text);
	else
		fprintf(stderr, "configuration OK\n");
	return 0;
}

/* --- what msad holds for itself --- */

/* The directory of the control socket, and its path with ".pid" for ".sock". */
static void
pid_file(const char *sock)
{
	char	*slash, *dot;
	int	 n;

	n = snprintf(pid_path, sizeof(pid_path), "%s", sock);
	if (n < 0 || (size_t)n + sizeof(".pid") > sizeof(pid_path) ||
	    *sock != '/')
		quit("%s: not a usable path for the control socket", sock);
	slash = strrchr(pid_path, '/');
	if (slash != pid_path) {
		*slash = '\0';
		if (mkdir(pid_path, 0755) == -1 && errno != EEXIST)
			quit("%s: %s", pid_path, strerror(errno));
		*slash = '/';
	}
	if ((dot = strrchr(slash, '.')) != NULL && strcmp(dot, ".sock") == 0)
		*dot = '\0';
	strlcat(pid_path, ".pid", sizeof(pid_path));
	pid_fd = open(pid_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0644);
	if (pid_fd == -1)
		quit("%s: %s", pid_path, strerror(errno));
	if (flock(pid_fd, LOCK_EX | LOCK_NB) == -1)
		quit("%s: another msad runs with this control socket",
		    pid_path);
}

static void
write_pid(void)
{
	if (ftruncate(pid_fd, 0) == -1 ||
	    dprintf(pid_fd, "%d\n", (int)getpid()) < 0)
		quit("%s: %s", pid_path, strerror(errno));
}

static void
open_all(void)
{
	const struct conf	*conf = generation->conf;
	int			 bad;

	bad = users_find(stderr);
	if (bad == 0)	/* roots belong to users */
		bad = files_roots(generation, stderr);
	pid_file(conf->socket);
	control_fd = listener_control(conf->socket, socket_group(conf),
	    stderr);
	bad |= control_fd == -1 ? -1 : 0;
	bad |= listeners_open(generation, NULL, stderr);
	if (bad == 0)
		return;
	if (control_fd != -1)
		unlink(conf->socket);
	listeners_close(generation, NULL);
	exit(1);
}

static void
limits(void)
{
	struct rlimit	 rl = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &rl) == -1)
		quit("core size: %s", strerror(errno));
#ifdef HAVE_PRCTL
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		quit("dumpable: %s", strerror(errno));
#endif
	/* a front-end has a descriptor for each client */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* --- into the background --- */

/* Descriptors 0 to 2: all there, 1 to where log lines may go. */
static void
standard_fds(bool quiet)
{
	int	 fd;

	if ((fd = open("/dev/null", O_RDWR)) == -1)
		quit("/dev/null: %s", strerror(errno));
	if (fcntl(STDERR_FILENO, F_GETFD) == -1)
		quiet = true;
	if (dup2(fd, STDIN_FILENO) == -1 ||
	    dup2(quiet ? fd : STDERR_FILENO, STDOUT_FILENO) == -1 ||
	    (quiet && dup2(fd, STDERR_FILENO) == -1))
		exit(1);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* In the process that was called: end when the daemon is up, or failed. */
static void __attribute__((__noreturn__))
wait_started(int fd)
{
	ssize_t	 n;
	char	 c;

	do {
		n = read(fd, &c, 1);
	} while (n == -1 && errno == EINTR);
	if (n == 1)
		_exit(0);
	fprintf(stderr, "msad: start failed, the log says why\n");
	_exit(1);
}

static void
background(void)
{
	int	 fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		quit("pipe: %s", strerror(errno));
	switch (fork()) {
	case -1:
		quit("fork: %s", strerror(errno));
	case 0:
		break;
	default:
		close(fds[1]);
		wait_started(fds[0]);
	}
	close(fds[0]);
	started_fd = fds[1];
	setsid();
}

static void
detach(bool managed)
{
	log_init("msad", options.debug);
	if (options.debug) {
		standard_fds(false);
		return;
	}
	log_set_syslog(syslog_open());
	if (!managed)
		background();	/* else the service manager waits for READY */
	standard_fds(true);
}

/* --- the loop --- */

static void
on_signal(int sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	switch (sig) {
	case SIGCHLD:
		supervise_reap();
		break;
	case SIGHUP:
		reload_begin(RELOAD_SIGNAL);
		break;
	default:
		supervise_stop(0);
	}
}

static void
loop(void)
{
	static const int	 signals[] = { SIGCHLD, SIGHUP, SIGINT,
				     SIGTERM };
	static struct event	 events[4];
	size_t			 i;

	for (i = 0; i < 4; i++) {
		event_assign(&events[i], base, signals[i],
		    EV_SIGNAL | EV_PERSIST, on_signal, NULL);
		event_add(&events[i], NULL);
	}
	syslog_watch();
	if (supervise_begin(generation) == -1)
		supervise_stop(1);
	event_base_dispatch(base);
	syslog_unwatch();
	for (i = 0; i < 4; i++)
		event_del(&events[i]);
}

static void
release(void)
{
	struct proc	*p;

	while ((p = TAILQ_FIRST(&procs)) != NULL)
		proc_free(p);
	unlink(generation->conf->socket);
	unlink(pid_path);
	generation_free(generation, NULL);
	event_base_free(base);
}

static void
run(void)
{
	const char	*reason = NULL;

	if (sandbox_apply(ROLE_PARENT, SANDBOX_PLAIN, &reason) == -1)
		fatal("event=start error=\"sandbox: %s\"", reason);
	if ((base = event_base_new()) == NULL)
		fatal("event=start error=\"no event loop\"");
	ipc_init(base);
	if (process_init(control_fd) == -1)
		fatal("event=start error=%s", log_q(strerror(errno)));
	loop();
	log_notice("event=stopped status=%d", exit_status);
	release();
}

int
main(int argc, char **argv)
{
	bool	 check, managed;

	check = parse_options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	tzset();
	if (!check)
		closefrom(3);
	generation = load();
	if (check)
		return check_only(generation);
	if (geteuid() != 0)
		quit("must be started by root");
	options.libexec = absolute(options.libexec);
	log_set_level(options.verbose ? LOG_DEBUG :
	    generation->conf->log_level);
	managed = notify_init();
	limits();
	open_all();
	if (chdir("/") == -1)
		quit("/: %s", strerror(errno));
	detach(managed);
	write_pid();
	run();
	return exit_status;
}
