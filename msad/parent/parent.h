#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct conf_macro;
struct event_base;
struct generation;

/* What the command line said; set once by msad.c. */
struct options {
	const char		*conf_path;
	const char		*libexec;	/* absolute */
	struct conf_macro	*macros;
	size_t			 nmacros;
	bool			 debug;		/* -d: log to stderr */
	bool			 verbose;	/* -v: log level debug */
};

extern struct options	 options;

struct event_base *parent_base(void);
/* The configuration that holds; reload.c replaces it. */
struct generation *parent_generation(void);
void	 parent_set_generation(struct generation *);
/* All children run for the first time. */
void	 parent_started(void);
/* Leave the loop and exit with status. */
void	 parent_exit(int status);

/* Milliseconds of a clock that only goes forward. */
int64_t	 parent_now(void);

/* --- notify.c: the service manager, by sd_notify(3)'s protocol --- */

/* Remember and hide $NOTIFY_SOCKET. True: there is one. */
bool	 notify_init(void);
/* One state, "READY=1" for example; nothing happens without a socket. */
void	 notify_send(const char *state);

/* --- syslog.c: connected descriptors of syslogd's socket --- */

/* A new one, or -1 where there is no syslogd now. */
int	 syslog_open(void);
/* Watch for a syslogd that was started again; renews all children's. */
void	 syslog_watch(void);
void	 syslog_unwatch(void);

#endif
