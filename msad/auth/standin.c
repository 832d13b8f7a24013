/*
 * Sessions that are logged in by their client's address, which stands for a
 * user for a time (POP before SMTP; byaddress.h). Runs in msad-auth, called by
 * attempt.c and, when an address ends, by byaddress.c.
 *
 * The address is what the front-end says it saw: the grant is marked
 * GRANT_ADDRESS, so that match rules can leave it out. The front-end hears of
 * it after the queue has taken the grant, as of any login. AUTH stays possible:
 * behind one address there may be others than the user, with passwords.
 */

#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "msad/auth/byaddress.h"
#include "msad/auth/channels.h"
#include "msad/auth/session.h"
#include "msad/auth/standin.h"

static void
log_standin(const struct session *s, const char *event)
{
	log_info("s=%llx-%llx event=%s user=%s client=%s auth=%s",
	    (unsigned long long)s->frontend->epoch, (unsigned long long)s->sid,
	    event, log_q(s->standin->user), log_q(s->client),
	    log_q(s->block->name));
}

static void
send_grant(struct ipc *queue, const struct session *s)
{
	ipc_start(queue, IPC_GRANT, s->sid);
	ipc_put_u64(queue, s->frontend->epoch);
	ipc_put_str(queue, s->standin->user);
	ipc_put_str(queue, s->block->tenant);
	ipc_put_str(queue, s->block->name);
	ipc_put_str(queue, "ADDRESS");
	ipc_put_u16(queue, s->listener);
	ipc_put_str(queue, s->client);
	ipc_put_u16(queue, s->client_port);
	ipc_put_str(queue, s->block->realm);
	ipc_put_u8(queue, GRANT_ADDRESS);
	ipc_put_str(queue, "");
	ipc_put_u16(queue, 0);
	ipc_put_u16(queue, 0);
	ipc_put_u32(queue, 0);
	ipc_put_u64(queue, 0);
	ipc_send(queue);
}

void
standin_opened(struct session *s)
{
	struct ipc		*queue = channels_to_queue();
	struct byaddress	*b;
	struct network		 address;

	if (s->block == NULL || !s->block->grants || queue == NULL ||
	    !byaddress_parse(SLICE_STR(s->client), &address) ||
	    (b = byaddress_find(&address, s->block->name, clock_ms())) == NULL)
		return;
	b->sessions++;
	s->standin = b;
	s->standin_asked = true;
	send_grant(queue, s);
}

/* Nobody any more; the queue's grant is not touched. */
static void
forget(struct session *s)
{
	s->standin->sessions--;
	s->standin = NULL;
	s->standin_asked = false;
}

void
standin_granted(struct session *s, bool taken)
{
	struct ipc	*ch = s->frontend->ch;

	s->standin_asked = false;
	if (!taken) {
		log_standin(s, "address-not-taken");
		forget(s);
		return;
	}
	log_standin(s, "auth-address");
	ipc_start(ch, IPC_SESSION_GRANTED, s->sid);
	ipc_put_str(ch, s->standin->user);
	ipc_send(ch);
}

void
standin_drop(struct session *s)
{
	struct ipc	*queue = channels_to_queue();

	if (s->standin == NULL)
		return;
	if (s->standin_asked)
		s->taken_owed++;
	log_standin(s, "auth-address-ended");
	forget(s);
	if (queue == NULL)
		return;
	ipc_start(queue, IPC_GRANT_REVOKE, s->sid);
	ipc_put_u64(queue, s->frontend->epoch);
	ipc_send(queue);
}

static void
drop_if(struct session *s, void *arg)
{
	if (s->standin == arg)
		standin_drop(s);
}

void
standin_gone(const struct byaddress *b)
{
	/* compared alone */
	if (b->sessions > 0)
		channels_each_session(drop_if, (void *)(uintptr_t)b);
}
