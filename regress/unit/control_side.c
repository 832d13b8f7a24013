/*
 * msad-auth as t_control.c plays it to msad-control: it answers msactl's
 * questions and keeps what they carried.
 */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "regress/unit/control_side.h"

struct auth_seen	 seen;

void
read_caller(struct ipc_reader *r)
{
	uint16_t	 n;

	assert_int_equal(ipc_get_u32(r), getuid());
	n = ipc_get_u16(r);
	assert_in_range(n, 1, 64);
	while (n-- > 0)
		ipc_get_u32(r);
}

void
put_auth_end(struct ipc *ch, uint64_t sid, uint8_t status, uint32_t matched,
    uint64_t after)
{
	ipc_start(ch, IPC_CTL_AUTH_END, sid);
	ipc_put_u8(ch, status);
	ipc_put_u32(ch, matched);
	ipc_put_u64(ch, after);
	ipc_put_str(ch, status == 1 ? "no such \x1b thing" : "");
	ipc_send(ch);
}

void
put_fact(struct ipc *ch, unsigned int type, uint64_t sid, const char *name,
    const char *value)
{
	ipc_start(ch, type, sid);
	ipc_put_str(ch, name);
	ipc_put_str(ch, value);
	ipc_send(ch);
}

/* Bans and grants: two entries a page. */
static int
on_auth_list(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	seen.after = ipc_get_u64(&r);
	assert_true(ipc_done(&r));
	seen.asked++;
	if (msg->type == IPC_CTL_AUTH_BANS) {
		ipc_start(ch, IPC_CTL_AUTH_BANNED, msg->sid);
		ipc_put_str(ch, "192.0.2.0/24");
		ipc_put_u32(ch, 60);
		ipc_put_u8(ch, 1);
		ipc_put_u32(ch, 7);
		ipc_send(ch);
		ipc_start(ch, IPC_CTL_AUTH_LOCKED, msg->sid);
		ipc_put_str(ch, "ann\xff");
		ipc_put_str(ch, "sys");
		ipc_put_u32(ch, 8);
		ipc_put_u32(ch, 9);
		ipc_send(ch);
	} else {
		ipc_start(ch, IPC_CTL_AUTH_GRANTED, msg->sid);
		ipc_put_str(ch, "::1");
		ipc_put_str(ch, "ann");
		ipc_put_str(ch, "sys");
		ipc_put_u32(ch, 5);
		ipc_put_u32(ch, 6);
		ipc_send(ch);
	}
	put_auth_end(ch, msg->sid, 0, 2, --seen.pages > 0 ? seen.after + 2 : 0);
	return 0;
}

/* The others: keep what they carry. */
static int
on_auth_one(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 s;
	unsigned int		 i, n;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	seen.type = msg->type;
	seen.sid = msg->sid;
	n = msg->type == IPC_CTL_AUTH_GRANT || msg->type == IPC_CTL_AUTH_TEST ||
	    msg->type == IPC_CTL_AUTH_SESSION ? 3 : 1;
	for (i = 0; i < n; i++)
		ipc_copy_str(&r, seen.text[i], sizeof(seen.text[i]));
	seen.seconds = msg->type == IPC_CTL_AUTH_GRANT ||
	    msg->type == IPC_CTL_AUTH_BAN ? ipc_get_u32(&r) : 0;
	if (msg->type == IPC_CTL_AUTH_TEST) {
		s = ipc_get_bytes(&r);
		memcpy(seen.text[3], s.p, s.len);
		seen.text[3][s.len] = '\0';
	}
	assert_true(ipc_done(&r));
	seen.asked++;
	if (seen.mute)
		return 0;
	if (msg->type == IPC_CTL_AUTH_TEST)
		put_fact(ch, IPC_CTL_AUTH_FACT, msg->sid, "result", "refused");
	if (msg->type == IPC_CTL_AUTH_SESSION) {
		put_fact(ch, IPC_CTL_AUTH_FACT, msg->sid, "block", "sys");
		put_fact(ch, IPC_CTL_AUTH_FACT, msg->sid, "granted", "ann");
	}
	put_auth_end(ch, msg->sid, strcmp(seen.text[0], "bad") == 0 ? 1 : 0, 3,
	    0);
	return 0;
}

const struct ipc_handler	 auth_side[] = {
	{ IPC_CTL_AUTH_BANS, on_auth_list },
	{ IPC_CTL_AUTH_GRANTS, on_auth_list },
	{ IPC_CTL_AUTH_BAN, on_auth_one },
	{ IPC_CTL_AUTH_UNBAN, on_auth_one },
	{ IPC_CTL_AUTH_FLUSH, on_auth_one },
	{ IPC_CTL_AUTH_GRANT, on_auth_one },
	{ IPC_CTL_AUTH_UNGRANT, on_auth_one },
	{ IPC_CTL_AUTH_TEST, on_auth_one },
	{ IPC_CTL_AUTH_SESSION, on_auth_one },
	{ 0, NULL }
};

/* --- the queue --- */

void
put_queue_end(struct ipc *ch, uint64_t sid, uint8_t status, uint32_t matched,
    uint64_t after)
{
	ipc_start(ch, IPC_CTL_QUEUE_END, sid);
	ipc_put_u8(ch, status);
	ipc_put_u32(ch, matched);
	ipc_put_u64(ch, after);
	ipc_put_str(ch, status == 1 ? "no" : "");
	ipc_send(ch);
}

/* What is used of limits: a page of two lines, and one more. */
int
side_limits(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	uint32_t		 place, i;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	place = ipc_get_u32(&r);
	assert_int_equal(ipc_get_u16(&r), 100);
	ipc_copy_str(&r, seen.text[0], sizeof(seen.text[0]));
	assert_true(ipc_done(&r));
	seen.asked++;
	for (i = place; i < 3 && i < place + 2; i++) {
		ipc_start(ch, IPC_CTL_LIMIT, msg->sid);
		ipc_put_u8(ch, (uint8_t)(i + 1));
		ipc_put_str(ch, i == 0 ? "sys" : "acme");
		ipc_put_str(ch, "ann");
		ipc_put_str(ch, i == 0 ? "printer" : "");
		ipc_put_u64(ch, 7 + i);
		ipc_put_u64(ch, 300);
		ipc_put_u32(ch, 3600);
		ipc_put_u64(ch, 0);
		ipc_send(ch);
	}
	put_queue_end(ch, msg->sid, 0, i - place, i < 3 ? i : 0);
	return 0;
}

int
side_limits_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)arg;
	ipc_reader(&r, msg);
	read_caller(&r);
	ipc_copy_str(&r, seen.text[0], sizeof(seen.text[0]));
	ipc_copy_str(&r, seen.text[1], sizeof(seen.text[1]));
	assert_true(ipc_done(&r));
	put_queue_end(ch, msg->sid, 0, 2, 0);
	return 0;
}
