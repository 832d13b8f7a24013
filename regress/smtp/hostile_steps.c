/*
 * What all attacks of a hostile front-end do: take its channels, log in as one
 * may, begin a message, wait for an answer, tell what came of it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/verdict.h"
#include "regress/smtp/hostile.h"

struct ipc	*auth, *keys, *queue;
int		 gone;		/* the other side closed a channel */
int		 verdict;	/* of the last answer */
char		 queue_id[64];
int		 signed_ok;
char		 attack[64];
/* What MAIL, RCPT and the end carry; attacks set them. */
const char	*mail_params = "";
const char	*rcpt_params = "";
uint8_t		 end_flags;

void
outcome(const char *what)
{
	log_notice("hostile attack=%s outcome=%s", attack, what);
}

static int
on_verdict(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	verdict = ipc_get_u8(&r);
	return 0;
}

static int
on_queued(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	verdict = ipc_get_u8(&r);
	ipc_get_str(&r);
	ipc_copy_str(&r, queue_id, sizeof(queue_id));
	return 0;
}

static int
on_ignored(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)msg;
	(void)arg;
	return 0;
}

static int
on_signed(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	signed_ok = ipc_get_u8(&r);
	return 0;
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)end;
	(void)arg;
	gone = 1;
	ipc_free(ch);
}

static const struct ipc_handler handlers[] = {
	{ IPC_SMTP_VERDICT, on_verdict },
	{ IPC_SMTP_QUEUED, on_queued },
	{ IPC_SMTP_CREDIT, on_ignored },
	{ IPC_AUTH_RESULT, on_verdict },
	{ IPC_AUTH_CHALLENGE, on_ignored },
	{ IPC_SESSION_REFUSE, on_ignored },
	{ IPC_SESSION_GRANTED, on_ignored },
	{ IPC_KEY_SIGNED, on_signed },
	{ 0, NULL }
};

int
hostile_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	struct ipc	*ch;

	(void)index;
	(void)epoch;
	(void)name;
	ch = ipc_new(fd, ROLE_FRONTEND, peer, handlers, on_closed, NULL);
	if (peer == ROLE_AUTH)
		auth = ch;
	else if (peer == ROLE_KEYS)
		keys = ch;
	else
		queue = ch;
	return 0;
}

/* --- the steps that attacks are made of; all return the verdict --- */

int
answer(struct ipc *ch, unsigned int type)
{
	int	 r = ipc_wait(ch, type, WAIT_MS);

	if (r == 1)
		return verdict;
	gone = r == -1;
	return -1;
}

void
open_session(uint64_t sid)
{
	ipc_start(auth, IPC_SESSION_OPEN, sid);
	ipc_put_u16(auth, 0);
	ipc_put_str(auth, "192.0.2.9");
	ipc_put_u16(auth, 4711);
	ipc_put_str(auth, "127.0.0.1");
	ipc_put_u16(auth, 465);
	ipc_send(auth);
}

static struct conf_row *
account(void)
{
	return TAILQ_FIRST(&conf_table_find(child_conf(),
	    "credentials")->rows);
}

void
start_plain(uint64_t sid)
{
	struct conf_row	*row = account();
	char		 plain[256];
	int		 n;

	n = snprintf(plain, sizeof(plain), "%c%s%c%.*s", 0, row->key, 0,
	    (int)strcspn(row->value, "@"), row->value);
	ipc_start(auth, IPC_AUTH_START, sid);
	ipc_put_u8(auth, 1);
	ipc_put_str(auth, "PLAIN");
	ipc_put_u8(auth, 1);
	ipc_put_bytes(auth, plain, (size_t)n);
	ipc_send(auth);
}

int
log_in(uint64_t sid)
{
	open_session(sid);
	start_plain(sid);
	if (answer(auth, IPC_AUTH_RESULT) == VERDICT_OK)
		return 0;
	outcome("no-login");
	return -1;
}

int
mail(uint64_t sid, const char *from)
{
	ipc_start(queue, IPC_SMTP_MAIL, sid);
	ipc_put_str(queue, from);
	ipc_put_u64(queue, 0);
	ipc_put_str(queue, mail_params);
	ipc_send(queue);
	return answer(queue, IPC_SMTP_VERDICT);
}

int
rcpt(uint64_t sid, const char *to)
{
	ipc_start(queue, IPC_SMTP_RCPT, sid);
	ipc_put_str(queue, to);
	ipc_put_str(queue, rcpt_params);
	ipc_send(queue);
	return answer(queue, IPC_SMTP_VERDICT);
}

void
data(uint64_t sid, const char *ehlo)
{
	ipc_start(queue, IPC_SMTP_DATA, sid);
	ipc_put_str(queue, ehlo);
	ipc_put_u8(queue, 3);
	ipc_put_str(queue, "TLSv1.3");
	ipc_put_str(queue, "TLS_AES_256_GCM_SHA384");
	ipc_put_u8(queue, 0);
	ipc_send(queue);
}

size_t
piece(unsigned int type, uint64_t sid, const char *p, size_t n)
{
	ipc_start(queue, type, sid);
	ipc_put_bytes(queue, p, n);
	ipc_send(queue);
	return n;
}

int
finish(uint64_t sid, uint64_t size)
{
	ipc_start(queue, IPC_SMTP_END, sid);
	ipc_put_u64(queue, size);
	ipc_put_u8(queue, end_flags);
	ipc_send(queue);
	return answer(queue, IPC_SMTP_QUEUED);
}

const char *
own_address(char *buf, size_t size)
{
	snprintf(buf, size, "%s@example.org", account()->key);
	return buf;
}

/* Log in, MAIL, RCPT and DATA as an honest front-end would. */
int
begin_message(uint64_t sid, const char *ehlo)
{
	char	 own[300];

	if (log_in(sid) == -1)
		return -1;
	if (mail(sid, own_address(own, sizeof(own))) != VERDICT_OK ||
	    rcpt(sid, "bob@example.net") != VERDICT_OK) {
		outcome("no-transaction");
		return -1;
	}
	data(sid, ehlo);
	return 0;
}

void
tell(int v)
{
	static const struct {
		int		 v;
		const char	*name;
	} names[] = {
		{ VERDICT_OK, "accepted" },
		{ VERDICT_NO_GRANT, "no-grant" },
		{ VERDICT_SENDER_DENIED, "sender-denied" },
		{ VERDICT_MALFORMED, "malformed" },
		{ VERDICT_FROM_DENIED, "from-denied" },
		{ VERDICT_SEQUENCE, "sequence" },
		{ VERDICT_BAD_SENDER, "bad-sender" },
		{ VERDICT_BAD_RCPT, "bad-rcpt" },
		{ VERDICT_TOO_BIG, "too-big" },
		{ VERDICT_BAD_PARAMETER, "bad-parameter" },
		{ VERDICT_PRIORITY_CHANGED, "priority-changed" },
	};
	char	 buf[32];
	size_t	 i;

	if (gone) {
		outcome("closed");
		return;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].v == v) {
			outcome(names[i].name);
			return;
		}
	snprintf(buf, sizeof(buf), "verdict-%d", v);
	outcome(buf);
}

/* A frame that ipc_send() would not let out. */
void
raw(struct ipc *ch, unsigned int type, uint64_t sid, const char *p, size_t n)
{
	uint8_t	 b[16 + 512];
	size_t	 i;

	memset(b, 0, sizeof(b));
	b[0] = (uint8_t)(type >> 8);
	b[1] = (uint8_t)type;
	b[2] = (uint8_t)(n >> 8);
	b[3] = (uint8_t)n;
	for (i = 0; i < 8; i++)
		b[8 + i] = (uint8_t)(sid >> (56 - 8 * i));
	memcpy(b + 16, p, n);
	if (write(ipc_fd(ch), b, 16 + n) == -1)
		outcome("not-written");
}
