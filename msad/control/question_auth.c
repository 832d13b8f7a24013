/*
 * Questions to msad-auth: bans, the cache of right passwords, addresses that
 * stand for a login, tests. Runs in msad-control, called by question.c, and by
 * the channel with the answers. msad-auth decides who may ask, by the caller
 * that goes with each question; text of the caller is passed on as it is.
 */
#include <sys/types.h>

#include <jansson.h>
#include <string.h>

#include "msad/control/answer.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"

/* PAM, behind others that wait for it. */
#define PATIENCE_TEST	60

static const unsigned int	 types[REQUEST_CMDS] = {
	[REQUEST_BANS] = IPC_CTL_AUTH_BANS,
	[REQUEST_BAN] = IPC_CTL_AUTH_BAN,
	[REQUEST_UNBAN] = IPC_CTL_AUTH_UNBAN,
	[REQUEST_AUTH_FLUSH] = IPC_CTL_AUTH_FLUSH,
	[REQUEST_GRANTS] = IPC_CTL_AUTH_GRANTS,
	[REQUEST_GRANT] = IPC_CTL_AUTH_GRANT,
	[REQUEST_UNGRANT] = IPC_CTL_AUTH_UNGRANT,
	[REQUEST_TEST_AUTH] = IPC_CTL_AUTH_TEST,
	[REQUEST_TEST_SESSION] = IPC_CTL_AUTH_SESSION
};

/* What follows the caller (ipc_types.h). */
static void
put_request(struct ipc *ch, struct client *c)
{
	struct request	*req = &c->question.req;

	switch (req->cmd) {
	case REQUEST_BAN:
		ipc_put_str(ch, req->network);
		ipc_put_u32(ch, req->seconds);
		break;
	case REQUEST_UNBAN:
		ipc_put_str(ch, req->network);
		break;
	case REQUEST_AUTH_FLUSH:
		ipc_put_str(ch, req->user);
		break;
	case REQUEST_GRANT:
		ipc_put_str(ch, req->address);
		ipc_put_str(ch, req->user);
		ipc_put_str(ch, req->block);
		ipc_put_u32(ch, req->seconds);
		break;
	case REQUEST_UNGRANT:
		ipc_put_str(ch, req->address);
		break;
	case REQUEST_TEST_AUTH:
		ipc_put_str(ch, req->user);
		ipc_put_str(ch, req->block);
		ipc_put_str(ch, req->address);
		ipc_put_bytes(ch, req->password, strlen(req->password));
		explicit_bzero(req->password, sizeof(req->password));
		break;
	case REQUEST_TEST_SESSION:
		ipc_put_str(ch, req->address);
		ipc_put_str(ch, req->user);
		ipc_put_str(ch, req->block);
		break;
	default:
		ipc_put_u64(ch, c->question.after);
		break;
	}
}

void
question_auth_begin(struct client *c)
{
	enum request_cmd	 cmd = c->question.req.cmd;
	struct ipc		*ch;

	if ((ch = question_start(c, ROLE_AUTH, types[cmd])) == NULL)
		return;
	put_request(ch, c);
	ipc_send(ch);
	if (cmd == REQUEST_TEST_AUTH)
		client_patience(c, PATIENCE_TEST);
	if (cmd == REQUEST_TEST_AUTH || cmd == REQUEST_TEST_SESSION)
		c->question.facts = json_object();
}

/* --- answers --- */

/* A line for the client, or for nobody when he is gone. */
static int
line(struct ipc_msg *msg, struct ipc_reader *r, json_t *value)
{
	struct client	*c = question_client(msg, ROLE_AUTH);

	if (!ipc_done(r) || c == NULL) {
		json_decref(value);
		return ipc_done(r) ? 0 : -1;
	}
	client_line(c, value);
	return 0;
}

static int
on_banned(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 network;
	uint32_t		 seconds, failures;
	uint8_t			 manual;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	network = ipc_get_str(&r);
	seconds = ipc_get_u32(&r);
	manual = ipc_get_u8(&r);
	failures = ipc_get_u32(&r);
	return line(msg, &r, json_pack("{sosIsbsI}",
	    "network", answer_text(network), "seconds", (json_int_t)seconds,
	    "manual", (int)(manual == 1), "failures", (json_int_t)failures));
}

static int
on_locked(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 user, block;
	uint32_t		 failures, refused;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	user = ipc_get_str(&r);
	block = ipc_get_str(&r);
	failures = ipc_get_u32(&r);
	refused = ipc_get_u32(&r);
	return line(msg, &r, json_pack("{sososIsI}",
	    "user", answer_text(user), "block", answer_text(block),
	    "failures", (json_int_t)failures,
	    "refused", (json_int_t)refused));
}

static int
on_granted(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 address, user, block;
	uint32_t		 seconds, sessions;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	address = ipc_get_str(&r);
	user = ipc_get_str(&r);
	block = ipc_get_str(&r);
	seconds = ipc_get_u32(&r);
	sessions = ipc_get_u32(&r);
	return line(msg, &r, json_pack("{sosososIsI}",
	    "address", answer_text(address), "user", answer_text(user),
	    "block", answer_text(block), "seconds", (json_int_t)seconds,
	    "sessions", (json_int_t)sessions));
}

static int
on_fact(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	return question_fact(question_client(msg, ROLE_AUTH), msg);
}

static bool
counts(enum request_cmd cmd)
{
	return cmd == REQUEST_UNBAN || cmd == REQUEST_AUTH_FLUSH ||
	    cmd == REQUEST_UNGRANT;
}

/* auth has said all it had to say with status 0. */
static void
finish(struct client *c, uint64_t after)
{
	enum request_cmd	 cmd = c->question.req.cmd;
	json_t			*extra = NULL;

	if (after != 0 && (cmd == REQUEST_BANS || cmd == REQUEST_GRANTS)) {
		c->question.after = after;
		question_next(c);
		return;
	}
	if (cmd == REQUEST_TEST_SESSION) {
		question_trial(c);
		return;
	}
	if (cmd == REQUEST_TEST_AUTH)
		question_facts(c);
	if (counts(cmd))
		extra = json_pack("{so}", "matched",
		    answer_number(c->question.matched));
	client_end(c, 0, "", extra);
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client	*c;
	char		 reason[QUESTION_REASON_MAX];
	uint64_t	 place;
	int		 status, n;

	(void)ch;
	(void)arg;
	n = question_end(msg, ROLE_AUTH, &c, &status, &place, reason);
	if (n == 1 && status == 0)
		finish(c, place);
	else if (n == 1)
		client_end(c, status, reason[0] != '\0' ? reason :
		    "the authenticator refused", NULL);
	return n == -1 ? -1 : 0;
}

const struct ipc_handler	 question_auth_handlers[] = {
	{ IPC_CTL_AUTH_BANNED, on_banned },
	{ IPC_CTL_AUTH_LOCKED, on_locked },
	{ IPC_CTL_AUTH_GRANTED, on_granted },
	{ IPC_CTL_AUTH_FACT, on_fact },
	{ IPC_CTL_AUTH_END, on_end },
	{ 0, NULL }
};
