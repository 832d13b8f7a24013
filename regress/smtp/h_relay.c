/*
 * Drive msad-relay and msad-resolver without the rest of the family.
 *
 * usage: h_relay -L libexecdir -c conf [-C ca.pem] [-H hosts] [-R resolv.conf]
 *	[-r root] [-u uid] [-g gid] [-m] [-68abh] [-n jobs] [-w window]
 *	[-p params] [-d seconds] [-U user -P password] [-x conf]
 *	relay from file rcpt ...
 *
 * Plays msad on descriptor 3 of both and the queue to the relay. Sends the
 * same job -n times, -w of them at once, and prints a line per result of the
 * first ones: index, outcome, code, status, host, tls, text, tab-separated;
 * then "done STATE" for each job, a line with the sums and the processor
 * seconds of the relay and the resolver. -m: a Maildir process rooted in root.
 * -b: header and body in two descriptors. -8: it is 8-bit, with -a every other
 * one; -6: it came with SMTPUTF8; -h: its header is UTF-8. -p: other
 * parameters of MAIL; those of RCPT follow a recipient behind a blank. -d: its
 * BY passes in so many seconds (less than 0: it has passed). -x: the
 * configuration is replaced by that one when half of the jobs are done.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/stats.h"

#define PRINT_MAX	64

static const char	*libexec, *conf_path, *ca, *hosts, *resolv;
static const char	*next_conf;
static uint32_t		 generation = 1;
static const char	*root = "/var/empty", *user = "", *password = "";
static const char	*params = "";
static time_t		 by;
static uid_t		 uid;
static gid_t		 gid;
static int		 maildir, eightbit, split, utf8header, alternate;
static unsigned long	 njobs = 1, window = 1;
static unsigned long	 sent, done, outcomes[3], printed;
static struct event_base *base;
static struct ipc	*relay, *resolver, *queue;
static unsigned int	 wanted, started;
static char		**job_args;
static int		 nargs;
static struct timespec	 begun;

/* --- playing msad --- */

static int
on_answer(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 reason;

	(void)ch;
	(void)arg;
	if (msg->type == IPC_PROC_CONF_REFUSED) {
		ipc_reader(&r, msg);
		(void)ipc_get_u32(&r);
		reason = ipc_get_str(&r);
		printf("refused\t%.*s\n", SLICE_FMT(reason));
		exit(3);
	}
	if (msg->type == IPC_PROC_STARTED && ++started == wanted)
		event_base_loopbreak(base);
	return 0;
}

static const struct ipc_handler parent_handlers[] = {
	{ IPC_PROC_CONF_READY, on_answer },
	{ IPC_PROC_CONF_REFUSED, on_answer },
	{ IPC_PROC_STARTED, on_answer },
	{ 0, NULL }
};

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	errx(1, "%s closed its channel (%d)", (const char *)arg, (int)end);
}

static struct ipc *
start(const char *name, enum ipc_role role)
{
	char	 path[1024];
	pid_t	 pid;
	int	 sv[2];

	snprintf(path, sizeof(path), "%s/msad-%s", libexec, name);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		err(1, "socketpair");
	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		if (dup2(sv[1], 3) == -1)
			err(1, "dup2");
		closefrom(4);
		execl(path, path, (char *)NULL);
		err(1, "%s", path);
	}
	close(sv[1]);
	wanted++;
	return ipc_new(sv[0], ROLE_PARENT, role, parent_handlers, on_closed,
	    (void *)(uintptr_t)name);
}

static void
send_init(struct ipc *ch, unsigned int flags)
{
	int	 fd;

	if ((fd = stats_create()) == -1)
		err(1, "stats_create");
	ipc_start(ch, IPC_PROC_INIT, 0);
	ipc_put_u32(ch, flags ? RELAY_MAILDIR_INDEX : 0);
	ipc_put_u64(ch, 1);
	ipc_put_u32(ch, uid);
	ipc_put_u32(ch, gid);
	ipc_put_u8(ch, getenv("H_DEBUG") != NULL ? 7 : 4);
	ipc_put_u8(ch, 1);
	ipc_put_u8(ch, (uint8_t)flags);
	ipc_put_str(ch, root);
	ipc_send_fd(ch, fd);
}

static void
send_file(struct ipc *ch, enum ipc_file kind, const char *name,
    const char *path)
{
	int	 fd;

	if (path == NULL)
		return;
	if ((fd = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	ipc_start(ch, IPC_PROC_FILE, 0);
	ipc_put_u32(ch, generation);
	ipc_put_u8(ch, (uint8_t)kind);
	ipc_put_str(ch, name);
	ipc_send_fd(ch, fd);
}

static void
send_channel(struct ipc *ch, enum ipc_role peer, int fd)
{
	ipc_start(ch, IPC_PROC_CHANNEL, 0);
	ipc_put_u8(ch, (uint8_t)peer);
	ipc_put_u32(ch, 0);
	ipc_put_u64(ch, 2);
	ipc_put_str(ch, "");
	ipc_send_fd(ch, fd);
}

static void
send_generation(struct ipc *ch, unsigned int type)
{
	ipc_start(ch, type, 0);
	ipc_put_u32(ch, generation);
	ipc_send(ch);
}

static void
configure(struct ipc *ch, const char *relay_name)
{
	struct conf	*conf;
	char		*text;
	int		 fd;

	if ((conf = conf_parse_file(conf_path, NULL, 0, stderr)) == NULL)
		exit(1);
	text = conf_print(conf);
	conf_free(conf);
	if ((fd = memfd_create("conf", 0)) == -1 ||
	    write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "conf");
	free(text);
	ipc_start(ch, IPC_PROC_CONF_PREPARE, 0);
	ipc_put_u32(ch, generation);
	ipc_send_fd(ch, fd);
	if (ch == relay)
		send_file(ch, FILE_RELAY_CA, relay_name, ca);
	else {
		send_file(ch, FILE_HOSTS, "", hosts);
		send_file(ch, FILE_RESOLV, "", resolv);
	}
	send_generation(ch, IPC_PROC_CONF_CHECK);
	send_generation(ch, IPC_PROC_CONF_COMMIT);
}

/* --- playing the queue --- */

static int
open_part(const char *path, off_t from, off_t len)
{
	char	*buf;
	int	 in, out;

	if ((in = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	if ((buf = malloc((size_t)len + 1)) == NULL ||
	    pread(in, buf, (size_t)len, from) != (ssize_t)len)
		err(1, "%s", path);
	if ((out = memfd_create("part", 0)) == -1 ||
	    write(out, buf, (size_t)len) != (ssize_t)len)
		err(1, "memfd");
	close(in);
	free(buf);
	return out;
}

static void
send_job(void)
{
	struct stat	 st;
	const char	*path = job_args[2];
	int		 fd, body = -1, i;
	uint64_t	 sid = ++sent;
	uint8_t		 flags;
	size_t		 n;

	if ((fd = open(path, O_RDONLY)) == -1 || fstat(fd, &st) == -1)
		err(1, "%s", path);
	if (split) {
		close(fd);
		fd = open_part(path, 0, st.st_size / 3);
		body = open_part(path, st.st_size / 3,
		    st.st_size - st.st_size / 3);
	}
	ipc_start(queue, IPC_RELAY_JOB, sid);
	ipc_put_str(queue, "abc1");
	ipc_put_str(queue, job_args[0]);
	ipc_put_str(queue, job_args[1]);
	ipc_put_u64(queue, (uint64_t)st.st_size);
	flags = utf8header ? JOB_UTF8HEADER : 0;
	if (eightbit && (!alternate || sid % 2 == 0))
		flags |= JOB_8BIT;
	ipc_put_u8(queue, flags);
	ipc_put_str(queue, params);
	ipc_put_str(queue, user);
	ipc_put_bytes(queue, password, strlen(password));
	ipc_put_u64(queue, by == 0 ? 0 : (uint64_t)(time(NULL) + by));
	ipc_send_fd(queue, fd);
	if (body != -1) {
		ipc_start(queue, IPC_RELAY_BODY, sid);
		ipc_send_fd(queue, body);
	}
	for (i = 3; i < nargs; i++) {
		ipc_start(queue, IPC_RELAY_RCPTS, sid);
		ipc_put_u16(queue, 1);
		ipc_put_u32(queue, (uint32_t)(i - 3));
		n = strcspn(job_args[i], " ");
		ipc_put_slice(queue, SLICE(job_args[i], n));
		ipc_put_str(queue, job_args[i] + n +
		    (job_args[i][n] == ' ' ? 1 : 0));
		ipc_send(queue);
	}
	ipc_send_empty(queue, IPC_RELAY_GO, sid);
}

static int
on_result(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 status, host, text, tls;
	unsigned int		 index, outcome, code;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	index = ipc_get_u32(&r);
	outcome = ipc_get_u8(&r);
	code = ipc_get_u16(&r);
	status = ipc_get_str(&r);
	host = ipc_get_str(&r);
	text = ipc_get_str(&r);
	tls = ipc_get_str(&r);
	(void)ipc_get_u8(&r);
	if (!ipc_done(&r) || outcome > 2)
		return -1;
	outcomes[outcome]++;
	if (printed++ < PRINT_MAX)
		printf("%u\t%u\t%u\t%.*s\t%.*s\t%.*s\t%.*s\n", index, outcome,
		    code, SLICE_FMT(status), SLICE_FMT(host), SLICE_FMT(tls),
		    SLICE_FMT(text));
	return 0;
}

static int
on_done(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	unsigned int		 state;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	state = ipc_get_u8(&r);
	if (!ipc_done(&r))
		return -1;
	if (done < PRINT_MAX)
		printf("done\t%u\n", state);
	done++;
	if (next_conf != NULL && done == njobs / 2) {
		conf_path = next_conf;
		generation++;
		configure(relay, job_args[0]);
		if (resolver != NULL)
			configure(resolver, job_args[0]);
	}
	if (sent < njobs)
		send_job();
	if (done == njobs)
		event_base_loopbreak(base);
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_RELAY_RESULT, on_result },
	{ IPC_RELAY_DONE, on_done },
	{ 0, NULL }
};

static void
connect_all(void)
{
	int	 sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		err(1, "socketpair");
	queue = ipc_new(sv[0], ROLE_QUEUE, ROLE_RELAY, queue_handlers,
	    on_closed, (void *)(uintptr_t)"relay");
	send_channel(relay, ROLE_QUEUE, sv[1]);
	if (resolver == NULL)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		err(1, "socketpair");
	send_channel(relay, ROLE_RESOLVER, sv[0]);
	send_channel(resolver, ROLE_RELAY, sv[1]);
}

static void
usage(void)
{
	fprintf(stderr, "usage: h_relay -L dir -c conf [-C ca] [-H hosts] "
	    "[-R resolv] [-r root] [-u uid] [-g gid] [-m68abh] [-n jobs] "
	    "[-w window] [-p params] [-d seconds] [-U user -P password] "
	    "[-x conf] "
	    "relay from "
	    "file rcpt ...\n");
	exit(2);
}

static void
options(int argc, char **argv)
{
	int	 ch;

	while ((ch = getopt(argc, argv,
	    "68abc:C:d:g:hH:L:mn:p:P:r:R:u:U:w:x:")) != -1)
		switch (ch) {
		case '6': params = "SMTPUTF8"; break;
		case '8': eightbit = 1; break;
		case 'a': alternate = 1; break;
		case 'b': split = 1; break;
		case 'c': conf_path = optarg; break;
		case 'C': ca = optarg; break;
		case 'd': by = (time_t)strtoll(optarg, NULL, 10); break;
		case 'g': gid = (gid_t)strtoul(optarg, NULL, 10); break;
		case 'h': utf8header = 1; break;
		case 'H': hosts = optarg; break;
		case 'L': libexec = optarg; break;
		case 'm': maildir = 1; break;
		case 'n': njobs = strtoul(optarg, NULL, 10); break;
		case 'p': params = optarg; break;
		case 'P': password = optarg; break;
		case 'r': root = optarg; break;
		case 'R': resolv = optarg; break;
		case 'u': uid = (uid_t)strtoul(optarg, NULL, 10); break;
		case 'U': user = optarg; break;
		case 'w': window = strtoul(optarg, NULL, 10); break;
		case 'x': next_conf = optarg; break;
		default: usage();
		}
	job_args = argv + optind;
	nargs = argc - optind;
	if (nargs < 4 || libexec == NULL || conf_path == NULL)
		usage();
}

static void
shut_down(struct ipc *ch)
{
	if (ch == NULL)
		return;
	ipc_start(ch, IPC_PROC_SHUTDOWN, 0);
	ipc_put_u16(ch, 5);
	ipc_send(ch);
	ipc_flush(ch, 1000);
}

int
main(int argc, char **argv)
{
	struct timespec	 end;
	struct rusage	 ru;
	double		 seconds;
	int		 status, failed = 0;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_init("h_relay", 1);
	base = event_base_new();
	ipc_init(base);
	relay = start("relay", ROLE_RELAY);
	if (!maildir)
		resolver = start("resolver", ROLE_RESOLVER);
	send_init(relay, maildir ? INIT_MAILDIR : 0);
	configure(relay, job_args[0]);
	if (resolver != NULL) {
		send_init(resolver, 0);
		configure(resolver, job_args[0]);
	}
	connect_all();
	ipc_send_empty(relay, IPC_PROC_START, 0);
	if (resolver != NULL)
		ipc_send_empty(resolver, IPC_PROC_START, 0);
	event_base_dispatch(base);

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (sent < njobs && sent < window)
		send_job();
	event_base_dispatch(base);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begun.tv_sec) +
	    (double)(end.tv_nsec - begun.tv_nsec) / 1e9;
	printf("sum\t%lu\t%lu\t%lu\t%.3f\n", outcomes[0], outcomes[1],
	    outcomes[2], seconds);
	shut_down(relay);
	shut_down(resolver);
	while (wait3(&status, 0, &ru) != -1) {
		printf("cpu\t%.3f\n", (double)(ru.ru_utime.tv_sec +
		    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_usec) / 1e6);
		if (status != 0) {
			printf("exit\t%d\n", status);
			failed = 1;
		}
	}
	return failed;
}
