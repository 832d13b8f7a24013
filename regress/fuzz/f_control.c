/* links: msad/control/request.c msad/control/answer.c */
/* libs: jansson */
/*
 * Fuzz a line from the control socket, and the same octets as text of a
 * remote server on its way into an answer: what is taken must be complete, and
 * every text must come out as JSON.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "msad/control/answer.h"
#include "msad/control/request.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_request(const struct request *req)
{
	switch (req->cmd) {
	case REQUEST_QUEUE_SHOW:
		if (req->id == 0 || req->all)
			abort();
		break;
	case REQUEST_QUEUE_FLUSH:
	case REQUEST_QUEUE_REMOVE:
	case REQUEST_QUEUE_RELEASE:
		if ((req->id != 0) == req->all)
			abort();
		break;
	case REQUEST_UNBAN:
		if ((req->network[0] != '\0') == req->all)
			abort();
		break;
	case REQUEST_AUTH_FLUSH:
		if ((req->user[0] != '\0') == req->all)
			abort();
		break;
	case REQUEST_BAN:
		if (req->network[0] == '\0' || req->all)
			abort();
		break;
	case REQUEST_GRANT:
		if (req->address[0] == '\0' || req->user[0] == '\0' ||
		    req->seconds == 0)
			abort();
		break;
	case REQUEST_TEST_AUTH:
		if (req->user[0] == '\0' || req->password[0] == '\0')
			abort();
		break;
	case REQUEST_LOGLEVEL:
		if (req->level < LOG_ERR || req->level > LOG_DEBUG)
			abort();
		break;
	case REQUEST_USER_LIMITS:
	case REQUEST_LIMITS_RESET:
		if (req->user[0] == '\0' || req->id != 0 || req->all)
			abort();
		break;
	default:
		if (req->user[0] != '\0')
			abort();
		if (req->id != 0 || req->all || req->level != 0)
			abort();
		break;
	}
}

static void
check_text(const char *p, size_t len)
{
	json_error_t	 error;
	json_t		*array, *again;
	char		*line;

	array = json_pack("[o]", answer_text(SLICE(p, len)));
	if (array == NULL || (line = json_dumps(array, JSON_COMPACT)) == NULL)
		abort();
	again = json_loads(line, JSON_ALLOW_NUL, &error);
	if (again == NULL || !json_equal(array, again))
		abort();
	free(line);
	json_decref(again);
	json_decref(array);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char	*reason = NULL, *p = (const char *)data;
	struct request	 req;

	if (request_parse(&req, p, size, &reason) == 0)
		check_request(&req);
	else if (reason == NULL)
		abort();
	check_text(p, size);
	return 0;
}
