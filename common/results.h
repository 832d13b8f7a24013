#ifndef COMMON_RESULTS_H
#define COMMON_RESULTS_H

#include <stdbool.h>

#include "common/slice.h"

/*
 * Is this body of an Authentication-Results field ours by name (U- and A-labels
 * are equal), or of no known form?
 */
bool	 results_forged(struct slice body, const char *host);

#endif
