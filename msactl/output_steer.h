#ifndef MSACTL_OUTPUT_STEER_H
#define MSACTL_OUTPUT_STEER_H

#include <jansson.h>
#include <stdbool.h>

#include "msactl/parser.h"

/* A line of the answer about sums, a history, rules or pauses, as text. */
void	 output_steer(const json_t *, const struct command *);
/* The number of a rule that was added. */
void	 output_number(const json_t *end, bool json);

/*
 * Take a line of queue cat or queue age, whose answers are one thing in many
 * lines; text of cat is written as it comes.
 */
void	 output_keep(const json_t *, const struct command *, bool json);
/* The answer is complete: write what is left. False: it is none of these. */
bool	 output_kept(const struct command *, bool json);

#endif
