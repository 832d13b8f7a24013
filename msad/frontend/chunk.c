/*
 * CHUNKING: the BDAT command and the octets behind it (RFC 3030 section 2).
 * Part of the front-end; smtp.c gives the command, session.c the turns. The
 * size is what the client says: it is counted down and nothing is allocated
 * for it (X-bdat-1).
 *
 * A chunk that cannot be taken is read and dropped all the same, and refused
 * behind its last octet, so that nothing of it is taken for a command
 * (R3030-2-b). Only when the size cannot be read the session ends.
 */

#include "common/verdict.h"
#include "msad/frontend/chunk.h"
#include "msad/frontend/command.h"
#include "msad/frontend/smtp.h"

/* Why the transaction does not take a chunk of n octets, or REPLY_NONE. */
static enum reply
refusal(const struct session *s, uint64_t n)
{
	const struct transaction	*tx = s->tx;

	if (tx == NULL || tx->accepted == 0)
		return REPLY_NEED_RCPT;
	if (tx->data.size > tx->size_max || n > tx->size_max - tx->data.size)
		return REPLY_TOO_BIG;
	return REPLY_NONE;
}

void
chunk_command(struct session *s, struct slice args, enum reply refused)
{
	uint64_t	n;
	bool		last;

	if (!command_bdat(args, &n, &last)) {
		session_reply(s, refused != REPLY_NONE ? refused :
		    REPLY_BAD_PARAMETER, NULL);
		session_end(s, REPLY_CHUNK_LOST, "bad-chunk");
		return;
	}
	if (refused == REPLY_NONE)
		refused = refusal(s, n);
	if (refused == REPLY_TOO_BIG)
		smtp_reset(s);
	else if (refused == REPLY_NONE)
		s->tx->chunked = true;
	s->chunk_left = n;
	s->chunk_seen = 0;
	s->chunk_last = last;
	s->chunk_refused = refused;
	session_enter(s, SESSION_CHUNK);
	s->window = s->since;
	s->window_size = 0;
}

/* The chunk is read: answer it. */
static void
chunk_end(struct session *s)
{
	s->flush = true;
	if (s->chunk_refused == REPLY_NONE && s->chunk_last) {
		smtp_chunks_end(s);
		return;
	}
	session_enter(s, SESSION_COMMAND);
	session_reply(s, s->chunk_refused != REPLY_NONE ? s->chunk_refused :
	    REPLY_CHUNK_OK, NULL);
}

bool
chunk_take(struct session *s)
{
	struct slice	in = conn_input(&s->c);
	size_t		room;

	if (s->chunk_left == 0) {
		chunk_end(s);
		return true;
	}
	if (in.len > s->chunk_left)
		in.len = (size_t)s->chunk_left;
	if (s->chunk_refused == REPLY_NONE &&
	    in.len > (room = transaction_room(s->tx)))
		in.len = room;
	if (in.len == 0)
		return false;
	if (s->chunk_refused == REPLY_NONE)
		smtp_chunk(s, in);
	conn_use(&s->c, in.len, false);
	s->chunk_left -= in.len;
	s->chunk_seen += in.len;
	return true;
}
