#ifndef LOOKUP_PREPARE_H
#define LOOKUP_PREPARE_H

/*
 * Let the libraries look at their surroundings once, before the sandbox would
 * refuse them. 0 or -1.
 */
int	 lookup_prepare(void);

#endif
