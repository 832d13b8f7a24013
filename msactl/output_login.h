#ifndef MSACTL_OUTPUT_LOGIN_H
#define MSACTL_OUTPUT_LOGIN_H

#include <jansson.h>
#include <stdbool.h>

#include "msactl/parser.h"

/* A line of the answer to a command about logins, as text. */
void	 output_login(const json_t *, const struct command *);
/* Remember how a test ended, */
void	 output_result(const json_t *);
/* and tell: was it a test, and was the answer no? */
bool	 output_refused(void);

#endif
