#ifndef MSACTL_SENDMAIL_ARGS_H
#define MSACTL_SENDMAIL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

enum sendmail_mode {
	SENDMAIL_SEND = 0,	/* a message on standard input */
	SENDMAIL_SMTP,		/* -bs: SMTP on standard input and output */
	SENDMAIL_LIST,		/* -bp */
	SENDMAIL_FLUSH,		/* -q */
	SENDMAIL_NOTHING	/* -bi, -I: there is nothing to be built */
};

/* DSN parameters, checked: -N and -R. */
#define SENDMAIL_NOTIFY_MAX	32

/* What a command line of sendmail(8) asks for; strings are the caller's. */
struct sendmail_args {
	enum sendmail_mode	 mode;
	bool			 headers;	/* -t */
	bool			 dots;		/* -i: a lone dot is text */
	const char		*from;		/* -f, or NULL */
	const char		*name;		/* -F, or NULL */
	char			 notify[SENDMAIL_NOTIFY_MAX];	/* -N or "" */
	const char		*ret;		/* -R: FULL, HDRS or NULL */
	const char		*envid;		/* -V, or NULL */
	const char		*socket;	/* -S, or NULL */
	int			 nrcpts;
	char *const		*rcpts;
};

/*
 * Read the command line; argv[0] may be mailq or newaliases. Returns 0, or -1
 * with a sentence in error: EX_USAGE.
 */
int	 sendmail_args(struct sendmail_args *, int argc, char *const *argv,
	    char *error, size_t size);

#endif
