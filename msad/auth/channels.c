/*
 * msad-auth's channels to front-ends and to the queue: messages are read here
 * and handed to the session they belong to.
 *
 * Front-ends are not trusted: a message for a session that is not open, or
 * out of order, ends the channel. The queue is trusted with its consent to
 * grants. When a front-end's channel ends, so do its sessions, and their
 * grants are revoked.
 */

#include <sys/queue.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/ipc.h"
#include "common/log.h"
#include "msad/auth/attempt.h"
#include "msad/auth/channels.h"
#include "msad/auth/local.h"
#include "msad/auth/session.h"

#define CLIENT_MAX	62	/* octets of an IPv6 address with its scope */
#define PENDING_MAX	(8 * 1024 * 1024)	/* owed by a front-end */

struct peer {
	TAILQ_ENTRY(peer)	 entry;
	struct frontend		 frontend;
};

static TAILQ_HEAD(, peer)	 peers = TAILQ_HEAD_INITIALIZER(peers);
static struct ipc		*queue;

/* --- front-ends --- */

/* A numeric address or a plain word: PAM modules and logs get to see it. */
static bool
client_ok(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.p[i]) &&
		    memchr(".:%_-", s.p[i], 5) == NULL)
			return false;
	return s.len > 0 && s.len <= CLIENT_MAX;
}

static int
on_session_open(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*peer = arg;
	struct session		*session;
	struct ipc_reader	 r;
	struct slice		 client, local;
	uint16_t		 listener, port, local_port;

	(void)ch;
	ipc_reader(&r, msg);
	listener = ipc_get_u16(&r);
	client = ipc_get_str(&r);
	port = ipc_get_u16(&r);
	local = ipc_get_str(&r);
	local_port = ipc_get_u16(&r);
	if (!ipc_done(&r) || !client_ok(client))
		return -1;
	session = session_open(&peer->frontend, msg->sid, listener, client,
	    port);
	if (session == NULL)
		return -1;
	if (client_ok(local)) {
		memcpy(session->local, local.p, local.len);
		session->local[local.len] = '\0';
	}
	session->local_port = local_port;
	attempt_opened(session);
	return 0;
}

static int
on_session_close(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer	*peer = arg;
	struct session	*session;

	(void)ch;
	if ((session = session_find(&peer->frontend, msg->sid)) == NULL)
		return -1;
	session_close(session);
	return 0;
}

static int
on_session_tls(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*peer = arg;
	struct session		*session;
	struct ipc_reader	 r;
	struct slice		 version, exporter, unique, endpoint, cert;

	(void)ch;
	ipc_reader(&r, msg);
	version = ipc_get_str(&r);
	exporter = ipc_get_bytes(&r);
	unique = ipc_get_bytes(&r);
	endpoint = ipc_get_bytes(&r);
	cert = ipc_get_bytes(&r);
	if (!ipc_done(&r) ||
	    (session = session_find(&peer->frontend, msg->sid)) == NULL)
		return -1;
	if (session_take_tls(session, version, exporter, unique, endpoint,
	    cert) == -1)
		return -1;
	if (cert.len > 0)
		attempt_certificate(session);
	return 0;
}

static int
on_auth_start(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*peer = arg;
	struct session		*session;
	struct ipc_reader	 r;
	struct slice		 mech, initial;
	uint8_t			 tls, has_initial;

	(void)ch;
	ipc_reader(&r, msg);
	tls = ipc_get_u8(&r);
	mech = ipc_get_str(&r);
	has_initial = ipc_get_u8(&r);
	initial = ipc_get_bytes(&r);
	if (!ipc_done(&r) ||
	    (session = session_find(&peer->frontend, msg->sid)) == NULL)
		return -1;
	return attempt_start(session, tls == 1, mech, has_initial == 1,
	    initial);
}

static int
on_auth_response(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer		*peer = arg;
	struct session		*session;
	struct ipc_reader	 r;
	struct slice		 response;

	(void)ch;
	ipc_reader(&r, msg);
	response = ipc_get_bytes(&r);
	if (!ipc_done(&r) ||
	    (session = session_find(&peer->frontend, msg->sid)) == NULL)
		return -1;
	return attempt_response(session, response);
}

static int
on_auth_cancel(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct peer	*peer = arg;
	struct session	*session;

	(void)ch;
	if ((session = session_find(&peer->frontend, msg->sid)) == NULL)
		return -1;
	attempt_cancel(session);
	return 0;
}

static const struct ipc_handler frontend_handlers[] = {
	{ IPC_SESSION_OPEN, on_session_open },
	{ IPC_SESSION_CLOSE, on_session_close },
	{ IPC_SESSION_TLS, on_session_tls },
	{ IPC_AUTH_START, on_auth_start },
	{ IPC_AUTH_RESPONSE, on_auth_response },
	{ IPC_AUTH_CANCEL, on_auth_cancel },
	{ 0, NULL }
};

static void
frontend_free(struct peer *peer)
{
	uint64_t	 epoch = peer->frontend.epoch;

	session_close_all(&peer->frontend);
	TAILQ_REMOVE(&peers, peer, entry);
	ipc_free(peer->frontend.ch);
	free(peer);
	local_frontend_gone(epoch);
}

static void
on_frontend_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	if (end == IPC_VIOLATION)
		child_condemn(ch);
	frontend_free(arg);
}

int
channels_frontend(uint32_t index, uint64_t epoch, int fd)
{
	struct peer	*peer;
	struct ipc	*ch = NULL;

	if ((peer = calloc(1, sizeof(*peer))) != NULL)
		ch = ipc_new(fd, ROLE_AUTH, ROLE_FRONTEND, frontend_handlers,
		    on_frontend_closed, peer);
	if (ch == NULL) {
		free(peer);
		close(fd);
		return -1;
	}
	ipc_set_peer(ch, index, epoch);
	ipc_set_pending_max(ch, PENDING_MAX);
	peer->frontend.ch = ch;
	peer->frontend.epoch = epoch;
	RB_INIT(&peer->frontend.sessions);
	TAILQ_INSERT_TAIL(&peers, peer, entry);
	return 0;
}

struct frontend *
channels_find_frontend(uint64_t epoch)
{
	struct peer	*peer;

	TAILQ_FOREACH(peer, &peers, entry)
		if (peer->frontend.epoch == epoch)
			return &peer->frontend;
	return NULL;
}

struct frontend *
channels_next_frontend(void)
{
	struct peer	*peer = TAILQ_FIRST(&peers);

	if (peer == NULL)
		return NULL;
	TAILQ_REMOVE(&peers, peer, entry);
	TAILQ_INSERT_TAIL(&peers, peer, entry);
	return &peer->frontend;
}

void
channels_each_session(void (*fn)(struct session *, void *), void *arg)
{
	struct session	*session;
	struct peer	*peer;

	TAILQ_FOREACH(peer, &peers, entry)
		RB_FOREACH(session, session_tree, &peer->frontend.sessions)
			fn(session, arg);
}

/* --- the queue --- */

struct ipc *
channels_to_queue(void)
{
	return queue;
}

static int
on_grant_taken(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct frontend		*frontend;
	struct session		*session;
	struct ipc_reader	 r;
	uint64_t		 epoch;
	uint8_t			 taken;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	epoch = ipc_get_u64(&r);
	taken = ipc_get_u8(&r);
	if (!ipc_done(&r))
		return -1;
	if (msg->sid & IPC_SID_LOCAL) {
		local_granted(epoch, msg->sid, taken == 1);
		return 0;
	}
	/* The session may have ended since; its grant was revoked then. */
	if ((frontend = channels_find_frontend(epoch)) != NULL &&
	    (session = session_find(frontend, msg->sid)) != NULL)
		attempt_granted(session, taken == 1);
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_GRANT_TAKEN, on_grant_taken },
	{ 0, NULL }
};

static void
queue_drop(void)
{
	struct session	*session;
	struct peer	*peer;

	ipc_free(queue);
	queue = NULL;
	attempt_set_queue(NULL);
	TAILQ_FOREACH(peer, &peers, entry)
		RB_FOREACH(session, session_tree, &peer->frontend.sessions)
			attempt_queue_gone(session);
	local_queue_gone();
}

static void
on_queue_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)end;
	(void)arg;
	if (ch == queue)
		queue_drop();
	else
		ipc_free(ch);
}

int
channels_queue(uint32_t index, uint64_t epoch, int fd)
{
	struct ipc	*ch;

	ch = ipc_new(fd, ROLE_AUTH, ROLE_QUEUE, queue_handlers,
	    on_queue_closed, NULL);
	if (ch == NULL) {
		close(fd);
		return -1;
	}
	ipc_set_peer(ch, index, epoch);
	if (queue != NULL)
		queue_drop();
	queue = ch;
	attempt_set_queue(ch);
	return 0;
}

void
channels_flush(int ms)
{
	struct peer	*peer;

	TAILQ_FOREACH(peer, &peers, entry)
		ipc_flush(peer->frontend.ch, ms);
	if (queue != NULL)
		ipc_flush(queue, ms);
}

void
channels_close(void)
{
	struct peer	*peer;

	while ((peer = TAILQ_FIRST(&peers)) != NULL)
		frontend_free(peer);
	if (queue != NULL)
		queue_drop();
}
