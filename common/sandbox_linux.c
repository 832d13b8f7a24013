/*
 * The sandbox on Linux: no_new_privs, Landlock and seccomp.
 *
 * Called by child_main() of every process after privileges are dropped and
 * before a byte from outside is read, by msad itself before it starts a child,
 * by the queue's flusher and auth's hashers. What each role may do stands in
 * the tables below, one a role, on top of what every program needs (base).
 *
 * A call that is in no table kills the process (SIGSYS; msad logs it). Calls
 * that the C library or OpenSSL try on their own to look something up (open,
 * stat, socket, ...) are answered EACCES instead: otherwise the shape of a
 * client's address could kill a front-end, by way of if_indextoname(3).
 *
 * msad and msad-pam have a deny-list instead, without no_new_privs and without
 * Landlock: their children inherit both, and PAM modules open files, sockets
 * and set-id helpers. msad-pam gives up most capabilities as well.
 *
 * Landlock's system calls are made by number, as the C library has no names.
 */

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED	1
#endif
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA	0x53564d41
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS	1033
#define F_GET_SEALS	1034
#endif

/* Landlock as of ABI 6; the kernel's header may be older than the kernel. */
#define LL_CREATE_RULESET	444
#define LL_ADD_RULE		445
#define LL_RESTRICT_SELF	446
#define LL_VERSION		1U
#define LL_RULE_PATH_BENEATH	1
#define LL_ABI_FLOOR		2
#define LL_FS_EXECUTE		(UINT64_C(1) << 0)
#define LL_FS_WRITE_FILE	(UINT64_C(1) << 1)
#define LL_FS_READ_FILE		(UINT64_C(1) << 2)
#define LL_FS_READ_DIR		(UINT64_C(1) << 3)
#define LL_FS_REMOVE_FILE	(UINT64_C(1) << 5)
#define LL_FS_MAKE_DIR		(UINT64_C(1) << 7)
#define LL_FS_MAKE_REG		(UINT64_C(1) << 8)
#define LL_FS_REFER		(UINT64_C(1) << 13)	/* ABI 2 */
#define LL_FS_TRUNCATE		(UINT64_C(1) << 14)	/* ABI 3 */
#define LL_FS_IOCTL_DEV		(UINT64_C(1) << 15)	/* ABI 5 */
#define LL_FS_ABI2		((UINT64_C(1) << 14) - 1)
#define LL_NET_BIND_TCP		(UINT64_C(1) << 0)	/* ABI 4 */
#define LL_NET_CONNECT_TCP	(UINT64_C(1) << 1)
#define LL_SCOPE_ABSTRACT	(UINT64_C(1) << 0)	/* ABI 6 */
#define LL_SCOPE_SIGNAL		(UINT64_C(1) << 1)

struct ll_ruleset_attr {
	uint64_t	 fs;
	uint64_t	 net;
	uint64_t	 scoped;
};

struct ll_path_attr {
	uint64_t	 access;
	int32_t		 fd;
} __attribute__((packed));

#define CALL(name)	SCMP_SYS(name)
#define END		INT32_MAX	/* of a list: no call's number */

/*
 * What every sandboxed process may call. libevent, OpenSSL and malloc live on
 * these. No call here makes a process, names a file or reaches another
 * process. Calls with filtered arguments are added by the functions below.
 */
static const int base[] = {
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64),
	CALL(close), CALL(dup), CALL(lseek), CALL(fstat), CALL(recvmsg),
	CALL(sendmsg), CALL(recvfrom), CALL(shutdown), CALL(poll), CALL(ppoll),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait),
	CALL(epoll_pwait), CALL(epoll_pwait2), CALL(eventfd2), CALL(pipe2),
	CALL(timerfd_create), CALL(timerfd_settime), CALL(clock_gettime),
	CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(nanosleep),
	CALL(clock_nanosleep), CALL(brk), CALL(munmap), CALL(mremap),
	CALL(madvise), CALL(mlock), CALL(mlock2), CALL(munlock), CALL(futex),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
	CALL(rt_sigpending), CALL(sigaltstack), CALL(restart_syscall),
	CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu),
	CALL(getpid), CALL(getppid), CALL(gettid), CALL(getuid), CALL(geteuid),
	CALL(getgid), CALL(getegid), CALL(getrandom), CALL(sysinfo),
	CALL(getrusage), CALL(times), CALL(uname), CALL(exit),
	CALL(exit_group), END
};

/* Answered EACCES where no table of the role allows them. */
static const int soft[] = {
	CALL(open), CALL(openat), CALL(stat), CALL(lstat), CALL(newfstatat),
	CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(readlink), CALL(readlinkat), CALL(socket), END
};

/* Processes that have sockets of peers outside. */
static const int sockets[] = {
	CALL(getsockname), CALL(getpeername), CALL(getsockopt), END
};

static const int acceptor[] = { CALL(accept), CALL(accept4), END };

/* A relay and the resolver; socket(2) by socket_allow(). */
static const int connector[] = { CALL(connect), END };

/* The resolver's lookups are datagrams from ports of its choice. */
static const int datagrams[] = {
	CALL(bind), CALL(sendto), CALL(sendmmsg), CALL(recvmmsg), END
};

/* The queue and a Maildir relay keep files below their root. */
static const int files[] = {
	CALL(open), CALL(openat), CALL(stat), CALL(lstat), CALL(newfstatat),
	CALL(statx), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(getdents64), CALL(mkdir), CALL(mkdirat), CALL(rename),
	CALL(renameat), CALL(renameat2), CALL(link), CALL(linkat),
	CALL(unlink), CALL(unlinkat), CALL(fsync), CALL(fdatasync),
	CALL(preadv), CALL(pwrite64), CALL(pwritev), CALL(ftruncate),
	CALL(fallocate), CALL(fadvise64), CALL(umask), END
};

static const int spool[] = {
	CALL(memfd_create), CALL(flock), CALL(fstatfs), CALL(statfs),
	CALL(sendfile), CALL(copy_file_range), CALL(sync_file_range),
	CALL(fchmod), END
};

static const int flusher[] = { CALL(fsync), CALL(fdatasync), END };

/* For msad and msad-pam: nothing they have reason to do. Answered EPERM. */
static const int denied[] = {
	CALL(ptrace), CALL(process_vm_readv), CALL(process_vm_writev),
	CALL(process_madvise), CALL(kcmp), CALL(pidfd_getfd),
	CALL(mount), CALL(umount2), CALL(pivot_root), CALL(move_mount),
	CALL(open_tree), CALL(fsopen), CALL(fsconfig), CALL(fsmount),
	CALL(fspick), CALL(mount_setattr), CALL(unshare), CALL(setns),
	CALL(init_module), CALL(finit_module), CALL(delete_module),
	CALL(kexec_load), CALL(kexec_file_load), CALL(reboot), CALL(swapon),
	CALL(swapoff), CALL(bpf), CALL(perf_event_open), CALL(userfaultfd),
	CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register),
	CALL(add_key), CALL(request_key), CALL(keyctl), CALL(acct),
	CALL(quotactl), CALL(nfsservctl), CALL(lookup_dcookie), CALL(iopl),
	CALL(ioperm), CALL(modify_ldt), CALL(settimeofday),
	CALL(clock_settime), CALL(clock_adjtime), CALL(adjtimex),
	CALL(sethostname), CALL(setdomainname), CALL(syslog), CALL(vhangup),
	CALL(fanotify_init), CALL(open_by_handle_at), CALL(personality), END
};

/*
 * What PAM modules need of root's power:
 * DAC_READ_SEARCH  the shadow file where it is mode 0000, secrets in homes
 * DAC_OVERRIDE     tallies of pam_faillock that belong to the user
 * CHOWN, FOWNER    giving such a tally to the user, and changing its mode
 * SETUID, SETGID   unix_chkpwd, and modules that act as the user
 * AUDIT_WRITE      the audit record that libpam itself writes
 */
static const int pam_caps[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
	CAP_SETGID, CAP_SETUID, CAP_AUDIT_WRITE, END
};

struct profile {
	enum ipc_role		 role;
	enum sandbox_extra	 extra;
	const int		*lists[6];
	bool			 stream;	/* socket(2) for TCP */
	bool			 dgram;		/* and UDP */
	bool			 writes;	/* files */
};

static const struct profile profiles[] = {
	{ ROLE_FRONTEND, SANDBOX_PLAIN, { base, sockets, acceptor },
	    false, false, false },
	{ ROLE_AUTH, SANDBOX_PLAIN, { base, sockets, acceptor },
	    false, false, false },
	{ ROLE_AUTH, SANDBOX_HASHER, { base }, false, false, false },
	{ ROLE_KEYS, SANDBOX_PLAIN, { base }, false, false, false },
	{ ROLE_QUEUE, SANDBOX_PLAIN, { base, files, spool },
	    false, false, true },
	{ ROLE_QUEUE, SANDBOX_FLUSHER, { base, flusher },
	    false, false, false },
	{ ROLE_RELAY, SANDBOX_PLAIN, { base, sockets, connector },
	    true, false, false },
	{ ROLE_RELAY, SANDBOX_MAILDIR, { base, files },
	    false, false, true },
	{ ROLE_RESOLVER, SANDBOX_PLAIN, { base, sockets, connector,
	    datagrams }, true, true, false },
	{ ROLE_CONTROL, SANDBOX_PLAIN, { base, sockets, acceptor },
	    false, false, false },
	/* SQLite files by descriptor; LDAP servers by address */
	{ ROLE_LOOKUP, SANDBOX_PLAIN, { base, sockets, connector },
	    true, false, false }
};

#define NPROFILES	(sizeof(profiles) / sizeof(profiles[0]))

#ifdef SANITIZED
int	 __lsan_is_turned_off(void);

/* Looking for leaks takes a thread and ptrace: only outside of sandboxes. */
static int	 sandboxed;

int
__lsan_is_turned_off(void)
{
	return sandboxed;
}
#endif

/* Add a rule; calls that this architecture has not are none to filter. */
static int
rule(scmp_filter_ctx ctx, uint32_t action, int call, unsigned int n,
    const struct scmp_arg_cmp *args)
{
	int	 ret;

	ret = seccomp_rule_add_array(ctx, action, call, n, args);
	return ret == -EDOM || ret == -EACCES ? 0 : ret;
}

static int
rules(scmp_filter_ctx ctx, uint32_t action, const int *list)
{
	for (; *list != END; list++)
		if (rule(ctx, action, *list, 0, NULL) != 0)
			return -1;
	return 0;
}

/* Allow call where argument n, masked, equals value. */
static int
allow_arg(scmp_filter_ctx ctx, int call, unsigned int n, uint64_t mask,
    uint64_t value)
{
	const struct scmp_arg_cmp	 cmp = SCMP_CMP64(n, SCMP_CMP_MASKED_EQ,
					    mask, value);

	return rule(ctx, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static int
allow_values(scmp_filter_ctx ctx, int call, unsigned int n,
    const uint32_t *values, size_t nvalues)
{
	size_t	 i;

	for (i = 0; i < nvalues; i++)
		if (allow_arg(ctx, call, n, UINT32_MAX, values[i]) != 0)
			return -1;
	return 0;
}

/* The calls of every role whose arguments are looked at. */
static int
base_args(scmp_filter_ctx ctx)
{
	static const uint32_t	 fcntls[] = { F_GETFD, F_SETFD, F_GETFL,
	    F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS };
	static const uint32_t	 ioctls[] = { FIONREAD, FIONBIO, TCGETS };
	static const uint32_t	 prctls[] = { PR_SET_NAME, PR_SET_VMA };
	static const uint32_t	 levels[] = { SOL_SOCKET, IPPROTO_TCP,
	    IPPROTO_IP, IPPROTO_IPV6 };
	const uint64_t		 all = UINT64_MAX;

	if (allow_values(ctx, CALL(fcntl), 1, fcntls,
	    sizeof(fcntls) / sizeof(fcntls[0])) != 0 ||
	    allow_values(ctx, CALL(ioctl), 1, ioctls,
	    sizeof(ioctls) / sizeof(ioctls[0])) != 0 ||
	    allow_values(ctx, CALL(prctl), 0, prctls,
	    sizeof(prctls) / sizeof(prctls[0])) != 0 ||
	    allow_values(ctx, CALL(setsockopt), 1, levels,
	    sizeof(levels) / sizeof(levels[0])) != 0)
		return -1;
	if (allow_arg(ctx, CALL(mmap), 2, PROT_EXEC, 0) != 0 ||
	    allow_arg(ctx, CALL(mprotect), 2, PROT_EXEC, 0) != 0 ||
	    allow_arg(ctx, CALL(socketpair), 0, UINT32_MAX, AF_UNIX) != 0 ||
	    /* limits are read, never set */
	    allow_arg(ctx, CALL(prlimit64), 2, all, 0) != 0 ||
	    rule(ctx, SCMP_ACT_ALLOW, CALL(getrlimit), 0, NULL) != 0 ||
	    /* abort(3), of itself alone */
	    allow_arg(ctx, CALL(tgkill), 0, UINT32_MAX,
	    (uint32_t)getpid()) != 0)
		return -1;
	return 0;
}

/* send(2) on a connected socket; fstat(3), which newer C libraries make of */
/* newfstatat(fd, "", AT_EMPTY_PATH). */
static int
connected_args(scmp_filter_ctx ctx, const struct profile *pr)
{
	if (!pr->dgram &&
	    allow_arg(ctx, CALL(sendto), 4, UINT64_MAX, 0) != 0)
		return -1;
	if (!pr->writes &&
	    allow_arg(ctx, CALL(newfstatat), 3, AT_EMPTY_PATH,
	    AT_EMPTY_PATH) != 0)
		return -1;
	return 0;
}

static int
socket_allow(scmp_filter_ctx ctx, int domain, int type)
{
	const struct scmp_arg_cmp	 cmp[] = {
		SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint64_t)domain),
		SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, 0xf, (uint64_t)type)
	};

	return rule(ctx, SCMP_ACT_ALLOW, CALL(socket), 2, cmp);
}

static int
sockets_args(scmp_filter_ctx ctx, const struct profile *pr)
{
	if (pr->stream && (socket_allow(ctx, AF_INET, SOCK_STREAM) != 0 ||
	    socket_allow(ctx, AF_INET6, SOCK_STREAM) != 0))
		return -1;
	if (pr->dgram && (socket_allow(ctx, AF_INET, SOCK_DGRAM) != 0 ||
	    socket_allow(ctx, AF_INET6, SOCK_DGRAM) != 0))
		return -1;
	return 0;
}

/* Locks, seals and modes of the processes that write files. */
static int
files_args(scmp_filter_ctx ctx, const struct profile *pr)
{
	static const uint32_t	 fcntls[] = { F_SETLK, F_SETLKW, F_GETLK,
	    F_OFD_SETLK, F_ADD_SEALS };

	if (pr->role == ROLE_LOOKUP)	/* a reader's lock */
		return allow_arg(ctx, CALL(fcntl), 1, UINT32_MAX, F_SETLK);
	if (!pr->writes)
		return 0;
	return allow_values(ctx, CALL(fcntl), 1, fcntls,
	    sizeof(fcntls) / sizeof(fcntls[0]));
}

static bool
listed(const struct profile *pr, int call)
{
	const int	*p;
	size_t		 i;

	for (i = 0; pr->lists[i] != NULL; i++)
		for (p = pr->lists[i]; *p != END; p++)
			if (*p == call)
				return true;
	return false;
}

/*
 * EACCES for the lookups that are not allowed. Calls that are allowed by some
 * of their arguments take the other branch: the filter refuses two rules of
 * which one holds for all arguments, so these get the rest by negation.
 */
static int
soft_rules(scmp_filter_ctx ctx, const struct profile *pr)
{
	const uint32_t			 eacces = SCMP_ACT_ERRNO(EACCES);
	const struct scmp_arg_cmp	 path = SCMP_CMP64(3,
					    SCMP_CMP_MASKED_EQ,
					    AT_EMPTY_PATH, 0);
	struct scmp_arg_cmp		 family;
	const int			*p;

	for (p = soft; *p != END; p++) {
		if (listed(pr, *p))
			continue;
		if (*p == CALL(newfstatat)) {
			if (rule(ctx, eacces, *p, 1, &path) != 0)
				return -1;
		} else if (*p == CALL(socket) && pr->stream) {
			/* netlink and unix are what the C library asks */
			family = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ,
			    UINT32_MAX, AF_UNIX);
			if (rule(ctx, eacces, *p, 1, &family) != 0)
				return -1;
			family = SCMP_CMP64(0, SCMP_CMP_MASKED_EQ,
			    UINT32_MAX, AF_NETLINK);
			if (rule(ctx, eacces, *p, 1, &family) != 0)
				return -1;
		} else if (rule(ctx, eacces, *p, 0, NULL) != 0)
			return -1;
	}
	return 0;
}

static int
allow_list(const struct profile *pr)
{
	scmp_filter_ctx	 ctx;
	size_t		 i;
	int		 ret = -1;

	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL)
		return -1;
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS) != 0)
		goto done;
	for (i = 0; pr->lists[i] != NULL; i++)
		if (rules(ctx, SCMP_ACT_ALLOW, pr->lists[i]) != 0)
			goto done;
	if (base_args(ctx) != 0 || connected_args(ctx, pr) != 0 ||
	    sockets_args(ctx, pr) != 0 || files_args(ctx, pr) != 0 ||
	    soft_rules(ctx, pr) != 0)
		goto done;
	ret = seccomp_load(ctx) == 0 ? 0 : -1;
done:
	seccomp_release(ctx);
	return ret;
}

static int
deny_list(void)
{
	scmp_filter_ctx	 ctx;
	int		 ret = -1;

	if ((ctx = seccomp_init(SCMP_ACT_ALLOW)) == NULL)
		return -1;
	/* set-id helpers must work, so privilege takes the place of NNP */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
	    rules(ctx, SCMP_ACT_ERRNO(EPERM), denied) == 0 &&
	    seccomp_load(ctx) == 0)
		ret = 0;
	seccomp_release(ctx);
	return ret;
}

/* Rights to the root ("/" after chroot) of a role that keeps files there. */
static int
landlock_root(int ruleset, uint64_t handled)
{
	struct ll_path_attr	 attr = { 0 };
	int			 ret;

	attr.access = handled & (LL_FS_WRITE_FILE | LL_FS_READ_FILE |
	    LL_FS_READ_DIR | LL_FS_REMOVE_FILE | LL_FS_MAKE_DIR |
	    LL_FS_MAKE_REG | LL_FS_REFER | LL_FS_TRUNCATE);
	if ((attr.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	ret = (int)syscall(LL_ADD_RULE, ruleset, LL_RULE_PATH_BENEATH, &attr,
	    0U);
	close(attr.fd);
	return ret;
}

static int
landlock(const struct profile *pr, const char **reason)
{
	struct ll_ruleset_attr	 attr = { .fs = LL_FS_ABI2 };
	size_t			 size = sizeof(attr.fs);
	long			 abi;
	int			 ruleset, ret;

	abi = syscall(LL_CREATE_RULESET, NULL, (size_t)0, LL_VERSION);
	if (abi < LL_ABI_FLOOR) {
		*reason = "Landlock: this kernel has not ABI 2";
		return -1;
	}
	if (abi >= 3)
		attr.fs |= LL_FS_TRUNCATE;
	if (abi >= 4) {
		size = offsetof(struct ll_ruleset_attr, scoped);
		attr.net = LL_NET_BIND_TCP;
		if (!pr->stream)
			attr.net |= LL_NET_CONNECT_TCP;
	}
	if (abi >= 5)
		attr.fs |= LL_FS_IOCTL_DEV;
	if (abi >= 6) {
		size = sizeof(attr);
		attr.scoped = LL_SCOPE_ABSTRACT | LL_SCOPE_SIGNAL;
	}
	*reason = "Landlock";
	ruleset = (int)syscall(LL_CREATE_RULESET, &attr, size, 0U);
	if (ruleset == -1)
		return -1;
	ret = pr->writes ? landlock_root(ruleset, attr.fs) : 0;
	if (ret == 0)
		ret = (int)syscall(LL_RESTRICT_SELF, ruleset, 0U);
	close(ruleset);
	return ret;
}

/* Give up, for good and for helpers as well, all but pam_caps. */
static int
capabilities(void)
{
	struct __user_cap_header_struct	 head = { 0 };
	struct __user_cap_data_struct	 now[2], keep[2] = { { 0 } };
	const int			*p;
	int				 cap;

	for (p = pam_caps; *p != END; p++)
		keep[*p / 32].permitted |= 1U << (*p % 32);
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (cap < 64 && keep[cap / 32].permitted & (1U << (cap % 32)))
			continue;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			return -1;
	}
	head.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capget, &head, now) == -1)
		return -1;
	for (cap = 0; cap < 2; cap++) {
		keep[cap].permitted &= now[cap].permitted;
		keep[cap].effective = keep[cap].permitted;
	}
	return (int)syscall(SYS_capset, &head, keep);
}

static int
apply_privileged(enum ipc_role role, const char **reason)
{
	*reason = "seccomp deny-list";
#ifdef SANITIZED
	sandboxed = 1;
#endif
	if (deny_list() == -1)
		return -1;
	*reason = "capabilities";
	if (role == ROLE_PAM && capabilities() == -1)
		return -1;
	*reason = NULL;
	return 0;
}

int
sandbox_apply(enum ipc_role role, enum sandbox_extra extra,
    const char **reason)
{
	const struct profile	*pr = NULL;
	size_t			 i;

	if (role == ROLE_PARENT || role == ROLE_PAM)
		return apply_privileged(role, reason);
	for (i = 0; i < NPROFILES; i++)
		if (profiles[i].role == role && profiles[i].extra == extra)
			pr = &profiles[i];
	*reason = "no such profile";
	if (pr == NULL)
		return -1;
	*reason = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	if (landlock(pr, reason) == -1)
		return -1;
	*reason = "seccomp allow-list";
#ifdef SANITIZED
	sandboxed = 1;
#endif
	if (allow_list(pr) == -1)
		return -1;
	*reason = NULL;
	return 0;
}
