/* links: msad/frontend/transaction.c msad/frontend/submission.c */
/* links: msad/frontend/rewrite.c */
/* links: msad/frontend/data.c */
/*
 * A message on its way to the queue, over a real channel: what arrives is what
 * was sent, and never more than the credit is under way.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "msad/frontend/transaction.h"

#define SID	7

/* The queue's side. */
static struct {
	struct ipc	*ch;
	char		*header, *body;
	size_t		 nheader, nbody, under_way, most;
	unsigned int	 data, ends, resets;
	uint64_t	 size;
	unsigned int	 flags;
} q;

static struct ipc		*front;
static struct event_base	*base;
static struct transaction	*tx;
static const struct tx_origin	 origin = { "me", 3, "TLSv1.3", "X" };

static void
add(char **buf, size_t *len, const struct slice s)
{
	*buf = realloc(*buf, *len + s.len);
	assert_non_null(*buf);
	memcpy(*buf + *len, s.p, s.len);
	*len += s.len;
	q.under_way += s.len;
	if (q.under_way > q.most)
		q.most = q.under_way;
}

static int
on_piece(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct slice		 s;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	s = ipc_get_bytes(&r);
	assert_true(ipc_done(&r) && msg->sid == SID && q.data == 1);
	if (msg->type == IPC_SMTP_BODY)
		add(&q.body, &q.nbody, s);
	else {
		assert_int_equal(q.nbody, 0);
		add(&q.header, &q.nheader, s);
	}
	return 0;
}

static int
on_data(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)msg;
	(void)arg;
	q.data++;
	return 0;
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;

	(void)ch;
	(void)arg;
	ipc_reader(&r, msg);
	q.size = ipc_get_u64(&r);
	q.flags = ipc_get_u8(&r);
	assert_true(ipc_done(&r));
	q.ends++;
	return 0;
}

static int
on_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	(void)ch;
	(void)msg;
	(void)arg;
	q.resets++;
	return 0;
}

static const struct ipc_handler queue_handlers[] = {
	{ IPC_SMTP_DATA, on_data },
	{ IPC_SMTP_HEADER, on_piece },
	{ IPC_SMTP_BODY, on_piece },
	{ IPC_SMTP_END, on_end },
	{ IPC_SMTP_RESET, on_reset },
	{ 0, NULL }
};
static const struct ipc_handler	no_handlers[] = { { 0, NULL } };

static void
on_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)arg;
	fail_msg("channel ended: %d", (int)end);
}

static int
setup(void **state)
{
	int	fds[2];

	(void)state;
	memset(&q, 0, sizeof(q));
	base = event_base_new();
	ipc_init(base);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	front = ipc_new(fds[0], ROLE_FRONTEND, ROLE_QUEUE, no_handlers,
	    on_closed, NULL);
	q.ch = ipc_new(fds[1], ROLE_QUEUE, ROLE_FRONTEND, queue_handlers,
	    on_closed, NULL);
	tx = transaction_new(front, SID, "mail.example.org", 1000000);
	assert_non_null(tx);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	transaction_free(tx);
	ipc_free(front);
	ipc_free(q.ch);
	event_base_free(base);
	free(q.header);
	free(q.body);
	return 0;
}

/* Let the channel move, then give back at most n octets. */
static void
turn(size_t n)
{
	int	i;

	for (i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(q.under_way <= IPC_BODY_CREDIT);
	if (n > q.under_way)
		n = q.under_way;
	q.under_way -= n;
	transaction_credit(tx, n);
}

/*
 * Send all of text by pieces, giving back credit only when nothing goes on
 * without. What transaction_finish() says at last.
 */
static int
submit(const char *text, size_t len, size_t piece, enum reply *r)
{
	struct data_run	run;
	size_t		off = 0, n, room;
	int		done;

	while (tx->data.state != DATA_END) {
		assert_true(off < len);
		if ((room = transaction_room(tx)) == 0) {
			turn(10000);
			continue;
		}
		n = len - off < piece ? len - off : piece;
		off += data_decode(&tx->data, SLICE(text + off,
		    n < room ? n : room), &run);
		transaction_take(tx, &run, &origin);
	}
	while ((done = transaction_finish(tx, &origin, r)) == 0)
		turn(10000);
	turn(0);
	return done;
}

#define HEAD	"From: a@b.example\r\nDate: 22 Nov 2026 03:24:08 +0000\r\n" \
		"Message-ID: <x@y>\r\nTo: c@d.example\r\n"

/* A message with a header of about nh octets more and a body of nb lines. */
static char *
message(size_t nh, size_t nb, size_t *len)
{
	size_t	 size = nh + nb * 40 + 1000, n, i;
	char	*p = malloc(size);

	assert_non_null(p);
	n = (size_t)snprintf(p, size, HEAD);
	for (i = 0; i + 50 <= nh; i += 50)
		n += (size_t)snprintf(p + n, size - n,
		    "%c-%05zu: %039d\r\n", i % 500 == 0 ? 'X' : ' ', i / 50,
		    0);
	n += (size_t)snprintf(p + n, size - n, "\r\n");
	for (i = 0; i < nb; i++)
		n += (size_t)snprintf(p + n, size - n, "%s line %zu\r\n",
		    i % 3 == 0 && i < 900 ? ".." : "a", i);
	n += (size_t)snprintf(p + n, size - n, ".\r\n");
	*len = n;
	return p;
}

/* The same without stuffing and end, behind the blank line. */
static void
check_arrived(const char *text, size_t len)
{
	const char	*body = strstr(text, "\r\n\r\n") + 4, *p;
	size_t		 i = 0;

	assert_int_equal(q.nheader, (size_t)(body - 2 - text));
	assert_memory_equal(q.header, text, q.nheader);
	for (p = body; p < text + len - 3; p++) {
		if (p[-1] == '\n' && *p == '.')
			p++;
		assert_true(i < q.nbody && q.body[i] == *p);
		i++;
	}
	assert_int_equal(i, q.nbody);
	assert_int_equal(q.size, q.nheader + q.nbody);
	assert_int_equal(q.ends, 1);
	assert_int_equal(q.resets, 0);
	assert_int_equal(q.data, 1);
}

static void
arrives(size_t nh, size_t nb, size_t piece)
{
	enum reply	 r = REPLY_NONE;
	size_t		 len;
	char		*text = message(nh, nb, &len);

	assert_int_equal(submit(text, len, piece, &r), 1);
	check_arrived(text, len);
	free(text);
}

static void
t_small(void **state)
{
	(void)state;
	arrives(0, 3, 20000);
}

static void
t_octet_by_octet(void **state)
{
	(void)state;
	arrives(200, 300, 1);
}

static void
t_big(void **state)
{
	(void)state;
	arrives(100, 20000, 16384);
	assert_true(q.most > IPC_BODY_CREDIT / 2);
}

/* A header over the credit, and body that came with its end. */
static void
t_big_header(void **state)
{
	(void)state;
	arrives(200000, 5000, 16000);
}

/* R6409-8.4-a: what grows stays within the credit, and its header says so. */
static void
t_converted(void **state)
{
	static const char	 cte[] =
	    "MIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n";
	static char		 text[400000];
	enum reply		 r = REPLY_NONE;
	size_t			 n, i;

	(void)state;
	tx->convert = MIME_ON;
	n = (size_t)snprintf(text, sizeof(text), "%s\r\n", HEAD);
	for (i = 0; i < 3000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s%060d\r\n", i < 300 ? "" : "\xc3\xa9\xc3\xa9", 7);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".\r\n");
	assert_int_equal(submit(text, n, 16384, &r), 1);
	assert_int_equal(q.nheader, strlen(HEAD) + strlen(cte));
	assert_memory_equal(q.header + strlen(HEAD), cte, strlen(cte));
	assert_int_equal(q.nbody, n - strlen(HEAD "\r\n.\r\n") + 2700 * 8);
	assert_int_equal(q.size, q.nheader + q.nbody);
	for (i = 0; i < q.nbody; i++)
		assert_true((unsigned char)q.body[i] < 128);
}

/* What cannot be converted is refused, whatever was sent of it already. */
static void
t_not_converted(void **state)
{
	static char	 text[200000];
	enum reply	 r = REPLY_NONE;
	size_t		 n, i;

	(void)state;
	tx->convert = MIME_ON;
	n = (size_t)snprintf(text, sizeof(text), "%s\r\n", HEAD);
	for (i = 0; i < 1500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%060d\r\n", 7);
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	    "%01200d\r\n.\r\n", 7);
	assert_int_equal(submit(text, n, 16384, &r), -1);
	assert_int_equal(r, REPLY_MALFORMED);
	assert_non_null(tx->detail);
	assert_int_equal(q.ends, 0);
	assert_int_equal(q.resets, 1);
}

static void
t_no_body(void **state)
{
	enum reply	r;

	(void)state;
	assert_int_equal(submit(HEAD ".\r\n", strlen(HEAD ".\r\n"), 5, &r), 1);
	assert_int_equal(q.nheader, strlen(HEAD));
	assert_int_equal(q.nbody, 0);
	assert_int_equal(q.ends, 1);
}

static void
refused(const char *text, size_t len, enum reply want)
{
	enum reply	r = REPLY_NONE;

	assert_int_equal(submit(text, len, 1000, &r), -1);
	assert_int_equal(r, want);
	assert_int_equal(q.ends, 0);
	assert_int_equal(q.resets, 1);
}

static void
t_bare_lf(void **state)
{
	const char	*text = HEAD "\r\nx\nfoo\r\n.\r\n";

	(void)state;
	refused(text, strlen(text), REPLY_MALFORMED);
	assert_string_equal(tx->detail, data_fault(DATA_BARE_LF));
}

static void
t_too_big(void **state)
{
	size_t	 len;
	char	*text = message(0, 80000, &len);

	(void)state;
	refused(text, len, REPLY_TOO_BIG);
	free(text);
}

static void
t_X_hdr_1(void **state)
{
	size_t	 len;
	char	*text = message(270000, 1, &len);

	(void)state;
	refused(text, len, REPLY_TOO_BIG);
	assert_int_equal(q.data, 0);
	free(text);
}

static void
t_empty(void **state)
{
	(void)state;
	refused(".\r\n", 3, REPLY_MALFORMED);
}

#define CASE(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

/* R6532-3-a: UTF-8 in the header of a part is told, where it is seen. */
static void
t_part_header(void **state)
{
	static const struct {
		const char	*text;
		unsigned int	 flags;
	} list[] = {
		{ "Subject: \xc3\xa9\r\n\r\n\xc3\xa9\r\n.\r\n", 0 },
		{ "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n\xc3\xa9\r\n--b\r\nX: y\r\n\r\n"
		    "\xc3\xa9\r\n--b--\r\n\xc3\xa9\r\n.\r\n", 0 },
		{ "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n--b\r\nX: \xc3\xa9\r\n\r\nx\r\n"
		    "--b--\r\n.\r\n", END_UTF8HEADER },
		{ "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
		    "\r\nSubject: \xc3\xa9\r\n\r\nx\r\n.\r\n",
		    END_UTF8HEADER },
	};
	char		 text[1000];
	enum reply	 r = REPLY_NONE;
	size_t		 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		teardown(state);
		setup(state);
		tx->utf8 = true;
		tx->convert = MIME_ON;
		snprintf(text, sizeof(text), HEAD "%s", list[i].text);
		if (submit(text, strlen(text), 1 + i * 50, &r) != 1)
			fail_msg("%zu: %s", i, tx->detail);
		assert_int_equal(q.flags, list[i].flags);
	}
}

/*
 * P6: what all messages have under way is bounded; whoever would begin with
 * another piece waits until credit, or the end of a message, makes room.
 */
static void
t_turns(void **state)
{
	struct transaction	*other[32];
	struct data_run		 run;
	size_t			 n = 0, len, left;
	static char		 text[16384];

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), "%s\r\n", HEAD);
	while (len < sizeof(text) - 70)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%066d\r\n", 7);
	while (!transaction_must_wait(tx)) {
		assert_true(n < 32);
		other[n] = transaction_new(front, SID, "mail.example.org",
		    1000000);
		assert_non_null(other[n]);
		assert_true(data_decode(&other[n]->data, SLICE(text, len),
		    &run) > 0);
		transaction_take(other[n++], &run, &origin);
	}
	assert_true(n > 2);
	left = other[0]->outstanding;
	assert_true(left > 0 && left <= IPC_BODY_CREDIT);
	transaction_free(other[0]);
	assert_false(transaction_must_wait(tx));
	while (--n > 0)
		transaction_free(other[n]);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		CASE(t_small),
		CASE(t_octet_by_octet),
		CASE(t_big),
		CASE(t_big_header),
		CASE(t_turns),
		CASE(t_converted),
		CASE(t_not_converted),
		CASE(t_no_body),
		CASE(t_bare_lf),
		CASE(t_too_big),
		CASE(t_X_hdr_1),
		CASE(t_empty),
		CASE(t_part_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
