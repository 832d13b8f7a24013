/*
 * Delivery into a Maildir, by an msad-relay process of its own that is rooted
 * in that directory and has no network.
 *
 * relay.c submits jobs. All that are there when the loop comes round are
 * written to tmp/, flushed, moved to new/, and that directory is flushed once
 * for all of them; only then the results go out. A message goes in once,
 * whatever the number of its recipients in the job. Lines end with LF, as
 * readers of a Maildir expect; Return-Path is put in front. 8-bit octets and
 * addresses outside ASCII are taken as they are. Names follow the usual
 * pattern: seconds, then what is unique here, then the host.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "msad/relay/deliverby.h"
#include "msad/relay/dot.h"
#include "msad/relay/maildir.h"

#define BATCH	64
#define CHUNK	65536

struct delivery {
	struct job	*job;
	int		 fd;		/* of the file in tmp/, or -1 */
	char		 name[160];
	struct result	 res;
};

static struct job_list	 waiting = TAILQ_HEAD_INITIALIZER(waiting);
static struct event	 run_event;
static int		 tmp_dir = -1, new_dir = -1;
static char		 host[64] = "localhost";
static unsigned long	 counter;

static int
maildir_open_dir(const char *name)
{
	int	 fd;

	if (mkdir(name, 0700) == -1 && errno != EEXIST)
		log_warn("event=maildir error=%s dir=%s",
		    log_q(strerror(errno)), name);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		log_err("event=maildir error=%s dir=%s",
		    log_q(strerror(errno)), name);
	return fd;
}

int
maildir_init(void)
{
	int	 cur;

	tmp_dir = maildir_open_dir("tmp");
	new_dir = maildir_open_dir("new");
	cur = maildir_open_dir("cur");
	if (tmp_dir == -1 || new_dir == -1 || cur == -1)
		return -1;
	close(cur);
	return 0;
}

void
maildir_set_host(const char *hostname)
{
	char	*p;

	strlcpy(host, hostname, sizeof(host));
	for (p = host; *p != '\0'; p++)
		if (*p == '/' || *p == ':')
			*p = '_';
}

/* ENOSPC and what else there is: none of it is the message's fault. */
static void
maildir_failed(struct delivery *d, const char *what)
{
	int	 error = errno;

	log_warn("q=%s event=maildir doing=%s error=%s", d->job->id, what,
	    log_q(strerror(error)));
	result_set(&d->res, OUTCOME_TRANSIENT,
	    error == ENOSPC || error == EDQUOT ? "4.3.1" : "4.3.0",
	    "Maildir: %s: %s", what, strerror(error));
	if (d->fd != -1) {
		unlinkat(tmp_dir, d->name, 0);
		close(d->fd);
		d->fd = -1;
	}
}

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t	 n;

	while (len > 0) {
		if ((n = write(fd, p, len)) == -1) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The content with LF ends. NULL, or what went wrong. */
static const char *
maildir_content(struct delivery *d)
{
	static char	 in[CHUNK], out[DOT_ROOM(CHUNK) + 1];
	struct dot	 dot;
	uint64_t	 off;
	ssize_t		 n, m = 0;

	dot_init(&dot);
	for (off = 0; off < d->job->size; off += (uint64_t)n) {
		if ((n = job_read(d->job, off, in, sizeof(in))) == -1) {
			if (errno == 0)
				errno = EIO;	/* shorter than it should be */
			return "reading the message";
		}
		if ((m = dot_lf(&dot, in, (size_t)n, out)) == -1)
			break;
		if (write_all(d->fd, out, (size_t)m) == -1)
			return "writing";
	}
	if (m == -1 || (m = dot_lf_end(&dot, out)) == -1) {
		result_set(&d->res, OUTCOME_PERMANENT, "5.6.0",
		    "the message holds a bare CR or LF");
		return "";
	}
	return write_all(d->fd, out, (size_t)m) == -1 ? "writing" : NULL;
}

static void
maildir_write(struct delivery *d)
{
	struct timeval	 tv;
	const char	*what;
	char		 path[1200];
	int		 n;

	if (deliverby_lapsed(d->job)) {
		result_set(&d->res, OUTCOME_PERMANENT, "5.4.7", "the time by "
		    "which it was to be delivered has passed");
		return;
	}
	gettimeofday(&tv, NULL);
	snprintf(d->name, sizeof(d->name), "%lld.M%06ldP%ldQ%lu.%s",
	    (long long)tv.tv_sec, (long)tv.tv_usec, (long)getpid(),
	    ++counter, host);
	d->fd = openat(tmp_dir, d->name, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->fd == -1) {
		maildir_failed(d, "creating a file");
		return;
	}
	n = snprintf(path, sizeof(path), "Return-Path: <%s>\n", d->job->from);
	if (n < 0 || (size_t)n >= sizeof(path))
		n = snprintf(path, sizeof(path), "Return-Path: <>\n");
	if (write_all(d->fd, path, (size_t)n) == -1)
		what = "writing";
	else
		what = maildir_content(d);
	if (what == NULL)
		return;
	if (*what != '\0') {
		maildir_failed(d, what);
		return;
	}
	unlinkat(tmp_dir, d->name, 0);
	close(d->fd);
	d->fd = -1;
}

/* Make the file's octets durable and give it its place. */
static void
maildir_move(struct delivery *d)
{
	int	 error;

	if (d->fd == -1)
		return;
	if (fsync(d->fd) == -1) {
		maildir_failed(d, "flushing");
		return;
	}
	error = close(d->fd);
	d->fd = -1;
	if (error == -1 ||
	    renameat(tmp_dir, d->name, new_dir, d->name) == -1) {
		maildir_failed(d, "moving to new");
		unlinkat(tmp_dir, d->name, 0);
		return;
	}
	result_set(&d->res, OUTCOME_DELIVERED, "2.0.0", "in the Maildir as %s",
	    d->name);
	d->res.flags = RESULT_SMTPUTF8;
}

static void
maildir_run(int fd, short what, void *arg)
{
	static struct delivery	 batch[BATCH];
	struct delivery		*d;
	size_t			 i, n = 0;
	int			 failed;

	(void)fd;
	(void)what;
	(void)arg;
	while (n < BATCH && !TAILQ_EMPTY(&waiting)) {
		d = &batch[n++];
		d->fd = -1;
		d->job = TAILQ_FIRST(&waiting);
		d->job->state = JOB_RUNNING;
		TAILQ_REMOVE(&waiting, d->job, entry);
		maildir_write(d);
	}
	for (i = 0; i < n; i++)
		maildir_move(&batch[i]);
	failed = fsync(new_dir) == -1;
	for (i = 0; i < n; i++) {
		d = &batch[i];
		if (failed && d->res.outcome == OUTCOME_DELIVERED)
			maildir_failed(d, "flushing the directory");
		job_all_results(d->job, &d->res, "maildir", "");
		job_done(d->job, 0);
	}
	if (!TAILQ_EMPTY(&waiting))
		event_active(&run_event, EV_TIMEOUT, 1);
}

void
maildir_submit(struct job *job)
{
	if (!event_initialized(&run_event)) {
		evtimer_set(&run_event, maildir_run, NULL);
		event_base_set(child_base(), &run_event);
	}
	TAILQ_INSERT_TAIL(&waiting, job, entry);
	event_active(&run_event, EV_TIMEOUT, 1);
}

int
maildir_withdraw(struct job *job)
{
	if (job->state != JOB_WAITING)
		return -1;
	TAILQ_REMOVE(&waiting, job, entry);
	return 0;
}
