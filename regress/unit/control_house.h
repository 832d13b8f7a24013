#ifndef UNIT_CONTROL_HOUSE_H
#define UNIT_CONTROL_HOUSE_H

#include <event.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/conf.h"
#include "common/ipc.h"

extern struct event_base	*base;
/* Control's ends of its channels, and the other ones. */
extern struct ipc		*parent_ch, *queue_ch, *auth_ch;
extern struct ipc		*msad, *queue, *auth;
extern struct conf		 conf;

/* Who answers: of each test program. */
extern const struct ipc_handler	 queue_side[], parent_side[];

/* The control socket, the caller's end, and what he read so far. */
extern char			 path[64];
extern int			 sock;
extern char			 in[4 * 1024 * 1024];
extern size_t			 in_len;

/* Set all up, with a caller who is connected: 0, or -1. */
int	 house_open(void);
void	 house_close(void);

/* Connect; write. */
void	 call(void);
void	 say(const char *);
/* Run the loop until n last lines were read; false: the other side closed. */
bool	 hear(unsigned int n);
/* Say a request and hear its answer, which is in in[]. */
void	 ask(const char *request);
/* The other side closes now. */
void	 hear_close(void);

#endif
