#ifndef RESOLVER_HOSTS_H
#define RESOLVER_HOSTS_H

#include <stddef.h>

/*
 * The hosts file and resolv.conf, from their text.
 */
#define HOSTS_LINE_MAX	1024	/* longer lines are passed over */
#define HOSTS_MAX	65536	/* pairs of name and address */
#define HOSTS_ANSWER_MAX 64
#define RESOLV_MAX	8

struct hosts;

/* NULL only when memory is out. Lines that are not understood do not count. */
struct hosts *hosts_parse(const char *text, size_t len);
void	 hosts_free(struct hosts *);
/*
 * The addresses of name (a NUL-terminated lower-case host name), of family 4,
 * 6 or 0 for both, in the order of the file, at most max. They stay owned by
 * hosts. Returns how many.
 */
size_t	 hosts_find(const struct hosts *, const char *name, int family,
	    const char **addr, size_t max);

/* The name servers of a resolv.conf; returns how many. */
size_t	 resolv_parse(const char *text, size_t len,
	    char servers[RESOLV_MAX][64]);

/*
 * Lower-case name into out, without a final dot. 0, or -1: not a host name
 * (letters, digits, hyphen, underscore, dots; at most 253 octets).
 */
int	 host_name(const char *name, size_t len, char *out, size_t size);

#endif
