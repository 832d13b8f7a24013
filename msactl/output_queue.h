#ifndef MSACTL_OUTPUT_QUEUE_H
#define MSACTL_OUTPUT_QUEUE_H

#include <jansson.h>

#include "msactl/parser.h"

/* A line of the answer to queue list or queue show, as text. */
void	 output_queue(const json_t *, const struct command *);

#endif
