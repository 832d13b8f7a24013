#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that nobody sets: for times between two events. */
int64_t	 clock_ms(void);

#endif
