#ifndef COMMON_SLICE_H
#define COMMON_SLICE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * A stretch of octets that somebody else owns: pointer and length, never
 * NUL-terminated. What parsers take and give.
 */
struct slice {
	const char	*p;
	size_t		 len;
};

#define SLICE(ptr, n)	((struct slice){ (const char *)(ptr), (n) })
#define SLICE_STR(s)	((struct slice){ (s), strlen(s) })
/* For printf: "%.*s" takes SLICE_FMT(s). */
#define SLICE_FMT(s)	(int)(s).len, (s).p

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool
slice_is(struct slice a, const char *s)
{
	return slice_eq(a, SLICE_STR(s));
}

/* ASCII case-insensitive comparison with a C string. */
static inline bool
slice_is_nocase(struct slice a, const char *s)
{
	return a.len == strlen(s) && strncasecmp(a.p, s, a.len) == 0;
}

static inline struct slice
slice_from(struct slice a, size_t off)
{
	return off >= a.len ? SLICE(a.p + a.len, 0) :
	    SLICE(a.p + off, a.len - off);
}

#endif
