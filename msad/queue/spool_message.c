/*
 * Messages arriving, and transactions: the changes that become durable
 * together. Part of the log engine in msad-queue, called by the queue.
 *
 * A small message becomes one record. A big one goes into bodies/ID while it
 * arrives (spool_gather.c); at commit the file and its directory entry are
 * flushed, and only then the record that names it is put into a batch.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/spool_priv.h"

void
spool_body_name(char *buf, size_t size, uint64_t id)
{
	snprintf(buf, size, "%016" PRIx64, id);
}

/* A new id: the epoch of the head, which is never used again, and a count. */
static uint64_t
new_id(struct spool *sp)
{
	if (sp->id_epoch == 0 || sp->id_count + 1 >= SPOOL_REGISTERS)
		return 0;
	return sp->id_epoch << 24 | ++sp->id_count;
}

struct spool_message *
spool_message_begin(struct spool *sp, int flags, enum spool_result *result)
{
	struct spool_message	*m;

	*result = SPOOL_OK;
	if ((flags & SPOOL_MESSAGE_RESERVE) == 0)
		*result = spool_accepting(sp, NULL);
	if (*result != SPOOL_OK)
		return NULL;
	if ((m = calloc(1, sizeof(*m))) == NULL ||
	    (m->id = new_id(sp)) == 0) {
		free(m);
		*result = SPOOL_IO;
		return NULL;
	}
	m->sp = sp;
	m->fd = -1;
	m->flags = flags;
	return m;
}

uint64_t
spool_message_id(const struct spool_message *m)
{
	return m->id;
}

uint64_t
spool_message_size(const struct spool_message *m)
{
	return m->size;
}

enum spool_result
spool_message_append(struct spool_message *m, const void *p, size_t n)
{
	if (m->failed)
		return SPOOL_IO;
	if (n > 0 && spool_gather_add(m, p, n) == -1) {
		m->failed = 1;
		return spool_from_errno(errno);
	}
	return SPOOL_OK;
}

void
spool_message_free(struct spool_message *m)
{
	spool_gather_drop(m);
	if (m->fd != -1)
		m->sp->io->close(m->sp->io->ctx, m->fd);
	free(m);
}

void
spool_message_abort(struct spool_message *m)
{
	char	name[NAME_LEN];

	if (m == NULL)
		return;
	if (m->fd != -1) {
		spool_body_name(name, sizeof(name), m->id);
		m->sp->io->unlink(m->sp->io->ctx, m->sp->bodies, name);
	}
	spool_message_free(m);
}

/* --- transactions ------------------------------------------------------ */

struct spool_txn *
spool_txn_begin(struct spool *sp, int flags)
{
	struct spool_txn	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->sp = sp;
	t->reserve = (flags & SPOOL_TXN_RESERVE) != 0;
	TAILQ_INIT(&t->bodies);
	return t;
}

/* Free a transaction that is over; its body files stay. */
void
spool_txn_free(struct spool_txn *t)
{
	struct spool_message	*m;

	while ((m = TAILQ_FIRST(&t->bodies)) != NULL) {
		TAILQ_REMOVE(&t->bodies, m, entry);
		spool_message_free(m);
	}
	free(t->buf);
	free(t->ops);
	free(t);
}

/* Remove the body files of a transaction that did not come to be. */
void
spool_txn_unlink(struct spool_txn *t)
{
	struct spool_message	*m;

	while ((m = TAILQ_FIRST(&t->bodies)) != NULL) {
		TAILQ_REMOVE(&t->bodies, m, entry);
		spool_message_abort(m);
	}
}

void
spool_txn_abort(struct spool_txn *t)
{
	if (t == NULL)
		return;
	spool_txn_unlink(t);
	spool_txn_free(t);
}

/* The most one transaction may hold, so that it fits into an empty segment. */
static size_t
txn_max(const struct spool *sp)
{
	size_t	half = sp->cfg.segment_size / 2;

	return half < SPOOL_TXN_MAX ? half : SPOOL_TXN_MAX;
}

/* A place for one more record of that size; NULL: no memory. */
static uint8_t *
txn_room(struct spool_txn *t, size_t size)
{
	struct op	*ops;
	uint8_t		*buf;
	size_t		 want = t->len + size;
	uint32_t	 n;

	if (t->nops == t->aops) {
		n = t->aops == 0 ? 2 : t->aops * 2;
		if ((ops = reallocarray(t->ops, n, sizeof(*ops))) == NULL)
			return NULL;
		t->ops = ops;
		t->aops = n;
	}
	if (want > t->alloc) {
		if (t->len > 0 && want < 2 * t->alloc)
			want = 2 * t->alloc;
		if ((buf = realloc(t->buf, want)) == NULL)
			return NULL;
		t->buf = buf;
		t->alloc = want;
	}
	return t->buf + t->len;
}

/* Payload of a record: up to three pieces behind each other. */
struct piece {
	const void	*p;
	size_t		 len;
};

/* Add a record with that header; r->len and r->crc are filled in here. */
static enum spool_result
txn_add(struct spool_txn *t, struct record *r, const struct piece *piece,
    size_t npieces)
{
	uint8_t		*p;
	size_t		 i, size, len = 0;

	for (i = 0; i < npieces; i++)
		len += piece[i].len;
	size = RECORD_SIZE(len);
	if (t->len + size > txn_max(t->sp))
		return SPOOL_TOOBIG;
	if ((p = txn_room(t, size)) == NULL)
		return SPOOL_IO;
	r->len = (uint32_t)len;
	for (len = RECORD_HEADER, i = 0; i < npieces; i++) {
		if (piece[i].len > 0)
			memcpy(p + len, piece[i].p, piece[i].len);
		len += piece[i].len;
	}
	memset(p + len, 0, size - len);
	r->crc = crc32c(0, p + RECORD_HEADER, r->len);
	record_encode(p, r);
	t->ops[t->nops++] = (struct op){ .id = r->id, .key = r->key,
	    .type = r->type, .off = (uint32_t)t->len, .size = (uint32_t)size,
	    .bodyfile = (r->flags & RECORD_BODY_FILE) != 0 };
	t->len += size;
	return SPOOL_OK;
}

enum spool_result
spool_txn_message(struct spool_txn *t, struct spool_message *m,
    const void *env, size_t envlen, const void *prefix, size_t prefixlen)
{
	struct record		r = { .type = RECORD_MESSAGE };
	struct piece		piece[3];
	enum spool_result	result = SPOOL_IO;

	if (envlen > SPOOL_ENVELOPE_MAX || prefixlen > SPOOL_PREFIX_MAX) {
		result = SPOOL_TOOBIG;
		goto fail;
	}
	if (m->failed)
		goto fail;
	if (spool_gather_end(m) == -1) {
		result = spool_from_errno(errno);
		goto fail;
	}
	r.id = m->id;
	r.flags = m->fd != -1 ? RECORD_BODY_FILE : 0;
	r.envlen = (uint32_t)envlen;
	r.prefixlen = (uint32_t)prefixlen;
	r.bodylen = m->size;
	r.bodycrc = m->crc;
	piece[0] = (struct piece){ env, envlen };
	piece[1] = (struct piece){ prefix, prefixlen };
	piece[2] = (struct piece){ m->buf, m->len };
	if ((result = txn_add(t, &r, piece, 3)) != SPOOL_OK)
		goto fail;
	if ((m->flags & SPOOL_MESSAGE_RESERVE) != 0)
		t->reserve = 1;
	t->messages = 1;
	if (m->fd != -1)
		TAILQ_INSERT_TAIL(&t->bodies, m, entry);
	else
		spool_message_free(m);
	return SPOOL_OK;
fail:
	spool_message_abort(m);
	return result;
}

enum spool_result
spool_txn_update(struct spool_txn *t, uint64_t id, uint32_t key, const void *p,
    size_t n)
{
	struct record	r = { .type = RECORD_STATE, .id = id, .key = key };
	struct piece	piece = { p, n };

	if (n > SPOOL_STATE_MAX)
		return SPOOL_TOOBIG;
	return txn_add(t, &r, &piece, 1);
}

enum spool_result
spool_txn_remove(struct spool_txn *t, uint64_t id)
{
	struct record	r = { .type = RECORD_REMOVE, .id = id };

	return txn_add(t, &r, NULL, 0);
}

/* One of the flushes of body files or their directory is over. */
static void
body_flushed(void *arg, int error)
{
	struct spool_txn	*t = arg;

	if (error != 0)
		t->result = spool_from_errno(error);
	if (--t->flushes > 0)
		return;
	TAILQ_REMOVE(&t->sp->waiting, t, entry);
	if (t->result != SPOOL_OK)
		spool_txn_unlink(t);
	spool_submit(t);
}

/* Flush every body file and the directory; then submit. */
static void
flush_bodies(struct spool_txn *t)
{
	struct spool		*sp = t->sp;
	struct spool_message	*m;

	TAILQ_INSERT_TAIL(&sp->waiting, t, entry);
	t->flushes = 1;			/* not before all are under way */
	TAILQ_FOREACH(m, &t->bodies, entry) {
		t->flushes++;
		if (sp->io->flush(sp->io->ctx, m->fd, 0, body_flushed, t) ==
		    -1)
			body_flushed(t, errno);
	}
	t->flushes++;
	if (sp->io->flush(sp->io->ctx, sp->bodies, 1, body_flushed, t) == -1)
		body_flushed(t, errno);
	body_flushed(t, 0);
}

void
spool_txn_commit(struct spool_txn *t, spool_done done, void *arg)
{
	t->done = done;
	t->arg = arg;
	if (!t->messages)
		t->reserve = 1;
	if (t->result == SPOOL_OK && !TAILQ_EMPTY(&t->bodies))
		flush_bodies(t);
	else
		spool_submit(t);
}

/* --- single changes ---------------------------------------------------- */

/* Commit t, or let it answer with the result that building it gave. */
static void
commit_or_answer(struct spool_txn *t, enum spool_result result,
    spool_done done, void *arg)
{
	t->result = result;
	spool_txn_commit(t, done, arg);
}

static struct spool_txn *
must_begin(struct spool *sp)
{
	struct spool_txn	*t;

	if ((t = spool_txn_begin(sp, 0)) == NULL)
		spool_no_memory();
	return t;
}

void
spool_message_commit(struct spool_message *m, const void *env, size_t envlen,
    const void *prefix, size_t prefixlen, spool_done done, void *arg)
{
	struct spool_txn	*t = must_begin(m->sp);
	enum spool_result	 result;

	result = spool_txn_message(t, m, env, envlen, prefix, prefixlen);
	commit_or_answer(t, result, done, arg);
}

void
spool_update(struct spool *sp, uint64_t id, uint32_t key, const void *p,
    size_t n, spool_done done, void *arg)
{
	struct spool_txn	*t = must_begin(sp);

	commit_or_answer(t, spool_txn_update(t, id, key, p, n), done, arg);
}

void
spool_remove(struct spool *sp, uint64_t id, spool_done done, void *arg)
{
	struct spool_txn	*t = must_begin(sp);

	commit_or_answer(t, spool_txn_remove(t, id), done, arg);
}
