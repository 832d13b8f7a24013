/*
 * Descriptors of syslogd's socket for msad and its children, which cannot open
 * it from their empty roots. A syslogd that is started again binds a new
 * socket: its inode is looked at every few seconds, and all get a descriptor
 * of the new one. Runs in msad.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event.h>
#include <paths.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"

#ifndef _PATH_LOG
#define _PATH_LOG	"/dev/log"
#endif

#define WATCH_SECONDS	5

static struct event	 timer;
static dev_t		 dev;
static ino_t		 ino;
static struct timespec	 ctim;

int
syslog_open(void)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd;

	strlcpy(sun.sun_path, _PATH_LOG, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Is there another socket than the last time? */
static bool
changed(void)
{
	struct stat	 st;

	if (stat(_PATH_LOG, &st) == -1)
		return false;
	if (st.st_dev == dev && st.st_ino == ino &&
	    st.st_ctim.tv_sec == ctim.tv_sec &&
	    st.st_ctim.tv_nsec == ctim.tv_nsec)
		return false;
	dev = st.st_dev;
	ino = st.st_ino;
	ctim = st.st_ctim;
	return true;
}

static void
on_timer(int fd, short what, void *arg)
{
	const struct timeval	 tv = { WATCH_SECONDS, 0 };
	struct proc		*p;
	int			 s;

	(void)fd;
	(void)what;
	(void)arg;
	event_add(&timer, &tv);
	if (!changed())
		return;
	if ((s = syslog_open()) == -1) {
		ino = 0;	/* bound, but not yet answering: look again */
		return;
	}
	log_set_syslog(s);
	TAILQ_FOREACH(p, &procs, entry)
		if (p->ch != NULL && proc_writable(p))
			proc_send_syslog(p);
	log_info("event=syslog-renewed");
}

void
syslog_watch(void)
{
	const struct timeval	 tv = { WATCH_SECONDS, 0 };

	if (options.debug)
		return;
	(void)changed();
	event_assign(&timer, parent_base(), -1, 0, on_timer, NULL);
	event_add(&timer, &tv);
}

void
syslog_unwatch(void)
{
	if (!options.debug)
		event_del(&timer);
}
