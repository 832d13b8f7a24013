/* A spool for the fuzz targets of what operators order. Link kept_side.c. */
#ifndef FUZZ_KEPT_SIDE_H
#define FUZZ_KEPT_SIDE_H

#include <stdint.h>

/* The only register that may be written to, and only to take things back. */
extern uint64_t	kept_register;

/* As a kept_done: nobody waits. */
void	 kept_nobody(void *arg, const char *error);
/* What was committed last is on the disk. */
void	 kept_written(void);

#endif
