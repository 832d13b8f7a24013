/*
 * The connection of msactl to msad-control: one JSON object a line each way.
 *
 * Runs in msactl with the rights of the caller. Answers come from a process of
 * msad that an attacker may hold: they are parsed by jansson, and every text is
 * escaped by output.c before it reaches a terminal.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msactl/output.h"
#include "msactl/session.h"

/* msad-control itself gives up on others before this. */
#define ANSWER_SECONDS	90

static int	 sock = -1;
static FILE	*in;
static char	*buf;
static size_t	 bufsize;

static int
connect_code(const char *path)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		warnx("%s: msad is not running here: %s", path,
		    strerror(errno));
		return EXIT_NOT_RUNNING;
	case EACCES:
	case EPERM:
		warnx("%s: you may not use this socket: %s", path,
		    strerror(errno));
		return EXIT_DENIED;
	default:
		warn("%s", path);
		return EXIT_ERROR;
	}
}

int
session_open(const char *path)
{
	const struct timeval	 tv = { ANSWER_SECONDS, 0 };
	struct sockaddr_un	 sun;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		warnx("%s: path too long", path);
		return EXIT_ERROR;
	}
	if ((sock = socket(AF_UNIX, SOCK_STREAM, 0)) == -1) {
		warn("socket");
		return EXIT_ERROR;
	}
	if (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		return connect_code(path);
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1 ||
	    (in = fdopen(sock, "r")) == NULL) {
		warn("%s", path);
		return EXIT_ERROR;
	}
	return EXIT_FINE;
}

/*
 * Write the request. A daemon that has closed already may have said why, so
 * that a failure here is left for the reader to find.
 */
static int
request_send(json_t *request)
{
	char	*text;
	size_t	 len, off;
	ssize_t	 n;

	text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text == NULL) {
		warnx("out of memory");
		return -1;
	}
	len = strlen(text);
	text[len++] = '\n';	/* in place of the NUL */
	for (off = 0; off < len; off += (size_t)n) {
		n = send(sock, text + off, len - off, MSG_NOSIGNAL);
		if (n == -1)
			break;
	}
	freezero(text, len);	/* there may be a password in it */
	return 0;
}

/* The next line as an object, or NULL with a message written. */
static json_t *
answer_read(void)
{
	json_error_t	 error;
	json_t		*value;
	ssize_t		 n;

	errno = 0;
	if ((n = getline(&buf, &bufsize, in)) <= 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			warnx("no answer in time");
		else
			warnx("the connection to msad was lost");
		return NULL;
	}
	value = json_loadb(buf, (size_t)n, 0, &error);
	if (!json_is_object(value)) {
		warnx("the answer is not understood");
		json_decref(value);
		return NULL;
	}
	return value;
}

void
session_close(void)
{
	if (in != NULL)
		fclose(in);
	else if (sock != -1)
		close(sock);
	in = NULL;
	sock = -1;
}

/* The exit code of the last line; says what went wrong. */
static int
end_code(const json_t *end)
{
	const char	*reason;
	json_int_t	 status;

	status = json_integer_value(json_object_get(end, "status"));
	reason = json_string_value(json_object_get(end, "error"));
	if (status == EXIT_FINE || status == EXIT_NO_MATCH)
		return (int)status;
	output_error(reason != NULL ? reason : "refused");
	return status == EXIT_DENIED ? (int)status : EXIT_ERROR;
}

int
session_ask(json_t *request, void (*line)(const json_t *, void *), void *arg,
    json_t **end)
{
	json_t	*value;
	int	 code;

	if (end != NULL)
		*end = NULL;
	if (request_send(request) == -1)
		return EXIT_ERROR;
	for (;;) {
		if ((value = answer_read()) == NULL)
			return EXIT_ERROR;
		if (json_is_true(json_object_get(value, "end")))
			break;
		line(value, arg);
		json_decref(value);
	}
	code = end_code(value);
	if (end != NULL)
		*end = value;
	else
		json_decref(value);
	return code;
}
