/*
 * msad-auth's answers to msactl, by way of msad-control: bans, the cache of
 * right passwords, addresses that stand for a login. Tests of logins are in
 * trial.c.
 *
 * Each question carries the caller's uid and groups as the kernel told
 * msad-control. Root may ask and change; so may the socket's group where the
 * configuration names one (the socket's mode let no others in). What is
 * changed is logged with who did it. Text of a caller is checked here: an
 * address that is none is his error, not msad-control's.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <arpa/inet.h>

#include <event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "msad/auth/blocks.h"
#include "msad/auth/byaddress.h"
#include "msad/auth/cache.h"
#include "msad/auth/control.h"
#include "msad/auth/control_priv.h"
#include "msad/auth/guard.h"
#include "msad/auth/sasl_text.h"
#include "msad/auth/standin.h"
#include "msad/auth/trial.h"

#define GIDS_MAX	64
#define PAGE		200		/* entries of one answer */
#define LOCKED_MAX	100		/* users shown */
#define BAN_MAX		31536000	/* seconds: a year */

static struct ipc	*control;
static struct event	*ticker;
static bool		 group;		/* the socket has a group */

void
control_configure(const struct conf *conf)
{
	group = conf->socket_group != NULL;
}

/* --- parts of answers --- */

void
control_end(struct ipc *ch, uint64_t sid, enum ctl_status status,
    uint32_t matched, uint64_t next, const char *reason)
{
	ipc_start(ch, IPC_CTL_AUTH_END, sid);
	ipc_put_u8(ch, (uint8_t)status);
	ipc_put_u32(ch, matched);
	ipc_put_u64(ch, next);
	ipc_put_str(ch, reason);
	ipc_send(ch);
}

static void
error(struct ipc *ch, uint64_t sid, const char *reason)
{
	control_end(ch, sid, CTL_ERROR, 0, 0, reason);
}

bool
control_caller(struct ipc_reader *r, uint32_t *uid)
{
	uint16_t	 n;

	*uid = ipc_get_u32(r);
	n = ipc_get_u16(r);
	if (n > GIDS_MAX)
		r->bad = 1;
	while (n-- > 0 && !r->bad)
		ipc_get_u32(r);
	return *uid == 0 || group;
}

bool
control_admit(struct ipc *ch, uint64_t sid, uint32_t uid, bool may)
{
	if (may)
		return true;
	log_notice("event=control-denied uid=%u", uid);
	control_end(ch, sid, CTL_DENIED, 0, 0, "permission denied");
	return false;
}

/* --- bans --- */

static void
send_ban(struct ipc *ch, uint64_t sid, const struct guard_ban *ban)
{
	char	 buf[NETWORK_TEXT_MAX];

	ipc_start(ch, IPC_CTL_AUTH_BANNED, sid);
	ipc_put_str(ch, network_print(&ban->network, buf, sizeof(buf)));
	ipc_put_u32(ch, ban->seconds);
	ipc_put_u8(ch, ban->manual);
	ipc_put_u32(ch, ban->failures);
	ipc_send(ch);
}

/* Users whom failures lock out where they are not known. */
static uint32_t
send_locked(struct ipc *ch, uint64_t sid)
{
	struct guard_user	 users[LOCKED_MAX];
	size_t			 i, n;
	uint32_t		 sent = 0;

	n = guard_top_users(users, LOCKED_MAX, clock_ms());
	for (i = 0; i < n; i++) {
		if (!users[i].locked)
			continue;
		ipc_start(ch, IPC_CTL_AUTH_LOCKED, sid);
		ipc_put_slice(ch, SLICE(users[i].user,
		    strnlen(users[i].user, sizeof(users[i].user))));
		ipc_put_slice(ch, SLICE(users[i].block,
		    strnlen(users[i].block, sizeof(users[i].block))));
		ipc_put_u32(ch, users[i].failures);
		ipc_put_u32(ch, users[i].refused);
		ipc_send(ch);
		sent++;
	}
	return sent;
}

static int
on_bans(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct guard_ban	 ban;
	uint64_t		 after;
	uint32_t		 uid, n = 0;
	size_t			 cursor;
	bool			 may, more = true;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	after = ipc_get_u64(&r);
	if (!ipc_done(&r) || after > SIZE_MAX / 2)
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	cursor = (size_t)after;
	while (n < PAGE && (more = guard_next_ban(&cursor, clock_ms(), &ban))) {
		send_ban(ch, msg->sid, &ban);
		n++;
	}
	if (!more)
		n += send_locked(ch, msg->sid);
	control_end(ch, msg->sid, CTL_OK, n, more ? cursor : 0, "");
	return 0;
}

/* A network as the caller wrote it; all: "" stands for every one. */
static bool
read_network(struct slice s, struct network *n)
{
	char	 text[NETWORK_TEXT_MAX];

	if (s.len == 0 || s.len >= sizeof(text) ||
	    memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return network_parse(text, n);
}

static int
on_ban(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct network		 n;
	struct slice		 text;
	uint32_t		 uid, seconds;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	text = ipc_get_str(&r);
	seconds = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	if (!read_network(text, &n))
		error(ch, msg->sid, "not an address or network");
	else if (n.prefix == 0)
		error(ch, msg->sid, "that would be everybody");
	else if (seconds > BAN_MAX)
		error(ch, msg->sid, "longer than a year: leave the time out");
	else if (guard_ban(&n, seconds, clock_ms()) == -1)
		error(ch, msg->sid, "there are too many bans");
	else {
		log_notice("event=control-ban uid=%u network=%s seconds=%u",
		    uid, log_qn(text.p, text.len), seconds);
		control_end(ch, msg->sid, CTL_OK, 1, 0, "");
	}
	return 0;
}

/* Of everybody, in both families. */
static unsigned int
unban_all(void)
{
	struct network	 n;
	unsigned int	 found;

	memset(&n, 0, sizeof(n));
	n.family = AF_INET;
	found = guard_unban(&n, clock_ms());
	n.family = AF_INET6;
	return found + guard_unban(&n, clock_ms());
}

static int
on_unban(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct network		 n;
	struct slice		 text;
	uint32_t		 uid, found;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	text = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	if (text.len > 0 && !read_network(text, &n)) {
		error(ch, msg->sid, "not an address or network");
		return 0;
	}
	found = text.len > 0 ? guard_unban(&n, clock_ms()) : unban_all();
	log_notice("event=control-unban uid=%u network=%s bans=%u", uid,
	    text.len > 0 ? log_qn(text.p, text.len) : "all", found);
	if (found > 0 || text.len == 0)
		control_end(ch, msg->sid, CTL_OK, found, 0, "");
	else
		control_end(ch, msg->sid, CTL_NO_MATCH, 0, 0,
		    "there is no such ban; failures there are forgotten");
	return 0;
}

/* --- the cache --- */

static int
on_flush(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	char			 user[IPC_USER_MAX + 1];
	uint32_t		 uid, found;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	if (ipc_copy_str(&r, user, sizeof(user)) == -1 || !ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	found = cache_flush(user[0] != '\0' ? user : NULL);
	log_notice("event=control-auth-flush uid=%u user=%s entries=%u", uid,
	    log_q(user), found);
	control_end(ch, msg->sid, CTL_OK, found, 0, "");
	return 0;
}

/* --- addresses that stand for a login --- */

static int
on_grants(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	const struct byaddress	*b = NULL;
	char			 buf[INET6_ADDRSTRLEN];
	uint64_t		 after;
	uint32_t		 uid, n;
	int64_t			 now = clock_ms();
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	after = ipc_get_u64(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	for (n = 0; n < PAGE && (b = byaddress_after(after)) != NULL; n++) {
		after = b->serial;
		ipc_start(ch, IPC_CTL_AUTH_GRANTED, msg->sid);
		ipc_put_str(ch, inet_ntop(b->address.family, b->address.addr,
		    buf, sizeof(buf)));
		ipc_put_str(ch, b->user);
		ipc_put_str(ch, b->block);
		ipc_put_u32(ch, b->until > now ?
		    (uint32_t)((b->until - now + 999) / 1000) : 0);
		ipc_put_u32(ch, b->sessions);
		ipc_send(ch);
	}
	control_end(ch, msg->sid, CTL_OK, n, b != NULL ? after : 0, "");
	return 0;
}

static void
tick(int fd, short what, void *arg)
{
	const struct timeval	 second = { 1, 0 };

	(void)fd;
	(void)what;
	(void)arg;
	if (byaddress_expire(clock_ms()) > 0)
		evtimer_add(ticker, &second);
}

/* What is wrong with a grant, NULL: nothing; *block is referenced then. */
static const char *
grant_fault(struct slice address, struct slice user, struct slice name,
    uint32_t seconds, struct network *n, struct auth_block **block)
{
	const char	*reason = NULL;

	if (!byaddress_parse(address, n))
		return "not a numeric address";
	if (!sasl_name_ok(user) || user.len > IPC_USER_MAX)
		return "not a user name";
	if (seconds == 0 || seconds > BYADDRESS_SECONDS_MAX)
		return "the time is not from 1 second to 1 day";
	if ((*block = blocks_of_name(name, true, &reason)) == NULL)
		return reason;
	return NULL;
}

static int
on_grant(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct auth_block	*block;
	struct network		 n;
	struct slice		 address, name, text;
	const char		*reason;
	char			 user[IPC_USER_MAX + 1];
	uint32_t		 uid, seconds;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	address = ipc_get_str(&r);
	text = ipc_get_str(&r);
	name = ipc_get_str(&r);
	seconds = ipc_get_u32(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	if ((reason = grant_fault(address, text, name, seconds, &n,
	    &block)) != NULL) {
		error(ch, msg->sid, reason);
		return 0;
	}
	memcpy(user, text.p, text.len);
	user[text.len] = '\0';
	log_notice("event=control-grant uid=%u address=%s user=%s auth=%s "
	    "seconds=%u", uid, log_qn(address.p, address.len), log_q(user),
	    log_q(block->name), seconds);
	if (byaddress_grant(&n, block->name, user, seconds, clock_ms()) == -1)
		error(ch, msg->sid, "there are too many grants");
	else
		control_end(ch, msg->sid, CTL_OK, 1, 0, "");
	blocks_release(block);
	tick(-1, 0, NULL);
	return 0;
}

static int
on_ungrant(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct network		 n;
	struct slice		 address;
	uint32_t		 uid, found;
	bool			 may;

	(void)arg;
	ipc_reader(&r, msg);
	may = control_caller(&r, &uid);
	address = ipc_get_str(&r);
	if (!ipc_done(&r))
		return -1;
	if (!control_admit(ch, msg->sid, uid, may))
		return 0;
	if (!byaddress_parse(address, &n)) {
		error(ch, msg->sid, "not a numeric address");
		return 0;
	}
	found = byaddress_remove(&n);
	log_notice("event=control-grant-remove uid=%u address=%s grants=%u",
	    uid, log_qn(address.p, address.len), found);
	control_end(ch, msg->sid, found > 0 ? CTL_OK : CTL_NO_MATCH, found, 0,
	    found > 0 ? "" : "that address has no grant");
	return 0;
}

/* --- the channel --- */

static const struct ipc_handler handlers[] = {
	{ IPC_CTL_AUTH_BANS, on_bans },
	{ IPC_CTL_AUTH_BAN, on_ban },
	{ IPC_CTL_AUTH_UNBAN, on_unban },
	{ IPC_CTL_AUTH_FLUSH, on_flush },
	{ IPC_CTL_AUTH_GRANTS, on_grants },
	{ IPC_CTL_AUTH_GRANT, on_grant },
	{ IPC_CTL_AUTH_UNGRANT, on_ungrant },
	{ IPC_CTL_AUTH_TEST, trial_auth },
	{ IPC_CTL_AUTH_SESSION, trial_session },
	{ 0, NULL }
};

static void
control_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)end;
	(void)arg;
	trial_channel_gone(ch);
	if (ch == control)
		control = NULL;
	ipc_free(ch);
}

void
control_init(struct event_base *base)
{
	if ((ticker = evtimer_new(base, tick, NULL)) == NULL)
		fatal("event=start error=\"out of memory\"");
	byaddress_init(standin_gone);
}

int
control_channel(uint32_t index, uint64_t epoch, int fd)
{
	struct ipc	*ch;

	ch = ipc_new(fd, ROLE_AUTH, ROLE_CONTROL, handlers, control_closed,
	    NULL);
	if (ch == NULL) {
		close(fd);
		return -1;
	}
	ipc_set_peer(ch, index, epoch);
	if (control != NULL) {
		trial_channel_gone(control);
		ipc_free(control);
	}
	control = ch;
	return 0;
}

void
control_stop(void)
{
	if (control == NULL)
		return;
	trial_channel_gone(control);
	ipc_free(control);
	control = NULL;
}
