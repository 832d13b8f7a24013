#ifndef AUTH_CONTROL_H
#define AUTH_CONTROL_H

#include <stdint.h>

struct conf;
struct event_base;

/* What msactl may see and change here, by way of msad-control. */

/* At start. */
void	 control_init(struct event_base *);
/* Who may ask is in the configuration. */
void	 control_configure(const struct conf *);
/* The channel to msad-control; owns fd. 0 or -1. */
int	 control_channel(uint32_t index, uint64_t epoch, int fd);
/* End: tests under way have no answer. */
void	 control_stop(void);

#endif
