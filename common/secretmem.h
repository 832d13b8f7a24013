#ifndef COMMON_SECRETMEM_H
#define COMMON_SECRETMEM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Zeroed memory for secrets, for as long as the process lives: not swapped
 * out, in no core dump, empty or absent in a child of fork(2), and out of the
 * kernel's own reach where the system has such memory (memfd_secret(2)). NULL
 * with errno. *locked: it will not be swapped; false where the process may
 * lock no more (RLIMIT_MEMLOCK).
 */
void	*secretmem_alloc(size_t, bool *locked);

#endif
