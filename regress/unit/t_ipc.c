/*
 * Channels: what the table allows passes, with its descriptor, at any split of
 * the stream; everything else ends the channel and reaches no handler.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "common/log.h"

struct seen {
	unsigned int	 messages;
	uint64_t	 sid;
	char		 path[128];
	int		 fd_ok;
	int		 closed;
	enum ipc_end	 end;
};

static struct event_base *base;

static int
on_rcpt(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct seen		*s = arg;
	struct ipc_reader	 r;

	(void)ch;
	ipc_reader(&r, msg);
	if (ipc_copy_str(&r, s->path, sizeof(s->path)) == -1 ||
	    ipc_get_str(&r).len > 0 || !ipc_done(&r))
		return -1;
	s->sid = msg->sid;
	s->messages++;
	return 0;
}

static int
on_init(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct seen	*s = arg;
	struct stat	 st;

	(void)ch;
	if (fstat(msg->fd, &st) == 0)
		s->fd_ok++;
	s->messages++;
	return 0;
}

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	struct seen	*s = arg;

	s->closed++;
	s->end = end;
	ipc_free(ch);
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_SMTP_RCPT, on_rcpt },
	{ 0, NULL }
};
static const struct ipc_handler child_handlers[] = {
	{ IPC_PROC_INIT, on_init },
	{ 0, NULL }
};

/* A raw end for writing what a real peer would not, and a channel. */
static int
open_pair(struct ipc **ch, enum ipc_role self, enum ipc_role peer,
    const struct ipc_handler *h, struct seen *s)
{
	int	 fds[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*ch = ipc_new(fds[1], self, peer, h, on_closed, s);
	assert_non_null(*ch);
	return fds[0];
}

static void
turn(void)
{
	int	 i;

	for (i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static size_t
frame(uint8_t *p, unsigned int type, uint32_t flags, uint64_t sid,
    const void *data, size_t len)
{
	size_t	 i;

	p[0] = (uint8_t)(type >> 8);
	p[1] = (uint8_t)type;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	for (i = 0; i < 4; i++)
		p[4 + i] = (uint8_t)(flags >> (24 - 8 * i));
	for (i = 0; i < 8; i++)
		p[8 + i] = (uint8_t)(sid >> (56 - 8 * i));
	memcpy(p + 16, data, len);
	return 16 + len;
}

static void
t_round_trip(void **state)
{
	struct seen	 a, b;
	struct ipc	*front, *queue;
	int		 fds[2];

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	front = ipc_new(fds[0], ROLE_FRONTEND, ROLE_QUEUE, NULL, on_closed, &a);
	queue = ipc_new(fds[1], ROLE_QUEUE, ROLE_FRONTEND, queue_handlers,
	    on_closed, &b);
	ipc_start(front, IPC_SMTP_RCPT, 77);
	ipc_put_str(front, "ann@example.org");
	ipc_put_str(front, "");
	ipc_send(front);
	turn();
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.sid, 77);
	assert_string_equal(b.path, "ann@example.org");
	ipc_free(front);
	turn();
	assert_int_equal(b.closed, 1);
	assert_int_equal(b.end, IPC_EOF);
	(void)queue;
}

static void
t_every_split(void **state)
{
	uint8_t		 wire[256];
	size_t		 n, i;
	struct seen	 s;
	struct ipc	*ch;
	int		 fd;

	(void)state;
	n = frame(wire, IPC_SMTP_RCPT, 0, 1, "\0\003a@b\0\0", 7);
	n += frame(wire + n, IPC_SMTP_RCPT, 0, 2, "\0\003c@d\0\0", 7);
	for (i = 1; i < n; i++) {
		fd = open_pair(&ch, ROLE_QUEUE, ROLE_FRONTEND, queue_handlers,
		    &s);
		assert_int_equal(write(fd, wire, i), i);
		turn();
		assert_int_equal(write(fd, wire + i, n - i), n - i);
		turn();
		assert_int_equal(s.messages, 2);
		assert_string_equal(s.path, "c@d");
		close(fd);
		turn();
		assert_int_equal(s.closed, 1);
	}
}

/* Every message that may not pass: nothing handled, channel over. */
static void
t_refused(void **state)
{
	static const struct {
		const char	*what;
		unsigned int	 type;
		uint32_t	 flags;
		const char	*data;
		size_t		 len;
	} cases[] = {
		{ "type zero", 0, 0, "", 0 },
		{ "unknown type", IPC_TYPE_MAX, 0, "", 0 },
		{ "huge type", 65535, 0, "", 0 },
		{ "of another channel", IPC_GRANT, 0,
		    "0123456789012345678901234567890", 30 },
		{ "our own direction", IPC_SMTP_VERDICT, 0, "\0\0\0", 3 },
		{ "too short", IPC_SMTP_RCPT, 0, "\0", 1 },
		{ "flag", IPC_SMTP_RCPT, 2, "\0\001a\0\0", 5 },
		{ "announced descriptor", IPC_SMTP_RCPT, 1, "\0\001a\0\0", 5 },
		{ "left over", IPC_SMTP_RCPT, 0, "\0\001a\0\0b", 6 },
		{ "string too long", IPC_SMTP_RCPT, 0, "\0\011ab", 4 },
		{ "NUL in string", IPC_SMTP_RCPT, 0, "\0\002a\0\0\0", 6 },
		{ "no handler", IPC_SMTP_RESET, 0, "", 0 },
	};
	uint8_t		 wire[256];
	size_t		 i, n;
	struct seen	 s;
	struct ipc	*ch;
	int		 fd;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fd = open_pair(&ch, ROLE_QUEUE, ROLE_FRONTEND, queue_handlers,
		    &s);
		n = frame(wire, cases[i].type, cases[i].flags, 1,
		    cases[i].data, cases[i].len);
		/* A good one behind it must not be handled either. */
		n += frame(wire + n, IPC_SMTP_RCPT, 0, 2, "\0\001a\0\0", 5);
		assert_int_equal(write(fd, wire, n), n);
		turn();
		if (s.messages != 0 || s.closed != 1 || s.end != IPC_VIOLATION)
			fail_msg("%s: messages %u closed %d", cases[i].what,
			    s.messages, s.closed);
		close(fd);
	}
}

static void
send_with_fd(int sock, const uint8_t *p, size_t n, int fd)
{
	union {
		struct cmsghdr	 align;
		char		 buf[CMSG_SPACE(sizeof(int))];
	} c;
	struct iovec	 iov = { (void *)(uintptr_t)p, n };
	struct msghdr	 mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = CMSG_SPACE(sizeof(int)) };

	memset(&c, 0, sizeof(c));
	c.align.cmsg_len = CMSG_LEN(sizeof(int));
	c.align.cmsg_level = SOL_SOCKET;
	c.align.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&c.align), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &mh, 0), n);
}

static void
t_descriptor_missing(void **state)
{
	static const uint8_t	 body[25] = { 0 };
	uint8_t			 wire[64];
	struct seen		 s;
	struct ipc		*ch;
	size_t			 n;
	int			 fd;

	(void)state;
	fd = open_pair(&ch, ROLE_KEYS, ROLE_PARENT, child_handlers, &s);
	n = frame(wire, IPC_PROC_INIT, 0, 0, body, sizeof(body));
	assert_int_equal(write(fd, wire, n), n);
	turn();
	assert_int_equal(s.messages, 0);
	assert_int_equal(s.end, IPC_VIOLATION);
	close(fd);

	fd = open_pair(&ch, ROLE_KEYS, ROLE_PARENT, child_handlers, &s);
	n = frame(wire, IPC_PROC_INIT, 1, 0, body, sizeof(body));
	send_with_fd(fd, wire, n, STDERR_FILENO);
	turn();
	assert_int_equal(s.messages, 1);
	assert_int_equal(s.fd_ok, 1);
	close(fd);
	turn();
}

static unsigned int
open_fds(void)
{
	unsigned int	 n = 0;
	int		 fd;

	for (fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			n++;
	return n;
}

/* Descriptors that nobody takes are closed, whatever ends the channel. */
static void
t_no_descriptor_leak(void **state)
{
	static const uint8_t	 body[25] = { 0 };
	unsigned int		 before = open_fds();
	uint8_t			 wire[64];
	struct seen		 s;
	struct ipc		*ch;
	size_t			 n;
	int			 fd, i;

	(void)state;
	fd = open_pair(&ch, ROLE_KEYS, ROLE_PARENT, child_handlers, &s);
	n = frame(wire, IPC_PROC_INIT, 1, 0, body, sizeof(body));
	for (i = 0; i < 20; i++)
		send_with_fd(fd, wire, n, STDERR_FILENO);
	/* Announced by no message. */
	send_with_fd(fd, wire, 4, STDERR_FILENO);
	turn();
	assert_int_equal(s.messages, 20);
	close(fd);
	turn();
	assert_int_equal(s.closed, 1);
	assert_int_equal(open_fds(), before);
}

/* Descriptors keep to their messages in one batch, in order. */
static void
t_descriptors_in_a_batch(void **state)
{
	static const char root[] = "/";
	struct seen	 a, s;
	struct ipc	*parent, *child;
	int		 fds[2], i;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&s, 0, sizeof(s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	parent = ipc_new(fds[0], ROLE_PARENT, ROLE_KEYS, NULL, on_closed, &a);
	child = ipc_new(fds[1], ROLE_KEYS, ROLE_PARENT, child_handlers,
	    on_closed, &s);
	for (i = 0; i < 40; i++) {
		ipc_start(parent, IPC_PROC_INIT, 0);
		ipc_put_u32(parent, 1);
		ipc_put_u64(parent, 2);
		ipc_put_u32(parent, 3);
		ipc_put_u32(parent, 4);
		ipc_put_u8(parent, 5);
		ipc_put_u8(parent, 6);
		ipc_put_u8(parent, 7);
		ipc_put_str(parent, root);
		ipc_send_fd(parent, dup(STDERR_FILENO));
	}
	turn();
	assert_int_equal(s.messages, 40);
	assert_int_equal(s.fd_ok, 40);
	ipc_free(parent);
	turn();
	assert_int_equal(s.closed, 1);
	(void)child;
}

static void
t_wait(void **state)
{
	uint8_t		 wire[128];
	struct seen	 s;
	struct ipc	*ch;
	size_t		 n;
	int		 fd;

	(void)state;
	fd = open_pair(&ch, ROLE_QUEUE, ROLE_FRONTEND, queue_handlers, &s);
	assert_int_equal(ipc_wait(ch, IPC_SMTP_RCPT, 1), 0);
	n = frame(wire, IPC_SMTP_RCPT, 0, 1, "\0\001a\0\0", 5);
	n += frame(wire + n, IPC_SMTP_RCPT, 0, 2, "\0\001b\0\0", 5);
	assert_int_equal(write(fd, wire, n), n);
	assert_int_equal(ipc_wait(ch, IPC_SMTP_RCPT, 1000), 1);
	assert_string_equal(s.path, "a");
	turn();		/* the one behind it comes from the loop */
	assert_string_equal(s.path, "b");
	close(fd);
	assert_int_equal(ipc_wait(ch, IPC_SMTP_RCPT, 1000), -1);
	turn();
	assert_int_equal(s.closed, 1);
}

/* Each question is answered with half a kilobyte that nobody reads. */
static int
on_answer(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct seen	*s = arg;
	char		 detail[500];

	memset(detail, 'x', sizeof(detail));
	s->messages++;
	ipc_start(ch, IPC_SMTP_VERDICT, msg->sid);
	ipc_put_u8(ch, 1);
	ipc_put_slice(ch, SLICE(detail, sizeof(detail)));
	ipc_send(ch);
	return 0;
}

static const struct ipc_handler answering[] = {
	{ IPC_SMTP_RCPT, on_answer },
	{ 0, NULL }
};

/* P6: a peer that asks and does not read makes us grow up to the bound. */
static void
t_pending_max(void **state)
{
	uint8_t		 wire[64];
	struct seen	 s;
	struct ipc	*ch;
	size_t		 n;
	int		 fd, i;

	(void)state;
	fd = open_pair(&ch, ROLE_QUEUE, ROLE_FRONTEND, answering, &s);
	ipc_set_pending_max(ch, 1024 * 1024);
	n = frame(wire, IPC_SMTP_RCPT, 0, 1, "\0\001a\0\0", 5);
	for (i = 0; i < 10000 && s.closed == 0; i++) {
		if (write(fd, wire, n) == -1)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	turn();
	assert_int_equal(s.closed, 1);
	assert_int_equal(s.end, IPC_VIOLATION);
	assert_true(s.messages < 5000);
	close(fd);
}

static void
t_log_quote(void **state)
{
	char	 buf[24];

	(void)state;
	assert_string_equal(log_q("plain"), "\"plain\"");
	assert_string_equal(log_q("a\"b\\\r\n\x80"),
	    "\"a\\x22b\\x5c\\x0d\\x0a\\x80\"");
	log_quote(buf, sizeof(buf), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32);
	assert_true(strlen(buf) < sizeof(buf));
	assert_string_equal(buf + strlen(buf) - 4, "...\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_round_trip),
		cmocka_unit_test(t_every_split),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_descriptor_missing),
		cmocka_unit_test(t_no_descriptor_leak),
		cmocka_unit_test(t_descriptors_in_a_batch),
		cmocka_unit_test(t_wait),
		cmocka_unit_test(t_pending_max),
		cmocka_unit_test(t_log_quote),
	};

	log_set_level(-1);
	base = event_base_new();
	ipc_init(base);
	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
