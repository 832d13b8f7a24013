/* links: msad/queue/check.c */
/*
 * The check of every octet: any split gives the verdict of the whole, and what
 * passes has no bare CR, LF or NUL.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mailbox.h"
#include "msad/queue/check.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum verdict
run(const uint8_t *p, size_t hlen, size_t len, size_t step, bool utf8)
{
	struct check	c;
	enum verdict	v;
	size_t		i, n;

	check_begin(&c, 1024 * 1024);
	c.utf8 = utf8;
	check_header(&c, "From: a@b.example\r\n", 19);
	for (i = 0; i < len; i += n) {
		n = step;
		if (i < hlen) {
			if (n > hlen - i)
				n = hlen - i;
			check_header(&c, p + i, n);
		} else {
			if (n > len - i)
				n = len - i;
			check_body(&c, p + i, n);
		}
	}
	v = check_end(&c);
	check_free(&c);
	return v;
}

static void
must_be_clean(const uint8_t *p, size_t len)
{
	size_t	i;

	if (memchr(p, '\0', len) != NULL)
		abort();
	for (i = 0; i < len; i++) {
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			abort();
		if (p[i] == '\r' && (i + 1 == len || p[i + 1] != '\n'))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum verdict	whole;
	size_t		hlen, step;
	bool		utf8;

	if (size < 3)
		return 0;
	hlen = (size_t)data[0] << 8 | data[1];
	step = (size_t)data[2] % 17 + 1;
	utf8 = data[2] & 0x80;
	data += 3;
	size -= 3;
	if (hlen > size)
		hlen = size;
	whole = run(data, hlen, size, size + 1, utf8);
	if (run(data, hlen, size, step, utf8) != whole)
		abort();
	if (whole == VERDICT_OK) {
		must_be_clean(data, hlen);
		if (utf8 ? !mailbox_utf8_ok(SLICE(data, hlen)) :
		    check_8bit((const char *)data, hlen))
			abort();
		must_be_clean(data + hlen, size - hlen);
	}
	return 0;
}
