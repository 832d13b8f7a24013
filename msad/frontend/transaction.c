/*
 * One message on its way from the decoder to the queue. Part of the
 * front-end; session.c calls it. The header section is gathered, corrected
 * (submission.c) and only then sent; the body goes through the conversion of
 * common/mime.c, which may have to see some of it before the header is known,
 * and follows as it comes.
 *
 * At most IPC_BODY_CREDIT octets are under way to the queue, and UNDER_WAY_MAX
 * of all messages; what cannot be sent stays with the client, whose socket
 * session.c stops reading. A message
 * that turns out bad is read to its end and dropped (P6, R5321-4.1.1.4-b).
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/header.h"
#include "common/mime_field.h"
#include "msad/frontend/submission.h"
#include "msad/frontend/transaction.h"

#define BUF_FIRST	4096
#define ROOM_ENCODED	4096	/* of input at a time, when it may grow */
#define UNDER_WAY_MAX	(192U * 1024)	/* of all messages; and a piece more */

static size_t	under_way;	/* sum of outstanding */

struct transaction *
transaction_new(struct ipc *queue, uint64_t sid, const char *host,
    uint64_t size_max)
{
	struct transaction	*tx;

	if ((tx = calloc(1, sizeof(*tx))) == NULL)
		return NULL;
	tx->queue = queue;
	tx->sid = sid;
	tx->host = host;
	tx->size_max = size_max;
	if (child_conf() != NULL)
		tx->data.line_stop = child_conf()->limits.text_line;
	return tx;
}

static void
drop_buffers(struct transaction *tx)
{
	free(tx->buf);
	free(tx->fields);
	tx->buf = tx->fields = NULL;
	tx->len = tx->cap = 0;
	tx->header = SLICE("", 0);
}

void
transaction_free(struct transaction *tx)
{
	if (tx == NULL)
		return;
	drop_buffers(tx);
	mime_free(tx->mime);
	under_way -= tx->outstanding;
	free(tx);
}

static void
spoil(struct transaction *tx, enum reply r, const char *detail)
{
	if (tx->bad != REPLY_NONE)
		return;
	tx->bad = r;
	tx->detail = detail;
	drop_buffers(tx);
	mime_free(tx->mime);
	tx->mime = NULL;
}

/* Octets that wait for the queue's credit. */
static size_t
waiting(const struct transaction *tx)
{
	return tx->header.len + (tx->mime != NULL && tx->header_sent ?
	    mime_out(tx->mime).len : 0);
}

size_t
transaction_room(const struct transaction *tx)
{
	size_t	room = IPC_BODY_CREDIT - tx->outstanding;

	if (tx->bad != REPLY_NONE || !tx->header_done)
		return IPC_PIECE_MAX;
	if (waiting(tx) > 0)
		return 0;
	if (room > ROOM_ENCODED && mime_grows(tx->mime))
		return ROOM_ENCODED;
	return room < IPC_PIECE_MAX ? room : IPC_PIECE_MAX;
}

bool
transaction_must_wait(const struct transaction *tx)
{
	return tx->bad == REPLY_NONE && under_way >= UNDER_WAY_MAX;
}

/* Send of s what credit allows, and how much that was. */
static size_t
send_piece(struct transaction *tx, unsigned int type, struct slice s)
{
	size_t	n = s.len;

	if (n > IPC_PIECE_MAX)
		n = IPC_PIECE_MAX;
	if (n > IPC_BODY_CREDIT - tx->outstanding)
		n = IPC_BODY_CREDIT - tx->outstanding;
	if (n == 0)
		return 0;
	ipc_start(tx->queue, type, tx->sid);
	ipc_put_bytes(tx->queue, s.p, n);
	ipc_send(tx->queue);
	tx->sent += n;
	tx->outstanding += n;
	under_way += n;
	return n;
}

/* Send what waits, the header first, as far as credit allows. */
static void
send_waiting(struct transaction *tx)
{
	size_t	n;

	while ((n = send_piece(tx, IPC_SMTP_HEADER, tx->header)) > 0)
		tx->header = slice_from(tx->header, n);
	if (tx->header.len > 0 || !tx->header_sent || tx->mime == NULL)
		return;
	drop_buffers(tx);
	while ((n = send_piece(tx, IPC_SMTP_BODY, mime_out(tx->mime))) > 0)
		mime_use(tx->mime, n);
}

static void
send_data(struct transaction *tx, const struct tx_origin *o)
{
	ipc_start(tx->queue, IPC_SMTP_DATA, tx->sid);
	ipc_put_str(tx->queue, o->helo);
	ipc_put_u8(tx->queue, o->flags);
	ipc_put_str(tx->queue, o->version);
	ipc_put_str(tx->queue, o->cipher);
	ipc_put_u8(tx->queue, tx->added);
	ipc_send(tx->queue);
}

/*
 * It is known what becomes of the body: say so in the corrected header, and
 * begin to send.
 */
static void
header_send(struct transaction *tx)
{
	const char	*more = mime_top_fields(tx->mime);
	size_t		 n = strlen(more);
	char		*p;

	if (mime_top_changed(tx->mime))
		tx->fields_len = mime_strip_cte(tx->fields, tx->fields_len);
	if (n > 0) {
		if ((p = realloc(tx->fields, tx->fields_len + n)) == NULL) {
			spoil(tx, REPLY_TROUBLE, NULL);
			return;
		}
		memcpy(p + tx->fields_len, more, n);
		tx->fields = p;
		tx->fields_len += n;
	}
	tx->header = SLICE(tx->fields, tx->fields_len);
	tx->header_sent = true;
	send_data(tx, &tx->origin);
}

/* Body octets came, or their end (p is NULL). */
static void
convert(struct transaction *tx, const char *p, size_t n)
{
	if (tx->bad != REPLY_NONE)
		return;
	if ((p != NULL ? mime_take(tx->mime, p, n) : mime_end(tx->mime)) ==
	    -1) {
		p = mime_reason(tx->mime);
		spoil(tx, p == NULL ? REPLY_TROUBLE : REPLY_MALFORMED, p);
	} else if (!tx->header_sent && mime_top_known(tx->mime))
		header_send(tx);
}

/* The header section is the first len octets of buf. Correct it. */
static void
header_correct(struct transaction *tx, size_t len)
{
	struct submission	sub;
	enum reply		r;

	memset(&sub, 0, sizeof(sub));
	sub.section = tx->buf;
	sub.len = len;
	sub.host = tx->host;
	sub.now = time(NULL);
	sub.utf8 = tx->utf8;
	sub.appends = child_conf() != NULL ? &child_conf()->appends : NULL;
	if ((r = submission_correct(&sub)) != REPLY_NONE) {
		strlcpy(tx->text, sub.detail != NULL ? sub.detail : "",
		    sizeof(tx->text));
		spoil(tx, r, tx->text);
		return;
	}
	tx->added = sub.added;
	tx->fields = sub.out;
	tx->fields_len = sub.out_len;
	tx->mime = mime_new(SLICE(tx->fields, tx->fields_len), tx->convert);
	if (tx->mime == NULL)
		spoil(tx, REPLY_TROUBLE, NULL);
}

/* The header section is there; body octets follow in buf from body on. */
static void
header_complete(struct transaction *tx, size_t len, size_t body,
    const struct tx_origin *o)
{
	tx->header_done = true;
	tx->origin = *o;
	if (len > header_limits.section) {
		spoil(tx, REPLY_TOO_BIG, NULL);
		return;
	}
	header_correct(tx, len);
	if (tx->bad == REPLY_NONE)
		convert(tx, tx->buf + body, tx->len - body);
	if (tx->bad != REPLY_NONE)
		return;
	free(tx->buf);
	tx->buf = NULL;
	tx->len = tx->cap = 0;
	send_waiting(tx);
}

static int
buf_reserve(struct transaction *tx, size_t n)
{
	size_t	 cap = tx->cap == 0 ? BUF_FIRST : tx->cap;
	char	*p;

	while (cap - tx->len < n)
		cap *= 2;
	if (cap == tx->cap)
		return 0;
	if ((p = realloc(tx->buf, cap)) == NULL)
		return -1;
	tx->buf = p;
	tx->cap = cap;
	return 0;
}

/* Gather octets until the blank line is there. */
static void
gather(struct transaction *tx, const struct data_run *run,
    const struct tx_origin *o)
{
	size_t	 i, from = tx->len > 3 ? tx->len - 3 : 0;
	char	*p;

	if (buf_reserve(tx, run->octets) == -1) {
		spoil(tx, REPLY_TROUBLE, NULL);
		return;
	}
	for (i = 0; i < run->n; i++) {
		memcpy(tx->buf + tx->len, run->slices[i].p,
		    run->slices[i].len);
		tx->len += run->slices[i].len;
	}
	if (tx->len >= 2 && memcmp(tx->buf, "\r\n", 2) == 0)
		header_complete(tx, 0, 2, o);
	else if ((p = memmem(tx->buf + from, tx->len - from, "\r\n\r\n",
	    4)) != NULL)
		header_complete(tx, (size_t)(p - tx->buf) + 2,
		    (size_t)(p - tx->buf) + 4, o);
	else if (tx->len > header_limits.section + 2)
		spoil(tx, REPLY_TOO_BIG, NULL);
}

/* What is wrong with the octets, of the faults that count. */
static unsigned int
faults(const struct transaction *tx)
{
	unsigned int	f = tx->data.faults;

	if (tx->convert == MIME_BINARY_IN)
		return 0;
	return tx->convert == MIME_OFF ? f : f & ~DATA_LONG;
}

void
transaction_take(struct transaction *tx, const struct data_run *run,
    const struct tx_origin *o)
{
	size_t	i;

	if (tx->data.size > tx->size_max)
		spoil(tx, REPLY_TOO_BIG, NULL);
	else if (faults(tx) != 0)
		spoil(tx, REPLY_MALFORMED, NULL);
	if (tx->bad != REPLY_NONE)
		return;
	if (!tx->header_done) {
		gather(tx, run, o);
		return;
	}
	for (i = 0; i < run->n; i++)
		convert(tx, run->slices[i].p, run->slices[i].len);
	send_waiting(tx);
}

/* The reason that counts at the end of the data. */
static enum reply
final_reason(struct transaction *tx)
{
	if (tx->data.size > tx->size_max)
		return REPLY_TOO_BIG;
	if (faults(tx) != 0) {
		tx->detail = data_fault(faults(tx));
		return REPLY_MALFORMED;
	}
	return tx->bad;
}

int
transaction_finish(struct transaction *tx, const struct tx_origin *o,
    enum reply *r)
{
	if (tx->bad == REPLY_NONE && tx->data.size == 0)
		spoil(tx, REPLY_MALFORMED, "the message is empty");
	if (faults(tx) != 0)	/* a CR may be the last octet of a chunk */
		spoil(tx, REPLY_MALFORMED, NULL);
	if (tx->bad == REPLY_NONE && !tx->header_done)
		header_complete(tx, tx->len, tx->len, o);
	if (!tx->ended)
		convert(tx, NULL, 0);
	tx->ended = true;
	send_waiting(tx);
	if (tx->bad != REPLY_NONE) {
		*r = final_reason(tx);
		ipc_send_empty(tx->queue, IPC_SMTP_RESET, tx->sid);
		return -1;
	}
	if (waiting(tx) > 0)
		return 0;
	ipc_start(tx->queue, IPC_SMTP_END, tx->sid);
	ipc_put_u64(tx->queue, tx->sent);
	ipc_put_u8(tx->queue, mime_header_8bit(tx->mime) ? END_UTF8HEADER : 0);
	ipc_send(tx->queue);
	return 1;
}

void
transaction_credit(struct transaction *tx, size_t n)
{
	if (n > tx->outstanding)
		n = tx->outstanding;
	tx->outstanding -= n;
	under_way -= n;
	send_waiting(tx);
}
