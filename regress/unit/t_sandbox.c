/* libs: crypto */
/*
 * Each role's sandbox, probed: calls it must refuse, and calls it must allow.
 *
 * A child is forked for each probe. It changes root to an empty folder, locks
 * itself in as the role, still as root where the test runs as root (so that
 * it is the sandbox that refuses, not a lack of privilege), makes one call,
 * and its end says what happened.
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/sandbox.h"

enum outcome { WORKED, IS_EACCES, IS_EPERM, FAILED, KILLED, BROKEN };

static const char *const outcomes[] = { "worked", "EACCES", "EPERM",
	"failed otherwise", "killed by SIGSYS", "broken" };

/* Made before the sandbox, for the probes. */
static char		 dir[] = "/tmp/t_sandbox.XXXXXX";
static int		 outside = -1;		/* of "/etc" */
static int		 tcp = -1;		/* a listener on loopback */
static int		 plain = -1;		/* TCP, each child's own */
static int		 udp = -1;		/* bound on loopback */
static struct sockaddr_in tcp_addr, udp_addr;

/* --- what is to be refused --- */

static int
p_open(void)
{
	return open("/", O_RDONLY);
}

static int
p_open_outside(void)
{
	return openat(outside, "passwd", O_RDONLY);
}

static int
p_create_outside(void)
{
	return openat(outside, "msad.t_sandbox", O_CREAT | O_WRONLY, 0600);
}

static int
p_stat(void)
{
	struct stat	 st;

	return stat("/", &st);
}

static int
p_mkdir(void)
{
	return mkdir("/d", 0700);
}

static int
p_unlink(void)
{
	return unlink("/nothing");
}

static int
p_chmod(void)
{
	return chmod("/", 0755);
}

static int
p_socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
p_socket_udp(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static int
p_socket_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static int
p_socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
p_socket_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int
p_socket_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int
p_connect_held(void)
{
	return connect(plain, (struct sockaddr *)&tcp_addr, sizeof(tcp_addr));
}

static int
p_bind_held(void)
{
	struct sockaddr_in	 any = { .sin_family = AF_INET };

	return bind(plain, (struct sockaddr *)&any, sizeof(any));
}

static int
p_listen(void)
{
	return listen(plain, 1);
}

static int
p_sendto(void)
{
	return (int)sendto(udp, "x", 1, 0, (struct sockaddr *)&udp_addr,
	    sizeof(udp_addr));
}

static int
p_fork(void)
{
	pid_t	 pid;

	if ((pid = fork()) == 0)
		_exit(0);
	return pid;
}

static int
p_thread(void)
{
	return (int)syscall(SYS_clone3, NULL, 0);
}

static int
p_execve(void)
{
	char	*argv[] = { "sh", NULL };

	return execve("/bin/sh", argv, NULL);
}

static int
p_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
p_vm_read(void)
{
	char		 buf[8];
	struct iovec	 local = { buf, 8 }, remote = { buf, 8 };

	return (int)process_vm_readv(getppid(), &local, 1, &remote, 1, 0);
}

static int
p_kill(void)
{
	return kill(getppid(), 0);
}

static int
p_tgkill(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int
p_map_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANON,
	    -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
p_protect_exec(void)
{
	void	*p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANON, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int
p_setuid(void)
{
	return setuid(0);
}

static int
p_chroot(void)
{
	return chroot("/");
}

static int
p_mount(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static int
p_unshare(void)
{
	return unshare(CLONE_NEWUTS);
}

static int
p_keyctl(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 0, 0, 0);
}

static int
p_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
p_module(void)
{
	return (int)syscall(SYS_finit_module, -1, "", 0);
}

static int
p_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int
p_tiocsti(void)
{
	return (int)syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

static int
p_set_hostname(void)
{
	return sethostname("t", 1);
}

static int
p_memfd(void)
{
	return memfd_create("t", 0);
}

static int
p_fdatasync(void)
{
	return fdatasync(outside);
}

static int
p_setsockopt_odd(void)
{
	int	 on = 1;

	return setsockopt(plain, IPPROTO_UDP, 1, &on, sizeof(on));
}

/* --- what has to work --- */

/* libevent's and the channels' calls: epoll, timers, descriptors passed. */
static int
w_life(void)
{
	struct epoll_event	 ev = { .events = EPOLLIN };
	char			 c = 'x', control[CMSG_SPACE(sizeof(int))];
	struct iovec		 iov = { &c, 1 };
	struct msghdr		 mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr		*cm = (struct cmsghdr *)control;
	struct timespec		 ts;
	struct stat		 st;
	int			 sv[2], ep;

	memset(control, 0, sizeof(control));
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(cm), &outside, sizeof(int));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1 ||
	    sendmsg(sv[0], &mh, MSG_NOSIGNAL) != 1 ||
	    (ep = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &ev) == -1 ||
	    epoll_wait(ep, &ev, 1, 1000) != 1 ||
	    recvmsg(sv[1], &mh, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	if (fcntl(sv[0], F_SETFL, O_NONBLOCK) == -1 ||
	    send(sv[0], "y", 1, MSG_DONTWAIT) != 1 ||
	    fstat(sv[0], &st) == -1 || close(sv[0]) == -1 ||
	    clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		return -1;
	return 0;
}

static int
w_memory(void)
{
	static volatile size_t	 sizes[] = { 10, 100000, 40000000 };
	char			*p[3];
	size_t			 i;

	for (i = 0; i < 3; i++) {
		if ((p[i] = calloc(1, sizes[i])) == NULL ||
		    (p[i] = realloc(p[i], sizes[i] * 2)) == NULL)
			return -1;
		p[i][sizes[i]] = 1;
	}
	for (i = 0; i < 3; i++)
		free(p[i]);
	return 0;
}

static int
w_crypto(void)
{
	unsigned char	 random[32], sig[256];
	size_t		 n = sizeof(sig);
	EVP_PKEY	*key;
	EVP_MD_CTX	*ctx;
	int		 ok;

	if (RAND_bytes(random, sizeof(random)) != 1 ||
	    (key = EVP_EC_gen("P-256")) == NULL)
		return -1;
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
	    key) == 1 && EVP_DigestSign(ctx, sig, &n, random,
	    sizeof(random)) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}

static int
w_times(void)
{
	time_t		 now = time(NULL);
	struct tm	 tm;
	char		 buf[64];

	return localtime_r(&now, &tm) == NULL || strftime(buf, sizeof(buf),
	    "%a, %d %b %Y %H:%M:%S %z", &tm) == 0 ? -1 : 0;
}

static int
w_names(void)
{
	char	 name[IF_NAMESIZE];

	/* what getnameinfo(3) does for a link-local client */
	return if_indextoname(1, name) == NULL ? -1 : 0;
}

static int
w_accept(void)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	int			 on = 1, fd;

	if ((fd = accept4(tcp, NULL, NULL, SOCK_CLOEXEC)) == -1)
		return -1;
	return getpeername(fd, (struct sockaddr *)&ss, &len) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    shutdown(fd, SHUT_RDWR) == -1 ? -1 : 0;
}

static int
w_connect(void)
{
	socklen_t	 len = sizeof(int);
	int		 fd, error;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&tcp_addr,
	    sizeof(tcp_addr)) == -1)
		return -1;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

static int
w_query(void)
{
	struct sockaddr_in	 any = { .sin_family = AF_INET };
	char			 c;
	int			 fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1 ||
	    sendto(fd, "q", 1, 0, (struct sockaddr *)&udp_addr,
	    sizeof(udp_addr)) != 1)
		return -1;
	return recvfrom(udp, &c, 1, 0, NULL, NULL) == 1 ? 0 : -1;
}

/* A file's life: made, written, flushed, renamed, read, listed, removed. */
static int
w_files(void)
{
	struct dirent	*de;
	struct stat	 st;
	char		 buf[4];
	DIR		*d;
	int		 fd, n = 0;

	if (mkdir("/tmp", 0700) == -1 ||
	    (fd = open("/tmp/a", O_CREAT | O_RDWR | O_EXCL, 0600)) == -1 ||
	    pwrite(fd, "text", 4, 0) != 4 || fsync(fd) == -1 ||
	    fdatasync(fd) == -1 || ftruncate(fd, 2) == -1 ||
	    rename("/tmp/a", "/b") == -1 || stat("/b", &st) == -1 ||
	    link("/b", "/c") == -1 || pread(fd, buf, 4, 0) != 2)
		return -1;
	if ((d = opendir("/")) == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		n++;
	closedir(d);
	return n < 4 || unlink("/b") == -1 || unlink("/c") == -1 ? -1 : 0;
}

static int
w_spool(void)
{
	struct flock	 lock = { .l_type = F_WRLCK };
	struct statvfs	 vfs;
	int		 fd, mem;

	fd = open("/segment", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 || fallocate(fd, 0, 0, 65536) == -1 ||
	    flock(fd, LOCK_EX | LOCK_NB) == -1 ||
	    fcntl(fd, F_SETLK, &lock) == -1 || fstatvfs(fd, &vfs) == -1 ||
	    unlink("/segment") == -1)
		return -1;
	mem = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return mem == -1 || write(mem, "x", 1) != 1 || fcntl(mem, F_ADD_SEALS,
	    F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == -1 ? -1 : 0;
}

/* What a reader of a database needs, of a file that it was given. */
static int
p_read_lock(void)
{
	struct flock	 lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET,
		.l_len = 1 };

	return fcntl(outside, F_SETLK, &lock);
}

struct probe {
	const char	*name;
	int		 (*fn)(void);
	enum outcome	 want;
};

#define P(fn, want)	{ #fn, fn, want }

/* Refused to every role that has an allow-list. */
static const struct probe common[] = {
	P(p_fork, KILLED), P(p_thread, KILLED), P(p_execve, KILLED),
	P(p_ptrace, KILLED), P(p_vm_read, KILLED), P(p_kill, KILLED),
	P(p_tgkill, KILLED), P(p_map_exec, KILLED), P(p_protect_exec, KILLED),
	P(p_setuid, KILLED), P(p_chroot, KILLED), P(p_mount, KILLED),
	P(p_unshare, KILLED), P(p_keyctl, KILLED), P(p_bpf, KILLED),
	P(p_module, KILLED), P(p_uring, KILLED), P(p_tiocsti, KILLED),
	P(p_set_hostname, KILLED), P(p_chmod, KILLED), P(p_listen, KILLED),
	P(p_setsockopt_odd, KILLED), P(p_socket_unix, IS_EACCES),
	P(p_socket_netlink, IS_EACCES),
	P(w_life, WORKED), P(w_memory, WORKED), P(w_times, WORKED),
	P(w_crypto, WORKED), { NULL, NULL, 0 }
};

/* And to those without files, */
static const struct probe no_files[] = {
	P(p_open, IS_EACCES), P(p_open_outside, IS_EACCES),
	P(p_stat, IS_EACCES), P(p_mkdir, KILLED), P(p_unlink, KILLED),
	P(p_memfd, KILLED), P(w_files, KILLED), { NULL, NULL, 0 }
};

/* without network, */
static const struct probe no_network[] = {
	P(p_socket_inet, IS_EACCES), P(p_socket_udp, IS_EACCES),
	P(p_socket_raw, IS_EACCES), P(p_socket_packet, IS_EACCES),
	P(p_connect_held, KILLED), P(p_bind_held, KILLED),
	P(p_sendto, KILLED), P(w_names, FAILED), { NULL, NULL, 0 }
};

/* or without flushes of their own. */
static const struct probe no_flush[] = {
	P(p_fdatasync, KILLED), { NULL, NULL, 0 }
};

static const struct probe no_accept[] = {
	P(w_accept, KILLED), { NULL, NULL, 0 }
};

static const struct probe accepts[] = {
	P(w_accept, WORKED), { NULL, NULL, 0 }
};

static const struct probe files[] = {
	P(w_files, WORKED), P(p_open_outside, IS_EACCES),
	P(p_create_outside, IS_EACCES), { NULL, NULL, 0 }
};

static const struct probe spools[] = {
	P(w_spool, WORKED), { NULL, NULL, 0 }
};

static const struct probe flushes[] = {
	P(p_fdatasync, WORKED), { NULL, NULL, 0 }
};

static const struct probe relays[] = {
	P(w_connect, WORKED), P(p_connect_held, WORKED),
	P(p_socket_udp, KILLED), P(p_socket_raw, KILLED),
	P(p_socket_packet, KILLED), P(p_bind_held, KILLED),
	P(p_sendto, KILLED), P(p_read_lock, KILLED), { NULL, NULL, 0 }
};

static const struct probe lookups[] = {
	P(w_connect, WORKED), P(p_connect_held, WORKED),
	P(p_socket_udp, KILLED), P(p_socket_raw, KILLED),
	P(p_socket_packet, KILLED), P(p_bind_held, KILLED),
	P(p_sendto, KILLED), P(p_read_lock, WORKED), { NULL, NULL, 0 }
};

static const struct probe resolvers[] = {
	P(w_connect, WORKED), P(w_query, WORKED), P(p_sendto, WORKED),
	P(p_bind_held, IS_EACCES), P(p_socket_raw, KILLED),
	P(p_socket_packet, KILLED), { NULL, NULL, 0 }
};

/* msad and msad-pam: what a deny-list refuses, and what it must not. */
static const struct probe privileged[] = {
	P(p_ptrace, IS_EPERM), P(p_vm_read, IS_EPERM), P(p_mount, IS_EPERM),
	P(p_unshare, IS_EPERM), P(p_keyctl, IS_EPERM), P(p_bpf, IS_EPERM),
	P(p_module, IS_EPERM), P(p_uring, IS_EPERM),
	P(p_set_hostname, IS_EPERM), P(p_fork, WORKED),
	P(p_open_outside, WORKED),
	P(p_socket_netlink, WORKED), P(p_socket_unix, WORKED),
	P(w_life, WORKED), P(w_memory, WORKED), { NULL, NULL, 0 }
};

/* --- running them --- */

static enum outcome
attempt(enum ipc_role role, enum sandbox_extra extra, int (*fn)(void))
{
	const char	*reason = "";

	plain = socket(AF_INET, SOCK_STREAM, 0);
	if (plain == -1 || chroot(dir) == -1 || chdir("/") == -1)
		return BROKEN;
	tzset();
	if (sandbox_apply(role, extra, &reason) == -1) {
		fprintf(stderr, "sandbox_apply: %s: %s\n", reason,
		    strerror(errno));
		return BROKEN;
	}
	errno = 0;
	if (fn() != -1)
		return WORKED;
	if (errno == EACCES)
		return IS_EACCES;
	return errno == EPERM ? IS_EPERM : FAILED;
}

static enum outcome
run(enum ipc_role role, enum sandbox_extra extra, int (*fn)(void))
{
	pid_t	 pid;
	int	 status;

	if ((pid = fork()) == 0)
		_exit(attempt(role, extra, fn));
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return BROKEN;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : BROKEN;
	return WEXITSTATUS(status);
}

static void
probe(enum ipc_role role, enum sandbox_extra extra, const struct probe *p)
{
	enum outcome	 got;

	for (; p->name != NULL; p++) {
		got = run(role, extra, p->fn);
		if (got != p->want)
			fail_msg("%s %d: %s %s, expected: %s",
			    ipc_role_name(role), (int)extra, p->name,
			    outcomes[got], outcomes[p->want]);
	}
}

/* What each role may do and what not. */
struct place {
	enum ipc_role		 role;
	enum sandbox_extra	 extra;
	const struct probe	*lists[6];
};

static void
probe_place(void **state)
{
	const struct place	*place = *state;
	size_t			 i;

	for (i = 0; place->lists[i] != NULL; i++)
		probe(place->role, place->extra, place->lists[i]);
}

static struct place places[] = {
	{ ROLE_FRONTEND, SANDBOX_PLAIN,
	    { common, no_files, no_network, no_flush, accepts } },
	{ ROLE_AUTH, SANDBOX_PLAIN,
	    { common, no_files, no_network, no_flush, accepts } },
	{ ROLE_AUTH, SANDBOX_HASHER,
	    { common, no_files, no_network, no_flush, no_accept } },
	{ ROLE_KEYS, SANDBOX_PLAIN,
	    { common, no_files, no_network, no_flush, no_accept } },
	{ ROLE_QUEUE, SANDBOX_PLAIN,
	    { common, files, spools, no_network, no_accept } },
	{ ROLE_QUEUE, SANDBOX_FLUSHER,
	    { common, no_files, no_network, flushes } },
	{ ROLE_RELAY, SANDBOX_PLAIN,
	    { common, no_files, relays, no_flush, no_accept } },
	{ ROLE_RELAY, SANDBOX_MAILDIR,
	    { common, files, no_network, no_accept } },
	{ ROLE_RESOLVER, SANDBOX_PLAIN,
	    { common, no_files, resolvers, no_flush, no_accept } },
	{ ROLE_CONTROL, SANDBOX_PLAIN,
	    { common, no_files, no_network, no_flush, accepts } },
	{ ROLE_LOOKUP, SANDBOX_PLAIN,
	    { common, no_files, lookups, no_flush, no_accept } }
};

static void
t_privileged(void **state)
{
	(void)state;
	probe(ROLE_PARENT, SANDBOX_PLAIN, privileged);
	probe(ROLE_PAM, SANDBOX_PLAIN, privileged);
}

/* Root that gave its capabilities away: what PAM needs is left, no more. */
static int
c_chown(void)
{
	int	 fd = open("/f", O_CREAT | O_RDWR, 0600);

	return fd == -1 || fchown(fd, 12345, 12345) == -1 ||
	    fchmod(fd, 0400) == -1 || seteuid(12345) == -1 ? -1 : 0;
}

static int
c_low_port(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
		.sin_port = htons(1) };

	return bind(plain, (struct sockaddr *)&sin, sizeof(sin));
}

static int
c_chroot(void)
{
	return chroot("/");
}

static int
c_nice(void)
{
	return setpriority(0, 0, -5);
}

static void
t_capabilities(void **state)
{
	static const struct probe	 pam[] = {
		P(c_chown, WORKED), P(c_low_port, IS_EACCES),
		P(c_chroot, IS_EPERM), P(c_nice, IS_EACCES),
		{ NULL, NULL, 0 }
	};
	static const struct probe	 msad[] = {
		P(c_chown, WORKED), P(c_low_port, WORKED),
		P(c_chroot, WORKED), P(c_nice, WORKED), { NULL, NULL, 0 }
	};

	(void)state;
	probe(ROLE_PAM, SANDBOX_PLAIN, pam);
	probe(ROLE_PARENT, SANDBOX_PLAIN, msad);
}

static void
t_no_profile(void **state)
{
	const char	*reason = NULL;

	(void)state;
	assert_int_equal(sandbox_apply(ROLE_AUTH, SANDBOX_MAILDIR, &reason),
	    -1);
	assert_non_null(reason);
}

static int
loopback(int type, struct sockaddr_in *sin)
{
	socklen_t	 len = sizeof(*sin);
	int		 fd = socket(AF_INET, type, 0);

	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)sin, sizeof(*sin)) == -1 ||
	    getsockname(fd, (struct sockaddr *)sin, &len) == -1)
		return -1;
	return fd;
}

/* Each probe that accepts takes a connection: keep enough of them. */
static int
clients(void)
{
	int	 i, fd;

	for (i = 0; i < 8; i++)
		if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
		    connect(fd, (struct sockaddr *)&tcp_addr,
		    sizeof(tcp_addr)) == -1)
			return -1;
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL ||
	    (outside = open("/etc", O_RDONLY | O_DIRECTORY)) == -1 ||
	    (tcp = loopback(SOCK_STREAM, &tcp_addr)) == -1 ||
	    listen(tcp, 64) == -1 || clients() == -1 ||
	    (udp = loopback(SOCK_DGRAM, &udp_addr)) == -1)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	char	 path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/f", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/tmp", dir);
	rmdir(path);
	return rmdir(dir);
}

/* w_files leaves its folder behind. */
static int
clean(void **state)
{
	char	 path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/tmp", dir);
	rmdir(path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		{ "t_frontend", probe_place, NULL, NULL, &places[0] },
		{ "t_auth", probe_place, NULL, NULL, &places[1] },
		{ "t_hasher", probe_place, NULL, NULL, &places[2] },
		{ "t_keys", probe_place, NULL, NULL, &places[3] },
		{ "t_queue", probe_place, NULL, clean, &places[4] },
		{ "t_flusher", probe_place, NULL, NULL, &places[5] },
		{ "t_relay", probe_place, NULL, NULL, &places[6] },
		{ "t_maildir", probe_place, NULL, clean, &places[7] },
		{ "t_resolver", probe_place, NULL, NULL, &places[8] },
		{ "t_control", probe_place, NULL, NULL, &places[9] },
		{ "t_lookup", probe_place, NULL, NULL, &places[10] },
		cmocka_unit_test(t_privileged),
		cmocka_unit_test(t_capabilities),
		cmocka_unit_test(t_no_profile),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("sandbox", tests, setup, teardown);
}
