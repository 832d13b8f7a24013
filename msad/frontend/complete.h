#ifndef FRONTEND_COMPLETE_H
#define FRONTEND_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

/*
 * The arguments of MAIL or RCPT: when their path is a local part alone they
 * come back with "@domain" behind it, written to buf, otherwise as they are
 * (<> and, for RCPT, <Postmaster> too). What is wrong with them is left to
 * the parser.
 */
struct slice complete_bare(struct slice args, bool rcpt, const char *domain,
    char *buf, size_t size);

#endif
