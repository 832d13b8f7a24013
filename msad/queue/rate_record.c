/*
 * A count of rate.c as octets in the spool: version, kind, time, parts used,
 * the rate by which they fall, and whose it is; integers big-endian, strings
 * with a 16-bit length. Used by msad-queue. What is read back is checked, down
 * to the bounds that keep rate.c from overflowing: the disk may have been
 * somebody else's. Pure.
 */
#include <stdbool.h>
#include <string.h>

#include "common/conf_rates.h"
#include "rate_record.h"

/* No count of ours is above: a rate, as much held, a credential's 2^32. */
#define PARTS_MAX	(CONF_RATE_BYTES_MAX * 2 * 86400000)

static uint8_t *
put(uint8_t *p, uint64_t v, size_t n)
{
	while (n-- > 0)
		*p++ = (uint8_t)(v >> 8 * n);
	return p;
}

static uint8_t *
put_str(uint8_t *p, const char *s)
{
	size_t	n = strlen(s);

	p = put(p, n, 2);
	memcpy(p, s, n);
	return p + n;
}

size_t
rate_record_encode(const struct rate_record *r, uint8_t *buf)
{
	uint8_t	*p = buf;

	if (strlen(r->key.space) + strlen(r->key.user) +
	    strlen(r->key.label) + 3 > RATE_KEY_MAX)
		return 0;
	p = put(p, RATE_RECORD_VERSION, 1);
	p = put(p, r->key.kind, 1);
	p = put(p, r->when, 8);
	p = put(p, r->parts, 8);
	p = put(p, r->rate.n, 8);
	p = put(p, r->rate.period, 4);
	p = put_str(p, r->key.space);
	p = put_str(p, r->key.user);
	p = put_str(p, r->key.label);
	return (size_t)(p - buf);
}

static uint64_t
get(const uint8_t **p, size_t n)
{
	uint64_t	v = 0;

	while (n-- > 0)
		v = v << 8 | *(*p)++;
	return v;
}

/* The next string, to *at of the keys; NULL: it is not whole. */
static const char *
get_str(const uint8_t **p, const uint8_t *end, struct rate_record *r,
    size_t *at)
{
	char	*s = r->keys + *at;
	size_t	 n;

	if (end - *p < 2)
		return NULL;
	n = (size_t)get(p, 2);
	if (n > (size_t)(end - *p) || n >= sizeof(r->keys) - *at ||
	    (n > 0 && memchr(*p, '\0', n) != NULL))
		return NULL;
	memcpy(s, *p, n);
	s[n] = '\0';
	*at += n + 1;
	*p += n;
	return s;
}

static bool
rate_ok(const struct rate_record *r)
{
	return r->rate.n > 0 && r->rate.n <= CONF_RATE_BYTES_MAX &&
	    r->parts <= PARTS_MAX && (r->rate.period == 60 ||
	    r->rate.period == 3600 || r->rate.period == 86400);
}

int
rate_record_decode(const void *data, size_t len, struct rate_record *r)
{
	const uint8_t	*p = data, *end = p + len;
	size_t		 at = 0;
	uint64_t	 kind;

	memset(r, 0, sizeof(*r));
	if (len < 2 + 3 * 8 + 4 || get(&p, 1) != RATE_RECORD_VERSION)
		return -1;
	kind = get(&p, 1);
	r->key.kind = (enum rate_kind)kind;
	r->when = get(&p, 8);
	r->parts = get(&p, 8);
	r->rate.n = get(&p, 8);
	r->rate.period = (uint32_t)get(&p, 4);
	if (kind == 0 || kind >= RATE_KINDS || !rate_ok(r) ||
	    (r->key.space = get_str(&p, end, r, &at)) == NULL ||
	    (r->key.user = get_str(&p, end, r, &at)) == NULL ||
	    (r->key.label = get_str(&p, end, r, &at)) == NULL)
		return -1;
	return p == end ? 0 : -1;
}
