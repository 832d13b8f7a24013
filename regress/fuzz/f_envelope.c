/* links: msad/queue/envelope.c msad/queue/index*.c */
/* links: msad/queue/blob.c */
/*
 * The queue's blobs as a damaged disk might give them back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/index.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_message(const uint8_t *data, size_t size)
{
	struct envelope	 e, again;
	struct message	*m;
	struct slice	*rcpts, *params;
	size_t		 len;
	uint8_t		*p;
	uint32_t	 i;

	if (envelope_decode(data, size, &e) == -1)
		return;
	if ((m = message_new(1, 1, &e)) == NULL)
		abort();
	again = e;
	if ((rcpts = calloc(2 * (size_t)e.nrcpts, sizeof(*rcpts))) == NULL)
		abort();
	params = rcpts + e.nrcpts;
	for (i = 0; i < e.nrcpts; i++)
		if (!envelope_rcpt(&again, &rcpts[i], &params[i]) ||
		    !slice_is(rcpts[i], message_rcpt(m, i)))
			abort();
	/* What was read is written the same; version 1 as version 2. */
	if ((p = envelope_encode(&e, rcpts, params, e.nrcpts, &len)) == NULL ||
	    (e.version == ENVELOPE_VERSION &&
	    (len != size || memcmp(p, data, size) != 0)) ||
	    envelope_decode(p, len, &again) == -1)
		abort();
	free(p);
	free(rcpts);
	message_free(m);
}

static void
check_mark(const uint8_t *data, size_t size)
{
	struct mark_record	m;
	uint8_t			buf[MARK_RECORD_MAX];

	if (mark_record_decode(data, size, &m) == -1)
		return;
	if (m.relay.len > ENVELOPE_STR_MAX || (m.flags & ~MARK_FLAGS))
		abort();
	if (data[0] == MARK_RECORD_VERSION &&
	    (mark_record_encode(&m, buf) != size ||
	    memcmp(buf, data, size) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcpt_record	s;
	uint8_t			buf[RCPT_RECORD_MAX];

	check_message(data, size);
	check_mark(data, size);
	if (rcpt_record_decode(data, size, &s) == 0 &&
	    data[0] == RCPT_RECORD_VERSION &&
	    (rcpt_record_encode(&s, buf) != size ||
	    memcmp(buf, data, size) != 0))
		abort();
	return 0;
}
