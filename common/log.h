#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdarg.h>
#include <stddef.h>

/*
 * The log: one line an event, "key=value" words, to stderr (msad -d) or to
 * syslog through a connected datagram socket that the parent hands over.
 * Text that came from outside goes through log_quote(). Levels are those of
 * syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
 */

/* Name the process in each line ("frontend[2]"); stderr 1: log to stderr. */
void	 log_init(const char *name, int to_stderr);
/* Log through this connected /dev/log socket from now on; owned by log. */
void	 log_set_syslog(int fd);
void	 log_set_level(int level);
int	 log_level(void);

void	 log_msg(int level, const char *fmt, ...)
	    __attribute__((__format__(printf, 2, 3)));

#define log_err(...)	log_msg(3, __VA_ARGS__)
#define log_warn(...)	log_msg(4, __VA_ARGS__)
#define log_notice(...)	log_msg(5, __VA_ARGS__)
#define log_info(...)	log_msg(6, __VA_ARGS__)
#define log_debug(...) do {			\
	if (log_level() >= 7)			\
		log_msg(7, __VA_ARGS__);	\
} while (0)

/* Log and exit(1): for our own broken invariants and for start-up alone. */
void	 fatal(const char *fmt, ...)
	    __attribute__((__format__(printf, 1, 2), __noreturn__));

/*
 * Write the n octets at p into buf as a double-quoted word: control, 8-bit,
 * quote and backslash octets become \xHH. Cut with "..." when it does not
 * fit. Returns buf. log_q() does it into one of eight static buffers of 512.
 */
char	*log_quote(char *buf, size_t size, const void *p, size_t n);
const char *log_q(const char *s);
const char *log_qn(const void *p, size_t n);

#endif
