#ifndef MSACTL_OUTPUT_H
#define MSACTL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "msactl/parser.h"

/* Print JSON objects, one a line, in place of text. */
void	 output_json(bool);
/* A line of the answer to a command; arg is the struct command. */
void	 output_line(const json_t *, void *arg);
/* The last line of an answer with status 0. */
void	 output_end(const struct command *, const json_t *);
/* An object as a line of JSON, ASCII only. */
void	 output_object(const json_t *);
/* "msactl: reason" to stderr. */
void	 output_error(const char *);

/*
 * Write s so that no terminal acts on it: all but printable ASCII becomes
 * \xHH, as in the log. Returns the columns used.
 */
int	 output_text(FILE *, const char *s);

/* A member as text ("" when it is none) and as number (0). */
const char *output_str(const json_t *, const char *name);
long long output_num(const json_t *, const char *name);
/* Text in a column of at least width, and a blank. */
void	 output_column(const char *, int width);

/* "45s", "12m", "3h10m", "2d4h" of seconds; into buf, which is returned. */
char	*output_duration(char *buf, size_t size, long long seconds);
/* "2026-11-22 09:31:46 +0100" of seconds since 1970; likewise. */
char	*output_time(char *buf, size_t size, long long when);
/* The name of a user of this host, or the number; likewise. */
char	*output_user(char *buf, size_t size, long long uid);
/* "512", "9.8k", "3.2M" of octets; into buf, which is returned. */
char	*output_size(char *buf, size_t size, long long octets);

#endif
