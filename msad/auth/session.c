/*
 * The SMTP sessions that front-ends have open, as msad-auth knows them: who
 * the client is, where its login stands. Keyed by front-end channel and
 * session id, so that no front-end can touch another's session.
 */

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "msad/auth/attempt.h"
#include "msad/auth/session.h"

int
session_cmp(const struct session *a, const struct session *b)
{
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

RB_GENERATE(session_tree, session, node, session_cmp)

struct session *
session_open(struct frontend *frontend, uint64_t sid, uint16_t listener,
    struct slice client, uint16_t port)
{
	struct session	*session;

	if (sid <= frontend->last_sid || (sid & IPC_SID_LOCAL) != 0 ||
	    frontend->nsessions >= SESSIONS_MAX)
		return NULL;
	if ((session = calloc(1, sizeof(*session))) == NULL ||
	    (session->client = strndup(client.p, client.len)) == NULL)
		fatal("event=session error=\"out of memory\"");
	frontend->last_sid = sid;
	frontend->nsessions++;
	session->frontend = frontend;
	session->sid = sid;
	session->listener = listener;
	session->client_port = port;
	session->block = blocks_of_listener(listener);
	RB_INSERT(session_tree, &frontend->sessions, session);
	return session;
}

struct session *
session_find(struct frontend *frontend, uint64_t sid)
{
	struct session	 want = { .sid = sid };

	return RB_FIND(session_tree, &frontend->sessions, &want);
}

void
session_close(struct session *session)
{
	attempt_end(session);
	RB_REMOVE(session_tree, &session->frontend->sessions, session);
	session->frontend->nsessions--;
	blocks_release(session->block);
	free(session->client);
	free(session->user);
	free(session);
}

void
session_close_all(struct frontend *frontend)
{
	struct session	*session;

	while ((session = RB_ROOT(&frontend->sessions)) != NULL)
		session_close(session);
}
