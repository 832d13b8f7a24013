/*
 * A list of addresses: slices lie within it, an address is in its least-quoted
 * form and alone in a list means the same again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailbox.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
within(struct slice part, struct slice whole)
{
	if (part.len > 0 && (part.p < whole.p ||
	    part.p + part.len > whole.p + whole.len))
		abort();
}

static void
again(const struct mailbox *m, bool utf8)
{
	struct mailbox_list	l;
	struct mailbox		n;

	if (m->addr[m->len] != '\0' || m->at > m->len ||
	    m->len > MAILBOX_ADDR_MAX)
		abort();
	mailbox_begin(&l, SLICE(m->addr, m->len), utf8);
	if (mailbox_next(&l, &n) != 1 || n.kind != MAILBOX_ADDR ||
	    n.len != m->len || n.at != m->at || n.obsolete ||
	    memcmp(n.addr, m->addr, n.len) != 0 || mailbox_next(&l, &n) != 0)
		abort();
}

static void
list(struct slice body, bool utf8)
{
	struct mailbox_list	l;
	struct mailbox		m;
	char			*text = malloc(body.len + 1);
	int			r;

	if (text == NULL)
		return;
	mailbox_begin(&l, body, utf8);
	while ((r = mailbox_next(&l, &m)) == 1) {
		within(m.phrase, body);
		within(m.comment, body);
		if (mailbox_phrase(m.phrase, text) > m.phrase.len)
			abort();
		if (m.kind == MAILBOX_ADDR)
			again(&m, utf8);
	}
	if (r == -1 && l.reason == NULL)
		abort();
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	list(SLICE(p, size), false);
	list(SLICE(p, size), true);
	free(p);
	return 0;
}
