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

#include "common/ipc_types.h"
#include "common/selection.h"
#include "msad/control/answer.h"
#include "msad/control/request.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_request(const struct request *req)
{
	switch (req->cmd) {
	case REQUEST_QUEUE_SHOW:
	case REQUEST_QUEUE_CAT:
	case REQUEST_QUEUE_LOG:
		if (req->id == 0 || req->all || req->select[0] != '\0')
			abort();
		break;
	case REQUEST_QUEUE_HOLD:
	case REQUEST_QUEUE_RELEASE:
	case REQUEST_QUEUE_FLUSH:
	case REQUEST_QUEUE_EXPIRE:
	case REQUEST_QUEUE_FAIL:
	case REQUEST_QUEUE_DROP:
	case REQUEST_QUEUE_REROUTE:
		if (req->select[0] == '\0' || req->id != 0 || req->all)
			abort();
		if ((req->cmd == REQUEST_QUEUE_REROUTE) !=
		    (req->to[0] != '\0'))
			abort();
		break;
	case REQUEST_RULE_ADD:
		if (req->select[0] == '\0' || req->seconds == 0 ||
		    (req->what != RULE_HOLD && req->what != RULE_REJECT))
			abort();
		break;
	case REQUEST_RULE_REMOVE:
		if ((req->number != 0) == req->all)
			abort();
		break;
	case REQUEST_PAUSE:
	case REQUEST_RESUME:
		if (req->what >= PAUSE_KINDS ||
		    (req->what == PAUSE_ACCEPT && req->name[0] != '\0'))
			abort();
		break;
	case REQUEST_QUEUE_SUMMARY:
		if (req->what >= GROUP_KEYS)
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
	case REQUEST_TEST_SESSION:
		if (req->user[0] == '\0' || req->address[0] == '\0' ||
		    req->to[0] == '\0')
			abort();
		break;
	case REQUEST_LOGLEVEL:
		if (req->level < LOG_ERR || req->level > LOG_DEBUG)
			abort();
		break;
	case REQUEST_USER_LIMITS:
		if (req->user[0] == '\0' || req->id != 0 || req->all)
			abort();
		break;
	case REQUEST_LIMITS_RESET:
		if ((req->user[0] == '\0') == (req->name[0] == '\0') ||
		    req->id != 0 || req->all)
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

/* What the queue is asked by it: what it takes itself comes out of no crash. */
static void
check_select(const struct request *req)
{
	struct selection	 sel;
	char			 err[256];
	size_t			 len = strlen(req->select);

	if (len > SELECTION_TEXT_MAX)
		abort();
	if (len > 0 && selection_parse(&sel, SLICE(req->select, len), err,
	    sizeof(err)) == 0)
		selection_free(&sel);
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

	if (request_parse(&req, p, size, &reason) == 0) {
		check_request(&req);
		check_select(&req);
	} else if (reason == NULL)
		abort();
	check_text(p, size);
	return 0;
}
