/*
 * Reading of payloads: getters that check every bound and remember the first
 * failure, so that a handler looks once, at the end. Pure.
 */
#include <string.h>

#include "common/ipc.h"

void
ipc_reader(struct ipc_reader *r, const struct ipc_msg *msg)
{
	r->p = msg->data;
	r->left = msg->len;
	r->bad = 0;
}

const uint8_t *
ipc_get_raw(struct ipc_reader *r, size_t n)
{
	const uint8_t	*p = r->p;

	if (r->bad || r->left < n) {
		r->bad = 1;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint64_t
get_number(struct ipc_reader *r, size_t n)
{
	const uint8_t	*p = ipc_get_raw(r, n);
	uint64_t	 v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

uint8_t
ipc_get_u8(struct ipc_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

uint16_t
ipc_get_u16(struct ipc_reader *r)
{
	return (uint16_t)get_number(r, 2);
}

uint32_t
ipc_get_u32(struct ipc_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t
ipc_get_u64(struct ipc_reader *r)
{
	return get_number(r, 8);
}

static struct slice
get_slice(struct ipc_reader *r, size_t n)
{
	const uint8_t	*p = ipc_get_raw(r, n);

	return p == NULL ? SLICE("", 0) : SLICE(p, n);
}

struct slice
ipc_get_str(struct ipc_reader *r)
{
	struct slice	 s = get_slice(r, ipc_get_u16(r));

	if (s.len > 0 && memchr(s.p, '\0', s.len) != NULL) {
		r->bad = 1;
		return SLICE("", 0);
	}
	return s;
}

struct slice
ipc_get_bytes(struct ipc_reader *r)
{
	return get_slice(r, ipc_get_u32(r));
}

int
ipc_copy_str(struct ipc_reader *r, char *buf, size_t size)
{
	struct slice	 s = ipc_get_str(r);

	if (r->bad || s.len >= size) {
		r->bad = 1;
		if (size > 0)
			buf[0] = '\0';
		return -1;
	}
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	return 0;
}

int
ipc_done(const struct ipc_reader *r)
{
	return !r->bad && r->left == 0;
}
