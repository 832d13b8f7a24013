/*
 * The log of every process: one line an event. See log.h.
 *
 * Lines go to stderr, or as RFC 3164 datagrams to a connected socket: libc's
 * syslog(3) would want to open /dev/log, which a process in an empty root
 * cannot.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

#define LINE_MAX_OCTETS	8192

static char	 progname[64] = "msad";
static int	 use_stderr = 1;
static int	 level_now = LOG_INFO;
static int	 syslog_fd = -1;

void
log_init(const char *name, int to_stderr)
{
	strlcpy(progname, name, sizeof(progname));
	use_stderr = to_stderr;
}

void
log_set_syslog(int fd)
{
	if (syslog_fd != -1)
		close(syslog_fd);
	syslog_fd = fd;
}

void
log_set_level(int level)
{
	level_now = level;
}

int
log_level(void)
{
	return level_now;
}

static void
to_stderr(const char *line)
{
	char		 out[LINE_MAX_OCTETS + 128], when[32];
	struct timespec	 ts;
	struct tm	 tm;
	int		 n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(out, sizeof(out), "%s.%03ldZ %s: %s\n", when,
	    ts.tv_nsec / 1000000, progname, line);
	if (n > 0 && write(STDERR_FILENO, out, (size_t)n) == -1)
		return;
}

static void
to_syslog(int level, const char *line)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char		 out[LINE_MAX_OCTETS + 128];
	struct tm	 tm;
	time_t		 now;
	int		 n;

	if (syslog_fd == -1)
		return;
	now = time(NULL);
	localtime_r(&now, &tm);
	n = snprintf(out, sizeof(out), "<%d>%.3s %2d %02d:%02d:%02d msad[%d]: "
	    "%s: %s", LOG_MAIL | level, months + 3 * tm.tm_mon, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid(), progname, line);
	if (n > 0)
		send(syslog_fd, out, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void	 log_v(int, const char *, va_list)
		    __attribute__((__format__(printf, 2, 0)));

static void
log_v(int level, const char *fmt, va_list ap)
{
	char	 line[LINE_MAX_OCTETS];

	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		return;
	if (use_stderr)
		to_stderr(line);
	else
		to_syslog(level, line);
}

void
log_msg(int level, const char *fmt, ...)
{
	va_list	 ap;
	int	 saved = errno;

	if (level > level_now)
		return;
	va_start(ap, fmt);
	log_v(level, fmt, ap);
	va_end(ap);
	errno = saved;
}

void
fatal(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	log_v(LOG_CRIT, fmt, ap);
	va_end(ap);
	_exit(1);
}

char *
log_quote(char *buf, size_t size, const void *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = p;
	size_t		 i, o = 0;

	/* The longest that one octet needs, "..." and the closing quote. */
	if (size < 10) {
		if (size > 0)
			buf[0] = '\0';
		return buf;
	}
	buf[o++] = '"';
	for (i = 0; i < n; i++) {
		if (o + 4 + 3 + 2 > size) {
			memcpy(buf + o, "...", 3);
			o += 3;
			break;
		}
		if (s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' &&
		    s[i] != '\\') {
			buf[o++] = (char)s[i];
			continue;
		}
		buf[o++] = '\\';
		buf[o++] = 'x';
		buf[o++] = hex[s[i] >> 4];
		buf[o++] = hex[s[i] & 15];
	}
	buf[o++] = '"';
	buf[o] = '\0';
	return buf;
}

const char *
log_qn(const void *p, size_t n)
{
	static char	 bufs[8][512];
	static unsigned int next;

	return log_quote(bufs[next++ % 8], sizeof(bufs[0]), p, n);
}

const char *
log_q(const char *s)
{
	return log_qn(s, strlen(s));
}
