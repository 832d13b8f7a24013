#ifndef MSACTL_SENDMAIL_SMTP_H
#define MSACTL_SENDMAIL_SMTP_H

#include <stdbool.h>
#include <stdio.h>

/* A conversation with msad by its local socket. */
struct smtp {
	FILE	*in;
	FILE	*out;
	char	 host[256];	/* as the greeting says */
	bool	 eightbit;	/* what EHLO listed */
	bool	 size;
	bool	 dsn;
	bool	 smtputf8;
	char	 text[1024];	/* last reply: its lines, in one */
	int	 code;		/* 0: there was none */
	char	 enhanced[12];	/* or "" */
};

/* The stages that a refusal may come at. */
enum smtp_stage {
	SMTP_GREETING,
	SMTP_SENDER,
	SMTP_RCPT,
	SMTP_MESSAGE
};

/* Connect; -1 with errno. The descriptor alone, for -bs. */
int	 smtp_connect(const char *path);
/* Take fd, read the greeting and say EHLO. 0, or -1 with the reply. */
int	 smtp_open(struct smtp *, int fd);
void	 smtp_close(struct smtp *);
/* Say a line and read the reply: its code, 0 when none came. */
int	 smtp_command(struct smtp *, const char *fmt, ...)
	    __attribute__((__format__(printf, 2, 3)));
int	 smtp_reply(struct smtp *);
/* The exit code, of sysexits(3), for the last reply. */
int	 smtp_exit(const struct smtp *, enum smtp_stage);

#endif
