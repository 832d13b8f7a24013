/*
 * The clock for waiting times and ages, in every process.
 */
#include <time.h>

#include "common/clock.h"

int64_t
clock_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
