/* links: msad/queue/spool_*.c msad/queue/segment.c msad/queue/record.c */
/* links: msad/queue/flusher.c msad/queue/envelope.c msad/queue/index*.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/schedule*.c */
/* links: msad/queue/fair.c */
/*
 * A long queue, without the network: messages are put into a spool as the queue
 * does it, the process ends as by kill -9, and another one opens the spool and
 * takes all of it into index and schedule. Prints how fast messages are
 * accepted by an empty and by a full spool, how long the start takes, and what
 * it costs in memory.
 *
 * usage: b_queue [-n messages] [-s octets] [-r repetitions] -d directory
 * The directory must be there; "spool" is made in it and removed again.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "config.h"
#include "msad/queue/envelope.h"
#include "msad/queue/flusher.h"
#include "msad/queue/index.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_io.h"

#define WINDOW	100		/* messages under way */
#define BLOCK	10000		/* messages of one measurement */

static struct event_base	*base;
static struct spool_io		*io;
static struct spool		*spool;
static struct spool_report	 report;
static uint8_t			*text;
static size_t			 size = 2000;
static unsigned int		 pending;
static uint64_t			 serial;
static double			 longest;

static double
now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of this process, which says more on a machine that does other things. */
static double
processor(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A line of /proc/self/status, in octets: RssAnon, VmHWM. */
static uint64_t
memory(const char *what)
{
	char	 line[256];
	uint64_t n = 0;
	FILE	*f;

	if ((f = fopen("/proc/self/status", "r")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, what, strlen(what)) == 0)
			n = strtoull(line + strlen(what) + 1, NULL, 10) * 1024;
	fclose(f);
	return n;
}

static void
on_message(void *arg, const struct spool_recovered *r)
{
	struct envelope	 e;
	struct message	*m;

	(void)arg;
	if (envelope_decode(r->env, r->envlen, &e) == -1 ||
	    (m = message_new(r->id, r->size, &e)) == NULL)
		errx(1, "a message cannot be recovered");
	index_insert(m);
}

static void
on_trouble(void *arg, const char *place, uint64_t off, const char *what)
{
	(void)arg;
	printf("# trouble: %s:%" PRIu64 ": %s\n", place, off, what);
}

static void
lost(void *arg)
{
	(void)arg;
	errx(1, "the flusher is gone");
}

static void
open_spool(const char *dir)
{
	static const struct spool_events	 ev = {
		.message = on_message, .trouble = on_trouble };
	char					 reason[160];
	pid_t					 pid;
	int					 fd, dirfd;

	if ((fd = flusher_start(&pid)) == -1)
		err(1, "flusher");
	base = event_base_new();
	if ((io = spool_io_new(base, fd, lost, NULL)) == NULL)
		errx(1, "spool_io_new");
	if ((dirfd = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		err(1, "%s", dir);
	if ((spool = spool_open(dirfd, io, NULL, &ev, &report, reason,
	    sizeof(reason))) == NULL)
		errx(1, "%s", reason);
}

/* --- acceptance --- */

static void	accept_one(void);

static uint64_t	left;

static void
on_done(void *arg, enum spool_result result)
{
	(void)arg;
	if (result != SPOOL_OK)
		errx(1, "commit: %s", spool_result_name(result));
	pending--;
	if (left > 0)
		accept_one();
}

/* What a client of a firm sends: 50 users, 2,000 other domains. */
static void
accept_one(void)
{
	struct spool_message	*m;
	struct envelope		 e;
	struct slice		 rcpt;
	enum spool_result	 result;
	char			 user[64], to[80], msgid[80];
	uint8_t			*env;
	size_t			 len;

	left--;
	serial++;
	if ((m = spool_message_begin(spool, 0, &result)) == NULL ||
	    spool_message_append(m, text, size) != SPOOL_OK)
		errx(1, "append: %s", spool_result_name(result));
	memset(&e, 0, sizeof(e));
	snprintf(user, sizeof(user), "someone%" PRIu64 "@firm.example",
	    serial % 50);
	snprintf(to, sizeof(to), "first.last%" PRIu64 "@customer%" PRIu64
	    ".example", serial, serial % 2000);
	snprintf(msgid, sizeof(msgid), "%016" PRIx64 "%08x@mail.firm.example",
	    serial * UINT64_C(0x9e3779b97f4a7c15), (unsigned int)serial);
	e.arrival = (uint64_t)time(NULL);
	e.header_len = 400;
	e.user = e.sender = SLICE_STR(user);
	e.tenant = SLICE_STR("firm.example");
	e.auth = SLICE_STR("passwd");
	e.mech = SLICE_STR("PLAIN");
	e.relay = SLICE_STR("smarthost");
	e.msgid = SLICE_STR(msgid);
	rcpt = SLICE_STR(to);
	if ((env = envelope_encode(&e, &rcpt, NULL, 1, &len)) == NULL)
		errx(1, "envelope");
	pending++;
	spool_message_commit(m, env, len, "Received: by us\r\n", 17, on_done,
	    NULL);
	free(env);
}

/* Accept n messages, WINDOW of them at once; messages a second. */
static double
accept_block(uint64_t n)
{
	double	from = now(), mark = from, t;

	for (left = n; left > 0 && pending < WINDOW;)
		accept_one();
	while (pending > 0 || !spool_idle(spool)) {
		event_base_loop(base, EVLOOP_ONCE);
		t = now();
		if (t - mark > longest)
			longest = t - mark;
		mark = t;
	}
	spool_tick(spool);
	return (double)n / (now() - from);
}

static int
by_value(const void *a, const void *b)
{
	const double	*x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
measure(const char *what, unsigned int repetitions)
{
	double		v[64];
	unsigned int	i;

	accept_block(BLOCK);		/* files are made, memory is there */
	sync();				/* what was written before is over */
	longest = 0;
	for (i = 0; i < repetitions; i++)
		v[i] = accept_block(BLOCK);
	qsort(v, repetitions, sizeof(v[0]), by_value);
	printf("%-36s %10.0f /s  (%.0f .. %.0f), longest pause %.0f ms\n",
	    what, v[repetitions / 2], v[0], v[repetitions - 1],
	    longest * 1000);
	fflush(stdout);
}

/* --- the processes --- */

static void
fill(const char *dir, uint64_t n, unsigned int repetitions)
{
	double	from;

	open_spool(dir);
	measure("accepted by an empty spool", repetitions);
	from = now();
	while (serial < n)
		accept_block(n - serial < BLOCK ? n - serial : BLOCK);
	printf("%-36s %10.1f s\n", "filled", now() - from);
	fflush(stdout);
	_exit(0);			/* and nothing is closed */
}

static int
no_job(struct dest *d, struct message *m, time_t t, bool probe)
{
	(void)d;
	(void)m;
	(void)t;
	(void)probe;
	return 0;
}

static void
no_expiry(struct message *m, time_t t)
{
	(void)m;
	(void)t;
}

/* Out of the page cache with the spool: a start after the machine's. */
static void
make_cold(const char *dir)
{
	char		 path[512];
	struct dirent	*e;
	DIR		*d;
	int		 fd;

	sync();
	snprintf(path, sizeof(path), "%s/log", dir);
	if ((d = opendir(path)) == NULL)
		err(1, "%s", path);
	while ((e = readdir(d)) != NULL) {
		if ((fd = openat(dirfd(d), e->d_name, O_RDONLY)) == -1)
			continue;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	closedir(d);
}

static void
start(const char *dir, unsigned int repetitions)
{
	struct message	*m;
	double		 from, opened, done, used_cpu = processor();
	uint64_t	 before = memory("RssAnon:"), used;

	schedule_init(no_job, no_expiry);
	schedule_now();
	from = now();
	open_spool(dir);
	opened = now();
	for (m = index_after(0); m != NULL; m = index_after(m->id))
		if (schedule_add(m) == -1)
			errx(1, "out of memory");
	schedule_run(schedule_now());
	done = now();
	used = memory("RssAnon:") - before;
	used_cpu = processor() - used_cpu;
	printf("%-36s %10.2f s  (spool %.2f, schedule %.2f; processor %.2f)"
	    "\n", "start", done - from, opened - from, done - opened,
	    used_cpu);
	printf("%-36s %10" PRIu64 " of %u segments, %u by digest\n",
	    "messages", index_messages(), report.segments, report.digests);
	printf("%-36s %10.0f octets a message, %.0f at most\n", "memory",
	    (double)used / (double)index_messages(),
	    (double)memory("VmHWM:") / (double)index_messages());
	fflush(stdout);
	if (repetitions > 0)
		measure("accepted by the full spool", repetitions);
	_exit(0);
}

static void
child(void (*fn)(const char *, uint64_t, unsigned int), const char *dir,
    uint64_t n, unsigned int repetitions)
{
	pid_t	pid;
	int	status;

	fflush(stdout);
	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		fn(dir, n, repetitions);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		errx(1, "a part failed");
}

static void
start_child(const char *dir, uint64_t n, unsigned int repetitions)
{
	(void)n;
	start(dir, repetitions);
}

int
main(int argc, char **argv)
{
	uint64_t	 n = 20000;
	unsigned int	 repetitions = 5;
	const char	*dir = NULL;
	int		 ch, i;

	while ((ch = getopt(argc, argv, "d:n:r:s:")) != -1)
		switch (ch) {
		case 'd':
			dir = optarg;
			break;
		case 'n':
			n = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			repetitions = (unsigned int)strtonum(optarg, 1, 63,
			    NULL);
			break;
		case 's':
			size = (size_t)strtonum(optarg, 1, 100000, NULL);
			break;
		default:
			dir = NULL;
		}
	if (dir == NULL || repetitions == 0 || size == 0)
		errx(2, "usage: b_queue [-n messages] [-s octets] "
		    "[-r repetitions] -d directory");
	if ((text = malloc(size)) == NULL)
		err(1, NULL);
	memset(text, 'x', size);
	child(fill, dir, n, repetitions);
	for (i = 0; i < 3; i++)
		child(start_child, dir, n, 0);
	make_cold(dir);
	printf("nothing in the page cache:\n");
	child(start_child, dir, n, repetitions);
	return 0;
}
