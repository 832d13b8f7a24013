#ifndef MSACTL_SESSION_H
#define MSACTL_SESSION_H

#include <jansson.h>

/* Exit codes of msactl(8). */
enum {
	EXIT_FINE = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_RUNNING = 3,
	EXIT_DENIED = 4,
	EXIT_NO_MATCH = 5
};

/* Connect to the control socket. 0, or an exit code with a message written. */
int	 session_open(const char *path);
/* Close it, so that it may be opened again. */
void	 session_close(void);
/*
 * Ask (request is taken), and call line() for each line of the answer but the
 * last, which goes into *end if end is not NULL (the caller's then; NULL when
 * there was none). Returns the exit code; a message was written if it is
 * neither 0 nor EXIT_NO_MATCH.
 */
int	 session_ask(json_t *request, void (*line)(const json_t *, void *),
	    void *arg, json_t **end);

#endif
