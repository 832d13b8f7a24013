#ifndef MSACTL_STEER_H
#define MSACTL_STEER_H

#include <jansson.h>
#include <stdbool.h>

#include "msactl/parser.h"

/* The terms of a selection as an array; text is that of picked_batch(). */
json_t	*steer_select(const char *text);

/*
 * Do what a command with a selection of the queue asks for: in batches, and
 * after a question on a terminal where much is to be changed and yes is not
 * set. request() makes the request without its selection. Returns the exit
 * code, a message was written if it is not 0.
 */
int	 steer(struct command *, const char *socket, bool yes,
	    json_t *(*request)(const struct command *));

#endif
