/*
 * One message on its way from the decoder to the queue. Part of the
 * front-end; session.c calls it. The header section is gathered, corrected
 * (submission.c) and only then sent; the body follows as it comes, straight
 * from the input buffer into the channel.
 *
 * At most IPC_BODY_CREDIT octets are under way to the queue; what cannot be
 * sent stays with the client, whose socket session.c stops reading. A message
 * that turns out bad is read to its end and dropped (P6, R5321-4.1.1.4-b).
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/header.h"
#include "msad/frontend/submission.h"
#include "msad/frontend/transaction.h"

#define BUF_FIRST	4096

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
	return tx;
}

static void
drop_buffers(struct transaction *tx)
{
	free(tx->buf);
	free(tx->fields);
	tx->buf = tx->fields = NULL;
	tx->len = tx->cap = 0;
	memset(tx->parts, 0, sizeof(tx->parts));
}

void
transaction_free(struct transaction *tx)
{
	if (tx == NULL)
		return;
	drop_buffers(tx);
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
}

static size_t
parts_left(const struct transaction *tx)
{
	return tx->parts[PART_HEADER].len + tx->parts[PART_ADDED].len +
	    tx->parts[PART_BODY].len;
}

size_t
transaction_room(const struct transaction *tx)
{
	if (tx->bad != REPLY_NONE || !tx->header_done)
		return IPC_PIECE_MAX;
	if (parts_left(tx) > 0)
		return 0;
	return IPC_BODY_CREDIT - tx->outstanding < IPC_PIECE_MAX ?
	    IPC_BODY_CREDIT - tx->outstanding : IPC_PIECE_MAX;
}

static void
count(struct transaction *tx, size_t n)
{
	tx->sent += n;
	tx->outstanding += n;
}

/* Send of the gathered parts what credit allows. */
static void
send_parts(struct transaction *tx)
{
	size_t	i, n;

	for (i = 0; i < PART_MAX; i++)
		while ((n = tx->parts[i].len) > 0) {
			if (n > IPC_PIECE_MAX)
				n = IPC_PIECE_MAX;
			if (n > IPC_BODY_CREDIT - tx->outstanding)
				n = IPC_BODY_CREDIT - tx->outstanding;
			if (n == 0)
				return;
			ipc_start(tx->queue, i == PART_BODY ? IPC_SMTP_BODY :
			    IPC_SMTP_HEADER, tx->sid);
			ipc_put_bytes(tx->queue, tx->parts[i].p, n);
			ipc_send(tx->queue);
			tx->parts[i] = slice_from(tx->parts[i], n);
			count(tx, n);
		}
	drop_buffers(tx);
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
 * The header section is the first len octets of buf; body octets follow from
 * body on. Correct it and begin to send.
 */
static void
header_complete(struct transaction *tx, size_t len, size_t body,
    const struct tx_origin *o)
{
	struct submission	sub;
	enum reply		r;

	tx->header_done = true;
	if (len > HEADER_SECTION_MAX) {
		spoil(tx, REPLY_TOO_BIG, NULL);
		return;
	}
	memset(&sub, 0, sizeof(sub));
	sub.section = tx->buf;
	sub.len = len;
	sub.host = tx->host;
	sub.now = time(NULL);
	if ((r = submission_correct(&sub)) != REPLY_NONE) {
		spoil(tx, r, sub.detail);
		return;
	}
	tx->added = sub.added;
	tx->parts[PART_HEADER] = SLICE(tx->buf, sub.len);
	tx->parts[PART_BODY] = SLICE(tx->buf + body, tx->len - body);
	if (sub.fields_len > 0) {
		if ((tx->fields = malloc(sub.fields_len)) == NULL) {
			spoil(tx, REPLY_TROUBLE, NULL);
			return;
		}
		memcpy(tx->fields, sub.fields, sub.fields_len);
		tx->parts[PART_ADDED] = SLICE(tx->fields, sub.fields_len);
	}
	send_data(tx, o);
	send_parts(tx);
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
	else if (tx->len > HEADER_SECTION_MAX + 2)
		spoil(tx, REPLY_TOO_BIG, NULL);
}

static void
stream(struct transaction *tx, const struct data_run *run)
{
	size_t	i;

	if (run->octets == 0)
		return;
	ipc_start(tx->queue, IPC_SMTP_BODY, tx->sid);
	ipc_put_u32(tx->queue, (uint32_t)run->octets);
	for (i = 0; i < run->n; i++)
		ipc_put_raw(tx->queue, run->slices[i].p, run->slices[i].len);
	ipc_send(tx->queue);
	count(tx, run->octets);
}

void
transaction_take(struct transaction *tx, const struct data_run *run,
    const struct tx_origin *o)
{
	if (tx->data.size > tx->size_max)
		spoil(tx, REPLY_TOO_BIG, NULL);
	else if (tx->data.faults != 0)
		spoil(tx, REPLY_MALFORMED, NULL);
	if (tx->bad != REPLY_NONE)
		return;
	if (!tx->header_done)
		gather(tx, run, o);
	else
		stream(tx, run);
}

/* The reason that counts at the end of the data. */
static enum reply
final_reason(struct transaction *tx)
{
	if (tx->data.size > tx->size_max)
		return REPLY_TOO_BIG;
	if (tx->data.faults != 0) {
		tx->detail = data_fault(tx->data.faults);
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
	if (tx->bad == REPLY_NONE && !tx->header_done)
		header_complete(tx, tx->len, tx->len, o);
	if (tx->bad != REPLY_NONE) {
		*r = final_reason(tx);
		ipc_send_empty(tx->queue, IPC_SMTP_RESET, tx->sid);
		return -1;
	}
	if (parts_left(tx) > 0)
		return 0;
	ipc_start(tx->queue, IPC_SMTP_END, tx->sid);
	ipc_put_u64(tx->queue, tx->sent);
	ipc_send(tx->queue);
	return 1;
}

void
transaction_credit(struct transaction *tx, size_t n)
{
	tx->outstanding -= n < tx->outstanding ? n : tx->outstanding;
	if (parts_left(tx) > 0)
		send_parts(tx);
}
