/*
 * The SMTP sessions that front-ends have open, as msad-auth knows them: who
 * the client is, where its login stands. Keyed by front-end channel and
 * session id, so that no front-end can touch another's session.
 */

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "msad/auth/attempt.h"
#include "msad/auth/mech.h"
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

/* Copy a binding; empty ones cannot be had. */
static int
take_binding(struct slice from, uint8_t *to, size_t size, size_t *n)
{
	if (from.len > size)
		return -1;
	memcpy(to, from.p, from.len);
	*n = from.len;
	return 0;
}

int
session_take_tls(struct session *s, struct slice version,
    struct slice exporter, struct slice unique, struct slice endpoint,
    struct slice cert)
{
	struct tls_facts	*t;

	if (s->tls != NULL || s->state != ATTEMPT_NONE)
		return -1;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("event=session error=\"out of memory\"");
	s->tls = t;
	t->tls13 = slice_is(version, "TLSv1.3");
	if ((exporter.len != 0 && exporter.len != sizeof(t->exporter)) ||
	    take_binding(exporter, t->exporter, sizeof(t->exporter),
	    &t->nexporter) == -1 ||
	    take_binding(unique, t->unique, sizeof(t->unique),
	    &t->nunique) == -1 ||
	    take_binding(endpoint, t->endpoint, sizeof(t->endpoint),
	    &t->nendpoint) == -1)
		return -1;
	if (cert.len == 0)
		return 0;
	if ((t->cert = malloc(cert.len)) == NULL)
		fatal("event=session error=\"out of memory\"");
	t->ncert = cert.len;
	return take_binding(cert, t->cert, cert.len, &t->ncert);
}

void
session_close(struct session *session)
{
	attempt_end(session);
	RB_REMOVE(session_tree, &session->frontend->sessions, session);
	session->frontend->nsessions--;
	blocks_release(session->block);
	if (session->tls != NULL)
		free(session->tls->cert);
	free(session->tls);
	free(session->client);
	free(session);
}

void
session_close_all(struct frontend *frontend)
{
	struct session	*session;

	while ((session = RB_ROOT(&frontend->sessions)) != NULL)
		session_close(session);
}
