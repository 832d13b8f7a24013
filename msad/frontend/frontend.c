/*
 * msad-frontend: client connections and SMTP sessions. It runs as a user of
 * its own in an empty root, has public certificates only, and knows neither
 * passwords nor keys nor the spool. Here are its channels: to msad (child.c),
 * to auth, which decides on logins, to keys, which signs handshakes, to queue,
 * which decides on everything else.
 *
 * Without auth, logins get 454 until msad brings a fresh channel. Without
 * queue or keys this worker ends: msad starts it again on fresh channels, and
 * what was acknowledged is in the spool.
 */

#include <event.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/header.h"
#include "common/log.h"
#include "common/mime.h"
#include "common/verdict.h"
#include "msad/frontend/arrival.h"
#include "msad/frontend/frontend.h"
#include "msad/frontend/listener.h"
#include "msad/frontend/remote_key.h"
#include "msad/frontend/sasl.h"
#include "msad/frontend/session.h"
#include "msad/frontend/smtp.h"
#include "msad/frontend/tls.h"

static struct ipc	*auth, *queue, *keys;
static struct event	 last_moment;

struct ipc *
frontend_auth(void)
{
	return auth;
}

struct ipc *
frontend_queue(void)
{
	return queue;
}

/* --- from auth --- */

static int
on_challenge(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 challenge;
	struct session		*s;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	challenge = ipc_get_bytes(&r);
	if (!ipc_done(&r))
		return -1;
	if ((s = session_find(msg->sid)) == NULL ||
	    s->state != SESSION_AUTH_WAIT || s->auth_owed > 0 ||
	    s->auth_reply != REPLY_NONE)
		return 0;	/* it crossed our cancel or close */
	sasl_challenge(s, challenge);
	session_run(s);
	return 0;
}

static int
on_auth_result(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 user;
	struct session		*s;
	uint32_t		 delay;
	uint8_t			 verdict;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	verdict = ipc_get_u8(&r);
	user = ipc_get_str(&r);
	delay = ipc_get_u32(&r);
	if (!ipc_done(&r) || verdict >= VERDICT_MAX)
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	if (s->auth_owed > 0) {
		s->auth_owed--;
		return 0;
	}
	if (s->state != SESSION_AUTH_WAIT && s->state != SESSION_SASL)
		return 0;
	sasl_result(s, verdict, user, delay);
	session_run(s);
	return 0;
}

/* What auth made of the client's certificate. */
static int
on_session_cert(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct session		*s;
	uint8_t			 good;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	good = ipc_get_u8(&r);
	if (!ipc_done(&r))
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	session_certificate(s, good == 1);
	session_run(s);
	return 0;
}

/* The client is not served; auth has counted its failures. */
static int
on_refuse(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct session		*s;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	(void)ipc_get_u32(&r);
	(void)ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	session_banned(s);
	session_run(s);
	return 0;
}

/* Its address stands for a login, and the queue has taken that. */
static int
on_granted(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 user;
	struct session		*s;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	user = ipc_get_str(&r);
	if (!ipc_done(&r) || user.len == 0)
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	sasl_granted(s, user);
	session_run(s);
	return 0;
}

/* A local program's connection; auth asked the kernel who it is. */
static int
on_session_local(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 user;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	user = ipc_get_str(&r);
	(void)ipc_get_u32(&r);
	(void)ipc_get_u32(&r);
	if (!ipc_done(&r) || (msg->sid & IPC_SID_LOCAL) == 0)
		return -1;
	listener_local(msg->sid, user, ipc_take_fd(msg));
	return 0;
}

static const struct ipc_handler auth_handlers[] = {
	{ IPC_AUTH_CHALLENGE, on_challenge },
	{ IPC_AUTH_RESULT, on_auth_result },
	{ IPC_SESSION_CERT, on_session_cert },
	{ IPC_SESSION_REFUSE, on_refuse },
	{ IPC_SESSION_GRANTED, on_granted },
	{ IPC_SESSION_LOCAL, on_session_local },
	{ 0, NULL }
};

static void
on_auth_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	log_warn("event=channel-closed peer=auth end=%d", (int)end);
	if (ch == auth) {
		auth = NULL;
		session_auth_gone();
	}
	ipc_free(ch);
}

/* --- from queue --- */

static int
on_verdict(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct session		*s;
	char			 detail[512];
	uint8_t			 verdict;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	verdict = ipc_get_u8(&r);
	ipc_copy_str(&r, detail, sizeof(detail));
	if (!ipc_done(&r) || verdict >= VERDICT_MAX)
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	if (s->owed > 0) {
		s->owed--;
		return 0;
	}
	if (s->state != SESSION_MAIL_WAIT && s->state != SESSION_RCPT_WAIT)
		return s->state >= SESSION_CLOSING ? 0 : -1;
	smtp_verdict(s, verdict, detail);
	session_run(s);
	return 0;
}

static int
on_queued(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct session		*s;
	char			 detail[512], qid[64];
	uint8_t			 verdict;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	verdict = ipc_get_u8(&r);
	ipc_copy_str(&r, detail, sizeof(detail));
	ipc_copy_str(&r, qid, sizeof(qid));
	if (!ipc_done(&r) || verdict >= VERDICT_MAX)
		return -1;
	if ((s = session_find(msg->sid)) == NULL)
		return 0;
	if (s->state != SESSION_QUEUE_WAIT)
		return s->state >= SESSION_CLOSING ? 0 : -1;
	smtp_queued(s, verdict, detail, qid);
	session_run(s);
	return 0;
}

static int
on_credit(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct session		*s;
	uint32_t		 n;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	n = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if ((s = session_find(msg->sid)) == NULL || s->tx == NULL)
		return 0;
	smtp_credit(s, n);
	session_run(s);
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_SMTP_VERDICT, on_verdict },
	{ IPC_SMTP_QUEUED, on_queued },
	{ IPC_SMTP_CREDIT, on_credit },
	{ 0, NULL }
};

/* Queue and keys: nothing goes on without them. */
static void
on_needed_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	log_warn("event=channel-closed peer=%s end=%d",
	    ipc_role_name(ipc_peer(ch)), (int)end);
	if (ch == queue)
		queue = NULL;
	if (ch == keys) {
		keys = NULL;
		remote_key_channel(NULL);
	}
	ipc_free(ch);
	child_exit(1);
}

/* --- from msad --- */

static int
frontend_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	struct ipc	**slot, *ch;

	(void)name;
	switch (peer) {
	case ROLE_AUTH:
		slot = &auth;
		ch = ipc_new(fd, ROLE_FRONTEND, peer, auth_handlers,
		    on_auth_closed, NULL);
		break;
	case ROLE_QUEUE:
		slot = &queue;
		ch = ipc_new(fd, ROLE_FRONTEND, peer, queue_handlers,
		    on_needed_closed, NULL);
		break;
	case ROLE_KEYS:
		slot = &keys;
		ch = ipc_new(fd, ROLE_FRONTEND, peer, remote_key_handlers,
		    on_needed_closed, NULL);
		break;
	default:
		close(fd);
		return -1;
	}
	if (ch == NULL) {
		close(fd);
		return -1;
	}
	ipc_set_peer(ch, index, epoch);
	if (*slot != NULL) {
		ipc_free(*slot);
		*slot = NULL;
		if (peer == ROLE_AUTH)
			session_auth_gone();
	}
	*slot = ch;
	if (peer == ROLE_KEYS)
		remote_key_channel(ch);
	if (peer == ROLE_AUTH)
		session_tell_auth();
	return 0;
}

static int
frontend_early(void)
{
	listener_limits();
	return 0;
}

static int
frontend_file(uint32_t generation, enum ipc_file kind, struct slice name,
    int fd)
{
	if (kind == FILE_PKI_CERT || kind == FILE_CLIENT_CA)
		return listener_file(generation, kind, name, fd);
	if (kind == FILE_COUNTS) {
		arrival_counts(fd);
		return 0;
	}
	close(fd);
	return -1;
}

static void
frontend_commit(struct conf *conf, uint32_t generation)
{
	header_limits_set(&conf->limits);
	mime_limits_set(&conf->limits);
	listener_commit(generation);
}

static void
on_last_moment(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	log_notice("event=shutdown sessions=%u", session_count());
	child_exit(0);
}

static void
all_gone(void)
{
	child_exit(0);
}

static void
frontend_shutdown(unsigned int seconds)
{
	struct timeval	tv = { (time_t)seconds, 0 };

	listener_stop();
	event_assign(&last_moment, child_base(), -1, 0, on_last_moment, NULL);
	event_add(&last_moment, &tv);
	session_shutdown(all_gone);
}

static const struct child frontend_child = {
	.role = ROLE_FRONTEND,
	.name = "frontend",
	.early = frontend_early,
	.init = server_tls_init,
	.conf_file = frontend_file,
	.conf_check = listener_prepare,
	.conf_commit = frontend_commit,
	.conf_abort = listener_abort,
	.listener = listener_add,
	.channel = frontend_channel,
	.start = listener_start,
	.shutdown = frontend_shutdown,
};

int
main(int argc, char **argv)
{
	return child_main(&frontend_child, argc, argv);
}
