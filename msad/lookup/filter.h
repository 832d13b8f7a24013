#ifndef LOOKUP_FILTER_H
#define LOOKUP_FILTER_H

#include <stddef.h>

/*
 * Write the filter with the login in place of each %u, escaped as RFC 4515
 * section 3 has it, and % for each %%. Returns the length, or -1 when it does
 * not fit in buf.
 */
int	 filter_write(const char *filter, const char *login, char *buf,
    size_t size);

#endif
