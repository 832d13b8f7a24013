#ifndef QUEUE_HELD_H
#define QUEUE_HELD_H

#include <time.h>

/*
 * Limits are others than before, or were reset: messages that were held by one
 * go as soon as they may now, in the order in which they were to go. None goes
 * later than was said before. Returns how many go sooner at once; where there
 * are many, others follow as the loop runs.
 */
unsigned int held_forward(time_t now);

#endif
