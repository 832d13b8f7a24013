#ifndef AUTH_CHANNELS_H
#define AUTH_CHANNELS_H

#include <stdint.h>

/* Channels as msad hands them over; each owns fd. 0 or -1. */
int	 channels_frontend(uint32_t index, uint64_t epoch, int fd);
int	 channels_queue(uint32_t index, uint64_t epoch, int fd);
struct frontend;
struct ipc;
/* For local.c: the front-end whose turn it is, the one of that epoch, and the
 * channel to the queue; NULL when there is none. */
struct frontend *channels_next_frontend(void);
struct frontend *channels_find_frontend(uint64_t epoch);
struct ipc *channels_to_queue(void);
/* Call fn for each session there is; it must not close any. */
struct session;
void	 channels_each_session(void (*fn)(struct session *, void *), void *);
/* Write out what front-ends and queue are still to hear, at most ms each. */
void	 channels_flush(int ms);
/* Close all. */
void	 channels_close(void);

#endif
