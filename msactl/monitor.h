#ifndef MSACTL_MONITOR_H
#define MSACTL_MONITOR_H

#include <stdbool.h>

/*
 * Print a line of rates each second, count lines (0: without end), as JSON or
 * text. Returns the exit code.
 */
int	 monitor(unsigned int count, bool json);

#endif
