/*
 * Questions to the queue about logins: who is logged in, and what would become
 * of a message of somebody. Runs in msad-control, called by question.c and
 * question_auth.c, and by the channel with the answers.
 *
 * "test session" asks two processes: auth says what it would say to the client
 * (question_auth.c), then the queue what it would say to the message. What they
 * find out are facts, names with a value; they make one line of the answer.
 */
#include <sys/types.h>

#include <jansson.h>
#include <string.h>

#include "common/ipc_types.h"
#include "msad/control/answer.h"
#include "msad/control/client.h"
#include "msad/control/question.h"
#include "msad/control/question_priv.h"

/* More facts than this no test finds out. */
#define FACTS_MAX	32

/* --- show users --- */

void
question_users_begin(struct client *c)
{
	struct ipc	*ch;

	if ((ch = question_start(c, ROLE_QUEUE, IPC_CTL_QUEUE_USERS)) == NULL)
		return;
	ipc_put_u64(ch, c->question.epoch);
	ipc_put_u64(ch, c->question.after);
	ipc_put_u16(ch, LIST_PAGE);
	ipc_send(ch);
}

/* How the login was proved: the words of `except` in the configuration. */
static const char *
proof(uint8_t flags)
{
	return flags & GRANT_SEEN ? "external" :
	    flags & GRANT_ADDRESS ? "address" : "login";
}

static json_t *
user_read(struct ipc_reader *r, uint64_t *epoch, uint64_t *sid)
{
	struct slice	 user, tenant, block, mech, client, label;
	char		 id[40];
	uint64_t	 since;
	uint8_t		 flags;

	*epoch = ipc_get_u64(r);
	*sid = ipc_get_u64(r);
	user = ipc_get_str(r);
	tenant = ipc_get_str(r);
	block = ipc_get_str(r);
	mech = ipc_get_str(r);
	client = ipc_get_str(r);
	label = ipc_get_str(r);
	since = ipc_get_u64(r);
	flags = ipc_get_u8(r);
	if (!ipc_done(r))
		return NULL;
	snprintf(id, sizeof(id), "%llx-%llx", (unsigned long long)*epoch,
	    (unsigned long long)*sid);
	return json_pack("{sssosososososososs}", "session", id,
	    "user", answer_text(user), "tenant", answer_text(tenant),
	    "client", answer_text(client), "mechanism", answer_text(mech),
	    "since", answer_number(since), "block", answer_text(block),
	    "label", answer_text(label), "proof", proof(flags));
}

int
question_user(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct client		*c = question_client(msg, ROLE_QUEUE);
	struct ipc_reader	 r;
	json_t			*user;
	uint64_t		 epoch, sid;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	user = user_read(&r, &epoch, &sid);
	if (!ipc_done(&r) || c == NULL) {
		json_decref(user);
		return ipc_done(&r) ? 0 : -1;
	}
	c->question.epoch = epoch;
	c->question.after = sid;
	client_line(c, user);
	return 0;
}

/* --- tests --- */

int
question_fact(struct client *c, struct ipc_msg *msg)
{
	struct ipc_reader	 r;
	struct slice		 value;
	char			 name[64];

	ipc_reader(&r, msg);
	ipc_copy_str(&r, name, sizeof(name));
	value = ipc_get_str(&r);
	if (!ipc_done(&r) || answer_utf8(SLICE_STR(name)) == 0)
		return -1;
	if (c != NULL && c->question.facts != NULL &&
	    json_object_size(c->question.facts) < FACTS_MAX)
		json_object_set_new(c->question.facts, name,
		    answer_text(value));
	return 0;
}

int
question_queue_fact(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)arg;
	return question_fact(question_client(msg, ROLE_QUEUE), msg);
}

static const char *
found(const struct client *c, const char *name)
{
	const char	*s = json_string_value(json_object_get(
	    c->question.facts, name));

	return s != NULL ? s : "";
}

/* Did auth say why not? */
static bool
is_refused(const struct client *c, const char *name)
{
	const char	*why = found(c, name);

	return *why != '\0' && strcmp(why, "no") != 0;
}

/* What auth would not let come so far counts, whatever the queue says. */
static void
judge(struct client *c)
{
	json_t		*facts = c->question.facts;
	const char	*name = "banned";
	bool		 granted = strcmp(found(c, "granted"),
			    c->question.req.user) == 0;

	if (!is_refused(c, name) && !granted)
		name = "login-refused";
	if (!is_refused(c, name))
		return;
	json_object_set(facts, "reason", json_object_get(facts, name));
	json_object_set_new(facts, "result", json_string("refused"));
}

void
question_facts(struct client *c)
{
	json_t	*facts = c->question.facts;

	if (c->question.req.cmd == REQUEST_TEST_SESSION)
		judge(c);
	c->question.facts = NULL;
	client_line(c, facts);
}

/*
 * A client without a password is who its address stands for, where it does;
 * the test is of the user it names, so that this counts for no other.
 */
void
question_trial(struct client *c)
{
	const struct request	*req = &c->question.req;
	struct ipc		*ch;
	uint8_t			 flags;

	flags = strcmp(found(c, "granted"), req->user) == 0 ?
	    GRANT_ADDRESS : 0;
	if ((ch = question_start(c, ROLE_QUEUE, IPC_CTL_QUEUE_TEST)) == NULL)
		return;
	ipc_put_str(ch, req->user);
	ipc_put_str(ch, found(c, "block"));
	ipc_put_u8(ch, flags);
	ipc_put_str(ch, req->from);
	ipc_put_str(ch, req->to);
	ipc_send(ch);
}
