#ifndef UNIT_CONTROL_SIDE_H
#define UNIT_CONTROL_SIDE_H

#include <stdint.h>

#include "common/ipc.h"

/* What the questions to auth carried, and how it is to answer. */
struct auth_seen {
	unsigned int	 asked;
	unsigned int	 type;
	uint64_t	 sid;
	char		 text[4][1100];
	uint32_t	 seconds;
	uint64_t	 after;		/* cursor of the last page */
	unsigned int	 pages;		/* of a list, left to send */
	int		 mute;		/* do not answer */
};

extern struct auth_seen			 seen;
extern const struct ipc_handler		 auth_side[];

/* The caller of each question: this very user. */
void	 read_caller(struct ipc_reader *);
void	 put_queue_end(struct ipc *, uint64_t sid, uint8_t status,
	    uint32_t matched, uint64_t after);
/* The queue's answers about limits; the user asked for is seen.text[0]. */
int	 side_limits(struct ipc *, struct ipc_msg *, void *);
int	 side_limits_reset(struct ipc *, struct ipc_msg *, void *);
void	 put_auth_end(struct ipc *, uint64_t sid, uint8_t status,
	    uint32_t matched, uint64_t after);
void	 put_fact(struct ipc *, unsigned int type, uint64_t sid,
	    const char *name, const char *value);

#endif
