/*
 * The client's side of SMTP for sendmail(8), over msad's local socket, where
 * the kernel tells msad who we are. Runs in msactl. A reply is text to be
 * shown to the caller; nothing but its code decides what is done.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "msactl/sendmail_smtp.h"

#define WAIT_SECONDS	600	/* RFC 5321 section 4.5.3.2.6 */

int
smtp_connect(const char *path)
{
	const struct timeval	 tv = { WAIT_SECONDS, 0 };
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	int			 fd, saved;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

/* A line of a reply without its end. False: there is none. */
static bool
get_line(struct smtp *s, char *buf, size_t size)
{
	size_t	 len;

	if (fgets(buf, (int)size, s->in) == NULL)
		return false;
	len = strlen(buf);
	if (len == 0 || buf[len - 1] != '\n')
		return false;
	while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
		buf[--len] = '\0';
	return len >= 3 && isdigit((unsigned char)buf[0]) &&
	    isdigit((unsigned char)buf[1]) && isdigit((unsigned char)buf[2]);
}

static bool
is_word(const char *p, const char *word)
{
	size_t	 n = strlen(word);

	return strncasecmp(p, word, n) == 0 && (p[n] == '\0' || p[n] == ' ');
}

/* A line of the reply to EHLO. */
static void
extension(struct smtp *s, const char *p)
{
	if (is_word(p, "8BITMIME"))
		s->eightbit = true;
	else if (is_word(p, "SIZE"))
		s->size = true;
	else if (is_word(p, "DSN"))
		s->dsn = true;
	else if (is_word(p, "SMTPUTF8"))
		s->smtputf8 = true;
}

static void
enhanced(struct smtp *s, const char *p)
{
	size_t	 n = strspn(p, "0123456789.");

	s->enhanced[0] = '\0';
	if (n >= 5 && n < sizeof(s->enhanced) && p[1] == '.') {
		memcpy(s->enhanced, p, n);
		s->enhanced[n] = '\0';
	}
}

int
smtp_reply(struct smtp *s)
{
	char	 buf[1024];
	bool	 more;

	s->text[0] = s->enhanced[0] = '\0';
	s->code = 0;
	do {
		if (!get_line(s, buf, sizeof(buf)))
			return 0;
		more = buf[3] == '-';
		if (buf[3] != '\0') {
			if (s->text[0] != '\0')
				strlcat(s->text, " ", sizeof(s->text));
			strlcat(s->text, buf + 4, sizeof(s->text));
			extension(s, buf + 4);
			enhanced(s, buf + 4);
		}
	} while (more);
	s->code = (buf[0] - '0') * 100 + (buf[1] - '0') * 10 + buf[2] - '0';
	return s->code;
}

int
smtp_command(struct smtp *s, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vfprintf(s->out, fmt, ap);
	va_end(ap);
	fputs("\r\n", s->out);
	if (fflush(s->out) == EOF) {
		/* it may have said why before it closed */
		return smtp_reply(s);
	}
	return smtp_reply(s);
}

int
smtp_open(struct smtp *s, int fd)
{
	int	 other;

	memset(s, 0, sizeof(*s));
	if ((other = dup(fd)) == -1 || (s->in = fdopen(fd, "r")) == NULL ||
	    (s->out = fdopen(other, "w")) == NULL)
		return -1;
	if (smtp_reply(s) != 220)
		return -1;
	strlcpy(s->host, s->text, sizeof(s->host));
	s->host[strcspn(s->host, " ")] = '\0';
	s->eightbit = s->size = s->dsn = s->smtputf8 = false;
	return smtp_command(s, "EHLO localhost") == 250 ? 0 : -1;
}

void
smtp_close(struct smtp *s)
{
	if (s->in != NULL)
		fclose(s->in);
	if (s->out != NULL)
		fclose(s->out);
	s->in = s->out = NULL;
}

int
smtp_exit(const struct smtp *s, enum smtp_stage stage)
{
	if (s->code < 500)
		return EX_TEMPFAIL;
	if (strncmp(s->enhanced, "5.7.", 4) == 0)
		return EX_NOPERM;
	switch (stage) {
	case SMTP_RCPT:
		return strcmp(s->enhanced, "5.1.2") == 0 ? EX_NOHOST :
		    EX_NOUSER;
	case SMTP_SENDER:
		return s->code == 501 || s->code == 552 ? EX_DATAERR :
		    EX_UNAVAILABLE;
	case SMTP_MESSAGE:
		return EX_DATAERR;
	default:
		return EX_UNAVAILABLE;
	}
}
